# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Lines over a byte stream, behind an opening that need not be a line."""

from __future__ import annotations

from collections import deque

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol
from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from chatmux.door import LineDoor
from chatmux.interfaces import LineSession
from chatmux.model import TOO_SLOW, Close
from chatmux.transports.connection import SocketConnection
from chatmux.transports.guard import Guard

_LINES_A_TURN = 2000
"""Of one peer; at 2 µs for each, others wait 4 ms."""


def line_frame(message: bytes) -> bytes:
    """Return the message as it is: a line brings its own newline."""
    return message


class LineConnection(SocketConnection):
    """The connection of a `LineProtocol`, and its session."""

    __slots__ = ("session",)

    def __init__(self, guard: Guard, door: LineDoor, transport: object) -> None:
        super().__init__(guard, door.key, transport, line_frame)
        self.session: LineSession | None = None

    def begin(self, door: LineDoor) -> None:
        self.session = door.new_session(self)

    def close(self, why: Close) -> None:
        if self.why is not None:
            return
        self.why = why
        self.shut()
        if why is TOO_SLOW:
            self.transport.abortConnection()
            return
        # Unregistered first, or Twisted would wait for the producer before it closes.
        self.transport.unregisterProducer()
        self.transport.loseConnection()
        self.watch_the_end()

    def opening_expired(self) -> None:
        if self.session is not None:
            self.attempt(self.session.opening_too_late)


@implementer(IHalfCloseableProtocol)
class LineProtocol(LineReceiver):
    """Hands a session its opening, then its lines.

    In raw mode until the opening is complete. Cuts lines by itself: LineReceiver
    copies the rest of what it was given for every line, which is quadratic.
    """

    delimiter = b"\n"
    line_mode = 0
    connection: LineConnection

    def __init__(self, guard: Guard, door: LineDoor) -> None:
        self.MAX_LENGTH = door.line_bytes
        self._guard = guard
        self._door = door
        self._lines: deque[bytes] = deque()
        self._rest = b""

    def connectionMade(self) -> None:
        self.connection = LineConnection(self._guard, self._door, self.transport)
        self.connection.attempt(self.connection.begin, self._door)

    def dataReceived(self, data: bytes) -> None:
        if self.connection.why is None:
            self.connection.attempt(self._take, data)

    def readConnectionLost(self) -> None:
        session = self.connection.session
        if self.connection.why is None and session is not None:
            self.connection.attempt(session.ended, self._rest)

    def writeConnectionLost(self) -> None:
        """Nothing to do: only `close` ends the writing, and the reading with it."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.connection.lost()
        if self._rest and isinstance(reason.value, ConnectionDone):
            # TLS and the PROXY protocol have no half-closing: this is its end.
            self._lines.append(self._rest)
        self._finish()

    def _finish(self) -> None:
        """Hand on what was received before the connection was lost, and end."""
        if self.line_mode and self.connection.why is None:
            self.connection.attempt(self._hand_on_some)
            if self._lines and self.connection.why is None:
                self._guard.clock.callLater(0, self._finish)
                return
        # Let go of the session, which holds the connection: no cycle is left.
        session, self.connection.session = self.connection.session, None
        if session is not None:
            self.connection.attempt(session.closed)
        self._guard.release(self.connection)

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
            self._hand_on()

    def _hand_on(self) -> None:
        """Hand the session all lines, in as many turns as they need."""
        connection = self.connection
        self._hand_on_some()
        if connection.why is not None:
            return
        if self._lines:
            connection.give_way(self._hand_on)
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
