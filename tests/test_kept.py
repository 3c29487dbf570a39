# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What is kept for slow readers, of all channels together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatmux.broker.channel import CROWDED_BYTES, REST_BYTES
from chatmux.broker.local import LocalBroker
from chatmux.broker.log import PUBLICATION_BYTES, weight
from chatmux.interfaces import Subscription
from chatmux.model import TOO_SLOW, Publication
from chatmux.protocols import machat
from tests.broker_contract import words
from tests.doubles import MemoryConnection

MEBI = 1 << 20
TEXT = "x" * 10_000


class KeptTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.broker = LocalBroker(self.clock, max_logs_bytes=16 * MEBI)

    def subscribe(self, channel: str, room: int = 1000) -> MemoryConnection:
        connection = MemoryConnection(room=room)
        self.broker.subscribe(channel, connection, words)
        return connection

    def publish(self, channel: str, count: int) -> None:
        for _ in range(count):
            self.broker.publish(channel, "ann", TEXT, origin="test")
        self.clock.advance(0)

    def test_one_may_fall_far_behind_while_there_is_little_else(self) -> None:
        slow = self.subscribe("a")
        self.publish("a", 350)
        self.assertIsNone(slow.closed_for)
        self.assertGreater(self.broker.kept_bytes, 3_000_000)

    def test_many_rooms_with_a_slow_reader_each_do_not_add_up(self) -> None:
        slow = [self.subscribe(f"room {n}") for n in range(100)]
        ready = self.subscribe("room 99", room=1 << 30)
        for _ in range(20):
            for number in range(100):
                self.publish(f"room {number}", 15)
            self.assertLess(self.broker.kept_bytes, 16 * MEBI + 100 * CROWDED_BYTES)
        closed = [one for one in slow if one.closed_for is TOO_SLOW]
        self.assertGreater(len(closed), 50)
        self.assertIsNone(ready.closed_for)
        self.assertEqual(ready.written.count(b"ann:"), 20 * 15)

    def test_who_is_behind_by_little_stays_when_it_is_crowded(self) -> None:
        for number in range(4):
            self.subscribe(f"room {number}")
            self.publish(f"room {number}", 400)
        little, much = self.subscribe("a"), self.subscribe("b")
        self.publish("b", 45)
        self.assertIs(much.closed_for, TOO_SLOW)
        self.publish("a", 1 + CROWDED_BYTES // 20_000)
        self.assertIsNone(little.closed_for)
        little.read()
        self.assertEqual(little.written.count(b"ann:"), 1 + CROWDED_BYTES // 20_000)

    def test_what_is_kept_ends_with_the_channel(self) -> None:
        slow = self.subscribe("a")
        self.publish("a", 100)
        for subscription in tuple(slow.subscriptions):
            self.broker.unsubscribe(subscription, rest=False)
        self.assertEqual(self.broker.kept_bytes, 0)
        self.assertEqual(len(self.broker), 0)

    @given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=40))
    def test_nothing_is_kept_when_all_have_gone(
        self, steps: list[tuple[str, int]]
    ) -> None:
        broker = LocalBroker(Clock())
        here: list[tuple[MemoryConnection, Subscription]] = []
        for channel, step in steps:
            if step == 0:
                connection = MemoryConnection(room=50)
                place = broker.subscribe(channel, connection, words)
                here.append((connection, place))
            elif step == 1:
                broker.publish(channel, "ann", "some text", origin="test")
            elif step == 2:
                broker.flush()
            elif here:
                connection, place = here.pop()
                broker.unsubscribe(place, rest=bool(len(here) % 2))
        for connection, _ in here:
            connection.read()
        for _, place in here:
            broker.unsubscribe(place)
        broker.flush()
        self.assertEqual(broker.kept_bytes, 0)


class WeightTests(SynchronousTestCase):
    def weight(self, name: str, text: str) -> int:
        return weight(Publication("a", 1, name, text, "test", 0, 0.0)) - (
            PUBLICATION_BYTES
        )

    def test_it_is_in_bytes(self) -> None:
        self.assertEqual(self.weight("ann", "hello"), 8)
        self.assertEqual(self.weight("\U0001f600", "\u00fc"), 6)

    def test_a_name_counts_for_each_line_that_it_stands_before(self) -> None:
        name = "\U0001f600" * 255
        for text in "\n" * 199, "\r\n" * 100, "\u2028a" * 500:
            lines = machat.encode(Publication("a", 1, name, text, "test", 0, 0.0))
            said = sum(map(len, lines)) - 2 * len(lines)
            self.assertGreaterEqual(self.weight(name, text), said - len(text))

    def test_what_a_sender_makes_others_be_sent_is_counted_so(self) -> None:
        broker = LocalBroker(Clock())
        for _ in range(3):
            broker.subscribe("a", MemoryConnection(), words)
        told = broker.publish("a", "ann", "1\n2\n3", origin="test")
        self.assertEqual(told, 3 * (3 + 5 + 2 * 3))


class LeavingTests(SynchronousTestCase):
    """Who leaves and has not read what was said before."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.broker = LocalBroker(self.clock)

    def behind(self, count: int) -> MemoryConnection:
        connection = MemoryConnection(room=1000)
        self.broker.subscribe("a", connection, words)
        for _ in range(count):
            self.broker.publish("a", "ann", TEXT, origin="test")
        self.clock.advance(0)
        self.assertTrue(connection.paused)
        connection.take()
        (place,) = connection.subscriptions
        self.broker.unsubscribe(place)
        return connection

    def test_a_little_is_still_written(self) -> None:
        connection = self.behind(20)
        self.assertIsNone(connection.closed_for)
        self.assertGreaterEqual(connection.written.count(b"ann:"), 1)

    def test_very_much_is_not_and_that_is_said(self) -> None:
        connection = self.behind(200)
        self.assertIs(connection.closed_for, TOO_SLOW)
        self.assertLessEqual(len(connection.written), REST_BYTES)
        self.assertEqual(connection.subscriptions, set())
