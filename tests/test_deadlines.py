# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""One timer for the deadlines of many, and what WebSocket peers are held to by it."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatmux.transports.deadlines import Deadlines
from tests.websocket_doubles import (
    CLOSE,
    HANDSHAKE,
    PING,
    PONG,
    TEXT,
    Frame,
    Peer,
    WebSocketTestCase,
    masked,
)


class DeadlinesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.expired: list[str] = []
        self.deadlines = Deadlines(self.clock, 10, self.expired.append)

    def timers(self) -> int:
        return len(self.clock.getDelayedCalls())

    def test_items_expire_in_the_order_of_their_coming(self) -> None:
        for item in "a", "b", "c":
            self.deadlines.add(item)
            self.clock.advance(1)
        self.clock.advance(6.9)
        self.assertEqual(self.expired, [])
        self.clock.advance(0.1)
        self.assertEqual(self.expired, ["a"])
        self.clock.advance(1)
        self.assertEqual(self.expired, ["a", "b"])
        self.clock.advance(1)
        self.assertEqual(self.expired, ["a", "b", "c"])
        self.assertEqual(self.timers(), 0)

    def test_one_timer_serves_all(self) -> None:
        for item in "a", "b", "c":
            self.deadlines.add(item)
            self.clock.advance(1)
        self.assertEqual(self.timers(), 1)

    def test_items_due_at_one_time_expire_together(self) -> None:
        self.deadlines.add("a")
        self.deadlines.add("b")
        self.clock.advance(10)
        self.assertEqual(self.expired, ["a", "b"])

    def test_a_late_timer_expires_all_that_are_due(self) -> None:
        self.deadlines.add("a")
        self.clock.advance(5)
        self.deadlines.add("b")
        self.clock.advance(60)
        self.assertEqual(self.expired, ["a", "b"])

    def test_a_discarded_item_does_not_expire(self) -> None:
        self.deadlines.add("a")
        self.deadlines.add("b")
        self.deadlines.discard("a")
        self.clock.advance(10)
        self.assertEqual(self.expired, ["b"])

    def test_discarding_a_stranger_does_nothing(self) -> None:
        self.deadlines.discard("nobody")
        self.assertEqual(self.timers(), 0)

    def test_an_item_that_is_added_anew_has_its_time_anew(self) -> None:
        self.deadlines.add("a")
        self.clock.advance(1)
        self.deadlines.add("b")
        self.clock.advance(5)
        self.deadlines.add("a")
        self.clock.advance(5)
        self.assertEqual(self.expired, ["b"])
        self.clock.advance(5)
        self.assertEqual(self.expired, ["b", "a"])

    def test_an_item_is_forgotten_when_it_has_expired(self) -> None:
        self.deadlines.add("a")
        self.assertIn("a", self.deadlines)
        self.clock.advance(10)
        self.assertNotIn("a", self.deadlines)
        self.clock.advance(100)
        self.assertEqual(self.expired, ["a"])

    def test_no_seconds_are_for_ever(self) -> None:
        deadlines = Deadlines(self.clock, 0, self.expired.append)
        deadlines.add("a")
        self.assertNotIn("a", deadlines)
        self.assertEqual(self.timers(), 0)

    def test_nothing_is_left_after_stop(self) -> None:
        self.deadlines.add("a")
        self.deadlines.stop()
        self.assertEqual(self.timers(), 0)
        self.assertNotIn("a", self.deadlines)

    def test_stopping_twice_does_nothing(self) -> None:
        self.deadlines.add("a")
        self.deadlines.stop()
        self.deadlines.stop()
        self.assertEqual(self.timers(), 0)

    def test_it_goes_on_after_stop(self) -> None:
        self.deadlines.add("a")
        self.deadlines.stop()
        self.deadlines.add("b")
        self.clock.advance(10)
        self.assertEqual(self.expired, ["b"])


