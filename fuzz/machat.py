# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""MaChat's hello and lines: however they are cut, they come to the same, and what goes
out is lines, each with its sender's name."""

from __future__ import annotations

from collections.abc import Iterable

from twisted.internet.testing import MemoryReactorClock

from chatmux.broker.local import LocalBroker
from chatmux.door import LineDoor
from chatmux.protocols.machat import Section, doors
from chatmux.transports.guard import Guard
from chatmux.transports.lines import LineFactory
from fuzz.pieces import cut, nothing_logged, streams
from tests.corpus.make_machat import outcome
from tests.doubles import services
from tests.transport_doubles import Transport

_clock = MemoryReactorClock()
_guard, _broker = Guard(_clock), LocalBroker(_clock)
(_door,) = doors(Section(ws=None), services(_broker, _clock))
assert isinstance(_door, LineDoor)
_factory = LineFactory(_guard, _door)


def seeds() -> Iterable[bytes]:
    return streams("machat")


def once(data: bytes) -> None:
    stream, pieces = cut(data)
    with nothing_logged():
        heard, in_pieces = _said([stream]), _said(pieces)
    if in_pieces != heard:
        raise AssertionError(f"in pieces {in_pieces!r}, whole {heard!r}")
    *lines, rest = heard.split(b"\n")
    if rest or any(line.count(b":") == 0 for line in lines):
        raise AssertionError(f"no lines: {heard!r}")
    names = {line.partition(b":")[0] for line in lines if line[:7] != b"error: "}
    if len(names) > 1 or heard.decode().count("\n") != len(heard.decode().splitlines()):
        raise AssertionError(f"lines of others: {heard!r}")
    due = outcome(stream)
    if len(lines) != len(due["carried"]) + due["error"]:
        raise AssertionError(f"{heard!r} and not {due}")


def _said(pieces: list[bytes]) -> bytes:
    """Return what a member hears who says something."""
    protocol = _factory.buildProtocol(None)
    transport = Transport()
    protocol.makeConnection(transport)
    for piece in pieces:
        protocol.dataReceived(piece)
        while protocol.connection.waiting_its_turn:
            _clock.advance(0)
    protocol.readConnectionLost()
    _clock.advance(0)
    written = transport.take()
    protocol.connectionLost()
    if _guard.connections or _broker.members("machat/"):
        raise AssertionError("somebody is left")
    return written
