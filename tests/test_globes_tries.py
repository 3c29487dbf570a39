# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""How often somebody may be wrong in Globes."""

from __future__ import annotations

import sys
from collections.abc import Hashable

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatmux.tries import MOST_KEPT, WINDOW_SECONDS, Tries
from tests.globes_doubles import new_lock


class CountingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.tries = Tries(3, self.clock.seconds, new_lock)

    def note(self, who: Hashable, times: int = 1) -> None:
        for _ in range(times):
            self.tries.note_wrong(who)

    def test_so_many_are_looked_at_and_no_more(self) -> None:
        for _ in range(3):
            self.assertEqual(self.tries.wait("ann"), 0)
            self.note("ann")
        self.assertEqual(self.tries.wait("ann"), 60)

    def test_asking_counts_for_nothing(self) -> None:
        self.note("ann", 2)
        for _ in range(10):
            self.assertEqual(self.tries.wait("ann"), 0)

    def test_each_is_forgotten_after_a_minute(self) -> None:
        for _ in range(3):
            self.note("ann")
            self.clock.advance(10)
        self.assertEqual(self.tries.wait("ann"), 30)
        self.clock.advance(29.5)
        self.assertEqual(self.tries.wait("ann"), 1)
        self.clock.advance(0.5)
        self.assertEqual(self.tries.wait("ann"), 0)
        self.note("ann")
        # Until the second is forgotten.
        self.assertEqual(self.tries.wait("ann"), 10)

    def test_the_seconds_are_rounded_up(self) -> None:
        self.note("ann", 3)
        for passed, wait in (0.1, 60), (58.8, 2), (0.2, 1), (0.8, 1):
            self.clock.advance(passed)
            self.assertEqual(self.tries.wait("ann"), wait, passed)

    def test_others_and_other_rooms_are_counted_apart(self) -> None:
        self.note(("ann", "1"), 3)
        self.assertGreater(self.tries.wait(("ann", "1")), 0)
        self.assertEqual(self.tries.wait(("ann", "2")), 0)
        self.assertEqual(self.tries.wait(("bob", "1")), 0)

    def test_one_may_be_all(self) -> None:
        tries = Tries(1, self.clock.seconds, new_lock)
        for _ in range(3):
            self.assertEqual(tries.wait("ann"), 0)
            tries.note_wrong("ann")
            self.assertEqual(tries.wait("ann"), 60)
            self.clock.advance(60)

    @given(st.integers(1, 5), st.lists(st.integers(0, 640), max_size=60))
    def test_no_minute_has_more(self, limit: int, pauses: list[int]) -> None:
        clock = Clock()
        tries = Tries(limit, clock.seconds, new_lock)
        looked_at: list[float] = []
        for pause in pauses:
            # Sixteenths of a second, which floats have exactly.
            clock.advance(pause / 16)
            now = clock.seconds()
            recent = [time for time in looked_at if time > now - WINDOW_SECONDS]
            wait = tries.wait("ann")
            self.assertEqual(wait > 0, len(recent) >= limit)
            if wait:
                # Not longer than it takes, but for the rounding.
                oldest = recent[-limit]
                self.assertGreaterEqual(now + wait, oldest + WINDOW_SECONDS)
                self.assertLess(now + wait, oldest + WINDOW_SECONDS + 1)
            else:
                tries.note_wrong("ann")
                looked_at.append(now)

    def test_those_who_were_wrong_last_are_remembered(self) -> None:
        self.note("old", 3)
        self.note("ann", 2)
        for number in range(MOST_KEPT - 1):
            self.note(number)
        self.assertEqual(self.tries.wait("old"), 0)
        self.note("ann")
        self.assertEqual(self.tries.wait("ann"), 60)
        for number in range(MOST_KEPT - 1):
            self.note(-number - 1)
        self.assertEqual(self.tries.wait("ann"), 60)

    def test_memory_has_an_end(self) -> None:
        for number in range(MOST_KEPT + 500):
            self.note(number)
        self.assertEqual(len(self.tries._wrong), MOST_KEPT)
        self.note("ann", 1000)
        self.assertLess(sys.getsizeof(self.tries._wrong["ann"]), 200)


class OneAtATimeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.tries = Tries(3, Clock().seconds, new_lock)
        self.trying: list[str] = []
        self.gates: list[Deferred[None]] = []

    async def attempt(self, who: Hashable, name: str) -> None:
        async with self.tries.one_at_a_time(who):
            self.trying.append(name)
            gate: Deferred[None] = Deferred()
            self.gates.append(gate)
            try:
                await gate
            finally:
                self.trying.remove(name)

    def begin(self, who: Hashable, name: str) -> Deferred[None]:
        return Deferred.fromCoroutine(self.attempt(who, name))

    def test_one_waits_for_the_other(self) -> None:
        tries = [self.begin("ann", name) for name in "abc"]
        for name in "abc":
            self.assertEqual(self.trying, [name])
            self.gates.pop(0).callback(None)
        self.assertEqual(self.trying, [])
        for one in tries:
            self.successResultOf(one)

    def test_others_do_not_wait(self) -> None:
        for who in "abc":
            self.begin(who, who)
        self.assertEqual(self.trying, ["a", "b", "c"])
        for gate in self.gates:
            gate.callback(None)

    def test_one_that_fails_lets_the_next_go_on(self) -> None:
        first, second = self.begin("ann", "a"), self.begin("ann", "b")
        self.gates.pop(0).errback(KeyError())
        self.failureResultOf(first, KeyError)
        self.assertEqual(self.trying, ["b"])
        self.gates.pop(0).callback(None)
        self.successResultOf(second)

    def test_one_that_gives_up_waiting_holds_nobody_up(self) -> None:
        first, second, third = (self.begin("ann", name) for name in "abc")
        second.addErrback(lambda failure: None)
        second.cancel()
        self.assertEqual(self.trying, ["a"])
        self.gates.pop(0).callback(None)
        self.successResultOf(first)
        self.assertEqual(self.trying, ["c"])
        self.gates.pop(0).callback(None)
        self.successResultOf(third)
        self.assertEqual(self.tries._trying, {})

    def test_nothing_is_kept_of_those_who_are_done(self) -> None:
        tries = [self.begin(who, who + name) for who in "ab" for name in "xyz"]
        while self.gates:
            self.gates.pop(0).callback(None)
        for one in tries:
            self.successResultOf(one)
        self.assertEqual(self.tries._trying, {})
