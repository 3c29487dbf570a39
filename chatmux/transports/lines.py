# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Lines over a byte stream, behind an opening that need not be a line."""

from __future__ import annotations

from collections import deque

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory
from twisted.protocols.basic import LineReceiver

from chatmux.door import LineDoor
from chatmux.interfaces import LineSession
from chatmux.transports.guard import Guard
from chatmux.transports.stream import StreamConnection, StreamProtocol

_LINES_A_TURN = 2000
"""Of one peer; at 2 µs for each, others wait 4 ms."""


def line_frame(message: bytes) -> bytes:
    """Return the message as it is: a line brings its own newline."""
    return message


class LineProtocol(StreamProtocol[LineSession], LineReceiver):
    """Hands a session its opening, then its lines.

    In raw mode until the opening is complete. Cuts lines by itself: LineReceiver
    copies the rest of what it was given for every line, which is quadratic.
    """

    delimiter = b"\n"
    line_mode = 0

    def __init__(self, guard: Guard, door: LineDoor) -> None:
        super().__init__(guard, door)
        self.MAX_LENGTH = door.line_bytes
        self._lines: deque[bytes] = deque()
        self._rest = b""

    def make_connection(self) -> StreamConnection[LineSession]:
        return StreamConnection(self._guard, self._door.key, self, line_frame)

    def dataReceived(self, data: bytes) -> None:
        if self.connection.why is None:
            self.connection.attempt(self._take, data)

    @property
    def rest(self) -> bytes:
        return self._rest

    def lost_orderly(self, orderly: bool) -> None:
        if orderly and self._rest:
            self._lines.append(self._rest)
        self._rest = b""

    def lineReceived(self, line: bytes) -> None:
        assert self.connection.session is not None
        self.connection.session.line(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        self._rest = b""
        assert self.connection.session is not None
        self.connection.session.line_too_long()

    def _take(self, data: bytes) -> None:
        connection, session = self.connection, self.connection.session
        assert session is not None
        if not self.line_mode:
            rest = session.opening(data)
            if rest is None or connection.why is not None:
                return
            self.line_mode = 1
            data = rest
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        self._lines += lines
        # Over TLS more may come though reading has stopped.
        if not connection.waiting_its_turn:
            self.hand_on()

    def hand_on(self) -> None:
        connection = self.connection
        self._hand_on_some()
        if connection.why is not None:
            return
        if self._lines:
            connection.yield_turn()
        elif len(self._rest) > self.MAX_LENGTH:
            self.lineLengthExceeded(self._rest)

    def _hand_on_some(self) -> None:
        """Hand the session as many lines as a turn has time for."""
        connection, lines = self.connection, self._lines
        session = connection.session
        assert session is not None
        for _ in range(min(len(lines), _LINES_A_TURN)):
            if connection.why is not None:
                return
            line = lines.popleft()
            if len(line) > self.MAX_LENGTH:
                self.lineLengthExceeded(line)
            session.line(line)


class LineFactory(ServerFactory):
    """Makes a `LineProtocol` for each connection of a door."""

    noisy = False

    def __init__(self, guard: Guard, door: LineDoor) -> None:
        self._guard = guard
        self._door = door

    def buildProtocol(self, addr: IAddress | None) -> LineProtocol:
        protocol = LineProtocol(self._guard, self._door)
        protocol.factory = self
        return protocol
