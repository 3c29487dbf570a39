# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Frames over a byte stream: what is handed on, the limits, the times."""

from __future__ import annotations

import gc
from itertools import pairwise
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from chatmux.errors import PeerError
from chatmux.interfaces import Connection
from chatmux.model import GOING_AWAY, TOO_SLOW, Close
from chatmux.settings import Limits
from chatmux.transports import decimal5
from chatmux.transports.framed import FramedFactory
from chatmux.transports.guard import Guard
from tests.framed_doubles import FramedTestCase, error, framed
from tests.transport_doubles import (
    CountedBuffer,
    MemorySession,
    Wire,
    framed_door,
    goes_with,
)


class FrameTests(FramedTestCase):
    def test_what_a_frame_holds_is_handed_on_as_binary(self) -> None:
        wire, session = self.opened()
        wire.say(framed(b"one", b"", "é".encode()))
        self.assertEqual(
            session.messages, [(b"one", True), (b"", True), ("é".encode(), True)]
        )

    def test_answers_are_framed(self) -> None:
        wire, session = self.opened()
        session.connection.send("é".encode())
        self.assertEqual(wire.hear(), b"00002\xc3\xa9")

    @given(
        bodies=st.lists(st.binary(max_size=200), max_size=8),
        cuts=st.lists(st.integers(0, 1200), max_size=8),
    )
    def test_frames_cut_anyhow_are_the_same(
        self, bodies: list[bytes], cuts: list[int]
    ) -> None:
        protocol, _, session = self.bare()
        session.connection.opened()
        stream = framed(*bodies)
        for start, end in pairwise([0, *sorted(cuts), len(stream)]):
            protocol.dataReceived(stream[start:end])
        self.assertEqual(self.bodies(session), bodies)
        self.lose(protocol)

    def test_a_frame_that_drips_costs_as_much_for_each_byte(self) -> None:
        door = framed_door(self.sessions, opening_bytes=20_000)
        self.factory = FramedFactory(self.guard, door)
        with mock.patch.object(decimal5, "bytearray", CountedBuffer, create=True):
            protocol, _, session = self.bare()
        stream = framed(b"x" * 20_000)
        before = CountedBuffer.copied
        for byte in stream:
            protocol.dataReceived(bytes((byte,)))
        self.assertEqual(len(session.messages), 1)
        copied = CountedBuffer.copied - before
        self.assertGreater(copied, len(stream))
        self.assertLess(copied, 20 * len(stream))

    def test_what_is_no_length_is_told_and_then_closed(self) -> None:
        wire, session = self.opened()
        wire.say(framed(b"one") + b"GET / HTTP/1.1\r\n\r\n")
        self.assertEqual(self.bodies(session), [b"one"])
        self.assertEqual(wire.hear_all(), error("bad length b'GET /'"))
        self.assertFalse(wire.transport.connected)
        self.assertEqual(self.guard.counts["closed 1008"], 1)
        self.assertEqual(self.guard.counts["failed"], 0)

    def test_one_byte_over_the_limit_is_too_long(self) -> None:
        for opened, limit in (False, 100), (True, 1000):
            wire, session = self.opened() if opened else self.connect()
            wire.say(framed(b"x" * limit))
            self.assertEqual(self.bodies(session), [b"x" * limit])
            wire.say(b"%05d" % (limit + 1))
            self.assertEqual(wire.hear_all(), error(f"too long {limit + 1}"))
            self.assertFalse(wire.transport.connected)

    def test_the_limit_is_lifted_for_the_very_next_frame(self) -> None:
        wire, session = self.connect()
        self.sessions.steps[b"ann"] = lambda connection: connection.opened()
        wire.say(framed(b"ann", b"x" * 1000))
        self.assertEqual(self.bodies(session), [b"ann", b"x" * 1000])

    def test_an_answer_that_cannot_be_framed_is_an_error_of_ours(self) -> None:
        wire, _ = self.opened()
        self.sessions.steps[b"a"] = lambda connection: connection.send(b"x" * 100_000)
        wire.say(framed(b"a"))
        self.assertEqual(wire.hear_all(), b"")
        self.assertEqual(len(self.flushLoggedErrors(decimal5.FrameTooLongError)), 1)
        self.assertEqual(self.guard.counts["closed 1011"], 1)


class BeginningTests(FramedTestCase):
    def test_too_late_is_told_and_then_closed(self) -> None:
        wire, session = self.connect()
        for _ in range(9):
            self.reactor.advance(1)
            wire.say(framed(b"x"))
        self.assertTrue(wire.transport.connected)
        self.reactor.advance(1)
        self.assertEqual(wire.hear_all(), error("too late"))
        self.assertFalse(wire.transport.connected)
        self.assertEqual(session.ends, 1)

    def test_a_session_may_know_its_peer_from_the_beginning(self) -> None:
        def make(connection: Connection) -> MemorySession:
            connection.opened()
            connection.send(b"hello")
            return self.sessions.make(connection)

        door = framed_door(self.sessions, new_session=make)
        self.factory = FramedFactory(self.guard, door)
        wire, session = self.connect()
        self.reactor.advance(1000)
        wire.say(framed(b"x" * 1000))
        self.assertEqual(wire.hear(), framed(b"hello"))
        self.assertEqual(self.bodies(session), [b"x" * 1000])

    def test_a_session_that_cannot_be_made_closes_only_its_connection(self) -> None:
        other, other_session = self.opened()

        def fail(connection: Connection) -> MemorySession:
            raise ZeroDivisionError

        door = framed_door(self.sessions, new_session=fail)
        self.factory = FramedFactory(self.guard, door)
        protocol = self.factory.buildProtocol(None)
        wire = Wire(protocol, self.reactor)
        self.addCleanup(wire.close)
        protocol.dataReceived(framed(b"x"))
        wire.turn()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertFalse(wire.transport.connected)
        self.assertEqual(len(self.guard.connections), 1)
        other.say(framed(b"still here"))
        self.assertEqual(self.bodies(other_session), [b"still here"])


