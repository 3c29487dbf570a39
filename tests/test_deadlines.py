# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""One timer for the deadlines of many."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatmux.transports.deadlines import Deadlines


class DeadlinesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.expired: list[str] = []
        self.deadlines = Deadlines(self.clock, 10, self.expired.append)

    def timers(self) -> int:
        return len(self.clock.getDelayedCalls())

    def test_items_expire_in_the_order_of_their_coming(self) -> None:
        for item in "a", "b", "c":
            self.deadlines.add(item)
            self.clock.advance(1)
        self.clock.advance(6.9)
        self.assertEqual(self.expired, [])
        self.clock.advance(0.1)
        self.assertEqual(self.expired, ["a"])
        self.clock.advance(1)
        self.assertEqual(self.expired, ["a", "b"])
        self.clock.advance(1)
        self.assertEqual(self.expired, ["a", "b", "c"])
        self.assertEqual(self.timers(), 0)

    def test_one_timer_serves_all(self) -> None:
        for item in "a", "b", "c":
            self.deadlines.add(item)
            self.clock.advance(1)
        self.assertEqual(self.timers(), 1)

    def test_items_due_at_one_time_expire_together(self) -> None:
        self.deadlines.add("a")
        self.deadlines.add("b")
        self.clock.advance(10)
        self.assertEqual(self.expired, ["a", "b"])

    def test_a_late_timer_expires_all_that_are_due(self) -> None:
        self.deadlines.add("a")
        self.clock.advance(5)
        self.deadlines.add("b")
        self.clock.advance(60)
        self.assertEqual(self.expired, ["a", "b"])

    def test_a_discarded_item_does_not_expire(self) -> None:
        self.deadlines.add("a")
        self.deadlines.add("b")
        self.deadlines.discard("a")
        self.clock.advance(10)
        self.assertEqual(self.expired, ["b"])

    def test_discarding_a_stranger_does_nothing(self) -> None:
        self.deadlines.discard("nobody")
        self.assertEqual(self.timers(), 0)

    def test_an_item_that_is_added_anew_has_its_time_anew(self) -> None:
        self.deadlines.add("a")
        self.clock.advance(1)
        self.deadlines.add("b")
        self.clock.advance(5)
        self.deadlines.add("a")
        self.clock.advance(5)
        self.assertEqual(self.expired, ["b"])
        self.clock.advance(5)
        self.assertEqual(self.expired, ["b", "a"])

    def test_an_item_is_forgotten_when_it_has_expired(self) -> None:
        self.deadlines.add("a")
        self.assertIn("a", self.deadlines)
        self.clock.advance(10)
        self.assertNotIn("a", self.deadlines)
        self.clock.advance(100)
        self.assertEqual(self.expired, ["a"])

    def test_no_seconds_are_for_ever(self) -> None:
        deadlines = Deadlines(self.clock, 0, self.expired.append)
        deadlines.add("a")
        self.assertNotIn("a", deadlines)
        self.assertEqual(self.timers(), 0)

    def test_nothing_is_left_after_stop(self) -> None:
        self.deadlines.add("a")
        self.deadlines.stop()
        self.assertEqual(self.timers(), 0)
        self.assertNotIn("a", self.deadlines)

    def test_stopping_twice_does_nothing(self) -> None:
        self.deadlines.add("a")
        self.deadlines.stop()
        self.deadlines.stop()
        self.assertEqual(self.timers(), 0)

    def test_it_goes_on_after_stop(self) -> None:
        self.deadlines.add("a")
        self.deadlines.stop()
        self.deadlines.add("b")
        self.clock.advance(10)
        self.assertEqual(self.expired, ["b"])


class CallbackTests(SynchronousTestCase):
    """What the callback may do to the deadlines that call it."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.expired: list[str] = []
        self.deadlines = Deadlines(self.clock, 10, self.again)

    def again(self, item: str) -> None:
        self.expired.append(item)
        if item == "again":
            self.deadlines.add(item)
        elif item == "next":
            self.deadlines.discard("victim")
        elif item == "stop":
            self.deadlines.stop()

    def test_an_item_added_by_the_callback_expires_in_its_turn(self) -> None:
        self.deadlines.add("again")
        self.clock.advance(10)
        self.assertEqual(self.expired, ["again"])
        self.clock.advance(9.5)
        self.assertEqual(self.expired, ["again"])
        self.clock.advance(0.5)
        self.assertEqual(self.expired, ["again"] * 2)

    def test_an_item_added_by_the_callback_needs_no_second_timer(self) -> None:
        self.deadlines.add("again")
        self.clock.advance(10)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.deadlines.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_an_item_added_by_the_callback_waits_behind_the_others(self) -> None:
        self.deadlines.add("again")
        self.clock.advance(5)
        self.deadlines.add("a")
        self.clock.advance(5)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(5)
        self.assertEqual(self.expired, ["again", "a"])
        self.deadlines.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_an_item_discarded_by_the_callback_does_not_expire(self) -> None:
        self.deadlines.add("next")
        self.deadlines.add("victim")
        self.clock.advance(10)
        self.assertEqual(self.expired, ["next"])

    def test_stopping_in_the_callback_leaves_nothing(self) -> None:
        self.deadlines.add("stop")
        self.deadlines.add("a")
        self.clock.advance(10)
        self.assertEqual(self.expired, ["stop"])
        self.assertEqual(self.clock.getDelayedCalls(), [])
