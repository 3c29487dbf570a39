# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""A peer that sends very many messages at once is taken in turns with the others."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatmux.model import NORMAL
from chatmux.transports.guard import Guard
from chatmux.transports.lines import LineFactory
from tests.transport_doubles import MemorySession, Sessions, Transport, line_door
from tests.websocket_doubles import CLOSE, TEXT, Peer, WebSocketTestCase, masked


class LineTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = MemoryReactorClock()
        self.sessions = Sessions()
        self.guard = Guard(self.clock)
        factory = LineFactory(self.guard, line_door(self.sessions))
        self.protocol = factory.buildProtocol(None)
        self.transport = Transport()
        self.protocol.makeConnection(self.transport)
        self.protocol.dataReceived(b"ann!")
        self.session: MemorySession = self.sessions[-1]
        self.numbers = [b"%d" % number for number in range(5000)]

    def say_all(self) -> None:
        self.protocol.dataReceived(b"".join(n + b"\n" for n in self.numbers))

    def test_reading_stops_until_all_lines_are_handed_on_in_order(self) -> None:
        self.say_all()
        self.assertEqual(self.session.lines, self.numbers[:2000])
        self.assertEqual(self.transport.producerState, "paused")
        self.clock.advance(0)
        self.assertEqual(self.session.lines, self.numbers)
        self.assertEqual(self.transport.producerState, "producing")

    def test_what_comes_all_the_same_comes_behind(self) -> None:
        self.say_all()
        self.protocol.dataReceived(b"more\nha")
        self.protocol.dataReceived(b"lf\n")
        for _ in range(5):
            self.clock.advance(0)
        self.assertEqual(self.session.lines, [*self.numbers, b"more", b"half"])

    def test_a_line_that_is_too_long_is_refused_when_its_turn_comes(self) -> None:
        self.protocol.dataReceived(b"x\n" * 2500 + b"y" * 65 + b"\nz\n")
        self.assertEqual(self.transport.take(), b"")
        self.clock.advance(0)
        self.assertEqual(self.session.lines, [b"x"] * 2500)
        self.assertEqual(self.transport.take(), b"error: too long\n")

    def test_nothing_is_handed_on_after_a_close(self) -> None:
        self.say_all()
        self.session.connection.close(NORMAL)
        self.clock.advance(0)
        self.assertEqual(self.session.lines, self.numbers[:2000])

    def test_what_a_lost_connection_had_sent_is_handed_on_all_the_same(self) -> None:
        self.say_all()
        self.transport.producer = None
        self.protocol.connectionLost(Failure(ConnectionLost()))
        self.clock.advance(60)
        self.assertEqual(self.session.lines, self.numbers)
        self.assertEqual(self.session.ends, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def lose(self, reason: Exception) -> None:
        self.transport.producer = None
        self.protocol.connectionLost(Failure(reason))

    def test_an_unfinished_line_counts_at_an_orderly_end_only(self) -> None:
        self.protocol.dataReceived(b"whole\nhalf")
        self.lose(ConnectionDone())
        self.assertEqual(self.session.lines, [b"whole", b"half"])
        self.setUp()
        self.protocol.dataReceived(b"whole\nhalf")
        self.lose(ConnectionLost())
        self.assertEqual(self.session.lines, [b"whole"])

    def test_what_is_lost_of_a_line_is_not_too_long_either(self) -> None:
        self.protocol.dataReceived(b"x\n" * 2500 + b"y" * 65)
        self.lose(ConnectionLost())
        self.clock.advance(0)
        self.assertEqual(self.session.lines, [b"x"] * 2500)
        self.assertEqual(self.guard.counts, {"accepted": 1})


class WebSocketTests(WebSocketTestCase):
    def say(self, peer: Peer, count: int, *more: bytes) -> None:
        frames = [masked(TEXT, b"%d" % number) for number in range(count)]
        peer.say(b"".join([*frames, *more]))

    def texts(self, session: Any) -> list[int]:
        return [int(message) for message, _ in session.messages]

    def test_reading_stops_until_all_messages_are_handed_on_in_order(self) -> None:
        peer, session = self.opened()
        self.say(peer, 5000)
        taken = self.texts(session)
        self.assertEqual(taken, list(range(2000)))
        self.assertEqual(peer.transport.producerState, "paused")
        self.clock.advance(0)
        self.assertEqual(self.texts(session), list(range(5000)))
        self.assertEqual(peer.transport.producerState, "producing")

    def test_of_messages_that_take_long_a_turn_takes_few(self) -> None:
        peer, session = self.opened()

        def take_long(connection: object) -> None:
            self.clock.rightNow += 0.001

        session.steps.update({b"%d" % number: take_long for number in range(10)})
        self.say(peer, 10)
        self.assertEqual(self.texts(session), [0, 1, 2])
        self.assertEqual(peer.transport.producerState, "paused")
        self.clock.advance(0)
        self.assertEqual(self.texts(session), list(range(10)))
        self.assertEqual(peer.transport.producerState, "producing")

    def test_frames_that_are_not_whole_messages_take_more_time(self) -> None:
        peer, session = self.opened()
        two = masked(TEXT, b"1", fin=False) + masked(0, b"2")
        peer.say(two * 1000)
        self.assertTrue(20 < len(session.messages) < 1000)
        self.assertEqual(peer.transport.producerState, "paused")
        self.clock.advance(0)
        self.assertEqual(self.texts(session), [12] * 1000)
        self.assertEqual(peer.transport.producerState, "producing")

    def test_all_messages_are_in_time_once_they_are_handed_on(self) -> None:
        peer, session = self.opened()
        self.say(peer, 5000)
        self.clock.advance(0)
        self.clock.advance(31)
        self.assertEqual(peer.transport.take(), b"\x89\x00")
        peer.send(TEXT, b"7")
        self.assertEqual(self.texts(session)[-1], 7)

    def test_a_close_frame_behind_many_others_is_answered(self) -> None:
        peer, session = self.opened()
        self.say(peer, 5000, masked(CLOSE, b"\x03\xe8"))
        self.clock.advance(0)
        self.assertEqual(len(self.texts(session)), 5000)
        self.assertEqual([frame.opcode for frame in peer.hear()], [CLOSE])

    def test_the_answer_to_our_close_is_found_behind_many_frames(self) -> None:
        peer, session = self.opened()
        self.say(peer, 5000, masked(CLOSE, b"\x03\xe8"))
        session.connection.close(NORMAL)
        self.clock.advance(0)
        self.assertTrue(peer.protocol.wasClean)
        self.assertEqual(len(self.texts(session)), 2000)

    def test_a_session_that_gives_way_is_handed_nothing_before_its_turn(self) -> None:
        peer, session = self.opened()
        done: list[str] = []
        session.steps[b"0"] = lambda connection: connection.give_way(
            lambda: done.append("turn")
        )
        self.say(peer, 3)
        self.assertEqual(self.texts(session), [0])
        self.assertEqual(done, [])
        self.clock.advance(0)
        self.assertEqual(done, ["turn"])
        self.assertEqual(self.texts(session), [0, 1, 2])

    def test_a_lost_connection_leaves_nothing_in_the_reactor(self) -> None:
        peer, _ = self.opened()
        self.say(peer, 5000)
        self.assert_frees_all(peer)
