# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Frames that are many at once, or whose peer goes before they are handed on."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionLost

from chatmux.model import GOING_AWAY, NORMAL
from tests.framed_doubles import FramedTestCase, error, framed

NUMBERS = [b"%d" % number for number in range(2500)]


class TurnTests(FramedTestCase):
    def test_reading_stops_until_all_are_handed_on_in_order(self) -> None:
        protocol, transport, session = self.bare()
        protocol.dataReceived(framed(*NUMBERS))
        self.assertEqual(self.bodies(session), NUMBERS[:1000])
        self.assertEqual(transport.producerState, "paused")
        self.turn()
        self.assertEqual(len(session.messages), 2000)
        self.assertEqual(transport.producerState, "paused")
        self.turn()
        self.assertEqual(self.bodies(session), NUMBERS)
        self.assertEqual(transport.producerState, "producing")

    def test_a_frame_that_takes_long_ends_the_turn(self) -> None:
        protocol, transport, session = self.bare()

        def take_long(connection: Any) -> None:
            self.reactor.rightNow += 0.01

        self.sessions.steps[b"slow"] = take_long
        protocol.dataReceived(framed(b"one", b"slow", b"two", b"slow", b"three"))
        self.assertEqual(self.bodies(session), [b"one", b"slow"])
        self.assertEqual(transport.producerState, "paused")
        self.turn()
        self.assertEqual(self.bodies(session), [b"one", b"slow", b"two", b"slow"])
        self.turn()
        self.assertEqual(session.messages[-1], (b"three", True))
        self.assertEqual(transport.producerState, "producing")

    def test_what_comes_all_the_same_comes_behind(self) -> None:
        protocol, _, session = self.bare()
        protocol.dataReceived(framed(*NUMBERS))
        protocol.dataReceived(framed(b"more") + b"00004ha")
        protocol.dataReceived(b"lf")
        self.assertEqual(len(session.messages), 1000)
        self.all_turns()
        self.assertEqual(self.bodies(session), [*NUMBERS, b"more", b"half"])

    def test_one_that_is_too_long_is_refused_when_its_turn_comes(self) -> None:
        protocol, transport, session = self.bare()
        protocol.dataReceived(framed(*NUMBERS[:1500], b"x" * 101))
        self.assertEqual(transport.take(), b"")
        self.reactor.advance(0)
        self.assertEqual(self.bodies(session), NUMBERS[:1500])
        self.assertEqual(transport.take(), error("too long 101"))

    def test_nothing_is_handed_on_after_a_close(self) -> None:
        protocol, _, session = self.bare()
        protocol.dataReceived(framed(*NUMBERS))
        session.connection.close(NORMAL)
        self.all_turns()
        self.assertEqual(len(session.messages), 1000)

    def test_a_session_that_gives_way_is_handed_nothing_before_its_turn(self) -> None:
        protocol, transport, session = self.bare()
        session.connection.opened()
        done: list[int] = []

        def give_way(connection: Any) -> None:
            connection.give_way(lambda: done.append(len(session.messages)))

        self.sessions.steps[b"wait"] = give_way
        protocol.dataReceived(framed(b"wait", b"one", b"wait"))
        protocol.dataReceived(framed(b"two"))
        self.assertEqual(self.bodies(session), [b"wait"])
        self.assertEqual(transport.producerState, "paused")
        self.turn()
        self.assertEqual(self.bodies(session), [b"wait", b"one", b"wait"])
        self.turn()
        self.assertEqual(self.bodies(session), [b"wait", b"one", b"wait", b"two"])
        self.assertEqual(done, [1, 3])
        self.assertEqual(transport.producerState, "producing")

    def test_a_frame_whose_rest_is_not_read_is_not_late(self) -> None:
        protocol, transport, session = self.bare()
        session.connection.opened()

        def give_way(connection: Any) -> None:
            connection.give_way(lambda: None)

        protocol.dataReceived(b"00003o")
        self.reactor.advance(4)
        give_way(session.connection)
        # However long the turn is in coming.
        self.reactor.rightNow += 4
        self.all_turns()
        self.reactor.advance(4)
        protocol.dataReceived(b"ne")
        self.assertEqual(self.bodies(session), [b"one"])
        self.assertEqual(transport.take(), b"")


