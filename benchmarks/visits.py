# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Visitors: they come, join, say something, and go, half of them abruptly.

Each kind of visit is a class; a message is said to be said when the server has shown
that it has read it, so that whoever resets the connection then has lost none.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace

from benchmarks.wire import WIRES, Door, dial, dial_websocket, text_frame

_SECONDS = 20.0
_ADDRESSES = 20
"""One has 28,000 ports, each of which rests for a minute after an orderly end."""
_RESET = struct.pack("ii", 1, 0)
_PING = b"\x89\x80\x12\x34\x56\x78"
_PONG = b"\x8a\x00"
_CLOSE = b"\x88\x82\x00\x00\x00\x00\x03\xe8"
_HALF_A_FRAME = text_frame(b"never said")[:-4]
_ROOM_EVERY = 10
"""One visit of so many makes a room: that waits for the disk, twice."""
ADMIN = "of-the-admin"


def marker(sender: str, number: int) -> str:
    """Return a text that shows who has said it, and which of their texts it is."""
    return f"~{sender}-{number}~"


@dataclass(slots=True)
class Host:
    """What all visits of one process have in common.

    Attributes:
        name: Of the process, in the markers.
        doors: By their names in ``benchmarks.wire``.
        said: How many messages were said.
        back_end: Makes the users whose browsers come.
    """

    name: str
    doors: dict[str, Door]
    said: int = 0
    back_end: socket.socket | None = None

    def next_text(self) -> str:
        self.said += 1
        return marker(self.name, self.said)


class Visit:
    """One connection: it is in, and has said what it had to say.

    Args:
        host: Of the process.
        number: Of the visit; no two of a process have the same.
        turn: How many there were of its kind before.
    """

    half = _HALF_A_FRAME
    """What an abrupt one has begun to say."""

    def __init__(self, host: Host, number: int, turn: int) -> None:
        self.host = host
        self.name = f"{host.name}x{number}"
        self.number = number
        self.turn = turn
        self.sock = self.come()

    def come(self) -> socket.socket:
        raise NotImplementedError

    def door(self, wire: str) -> Door:
        """Return a door, as it is seen from one of many addresses."""
        source = f"127.0.0.{2 + self.number % _ADDRESSES}"
        return replace(self.host.doors[wire], source=source)

    def say(self, wire: str) -> bytes:
        """Return the next message as it is sent."""
        text = self.host.next_text().encode()
        return WIRES[wire].message(self.name, text)

    def go(self) -> None:
        """Leave, every second one in the midst of saying something, by a reset."""
        with self.sock:
            if self.turn % 2:
                self.sock.sendall(self.half)
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                return
            self.say_goodbye()
            self.sock.settimeout(_SECONDS)
            while self.sock.recv(65536):
                pass

    def say_goodbye(self) -> None:
        self.sock.sendall(_CLOSE)


class _Talk(Visit):
    """A WebSocket that sends a message; the pong shows that it was read."""

    wire = ""

    def come(self) -> socket.socket:
        sock = WIRES[self.wire].connect(self.door(self.wire), self.name, True)
        sock.sendall(self.say(self.wire) + _PING)
        wait_for(sock, _PONG)
        return sock


class Multichat(_Talk):
    wire = "multichat"


class MaChatWebSocket(_Talk):
    wire = "machat-ws"


class Globes(_Talk):
    wire = "globes"


class MaChat(Visit):
    half = b"never said"

    def come(self) -> socket.socket:
        sock = WIRES["machat"].connect(self.door("machat"), self.name, True)
        line = self.say("machat")
        sock.sendall(line)
        wait_for(sock, line)
        return sock

    def say_goodbye(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)


