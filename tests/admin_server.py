# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""A server with an operator: its address, and a client of that."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.globes_server import Answered, GlobesTestCase
from tests.page_server import ALL, MaChat
from tests.server import DEADLINE_SECONDS, Server

TOKEN = "the-operators-canary"
KEYS = (
    "multichat.host",
    "machat.tcp",
    "machat.ws",
    "globes.address",
    "webtalk.private",
    "webtalk.public",
    "admin.address",
)
OPEN = {**ALL, "admin": {"address": "127.0.0.1:0"}}
WITH_TOKEN = {**ALL, "admin": {"address": "127.0.0.1:0", "token": TOKEN}}


class Operator:
    """A client of the operator's API."""

    def __init__(self, port: int, token: str | None = None) -> None:
        self.port = port
        self._token = token
        self._connection = HTTPConnection("127.0.0.1", port, timeout=DEADLINE_SECONDS)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answered:
        """Send a request, a `body` that is not bytes as JSON; return the answer."""
        if self._token is not None:
            headers = {"Authorization": f"Bearer {self._token}", **headers}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers = {"Content-Type": "application/json", **headers}
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        return Answered(answer.status, answer.getheaders(), answer.read())

    def get(self, path: str) -> Any:
        return self.ask("GET", f"/api/{path}").json

    def post(self, path: str, **body: str) -> Any:
        """Do something that must be possible; return what is told of it."""
        answer = self.ask("POST", f"/api/{path}", body)
        if answer.status != 200:
            raise AssertionError(answer.body)
        return answer.json

    def listen(self, **options: Any) -> ClientConnection:
        """Open the stream of events."""
        if self._token is not None:
            options = {"subprotocols": [self._token], **options}
        url = f"ws://127.0.0.1:{self.port}/api/events"
        stream: ClientConnection = connect(url, proxy=None, compression=None, **options)
        return stream

    def close(self) -> None:
        self._connection.close()


class AdminTestCase(GlobesTestCase):
    """Starts servers with an operator, and ends them."""

    def begin(self, config: Any = OPEN, token: str | None = None) -> Server:
        """Start a server; `self.ports` are by the keys of its doors."""
        self.server = self.serve(config)
        self.ports = dict(zip(KEYS, self.server.ports(*KEYS), strict=True))
        self.operator = self.client_of_operator(token)
        return self.server

    def client_of_operator(self, token: str | None = None) -> Operator:
        operator = Operator(self.ports["admin.address"], token)
        self.addCleanup(operator.close)
        return operator

    def machat(self, name: str, room: str = "lounge") -> MaChat:
        """Enter a room by MaChat, and be there."""
        member = MaChat(self.ports["machat.tcp"], name, room)
        self.addCleanup(member.close)
        member.say("here")
        while member.hear() != f"{name}:here":
            pass
        return member

    def websocket(self, key: str, path: str, first: str, **options: Any) -> Any:
        """Connect to a door, and say something first."""
        url = f"ws://127.0.0.1:{self.ports[key]}{path}"
        socket = connect(url, proxy=None, compression=None, **options)
        self.addCleanup(socket.close)
        if first:
            socket.send(first)
        return socket
