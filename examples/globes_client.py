# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""A Globes client: lists the rooms, or says in one what it reads, prints what comes.

At the end of input it waits until its own lines have come back, at least ``--wait``
seconds, and closes. If the room has a password, it is in the environment, as
GLOBES_PASSWORD. Exits with 0, or with 1 and the reason where it was refused.
"""

from __future__ import annotations

import json
import os
from argparse import ArgumentParser, Namespace
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import urlopen

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.stdio import StandardIO
from twisted.internet.task import react
from twisted.protocols.basic import LineReceiver


class Client(WebSocketClientProtocol):
    factory: Any
    awaited = 1  # The end of input, and own lines that have not come back.
    joined = False
    refusal = ""

    def onOpen(self) -> None:
        self.options = self.factory.options
        self.say("join")

    def say(self, kind: str, **fields: str) -> None:
        event = {"event_type": kind, "name": self.options.client, **fields}
        self.sendMessage(json.dumps(event).encode())  # type: ignore[no-untyped-call]

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        event = json.loads(payload)
        kind, own = event["event_type"], event["name"] == self.options.client
        if kind == "error":
            self.refusal = event["msg"]
            self.sendClose(1000)
        elif kind == "send":
            print(f"{event['name']}: {event['msg']}", flush=True)
            if own:
                self.came()
        else:
            print(f"* {event['msg']}", flush=True)
            if own and not self.joined:
                self.joined = True
                StandardIO(Terminal(self))  # type: ignore[no-untyped-call]
                os.set_blocking(1, True)  # StandardIO's own writing is not used.

    def came(self) -> None:
        self.awaited -= 1
        if not self.awaited:
            self.sendClose(1000)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        good = wasClean and code == 1000
        why = "" if good else reason or f"closed with {code}"
        self.factory.ended.callback(self.refusal or why)


class Terminal(LineReceiver):
    delimiter, MAX_LENGTH = b"\n", 1 << 20

    def __init__(self, client: Client) -> None:
        self.client = client

    def lineReceived(self, line: bytes) -> None:
        if line:  # Nothing said is an event that the server ignores.
            self.client.awaited += 1
            self.client.say("send", msg=line.decode(errors="replace"))

    def connectionLost(self, reason: object = None) -> None:
        self.lineReceived(self.clearLineBuffer())  # type: ignore[no-untyped-call]
        factory = self.client.factory
        factory.reactor.callLater(factory.options.wait, self.client.came)


def ask(address: str, path: str, body: dict[str, str] | None = None) -> Any:
    """Return what the REST API answers."""
    data = None if body is None else json.dumps(body).encode()
    try:
        with urlopen(f"http://{address}{path}", data) as answer:
            return json.load(answer)
    except HTTPError as error:
        why = error.read().decode(errors="replace")
        raise SystemExit(f"{error.code} {why}") from None
    except OSError as error:
        raise SystemExit(str(error)) from None


def list_rooms(address: str) -> None:
    for room in ask(address, "/chats"):
        here = ", ".join(user["username"] for user in room["users"])
        print(f"{room['id']}: {room['title']} ({room['visibility']}) {here}".rstrip())


async def main(reactor: Any, options: Namespace) -> None:
    path, protocols = f"/chats/{quote(options.room, safe='')}", []
    # Not on the command line, which everybody on the machine can read.
    password = os.environ.get("GLOBES_PASSWORD")
    if password:
        wish = {"name": options.client, "secret": password}
        answer = ask(options.address, f"{path}/token", wish)
        if "token" in answer:  # None is needed in a public room.
            protocols.append(answer["token"])
    factory: Any = WebSocketClientFactory(  # type: ignore[no-untyped-call]
        f"ws://{options.address}{path}/ws",
        origin=options.origin,
        protocols=protocols,
        reactor=reactor,
    )
    factory.protocol, factory.options, factory.ended = Client, options, Deferred()
    host, _, port = options.address.rpartition(":")
    try:
        await HostnameEndpoint(reactor, host.strip("[]"), int(port)).connect(factory)
        reason = await factory.ended
    except Exception as error:
        reason = str(error)
    if reason:
        raise SystemExit(reason)


if __name__ == "__main__":
    parser = ArgumentParser(description="Talk in a room of Globes, or list the rooms.")
    parser.add_argument("--client", help="the name to speak under; without: list rooms")
    parser.add_argument("--room", default="1", help="its id or title; default: 1")
    parser.add_argument("--address", default="localhost:8080", help="HOST:PORT")
    parser.add_argument("--origin", help="the Origin header; default: none")
    parser.add_argument("--wait", type=float, default=0.5, metavar="SECONDS")
    options = parser.parse_args()
    if options.client is None:
        list_rooms(options.address)
    else:
        react(main, (options,))
