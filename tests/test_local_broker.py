# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The local broker: the contract, and what is its own."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatmux.broker.local import LocalBroker
from chatmux.model import Member
from tests.broker_contract import BrokerContract, words
from tests.doubles import MemoryConnection


class LocalBrokerTests(BrokerContract, SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.reported: list[str] = []

    def make_broker(
        self, bridges: Sequence[Sequence[str]] = (), max_log_bytes: int = 1 << 22
    ) -> LocalBroker:
        return LocalBroker(
            self.clock,
            bridges=bridges,
            max_log_bytes=max_log_bytes,
            on_error=self.reported.append,
        )

    def carry(self) -> None:
        self.clock.advance(0)

    def errors(self) -> int:
        return len(self.reported)

    def test_one_delayed_call_serves_all_channels_of_a_turn(self) -> None:
        broker = self.make_broker()
        for name in "a", "b", "c":
            broker.subscribe(name, MemoryConnection(), words)
            broker.publish(name, "x", "1", origin="test")
            broker.publish(name, "x", "2", origin="test")
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.carry()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_channel_exists_while_somebody_is_there(self) -> None:
        broker = self.make_broker()
        broker.publish("nowhere", "x", "hi", origin="test")
        self.assertEqual(len(broker), 0)
        subscription = broker.subscribe("room", MemoryConnection(), words)
        broker.join("room", Member("ann", "test", 1))
        broker.unsubscribe(subscription)
        self.assertEqual(len(broker), 1)
        broker.leave("room", 1)
        self.assertEqual(len(broker), 0)
        self.assertEqual(broker.members("room"), [])

    def test_a_channel_of_the_too_slow_goes_when_they_have_gone(self) -> None:
        broker = self.make_broker(max_log_bytes=1000)
        slow = MemoryConnection(room=0)
        subscription = broker.subscribe("room", slow, words)
        for _ in range(10):
            broker.publish("room", "x", "." * 400, origin="test")
            self.carry()
        self.assertIsNotNone(slow.closed_for)
        broker.unsubscribe(subscription)
        self.assertEqual(len(broker), 0)

    def test_leaving_in_the_turn_of_a_message_leaves_nothing_behind(self) -> None:
        broker = self.make_broker()
        subscription = broker.subscribe("room", MemoryConnection(), words)
        broker.publish("room", "x", "hi", origin="test")
        broker.unsubscribe(subscription)
        later = MemoryConnection()
        broker.subscribe("room", later, words)
        self.carry()
        self.assertEqual(later.written, b"")
        broker.publish("room", "x", "ho", origin="test")
        self.carry()
        self.assertEqual(later.written, b"x:ho;")

    def test_a_connection_on_two_channels_is_caught_up_on_both(self) -> None:
        broker = self.make_broker()
        slow = MemoryConnection(room=3)
        broker.subscribe("a", slow, words)
        broker.subscribe("b", slow, words)
        for number in range(5):
            broker.publish("a", "a", str(number), origin="test")
            broker.publish("b", "b", str(number), origin="test")
            self.carry()
        for _ in range(20):
            slow.read()
        for name in b"ab":
            mine = [m for m in slow.written.split(b";") if m.startswith(bytes([name]))]
            self.assertEqual(mine, [b"%c:%d" % (name, n) for n in range(5)])
