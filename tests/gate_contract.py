# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What every broker has to do at its gate: whom it lets on a channel, and whom not.

Mixed into a test case as `tests.broker_contract.BrokerContract` is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import ref

from chatmux.errors import ChannelFullError, LockedError, NameTakenError
from chatmux.interfaces import Broker, Entry
from chatmux.model import TOO_SLOW, Member
from tests.broker_contract import broken, words
from tests.doubles import MemoryConnection

OURS = ("den/1", "bar/a", "bar-ws/a", "den/2", "club")
"""The names of a bridge."""


class GateContract:
    """The tests. Mixed into a `SynchronousTestCase`."""

    assertEqual: Any
    assertIs: Any
    assertIsNone: Any
    assertRaises: Any

    def make_gated(
        self,
        bridges: Sequence[Sequence[str]] = (),
        max_members: int = 100,
        max_log_bytes: int = 1 << 22,
    ) -> Broker:
        """Return a new broker."""
        raise NotImplementedError

    def carry(self) -> None:
        """Let all that was published reach its subscribers."""
        raise NotImplementedError

    def test_a_protocol_enters_its_own_channels_alone(self) -> None:
        broker = self.make_gated()
        for channel, protocol in (
            ("den", "den"),
            ("den/1", "den"),
            ("den/", "den"),
            ("den-ws/1", "den"),
            ("den/bar/1", "den"),
            ("den/bar-ws", "den"),
        ):
            broker.enter(channel, protocol)
            self.assertEqual(broker.present(channel, protocol), [])
        for channel, protocol in (
            ("den/1", "bar"),
            ("den/bar", "bar"),
            ("", "bar"),
            ("/bar/1", "bar"),
            ("bars/1", "bar"),
            ("ba/1", "bar"),
            ("Bar/1", "bar"),
            (" bar/1", "bar"),
            ("bar\0/1", "bar"),
            ("b\u0430r/1", "bar"),
            ("bar/1", "bar/1"),
            ("bar-ws/1", "bar-ws"),
        ):
            self.assertRaises(LockedError, broker.enter, channel, protocol)
            self.assertRaises(LockedError, broker.present, channel, protocol)

    def test_a_bridge_is_entered_by_the_names_of_ones_own(self) -> None:
        broker = self.make_gated([OURS])
        entries = [broker.enter(name, name[:3]) for name in OURS[:4]]
        entries.append(broker.enter("club", "club"))
        for name in OURS:
            for protocol in {"den", "bar", "club"} - {name[:3], name}:
                self.assertRaises(LockedError, broker.enter, name, protocol)
                self.assertRaises(LockedError, broker.present, name, protocol)
        heard = MemoryConnection()
        entries[0].subscribe(heard, words)
        for number, entry in enumerate(entries):
            entry.publish("x", str(number), origin="test")
        self.carry()
        self.assertEqual(heard.written, b"x:0;x:1;x:2;x:3;x:4;")
        entries[1].join(Member("ann", "bar", 1))
        for name, protocol in zip(
            OURS, ("den", "bar", "bar", "den", "club"), strict=True
        ):
            names = [one.name for one in broker.present(name, protocol)]
            self.assertEqual(names, ["ann"])

    def test_an_entry_does_all_that_is_done_on_a_channel(self) -> None:
        broker = self.make_gated()
        entry = broker.enter("den/1", "den")
        ann, bob = MemoryConnection(), MemoryConnection()
        entry.subscribe(ann, words, echo=False, presence=True)
        place = entry.subscribe(bob, words)
        member = Member("ann", "den", ann.number)
        entry.join(member)
        self.assertRaises(NameTakenError, entry.join, Member("ANN", "den", bob.number))
        self.assertEqual([one.name for one in entry.members()], ["ann"])
        cost = entry.publish(
            "ann", "hello", origin="den", source=ann.number, ext={"color": "red"}
        )
        self.assertEqual(cost, 16)
        entry.leave(ann.number)
        self.carry()
        self.assertEqual(ann.written, b"")
        self.assertEqual(bob.written, b"ann:;ann:hello;ann:;")
        broker.unsubscribe(place)
        self.assertEqual(entry.members(), [])

    def test_a_lock_lets_in_who_has_the_key(self) -> None:
        broker = self.make_gated()
        key, shown = object(), []

        def opens(one: object) -> bool:
            shown.append(one)
            return one is key

        broker.lock("den/1", opens)
        for wrong in None, object(), "key", True, opens:
            self.assertRaises(LockedError, broker.enter, "den/1", "den", wrong)
        self.assertRaises(LockedError, broker.enter, "den/1", "den")
        broker.enter("den/1", "den", key).publish("x", "hi", origin="den")
        self.assertEqual(len(shown), 7)
        # Nor is another's key even looked at.
        self.assertRaises(LockedError, broker.enter, "den/1", "bar", key)
        self.assertEqual(len(shown), 7)
        # It is the one channel that is locked.
        for name in "den/2", "den", "den/", "den/1/", "den/01", "den/1\0", "den-ws/1":
            broker.enter(name, "den")

    def test_a_key_opens_as_long_as_the_lock_says_so(self) -> None:
        broker = self.make_gated()
        good = {"old"}
        broker.lock("den/1", lambda key: key in good)
        broker.enter("den/1", "den", "old")
        good.clear()
        self.assertRaises(LockedError, broker.enter, "den/1", "den", "old")
        broker.lock("den/1", lambda key: key == "new")
        good.add("old")
        self.assertRaises(LockedError, broker.enter, "den/1", "den", "old")
        broker.enter("den/1", "den", "new")
        broker.unlock("den/1")
        broker.unlock("den/1")
        broker.enter("den/1", "den")

    def test_a_lock_holds_by_every_name_of_a_bridge(self) -> None:
        for locked in OURS:
            broker = self.make_gated([("x/1", "x/2"), OURS])
            broker.lock(locked, lambda key: key == "sesame")
            for name, protocol in ("bar/a", "bar"), ("den/2", "den"), ("club", "club"):
                self.assertRaises(LockedError, broker.enter, name, protocol)
                broker.enter(name, protocol, "sesame")
            broker.enter("x/1", "x")
            broker.unlock(locked)
            broker.enter("club", "club")

    def test_a_name_of_a_bridge_does_not_take_anothers_lock_away(self) -> None:
        broker = self.make_gated([OURS])
        broker.lock("den/2", lambda key: key == "two")
        broker.unlock("den/1")
        broker.unlock("bar/a")
        self.assertRaises(LockedError, broker.enter, "bar/a", "bar")
        broker.lock("den/1", lambda key: key in ("one", "both"))
        for key in None, "one", "two", "both":
            self.assertRaises(LockedError, broker.enter, "den/1", "den", key)
        broker.unlock("den/2")
        broker.enter("den/2", "den", "both")
        self.assertRaises(LockedError, broker.enter, "bar/a", "bar")
        broker.unlock("den/1")
        broker.enter("bar/a", "bar")

    def test_who_is_in_stays_in_when_a_lock_is_set(self) -> None:
        broker = self.make_gated([OURS])
        entry = broker.enter("bar/a", "bar")
        inside = MemoryConnection()
        place = entry.subscribe(inside, words)
        entry.join(Member("ann", "bar", inside.number))
        broker.lock("den/1", lambda key: False)
        entry.publish("ann", "still here", origin="bar")
        self.carry()
        self.assertEqual(inside.written, b"ann:still here;")
        self.assertRaises(LockedError, broker.enter, "bar/a", "bar")
        # Nor does the lock go with the last of them.
        entry.leave(inside.number)
        broker.unsubscribe(place)
        self.assertRaises(LockedError, broker.enter, "bar/a", "bar")

    def test_who_may_know_sees_who_is_behind_a_lock(self) -> None:
        broker = self.make_gated()
        broker.lock("den/1", lambda key: key == 1)
        broker.enter("den/1", "den", 1).join(Member("ann", "den", 1))
        self.assertEqual([one.name for one in broker.present("den/1", "den")], ["ann"])
        self.assertRaises(LockedError, broker.present, "den/1", "bar")

    def test_a_full_channel_lets_nobody_in_until_somebody_has_left(self) -> None:
        broker = self.make_gated([OURS], max_members=2)
        first, _ = (
            broker.enter("den/1", "den").subscribe(MemoryConnection(), words)
            for _ in range(2)
        )
        for name, protocol in ("bar/a", "bar"), ("den/2", "den"), ("club", "club"):
            self.assertRaises(ChannelFullError, broker.enter, name, protocol)
        broker.enter("den/3", "den")
        broker.unsubscribe(first)
        broker.unsubscribe(first)
        broker.enter("bar/a", "bar").subscribe(MemoryConnection(), words)
        self.assertRaises(ChannelFullError, broker.enter, "den/1", "den")
        # Who may not come in is not told that it is full.
        broker.lock("den/1", lambda key: key == 1)
        self.assertRaises(LockedError, broker.enter, "bar/a", "bar")
        self.assertRaises(ChannelFullError, broker.enter, "bar/a", "bar", 1)

    def test_to_be_there_and_not_to_listen_takes_no_place(self) -> None:
        broker = self.make_gated(max_members=1)
        entry = broker.enter("den/1", "den")
        entry.join(Member("ann", "den", 1))
        entry.join(Member("bob", "den", 2))
        broker.enter("den/1", "den")

    def test_whoever_is_closed_gives_the_place_back(self) -> None:
        broker = self.make_gated(max_members=2, max_log_bytes=10_000)
        entry = broker.enter("den/1", "den")
        slow, failing = MemoryConnection(room=0), MemoryConnection()
        place = entry.subscribe(slow, words)
        entry.subscribe(failing, broken)
        self.assertRaises(ChannelFullError, broker.enter, "den/1", "den")
        entry.publish("x", "poison", origin="test")
        self.carry()
        broker.enter("den/1", "den").subscribe(MemoryConnection(), words)
        self.assertRaises(ChannelFullError, broker.enter, "den/1", "den")
        for _ in range(100):
            entry.publish("x", "." * 500, origin="test")
            self.carry()
        self.assertEqual(slow.closed_for, TOO_SLOW)
        broker.enter("den/1", "den").subscribe(MemoryConnection(), words)
        self.assertRaises(ChannelFullError, broker.enter, "den/1", "den")
        # It has left already: that is no other's place.
        broker.unsubscribe(place)
        self.assertRaises(ChannelFullError, broker.enter, "den/1", "den")

    def test_an_entry_is_good_for_a_channel_that_was_made_anew(self) -> None:
        broker = self.make_gated([OURS])
        entry = broker.enter("bar/a", "bar")
        place = entry.subscribe(MemoryConnection(), words)
        broker.unsubscribe(place)
        entry.publish("x", "to nobody", origin="bar")
        later, again = MemoryConnection(), MemoryConnection()
        broker.enter("den/2", "den").subscribe(later, words)
        entry.subscribe(again, words)
        entry.publish("x", "hi", origin="bar")
        self.carry()
        self.assertEqual((later.written, again.written), (b"x:hi;",) * 2)

    def test_entries_are_shared_by_all_who_are_in_and_go_with_them(self) -> None:
        broker = self.make_gated([OURS])
        entry: Entry | None = broker.enter("den/1", "den")
        self.assertIs(broker.enter("bar/a", "bar"), entry)
        gone = ref(entry)
        place = broker.enter("den/1", "den").subscribe(MemoryConnection(), words)
        broker.unsubscribe(place)
        del entry
        self.assertIsNone(gone())
        broker.enter("den/1", "den")
