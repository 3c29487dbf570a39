# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""How much one peer may send, and make others be sent."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatmux.transports.meter import BURST_SECONDS, Meter


def taken(meter: Meter, now: float, deliveries: int = 0, most: int = 1000) -> int:
    """Return how often something can be taken at a moment."""
    for count in range(most):
        if not meter.take(deliveries, now):
            return count
    return most


class MeterTests(SynchronousTestCase):
    def test_who_was_quiet_may_have_ten_seconds_worth_at_once(self) -> None:
        self.assertEqual(taken(Meter(5, 0, 100.0), 100.0), 5 * BURST_SECONDS)

    def test_it_fills_with_time(self) -> None:
        meter = Meter(5, 0, 0)
        taken(meter, 0)
        self.assertFalse(meter.take(0, 0))
        # Two were taken that were not there.
        self.assertEqual(taken(meter, 2.0), 8)

    def test_it_overflows(self) -> None:
        meter = Meter(5, 0, 0)
        taken(meter, 0)
        self.assertEqual(taken(meter, 1e6), 50)

    def test_who_keeps_to_the_measure_is_never_over_it(self) -> None:
        meter = Meter(5, 500, 0)
        for step in range(10_000):
            self.assertTrue(meter.take(100, step / 4), step)

    def test_deliveries_are_a_bucket_of_their_own(self) -> None:
        meter = Meter(0, 1000, 0)
        self.assertTrue(meter.take(9_999, 0))
        self.assertTrue(meter.take(0, 0))
        self.assertTrue(meter.take(1, 0))
        self.assertFalse(meter.take(1, 0))
        self.assertTrue(meter.take(999, 1.0))

    def test_what_is_too_much_is_taken_all_the_same(self) -> None:
        meter = Meter(0, 1000, 0)
        self.assertFalse(meter.take(30_000, 0))
        self.assertFalse(meter.take(0, 19.9))
        self.assertTrue(meter.take(0, 20.1))

    def test_messages_alone_can_be_too_many(self) -> None:
        meter = Meter(1, 1, 0)
        self.assertEqual(taken(meter, 0), 10)

    def test_0_is_any_number(self) -> None:
        meter = Meter(0, 0, 0)
        self.assertEqual(taken(meter, 0, 1 << 60), 1000)

    def test_less_than_one_a_second(self) -> None:
        meter = Meter(0.2, 0, 0)
        self.assertEqual(taken(meter, 0), 2)
        self.assertFalse(meter.take(0, 4.9))
        self.assertTrue(meter.take(0, 15.0))

    @given(
        st.lists(st.tuples(st.floats(0, 30), st.integers(0, 2000)), max_size=60),
        st.integers(1, 50),
        st.integers(1, 5000),
    )
    def test_nobody_gets_more_than_the_measure_and_one_burst(
        self, steps: list[tuple[float, int]], messages: int, deliveries: int
    ) -> None:
        meter, now, count, size = Meter(messages, deliveries, 0), 0.0, 0, 0
        for pause, amount in steps:
            now += pause
            count, size = count + 1, size + amount
            if not meter.take(amount, now):
                return
            self.assertLessEqual(count, messages * (now + BURST_SECONDS) + 1e-6)
            self.assertLessEqual(size, deliveries * (now + BURST_SECONDS) + 1e-6)
