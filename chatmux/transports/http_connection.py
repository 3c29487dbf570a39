# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""An HTTP connection as the guard knows it, and the ways it ends."""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from chatmux.model import INTERNAL_ERROR, NORMAL, TOO_SLOW, Close
from chatmux.transports.connection import SocketConnection
from chatmux.transports.deadlines import Deadlines
from chatmux.transports.guard import Guard, Guarded

SMALL_BYTES = 64 * 1024
MOST_UNREAD_BYTES = 128 * 1024 * 1024
"""What may wait for those who ask and do not read, all together, and an eighth of it
for one address; with more, none is given an answer that is not small."""


class Served(Protocol):
    """What a connection tells the protocol that reads its requests."""

    transport: object

    @property
    def answering(self) -> bool:
        """True from the end of a request until its answer is written."""

    def go_on(self) -> None:
        """Take the next request, if it is here and may be taken."""

    def too_late(self) -> None:
        """End: a request was not complete in time."""


class Patience:
    """How long HTTP connections are kept without a request.

    For all connections of a listener: a few timers, whatever their number.

    Args:
        guard: Watches over them.
        request_seconds: For a whole request; None for what the guard gives an opening.
    """

    def __init__(self, guard: Guard, request_seconds: float | None) -> None:
        clock, limits = guard.clock, guard.limits
        self.requests: Deadlines[Guarded] = guard.openings
        """Those that are sending a request, or are to send their first."""
        if request_seconds is not None:
            self.requests = Deadlines(clock, request_seconds, _too_late)
            guard.watches.append(self.requests)
        self.idle: Deadlines[HTTPConnection] = Deadlines(
            clock, limits.idle_seconds, _close_idle
        )
        """Those that have had their answers and may ask again."""
        self.lingering: Deadlines[HTTPConnection] = Deadlines(
            clock, limits.closing_seconds, _cut
        )
        """Those that were told that this was all, and still may send."""
        self._unread: dict[HTTPConnection, tuple[str | None, int]] = {}
        """What was answered to those who have not taken all of it, in bytes, and as
        what the guard counts them."""
        self._unread_by: Counter[str] = Counter()
        self._unread_bytes = 0
        guard.watches += [self.idle, self.lingering]

    def has_room(self, connection: HTTPConnection, size: int) -> bool:
        """Say whether an answer may be made, in view of all that is not read."""
        if size <= SMALL_BYTES:
            return True
        one = connection.counted
        if one is not None and self._unread_by[one] + size > MOST_UNREAD_BYTES // 8:
            return False
        return self._unread_bytes + size <= MOST_UNREAD_BYTES

    def wrote(self, connection: HTTPConnection, size: int) -> None:
        """Take note of an answer of which not all was taken at once."""
        one, before = self._unread.get(connection, (connection.counted, 0))
        self._unread[connection] = one, before + size
        self._unread_bytes += size
        if one is not None:
            self._unread_by[one] += size

    def read(self, connection: HTTPConnection) -> None:
        """Take note that a connection has taken all."""
        one, size = self._unread.pop(connection, (None, 0))
        self._unread_bytes -= size
        if one is not None:
            self._unread_by[one] -= size
            if not self._unread_by[one]:
                del self._unread_by[one]

    def forget(self, connection: HTTPConnection) -> None:
        """Take note that the connection is lost, or no longer one of HTTP."""
        self.read(connection)
        self.requests.discard(connection)
        self.idle.discard(connection)
        self.lingering.discard(connection)


class HTTPConnection(SocketConnection):
    """The connection of an `HTTPProtocol`. What is written to it is no message."""

    __slots__ = ("_patience", "_protocol")

    def __init__(
        self, guard: Guard, key: str, protocol: Served, patience: Patience
    ) -> None:
        self._protocol = protocol
        self._patience = patience
        super().__init__(guard, key, protocol.transport, bytes)
        if patience.requests is not guard.openings:
            guard.openings.discard(self)
            patience.requests.add(self)

    def opened(self) -> None:
        super().opened()
        self._patience.requests.discard(self)

    def close(self, why: Close) -> None:
        """Finish the answer that is being made, then close; without one, at once."""
        if self.why is not None:
            return
        self.why = why
        if why is TOO_SLOW or why is INTERNAL_ERROR:
            self.abort()
        elif not self._protocol.answering:
            self.end()
            if self._direct is None:
                # Nothing is owed to anybody: not waited for the peer's part in the end
                # of TLS, which one that keeps the connection for later does not read.
                self._raw().loseConnection()

    def end(self) -> None:
        """Close when all is written. What still comes is for nobody."""
        if self.why is None:
            self.why = NORMAL
        self.shut()
        # Unregistered first, or Twisted would wait for the producer before it closes.
        self.transport.unregisterProducer()
        self.transport.loseConnection()
        self.watch_the_end()

    def linger(self) -> None:
        """Write no more, but read, and drop, until the peer has closed.

        For a peer that is in the middle of sending: a socket that is closed with
        bytes unread resets the connection, and the peer loses the answer. Over TLS,
        Twisted waits for the peer by itself.
        """
        if self._direct is None:
            self.end()
            return
        self.shut()
        self.transport.unregisterProducer()
        self.transport.loseWriteConnection()
        self._patience.lingering.add(self)

    def opening_expired(self) -> None:
        self._protocol.too_late()

    def resumeProducing(self) -> None:
        super().resumeProducing()
        self._patience.read(self)
        self._protocol.go_on()


def _too_late(connection: Guarded) -> None:
    connection.opening_expired()


def _close_idle(connection: HTTPConnection) -> None:
    connection.close(NORMAL)


def _cut(connection: HTTPConnection) -> None:
    connection.abort()
