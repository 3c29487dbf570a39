# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The delivery promise, for any interleaving of what can happen to subscribers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatmux.broker.channel import WRITE_COST
from chatmux.broker.local import TURN_BUDGET, LocalBroker
from chatmux.interfaces import Subscription
from chatmux.model import TOO_SLOW, Publication
from tests.doubles import MemoryConnection, TurnClock, bare, bracketed
from tests.profiles import examples

NAMES = ("a", "b", "c")
BRIDGES = (("a", "b"),)
CANONICAL = {"a": "a", "b": "a", "c": "c"}


def plain(publication: Publication) -> list[bytes]:
    return [b"%d;" % int(publication.text.partition(" ")[0])]


def doubled(publication: Publication) -> list[bytes]:
    """Make two messages of each publication."""
    return plain(publication) * 2


@dataclass
class Place:
    """What the model knows of one subscription."""

    subscription: Subscription
    encoding: object
    echo: bool
    expected: list[int] = field(default_factory=list)


class Model:
    """A broker, its peers, and what each of them should have been sent."""

    def __init__(self, max_log_bytes: int, turn_budget: int) -> None:
        self.clock = TurnClock()
        self.broker = LocalBroker(
            self.clock,
            bridges=BRIDGES,
            max_log_bytes=max_log_bytes,
            turn_budget=turn_budget,
        )
        self.peers: dict[tuple[int, str], tuple[MemoryConnection, list[Place]]] = {}
        self.ended: list[tuple[MemoryConnection, list[Place]]] = []
        self.published = 0

    def peer(self, index: int, channel: str) -> tuple[MemoryConnection, list[Place]]:
        # One connection for each pair, so that what it was sent is of one channel.
        key = index, CANONICAL[channel]
        if key not in self.peers:
            room = (1 << 30, 10, 100, 1 << 30, 0, 1 << 30)[index]
            framing = bracketed if index == 5 else bare
            self.peers[key] = MemoryConnection(framing, room), []
        return self.peers[key]

    def subscribe(self, index: int, channel: str, twice: bool, echo: bool) -> None:
        connection, places = self.peer(index, channel)
        if places or connection.closed_for:
            return
        encoding = doubled if twice else plain
        subscription = self.broker.subscribe(channel, connection, encoding, echo=echo)
        places.append(Place(subscription, encoding, echo))

    def unsubscribe(self, index: int, channel: str) -> None:
        """Leave, or lose the connection; the next one is a new one."""
        connection, places = self.peers.pop((index, CANONICAL[channel]), (None, []))
        if connection is not None:
            for place in places:
                self.broker.unsubscribe(place.subscription)
            self.ended.append((connection, places))

    def publish(self, index: int, channel: str, size: int) -> None:
        self.published += 1
        source = self.peer(index, channel)[0].number
        text = f"{self.published} {'x' * size}"
        self.broker.publish(channel, "x", text, origin="test", source=source)
        for (_, name), (connection, places) in self.peers.items():
            if name == CANONICAL[channel] and connection.closed_for is None:
                for place in places:
                    if place.echo or connection.number != source:
                        place.expected.append(self.published)

    def reframe(self, index: int, channel: str) -> None:
        connection, places = self.peer(index, channel)
        connection.framing = bracketed if connection.framing is bare else bare
        for place in places:
            place.subscription.reframe()

    def read(self, index: int, channel: str) -> None:
        self.peer(index, channel)[0].read()

    def fill(self, index: int, channel: str) -> None:
        self.peer(index, channel)[0].fill()

    def turn(self) -> None:
        self.clock.turn()

    def fence(self) -> None:
        self.broker.fence()

    def flush(self) -> None:
        self.broker.flush()

    def check(self) -> None:
        """Let everybody read, and compare."""
        self.clock.advance(0)
        for connection, _ in self.peers.values():
            connection.read()
        for connection, _ in self.peers.values():
            assert connection.written_while_paused == 0
        for connection, places in [*self.peers.values(), *self.ended]:
            written = connection.written.replace(b"<", b"").replace(b">", b"")
            got = [int(number) for number in written.split(b";")[:-1]]
            for place in places:
                times = 2 if place.encoding is doubled else 1
                expected = [n for n in place.expected for _ in range(times)]
                if connection.closed_for is None:
                    assert got == expected, (got, expected)
                else:
                    assert connection.closed_for is TOO_SLOW
                    assert got == expected[: len(got)], (got, expected)


