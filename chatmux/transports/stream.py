# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What lines and frames have in common: how a byte stream begins, waits and ends.

Must never know how messages are told from each other on it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from chatmux.interfaces import Connection, Framing, Session
from chatmux.model import NO_OPENING, TOO_SLOW, Close
from chatmux.transports.connection import SocketConnection
from chatmux.transports.guard import Guard


class StreamSession(Session, Protocol):
    """What line and framed sessions have in common; see `chatmux.interfaces`."""

    def opening_too_late(self) -> None: ...

    def ended(self, rest: bytes) -> None: ...


S = TypeVar("S", bound=StreamSession)
S_co = TypeVar("S_co", bound=StreamSession, covariant=True)


class StreamDoor(Protocol[S_co]):
    """What line and framed doors have in common; see `chatmux.door`."""

    @property
    def key(self) -> str: ...

    @property
    def new_session(self) -> Callable[[Connection], S_co]: ...


class StreamConnection(SocketConnection, Generic[S]):
    """The connection of a `StreamProtocol`, and its session."""

    __slots__ = ("protocol", "session")

    def __init__(
        self, guard: Guard, key: str, protocol: StreamProtocol[S], framing: Framing
    ) -> None:
        self.protocol = protocol
        self.session: S | None = None
        super().__init__(guard, key, protocol.transport, framing)

    @property
    def held(self) -> bool:
        """True while nothing is handed on, though it may be here."""
        return self.waiting_its_turn

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
        else:
            self.close(NO_OPENING)

    def yield_turn(self) -> None:
        """Read nothing more, and hand on what waits in the next turn.

        Which comes in any case: what was received before a loss is handed on after it.
        """
        super().give_way(self.protocol.go_on)

    def give_way(self, go_on: Callable[[], None]) -> None:
        def then() -> None:
            go_on()
            self.protocol.go_on()

        super().give_way(then)

    def read_on(self) -> None:
        if not self.protocol.at_end:
            super().read_on()


@implementer(IHalfCloseableProtocol, IHandshakeListener)
class StreamProtocol(TwistedProtocol, Generic[S]):
    """Hands a session what comes, in turns, and last of all the end.

    Attributes:
        at_end: Whether the peer has ended its sending.
    """

    transport: Any
    connection: StreamConnection[S]
    at_end = False

    def __init__(self, guard: Guard, door: StreamDoor[S]) -> None:
        self._guard = guard
        self._door = door

    def make_connection(self) -> StreamConnection[S]:
        """Make the connection, whose transport is there."""
        raise NotImplementedError

    def hand_on(self) -> None:
        """Hand the session what a turn has time for, and give way for the others."""
        raise NotImplementedError

    @property
    def rest(self) -> bytes:
        """What was received and is nothing complete."""
        raise NotImplementedError

    def connectionMade(self) -> None:
        self.connection = self.make_connection()
        # Over TLS nobody has come in before the certificates were looked at.
        if not isinstance(self.transport, TLSMemoryBIOProtocol):
            self.handshakeCompleted()

    def handshakeCompleted(self) -> None:
        self.connection.attempt(self._begin)

    def _begin(self) -> None:
        connection = self.connection
        connection.session = self._door.new_session(connection)

    def readConnectionLost(self) -> None:
        self.at_end = True
        self.go_on()

    def writeConnectionLost(self) -> None:
        """Nothing to do: only `close` ends the writing, and the reading with it."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.connection.lost()
        self.lost_orderly(isinstance(reason.value, ConnectionDone))
        self.go_on()

    def lost_orderly(self, orderly: bool) -> None:
        """Take note that nothing more comes; TLS and PROXY have no half-closing."""

    def go_on(self) -> None:
        """Hand on what was received, in as many turns as it needs, then the end."""
        connection, session = self.connection, self.connection.session
        if session is not None and connection.why is None and not connection.held:
            connection.attempt(self.hand_on)
        if connection.held:
            return
        if connection.is_lost:
            self.end()
        elif self.at_end and session is not None and connection.why is None:
            connection.attempt(session.ended, self.rest)

    def end(self) -> None:
        """Tell the session that the connection is gone, and let go of everything."""
        connection, session = self.connection, self.connection.session
        # Each holds another, which makes cycles that only the collector would free.
        connection.session = None
        del self.connection
        if session is not None:
            connection.attempt(session.closed)
        self._guard.release(connection)
