# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What several channels have for a connection, put together within limits."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatmux.broker.channel import WRITE_COST
from chatmux.broker.gather import FULL_BYTES
from chatmux.broker.local import LocalBroker
from chatmux.broker.log import BATCH_BYTES
from chatmux.model import INTERNAL_ERROR, Close, Publication
from tests.doubles import MemoryConnection, TurnClock


def text_alone(publication: Publication) -> list[bytes]:
    return [publication.text.encode()]


def no_poison(publication: Publication) -> list[bytes]:
    if publication.text == "poison":
        raise ValueError("a bug in an encoding")
    return text_alone(publication)


class GatherTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = TurnClock()

    def begin(self, count: int = 1, room: int = 1 << 30, budget: int = 1 << 40) -> None:
        """Put some connections on two channels."""
        self.errors: list[str] = []
        self.broker = LocalBroker(
            self.clock, turn_budget=budget, on_error=self.errors.append
        )
        self.connections = [MemoryConnection(room=room) for _ in range(count)]
        for connection in self.connections:
            for channel in "ab":
                self.broker.subscribe(channel, connection, no_poison)

    def publish(self, channel: str, text: str) -> None:
        self.broker.publish(channel, "x", text, origin="test")

    def test_two_channels_are_one_write_in_the_order_of_the_fences(self) -> None:
        self.begin(3)
        for number in range(5):
            for channel in "ab":
                self.broker.fence()
                self.publish(channel, f"{channel}{number};")
        self.clock.turn()
        expected = b"".join(b"a%d;b%d;" % (number, number) for number in range(5))
        for connection in self.connections:
            self.assertEqual(connection.chunks, [expected])

    def test_a_turn_makes_no_more_writes_than_it_should(self) -> None:
        self.begin(100, budget=10 * WRITE_COST)
        self.publish("a", "a")
        self.publish("b", "b")
        turns = []
        while any(connection.written != b"ab" for connection in self.connections):
            before = sum(len(one.chunks) for one in self.connections)
            self.clock.turn()
            turns.append(sum(len(one.chunks) for one in self.connections) - before)
        self.assertTrue(max(turns) <= 11, turns)

    def test_who_reads_nothing_is_not_written_all_at_once(self) -> None:
        self.begin(room=0)
        for _ in range(300):
            self.publish("a", "y" * 10_000)
        self.publish("b", "b")
        self.broker.flush()
        (connection,) = self.connections
        self.assertTrue(connection.paused)
        self.assertTrue(len(connection.written) <= FULL_BYTES + 2 * BATCH_BYTES)
        self.assertEqual(connection.written_while_paused, 0)
        connection.room = 1 << 30
        connection.read()
        self.assertEqual(len(connection.written), 3_000_001)

    def test_who_is_closed_gets_what_came_before(self) -> None:
        self.begin()
        (connection,) = self.connections
        written: list[bytes] = []
        close = connection.close

        def closing(why: Close) -> None:
            written.append(connection.written)
            close(why)

        connection.close = closing  # type: ignore[method-assign]
        self.publish("a", "hello")
        self.publish("b", "poison")
        self.clock.turn()
        self.assertEqual(connection.closed_for, INTERNAL_ERROR)
        self.assertEqual((written[0], len(self.errors)), (b"hello", 1))
