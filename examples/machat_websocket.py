# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""A MaChat client over WebSocket: says what it reads, prints what comes.

At the end of input it waits until its own lines have come back, at least ``--wait``
seconds, and closes. Exits with 0, or with 1 and the reason where it was refused.
"""

from __future__ import annotations

import json
import os
from argparse import ArgumentParser, Namespace
from typing import Any

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.stdio import StandardIO
from twisted.internet.task import react
from twisted.protocols.basic import LineReceiver


class Client(WebSocketClientProtocol):
    factory: Any
    awaited = 1  # The end of input, and own lines that have not come back.

    def onOpen(self) -> None:
        self.options = self.factory.options
        self.say(json.dumps({"name": self.options.client, "room": self.options.room}))
        StandardIO(Terminal(self))  # type: ignore[no-untyped-call]
        os.set_blocking(1, True)  # StandardIO's own writing is not used, but print.

    def say(self, line: str) -> None:
        self.sendMessage(line.encode() + b"\n")  # type: ignore[no-untyped-call]

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        line = payload.decode()
        print(line, end="", flush=True)
        if line.startswith(f"{self.options.client}:"):
            self.came()

    def came(self) -> None:
        self.awaited -= 1
        if not self.awaited:
            self.sendClose(1000)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        good = wasClean and code == 1000
        self.factory.ended.callback("" if good else reason or f"closed with {code}")


class Terminal(LineReceiver):
    delimiter, MAX_LENGTH = b"\n", 1 << 20

    def __init__(self, client: Client) -> None:
        self.client = client

    def lineReceived(self, line: bytes) -> None:
        self.client.awaited += 1
        self.client.say(line.decode(errors="replace"))

    def connectionLost(self, reason: object = None) -> None:
        rest: bytes = self.clearLineBuffer()  # type: ignore[no-untyped-call]
        if rest:
            self.lineReceived(rest)
        factory = self.client.factory
        factory.reactor.callLater(factory.options.wait, self.client.came)


async def main(reactor: Any, options: Namespace) -> None:
    url = f"ws://{options.address}/mychat"
    factory: Any = WebSocketClientFactory(  # type: ignore[no-untyped-call]
        url, origin=options.origin, reactor=reactor
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
    parser = ArgumentParser(description="Talk in a MaChat room over WebSocket.")
    parser.add_argument("--client", required=True, help="the name to speak under")
    parser.add_argument("--room", default="", help="the room; default: the room ''")
    parser.add_argument("--address", default="localhost:8099", help="HOST:PORT")
    parser.add_argument("--origin", help="the Origin header; default: none")
    parser.add_argument("--wait", type=float, default=0.5, metavar="SECONDS")
    react(main, (parser.parse_args(),))
