# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What every broker has to do, whatever carries its messages.

A test case of an implementation derives from `BrokerContract` and says how to make the
broker and how to let time pass until what was published is carried.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chatmux.errors import NameTakenError
from chatmux.interfaces import Broker
from chatmux.model import INTERNAL_ERROR, TOO_SLOW, Member, Publication
from tests.doubles import MemoryConnection, bracketed


def words(publication: Publication) -> list[bytes]:
    """Encode a publication as one message."""
    return [f"{publication.name}:{publication.text};".encode()]


def shouts(publication: Publication) -> list[bytes]:
    """Encode it in another form."""
    return [f"{publication.name}!{publication.text.upper()};".encode()]


def letters(publication: Publication) -> list[bytes]:
    """Encode it as a message for each letter, none for an empty text."""
    return [letter.encode() for letter in publication.text]


def broken(publication: Publication) -> list[bytes]:
    """Fail for one text."""
    if publication.text == "poison":
        raise ValueError("a bug in an encoding")
    return words(publication)


class BrokerContract:
    """The tests. Mixed into a `SynchronousTestCase`."""

    assertEqual: Any
    assertRaises: Any
    assertTrue: Any

    def make_broker(
        self, bridges: Sequence[Sequence[str]] = (), max_log_bytes: int = 1 << 22
    ) -> Broker:
        """Return a new broker."""
        raise NotImplementedError

    def carry(self) -> None:
        """Let all that was published reach its subscribers."""
        raise NotImplementedError

    def errors(self) -> int:
        """Return how often the broker has reported an error."""
        raise NotImplementedError

    def test_all_subscribers_get_one_order(self) -> None:
        broker = self.make_broker()
        ann, bob = MemoryConnection(), MemoryConnection(bracketed)
        broker.subscribe("room", ann, words)
        broker.subscribe("room", bob, shouts)
        for text in "one", "two":
            broker.publish("room", "x", text, origin="test")
        self.carry()
        broker.publish("room", "y", "three", origin="test")
        self.carry()
        self.assertEqual(ann.written, b"x:one;x:two;y:three;")
        self.assertEqual(bob.written, b"<x!ONE;><x!TWO;><y!THREE;>")

    def test_a_fence_keeps_an_order_across_channels(self) -> None:
        broker = self.make_broker()
        connection = MemoryConnection()
        for channel in "ab":
            broker.subscribe(channel, connection, words)
        for channel, text in ("a", "1"), ("b", "2"), ("b", "3"), ("a", "4"):
            broker.publish(channel, "x", text, origin="test")
            broker.fence()
        self.carry()
        self.assertEqual(connection.written, b"x:1;x:2;x:3;x:4;")

    def test_a_flush_needs_no_turn(self) -> None:
        broker = self.make_broker()
        connection = MemoryConnection()
        broker.subscribe("a", connection, words)
        broker.publish("a", "x", "1", origin="test")
        broker.flush()
        self.assertEqual(connection.written, b"x:1;")
        broker.publish("a", "x", "2", origin="test")
        self.carry()
        self.assertEqual(connection.written, b"x:1;x:2;")

    def test_a_turn_is_one_write(self) -> None:
        broker = self.make_broker()
        ann = MemoryConnection()
        broker.subscribe("room", ann, words)
        for text in "one", "two", "three":
            broker.publish("room", "x", text, origin="test")
        self.assertEqual(ann.chunks, [])
        self.carry()
        self.assertEqual(ann.chunks, [b"x:one;x:two;x:three;"])

    def test_an_encoding_runs_once_for_a_group(self) -> None:
        calls = []

        def counted(publication: Publication) -> list[bytes]:
            calls.append(publication.text)
            return words(publication)

        broker = self.make_broker()
        peers = [MemoryConnection() for _ in range(50)]
        for peer in peers:
            broker.subscribe("room", peer, counted, echo=False)
        broker.publish("room", "x", "hi", origin="test", source=peers[0].number)
        self.carry()
        self.assertEqual(calls, ["hi"])
        self.assertEqual(peers[0].written, b"")
        self.assertEqual({peer.written for peer in peers[1:]}, {b"x:hi;"})

    def test_an_encoding_may_make_several_messages_or_none(self) -> None:
        broker = self.make_broker()
        ann = MemoryConnection(bracketed)
        broker.subscribe("room", ann, letters)
        for text in "ab", "", "c":
            broker.publish("room", "x", text, origin="test")
        self.carry()
        self.assertEqual(ann.written, b"<a><b><c>")

    def test_whoever_does_not_want_an_echo_gets_all_but_its_own(self) -> None:
        broker = self.make_broker()
        peers = [MemoryConnection(bracketed) for _ in range(4)]
        for peer in peers[:3]:
            broker.subscribe("room", peer, words, echo=False)
        broker.subscribe("room", peers[3], words, echo=True)
        for index in 0, 1, 0, 2, 2, 3, 1:
            number = peers[index].number
            broker.publish("room", str(index), "", origin="test", source=number)
        self.carry()
        everything = b"<0:;><1:;><0:;><2:;><2:;><3:;><1:;>"
        for index, peer in enumerate(peers[:3]):
            own = f"<{index}:;>".encode()
            self.assertEqual(peer.written, everything.replace(own, b""))
        self.assertEqual(peers[3].written, everything)

    def test_a_subscriber_gets_nothing_from_before_it_came(self) -> None:
        broker = self.make_broker()
        ann, bob = MemoryConnection(), MemoryConnection()
        broker.subscribe("room", ann, words)
        broker.publish("room", "x", "before", origin="test")
        broker.subscribe("room", bob, words)
        broker.publish("room", "x", "after", origin="test")
        self.carry()
        broker.publish("room", "x", "later", origin="test")
        self.carry()
        self.assertEqual(ann.written, b"x:before;x:after;x:later;")
        self.assertEqual(bob.written, b"x:after;x:later;")

    def test_a_subscriber_gets_all_from_before_it_left(self) -> None:
        broker = self.make_broker()
        ann = MemoryConnection()
        subscription = broker.subscribe("room", ann, words)
        broker.publish("room", "x", "before", origin="test")
        broker.unsubscribe(subscription)
        broker.publish("room", "x", "after", origin="test")
        self.carry()
        self.assertEqual(ann.written, b"x:before;")
        broker.unsubscribe(subscription)
        self.assertEqual(ann.subscriptions, set())

    def test_names_of_a_bridge_are_one_channel(self) -> None:
        broker = self.make_broker(bridges=[["a", "b/1", "c"], ["d", "e"]])
        ann, bob, eve = MemoryConnection(), MemoryConnection(), MemoryConnection()
        broker.subscribe("a", ann, words)
        broker.subscribe("c", bob, words)
        broker.subscribe("d", eve, words)
        broker.publish("b/1", "x", "hi", origin="test")
        self.carry()
        self.assertEqual(ann.written, b"x:hi;")
        self.assertEqual(bob.written, b"x:hi;")
        self.assertEqual(eve.written, b"")

    def test_a_slow_reader_is_skipped_and_caught_up(self) -> None:
        broker = self.make_broker()
        ann, slow = MemoryConnection(), MemoryConnection(room=10)
        broker.subscribe("room", ann, words)
        broker.subscribe("room", slow, words)
        for number in range(20):
            broker.publish("room", "x", str(number), origin="test")
            self.carry()
        self.assertTrue(slow.paused)
        self.assertTrue(len(slow.chunks) < 5)
        slow.read()
        self.assertEqual(slow.written, ann.written)
        broker.publish("room", "x", "on", origin="test")
        self.carry()
        self.assertEqual(slow.written, ann.written)

    def test_a_reader_that_the_log_moved_past_is_closed(self) -> None:
        broker = self.make_broker(max_log_bytes=10_000)
        ann, slow = MemoryConnection(), MemoryConnection(room=0)
        broker.subscribe("room", ann, words)
        broker.subscribe("room", slow, words)
        for number in range(100):
            broker.publish("room", "x", str(number) + "." * 500, origin="test")
            self.carry()
        self.assertEqual(slow.closed_for, TOO_SLOW)
        self.assertEqual(slow.subscriptions, set())
        self.assertEqual(ann.closed_for, None)
        self.assertEqual(ann.written.count(b"x:"), 100)
        self.assertEqual(slow.written.count(b"x:"), 1)

    def test_a_message_larger_than_the_log_reaches_all_who_read(self) -> None:
        broker = self.make_broker(max_log_bytes=1000)
        ann, bob = MemoryConnection(), MemoryConnection(room=10)
        broker.subscribe("room", ann, words)
        broker.subscribe("room", bob, words)
        text = "x" * 300_000
        for _ in range(3):
            broker.publish("room", "x", text, origin="test")
            self.carry()
            bob.read()
        self.assertEqual(ann.written, f"x:{text};".encode() * 3)
        self.assertEqual(bob.written, ann.written)

    def test_a_large_batch_pauses_a_reader_in_its_middle(self) -> None:
        broker = self.make_broker()
        ann, slow = MemoryConnection(), MemoryConnection(room=1000)
        broker.subscribe("room", ann, words)
        broker.subscribe("room", slow, words)
        for number in range(30):
            broker.publish("room", str(number), "." * 60_000, origin="test")
        self.carry()
        self.assertTrue(len(slow.written) < 300_000)
        slow.read()
        self.assertEqual(slow.written, ann.written)

    def test_a_change_of_framing_counts_from_the_next_write(self) -> None:
        broker = self.make_broker()
        ann, bob = MemoryConnection(), MemoryConnection()
        subscription = broker.subscribe("room", ann, words)
        broker.subscribe("room", bob, words)
        broker.publish("room", "x", "1", origin="test")
        self.carry()
        ann.framing = bracketed
        subscription.reframe()
        broker.publish("room", "x", "2", origin="test")
        self.carry()
        self.assertEqual(ann.written, b"x:1;<x:2;>")
        self.assertEqual(bob.written, b"x:1;x:2;")

    def test_a_broken_encoding_closes_its_own_readers_only(self) -> None:
        broker = self.make_broker()
        ann, bob = MemoryConnection(), MemoryConnection()
        broker.subscribe("room", ann, broken)
        broker.subscribe("room", bob, words)
        for text in "well", "poison", "after":
            broker.publish("room", "x", text, origin="test")
            self.carry()
        self.assertEqual(ann.closed_for, INTERNAL_ERROR)
        self.assertEqual(ann.written, b"x:well;")
        self.assertEqual(bob.written, b"x:well;x:poison;x:after;")
        self.assertEqual(self.errors(), 1)

    def test_a_broken_encoding_closes_who_is_caught_up_or_leaves(self) -> None:
        broker = self.make_broker()
        slow, leaving, bob = (
            MemoryConnection(room=0),
            MemoryConnection(),
            MemoryConnection(),
        )
        broker.subscribe("room", slow, broken)
        broker.subscribe("room", bob, words)
        broker.publish("room", "x", "first", origin="test")
        self.carry()
        broker.publish("room", "x", "poison", origin="test")
        self.carry()
        slow.read()
        self.assertEqual(slow.closed_for, INTERNAL_ERROR)
        subscription = broker.subscribe("room", leaving, broken)
        broker.publish("room", "x", "poison", origin="test")
        broker.unsubscribe(subscription)
        self.assertEqual(leaving.closed_for, INTERNAL_ERROR)
        broker.publish("room", "x", "after", origin="test")
        self.carry()
        self.assertTrue(bob.written.endswith(b"x:after;"))
        self.assertEqual(self.errors(), 2)

    def test_a_name_is_held_once_in_a_bridge(self) -> None:
        broker = self.make_broker(bridges=[["a", "b"]])
        ann = Member("Ann", "one", 1)
        broker.join("a", ann)
        error = self.assertRaises(
            NameTakenError, broker.join, "b", Member("ann", "two", 2)
        )
        self.assertEqual(error.holder, ann)
        broker.join("b", Member("bob", "two", 2))
        self.assertEqual([m.name for m in broker.members("a")], ["Ann", "bob"])
        broker.leave("b", 1)
        broker.join("b", Member("ANN", "two", 3))
        self.assertEqual([m.name for m in broker.members("b")], ["bob", "ANN"])

    def test_a_free_name_that_a_member_holds_is_marked(self) -> None:
        seen: list[Publication] = []

        def record(publication: Publication) -> list[bytes]:
            seen.append(publication)
            return []

        broker = self.make_broker()
        broker.subscribe("room", MemoryConnection(), record)
        broker.join("room", Member("Bob", "rooms", 7))
        broker.join("room", Member("bob_ (relay)", "rooms", 8))
        for name, source in ("Bob", 7), ("BOB", 9), ("bob:", 9), ("ann", 9):
            broker.publish("room", name, "", origin="relay", source=source)
        broker.publish("room", "Bob", "", origin="relay", ext={"colour": "red"})
        self.carry()
        self.assertEqual([p.name for p in seen], ["Bob", "BOB", "bob:", "ann", "Bob"])
        self.assertEqual(
            [p.ext for p in seen],
            [
                None,
                {"shown": "BOB (relay)"},
                None,
                None,
                {"colour": "red", "shown": "Bob (relay)"},
            ],
        )

    def test_numbers_of_connections_are_never_given_twice(self) -> None:
        broker = self.make_broker()
        numbers = [broker.new_number() for _ in range(100)]
        self.assertEqual(len(set(numbers)), 100)
        self.assertTrue(min(numbers) > 0)

    def test_publications_say_where_they_come_from(self) -> None:
        seen: list[Publication] = []

        def record(publication: Publication) -> list[bytes]:
            seen.append(publication)
            return []

        broker = self.make_broker(bridges=[["main", "other"]])
        broker.subscribe("other", MemoryConnection(), record)
        broker.publish("other", "ann", "hi", origin="relay", source=5)
        broker.publish("main", "bob", "ho", origin="rooms")
        self.carry()
        self.assertEqual(
            [(p.channel, p.seq, p.name, p.text, p.origin, p.source) for p in seen],
            [
                ("main", 1, "ann", "hi", "relay", 5),
                ("main", 2, "bob", "ho", "rooms", 0),
            ],
        )
