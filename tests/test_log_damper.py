# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Nobody floods the log: so many lines of a kind in a window, and then a count."""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.task import Clock
from twisted.logger import (
    ILogObserver,
    LogEvent,
    Logger,
    LogPublisher,
    formatEvent,
)
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from chatmux.log import as_text
from chatmux.logdamper import KINDS, LINES, WINDOW_SECONDS, Damper


class DamperTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.seen: list[LogEvent] = []
        self.damper = Damper(self.seen.append, self.clock.seconds, self.clock.callLater)
        publisher: Any = LogPublisher(cast(ILogObserver, self.damper))
        self.log = Logger(namespace="chatmux", observer=publisher)

    def refuse(self, count: int, **fields: Any) -> None:
        for _ in range(count):
            self.log.info("{peer} was refused", peer="somebody", **fields)

    def lines(self) -> list[str]:
        """Return what has passed since the last call."""
        found = [str(formatEvent(event)) for event in self.seen]
        self.seen.clear()
        return found

    def test_so_many_of_a_kind_pass_and_the_rest_is_counted(self) -> None:
        self.refuse(LINES)
        self.assertEqual(len(self.lines()), LINES)
        self.refuse(10_000)
        self.assertEqual(self.lines(), [])
        self.clock.advance(WINDOW_SECONDS)
        left_out = "left out 10000 more lines of [chatmux] {peer} was refused"
        (event,) = self.seen
        self.assertEqual(event["left_out"], 10_000)
        self.assertIn(f" [chatmux#warn] {left_out}\n", as_text(event))
        self.assertEqual(self.lines(), [left_out])

    def test_other_kinds_pass_meanwhile(self) -> None:
        self.refuse(LINES + 1)
        self.lines()
        self.log.warn("something else")
        self.assertEqual(self.lines(), ["something else"])

    def test_what_differs_in_its_fields_alone_is_one_kind(self) -> None:
        for number in range(3 * LINES):
            self.log.info("{peer} was refused", peer=f"peer {number}")
        self.assertEqual(len(self.lines()), LINES)

    def test_a_new_window_begins_anew(self) -> None:
        for _ in range(3):
            self.refuse(LINES + 5)
            self.clock.advance(WINDOW_SECONDS)
            lines = self.lines()
            self.assertEqual(len(lines), LINES + 1)
            self.assertTrue(lines[-1].startswith("left out 5 more lines of "))

    def test_the_count_comes_without_another_line(self) -> None:
        self.refuse(1)
        self.clock.advance(WINDOW_SECONDS - 1)
        self.refuse(LINES)
        self.lines()
        self.clock.advance(0.5)
        self.assertEqual(self.lines(), [])
        self.clock.advance(0.5)
        self.assertEqual(len(self.lines()), 1)

    def test_a_quiet_log_has_no_timer(self) -> None:
        self.refuse(LINES)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.refuse(LINES)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(WINDOW_SECONDS)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(5 * WINDOW_SECONDS)
        self.assertEqual(len(self.lines()), LINES + 1)

    def test_what_was_left_out_is_told_at_the_end(self) -> None:
        self.refuse(LINES + 3)
        self.lines()
        self.damper.tell()
        self.assertEqual(len(self.lines()), 1)
        self.clock.advance(WINDOW_SECONDS)
        self.assertEqual(self.lines(), [])

    def test_debug_lines_all_pass(self) -> None:
        for _ in range(3 * LINES):
            self.log.debug("asked for")
        self.assertEqual(len(self.lines()), 3 * LINES)

    def test_kinds_without_end_take_no_memory_without_end(self) -> None:
        for number in range(2 * KINDS):
            self.log.info(f"made up {number}")
        self.assertEqual(len(self.lines()), KINDS + LINES)
        self.clock.advance(WINDOW_SECONDS)
        left_out = f"left out {KINDS - LINES} more lines of [-] (others)"
        self.assertEqual(self.lines(), [left_out])

    def test_events_of_any_shape(self) -> None:
        strange: list[LogEvent] = [{}, {"log_format": 5, "log_namespace": []}]
        for event in strange:
            self.damper(event)
        self.assertEqual(self.seen, strange)

    def test_it_is_an_observer(self) -> None:
        self.assertTrue(verifyObject(ILogObserver, self.damper))

    def test_exceptions_are_damped_too(self) -> None:
        for _ in range(5 * LINES):
            try:
                raise ValueError("canary")
            except ValueError:
                self.log.failure("connection {number} failed", number=1)
        self.assertEqual(len(self.lines()), LINES)
        self.clock.advance(WINDOW_SECONDS)
        self.assertEqual(len(self.lines()), 1)
