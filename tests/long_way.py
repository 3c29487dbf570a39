# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""A WebSocket server in memory that takes no short way, to compare with."""

from __future__ import annotations

from typing import Any

from autobahn.twisted.websocket import WebSocketServerProtocol
from twisted.internet.testing import MemoryReactorClock

from chatmux.door import WebSocketDoor
from chatmux.errors import PeerError
from chatmux.interfaces import Connection
from chatmux.model import NORMAL, Close
from chatmux.transports.guard import Guard
from chatmux.transports.websocket import WebSocketProtocol
from chatmux.transports.websocket_factory import WebSocketFactory
from tests.transport_doubles import Sessions
from tests.websocket_doubles import Peer

OPEN, QUIT, REFUSE, WAIT, CUT = b"open", b"quit", b"refuse", b"wait", b"cut"
"""Messages that have a session do something."""


def refuse(connection: Connection) -> None:
    connection.send(b"last words")
    raise PeerError(Close(1008, "refused"))


def wait(connection: Connection) -> None:
    connection.give_way(lambda: connection.send(b"my turn"))


STEPS: dict[bytes, Any] = {
    OPEN: lambda connection: connection.opened(),
    QUIT: lambda connection: connection.close(NORMAL),
    REFUSE: refuse,
    WAIT: wait,
    CUT: lambda connection: connection.abort(),
    b"echo": lambda connection: connection.send(b"heard"),
}


class LongWayProtocol(WebSocketProtocol):
    """Has Autobahn read everything."""

    def processHandshake(self) -> None:
        WebSocketServerProtocol.processHandshake(self)

    def take_whole_messages(self, most: int) -> int:
        return 0


class LongWayFactory(WebSocketFactory):
    kind = LongWayProtocol


class Server:
    """A factory with all that it needs, and one connection."""

    def __init__(self, kind: type[WebSocketFactory], *doors: WebSocketDoor) -> None:
        self.clock = MemoryReactorClock()
        self.guard = Guard(self.clock)
        self.factory = kind(self.guard, list(doors))
        self.peer = Peer(self.factory)
        self.connection = self.peer.protocol.connection
        self.said = b""

    def say(self, data: bytes) -> None:
        self.peer.say(data)
        self.hear()

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.hear()

    def hear(self) -> None:
        self.said += self.peer.transport.take()

    def state(self, sessions: Sessions) -> dict[str, Any]:
        """Return all that a peer, a session or the log can see."""
        protocol, transport = self.peer.protocol, self.peer.transport
        return {
            "said": self.said,
            "state": protocol.state,
            "clean": protocol.wasClean,
            "why": self.connection.why,
            "ending": transport.ending,
            "aborted": transport.aborted,
            "reading": transport.producerState,
            "door": self.connection.door,
            "messages": [session.messages for session in sessions],
            "ends": [session.ends for session in sessions],
            "counts": dict(self.guard.counts),
        }
