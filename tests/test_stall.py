# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Peers that take nothing of what waits for them."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatmux.transports.stall import StallWatch
from tests.transport_doubles import MemorySession, Wire
from tests.websocket_doubles import (
    ACCEPTED,
    CLOSE,
    HANDSHAKE,
    WebSocketTestCase,
    masked,
)


class Buffer:
    """A connection with a buffer of some size."""

    def __init__(self, clock: Clock, size: int = 1000) -> None:
        self.clock = clock
        self.size = size
        self.stalled_at: list[float] = []
        self.then: Callable[[], None] | None = None

    def unsent(self) -> int:
        return self.size

    def stalled(self) -> None:
        self.stalled_at.append(self.clock.seconds())
        if self.then is not None:
            self.then()


class StallWatchTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.watch = StallWatch(self.clock, 8)
        self.buffer = Buffer(self.clock)

    def wait(self, seconds: float) -> None:
        """Let time pass in steps that do not fall together with any timer's."""
        for _ in range(int(seconds * 10)):
            self.clock.advance(0.1)

    def timers(self) -> int:
        return len(self.clock.getDelayedCalls())

    def test_a_buffer_that_does_not_shrink_is_stalled_within_a_quarter_more(
        self,
    ) -> None:
        # Whatever the phase of the timer when the watch begins.
        self.watch.watch(Buffer(self.clock))
        for phase in range(20):
            buffer = Buffer(self.clock)
            self.watch.watch(buffer)
            began = self.clock.seconds()
            self.wait(12)
            self.assertEqual(len(buffer.stalled_at), 1, phase)
            waited = buffer.stalled_at[0] - began
            self.assertGreater(waited, 8 - 0.01, phase)
            self.assertLess(waited, 10 + 0.2, phase)
            self.watch.watch(Buffer(self.clock))
            self.wait(phase / 10)

    def test_a_byte_taken_begins_the_time_anew(self) -> None:
        self.watch.watch(self.buffer)
        for _ in range(5):
            self.wait(7)
            self.buffer.size -= 1
        self.assertEqual(self.buffer.stalled_at, [])
        self.wait(11)
        self.assertEqual(len(self.buffer.stalled_at), 1)

    def test_growing_is_no_sign_of_life(self) -> None:
        self.watch.watch(self.buffer)
        for _ in range(110):
            self.wait(0.1)
            self.buffer.size += 10
        self.assertEqual(len(self.buffer.stalled_at), 1)

    def test_shrinking_after_growing_is(self) -> None:
        self.watch.watch(self.buffer)
        self.wait(3)
        self.buffer.size = 5000
        self.wait(3)
        self.buffer.size = 4000
        self.wait(5)
        self.assertEqual(self.buffer.stalled_at, [])

    def test_watching_again_does_not_begin_anew(self) -> None:
        self.watch.watch(self.buffer)
        for _ in range(11):
            self.wait(1)
            if not self.buffer.stalled_at:
                self.watch.watch(self.buffer)
        self.assertEqual(len(self.buffer.stalled_at), 1)

    def test_whoever_is_forgotten_is_not_stalled(self) -> None:
        self.watch.watch(self.buffer)
        self.wait(5)
        self.watch.forget(self.buffer)
        self.wait(20)
        self.assertEqual(self.buffer.stalled_at, [])

    def test_forgetting_a_stranger_does_nothing(self) -> None:
        self.watch.forget(self.buffer)
        self.assertEqual(self.timers(), 0)

    def test_one_timer_serves_all_and_stops_when_nobody_is_watched(self) -> None:
        other = Buffer(self.clock)
        self.watch.watch(self.buffer)
        self.watch.watch(other)
        self.assertEqual(self.timers(), 1)
        self.wait(5)
        self.assertEqual(self.timers(), 1)
        self.watch.forget(self.buffer)
        self.watch.forget(other)
        self.wait(2.1)
        self.assertEqual(self.timers(), 0)

    def test_the_timer_stops_after_the_last_has_stalled(self) -> None:
        self.watch.watch(self.buffer)
        self.wait(11)
        self.assertEqual(self.timers(), 0)

    def test_nothing_is_left_after_stop(self) -> None:
        self.watch.watch(self.buffer)
        self.watch.stop()
        self.assertEqual(self.timers(), 0)
        self.wait(20)
        self.assertEqual(self.buffer.stalled_at, [])

    def test_no_seconds_are_for_ever(self) -> None:
        watch = StallWatch(self.clock, 0)
        watch.watch(self.buffer)
        self.assertEqual(self.timers(), 0)

    def test_a_connection_watched_anew_by_its_own_end_needs_no_second_timer(
        self,
    ) -> None:
        """The close frame is written to a full transport, which pauses once more."""
        self.buffer.then = lambda: self.watch.watch(self.buffer)
        self.watch.watch(self.buffer)
        self.wait(11)
        self.assertEqual(len(self.buffer.stalled_at), 1)
        self.assertEqual(self.timers(), 1)
        self.watch.stop()
        self.assertEqual(self.timers(), 0)

    def test_a_connection_forgotten_by_the_end_of_another_is_left_alone(self) -> None:
        other = Buffer(self.clock)
        self.buffer.then = lambda: self.watch.forget(other)
        self.watch.watch(self.buffer)
        self.watch.watch(other)
        self.wait(11)
        self.assertEqual(len(self.buffer.stalled_at), 1)
        self.assertEqual(other.stalled_at, [])
        self.assertEqual(self.timers(), 0)


