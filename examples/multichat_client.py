# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""A multichat client: relays what it reads on standard input, prints what comes.

At the end of input it listens on for ``--wait`` seconds and closes. Exits with 0, or
with 1 and the reason on standard error where it was refused.
"""

from __future__ import annotations

import json
import os
from argparse import ArgumentParser, FileType, Namespace
from typing import Any

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.stdio import StandardIO
from twisted.internet.task import react
from twisted.protocols.basic import LineReceiver


class Client(WebSocketClientProtocol):
    factory: Any

    def onOpen(self) -> None:
        options = self.factory.options
        names = {"client-name": options.client, "secret-key": options.secret}
        self.say("register", names)

    def say(self, action: str, fields: dict[str, str]) -> None:
        packet = json.dumps({"action": action, **fields})
        self.sendMessage(packet.encode())  # type: ignore[no-untyped-call]

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        packet = json.loads(payload)
        if packet["action"] == "register-ack":
            StandardIO(Terminal(self))  # type: ignore[no-untyped-call]
            os.set_blocking(1, True)  # StandardIO's own writing is not used, but print.
        elif packet["action"] == "forwarding-message":
            name, content = packet["source-client-name"], packet["content"]
            print(f"[{name}] {content}", flush=True)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        good = wasClean and code == 1000
        self.factory.ended.callback("" if good else reason or f"closed with {code}")


class Terminal(LineReceiver):
    delimiter, MAX_LENGTH = b"\n", 1 << 20

    def __init__(self, client: Client) -> None:
        self.client = client

    def lineReceived(self, line: bytes) -> None:
        self.client.say("client-message", {"content": line.decode(errors="replace")})

    def connectionLost(self, reason: object = None) -> None:
        rest: bytes = self.clearLineBuffer()  # type: ignore[no-untyped-call]
        if rest:
            self.lineReceived(rest)
        factory = self.client.factory
        factory.reactor.callLater(factory.options.wait, self.client.sendClose, 1000)


async def main(reactor: Any, options: Namespace) -> None:
    url = f"ws://{options.address}{options.path}"
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
    parser = ArgumentParser(description="Take part in multichat.")
    parser.add_argument("--client", required=True, help="the name to speak under")
    parser.add_argument("--address", default="localhost:6780", help="HOST:PORT")
    parser.add_argument(
        "--secret-file",
        type=FileType(),
        help="a file with the secret key; default: MULTICHAT_SECRET of the environment",
    )
    parser.add_argument("--origin", help="the Origin header; default: none")
    parser.add_argument("--path", default="/", help="the path of the WebSocket")
    parser.add_argument("--wait", type=float, default=0.5, metavar="SECONDS")
    options = parser.parse_args()
    # Not on the command line, which everybody on the machine can read.
    options.secret = os.environ.get("MULTICHAT_SECRET")
    if options.secret_file:
        options.secret = options.secret_file.read().strip()
    if not options.secret:
        parser.error("there is neither --secret-file nor MULTICHAT_SECRET")
    react(main, (options,))
