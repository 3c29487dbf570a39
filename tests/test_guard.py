# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What watches over all connections: counts, the opening's deadline, the log."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatmux.interfaces import Subscription
from chatmux.model import NORMAL, TOO_SLOW, Close
from chatmux.settings import Limits
from chatmux.transports.guard import Guard
from chatmux.transports.meter import Meter


class Guarded:
    """A connection as the guard knows it."""

    def __init__(
        self, guard: Guard, why: Close | None = None, host: str = "192.0.2.7"
    ) -> None:
        self.door = "test.ws"
        self.peer = "192.0.2.7:4711"
        self.host = host
        self.counted: str | None = None
        self.meter: Meter | None = None
        self.why = why
        self.subscriptions: set[Subscription] = set()
        self.expired = 0
        self.number = guard.admit(self)

    def unsent(self) -> int:
        return 0

    def stalled(self) -> None: ...

    def close(self, why: Close) -> None:
        self.why = why

    def abort(self) -> None: ...

    def opening_expired(self) -> None:
        self.expired += 1


class GuardTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.guard = Guard(self.clock, Limits(opening_seconds=10))

    def test_connections_are_numbered_from_one_up(self) -> None:
        first, second = Guarded(self.guard), Guarded(self.guard)
        self.guard.release(first)
        third = Guarded(self.guard)
        self.assertEqual([first.number, second.number, third.number], [1, 2, 3])

    def test_it_knows_who_is_there(self) -> None:
        first, second = Guarded(self.guard), Guarded(self.guard)
        self.assertEqual(self.guard.connections, {first, second})
        self.guard.release(first)
        self.assertEqual(self.guard.connections, {second})

    def test_counts(self) -> None:
        for why in None, NORMAL, TOO_SLOW, Close(1008, "wrong"), Close(1009, "long"):
            self.guard.release(Guarded(self.guard, why))
        self.guard.ignored(Guarded(self.guard), "nonsense")
        self.assertEqual(
            dict(self.guard.counts),
            {
                "accepted": 6,
                "ignored": 1,
                "closed 1008": 2,
                "too slow": 1,
                "closed 1009": 1,
            },
        )

    def test_an_opening_has_a_deadline(self) -> None:
        connection = Guarded(self.guard)
        self.clock.advance(9.9)
        self.assertEqual(connection.expired, 0)
        self.clock.advance(0.1)
        self.assertEqual(connection.expired, 1)

    def test_whoever_is_lost_has_no_deadline(self) -> None:
        connection = Guarded(self.guard)
        self.guard.release(connection)
        self.clock.advance(60)
        self.assertEqual(connection.expired, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_emptied_fires_when_the_last_is_lost(self) -> None:
        first, second = Guarded(self.guard), Guarded(self.guard)
        emptied = self.guard.emptied()
        self.guard.release(first)
        self.assertNoResult(emptied)
        self.guard.release(second)
        self.successResultOf(emptied)

    def test_emptied_fires_at_once_where_nobody_is(self) -> None:
        self.successResultOf(self.guard.emptied())

    def test_nothing_is_left_after_stop(self) -> None:
        connection = Guarded(self.guard)
        self.guard.stalls.watch(connection)
        self.assertNotEqual(self.clock.getDelayedCalls(), [])
        self.guard.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class LogTests(SynchronousTestCase):
    def lines(self, why: Close | None, debug: bool = False) -> list[str]:
        """Return what is logged of a connection's end."""
        guard = Guard(Clock(), debug=debug)
        connection = Guarded(guard, why)
        with capturedLogs() as logs:
            guard.release(connection)
        return [f"{event['log_level'].name} {formatEvent(event)}" for event in logs]

    def test_a_refusal_is_one_line(self) -> None:
        self.assertEqual(
            self.lines(Close(1008, "wrong secret key")),
            [
                "info connection 1 (test.ws, 192.0.2.7:4711) closed, 1008: "
                "wrong secret key"
            ],
        )

    def test_a_normal_end_is_no_line(self) -> None:
        self.assertEqual(self.lines(None), [])
        self.assertEqual(self.lines(NORMAL), [])
        self.assertEqual(self.lines(Close(1000, "kicked")), [])

    def test_a_normal_end_is_a_debug_line(self) -> None:
        expected = ["debug connection 1 (test.ws, 192.0.2.7:4711) ended"]
        self.assertEqual(self.lines(None, debug=True), expected)
        self.assertEqual(self.lines(NORMAL, debug=True), expected)

    def test_a_refusal_is_no_debug_line_besides(self) -> None:
        self.assertEqual(len(self.lines(Close(1008, "no"), debug=True)), 1)

    def test_the_words_of_a_peer_are_escaped(self) -> None:
        (line,) = self.lines(Close(1008, "the name \x1b[2J\r\nevil é is taken"))
        self.assertEqual(line.partition("closed, ")[2], (
            r"1008: the name \x1b[2J\r\nevil \xe9 is taken"
        ))  # fmt: skip

    def test_the_words_of_a_peer_are_no_format(self) -> None:
        (line,) = self.lines(Close(1008, "{log_level} %(x)s {0.__class__}"))
        self.assertTrue(line.endswith("1008: {log_level} %(x)s {0.__class__}"), line)

    def test_the_words_of_a_peer_are_cut(self) -> None:
        (line,) = self.lines(Close(1008, "x" * 100_000))
        self.assertLess(len(line), 400)
        self.assertTrue(line.endswith("x... (100000 characters)"), line)

    def test_an_ignored_message_is_a_debug_line(self) -> None:
        guard = Guard(Clock(), debug=True)
        with capturedLogs() as logs:
            guard.ignored(Guarded(guard), "no JSON: \x00")
        (event,) = logs
        self.assertIs(event["log_level"], LogLevel.debug)
        self.assertEqual(
            formatEvent(event),
            r"connection 1 (test.ws, 192.0.2.7:4711) ignored: no JSON: \x00",
        )

    def test_an_ignored_message_is_no_line_otherwise(self) -> None:
        guard = Guard(Clock())
        with capturedLogs() as logs:
            guard.ignored(Guarded(guard), "no JSON")
        self.assertEqual(list(logs), [])

    def test_a_failure_of_ours_is_one_line_with_its_traceback(self) -> None:
        guard = Guard(Clock())
        connection = Guarded(guard)
        with capturedLogs() as logs:
            try:
                raise ZeroDivisionError("ours")
            except ZeroDivisionError:
                guard.failed(connection, "raised")
        (event,) = logs
        found: Any = event
        self.assertIs(found["log_level"], LogLevel.critical)
        self.assertEqual(
            formatEvent(event), "connection 1 (test.ws, 192.0.2.7:4711) raised"
        )
        self.assertIsInstance(found["log_failure"].value, ZeroDivisionError)
        self.assertEqual(guard.counts["failed"], 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
