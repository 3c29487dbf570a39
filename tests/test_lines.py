# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Lines over a byte stream: the opening, the cutting, the limits, the end."""

from __future__ import annotations

import gc
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from chatmux.errors import PeerError
from chatmux.interfaces import Connection
from chatmux.model import GOING_AWAY, TOO_SLOW, Close
from chatmux.settings import Limits
from chatmux.transports.guard import Guard
from chatmux.transports.lines import LineFactory
from tests.transport_doubles import (
    MemorySession,
    Sessions,
    Wire,
    goes_with,
    line_door,
)

LINE_BYTES = 64


class CountedBytes(bytes):
    """Counts the bytes that are copied of what came in."""

    copied = 0

    def _count(self, copy: bytes) -> CountedBytes:
        CountedBytes.copied += len(copy)
        return CountedBytes(copy)

    def __add__(self, other: Any) -> CountedBytes:
        return self._count(bytes(self) + other)

    def __radd__(self, other: bytes) -> CountedBytes:
        return self._count(other + bytes(self))

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return self._count(found) if isinstance(found, bytes) else found

    def split(self, *arguments: Any, **options: Any) -> Any:
        return [self._count(part) for part in super().split(*arguments, **options)]

    def partition(self, mark: Any) -> Any:
        return tuple(self._count(part) for part in super().partition(mark))


class LineTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.guard = Guard(self.reactor, Limits(opening_seconds=10, stall_seconds=8))
        self.sessions = Sessions()
        self.factory = LineFactory(self.guard, line_door(self.sessions, LINE_BYTES))

    def connect(self) -> tuple[Wire, MemorySession]:
        wire = Wire(self.factory.buildProtocol(None), self.reactor)
        self.addCleanup(wire.close)
        return wire, self.sessions[-1]

    def opened(self) -> tuple[Wire, MemorySession]:
        wire, session = self.connect()
        wire.say(b"ann!")
        return wire, session


class OpeningTests(LineTestCase):
    def test_in_one_piece(self) -> None:
        wire, session = self.connect()
        wire.say(b"ann!")
        self.assertEqual(session.opening_bytes, b"ann")
        self.assertEqual(session.lines, [])

    def test_byte_by_byte(self) -> None:
        wire, session = self.connect()
        for byte in b"a\nn!one\n":
            wire.say(bytes((byte,)))
        self.assertEqual(session.opening_bytes, b"a\nn")
        self.assertEqual(session.lines, [b"one"])

    def test_with_lines_behind_it_in_the_same_segment(self) -> None:
        wire, session = self.connect()
        wire.say(b"ann!one\ntwo\nthr")
        self.assertEqual(session.lines, [b"one", b"two"])
        wire.say(b"ee\n")
        self.assertEqual(session.lines, [b"one", b"two", b"three"])

    def test_an_opening_may_be_longer_than_a_line(self) -> None:
        wire, session = self.connect()
        wire.say(b"x" * 1000 + b"!one\n")
        self.assertEqual(session.lines, [b"one"])

    def test_too_late_is_told_and_then_closed(self) -> None:
        wire, session = self.connect()
        for _ in range(9):
            self.reactor.advance(1)
            wire.say(b"x")
        self.assertTrue(wire.transport.connected)
        self.reactor.advance(1)
        self.assertEqual(wire.hear_all(), b"error: too late\n")
        self.assertFalse(wire.transport.connected)
        self.assertEqual(session.ends, 1)

    def test_in_time_is_for_ever(self) -> None:
        wire, _ = self.opened()
        self.reactor.advance(1000)
        self.assertTrue(wire.transport.connected)

    def test_a_session_that_cannot_be_made_closes_only_its_connection(self) -> None:
        other, session = self.opened()

        def fail(connection: Connection) -> MemorySession:
            raise ZeroDivisionError

        door = line_door(self.sessions, new_session=fail)
        wire = Wire(LineFactory(self.guard, door).buildProtocol(None), self.reactor)
        self.addCleanup(wire.close)
        wire.turn()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertFalse(wire.transport.connected)
        self.assertEqual(len(self.guard.connections), 1)
        other.say(b"still here\n")
        self.assertEqual(session.lines, [b"still here"])