class CallbackTests(SynchronousTestCase):
    """What the callback may do to the deadlines that call it."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.expired: list[str] = []
        self.deadlines = Deadlines(self.clock, 10, self.again)

    def again(self, item: str) -> None:
        self.expired.append(item)
        if item == "again":
            self.deadlines.add(item)
        elif item == "next":
            self.deadlines.discard("victim")
        elif item == "stop":
            self.deadlines.stop()

    def test_an_item_added_by_the_callback_expires_in_its_turn(self) -> None:
        self.deadlines.add("again")
        self.clock.advance(10)
        self.assertEqual(self.expired, ["again"])
        self.clock.advance(9.5)
        self.assertEqual(self.expired, ["again"])
        self.clock.advance(0.5)
        self.assertEqual(self.expired, ["again"] * 2)

    def test_an_item_added_by_the_callback_needs_no_second_timer(self) -> None:
        self.deadlines.add("again")
        self.clock.advance(10)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.deadlines.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_an_item_added_by_the_callback_waits_behind_the_others(self) -> None:
        self.deadlines.add("again")
        self.clock.advance(5)
        self.deadlines.add("a")
        self.clock.advance(5)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(5)
        self.assertEqual(self.expired, ["again", "a"])
        self.deadlines.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_an_item_discarded_by_the_callback_does_not_expire(self) -> None:
        self.deadlines.add("next")
        self.deadlines.add("victim")
        self.clock.advance(10)
        self.assertEqual(self.expired, ["next"])

    def test_stopping_in_the_callback_leaves_nothing(self) -> None:
        self.deadlines.add("stop")
        self.deadlines.add("a")
        self.clock.advance(10)
        self.assertEqual(self.expired, ["stop"])
        self.assertEqual(self.clock.getDelayedCalls(), [])


class OpeningTests(WebSocketTestCase):
    def test_a_drip_of_the_header_does_not_extend_the_opening(self) -> None:
        peer = Peer(self.factory)
        for byte in HANDSHAKE[:9]:
            self.clock.advance(1)
            peer.say(bytes((byte,)))
        self.assertFalse(peer.transport.ending)
        self.clock.advance(1)
        self.assertTrue(peer.transport.ending)

    def test_the_handshake_does_not_extend_the_opening(self) -> None:
        peer = Peer(self.factory)
        self.clock.advance(9)
        peer.open()
        self.clock.advance(1)
        self.assertEqual(self.closed_for(peer), 1008)

    def test_neither_pings_nor_messages_nor_fragments_extend_the_opening(self) -> None:
        peer, _ = self.open()
        for _ in range(9):
            self.clock.advance(1)
            peer.say(masked(PING) + masked(PONG) + masked(TEXT, b"x"))
        peer.send(TEXT, b"half", fin=False)
        peer.hear()
        self.clock.advance(1)
        self.assertEqual(self.closed_for(peer), 1008)

    def test_whoever_has_said_who_it_is_may_be_silent(self) -> None:
        peer, _ = self.opened()
        self.clock.advance(20)
        self.assertEqual(peer.hear(), [])


class MessageDeadlineTests(WebSocketTestCase):
    def test_a_message_that_is_not_complete_in_time_is_closed(self) -> None:
        half = masked(TEXT, b"x" * 50)[:30]
        for begin in masked(TEXT, b"x", fin=False), half, half[:1]:
            peer, _ = self.opened()
            peer.say(begin)
            self.clock.advance(29.9)
            self.assertEqual(peer.hear(), [Frame(PING, b"")])
            self.clock.advance(0.1)
            self.assertEqual(self.closed_for(peer), 1008)

    def test_a_drip_of_fragments_does_not_extend_it(self) -> None:
        peer, _ = self.opened()
        peer.send(TEXT, b"x", fin=False)
        for _ in range(29):
            self.clock.advance(1)
            peer.say(masked(0, b"x", fin=False) + masked(PONG))
        peer.hear()
        self.clock.advance(1)
        self.assertEqual(self.closed_for(peer), 1008)

    def test_a_complete_message_has_no_deadline(self) -> None:
        peer, _ = self.opened()
        peer.send(TEXT, b"x", fin=False)
        self.clock.advance(10)
        peer.send(0, b"x")
        self.clock.advance(21)
        self.assertEqual([frame.opcode for frame in peer.hear()], [PING])

    def test_a_ping_that_came_in_pieces_is_no_message(self) -> None:
        peer, _ = self.opened()
        for byte in masked(PING, b"x"):
            peer.say(bytes((byte,)))
        self.clock.advance(25)
        peer.send(PONG)
        self.clock.advance(10)
        self.assertEqual(peer.hear(), [Frame(PONG, b"x"), Frame(PING, b"")])

    def test_each_message_has_its_own_time(self) -> None:
        """A peer that sends without a pause is always in the midst of a message."""
        peer, session = self.opened()
        message = masked(TEXT, b"x" * 50)
        peer.say(message[:30])
        for _ in range(5):
            self.clock.advance(15)
            peer.say(message[30:] + masked(PONG) + message[:30])
        self.assertEqual(len(session.messages), 5)
        self.assertNotIn(CLOSE, [frame.opcode for frame in peer.hear()])
