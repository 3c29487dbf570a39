# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Listens on one address for the doors that are there."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from OpenSSL import SSL, crypto
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import (
    TCP4ServerEndpoint,
    TCP6ServerEndpoint,
    serverFromString,
)
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import ServerFactory
from twisted.internet.ssl import CertificateOptions, TLSVersion
from twisted.protocols.tls import TLSMemoryBIOFactory

from chatmux.address import host_and_port
from chatmux.door import Door, LineDoor, WebSocketDoor
from chatmux.errors import ListenError
from chatmux.settings import TLSFiles
from chatmux.transports.guard import Guard
from chatmux.transports.lines import LineFactory
from chatmux.transports.websocket import WebSocketFactory

_BACKLOG = 1024
_KEEPALIVE_IDLE, _KEEPALIVE_INTERVAL, _KEEPALIVE_COUNT = 25, 5, 3
_UNACKNOWLEDGED_MILLISECONDS = 40_000


class Listener:
    """One address, and the doors on it.

    Args:
        reactor: Of the node.
        guard: Watches over its connections.
        doors: All with the same address; several only if all are WebSocket doors.
    """

    def __init__(self, reactor: Any, guard: Guard, doors: Sequence[Door]) -> None:
        self.key = doors[0].key
        self.address = doors[0].address
        self._reactor = reactor
        self._guard = guard
        self._doors = doors
        self._port: Any = None

    def listen(self) -> Deferred[None]:
        """Bind and listen; fires at once for all but exotic endpoints.

        Errbacks with `ListenError` where the address, the certificate or the endpoint
        description is of no use, or the port is busy.
        """
        return maybeDeferred(self._listen).addCallbacks(
            self._listening, self._not_listening
        )

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

    def _listen(self) -> Deferred[IListeningPort]:
        factory: Any = self._factory()
        tls = self._doors[0].tls
        if tls is not None:
            context: Any = tls_context(tls, self.key.rpartition(".")[0])
            factory = TLSMemoryBIOFactory(context, False, factory)
        split = host_and_port(self.address)
        endpoint: Any
        if split is None:
            endpoint = serverFromString(  # type: ignore[no-untyped-call]
                self._reactor, self.address
            )
        else:
            host, port = split
            kind = TCP6ServerEndpoint if ":" in host else TCP4ServerEndpoint
            endpoint = kind(self._reactor, port, _BACKLOG, host)
        listening: Deferred[IListeningPort] = endpoint.listen(factory)
        return listening

    def _factory(self) -> ServerFactory:
        door = self._doors[0]
        if isinstance(door, LineDoor):
            return LineFactory(self._guard, door)
        doors = [door for door in self._doors if isinstance(door, WebSocketDoor)]
        return WebSocketFactory(self._guard, doors)

    def _listening(self, port: Any) -> None:
        self._port = port
        handle = getattr(port, "socket", None)
        if handle is not None and handle.family in (socket.AF_INET, socket.AF_INET6):
            _set_options(handle)

    def _not_listening(self, failure: Any) -> None:
        error = failure.value
        if isinstance(error, ListenError):
            raise error
        if isinstance(error, CannotListenError):
            reason = getattr(error.socketError, "strerror", None) or error.socketError
            raise ListenError(self.key, f"cannot listen on {self.address}: {reason}")
        raise ListenError(self.key, f"cannot listen on {self.address!r}: {error}")


def tls_context(files: TLSFiles, path: str) -> CertificateOptions:
    """Make a server's TLS context: TLS 1.2 or later, the chain of the file sent.

    Args:
        files: Key and certificate.
        path: Of their section, for errors.

    Raises:
        ListenError: One cannot be read, or they do not belong together.
    """
    key = _pem(files.keyfile, f"{path}.keyfile")
    chain = _pem(files.certfile, f"{path}.certfile")
    try:
        private = crypto.load_privatekey(crypto.FILETYPE_PEM, key)
    except (crypto.Error, ValueError):
        raise ListenError(f"{path}.keyfile", f"{files.keyfile} has no key") from None
    marker = b"-----BEGIN CERTIFICATE-----"
    try:
        certificates = [
            crypto.load_certificate(crypto.FILETYPE_PEM, marker + part)
            for part in chain.split(marker)[1:]
        ]
        options = CertificateOptions(
            privateKey=private,
            certificate=certificates[0],
            extraCertChain=certificates[1:],
            raiseMinimumTo=TLSVersion.TLSv1_2,
        )
        options.getContext().check_privatekey()
    except (crypto.Error, SSL.Error, ValueError, IndexError):
        raise ListenError(
            f"{path}.certfile", f"{files.certfile} has no certificate for the key"
        ) from None
    return options


def _pem(file: str, path: str) -> bytes:
    try:
        with open(file, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise ListenError(path, f"{file}: {error.strerror}") from None


def _set_options(handle: socket.socket) -> None:
    """Set what accepted sockets inherit, once for all of them.

    No delay, or Nagle and delayed acknowledgements cost 40 ms; and a peer that has
    vanished without a word is noticed by the kernel within 40 s.
    """
    handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    handle.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", _KEEPALIVE_IDLE),
        ("TCP_KEEPINTVL", _KEEPALIVE_INTERVAL),
        ("TCP_KEEPCNT", _KEEPALIVE_COUNT),
        ("TCP_USER_TIMEOUT", _UNACKNOWLEDGED_MILLISECONDS),
    ):
        if hasattr(socket, option):
            handle.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def _nothing() -> None:
    return None
