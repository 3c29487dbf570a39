# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Who is on a channel, and how they are shown there."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from chatmux.broker.presence import Presence
from chatmux.errors import NameTakenError
from chatmux.model import Member, Present
from chatmux.text import name_fault
from tests.profiles import examples


def owner(name: str, source: int, origin: str = "machat", color: str = "") -> Member:
    return Member(name, origin, source, color=color)


def sharer(name: str, source: int, origin: str = "multichat") -> Member:
    return Member(name, origin, source, owns_name=False)


class PresenceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.presence = Presence()

    def join(self, *members: Member) -> list[bool]:
        """Let some come, one a second by their sources; return who is new."""
        return [self.presence.join(one, float(one.source)) for one in members]

    def leave(self, *sources: int) -> list[str | None]:
        """Let some go; return the names of those who are gone."""
        gone = [self.presence.leave(source) for source in sources]
        return [None if member is None else member.name for member in gone]

    def names(self) -> list[str]:
        return [member.name for member in self.presence.members()]

    def shown(self, name: str, source: int = 99, origin: str = "multichat") -> str:
        shown = self.presence.shown(name, origin, source, 0.0)
        return name if shown is None else shown

    def test_nobody_is_there_at_first(self) -> None:
        self.assertEqual(self.names(), [])
        self.assertFalse(self.presence)
        self.assertEqual(self.leave(1), [None])

    def test_all_that_is_known_of_somebody_is_told(self) -> None:
        self.join(owner("ann", 1, "globes", "red"), sharer("bob", 2))
        self.assertEqual(
            self.presence.members(),
            [
                Present("ann", "globes", "red", 1.0, 1.0),
                Present("bob", "multichat", "", 2.0, 2.0),
            ],
        )

    def test_who_comes_again_is_not_new(self) -> None:
        self.assertEqual(self.join(owner("ann", 1), owner("ann", 1)), [True, False])
        self.assertEqual(self.join(sharer("bob", 2), sharer("bob", 2)), [True, False])
        # Whoever is here already keeps the name.
        self.assertEqual(self.join(owner("eve", 1), sharer("eve", 2)), [False, False])
        self.assertEqual(self.names(), ["ann", "bob"])
        self.assertEqual(self.leave(1, 1, 2, 2), ["ann", None, "bob", None])
        self.assertFalse(self.presence)

    def test_an_owned_name_is_owned_by_one(self) -> None:
        ann = owner("Ann", 1)
        self.join(ann)
        for name in "Ann", "ann", "ANN", " ann", "\uff21nn":
            taken = owner(name, 2, "globes")
            error = self.assertRaises(NameTakenError, self.presence.join, taken, 0.0)
            self.assertEqual(error.holder, ann)
        self.assertEqual(self.names(), ["Ann"])
        self.assertEqual(self.leave(2, 1), [None, "Ann"])
        self.assertEqual(self.join(owner("ann", 2, "globes")), [True])

    def test_a_shared_name_is_one_member_until_the_last_has_gone(self) -> None:
        coming = sharer("bob", 1), sharer("Bob", 2), sharer(" BOB", 3)
        self.assertEqual(self.join(*coming), [True, False, False])
        self.assertEqual(self.names(), ["bob"])
        self.assertEqual(self.leave(2, 1, 3), [None, None, "bob"])
        self.assertFalse(self.presence)

    def test_the_same_shared_name_of_another_protocol_is_somebody_else(self) -> None:
        coming = sharer("bob", 1), sharer("bob", 2, "webtalk")
        self.assertEqual(self.join(*coming), [True, True])
        self.assertEqual(self.names(), ["bob", "bob"])
        self.assertEqual(self.leave(1), ["bob"])
        self.assertEqual([m.origin for m in self.presence.members()], ["webtalk"])

    def test_a_shared_name_is_nobodys_to_hold(self) -> None:
        self.join(sharer("bob", 1))
        self.assertEqual(self.join(owner("bob", 2)), [True])
        self.assertEqual(self.join(sharer("bob", 3)), [False])
        self.assertEqual(self.names(), ["bob (multichat)", "bob"])
        self.assertEqual(self.leave(2), ["bob"])
        self.assertEqual(self.names(), ["bob"])

    def test_a_name_of_brackets_is_not_free_if_it_is_owned(self) -> None:
        self.join(owner("bob", 1), owner("Bob (Multichat)", 2), sharer("bob", 3))
        self.assertEqual(self.names()[2], "bob (multichat) (multichat)")
        self.assertEqual(self.shown("BOB"), "BOB (multichat) (multichat)")

    def test_a_shared_name_is_shown_as_others_can_show_it(self) -> None:
        self.join(
            sharer("a:b\n", 1), sharer("", 2), owner("_", 3), sharer("x" * 999, 4)
        )
        self.assertEqual(self.names(), ["a_b_", "_ (multichat)", "_", "x" * 255])

    def test_the_order_is_that_of_the_coming_whoever_has_gone_since(self) -> None:
        self.join(sharer("bob", 1), owner("ann", 2), sharer("bob", 3), owner("eve", 4))
        self.leave(1)
        self.assertEqual(self.names(), ["bob", "ann", "eve"])
        self.leave(3)
        self.join(sharer("bob", 5))
        self.assertEqual(self.names(), ["ann", "eve", "bob"])
        self.assertEqual([m.since for m in self.presence.members()], [2.0, 4.0, 5.0])

    def test_whoever_speaks_is_active_by_it(self) -> None:
        self.join(owner("ann", 1), sharer("bob", 2), sharer("bob", 3))
        self.presence.shown("ann", "machat", 1, 10.0)
        self.presence.shown("bob", "multichat", 3, 11.0)
        self.presence.shown("eve", "multichat", 9, 12.0)
        times = [(m.since, m.active) for m in self.presence.members()]
        self.assertEqual(times, [(1.0, 10.0), (2.0, 11.0)])

    def test_a_speaker_is_marked_while_the_name_is_somebody_elses(self) -> None:
        self.join(sharer("bob", 1))
        self.assertEqual(self.shown("bob", 1), "bob")
        self.join(owner("Bob", 2))
        self.assertEqual(self.shown("bob", 1), "bob (multichat)")
        self.assertEqual(self.shown("bob"), "bob (multichat)")
        self.assertEqual(self.shown("Bob", 2, "machat"), "Bob")
        self.assertEqual(self.shown("bobby"), "bobby")
        self.leave(2)
        self.assertEqual(self.shown("bob", 1), "bob")