class SlowReaderTests(WebSocketTestCase):
    def connect(self) -> tuple[Wire, MemorySession]:
        """Shake hands on a socket."""
        wire = Wire(self.factory.buildProtocol(None), self.clock)
        self.addCleanup(wire.close)
        wire.say(HANDSHAKE + b"\r\n")
        self.assertEqual(wire.hear_all(), ACCEPTED)
        session = self.sessions[-1]
        session.connection.opened()
        return wire, session

    def pass_time(self, wire: Wire, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.advance(1)
            wire.turn()

    def test_whoever_reads_nothing_is_told_and_then_cut(self) -> None:
        wire, session = self.connect()
        session.connection.send(b"x" * (1 << 20))
        self.pass_time(wire, 14)
        self.assertEqual(self.guard.counts["too slow"], 0)
        self.assertTrue(wire.transport.connected)
        self.pass_time(wire, 5)
        self.assertFalse(wire.transport.connected)
        self.assertEqual(self.guard.counts["too slow"], 1)

    def test_it_leaves_no_timer(self) -> None:
        wire, session = self.connect()
        session.connection.send(b"x" * (1 << 20))
        self.pass_time(wire, 12)
        self.assertTrue(wire.transport.connected)
        wire.close()
        self.guard.stop()
        self.factory.doStop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_whoever_says_goodbye_and_reads_nothing_is_cut(self) -> None:
        """Twisted waits for all to be read before it closes, however long."""
        for size in 1 << 20, 50_000:
            wire, session = self.connect()
            session.connection.send(b"x" * size)
            self.assertTrue(wire.writing, size)
            wire.say(masked(CLOSE, b"\x03\xe8"))
            self.pass_time(wire, 30)
            self.assertFalse(wire.transport.connected, size)

    def test_whoever_says_goodbye_and_reads_late_hears_all(self) -> None:
        wire, session = self.connect()
        session.connection.send(b"x" * (1 << 20))
        wire.say(masked(CLOSE, b"\x03\xe8"))
        self.pass_time(wire, 5)
        heard = wire.hear_all()
        self.assertEqual(len(heard), (1 << 20) + 10 + 4)
        self.assertEqual(heard[-4:], b"\x88\x02\x03\xe8")
        self.assertFalse(wire.transport.connected)
