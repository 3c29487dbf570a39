# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The times of Globes: written fast, and as the standard library writes them."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatmux.model import Publication
from chatmux.protocols.globes.events import encoding_for, rfc3339


def plainly(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


class TimeTests(SynchronousTestCase):
    @given(st.floats(0, 253_402_300_799))
    def test_any_moment(self, seconds: float) -> None:
        self.assertEqual(rfc3339(seconds), plainly(seconds))

    @given(st.integers(0, 4_000_000_000), st.integers(0, 2_000_000))
    def test_whole_and_half_microseconds(self, whole: int, halves: int) -> None:
        for seconds in (whole, whole + halves / 2_000_000):
            self.assertEqual(rfc3339(seconds), plainly(seconds))

    def test_fraction_that_is_rounded_to_a_second_is_the_next_second(self) -> None:
        self.assertEqual(rfc3339(59.9999996), "1970-01-01T00:01:00.000000Z")
        self.assertEqual(rfc3339(59.9999994), "1970-01-01T00:00:59.999999Z")

    def test_fraction_always_has_six_digits(self) -> None:
        self.assertEqual(rfc3339(1_795_283_000), "2026-11-21T17:43:20.000000Z")
        self.assertEqual(rfc3339(0.000001), "1970-01-01T00:00:00.000001Z")

    def test_event_has_its_publications_time(self) -> None:
        encode = encoding_for(1)
        for seconds in (1.5, 2.0, 1.25):
            said = Publication("globes/1", 1, "ann", "hi", "globes", 1, seconds)
            event = (
                b'{"event_type":"send","name":"ann","room_id":1,"msg":"hi",'
                b'"time":"%b"}' % plainly(seconds).encode()
            )
            self.assertEqual(encode(said), (event,))