class CuttingTests(LineTestCase):
    @given(
        lines=st.lists(
            st.binary(max_size=LINE_BYTES).map(lambda line: line.replace(b"\n", b"")),
            max_size=8,
        ),
        cuts=st.lists(st.integers(0, 400), max_size=8),
    )
    def test_lines_cut_anyhow_are_the_same(
        self, lines: list[bytes], cuts: list[int]
    ) -> None:
        protocol, session = self.bare()
        stream = b"ann!" + b"".join(line + b"\n" for line in lines)
        places = [0, *sorted(cuts), len(stream)]
        for start, end in pairwise(places):
            protocol.dataReceived(stream[start:end])
        self.assertEqual(session.lines, lines)

    def bare(self) -> tuple[Any, MemorySession]:
        """Return a protocol whose transport is there for nothing but its writes."""
        wire, session = self.connect()
        wire.far.close()
        return wire.transport.protocol, session

    def test_a_line_at_the_limit_passes(self) -> None:
        wire, session = self.opened()
        wire.say(b"x" * LINE_BYTES + b"\nnext\n")
        self.assertEqual(session.lines, [b"x" * LINE_BYTES, b"next"])

    def test_a_line_over_the_limit_is_refused(self) -> None:
        wire, session = self.opened()
        wire.say(b"one\n" + b"x" * (LINE_BYTES + 1) + b"\nnext\n")
        self.assertEqual(session.lines, [b"one"])
        self.assertEqual(wire.hear_all(), b"error: too long\n")
        self.assertFalse(wire.transport.connected)

    def test_an_unfinished_line_at_the_limit_waits(self) -> None:
        wire, session = self.opened()
        wire.say(b"x" * LINE_BYTES)
        self.assertEqual(session.lines, [])
        wire.say(b"\n")
        self.assertEqual(session.lines, [b"x" * LINE_BYTES])

    def test_an_unfinished_line_over_the_limit_is_refused(self) -> None:
        wire, _ = self.opened()
        wire.say(b"x" * LINE_BYTES)
        self.assertTrue(wire.transport.connected)
        wire.say(b"x")
        self.assertEqual(wire.hear_all(), b"error: too long\n")
        self.assertFalse(wire.transport.connected)

    def test_empty_lines_are_not_copied_again_for_each_of_them(self) -> None:
        protocol, session = self.bare()
        protocol.dataReceived(b"ann!")
        CountedBytes.copied = 0
        protocol.dataReceived(CountedBytes(b"\n" * 65536))
        for _ in range(40):
            self.reactor.advance(0)
        self.assertEqual(len(session.lines), 65536)
        self.assertGreater(CountedBytes.copied, 0)
        self.assertLessEqual(CountedBytes.copied, 4 * 65536)


class EndTests(LineTestCase):
    def test_an_unfinished_line_at_the_end_of_sending_is_handed_on(self) -> None:
        wire, session = self.opened()
        wire.say(b"one\ntwo")
        wire.end()
        self.assertEqual(session.lines, [b"one"])
        self.assertEqual(session.rest, b"two")

    def test_the_answers_go_out_before_the_close(self) -> None:
        wire, session = self.opened()
        much = b"x" * (1 << 20)
        session.connection.write(much)
        wire.say(b"two")
        wire.end()
        self.assertEqual(wire.hear_all(), much + b"last: two\n")
        self.assertFalse(wire.transport.connected)
        self.assertEqual(session.ends, 1)

    def test_an_end_of_sending_in_the_opening_is_handed_on(self) -> None:
        wire, session = self.connect()
        wire.say(b"an")
        wire.end()
        self.assertEqual(session.rest, b"")
        self.assertFalse(wire.transport.connected)

    def test_an_end_of_sending_after_a_close_is_not_handed_on(self) -> None:
        wire, session = self.opened()
        session.connection.write(b"x" * (1 << 20))
        session.connection.close(GOING_AWAY)
        wire.transport.protocol.readConnectionLost()
        self.assertIsNone(session.rest)

    def test_a_session_is_told_once_that_the_connection_is_gone(self) -> None:
        wire, session = self.opened()
        wire.close()
        self.assertEqual(session.ends, 1)
        self.assertEqual(self.guard.connections, set())

    def test_a_second_close_does_nothing(self) -> None:
        wire, session = self.opened()
        session.connection.close(Close(1008, "first"))
        session.connection.close(Close(1009, "second"))
        wire.turn()
        self.assertEqual(self.guard.counts["closed 1008"], 1)
        self.assertEqual(self.guard.counts["closed 1009"], 0)

    def test_a_close_flushes_what_was_written(self) -> None:
        wire, session = self.opened()
        much = b"x" * (1 << 20)
        session.connection.write(much)
        session.connection.close(GOING_AWAY)
        session.connection.write(b"after")
        self.assertEqual(wire.hear_all(), much)
        self.assertFalse(wire.transport.connected)

    def test_a_peer_that_reads_nothing_is_cut_after_a_close(self) -> None:
        for size in 1 << 20, 50_000:
            wire, session = self.opened()
            session.connection.write(b"x" * size)
            self.assertTrue(wire.writing, size)
            session.connection.close(GOING_AWAY)
            for _ in range(11):
                self.reactor.advance(1)
            self.assertFalse(wire.transport.connected, size)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_a_peer_that_is_too_slow_is_cut_at_once(self) -> None:
        wire, session = self.opened()
        session.connection.write(b"x" * (1 << 20))
        session.connection.close(TOO_SLOW)
        wire.turn()
        self.assertFalse(wire.transport.connected)
        self.assertEqual(self.guard.counts["too slow"], 1)


