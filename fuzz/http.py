# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""HTTP: however requests are cut, the same ones are found in a stream, and answered."""

from __future__ import annotations

import re
from collections.abc import Iterable

from twisted.internet.error import ConnectionDone
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from chatmux.door import Request
from chatmux.transports.guard import Guard
from chatmux.transports.http import HTTPFactory, HTTPProtocol
from fuzz.pieces import cut, nothing_logged, streams
from tests.http_doubles import Server
from tests.transport_doubles import Transport

_STATUS = re.compile(rb"^HTTP/1\.1 ([0-9]{3}) ", re.MULTILINE)
_clock, _server = MemoryReactorClock(), Server()
_guard = Guard(_clock)
_factory = HTTPFactory(_guard, _server.door())


def seeds() -> Iterable[bytes]:
    yield from streams("http")
    for number, stream in enumerate(streams("websocket")):
        yield bytes((number % 256,)) + stream[1:]


def once(data: bytes) -> None:
    stream, pieces = cut(data)
    with nothing_logged():
        whole, in_pieces = _served([stream]), _served(pieces)
    if whole != in_pieces:
        raise AssertionError(f"in pieces {in_pieces!r}, whole {whole!r}")


def _served(pieces: list[bytes]) -> tuple[list[Request], list[Request], list[bytes]]:
    """Return requests, handshakes and the statuses of the answers."""
    transport = Transport()
    _server.requests, _server.handshakes = [], []
    protocol = _factory.buildProtocol(None)
    transport.protocol = protocol  # type: ignore[attr-defined]
    protocol.makeConnection(transport)
    for piece in pieces:
        # That of a WebSocket after a handshake.
        transport.protocol.dataReceived(piece)  # type: ignore[attr-defined]
        _take_turns()
    last = transport.protocol  # type: ignore[attr-defined]
    if isinstance(last, HTTPProtocol):
        last.readConnectionLost()
        _take_turns()
    last.connectionLost(Failure(ConnectionDone()))
    _clock.advance(0)
    if _guard.connections:
        raise AssertionError("a connection is left")
    statuses = [] if _server.handshakes else _STATUS.findall(transport.take())
    return _server.requests, _server.handshakes, statuses


def _take_turns() -> None:
    """Let everybody have as many turns as are due now."""
    while any(call.getTime() <= _clock.seconds() for call in _clock.calls):
        _clock.advance(0)
