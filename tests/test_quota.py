# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""How many rooms one may make in an hour."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatmux.protocols.globes import Section
from chatmux.protocols.globes.quota import HOUR_SECONDS, MOST_KEPT, Quota

ANN, BOB = "192.0.2.1", "192.0.2.2"


class QuotaTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.begin(3)

    def begin(self, most: int) -> None:
        self.quota = Quota(most, self.clock.seconds)

    def note(self, host: str, times: int = 1) -> None:
        for _ in range(times):
            self.quota.note(host)

    def test_so_many_may_be_made(self) -> None:
        for _ in range(3):
            self.assertEqual(self.quota.wait(ANN), 0)
            self.note(ANN)
        self.assertEqual(self.quota.wait(ANN), HOUR_SECONDS)

    def test_others_may_make_theirs(self) -> None:
        self.note(ANN, 3)
        self.assertEqual(self.quota.wait(BOB), 0)

    def test_the_hour_begins_with_the_first(self) -> None:
        self.note(ANN)
        self.clock.advance(1000)
        self.note(ANN, 2)
        self.assertEqual(self.quota.wait(ANN), HOUR_SECONDS - 1000)
        self.clock.advance(HOUR_SECONDS - 1000.4)
        self.assertEqual(self.quota.wait(ANN), 1)
        self.clock.advance(0.4)
        self.assertEqual(self.quota.wait(ANN), 0)

    def test_a_new_hour_is_a_whole_one(self) -> None:
        self.note(ANN, 3)
        self.clock.advance(HOUR_SECONDS + 100)
        self.note(ANN, 3)
        self.assertEqual(self.quota.wait(ANN), HOUR_SECONDS)

    def test_a_network_of_ipv6_is_one(self) -> None:
        self.note("2001:db8::1", 2)
        self.note("2001:db8::ffff:2")
        self.assertNotEqual(self.quota.wait("2001:db8::3"), 0)
        self.assertEqual(self.quota.wait("2001:db8:0:1::3"), 0)

    def test_ipv4_is_itself_also_in_ipv6(self) -> None:
        self.note(f"::ffff:{ANN}", 3)
        self.assertNotEqual(self.quota.wait(ANN), 0)

    def test_this_machine_is_not_held_to_it(self) -> None:
        for host in "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "local":
            self.note(host, 10)
            self.assertEqual(self.quota.wait(host), 0, host)

    def test_by_default_thousands_may_be_made(self) -> None:
        self.begin(Section().new_rooms_per_hour)
        self.note(ANN, 9_999)
        self.assertEqual(self.quota.wait(ANN), 0)

    def test_0_is_any_number(self) -> None:
        self.begin(0)
        self.note(ANN, 100)
        self.assertEqual(self.quota.wait(ANN), 0)

    def test_it_does_not_grow_without_end(self) -> None:
        self.note(ANN, 3)
        for number in range(MOST_KEPT - 1):
            self.note(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        self.assertNotEqual(self.quota.wait(ANN), 0)
        self.note(BOB)
        # Whose hour began first is forgotten.
        self.assertEqual(self.quota.wait(ANN), 0)
        self.assertEqual(len(self.quota._done), MOST_KEPT)

    def test_asking_keeps_nothing(self) -> None:
        for number in range(100):
            self.quota.wait(f"10.0.0.{number}")
        self.assertEqual(len(self.quota._done), 0)