class TimeTests(FramedTestCase):
    """A frame has 5 s."""

    def test_one_that_is_not_complete_in_time_is_told_and_then_closed(self) -> None:
        wire, _ = self.opened()
        wire.say(framed(b"one") + b"0")
        for byte in b"0004":
            self.reactor.advance(1)
            wire.say(bytes((byte,)))
        self.assertTrue(wire.transport.connected)
        self.reactor.advance(1)
        self.assertEqual(wire.hear_all(), error("frame too late"))
        self.assertFalse(wire.transport.connected)
        self.assertEqual(self.guard.counts["closed 1008"], 1)

    def test_each_has_its_own_time(self) -> None:
        wire, session = self.opened()
        wire.say(b"00003o")
        for _ in range(5):
            self.reactor.advance(4)
            wire.say(b"ne" + framed(b"two") + b"00003o")
        self.reactor.advance(4)
        wire.say(b"ne")
        self.assertEqual(self.bodies(session), [b"one", b"two"] * 5 + [b"one"])
        self.reactor.advance(1000)
        self.assertTrue(wire.transport.connected)

    def test_silence_between_two_is_allowed_for_ever(self) -> None:
        wire, session = self.opened()
        for _ in range(3):
            self.reactor.advance(1000)
            wire.say(framed(b"one"))
        self.assertEqual(self.bodies(session), [b"one"] * 3)

    def test_no_limit_is_no_limit(self) -> None:
        self.guard = Guard(self.reactor, Limits(frame_seconds=0))
        self.factory = FramedFactory(self.guard, framed_door(self.sessions))
        wire, _ = self.opened()
        wire.say(b"0")
        self.reactor.advance(1000)
        self.assertTrue(wire.transport.connected)

    def test_a_closed_connection_is_not_told_so(self) -> None:
        wire, session = self.opened()
        told: list[bool] = []
        session.frame_too_late = lambda: told.append(True)  # type: ignore[method-assign]
        wire.say(b"0")
        # More than the kernel takes, and not as much as Twisted would pause for.
        session.connection.write(b"x" * 50_000)
        session.connection.close(Close(1008, "first"))
        self.reactor.advance(5)
        self.assertEqual(told, [])
        self.assertTrue(wire.transport.connected)

    def test_a_guard_that_stops_leaves_no_timer(self) -> None:
        wire, _ = self.opened()
        wire.say(b"0")
        self.assertEqual(len(self.reactor.getDelayedCalls()), 2)
        self.guard.stop()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_a_lost_connection_is_told_nothing(self) -> None:
        wire, session = self.opened()
        wire.say(b"0")
        wire.close()
        self.reactor.advance(1000)
        self.assertEqual(session.ends, 1)
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class FailureTests(FramedTestCase):
    def test_an_exception_closes_only_its_connection(self) -> None:
        other, other_session = self.opened()
        wire, session = self.opened()

        def fail(connection: Connection) -> None:
            connection.send(b"before")
            raise ZeroDivisionError

        self.sessions.steps[b"bad"] = fail
        wire.say(framed(b"bad", b"after"))
        self.assertEqual(wire.hear_all(), framed(b"before"))
        self.assertFalse(wire.transport.connected)
        self.assertEqual(self.bodies(session), [b"bad"])
        self.assertEqual(session.ends, 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.guard.counts["closed 1011"], 1)
        other.say(framed(b"good"))
        self.assertEqual(self.bodies(other_session), [b"good"])

    def test_nothing_is_handed_on_after_a_peer_error(self) -> None:
        wire, session = self.opened()

        def refuse(connection: Connection) -> None:
            connection.send(b"no")
            raise PeerError(Close(1008, "no"))

        self.sessions.steps[b"bad"] = refuse
        wire.say(framed(b"one", b"bad", b"two"))
        self.assertEqual(self.bodies(session), [b"one", b"bad"])
        self.assertEqual(wire.hear_all(), framed(b"no"))
        self.assertEqual(self.guard.counts["closed 1008"], 1)
        self.assertEqual(self.guard.counts["failed"], 0)

    def test_a_segment_after_a_close_is_not_handed_on(self) -> None:
        wire, session = self.opened()
        session.connection.write(b"x" * (1 << 20))
        session.connection.close(GOING_AWAY)
        protocol = wire.transport.protocol
        protocol.dataReceived(framed(b"late"))
        self.assertEqual(session.messages, [])
        self.assertEqual(len(protocol.decoder), 0)

    def test_a_peer_that_is_too_slow_is_cut_at_once(self) -> None:
        wire, session = self.opened()
        session.connection.write(b"x" * (1 << 20))
        session.connection.close(TOO_SLOW)
        wire.turn()
        self.assertFalse(wire.transport.connected)
        self.assertEqual(self.guard.counts["too slow"], 1)


class MemoryTests(FramedTestCase):
    def test_a_lost_connection_is_freed_without_the_garbage_collector(self) -> None:
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        for closed_by_us in True, False:
            wire, session = self.opened()
            wire.say(framed(*[b"x"] * 1500) + b"0")
            freed = goes_with(wire, session)
            if closed_by_us:
                session.connection.close(GOING_AWAY)
            del session
            wire.close()
            self.all_turns()
            self.sessions.clear()
            self.assertEqual([one() for one in freed], [None, None])
