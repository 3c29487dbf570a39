# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Peers, transports and sessions in memory, for the tests of `chatmux.transports`."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from twisted.internet import tcp
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python import log
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatmux.door import LineDoor, Refusal, WebSocketDoor
from chatmux.errors import PeerError
from chatmux.interfaces import Connection
from chatmux.model import NORMAL, Close
from chatmux.transports.guard import Guard
from chatmux.transports.websocket import WebSocketFactory

PEER = IPv4Address("TCP", "192.0.2.7", 4711)

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


class Transport(StringTransport):
    """A transport in memory, as strict as Twisted's and no stricter."""

    def __init__(self) -> None:
        super().__init__(peerAddress=PEER)

    def take(self) -> bytes:
        """Return what was written since the last call."""
        written: bytes = self.io.getvalue()
        self.clear()
        return written

    def unregisterProducer(self) -> None:
        self.producer = None

    @property
    def aborted(self) -> bool:
        return self.disconnected

    @property
    def ending(self) -> bool:
        """Whether it was closed, in whatever way."""
        return self.disconnecting


class Wire:
    """Twisted's own TCP transport on a socket pair, driven by hand.

    Args:
        protocol: The server's.
        reactor: For its delayed calls; nothing runs by itself.
        kind: What stands in for `tcp.Server`.
    """

    def __init__(
        self,
        protocol: Any,
        reactor: MemoryReactorClock,
        kind: type[tcp.Server] = tcp.Server,
    ) -> None:
        near, self.far = socket.socketpair()
        near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)
        near.setblocking(False)
        self.far.setblocking(False)
        self.reactor = reactor
        client = (PEER.host, PEER.port)
        self.transport: Any = kind(near, protocol, client, None, 1, reactor)  # type: ignore[arg-type]
        try:
            protocol.makeConnection(self.transport)
        except Exception:
            # As Twisted's own port does it.
            log.deferr()

    def close(self) -> None:
        """End the connection, as the peer, and forget it in any case."""
        self.far.close()
        self.turn()
        if self.transport.connected:
            self.transport.connectionLost(Failure(ConnectionDone()))

    @property
    def writing(self) -> bool:
        """Whether Twisted has bytes that wait for the kernel."""
        return self.transport in self.reactor.writers

    def say(self, data: bytes) -> None:
        """Send, as the peer, and let the server take all of it."""
        while data:
            data = data[self.far.send(data[:8192]) :]
            self.turn()
            self.turn()

    def end(self) -> None:
        """End the peer's sending."""
        self.far.shutdown(socket.SHUT_WR)
        self.turn()
        self.turn()

    def hear(self) -> bytes:
        """Read, as the peer, what the kernel has; Twisted gets no turn."""
        heard = bytearray()
        while True:
            try:
                part = self.far.recv(1 << 16)
            except BlockingIOError:
                return bytes(heard)
            if not part:
                return bytes(heard)
            heard += part

    def hear_all(self) -> bytes:
        """Read while Twisted goes on writing."""
        heard = b""
        while True:
            part = self.hear()
            heard += part
            before = self.writing
            self.turn()
            if not part and not before and not self.writing:
                return heard

    def turn(self) -> None:
        """Do what a reactor does in a turn."""
        self.reactor.advance(0)
        transport = self.transport
        if transport in self.reactor.writers:
            self._after(transport.doWrite(), reading=False)
        if transport in self.reactor.readers:
            self._after(transport.doRead(), reading=True)
        self.reactor.advance(0)

    def _after(self, why: Any, reading: bool) -> None:
        if why is None:
            return
        if reading and why is CONNECTION_DONE:
            self.transport.readConnectionLost(Failure(why))
        else:
            self.reactor.removeReader(self.transport)
            self.reactor.removeWriter(self.transport)
            self.transport.connectionLost(Failure(why))


class MemorySubscription:
    """Notes what its connection tells it."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pause(self) -> None:
        self.told.append("pause")

    def resume(self) -> None:
        self.told.append("resume")

    def reframe(self) -> None:
        self.told.append("reframe")


class MemorySession:
    """Notes what it is handed; its opening is all up to a ``!``.

    Args:
        connection: Its own.
        steps: By a message or line: what to do when it comes.
    """

    def __init__(
        self, connection: Connection, steps: dict[bytes, Callable[[Any], None]]
    ) -> None:
        self.connection = connection
        self.steps = steps
        self.messages: list[tuple[bytes, bool]] = []
        self.lines: list[bytes] = []
        self.opening_bytes: bytes | None = None
        self.rest: bytes | None = None
        self.ends = 0
        self._buffer = b""

    def received(self, message: bytes, binary: bool) -> None:
        self.messages.append((message, binary))
        self._step(message)

    def opening(self, data: bytes) -> bytes | None:
        self._buffer += data
        opening, mark, rest = self._buffer.partition(b"!")
        if not mark:
            return None
        self.opening_bytes = opening
        self.connection.opened()
        self._step(opening)
        return rest

    def line(self, line: bytes) -> None:
        self.lines.append(line)
        self._step(line)

    def line_too_long(self) -> None:
        raise self._refusal(Close(1009, "too long"))

    def opening_too_late(self) -> None:
        raise self._refusal(Close(1008, "too late"))

    def ended(self, rest: bytes) -> None:
        self.rest = rest
        self.connection.send(b"last: " + rest + b"\n")
        self.connection.close(NORMAL)

    def closed(self) -> None:
        self.ends += 1
        self._step(b"closed")

    def _step(self, message: bytes) -> None:
        if message in self.steps:
            self.steps[message](self.connection)

    def _refusal(self, why: Close) -> PeerError:
        self.connection.send(f"error: {why.reason}\n".encode())
        return PeerError(why)


class Sessions(list[MemorySession]):
    """All that a door made, and what they are to do."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: dict[bytes, Callable[[Any], None]] = {}

    def make(self, connection: Connection) -> MemorySession:
        session = MemorySession(connection, self.steps)
        self.append(session)
        return session


def refuse(status: int, reason: str) -> Refusal:
    return Refusal(status, reason.encode(), (("X-Door", "yes"),))


def line_door(sessions: Sessions, line_bytes: int = 64, **changes: Any) -> LineDoor:
    fields: dict[str, Any] = {
        "protocol": "test",
        "key": "test.tcp",
        "address": "127.0.0.1:0",
        "new_session": sessions.make,
        "line_bytes": line_bytes,
    }
    return LineDoor(**(fields | changes))


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
