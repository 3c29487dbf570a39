# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Peers, transports and sessions in memory, for the tests of `chatmux.transports`."""

from __future__ import annotations

import socket
import weakref
from collections.abc import Callable
from typing import Any

from twisted.internet import tcp
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python import log
from twisted.python.failure import Failure

from chatmux.door import FramedDoor, LineDoor, Refusal
from chatmux.errors import PeerError
from chatmux.interfaces import Connection
from chatmux.model import NORMAL, Close

PEER = IPv4Address("TCP", "192.0.2.7", 4711)


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

    pair: Callable[[], tuple[socket.socket, socket.socket]] = staticmethod(
        socket.socketpair
    )

    def __init__(
        self,
        protocol: Any,
        reactor: MemoryReactorClock,
        kind: type[tcp.Server] = tcp.Server,
    ) -> None:
        near, self.far = self.pair()
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


class CountedBuffer(bytearray):
    """Counts the bytes that are copied into it and out of it."""

    copied = 0

    def __iadd__(self, data: Any) -> Any:
        CountedBuffer.copied += len(data)
        return super().__iadd__(data)

    def __add__(self, data: Any) -> Any:
        return self._count(super().__add__(data))

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return found if isinstance(found, int) else self._count(found)

    def __bytes__(self) -> bytes:
        self._count(self)
        return bytes(memoryview(self))

    def _count(self, copy: bytearray) -> CountedBuffer:
        CountedBuffer.copied += len(copy)
        return CountedBuffer(copy)


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

    def bad_length(self, length: bytes) -> None:
        raise self._refusal(Close(1008, f"bad length {length!r}"))

    def frame_too_long(self, length: int) -> None:
        raise self._refusal(Close(1009, f"too long {length}"))

    def frame_too_late(self) -> None:
        raise self._refusal(Close(1008, "frame too late"))

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


def goes_with(wire: Wire, session: MemorySession) -> list[weakref.ref[Any]]:
    """Return what has to be freed when a connection is lost."""
    return [weakref.ref(session.connection), weakref.ref(wire.transport.protocol)]


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


def framed_door(sessions: Sessions, **changes: Any) -> FramedDoor:
    fields: dict[str, Any] = {
        "protocol": "test",
        "key": "test.private",
        "address": "127.0.0.1:0",
        "new_session": sessions.make,
        "opening_bytes": 100,
        "message_bytes": 1000,
    }
    return FramedDoor(**(fields | changes))