class MemoryTests(LineTestCase):
    def test_a_lost_connection_is_freed_without_the_garbage_collector(self) -> None:
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        for closed_by_us in True, False:
            wire, session = self.opened()
            freed = goes_with(wire, session)
            if closed_by_us:
                session.connection.close(GOING_AWAY)
            del session
            wire.close()
            self.sessions.clear()
            self.assertEqual([one() for one in freed], [None, None])


class FailureTests(LineTestCase):
    def test_an_exception_closes_only_its_connection(self) -> None:
        other, other_session = self.opened()
        wire, session = self.opened()

        def fail(connection: Connection) -> None:
            raise ZeroDivisionError

        self.sessions.steps[b"bad"] = fail
        wire.say(b"bad\nafter\n")
        self.assertFalse(wire.transport.connected)
        self.assertEqual(session.lines, [b"bad"])
        self.assertEqual(session.ends, 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.guard.counts["failed"], 1)
        self.assertEqual(self.guard.counts["closed 1011"], 1)
        other.say(b"good\n")
        self.assertEqual(other_session.lines, [b"good"])

    def test_an_exception_of_the_last_call_is_logged_and_the_end_goes_on(self) -> None:
        wire, _ = self.opened()

        def fail(connection: Connection) -> None:
            raise ZeroDivisionError

        self.sessions.steps[b"closed"] = fail
        wire.close()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.guard.connections, set())
        self.reactor.advance(20)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_nothing_is_handed_on_after_a_peer_error(self) -> None:
        wire, session = self.opened()

        def refuse(connection: Connection) -> None:
            raise PeerError(Close(1008, "no"))

        self.sessions.steps[b"bad"] = refuse
        wire.say(b"one\nbad\ntwo\n")
        self.assertEqual(session.lines, [b"one", b"bad"])
        self.assertFalse(wire.transport.connected)
        self.assertEqual(self.guard.counts["closed 1008"], 1)
        self.assertEqual(self.guard.counts["failed"], 0)

    def test_nothing_is_handed_on_after_a_close_of_the_session(self) -> None:
        wire, session = self.opened()
        self.sessions.steps[b"quit"] = lambda connection: connection.close(GOING_AWAY)
        wire.say(b"one\nquit\ntwo\n")
        self.assertEqual(session.lines, [b"one", b"quit"])

    def test_no_line_is_handed_on_after_a_close_in_the_opening(self) -> None:
        wire, session = self.connect()
        self.sessions.steps[b"ann"] = lambda connection: connection.close(GOING_AWAY)
        wire.say(b"ann!one\n")
        self.assertEqual(session.lines, [])

    def test_a_segment_after_a_close_is_not_handed_on(self) -> None:
        wire, session = self.opened()
        session.connection.write(b"x" * (1 << 20))
        session.connection.close(GOING_AWAY)
        wire.transport.protocol.dataReceived(b"late\n")
        self.assertEqual(session.lines, [])
