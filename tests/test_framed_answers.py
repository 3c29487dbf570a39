# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Answers to frames: written together, and held up while the peer does not read."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from chatmux.model import GOING_AWAY
from chatmux.settings import Limits
from tests.framed_doubles import FramedTestCase, error, framed
from tests.transport_doubles import Wire

NUMBERS = [b"%d" % number for number in range(2500)]


class AnswerTests(FramedTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.answering()

    def test_those_of_a_turn_are_written_together(self) -> None:
        protocol, transport, _ = self.bare()
        protocol.dataReceived(framed(b"one", b"two", b"three"))
        self.assertEqual(transport.writes, [framed(b"ONE", b"TWO", b"THREE")])
        protocol.dataReceived(framed(b"four"))
        self.assertEqual(transport.writes[1:], [framed(b"FOUR")])
        protocol.dataReceived(framed(*NUMBERS))
        self.assertEqual(transport.writes[2:], [framed(*NUMBERS[:1000])])
        self.all_turns()
        self.assertEqual(len(transport.writes), 5)
        self.assertEqual(b"".join(transport.writes[2:]), framed(*NUMBERS))

    def test_what_is_sent_otherwise_is_written_at_once(self) -> None:
        protocol, transport, session = self.bare()
        protocol.dataReceived(framed(b"one"))
        session.connection.send(b"now")
        self.assertEqual(transport.writes, [framed(b"ONE"), framed(b"now")])

    def test_not_much_is_collected(self) -> None:
        self.answering(length=30_000)
        protocol, transport, _ = self.bare()
        longest: list[int] = []

        def note(connection: Any) -> None:
            longest.append(len(connection._cork))

        self.sessions.steps[b"x"] = note
        protocol.dataReceived(framed(*[b"x"] * 100))
        self.assertLess(max(longest), 64 * 1024)
        self.assertEqual(max(map(len, transport.writes)), 3 * 30_005)
        answer = framed(b"X".ljust(30_000, b"."))
        self.assertEqual(transport.take(), answer * 100)

    def test_a_close_is_behind_them(self) -> None:
        protocol, transport, session = self.bare()
        self.sessions.steps[b"quit"] = lambda connection: connection.close(GOING_AWAY)
        protocol.dataReceived(framed(b"one", b"quit", b"two"))
        self.assertEqual(transport.writes, [framed(b"ONE")])
        self.assertTrue(transport.ending)
        self.assertEqual(self.bodies(session), [b"one", b"quit"])

    def test_an_error_is_behind_them(self) -> None:
        protocol, transport, _ = self.bare()
        protocol.dataReceived(framed(b"one") + b"+0003two")
        told = error("bad length b'+0003'")
        self.assertEqual(transport.writes, [framed(b"ONE") + told])
        self.assertTrue(transport.ending)


class UnreadTests(FramedTestCase):
    """The peer does not read its answers, of 1000 bytes each."""

    def setUp(self) -> None:
        super().setUp()
        self.answering(length=1000)

    def pour(self, wire: Wire, stream: bytes) -> bytes:
        """Send until the server takes no more; return what is left."""
        idle = 0
        while stream and idle < 5:
            try:
                stream = stream[wire.far.send(stream[:8192]) :]
                idle = 0
            except BlockingIOError:
                idle += 1
            wire.turn()
        return stream

    def held_bytes(self, wire: Wire) -> int:
        """Return how much the server holds for the peer."""
        connection: Any = self.sessions[-1].connection
        held: int = connection.unsent() + len(wire.transport.protocol.decoder)
        return held

    def test_little_is_held_for_it_however_much_it_asks_for(self) -> None:
        wire, session = self.connect()
        left = self.pour(wire, framed(*[b"x"] * 1_000_000))
        self.assertNotEqual(left, b"")
        self.assertTrue(session.connection.paused)
        self.assertNotIn(wire.transport, self.reactor.readers)
        # 64 KiB of Twisted's, as much that was collected, a segment that was read.
        self.assertLess(self.held_bytes(wire), 3 * 64 * 1024 + 10_000)

    def test_every_frame_is_handed_on_when_it_reads_again(self) -> None:
        wire, session = self.connect()
        numbers = [b"%05d" % number for number in range(20_000)]
        stream = framed(*numbers)
        answers = b"".join(framed(number.ljust(1000, b".")) for number in numbers)
        heard = bytearray()
        before = -1
        while before < len(heard):
            before = len(heard)
            stream = self.pour(wire, stream)
            heard += wire.hear()
            wire.turn()
            heard += wire.hear()
        self.assertEqual(heard, answers)
        self.assertEqual(self.bodies(session), numbers)
        self.assertIn(wire.transport, self.reactor.readers)

    def test_none_is_handed_on_while_it_does_not_read(self) -> None:
        protocol, transport, session = self.bare()
        producer: Any = session.connection
        self.sessions.steps[b"stop"] = lambda connection: producer.pauseProducing()
        protocol.dataReceived(framed(b"one", b"stop", b"two"))
        protocol.dataReceived(framed(b"three"))
        self.all_turns()
        self.assertEqual(self.bodies(session), [b"one", b"stop"])
        self.assertEqual(transport.producerState, "paused")
        producer.resumeProducing()
        self.assertEqual(self.bodies(session), [b"one", b"stop", b"two", b"three"])
        self.assertEqual(transport.producerState, "producing")

    def test_a_turn_that_comes_meanwhile_hands_nothing_on(self) -> None:
        protocol, transport, session = self.bare()
        producer: Any = session.connection
        protocol.dataReceived(framed(*NUMBERS[:1500]))
        producer.pauseProducing()
        self.all_turns()
        self.assertEqual(len(session.messages), 1000)
        self.assertEqual(transport.producerState, "paused")
        producer.resumeProducing()
        self.assertEqual(len(session.messages), 1500)

    def test_that_it_reads_again_does_not_bring_a_turn_forward(self) -> None:
        protocol, transport, session = self.bare()
        producer: Any = session.connection
        protocol.dataReceived(framed(*NUMBERS[:1500]))
        producer.pauseProducing()
        producer.resumeProducing()
        self.assertEqual(len(session.messages), 1000)
        self.assertEqual(transport.producerState, "paused")
        self.all_turns()
        self.assertEqual(len(session.messages), 1500)

    def test_one_that_goes_without_reading_is_heard_to_the_end(self) -> None:
        wire, session = self.connect()
        numbers = [b"%05d" % number for number in range(10_000)]
        wire.far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self.assertEqual(wire.far.send(framed(*numbers)), 10_000 * 10)
        wire.turn()
        self.assertTrue(session.connection.paused)
        wire.close()
        self.assertFalse(wire.transport.connected)
        self.all_turns()
        self.assertEqual(self.bodies(session), numbers)
        self.assertEqual(session.ends, 1)

    def test_and_no_further_than_the_end_of_its_sending(self) -> None:
        wire, session = self.connect()
        wire.far.send(framed(b"last") + b"0")
        wire.far.shutdown(socket.SHUT_WR)
        wire.transport.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.bodies(session), [b"last"])
        self.assertEqual(session.ends, 1)

    def test_one_that_is_cut_is_not(self) -> None:
        wire, session = self.connect()
        self.assertEqual(wire.far.send(framed(b"late")), 9)
        connection: Any = session.connection
        connection.abort()
        self.all_turns()
        self.assertFalse(wire.transport.connected)
        self.assertEqual(session.messages, [])

    def test_one_that_reads_nothing_is_too_slow(self) -> None:
        wire, session = self.connect()
        self.pour(wire, framed(*[b"x"] * 10_000))
        for _ in range(11):
            self.reactor.advance(1)
        self.assertFalse(wire.transport.connected)
        self.assertEqual(self.guard.counts["too slow"], 1)
        self.assertEqual(session.ends, 1)


class UnreadTimeTests(FramedTestCase):
    limits = Limits(stall_seconds=0, frame_seconds=5)

    def test_a_frame_whose_rest_is_not_read_is_not_late(self) -> None:
        self.answering()
        protocol, transport, session = self.bare()
        producer: Any = session.connection
        protocol.dataReceived(b"00003o")
        self.reactor.advance(4)
        producer.pauseProducing()
        self.reactor.advance(100)
        producer.resumeProducing()
        self.reactor.advance(4)
        self.assertEqual(transport.take(), b"")
        self.reactor.advance(1)
        self.assertEqual(transport.take(), error("frame too late"))
