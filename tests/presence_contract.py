# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What every broker has to tell of comings and goings.

Mixed into the test case of an implementation, as `tests.broker_contract` is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chatmux.errors import NameTakenError
from chatmux.interfaces import Broker
from chatmux.model import INTERNAL_ERROR, TOO_SLOW, Member, Publication
from tests.doubles import MemoryConnection

ANN = Member("ann", "rooms", 901, color="red")
BOB = Member("bob", "relay", 902, owns_name=False)
BOB_AGAIN = Member("Bob", "relay", 903, owns_name=False)


def told(publication: Publication) -> list[bytes]:
    """Encode all that there is of a publication but its time and channel."""
    ext = publication.ext or {}
    more = "".join(f",{key}={ext[key]}" for key in sorted(ext))
    return [f"{publication.name}:{publication.text}{more};".encode()]


def said(publication: Publication) -> list[bytes]:
    """Encode what was said, and nothing of who comes and goes."""
    return [] if publication.ext and "event" in publication.ext else told(publication)


def told_until_ann(publication: Publication) -> list[bytes]:
    """Fail when Ann comes or goes."""
    if publication.name == "ann":
        raise ValueError("a bug in an encoding")
    return told(publication)


class PresenceContract:
    """The tests. Mixed into a `SynchronousTestCase`."""

    assertEqual: Any
    assertFalse: Any
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

    def watched(self, broker: Broker) -> bool:
        """Say whether what happens in the room is published."""
        connection = MemoryConnection()
        subscription = broker.subscribe("room", connection, told)
        self.carry()
        broker.join("room", Member("probe", "rooms", 999))
        broker.leave("room", 999)
        broker.unsubscribe(subscription)
        self.carry()
        if not connection.written:
            return False
        self.assertEqual(connection.written, b"probe:,event=join;probe:,event=leave;")
        return True

    def test_whoever_wants_to_know_is_told_who_comes_and_goes(self) -> None:
        broker = self.make_broker()
        seen: list[Publication] = []

        def record(publication: Publication) -> list[bytes]:
            seen.append(publication)
            return []

        broker.subscribe("room", MemoryConnection(), record, presence=True)
        broker.join("room", ANN)
        broker.join("room", BOB)
        broker.leave("room", ANN.source)
        broker.leave("room", BOB.source)
        self.carry()
        self.assertEqual(
            [(p.seq, p.name, p.text, p.origin, p.source, p.ext) for p in seen],
            [
                (1, "ann", "", "rooms", 901, {"event": "join", "color": "red"}),
                (2, "bob", "", "relay", 902, {"event": "join"}),
                (3, "ann", "", "rooms", 901, {"event": "leave", "color": "red"}),
                (4, "bob", "", "relay", 902, {"event": "leave"}),
            ],
        )

    def test_comings_and_goings_have_their_place_in_the_order(self) -> None:
        broker = self.make_broker()
        watcher, listener = MemoryConnection(), MemoryConnection()
        broker.subscribe("room", watcher, told, presence=True)
        broker.subscribe("room", listener, said)
        broker.publish("room", "eve", "1", origin="relay")
        broker.join("room", BOB)
        broker.publish("room", "bob", "2", origin="relay", source=BOB.source)
        broker.leave("room", BOB.source)
        broker.publish("room", "eve", "3", origin="relay")
        self.carry()
        self.assertEqual(
            watcher.written, b"eve:1;bob:,event=join;bob:2;bob:,event=leave;eve:3;"
        )
        self.assertEqual(listener.written, b"eve:1;bob:2;eve:3;")

    def test_nothing_is_published_where_nobody_wants_to_know(self) -> None:
        broker = self.make_broker()
        listener = MemoryConnection()
        broker.subscribe("room", listener, told)
        broker.subscribe("other", MemoryConnection(), told, presence=True)
        for member in ANN, BOB, BOB_AGAIN:
            broker.join("room", member)
        for member in ANN, BOB, BOB_AGAIN:
            broker.leave("room", member.source)
        self.carry()
        self.assertEqual(listener.written, b"")

    def test_who_is_there_already_is_not_announced(self) -> None:
        broker = self.make_broker()
        broker.join("room", ANN)
        watcher = MemoryConnection()
        broker.subscribe("room", watcher, told, presence=True)
        broker.join("room", ANN)
        self.carry()
        self.assertEqual(watcher.written, b"")
        self.assertEqual([m.name for m in broker.members("room")], ["ann"])

    def test_who_shares_a_name_comes_with_the_first_and_goes_with_the_last(
        self,
    ) -> None:
        broker = self.make_broker()
        watcher = MemoryConnection()
        broker.subscribe("room", watcher, told, presence=True)
        broker.join("room", BOB)
        broker.join("room", BOB_AGAIN)
        broker.leave("room", BOB.source)
        self.carry()
        self.assertEqual(watcher.take(), b"bob:,event=join;")
        broker.leave("room", BOB.source)
        broker.leave("room", BOB_AGAIN.source)
        self.carry()
        self.assertEqual(watcher.take(), b"bob:,event=leave;")

    def test_who_is_refused_is_not_announced(self) -> None:
        broker = self.make_broker()
        watcher = MemoryConnection()
        broker.join("room", ANN)
        broker.subscribe("room", watcher, told, presence=True)
        other = Member("ANN", "lines", 904)
        self.assertRaises(NameTakenError, broker.join, "room", other)
        broker.leave("room", 904)
        self.carry()
        self.assertEqual(watcher.written, b"")
        self.assertEqual([m.name for m in broker.members("room")], ["ann"])

    def test_who_comes_by_a_members_name_is_shown_as_somebody_else(self) -> None:
        broker = self.make_broker()
        watcher = MemoryConnection()
        broker.subscribe("room", watcher, told, presence=True)
        broker.join("room", Member("Bob", "rooms", 904))
        broker.join("room", BOB)
        broker.leave("room", 904)
        self.carry()
        self.assertEqual(
            watcher.written,
            b"Bob:,event=join;bob:,event=join,shown=bob (relay);Bob:,event=leave;",
        )
        self.assertEqual([m.name for m in broker.members("room")], ["bob"])

    def test_whoever_wants_no_echo_is_not_told_of_itself(self) -> None:
        broker = self.make_broker()
        watcher = MemoryConnection()
        broker.subscribe("room", watcher, told, echo=False, presence=True)
        broker.join("room", Member("eve", "rooms", watcher.number))
        broker.join("room", BOB)
        broker.leave("room", watcher.number)
        self.carry()
        self.assertEqual(watcher.written, b"bob:,event=join;")

    def test_a_bridge_is_watched_by_any_of_its_names(self) -> None:
        broker = self.make_broker(bridges=[["room", "b/1"]])
        watcher = MemoryConnection()
        broker.subscribe("b/1", watcher, told, presence=True)
        broker.join("room", BOB)
        broker.leave("b/1", BOB.source)
        self.carry()
        self.assertEqual(watcher.written, b"bob:,event=join;bob:,event=leave;")
        self.assertEqual(
            [broker.is_bridged(name) for name in ("room", "b/1", "b/2", "")],
            [True, True, False, False],
        )

    def test_nobody_watches_any_more_when_the_last_has_left(self) -> None:
        for rest in True, False:
            broker = self.make_broker()
            first, second = (
                broker.subscribe("room", MemoryConnection(), told, presence=True)
                for _ in range(2)
            )
            broker.unsubscribe(first, rest=rest)
            broker.unsubscribe(first, rest=rest)
            self.assertTrue(self.watched(broker))
            broker.unsubscribe(second, rest=rest)
            broker.join("room", BOB)
            self.assertFalse(self.watched(broker))

    def test_nobody_watches_any_more_who_was_too_slow(self) -> None:
        broker = self.make_broker(max_log_bytes=10_000)
        slow = MemoryConnection(room=0)
        subscription = broker.subscribe("room", slow, told, presence=True)
        for _ in range(100):
            broker.publish("room", "x", "." * 500, origin="test")
            self.carry()
        self.assertEqual(slow.closed_for, TOO_SLOW)
        broker.unsubscribe(subscription)
        broker.join("room", BOB)
        self.assertFalse(self.watched(broker))

    def test_nobody_watches_any_more_whose_encoding_has_failed(self) -> None:
        broker = self.make_broker()
        ready, slow = MemoryConnection(), MemoryConnection(room=0)
        for connection in ready, slow:
            broker.subscribe("room", connection, told_until_ann, presence=True)
        broker.join("room", BOB)
        self.carry()
        broker.join("room", ANN)
        self.carry()
        self.assertEqual(ready.closed_for, INTERNAL_ERROR)
        slow.read()
        self.assertEqual(slow.closed_for, INTERNAL_ERROR)
        self.assertFalse(self.watched(broker))

    def test_nobody_watches_any_more_whose_encoding_fails_at_the_end(self) -> None:
        broker = self.make_broker()
        leaving = MemoryConnection()
        subscription = broker.subscribe("room", leaving, told_until_ann, presence=True)
        broker.join("room", ANN)
        broker.unsubscribe(subscription)
        self.assertEqual(leaving.closed_for, INTERNAL_ERROR)
        broker.unsubscribe(subscription)
        self.assertFalse(self.watched(broker))