indices = st.integers(0, 5)
channels = st.sampled_from(NAMES)
steps = st.one_of(
    st.tuples(st.just("publish"), indices, channels, st.sampled_from((0, 10, 60_000))),
    st.tuples(st.just("publish"), indices, channels, st.just(0)),
    st.tuples(st.just("subscribe"), indices, channels, st.just(False), st.just(True)),
    st.tuples(st.just("subscribe"), indices, channels, st.booleans(), st.booleans()),
    st.tuples(st.just("unsubscribe"), indices, channels),
    st.tuples(st.just("read"), indices, channels),
    st.tuples(st.just("fill"), indices, channels),
    st.tuples(st.just("reframe"), indices, channels),
    st.tuples(st.just("turn")),
    st.tuples(st.just("turn")),
    st.tuples(st.sampled_from(("fence", "flush"))),
)
budgets = st.sampled_from((1, 2 * WRITE_COST, 5 * WRITE_COST, TURN_BUDGET))


class DeliveryTests(SynchronousTestCase):
    @settings(
        max_examples=examples(400),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(
        st.lists(steps, min_size=60, max_size=200),
        st.sampled_from((2_000, 100_000, 1 << 22)),
        budgets,
    )
    def test_each_gets_each_publication_once_and_in_order(
        self, sequence: list[tuple[object, ...]], max_log_bytes: int, turn_budget: int
    ) -> None:
        model = Model(max_log_bytes, turn_budget)
        for name, *arguments in sequence:
            getattr(model, str(name))(*arguments)
        model.check()

    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("publish"), channels, st.sampled_from((0, 90_000))),
                st.tuples(st.just("publish"), channels, st.just(0)),
                st.tuples(st.just("publish"), channels, st.just(0)),
                st.tuples(st.just("turn")),
                st.tuples(st.just("join"), st.integers(0, 2), st.sampled_from("ac")),
                st.tuples(st.just("leave"), st.integers(0, 2), st.sampled_from("ac")),
            ),
            min_size=40,
            max_size=120,
        ),
        budgets,
    )
    def test_fences_keep_an_order_across_channels(
        self, sequence: list[tuple[Any, ...]], turn_budget: int
    ) -> None:
        clock = TurnClock()
        broker = LocalBroker(clock, bridges=BRIDGES, turn_budget=turn_budget)
        connections = [MemoryConnection() for _ in range(3)]
        places: dict[tuple[int, str], Subscription] = {}
        expected: list[list[int]] = [[] for _ in connections]
        for number, (name, *arguments) in enumerate(sequence):
            if name == "turn":
                clock.turn()
            elif name == "publish":
                channel, size = arguments
                broker.fence()
                broker.publish(channel, "x", f"{number} {'x' * size}", origin="test")
                for index, on in places:
                    if on == CANONICAL[channel]:
                        expected[index].append(number)
            elif name == "join" and tuple(arguments) not in places:
                index, channel = arguments
                places[index, channel] = broker.subscribe(
                    channel, connections[index], plain
                )
            elif name == "leave" and tuple(arguments) in places:
                # Who leaves is written at once what is still to come.
                broker.flush()
                broker.unsubscribe(places.pop((arguments[0], arguments[1])))
        clock.advance(0)
        for connection, numbers in zip(connections, expected, strict=True):
            got = [int(number) for number in connection.written.split(b";")[:-1]]
            assert got == numbers, (got, numbers)
