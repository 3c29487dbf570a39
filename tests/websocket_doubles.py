# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""A WebSocket client in memory, for the tests of `chatmux.transports`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from twisted.internet.error import ConnectionDone
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatmux.door import WebSocketDoor
from chatmux.transports.guard import Guard
from chatmux.transports.websocket_factory import WebSocketFactory
from tests.transport_doubles import MemorySession, Sessions, Transport, refuse

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: chat.example:6780\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
)
"""All but the empty line at its end, so that headers can be added. RFC 6455's key."""

ACCEPTED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


def websocket_door(
    sessions: Sessions, path: str = "/", **changes: Any
) -> WebSocketDoor:
    fields: dict[str, Any] = {
        "protocol": "test",
        "key": "test.ws",
        "address": "127.0.0.1:0",
        "path": path,
        "new_session": sessions.make,
        "refuse": refuse,
    }
    return WebSocketDoor(**(fields | changes))


class Frame(NamedTuple):
    """A frame as it was on the wire."""

    opcode: int
    payload: bytes
    fin: bool = True


def masked(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0
) -> bytes:
    """Make a client's frame (RFC 6455, section 5.2)."""
    mask = b"\x37\xfa\x21\x3d"
    first = bytes((fin << 7 | rsv << 4 | opcode,))
    length = len(payload)
    if length < 126:
        head = bytes((0x80 | length,))
    elif length < 1 << 16:
        head = bytes((0x80 | 126,)) + length.to_bytes(2, "big")
    else:
        head = bytes((0x80 | 127,)) + length.to_bytes(8, "big")
    stretched = (mask * (length // 4 + 1))[:length]
    body = int.from_bytes(payload, "big") ^ int.from_bytes(stretched, "big")
    return first + head + mask + body.to_bytes(length, "big")


def frames(data: bytes) -> Iterator[Frame]:
    """Parse a server's frames, which must be whole and not masked."""
    while data:
        first, length = data[0], data[1]
        start = 2
        if length >= 126:
            start = 4 if length == 126 else 10
            length = int.from_bytes(data[2:start], "big")
        payload = data[start : start + length]
        if first & 0x70 or len(payload) != length:
            raise AssertionError(f"no frame: {data[:20]!r}")
        yield Frame(first & 15, payload, bool(first & 0x80))
        data = data[start + length :]


def close_frame(code: int, reason: bytes = b"") -> Frame:
    """Return what a close frame parses to."""
    return Frame(CLOSE, code.to_bytes(2, "big") + reason)


class Peer:
    """A WebSocket client on a connection of a factory."""

    def __init__(self, factory: WebSocketFactory) -> None:
        self.transport = Transport()
        self.protocol = factory.buildProtocol(None)
        self.protocol.makeConnection(self.transport)

    def say(self, data: bytes) -> None:
        self.protocol.dataReceived(data)

    def open(self) -> Peer:
        """Shake hands."""
        return self.open_with(b"")

    def open_with(self, more: bytes) -> Peer:
        """Shake hands, with frames behind the handshake in the same segment."""
        self.say(HANDSHAKE + b"\r\n" + more)
        answer = self.transport.take()
        if not answer.startswith(ACCEPTED):
            raise AssertionError(f"not accepted: {answer!r}")
        self.transport.write(answer[len(ACCEPTED) :])
        return self

    def send(self, opcode: int, payload: bytes = b"", **how: Any) -> None:
        self.say(masked(opcode, payload, **how))

    def hear(self) -> list[Frame]:
        """Return the frames since the last call."""
        return list(frames(self.transport.take()))

    def lose(self) -> None:
        """Let the server learn that the connection is gone."""
        producer, self.transport.producer = self.transport.producer, None
        if producer is not None:
            producer.stopProducing()
        self.protocol.connectionLost(Failure(ConnectionDone()))


class WebSocketTestCase(SynchronousTestCase):
    """Has a factory with one door, whose limits are small."""

    def setUp(self) -> None:
        self.clock = MemoryReactorClock()
        self.guard = Guard(self.clock)
        self.sessions = Sessions()
        door = websocket_door(self.sessions, opening_bytes=100, message_bytes=1000)
        self.factory = WebSocketFactory(self.guard, [door])

    def open(self) -> tuple[Peer, MemorySession]:
        """Shake hands; the session still waits for its opening."""
        peer = Peer(self.factory).open()
        return peer, self.sessions[-1]

    def opened(self) -> tuple[Peer, MemorySession]:
        """Shake hands, and say who it is."""
        peer, session = self.open()
        session.connection.opened()
        return peer, session

    def closed_for(self, peer: Peer) -> int:
        """Return the code of the close frame that is all a peer hears."""
        (frame,) = peer.hear()
        self.assertEqual(frame.opcode, CLOSE)
        self.assertGreater(len(frame.payload), 2, "no reason")
        return int.from_bytes(frame.payload[:2], "big")

    def assert_frees_all(self, peer: Peer) -> None:
        """Lose the connection and see that nothing is left of it."""
        peer.lose()
        self.assertEqual(self.guard.connections, set())
        self.clock.advance(100)
        self.assertEqual(self.clock.getDelayedCalls(), [])
