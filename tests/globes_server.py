# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Globes as its users run it: the server a process, its clients not ours."""

from __future__ import annotations

import json
import ssl
import subprocess
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.server import DEADLINE_SECONDS, Server, program

PASSWORD = "open sesame"
ADMIN = "the-admins-canary"
GLOBES = {"address": "127.0.0.1:0", "admin-token": ADMIN}
CONFIG = {"globes": GLOBES, "store": "sqlite:///rooms.db"}


class Answered:
    """An answer: its status, its headers by their names in lower case, its body."""

    def __init__(self, status: int, headers: list[tuple[str, str]], body: bytes):
        self.status = status
        self.names = [name for name, _ in headers]
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def fault(self) -> tuple[int, int, str | None]:
        """The status, the code and the field of an answer that is an error."""
        error = self.json["error"]
        return self.status, error["code"], error.get("field")


class Rest:
    """A client of the REST API with a connection that is kept.

    Args:
        port: The server's.
        context: For HTTPS.
    """

    def __init__(self, port: int, context: ssl.SSLContext | None = None) -> None:
        self.connection = (
            HTTPConnection("127.0.0.1", port, timeout=DEADLINE_SECONDS)
            if context is None
            else HTTPSConnection(
                "127.0.0.1", port, timeout=DEADLINE_SECONDS, context=context
            )
        )

    def ask(
        self, method: str, path: str, body: Any = None, token: str | None = None
    ) -> Answered:
        """Send a request, a `body` that is not bytes as JSON; return the answer."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        return Answered(answer.status, answer.getheaders(), answer.read())

    def add(self, title: str, password: str | None = None, **more: str) -> int:
        """Make a room, private if it has a password; return its id."""
        wish = {"title": title, "visibility": "public", **more}
        if password is not None:
            wish = {"title": title, "visibility": "private", "password": password}
            wish |= more
        answer = self.ask("POST", "/chats", wish)
        if answer.status != 201:
            raise AssertionError(answer.body)
        made: int = answer.json["id"]
        return made

    def token(self, room: int | str, name: str, password: str = PASSWORD) -> str:
        """Show a password; return the token."""
        login = {"name": name, "secret": password}
        answer = self.ask("POST", f"/chats/{room}/token", login)
        if answer.status != 201:
            raise AssertionError(answer.body)
        token: str = answer.json["token"]
        return token

    def close(self) -> None:
        self.connection.close()


class Member:
    """A WebSocket of a room."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def say(self, event_type: str, name: str, **more: str) -> None:
        self.socket.send(json.dumps({"event_type": event_type, "name": name, **more}))

    def hear(self) -> dict[str, Any]:
        """Return the next event."""
        event: dict[str, Any] = json.loads(self.socket.recv(DEADLINE_SECONDS))
        return event

    def heard(self, count: int) -> list[tuple[str, str, str]]:
        """Return type, name and text of the next events."""
        events = [self.hear() for _ in range(count)]
        return [(one["event_type"], one["name"], one["msg"]) for one in events]

    def end(self) -> tuple[int, str]:
        """Read to the end; return the code and the reason of the close."""
        try:
            while True:
                self.socket.recv(DEADLINE_SECONDS)
        except ConnectionClosed as closed:
            if closed.rcvd is None:
                raise AssertionError("cut without a close") from None
            return closed.rcvd.code, closed.rcvd.reason


class GlobesTestCase(SynchronousTestCase):
    """Starts servers and clients, and ends them."""

    def serve(
        self,
        config: Any = CONFIG,
        directory: Path | None = None,
        environ: dict[str, str] | None = None,
    ) -> Server:
        directory = Path(self.mktemp()) if directory is None else directory
        server = Server(directory, config, environ=environ)
        self.addCleanup(server.kill)
        return server

    def rest(self, server: Server | int, context: ssl.SSLContext | None = None) -> Rest:
        """Return a client of a server, or of a port."""
        if isinstance(server, Server):
            (server,) = server.ports("globes.address")
        client = Rest(server, context)
        self.addCleanup(client.close)
        return client

    def member(
        self,
        port: int,
        room: int | str,
        token: str | None = None,
        name: str | None = None,
        **options: Any,
    ) -> Member:
        """Connect to a room, the token as a subprotocol; join it, if there is a name.

        The join is heard here, so that it is done before anything else.
        """
        if token is not None:
            options["subprotocols"] = [token]
        scheme = "wss" if "ssl" in options else "ws"
        url = f"{scheme}://127.0.0.1:{port}/chats/{room}/ws"
        socket = connect(url, proxy=None, compression=None, **options)
        self.addCleanup(socket.close)
        self.assertEqual(socket.subprotocol, token)
        member = Member(socket)
        if name is not None:
            member.say("join", name)
            while (event := member.hear())["name"] != name:
                pass
            self.assertEqual(event["event_type"], "join")
        return member


def curl(*arguments: str, data: bytes | None = None) -> Answered:
    """Run curl, with `data` on its standard input."""
    done = subprocess.run(
        [
            *(program("curl", "curl"), "--silent", "--show-error", "--include"),
            *("--noproxy", "*", "--max-time", str(DEADLINE_SECONDS), *arguments),
        ],
        input=data or b"",
        capture_output=True,
    )
    if done.returncode:
        raise AssertionError(done.stderr.decode())
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    while head.startswith(b"HTTP/1.1 100 "):
        head, _, body = body.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = [
        (name, value) for name, _, value in (one.partition(": ") for one in lines)
    ]
    return Answered(int(first.split()[1]), headers, body)
