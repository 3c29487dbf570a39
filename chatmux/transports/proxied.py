# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Doors behind a proxy that says by a PROXY header for whom it speaks."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure

from chatmux.proxies import UNIX
from chatmux.transports.deadlines import Deadlines
from chatmux.transports.guard import Guard
from chatmux.transports.proxy_header import (
    ProxyHeader,
    ProxyHeaderError,
    read_proxy_header,
)


class ProxiedFactory(WrappingFactory):
    """Has another factory make a protocol once it is known who is there.

    Args:
        guard: Knows which proxies are believed, and for how long a header may take.
        factory: The door's.
        key: The door's, for the log.
    """

    noisy = False

    def __init__(self, guard: Guard, factory: Any, key: str) -> None:
        super().__init__(factory)  # type: ignore[no-untyped-call]
        self.guard = guard
        self.key = key
        self.waiting: Deadlines[ProxiedProtocol] = Deadlines(
            guard.clock, guard.limits.opening_seconds, ProxiedProtocol.too_late
        )
        guard.watches.append(self.waiting)
        self._unknown: set[ProxiedProtocol] = set()

    def buildProtocol(self, addr: IAddress | None) -> Any:
        host = getattr(addr, "host", UNIX)
        if not self.guard.proxies.trust(host):
            self.guard.turned_away(self.key, host, "it is no trusted proxy")
            return _Stranger()
        if self.guard.why_not(host) is not None:
            # Counted and told by the next factory, if its client is known.
            self.guard.turned_away(self.key, host, "there is no room")
            return _Stranger()
        return ProxiedProtocol(self)

    def stopFactory(self) -> None:
        super().stopFactory()  # type: ignore[no-untyped-call]
        for one in tuple(self._unknown):
            one.transport.abortConnection()

    def came(self, one: ProxiedProtocol) -> None:
        """Take note of somebody of whom it is not known yet who it is."""
        self._unknown.add(one)
        self.guard.unknown += 1
        self.waiting.add(one)

    def known(self, one: ProxiedProtocol) -> None:
        """Take note that this is known now, or will never be."""
        self.waiting.discard(one)
        if one in self._unknown:
            self._unknown.discard(one)
            self.guard.unknown -= 1


class _Stranger(Protocol):
    transport: Any

    def connectionMade(self) -> None:
        self.transport.abortConnection()


class ProxiedProtocol(Protocol):
    """Reads the header, and leaves the rest of the stream to the door's protocol."""

    transport: Any

    def __init__(self, factory: ProxiedFactory) -> None:
        self._factory = factory
        self._data = b""

    def connectionMade(self) -> None:
        self._factory.came(self)

    def dataReceived(self, data: bytes) -> None:
        self._data += data
        try:
            header = read_proxy_header(self._data)
        except ProxyHeaderError as error:
            self._refuse(str(error))
            return
        if header is not None:
            self._go_on(header)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._factory.known(self)

    def too_late(self) -> None:
        """End: there was no header in time."""
        self._refuse("no PROXY header in time")

    def _refuse(self, why: str) -> None:
        self._factory.waiting.discard(self)
        peer = getattr(self.transport.getPeer(), "host", UNIX)
        self._factory.guard.turned_away(self._factory.key, peer, why)
        self.transport.abortConnection()

    def _go_on(self, header: ProxyHeader) -> None:
        self._factory.known(self)
        transport, address = self.transport, self.transport.getPeer()
        if header.host is not None:
            kind = IPv6Address if ":" in header.host else IPv4Address
            address = kind("TCP", header.host, header.port)
            # On the transport itself: whatever stands before the door asks there, and
            # what is written still goes to it without a detour.
            transport.getPeer = lambda: address
        protocol = self._factory.wrappedFactory.buildProtocol(address)
        if isinstance(transport, ProtocolWrapper):
            transport.wrappedProtocol = protocol
        else:
            transport.protocol = protocol
        protocol.makeConnection(transport)
        rest = self._data[header.length :]
        if rest:
            protocol.dataReceived(rest)