names = st.sampled_from(("a", "A", "b", "b (two)", "", "a:"))
origins = st.sampled_from(("one", "two"))
sources = st.integers(1, 6)


class PresenceMachine(RuleBasedStateMachine):
    """Against a list of connections, in the order of their coming."""

    def __init__(self) -> None:
        super().__init__()
        self.presence = Presence()
        self.now = 0.0
        self.connections: list[Member] = []
        self.order: list[tuple[str, str, bool]] = []
        """Who is here, in the order of their coming."""
        self.since: dict[tuple[str, str, bool], float] = {}
        self.active: dict[tuple[str, str, bool], float] = {}

    def who(self, member: Member) -> tuple[str, str, bool]:
        key = member.name.strip().lower()
        return key, "" if member.owns_name else member.origin, member.owns_name

    def here(self) -> set[tuple[str, str, bool]]:
        return {self.who(one) for one in self.connections}

    def find(self, source: int) -> Member | None:
        return next((one for one in self.connections if one.source == source), None)

    @rule(name=names, origin=origins, source=sources, owns=st.booleans())
    def join(self, name: str, origin: str, source: int, owns: bool) -> None:
        self.now += 1
        member = Member(name, origin, source, owns)
        who = self.who(member)
        if self.find(source) is not None:
            assert not self.presence.join(member, self.now)
        elif owns and who in self.here():
            holder = None
            try:
                self.presence.join(member, self.now)
            except NameTakenError as error:
                holder = error.holder
            assert holder in self.connections, "a name has two owners"
            assert self.who(holder) == who
        else:
            new = who not in self.here()
            assert self.presence.join(member, self.now) == new
            self.connections.append(member)
            if new:
                self.order.append(who)
                self.since[who] = self.active[who] = self.now

    @rule(source=sources)
    def leave(self, source: int) -> None:
        gone = self.presence.leave(source)
        member = self.find(source)
        if member is None:
            assert gone is None
            return
        self.connections.remove(member)
        who = self.who(member)
        if who in self.here():
            assert gone is None
        else:
            assert gone is not None
            assert self.who(gone) == who
            self.order.remove(who)

    @rule(name=names, origin=origins, source=sources)
    def speak(self, name: str, origin: str, source: int) -> None:
        self.now += 1
        shown = self.presence.shown(name, origin, source, self.now)
        member = self.find(source)
        if member is not None:
            self.active[self.who(member)] = self.now
            if member.owns_name:
                assert shown is None
                return
        owned = {key for key, _, owns in self.order if owns}
        plain = name.replace(":", "_") or "_"
        if shown is None:
            assert plain.lower() not in owned
        else:
            assert plain.lower() in owned
            assert shown.lower() not in owned
            assert shown.startswith(f"{plain} ({origin})")

    @invariant()
    def members_are_those_who_are_here(self) -> None:
        members = self.presence.members()
        assert len(self.presence) == len(self.connections)
        assert bool(self.presence) == bool(members)
        assert [(m.since, m.active) for m in members] == [
            (self.since[who], self.active[who]) for who in self.order
        ]
        owned = {key for key, _, owns in self.order if owns}
        for (key, origin, owns), member in zip(self.order, members, strict=True):
            if owns:
                assert member.name.lower() == key
            else:
                assert member.origin == origin
                assert name_fault(member.name) is None
                assert member.name.lower() not in owned


class PresencePropertyTests(SynchronousTestCase):
    def test_any_coming_and_going_is_as_on_a_list(self) -> None:
        run_state_machine_as_test(
            PresenceMachine,
            settings=settings(
                max_examples=examples(60), stateful_step_count=40, deadline=None
            ),
        )