class Rooms(Visit):
    """Globes over HTTP: reads the list, and now and then makes and deletes a room."""

    half = b"POST /chats HTTP/1.1\r\nHost: h\r\nContent-Length: 99\r\n\r\n{"

    def come(self) -> socket.socket:
        door = self.door("globes")
        sock = dial(door.port, door.source)
        ask(sock, "GET", "/chats/1")
        if self.turn % _ROOM_EVERY == 0:
            room = {"title": f"room {self.name}", "visibility": "public"}
            made = json.loads(ask(sock, "POST", "/chats", json.dumps(room)))
            ask(sock, "DELETE", f"/chats/{made['id']}")
        return sock

    def say_goodbye(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)


class BackEnd(Visit):
    """webtalk's private port: all of its commands."""

    half = b"00099[shout] 1!never said"

    def come(self) -> socket.socket:
        door = self.door("webtalk")
        sock = dial(door.back_end_port, door.source)
        user = command(sock, "[newuser]").partition("!")[0]
        channel = command(sock, "[newchannel]")
        key = self.name
        for words in (
            f"[join] {channel}!{user}",
            f"[shout] {channel}!hello",
            f"[whisper] {user}!hello",
            f"[shout] 1!{self.host.next_text()}",
            f"[leave] {channel}!{user}",
            f"[store] {key}!value",
            f"[retrieve] {key}",
            f"[clear] {key}",
            f"[killchannel] {channel}",
        ):
            command(sock, words)
        if self.turn % 2:
            # The others' are killed for their absence.
            command(sock, f"[killuser] {user}")
        return sock

    def say_goodbye(self) -> None:
        self.sock.sendall(b"00000")


class Browser(Visit):
    """webtalk's public port: a user who was made for it logs in."""

    def come(self) -> socket.socket:
        host, door = self.host, self.door("webtalk")
        if host.back_end is None:
            host.back_end = dial(door.back_end_port)
        self.user = command(host.back_end, "[newuser]")
        sock = dial_websocket(door)
        sock.sendall(text_frame(self.user.encode()) + _PING)
        wait_for(sock, _PONG)
        return sock

    def go(self) -> None:
        super().go()
        assert self.host.back_end is not None
        user = self.user.partition("!")[0]
        command(self.host.back_end, f"[killuser] {user}")


VISITS: dict[str, Callable[[Host, int, int], Visit]] = {
    "multichat": Multichat,
    "machat": MaChat,
    "machat-ws": MaChatWebSocket,
    "globes": Globes,
    "globes rooms": Rooms,
    "webtalk private": BackEnd,
    "webtalk public": Browser,
}


def wait_for(sock: socket.socket, awaited: bytes) -> None:
    """Read until something has come.

    Raises:
        ConnectionError: The server hung up.
    """
    rest = b""
    while True:
        data = sock.recv(65536)
        if not data:
            raise ConnectionError(f"the server hung up before {awaited!r}")
        rest += data
        if awaited in rest:
            return
        rest = rest[-len(awaited) :]


def command(sock: socket.socket, words: str) -> str:
    """Send a command of webtalk's, and return what stands behind the ``[ok]``.

    Raises:
        ConnectionError: It was refused.
    """
    data = words.encode()
    sock.sendall(b"%05d%b" % (len(data), data))
    answer = _exactly(sock, int(_exactly(sock, 5))).decode()
    if not answer.startswith("[ok] "):
        raise ConnectionError(f"{words}: {answer}")
    return answer.removeprefix("[ok] ")


def ask(sock: socket.socket, method: str, path: str, body: str = "") -> bytes:
    """Send a request of HTTP, and return the body of the answer.

    Raises:
        ConnectionError: It was refused.
    """
    sock.sendall(
        f"{method} {path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {ADMIN}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        if not piece:
            raise ConnectionError(f"the server hung up after {data!r}")
        data += piece
    head, _, body_bytes = data.partition(b"\r\n\r\n")
    status = head[9:12]
    if not status.startswith(b"20"):
        raise ConnectionError(f"{method} {path}: {data!r}")
    length = int(head.lower().partition(b"content-length:")[2].split()[0])
    return body_bytes + _exactly(sock, length - len(body_bytes))


def _exactly(sock: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        piece = sock.recv(length - len(data))
        if not piece:
            raise ConnectionError("the server hung up")
        data += piece
    return data
