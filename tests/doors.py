# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""A client for each door of a server, all alike: who comes in may hear and speak."""

from __future__ import annotations

import json
import socket
from typing import Any, Protocol

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.protocol import State
from websockets.sync.client import ClientConnection, connect

from tests.server import DEADLINE_SECONDS
from tests.webtalk_backend import BackEnd


class Visitor(Protocol):
    """Somebody at a door."""

    name: str
    """As others would see it."""

    def speak(self, text: str) -> None:
        """Say something, if that can be; refused or not."""

    def settle(self) -> None:
        """Wait until the server has done all that was said, or has ended it."""

    def heard(self, mark: str) -> str:
        """Return all that has come, to what is known to come last, or to the end."""

    def close(self) -> None: ...


class Terminal:
    """MaChat over TCP."""

    def __init__(self, port: int, hello: dict[str, Any]) -> None:
        self.name = str(hello["name"])
        self.socket = socket.create_connection(("127.0.0.1", port), DEADLINE_SECONDS)
        self._heard = b""
        self._said = 0
        self.speak(json.dumps(hello))

    def speak(self, text: str) -> None:
        try:
            self.socket.sendall(text.encode() + b"\n")
        except OSError:
            self.socket.close()

    def settle(self) -> None:
        self._said += 1
        mark = f"settled {self._said}"
        self.speak(mark)
        self.heard(f":{mark}\n")

    def heard(self, mark: str) -> str:
        while mark.encode() not in self._heard:
            try:
                more = self.socket.recv(65536)
            except ConnectionError:
                break
            if not more:
                break
            self._heard += more
        return self._heard.decode()

    def close(self) -> None:
        self.socket.close()


class OverWebSocket:
    """Whoever comes by a WebSocket, or is not let in."""

    def __init__(self, name: str, url: str, **options: Any) -> None:
        self.name = name
        self.status = 101
        """Of the answer to the handshake."""
        self.socket: ClientConnection | None = None
        self.close_code = 0
        self._heard = ""
        try:
            # Read all that comes, also while nobody asks for it.
            self.socket = connect(
                url, proxy=None, compression=None, max_queue=None, **options
            )
        except InvalidStatus as refused:
            self.status = refused.response.status_code

    def say(self, text: str) -> None:
        try:
            if self.socket is not None:
                self.socket.send(text)
        except ConnectionClosed:
            pass

    def settle(self) -> None:
        try:
            if self.socket is not None:
                pong = self.socket.ping()
                while self.socket.state is State.OPEN and not pong.wait(0.05):
                    continue
        except ConnectionClosed:
            pass

    def heard(self, mark: str) -> str:
        try:
            while self.socket is not None and mark not in self._heard:
                self._heard += str(self.socket.recv(DEADLINE_SECONDS)) + "\n"
        except ConnectionClosed as closed:
            self.close_code = 0 if closed.rcvd is None else closed.rcvd.code
        return self._heard

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()


class MachatSocket(OverWebSocket):
    """MaChat over a WebSocket."""

    def __init__(self, port: int, hello: dict[str, Any], **options: Any) -> None:
        url = f"ws://127.0.0.1:{port}/mychat"
        super().__init__(str(hello["name"]), url, **options)
        self.speak(json.dumps(hello))

    def speak(self, text: str) -> None:
        self.say(text + "\n")


class Relay(OverWebSocket):
    """multichat, which hears all but itself."""

    def __init__(self, port: int, name: str, secret: str | None) -> None:
        super().__init__(name, f"ws://127.0.0.1:{port}/")
        packet = {"action": "register", "client-name": name, "secret-key": secret}
        self.say(json.dumps(packet))

    def speak(self, text: str) -> None:
        self.say(json.dumps({"action": "client-message", "content": text}))


class Guest(OverWebSocket):
    """Globes' WebSocket, which joins at once."""

    def __init__(self, port: int, room: str, name: str, **headers: str) -> None:
        url = f"ws://127.0.0.1:{port}/chats/{room}/ws"
        super().__init__(name, url, additional_headers=headers)
        self.say(json.dumps({"event_type": "join", "name": name}))

    def speak(self, text: str) -> None:
        said = {"event_type": "send", "name": self.name, "msg": text}
        self.say(json.dumps(said))


class Browser(OverWebSocket):
    """webtalk's WebSocket: it logs in, and hears; what it says is nothing."""

    def __init__(self, port: int, user: str, login: str) -> None:
        super().__init__(f"webtalk {user}", f"ws://127.0.0.1:{port}/webtalk")
        self.say(login)

    def speak(self, text: str) -> None:
        self.say(text)


class Shouter:
    """webtalk's back-end, with a secret or what else it has; it hears nothing."""

    def __init__(self, port: int, secret: str | None, channel: str) -> None:
        self.name = "webtalk"
        self.back_end = BackEnd(port)
        self._channel = channel
        self._answers = b""
        if secret is not None:
            self._do(f"[auth] {secret}")

    def _do(self, command: str) -> None:
        try:
            self._answers += self.back_end.do(command.encode())
        except OSError:
            self._answers += b"(gone)"

    def speak(self, text: str) -> None:
        self._do(f"[shout] {self._channel}!{text}")

    def settle(self) -> None:
        """Every answer was waited for."""

    def heard(self, mark: str) -> str:
        return self._answers.decode()

    def close(self) -> None:
        self.back_end.close()
