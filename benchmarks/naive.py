# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The naive multichat server on Twisted and Autobahn, to compare with.

It is what one writes first: a list of clients, and one ``sendMessage`` for each of
them and each message. Run as ``python -m benchmarks.naive PORT``.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol

from benchmarks.generator import raise_descriptor_limit


class NaiveProtocol(WebSocketServerProtocol):
    """One client: registers, then speaks to everybody else."""

    client_name = ""

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        packet = json.loads(payload)
        clients: list[Any] = self.factory.clients
        if packet["action"] == "register":
            self.client_name = packet["client-name"]
            clients.append(self)
            clients[-1].sendMessage(b'{"action":"register-ack"}')
            return
        forwarding = {
            "action": "forwarding-message",
            "source-client-name": self.client_name,
            "content": packet["content"],
        }
        message = json.dumps(forwarding, separators=(",", ":")).encode()
        for client in clients:
            if client is not self:
                client.sendMessage(message)

    def onClose(self, wasClean: bool, code: Any, reason: Any) -> None:
        if self in self.factory.clients:
            self.factory.clients.remove(self)


def main(port: int) -> None:
    """Serve multichat on loopback until the process is ended."""
    from twisted.internet import reactor

    raise_descriptor_limit()
    make_factory: Any = WebSocketServerFactory
    factory = make_factory()
    factory.protocol = NaiveProtocol
    factory.clients = []
    loop: Any = reactor
    loop.listenTCP(port, factory, interface="127.0.0.1")
    loop.run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
