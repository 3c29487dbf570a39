# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Peers of a framed door, for the tests of `chatmux.transports.framed`."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatmux.settings import Limits
from chatmux.transports.decimal5 import frame
from chatmux.transports.framed import FramedFactory, FramedProtocol
from chatmux.transports.guard import Guard
from tests.transport_doubles import (
    MemorySession,
    Sessions,
    Transport,
    Wire,
    framed_door,
)


def framed(*bodies: bytes) -> bytes:
    """Frame some bodies, one behind the other."""
    return b"".join(map(frame, bodies))


def error(words: str) -> bytes:
    """Return the frame in which `MemorySession` tells of an error."""
    return framed(f"error: {words}\n".encode())


class Answering(MemorySession):
    """Answers each frame, in upper case and at a length that can be set."""

    length = 0

    def received(self, message: bytes, binary: bool) -> None:
        super().received(message, binary)
        self.connection.send(self.answer(message))

    def answer(self, message: bytes) -> bytes:
        return message.upper().ljust(self.length, b".")


class WritesTransport(Transport):
    """Notes each write on its own."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.writes.append(data)
        super().write(data)


class FramedTestCase(SynchronousTestCase):
    """Has a factory for one door, whose peers are known from the beginning or not."""

    limits = Limits(opening_seconds=10, stall_seconds=8, frame_seconds=5)

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.guard = Guard(self.reactor, self.limits)
        self.sessions = Sessions()
        self.factory = FramedFactory(self.guard, framed_door(self.sessions))

    def answering(self, length: int = 0) -> None:
        """Give the peers sessions that answer."""

        def make(connection: Any) -> Answering:
            session = Answering(connection, self.sessions.steps)
            session.length = length
            self.sessions.append(session)
            connection.opened()
            return session

        door = framed_door(self.sessions, new_session=make)
        self.factory = FramedFactory(self.guard, door)

    def connect(self) -> tuple[Wire, MemorySession]:
        """Connect over a socket pair."""
        wire = Wire(self.factory.buildProtocol(None), self.reactor)
        self.addCleanup(wire.close)
        return wire, self.sessions[-1]

    def opened(self) -> tuple[Wire, MemorySession]:
        wire, session = self.connect()
        session.connection.opened()
        return wire, session

    def bare(self) -> tuple[FramedProtocol, WritesTransport, MemorySession]:
        """Connect in memory."""
        protocol = self.factory.buildProtocol(None)
        transport = WritesTransport()
        protocol.makeConnection(transport)
        return protocol, transport, self.sessions[-1]

    def lose(self, protocol: FramedProtocol, reason: Exception | None = None) -> None:
        """Let the connection be lost, as Twisted does it."""
        producer = protocol.transport.producer
        protocol.transport.producer = None
        if producer is not None:
            producer.stopProducing()
        protocol.connectionLost(Failure(reason or ConnectionDone()))

    def bodies(self, session: MemorySession) -> list[bytes]:
        """Return what a session was handed."""
        for _, binary in session.messages:
            self.assertTrue(binary)
        return [message for message, _ in session.messages]

    def turn(self) -> None:
        """Do what is due now, and not yet what becomes due by that."""
        for call in self.due():
            self.reactor.calls.remove(call)
            call.called = 1
            call.func(*call.args, **call.kw)

    def due(self) -> list[Any]:
        """Return the delayed calls of which it is time."""
        calls: list[Any] = list(self.reactor.getDelayedCalls())
        return [call for call in calls if call.getTime() <= self.reactor.seconds()]

    def all_turns(self) -> None:
        self.reactor.advance(0)