class EndTests(FramedTestCase):
    def test_an_end_of_sending_is_handed_on_with_what_is_not_complete(self) -> None:
        for unfinished in b"", b"000", b"00003tw":
            wire, session = self.opened()
            wire.say(framed(b"one") + unfinished)
            wire.end()
            self.assertEqual(self.bodies(session), [b"one"])
            self.assertEqual(session.rest, unfinished)
            self.assertEqual(wire.hear_all(), framed(b"last: " + unfinished + b"\n"))
            self.assertFalse(wire.transport.connected)
            self.assertEqual(session.ends, 1)

    def test_an_end_of_sending_is_behind_the_frames_that_wait(self) -> None:
        protocol, transport, session = self.bare()
        protocol.dataReceived(framed(*NUMBERS) + b"000")
        protocol.readConnectionLost()
        self.assertIsNone(session.rest)
        self.turn()
        self.assertIsNone(session.rest)
        self.all_turns()
        self.assertEqual(self.bodies(session), NUMBERS)
        self.assertEqual(session.rest, b"000")
        self.assertEqual(transport.take(), framed(b"last: 000\n"))

    def test_and_behind_those_that_wait_until_the_peer_reads(self) -> None:
        protocol, transport, session = self.bare()
        producer: Any = session.connection
        producer.pauseProducing()
        protocol.dataReceived(framed(b"one"))
        protocol.readConnectionLost()
        self.all_turns()
        self.assertIsNone(session.rest)
        producer.resumeProducing()
        self.assertEqual(self.bodies(session), [b"one"])
        self.assertEqual(session.rest, b"")
        self.assertEqual(transport.take(), framed(b"last: \n"))

    def test_nothing_is_read_after_the_end_of_sending(self) -> None:
        protocol, transport, session = self.bare()
        session.ended = lambda rest: None  # type: ignore[method-assign]
        protocol.dataReceived(framed(*NUMBERS[:1500]))
        protocol.readConnectionLost()
        self.all_turns()
        self.assertEqual(transport.producerState, "paused")

    def test_an_end_of_sending_after_a_close_is_not_handed_on(self) -> None:
        wire, session = self.opened()
        session.connection.write(b"x" * (1 << 20))
        session.connection.close(GOING_AWAY)
        wire.transport.protocol.readConnectionLost()
        self.assertIsNone(session.rest)

    def test_what_a_lost_connection_had_sent_is_handed_on_all_the_same(self) -> None:
        for reason in None, ConnectionLost():
            protocol, transport, session = self.bare()
            protocol.dataReceived(framed(*NUMBERS) + b"00003tw")
            self.lose(protocol, reason)
            transport.producerState = "gone"
            self.assertEqual(session.ends, 0)
            self.all_turns()
            self.assertEqual(transport.producerState, "gone")
            self.assertEqual(self.bodies(session), NUMBERS)
            self.assertEqual(session.ends, 1)
            self.assertIsNone(session.rest)
            self.assertEqual(transport.take(), b"")
            self.assertEqual(self.guard.connections, set())
            self.reactor.advance(60)
            self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_in_turns_even_if_nothing_had_to_wait_before(self) -> None:
        protocol, _, session = self.bare()
        producer: Any = session.connection
        producer.pauseProducing()
        protocol.dataReceived(framed(*NUMBERS))
        self.lose(protocol)
        self.assertEqual(len(session.messages), 1000)
        self.turn()
        self.assertEqual(len(session.messages), 2000)
        self.turn()
        self.assertEqual(self.bodies(session), NUMBERS)
        self.assertEqual(session.ends, 1)

    def test_nothing_of_it_is_handed_on_after_a_close(self) -> None:
        protocol, _, session = self.bare()
        protocol.dataReceived(framed(*NUMBERS))
        session.connection.close(GOING_AWAY)
        self.lose(protocol)
        self.all_turns()
        self.assertEqual(len(session.messages), 1000)
        self.assertEqual(session.ends, 1)

    def test_a_bad_length_among_it_ends_it(self) -> None:
        protocol, _, session = self.bare()
        protocol.dataReceived(framed(*NUMBERS[:1500]) + b"GET /" + framed(b"x"))
        self.lose(protocol)
        self.all_turns()
        self.assertEqual(self.bodies(session), NUMBERS[:1500])
        self.assertEqual(self.guard.counts["closed 1008"], 1)
        self.assertEqual(self.guard.counts["failed"], 0)
        self.assertEqual(session.ends, 1)

    def test_a_session_that_gave_way_has_its_turn_first(self) -> None:
        protocol, _, _ = self.bare()
        done: list[str] = []

        def give_way(connection: Any) -> None:
            connection.give_way(lambda: done.append("turn"))

        self.sessions.steps[b"wait"] = give_way
        self.sessions.steps[b"one"] = lambda connection: done.append("one")
        self.sessions.steps[b"closed"] = lambda connection: done.append("closed")
        protocol.dataReceived(framed(b"wait", b"one"))
        self.lose(protocol)
        self.assertEqual(done, [])
        self.all_turns()
        self.assertEqual(done, ["turn", "one", "closed"])

    def test_it_has_only_one_even_where_the_turn_of_the_frames_is_over(self) -> None:
        protocol, _, session = self.bare()
        done: list[str] = []

        def give_way(connection: Any) -> None:
            connection.give_way(lambda: done.append("turn"))

        self.sessions.steps[b"999"] = give_way
        protocol.dataReceived(framed(*NUMBERS[:1000]))
        self.assertEqual(len(self.due()), 1)
        self.lose(protocol)
        self.all_turns()
        self.assertEqual(done, ["turn"])
        self.assertEqual(session.ends, 1)
