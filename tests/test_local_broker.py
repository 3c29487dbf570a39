# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The local broker: the contract, and what is its own."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatmux.broker.channel import WRITE_COST
from chatmux.broker.local import LocalBroker
from chatmux.model import Member, Present, Publication
from tests.broker_contract import BrokerContract, words
from tests.doubles import MemoryConnection, TurnClock, bracketed
from tests.presence_contract import PresenceContract, told


class LocalBrokerTests(BrokerContract, PresenceContract, SynchronousTestCase):
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

    def test_members_have_the_times_of_their_coming_and_speaking(self) -> None:
        broker = LocalBroker(self.clock, now=self.clock.seconds)
        broker.subscribe("room", MemoryConnection(), words, presence=True)
        for source, name, owns in (1, "ann", True), (2, "bob", False), (3, "b", False):
            self.clock.advance(1)
            broker.join("room", Member(name, "test", source, owns, "blue"))
        self.clock.advance(7)
        broker.publish("room", "bob", "hi", origin="test", source=2)
        broker.publish("room", "eve", "hi", origin="test", source=9)
        self.assertEqual(
            broker.members("room"),
            [
                Present("ann", "test", "blue", 1, 1),
                Present("bob", "test", "blue", 2, 10),
                Present("b", "test", "blue", 3, 3),
            ],
        )

    def test_the_last_to_leave_is_announced_to_who_only_watches(self) -> None:
        broker = self.make_broker()
        watcher = MemoryConnection()
        subscription = broker.subscribe("room", watcher, told, presence=True)
        broker.join("room", Member("ann", "test", 1))
        broker.leave("room", 1)
        self.carry()
        self.assertEqual(watcher.written, b"ann:,event=join;ann:,event=leave;")
        broker.unsubscribe(subscription)
        self.assertEqual(len(broker), 0)

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


def text_alone(publication: Publication) -> list[bytes]:
    return [publication.text.encode()]


