# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The broker with doors of four kinds, whose members come, go, talk, pause, break and
do all of that in the middle of a fan-out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from chatmux.broker.local import LocalBroker
from chatmux.errors import NameTakenError
from chatmux.interfaces import Encoding, Framing, Subscription
from chatmux.model import INTERNAL_ERROR, Member, Publication
from tests.doubles import MemoryConnection, TurnClock, bare, bracketed
from tests.profiles import examples

CHANNELS = ("a", "b")
"""Names of one channel, by a bridge."""
BREAKS = "!"
"""What an encoding of the tests cannot write."""


def says(publication: Publication) -> list[bytes]:
    """Write what was said, and nothing of who comes and goes."""
    if publication.ext and "event" in publication.ext:
        return []
    return [publication.text.encode() + b";"]


def tells(publication: Publication) -> list[bytes]:
    """Write who comes and goes, too."""
    event = (publication.ext or {}).get("event")
    return [f"{event};".encode()] if event else says(publication)


def twice(publication: Publication) -> list[bytes]:
    return says(publication) * 2


def breaks(publication: Publication) -> list[bytes]:
    if BREAKS in publication.text:
        raise ValueError(publication.text)
    return says(publication)


@dataclass(frozen=True)
class Door:
    """A kind of members."""

    name: str
    encoding: Encoding
    framing: Framing = bare
    echo: bool = True
    presence: bool = False
    owns_name: bool = False
    room: int = 1 << 30


DOORS = (
    Door("lines", says, owns_name=True, room=20),
    Door("frames", twice, bracketed, echo=False),
    Door("events", tells, presence=True, owns_name=True),
    Door("fragile", breaks, room=40),
)


class Peer(MemoryConnection):
    """Does something in the middle of being written to, if it is told."""

    then: Callable[[], None] | None = None

    def write(self, chunk: bytes) -> None:
        super().write(chunk)
        then, self.then = self.then, None
        if then is not None:
            then()


@dataclass(eq=False)
class Guest:
    """A member, and what it should have been sent."""

    door: Door
    peer: Peer
    member: Member
    subscription: Subscription
    expected: list[str] = field(default_factory=list)
    cut: bool = False
    """Whether it may have missed the last, as its connection was lost."""


class BrokerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock = TurnClock()
        self.errors = 0
        self.broker = LocalBroker(
            self.clock, bridges=[CHANNELS], on_error=self.note_error
        )
        self.guests: list[Guest] = []
        self.gone: list[Guest] = []
        self.sharing: Counter[tuple[str, str]] = Counter()
        self.published = 0

    def note_error(self, words: str) -> None:
        self.errors += 1

    def guest(self, index: int) -> Guest | None:
        return self.guests[index % len(self.guests)] if self.guests else None

    def expect(self, text: str, source: int) -> None:
        for guest in self.guests:
            if guest.peer.closed_for is None and (
                guest.door.echo or guest.peer.number != source
            ):
                guest.expected += [text] * (2 if guest.door.encoding is twice else 1)

    def announce(self, event: str) -> None:
        if any(guest.door.presence for guest in self.guests):
            for guest in self.guests:
                if guest.door.encoding is tells:
                    guest.expected.append(event)

    @rule(
        door=st.sampled_from(DOORS),
        name=st.sampled_from(("ann", "bob", "cy")),
        channel=st.sampled_from(CHANNELS),
    )
    def arrive(self, door: Door, name: str, channel: str) -> None:
        peer = Peer(door.framing, door.room)
        member = Member(name, door.name, peer.number, door.owns_name)
        is_taken = door.owns_name and any(
            one.door.owns_name and one.member.name == name for one in self.guests
        )
        subscription = self.broker.subscribe(
            channel, peer, door.encoding, echo=door.echo, presence=door.presence
        )
        guest = Guest(door, peer, member, subscription)
        peer.subscriptions.add(subscription)
        self.guests.append(guest)
        try:
            self.broker.join(channel, member)
        except NameTakenError:
            assert is_taken
            self.broker.unsubscribe(subscription)
            self.guests.remove(guest)
            return
        assert not is_taken
        self.sharing[door.name, name] += 1
        if door.owns_name or self.sharing[door.name, name] == 1:
            self.announce("join")

    @rule(index=st.integers(0, 9), lost=st.booleans())
    def depart(self, index: int, lost: bool) -> None:
        guest = self.guest(index)
        if guest is not None:
            self.leave(guest, lost)

    def leave(self, guest: Guest, lost: bool) -> None:
        if guest not in self.guests:
            return
        # What it is owed is written at once, and is no occasion for anything else.
        guest.peer.then = None
        guest.cut = lost or guest.peer.paused
        self.guests.remove(guest)
        self.gone.append(guest)
        self.broker.unsubscribe(guest.subscription, rest=not lost)
        guest.peer.subscriptions.clear()
        self.broker.leave(CHANNELS[0], guest.peer.number)
        key = guest.door.name, guest.member.name
        self.sharing[key] -= 1
        if guest.door.owns_name or not self.sharing[key]:
            self.announce("leave")

    @rule(
        index=st.integers(0, 9),
        channel=st.sampled_from(CHANNELS),
        broken=st.sampled_from((False,) * 5 + (True,)),
    )
    def publish(self, index: int, channel: str, broken: bool) -> None:
        guest = self.guest(index)
        if guest is not None:
            self.say(guest, channel, broken)

    def say(self, guest: Guest, channel: str, broken: bool) -> None:
        self.published += 1
        text = f"{self.published}{BREAKS * broken}"
        source = guest.peer.number
        self.broker.publish(
            channel, guest.member.name, text, origin=guest.door.name, source=source
        )
        self.expect(text, source)

    @rule(index=st.integers(0, 9), other=st.integers(0, 9), what=st.integers(0, 3))
    def in_the_middle(self, index: int, other: int, what: int) -> None:
        """Let the next write to one of them take another away, or itself, or speak."""
        guest = self.guest(index)
        if guest is None:
            return

        def then() -> None:
            found = self.guest(other)
            if what == 0 and found is not None:
                # The rest would be written before what is being written.
                self.leave(found, lost=True)
            elif what == 1:
                self.leave(guest, lost=True)
            elif what == 2 and found is not None:
                self.say(found, CHANNELS[0], broken=False)
            elif found is not None:
                found.peer.fill()

        guest.peer.then = then

    @rule(index=st.integers(0, 9))
    def pause(self, index: int) -> None:
        guest = self.guest(index)
        if guest is not None:
            guest.peer.fill()

    @rule(index=st.integers(0, 9))
    def read(self, index: int) -> None:
        guest = self.guest(index)
        if guest is not None:
            guest.peer.read()

    @rule(what=st.sampled_from(("turn", "turn", "flush", "fence", "settle")))
    def go_on(self, what: str) -> None:
        if what == "turn":
            self.clock.turn()
        elif what == "flush":
            self.broker.flush()
        elif what == "fence":
            self.broker.fence()
        else:
            self.settle()
        # What an encoding broke is closed, and its session hears of it.
        for guest in [one for one in self.guests if one.peer.closed_for is not None]:
            self.leave(guest, lost=True)

    def settle(self) -> None:
        """Let everybody read all there is, and compare."""
        while self.clock.calls or any(guest.peer.unread for guest in self.guests):
            self.clock.advance(0)
            for guest in tuple(self.guests):
                guest.peer.read()
        for guest in (*self.guests, *self.gone):
            self.compare(guest)

    def compare(self, guest: Guest) -> None:
        peer = guest.peer
        written = peer.written.replace(b"<", b"").replace(b">", b"").decode()
        got, expected = written.split(";")[:-1], guest.expected
        if peer.closed_for is not None:
            assert peer.closed_for is INTERNAL_ERROR
            assert guest.door.encoding is breaks
            assert self.errors
            assert any(BREAKS in text for text in expected)
        elif not guest.cut:
            assert got == expected, (guest.door.name, got, expected)
        assert got == expected[: len(got)], (guest.door.name, got, expected)

    def teardown(self) -> None:
        self.settle()
        for guest in tuple(self.guests):
            self.leave(guest, lost=False)
        self.clock.advance(0)
        assert len(self.broker) == 0, "a channel is left"


class BrokerMachineTests(SynchronousTestCase):
    def test_whatever_they_do_each_gets_what_is_due(self) -> None:
        run_state_machine_as_test(
            BrokerMachine,
            settings=settings(
                max_examples=examples(150), stateful_step_count=50, deadline=None
            ),
        )
