# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Before every door: who is one too many is told so, and let go.

Nobody is left waiting in the system's queue, and the last descriptors are not used up,
which would have the reactor turn in circles.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableProtocol,
    IProtocolNegotiationFactory,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import WrappingFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from chatmux.proxies import UNIX
from chatmux.transports.connection import PLAIN
from chatmux.transports.deadlines import Deadlines
from chatmux.transports.guard import Guard

MOST_LINGERING = 32
"""How many may take their time to read why, at all doors together; more are cut off
behind it."""


_MOST_UNREAD = 64 * 1024


@implementer(IProtocolNegotiationFactory)
class Turnstile(WrappingFactory):
    """Lets another factory make a protocol for everybody whom the guard has room for.

    Args:
        guard: Counts.
        factory: The door's, TLS included.
        key: The door's, for the log.
        farewell: Makes what the others are told; empty for nothing, as over TLS, whose
            handshake they do not get.
    """

    noisy = False

    def __init__(
        self, guard: Guard, factory: Any, key: str, farewell: Callable[[], bytes]
    ) -> None:
        super().__init__(factory)  # type: ignore[no-untyped-call]
        self._guard = guard
        self._key = key
        self._farewell = farewell
        self._lingering: set[TurnedAway] = set()
        self._patience: Deadlines[TurnedAway] = Deadlines(
            guard.clock, guard.limits.closing_seconds or 1, TurnedAway.cut
        )
        guard.watches.append(self._patience)

    def buildProtocol(self, addr: IAddress | None) -> Any:
        host = getattr(addr, "host", UNIX)
        why = self._guard.why_not(host, self._key)
        if why is None:
            return self.wrappedFactory.buildProtocol(addr)
        port = getattr(addr, "port", None)
        self._guard.turned_away(
            self._key, host if port is None else f"{host}:{port}", why
        )
        return TurnedAway(self._farewell(), self)

    def acceptableProtocols(self) -> list[bytes]:
        # Asked where TLS stands before this factory, as by an ``ssl:`` endpoint.
        asked = getattr(self.wrappedFactory, "acceptableProtocols", list)
        protocols: list[bytes] = asked()
        return protocols

    def linger(self, one: TurnedAway) -> bool:
        """Give somebody the time to read, if there are not too many who take it."""
        if self._guard.lingering >= MOST_LINGERING:
            return False
        self._guard.lingering += 1
        self._lingering.add(one)
        self._patience.add(one)
        return True

    def gone(self, one: TurnedAway) -> None:
        """Take note that somebody who was given time is gone."""
        self._patience.discard(one)
        self._lingering.discard(one)
        self._guard.lingering -= 1

    def stopFactory(self) -> None:
        super().stopFactory()  # type: ignore[no-untyped-call]
        for one in tuple(self._lingering):
            one.cut()


@implementer(IHalfCloseableProtocol)
class TurnedAway(Protocol):
    """Says why, and drops what comes until the peer goes."""

    transport: Any

    def __init__(self, farewell: bytes, turnstile: Turnstile) -> None:
        self._farewell = farewell
        self._turnstile = turnstile
        self._lingers = False

    def connectionMade(self) -> None:
        transport: Any = self.transport
        if type(transport) not in PLAIN:
            # Of TLS that begins before the door: the handshake is not waited for.
            transport.abortConnection()
            return
        self._lingers = bool(self._farewell) and self._turnstile.linger(self)
        if self._lingers:
            transport.write(self._farewell)
            # Closed with something unread, the peer would lose what it is told.
            transport.loseWriteConnection()
            return
        with suppress(OSError):
            transport.socket.send(self._farewell)
            transport.socket.recv(_MOST_UNREAD)
        # Now, and not in the next turn, until which others would come in vain: there
        # are descriptors for few more.
        done = Failure(ConnectionDone())  # type: ignore[no-untyped-call]
        transport.connectionLost(done)

    def dataReceived(self, data: bytes) -> None:
        """Nothing is heard any more."""

    def readConnectionLost(self) -> None:
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Nothing to do: the peer goes, or is cut."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._lingers:
            self._turnstile.gone(self)

    def cut(self) -> None:
        """End: there was time enough."""
        self.transport.abortConnection()
