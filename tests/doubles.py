# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""A connection in memory, as the broker and the sessions see one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from itertools import count
from typing import cast

from twisted.internet.defer import DeferredLock
from twisted.internet.task import Clock

from chatmux.broker.local import LocalBroker
from chatmux.interfaces import Broker, Framing, Services, Subscription
from chatmux.model import Close

_numbers = count(1)


class NoPasswords:
    """For protocols that have none."""

    async def hash(self, password: str) -> str:
        raise NotImplementedError

    async def verify(self, hash: str | None, password: str) -> bool:
        raise NotImplementedError


def services(broker: Broker | None = None, clock: Clock | None = None) -> Services:
    """Return what a node has for protocols that keep nothing and have no passwords."""
    clock = clock or Clock()
    return Services(
        LocalBroker(clock) if broker is None else broker,
        clock,
        clock.seconds,
        None,
        NoPasswords(),
        cast("Callable[[], AbstractAsyncContextManager[object]]", DeferredLock),
    )


def bare(message: bytes) -> bytes:
    """Frame nothing."""
    return message


def bracketed(message: bytes) -> bytes:
    """Frame in a way that shows where a message begins and ends."""
    return b"<" + message + b">"


class TurnClock(Clock):
    """A clock that can run a single turn of a reactor: what was due when it began."""

    def turn(self) -> None:
        now = self.seconds()
        for call in [call for call in self.calls if call.getTime() <= now]:
            if call.active():
                self.calls.remove(call)
                call.called = True
                call.func(*call.args, **call.kw)


class MemoryConnection:
    """Keeps what is written, and pauses when more than `room` bytes were not read.

    As Twisted's transports do it: the write that exceeds the room is taken whole, and
    the pause happens inside of it.
    """

    keeps_order = False

    def __init__(self, framing: Framing = bare, room: int = 1 << 30) -> None:
        self.number = next(_numbers)
        self.framing = framing
        self.room = room
        self.paused = False
        self.subscriptions: set[Subscription] = set()
        self.chunks: list[bytes] = []
        self.unread = 0
        self.written_while_paused = 0
        self.closed_for: Close | None = None
        self.is_opened = False
        self.binary: bool | None = None
        self.ignored_for: list[str] = []
        self.missed_count = 0
        self.deliveries = 0
        self.most_deliveries = 1 << 60
        self.turns: list[Callable[[], None]] = []

    @property
    def written(self) -> bytes:
        return b"".join(self.chunks)

    def take(self) -> bytes:
        """Return what was written since the last call."""
        written = self.written
        self.chunks.clear()
        return written

    def read(self) -> None:
        """Read all, as the peer; resumes the writing."""
        while self.unread:
            self.unread = 0
            if self.paused:
                self.paused = False
                for subscription in tuple(self.subscriptions):
                    subscription.resume()

    def fill(self) -> None:
        """Pause, as if something else had been written."""
        self.unread += 1
        if not self.paused:
            self.paused = True
            for subscription in tuple(self.subscriptions):
                subscription.pause()

    def write(self, chunk: bytes) -> None:
        if self.closed_for is not None:
            return
        self.chunks.append(chunk)
        self.written_while_paused += self.paused
        self.unread += len(chunk)
        if self.unread > self.room:
            self.fill()

    def send(self, message: bytes) -> None:
        self.write(self.framing(message))

    def close(self, why: Close) -> None:
        if self.closed_for is None:
            self.closed_for = why

    def opened(self) -> None:
        self.is_opened = True

    def answer_in(self, binary: bool) -> None:
        self.binary = binary

    def give_way(self, go_on: Callable[[], None]) -> None:
        self.turns.append(go_on)

    def take_turns(self) -> None:
        """Let a session that gave way go on until it has done all."""
        while self.turns:
            self.turns.pop(0)()

    def ignored(self, why: str) -> None:
        self.ignored_for.append(why)

    def charge(self, deliveries: int) -> bool:
        self.deliveries += deliveries
        return self.deliveries <= self.most_deliveries

    def missed(self, count: int) -> None:
        self.missed_count += count
