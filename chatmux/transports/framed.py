# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Sessions over frames with five digits of length before each.

Knows how many frames a peer is heard for in a turn, how long one may take, and what
becomes of the answers; `chatmux.transports.decimal5` knows the frames.
"""

from __future__ import annotations

from contextlib import suppress
from socket import socket

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory

from chatmux.door import FramedDoor
from chatmux.interfaces import FramedSession
from chatmux.model import Close
from chatmux.transports.deadlines import Deadlines
from chatmux.transports.decimal5 import frame
from chatmux.transports.guard import Guard
from chatmux.transports.receiver import Decimal5StringReceiver
from chatmux.transports.stream import StreamConnection, StreamProtocol

_TURN_SECONDS = 0.002
"""For one peer. A time, since some commands cost a thousand times more than others."""
_FRAMES_A_TURN = 1000
"""Of one peer, at most, should the clock be set back meanwhile."""
_CORKED_BYTES = 64 * 1024
"""Of answers that are written together. More would not be fewer system calls, and it
is seen only when it is written whether the peer takes it."""
_SEGMENT_BYTES = 64 * 1024
_LAST_BYTES = 8 << 20
"""More than Linux keeps for a socket unless it is told to."""


class FramedConnection(StreamConnection[FramedSession]):
    """The connection of a `FramedProtocol`.

    Not only what is written is held back while the peer does not take it: no frame is
    handed on and nothing read, or answers would pile up here.
    """

    __slots__ = ("_cork",)
    protocol: FramedProtocol

    def __init__(self, guard: Guard, key: str, protocol: FramedProtocol) -> None:
        self._cork: bytearray | None = None
        super().__init__(guard, key, protocol, frame)

    @property
    def held(self) -> bool:
        return self._turn is not None or (self.paused and not self.is_lost)

    def cork(self) -> None:
        """Collect what is written from now on."""
        self._cork = bytearray()

    def uncork(self) -> None:
        """Write what was collected, and everything from now on at once."""
        self._flush()
        self._cork = None

    def _flush(self) -> None:
        if self._cork:
            chunk = bytes(self._cork)
            self._cork.clear()
            super().write(chunk)

    def write(self, chunk: bytes) -> None:
        cork = self._cork
        if cork is None:
            super().write(chunk)
            return
        cork += chunk
        if len(cork) >= _CORKED_BYTES:
            self._flush()

    def close(self, why: Close) -> None:
        self._flush()
        super().close(why)

    def opened(self) -> None:
        super().opened()
        self.protocol.opened()

    def stop_reading(self) -> None:
        super().stop_reading()
        self.protocol.frame_waits()

    def read_on(self) -> None:
        if not self.paused:
            super().read_on()

    def pauseProducing(self) -> None:
        super().pauseProducing()
        self.stop_reading()

    def resumeProducing(self) -> None:
        super().resumeProducing()
        if not self.held:
            self.read_on()
            self.protocol.go_on()

    def stopProducing(self) -> None:
        # A peer that goes without reading its answers resets the connection. What it
        # has sent before is with the kernel, but Twisted does not ask for it any more.
        if self._writable and self._direct is not None:
            self.protocol.take_the_last(self.transport.socket)
        super().stopProducing()


class FramedProtocol(StreamProtocol[FramedSession], Decimal5StringReceiver):
    """Hands a session what its peer's frames hold.

    Args:
        guard: Watches over all connections of the node.
        door: What the connection came in by.
        frames: Where a frame that is not complete has its deadline.
    """

    connection: FramedConnection

    def __init__(
        self, guard: Guard, door: FramedDoor, frames: Deadlines[FramedProtocol]
    ) -> None:
        super().__init__(guard, door)
        self.MAX_LENGTH = door.opening_bytes
        self._message_bytes = door.message_bytes
        self._frames = frames
        self._left = 0
        """How many frames there is time for in this turn."""
        self._until = 0.0
        """When the turn is over in any case."""

    def make_connection(self) -> FramedConnection:
        return FramedConnection(self._guard, self._door.key, self)

    def opened(self) -> None:
        """Admit longer frames: the peer has said who it is."""
        self.MAX_LENGTH = self._message_bytes

    def dataReceived(self, data: bytes) -> None:
        if self.connection.why is None:
            self.decoder.feed(data)
            self.go_on()

    def take_the_last(self, receiving: socket) -> None:
        """Take what the kernel has of a connection that is lost."""
        with suppress(OSError):
            while len(self.decoder) < _LAST_BYTES:
                data = receiving.recv(_SEGMENT_BYTES)
                if not data:
                    return
                self.decoder.feed(data)

    def hand_on(self) -> None:
        connection = self.connection
        self._left = _FRAMES_A_TURN
        self._until = self._guard.clock.seconds() + _TURN_SECONDS
        self.paused = False
        connection.cork()
        try:
            self.hand_on_strings()
        finally:
            connection.uncork()
        if self._left < _FRAMES_A_TURN:
            # What is begun now is another frame, with a time of its own.
            self._frames.discard(self)
        if not self._left and not connection.held:
            connection.yield_turn()
        elif len(self.decoder) and not connection.held and self not in self._frames:
            self._frames.add(self)

    def stringReceived(self, string: bytes) -> None:
        connection = self.connection
        assert connection.session is not None
        self._left -= 1
        connection.session.received(string, True)
        if self._guard.clock.seconds() > self._until:
            self._left = 0
        self.paused = not self._left or connection.held or connection.why is not None

    def badLength(self, digits: bytes) -> None:
        assert self.connection.session is not None
        self.connection.session.bad_length(digits)

    def lengthLimitExceeded(self, length: int) -> None:
        assert self.connection.session is not None
        self.connection.session.frame_too_long(length)

    @property
    def rest(self) -> bytes:
        return self.decoder.rest

    def frame_waits(self) -> None:
        """Take note that the rest of a frame cannot come, as nothing is read."""
        self._frames.discard(self)

    def frame_expired(self) -> None:
        """Close: a frame was begun and not finished."""
        session = self.connection.session
        if self.connection.why is None and session is not None:
            self.connection.attempt(session.frame_too_late)

    def end(self) -> None:
        self._frames.discard(self)
        super().end()


class FramedFactory(ServerFactory):
    """Makes a `FramedProtocol` for each connection of a door."""

    noisy = False

    def __init__(self, guard: Guard, door: FramedDoor) -> None:
        self._guard = guard
        self._door = door
        self._frames: Deadlines[FramedProtocol] = Deadlines(
            guard.clock, guard.limits.frame_seconds, FramedProtocol.frame_expired
        )
        guard.watches.append(self._frames)

    def buildProtocol(self, addr: IAddress | None) -> FramedProtocol:
        protocol = FramedProtocol(self._guard, self._door, self._frames)
        protocol.factory = self
        return protocol