class TurnTests(SynchronousTestCase):
    """More to write than a turn has time for: here one write in each."""

    def setUp(self) -> None:
        self.clock = TurnClock()
        self.broker = LocalBroker(self.clock, turn_budget=1)
        self.connections = [MemoryConnection() for _ in range(4)]
        self.subscriptions = [
            self.broker.subscribe("a", connection, text_alone)
            for connection in self.connections
        ]

    def publish(self, text: str, channel: str = "a") -> None:
        self.broker.publish(channel, "x", text, origin="test")

    def written(self) -> list[bytes]:
        return [connection.written for connection in self.connections]

    def test_each_turn_writes_to_some(self) -> None:
        self.publish("1")
        for expected in (
            [b"1", b"", b"", b""],
            [b"1", b"1", b"", b""],
            [b"1", b"1", b"1", b""],
            [b"1", b"1", b"1", b"1"],
        ):
            self.clock.turn()
            self.assertEqual(self.written(), expected)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_is_published_meanwhile_comes_behind_it(self) -> None:
        self.publish("1")
        self.clock.turn()
        self.publish("2")
        self.publish("3")
        for _ in range(3):
            self.clock.turn()
        self.assertEqual(self.written(), [b"1", b"1", b"1", b"1"])
        self.clock.turn()
        self.assertEqual(self.written(), [b"123", b"1", b"1", b"1"])

    def test_whoever_leaves_meanwhile_is_written_it_once(self) -> None:
        self.publish("1")
        self.clock.turn()
        for subscription in self.subscriptions[:3]:
            self.broker.unsubscribe(subscription)
        self.assertEqual(self.written(), [b"1", b"1", b"1", b""])
        self.clock.advance(0)
        self.assertEqual(self.written(), [b"1", b"1", b"1", b"1"])

    def test_whoever_pauses_meanwhile_is_written_it_when_it_resumes(self) -> None:
        self.publish("1")
        self.clock.turn()
        for connection in self.connections[:3]:
            connection.fill()
        self.clock.advance(0)
        self.assertEqual(self.written(), [b"1", b"", b"", b"1"])
        self.connections[1].read()
        self.publish("2")
        self.clock.advance(0)
        for connection in self.connections:
            connection.read()
        self.assertEqual(self.written(), [b"12"] * 4)

    def test_whoever_resumes_meanwhile_is_written_it_once(self) -> None:
        self.publish("1")
        self.clock.turn()
        for connection in self.connections:
            connection.fill()
            connection.read()
        self.clock.advance(0)
        self.assertEqual(self.written(), [b"1"] * 4)

    def test_whoever_changes_its_framing_meanwhile_is_written_it_once(self) -> None:
        self.publish("1")
        self.clock.turn()
        for index in (0, 1):
            self.connections[index].framing = bracketed
            self.subscriptions[index].reframe()
        self.publish("2")
        self.clock.advance(0)
        self.assertEqual(self.written(), [b"1<2>", b"<1><2>", b"12", b"12"])

    def test_whoever_comes_meanwhile_is_not_written_it(self) -> None:
        self.publish("1")
        self.clock.turn()
        late = MemoryConnection()
        self.broker.subscribe("a", late, text_alone)
        self.publish("2")
        later = MemoryConnection()
        self.broker.subscribe("a", later, text_alone)
        later.fill()
        later.read()
        self.clock.advance(0)
        self.assertEqual(self.written(), [b"12"] * 4)
        self.assertEqual((late.written, later.written), (b"2", b""))

    def test_a_busy_channel_does_not_hold_up_another(self) -> None:
        other = MemoryConnection()
        self.broker.subscribe("b", other, text_alone)
        self.publish("1")
        self.publish("2", "b")
        turns = 0
        while not other.written:
            self.publish("3")
            self.clock.turn()
            turns += 1
        self.assertEqual(turns, 5)

    def test_a_large_chunk_counts_for_more(self) -> None:
        broker = LocalBroker(self.clock, turn_budget=10 * WRITE_COST)
        connections = [MemoryConnection() for _ in range(30)]
        for connection in connections:
            broker.subscribe("a", connection, text_alone)
        for text, count in ("x", 10), ("x" * 9 * WRITE_COST, 1):
            broker.publish("a", "x", text, origin="test")
            self.clock.turn()
            self.assertEqual(sum(bool(c.take()) for c in connections), count)
            self.clock.advance(0)
            for connection in connections:
                connection.take()

    def test_a_flush_writes_to_all_at_once(self) -> None:
        self.publish("1")
        self.clock.turn()
        self.publish("2")
        self.broker.flush()
        self.assertEqual(self.written(), [b"12"] * 4)

    def test_the_log_is_kept_as_long_as_it_is_needed(self) -> None:
        broker = LocalBroker(self.clock, turn_budget=1, max_log_bytes=1000)
        connections = [MemoryConnection() for _ in range(5)]
        subscriptions = [broker.subscribe("a", c, text_alone) for c in connections]
        broker.publish("a", "x", "1", origin="test")
        self.clock.turn()
        broker.publish("a", "x", "y" * 5000, origin="test")
        broker.unsubscribe(subscriptions[-1])
        self.assertEqual(connections[-1].written, b"1" + b"y" * 5000)

    def test_who_publishes_too_fast_is_slowed_down(self) -> None:
        text = "y" * 1000
        published = waiting = 0
        for _ in range(50):
            for _ in range(100):
                self.publish(text)
                published += len(text)
            self.clock.turn()
            least = min(len(connection.written) for connection in self.connections)
            waiting = max(waiting, published - least)
        self.assertTrue(waiting < 500_000, waiting)

    def test_a_little_may_wait_for_the_next_turns(self) -> None:
        self.publish("y" * 1000)
        self.clock.turn()
        self.assertEqual([len(text) for text in self.written()], [1000, 0, 0, 0])

    def test_what_is_carried_does_not_stay_while_more_is_published(self) -> None:
        (channel,) = self.broker._channels.values()
        for _ in range(50):
            self.publish("y" * 1000)
            self.clock.turn()
        for _ in range(500):
            for _ in range(4):
                self.clock.turn()
            self.publish("y" * 1000)
        kept = channel.last - channel._log.dropped
        self.assertTrue(kept < 300, kept)

    def test_many_stretches_behind_fences_are_carried_at_once(self) -> None:
        for number in range(100):
            self.publish(str(number % 10), "ab"[number % 2])
            self.broker.fence()
        self.assertTrue(len(self.connections[0].written) > 30)
        self.clock.advance(0)
        self.assertEqual(self.written(), [b"02468" * 10] * 4)
