# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Listens on one address for the doors that are there."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import (
    TCP4ServerEndpoint,
    TCP6ServerEndpoint,
    serverFromString,
)
from twisted.internet.error import CannotListenError

from chatmux.address import behind_proxy, host_and_port
from chatmux.door import Door, FramedDoor, HTTPDoor, LineDoor, WebSocketDoor
from chatmux.errors import ConfigError, ListenError
from chatmux.settings import Limits
from chatmux.transports.decimal5 import frame
from chatmux.transports.framed import FramedFactory
from chatmux.transports.guard import Guard
from chatmux.transports.http import HTTPFactory
from chatmux.transports.http_answer import answer_bytes
from chatmux.transports.lines import LineFactory
from chatmux.transports.proxied import ProxiedFactory
from chatmux.transports.tls import TLSFactory, tls_context
from chatmux.transports.turnstile import Turnstile
from chatmux.transports.upgrade import refusal_bytes
from chatmux.transports.websocket_factory import WebSocketFactory

_BACKLOG = 1024
_KEEPALIVES = 3
_MOST_KERNEL_SECONDS = 32767
"""Linux takes no more between two keepalives."""
_FULL = 503, "there are as many connections as there may be"


class Listener:
    """One address, and the doors on it.

    Args:
        reactor: Of the node.
        guard: Watches over its connections.
        doors: All with the same address; several only if all are WebSocket doors.

    Raises:
        ConfigError: The address or the certificate is of no use.
    """

    def __init__(self, reactor: Any, guard: Guard, doors: Sequence[Door]) -> None:
        self.key = doors[0].key
        self.address = doors[0].address
        self._reactor = reactor
        self._guard = guard
        self._doors = doors
        self._factory = self._make_outermost_factory()
        self._endpoint = self._make_endpoint()
        self._port: Any = None
        self._held = False

    def listen(self) -> Deferred[None]:
        """Bind and listen; fires at once for all but exotic endpoints.

        Errbacks with `ListenError` where the address cannot be had.
        """
        return maybeDeferred(self._endpoint.listen, self._factory).addCallbacks(
            self._listening, self._not_listening
        )

    def hold(self) -> None:
        """Accept nobody until `go_on`: who comes waits in the system's queue."""
        if hasattr(self._port, "stopReading"):
            self._port.stopReading()
            self._held = True

    def go_on(self) -> None:
        """Accept who comes."""
        if self._held and self._port is not None:
            self._port.startReading()
        self._held = False

    def stop(self) -> Deferred[None]:
        """Accept no more; those who came in stay."""
        port, self._port = self._port, None
        return maybeDeferred(port.stopListening if port is not None else _nothing)

    @property
    def host_and_port(self) -> tuple[str, int] | None:
        """Where it listens in fact, which tells the port that was asked for as 0."""
        address = None if self._port is None else self._port.getHost()
        if isinstance(address, IPv4Address | IPv6Address):
            return address.host, address.port
        return None

    def __str__(self) -> str:
        where = self.host_and_port
        place = self.address if where is None else f"{where[0]}:{where[1]}"
        return f"{place} ({', '.join(door.key for door in self._doors)})"

    def _make_outermost_factory(self) -> Any:
        farewell = self._farewell if self._doors[0].tls is None else bytes
        factory: Any = Turnstile(self._guard, self._make_factory(), self.key, farewell)
        if behind_proxy(self.address) is None:
            return factory
        if not self._guard.proxies:
            raise ConfigError(
                self.key, "haproxy: needs trusted-proxies, or anybody could be anybody"
            )
        return ProxiedFactory(self._guard, factory, self.key)

    def _farewell(self) -> bytes:
        """Make what somebody is told who is one too many."""
        door = self._doors[0]
        if isinstance(door, LineDoor):
            return door.full
        if isinstance(door, FramedDoor):
            return frame(door.full)
        if isinstance(door, HTTPDoor):
            return answer_bytes(door.refuse(*_FULL), head=False, last=True)
        return refusal_bytes(door, True, *_FULL)

    def _make_factory(self) -> Any:
        door = self._doors[0]
        factory: Any
        if isinstance(door, LineDoor):
            factory = LineFactory(self._guard, door)
        elif isinstance(door, FramedDoor):
            factory = FramedFactory(self._guard, door)
        elif isinstance(door, HTTPDoor):
            factory = HTTPFactory(self._guard, door)
        else:
            doors = [one for one in self._doors if isinstance(one, WebSocketDoor)]
            factory = WebSocketFactory(self._guard, doors)
        if door.tls is None:
            return factory
        context: Any = tls_context(
            door.tls,
            door.tls_key,
            negotiates=not isinstance(door, LineDoor | FramedDoor),
        )
        return TLSFactory(context, False, factory, self._reactor)

    def _make_endpoint(self) -> Any:
        address = behind_proxy(self.address) or self.address
        split = host_and_port(address)
        if split is not None:
            host, port = split
            kind = TCP6ServerEndpoint if ":" in host else TCP4ServerEndpoint
            return kind(self._reactor, port, _BACKLOG, host)
        try:
            return serverFromString(  # type: ignore[no-untyped-call]
                self._reactor, address
            )
        except Exception as error:
            # Whatever the endpoint's plugin raises for a description of no use.
            raise ConfigError(
                self.key, f"{self.address!r} is no address: {error}"
            ) from None

    def _listening(self, port: Any) -> None:
        self._port = port
        handle = getattr(port, "socket", None)
        if handle is not None and handle.family in (socket.AF_INET, socket.AF_INET6):
            _set_options(handle, self._guard.limits)

    def _not_listening(self, failure: Any) -> None:
        error = failure.value
        if isinstance(error, CannotListenError):
            reason = getattr(error.socketError, "strerror", None) or error.socketError
            raise ListenError(self.key, f"cannot listen on {self.address}: {reason}")
        raise ListenError(self.key, f"cannot listen on {self.address}: {error}")


def _set_options(handle: socket.socket, limits: Limits) -> None:
    """Set what accepted sockets inherit, once for all of them.

    No delay, or Nagle and delayed acknowledgements cost 40 ms; and a peer that has
    vanished without a word is noticed by the kernel in the time of a WebSocket's.
    """
    idle = min(round(limits.ping_seconds) or 25, _MOST_KERNEL_SECONDS)
    more = min(round(limits.pong_seconds) or 15, _MOST_KERNEL_SECONDS)
    handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    handle.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", idle),
        ("TCP_KEEPINTVL", max(1, more // _KEEPALIVES)),
        ("TCP_KEEPCNT", _KEEPALIVES),
        ("TCP_USER_TIMEOUT", 1000 * (idle + more)),
    ):
        if hasattr(socket, option):
            handle.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def _nothing() -> None:
    return None
