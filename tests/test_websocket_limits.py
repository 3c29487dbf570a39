# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What a WebSocket peer cannot do: take too much, too long, or stay too silent."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from chatmux.model import GOING_AWAY
from chatmux.settings import Limits
from chatmux.transports.guard import Guard
from chatmux.transports.websocket import WebSocketFactory
from tests.transport_doubles import (
    ACCEPTED,
    BINARY,
    CLOSE,
    HANDSHAKE,
    PING,
    PONG,
    TEXT,
    Frame,
    MemorySession,
    Peer,
    Sessions,
    Wire,
    close_frame,
    masked,
    websocket_door,
)

HEADER_BYTES = 16 * 1024


class LimitTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = MemoryReactorClock()
        self.guard = Guard(self.clock, Limits())
        self.sessions = Sessions()
        door = websocket_door(self.sessions, opening_bytes=100, message_bytes=1000)
        self.factory = WebSocketFactory(self.guard, [door])

    def open(self) -> tuple[Peer, MemorySession]:
        """Shake hands; the session still waits for its opening."""
        peer = Peer(self.factory).open()
        return peer, self.sessions[-1]

    def opened(self) -> tuple[Peer, MemorySession]:
        peer, session = self.open()
        session.connection.opened()
        return peer, session

    def closed_for(self, peer: Peer) -> int:
        """Return the code of the close frame that is all a peer hears."""
        (frame,) = peer.hear()
        self.assertEqual(frame.opcode, CLOSE)
        self.assertGreater(len(frame.payload), 2, "no reason")
        return int.from_bytes(frame.payload[:2], "big")


class HeaderTests(LimitTestCase):
    def header(self, length: int) -> bytes:
        """Return a handshake of so many bytes."""
        rest = length - len(HANDSHAKE) - len(b"X: \r\n\r\n")
        return HANDSHAKE + b"X: " + b"x" * rest + b"\r\n\r\n"

    def test_a_header_at_the_limit_passes(self) -> None:
        peer = Peer(self.factory)
        peer.say(self.header(HEADER_BYTES))
        self.assertEqual(peer.transport.take(), ACCEPTED)

    def test_a_header_over_the_limit_is_refused(self) -> None:
        peer = Peer(self.factory)
        peer.say(self.header(HEADER_BYTES + 1))
        self.assertEqual(peer.transport.take()[:13], b"HTTP/1.1 431 ")
        self.assertTrue(peer.transport.ending)

    def test_so_is_one_that_comes_in_pieces(self) -> None:
        for length, status in (HEADER_BYTES, b"101"), (HEADER_BYTES + 1, b"431"):
            peer = Peer(self.factory)
            header = self.header(length)
            for start in range(0, length, 1000):
                self.assertEqual(peer.transport.take(), b"")
                peer.say(header[start : start + 1000])
            self.assertEqual(peer.transport.take()[9:12], status)

    def test_one_that_never_ends_is_refused_at_the_limit(self) -> None:
        peer = Peer(self.factory)
        peer.say(b"x" * HEADER_BYTES)
        self.assertEqual(peer.transport.take(), b"")
        peer.say(b"x")
        self.assertEqual(peer.transport.take()[:13], b"HTTP/1.1 431 ")
        self.assertTrue(peer.transport.ending)

    def test_frames_behind_it_in_the_same_segment_do_not_count(self) -> None:
        door = websocket_door(self.sessions)
        peer = Peer(WebSocketFactory(self.guard, [door]))
        message = b"x" * (2 * HEADER_BYTES)
        peer.say(self.header(HEADER_BYTES - 10) + masked(TEXT, message))
        self.assertEqual(peer.transport.take(), ACCEPTED)
        self.assertEqual(self.sessions[-1].messages, [(message, False)])


class OpeningTests(LimitTestCase):
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
        peer, session = self.open()
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


class SizeTests(LimitTestCase):
    def test_a_message_of_any_limit_passes(self) -> None:
        peer, session = self.open()
        peer.send(TEXT, b"x" * 100)
        session.connection.opened()
        peer.send(BINARY, b"x" * 1000)
        self.assertEqual([len(one) for one, _ in session.messages], [100, 1000])
        self.assertEqual(peer.hear(), [])

    def test_a_message_over_the_limit_is_closed_with_1009(self) -> None:
        peer, session = self.open()
        peer.say(masked(TEXT, b"x" * 101) + masked(TEXT, b"late"))
        self.assertEqual(self.closed_for(peer), 1009)
        self.assertFalse(peer.transport.ending)
        peer, other = self.opened()
        peer.say(masked(TEXT, b"x" * 1001) + masked(TEXT, b"late"))
        self.assertEqual(self.closed_for(peer), 1009)
        self.assertEqual(session.messages + other.messages, [])

    def test_fragments_are_measured_together(self) -> None:
        peer, session = self.open()
        peer.send(TEXT, b"x" * 60, fin=False)
        peer.send(0, b"x" * 41, fin=False)
        self.assertEqual(self.closed_for(peer), 1009)
        peer.send(0, b"late")
        self.assertEqual(session.messages, [])

    def test_a_length_is_believed_at_once(self) -> None:
        peer, _ = self.open()
        peer.say(b"\x81\xff" + (1 << 40).to_bytes(8, "big") + b"mask")
        self.assertEqual(self.closed_for(peer), 1009)

    def test_nothing_is_kept_of_a_message_that_is_too_long(self) -> None:
        peer, _ = self.open()
        message = masked(BINARY, b"x" * (8 << 20))
        peer.say(message[:1000])
        before = _bytes_of(peer.protocol)
        for start in range(1000, len(message) - 1000, 1 << 16):
            peer.say(message[start : start + (1 << 16)])
        self.assertLess(_bytes_of(peer.protocol), before + 1000)

    def test_many_fragments_pass_and_one_more_is_closed(self) -> None:
        for count, accepted in (1024, True), (1025, False):
            peer, session = self.opened()
            peer.send(TEXT, fin=False)
            for _ in range(count - 2):
                peer.send(0, b"", fin=False)
            peer.send(0, b"x")
            self.assertEqual(session.messages, [(b"x", False)] if accepted else [])
            if not accepted:
                self.assertEqual(self.closed_for(peer), 1008)

    def test_fragments_are_counted_for_each_message(self) -> None:
        peer, session = self.opened()
        for _ in range(3):
            peer.send(TEXT, fin=False)
            for _ in range(700):
                peer.send(0, b"", fin=False)
            peer.send(0, b"x")
        self.assertEqual(len(session.messages), 3)


class MessageDeadlineTests(LimitTestCase):
    def test_a_message_that_is_not_complete_in_time_is_closed(self) -> None:
        half = masked(TEXT, b"x" * 50)[:30]
        for begin in masked(TEXT, b"x", fin=False), half, half[:1]:
            peer, session = self.opened()
            peer.say(begin)
            self.clock.advance(24)
            peer.hear()
            self.clock.advance(5.9)
            self.pong(peer)
            self.assertEqual(peer.hear(), [])
            self.clock.advance(0.1)
            self.assertEqual(self.closed_for(peer), 1008)

    def pong(self, peer: Peer) -> None:
        """Answer what was asked, where that is allowed; else say nothing."""
        self.assertEqual(peer.hear(), [Frame(PING, b"")])

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


class ViolationTests(LimitTestCase):
    def test_bad_utf8_is_1007(self) -> None:
        for payload in b"\xff", b"\xed\xa0\x80", b"\xc3", b"caf\xc3":
            peer, session = self.opened()
            peer.say(masked(TEXT, payload) + masked(TEXT, b"late"))
            self.assertEqual(self.closed_for(peer), 1007, payload)
            self.assertEqual(session.messages, [], payload)

    def test_bad_utf8_in_a_later_fragment_is_1007(self) -> None:
        peer, _ = self.opened()
        peer.send(TEXT, b"caf", fin=False)
        peer.send(0, b"\xff", fin=False)
        self.assertEqual(self.closed_for(peer), 1007)

    def test_violations_are_1002(self) -> None:
        for data in (
            b"\x81\x05Hello",
            masked(TEXT, b"x", rsv=4),
            masked(TEXT, b"x", rsv=1),
            masked(3, b"x"),
            masked(11, b"x"),
            masked(0, b"x"),
            masked(PING, b"x", fin=False),
            masked(PING, b"x" * 126),
            masked(TEXT, b"x", fin=False) + masked(TEXT, b"x"),
            b"\x81\xfe\x00\x05maskhello",
        ):
            peer, session = self.opened()
            peer.say(data)
            self.assertFalse(peer.transport.ending, data)
            peer.send(TEXT, b"late")
            self.assertEqual(self.closed_for(peer), 1002, data)
            self.assertEqual(session.messages, [], data)

    def test_bad_close_frames_are_1002(self) -> None:
        for payload in b"\x03", b"\x03\xed", b"\x00\x00", b"\xff\xff":
            peer, _ = self.opened()
            peer.send(CLOSE, payload)
            self.assertEqual(peer.hear()[0].payload[:2], b"\x03\xea", payload)

    def test_a_violation_is_one_line_of_the_log_and_counted(self) -> None:
        peer, _ = self.opened()
        with capturedLogs() as logs:
            peer.say(b"\x81\x05Hello" * 3)
            peer.lose()
        self.assertEqual(len(logs), 1)
        self.assertEqual(self.guard.counts["closed 1002"], 1)

    def test_a_second_violation_ends_it(self) -> None:
        peer, _ = self.opened()
        peer.say(b"\x81\x05Hello" * 2)
        self.assertTrue(peer.transport.ending)
        peer.lose()
        self.clock.advance(100)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class PingTests(LimitTestCase):
    def test_a_silent_peer_is_pinged_and_closed_40_seconds_after(self) -> None:
        peer, _ = self.opened()
        self.clock.advance(24.9)
        self.assertEqual(peer.hear(), [])
        self.clock.advance(0.1)
        self.assertEqual(peer.hear(), [Frame(PING, b"")])
        self.clock.advance(14.9)
        self.assertEqual(peer.hear(), [])
        self.clock.advance(0.1)
        self.assertEqual(self.closed_for(peer), 1008)

    def test_messages_are_no_answer_to_a_ping(self) -> None:
        peer, _ = self.opened()
        for _ in range(39):
            self.clock.advance(1)
            peer.say(masked(TEXT, b"x"))
        self.assertEqual(peer.hear(), [Frame(PING, b"")])
        self.clock.advance(1)
        self.assertEqual(self.closed_for(peer), 1008)

    def test_a_peer_that_answers_stays(self) -> None:
        peer, _ = self.opened()
        for _ in range(5):
            self.clock.advance(25)
            self.assertEqual(peer.hear(), [Frame(PING, b"")])
            self.clock.advance(10)
            peer.send(PONG)
        self.clock.advance(24.9)
        self.assertEqual(peer.hear(), [])

    def test_a_pong_that_nobody_asked_for_changes_nothing(self) -> None:
        peer, _ = self.opened()
        self.clock.advance(20)
        peer.send(PONG, b"heartbeat")
        self.clock.advance(5)
        self.assertEqual(peer.hear(), [Frame(PING, b"")])

    def test_whoever_stays_when_the_listener_stops_is_pinged_still(self) -> None:
        peer, _ = self.opened()
        self.factory.doStop()
        self.clock.advance(25)
        self.assertEqual(peer.hear(), [Frame(PING, b"")])

    def test_a_connection_that_is_closing_is_not_pinged(self) -> None:
        peer, session = self.opened()
        self.clock.advance(23)
        session.connection.close(GOING_AWAY)
        peer.hear()
        self.clock.advance(4)
        self.assertEqual(peer.hear(), [])


class SlowReaderTests(LimitTestCase):
    def connect(self) -> tuple[Wire, Any]:
        """Shake hands on a socket."""
        wire = Wire(self.factory.buildProtocol(None), self.clock)
        self.addCleanup(wire.close)
        wire.say(HANDSHAKE + b"\r\n")
        self.assertEqual(wire.hear_all(), ACCEPTED)
        session = self.sessions[-1]
        session.connection.opened()
        return wire, session

    def pass_time(self, wire: Wire, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.advance(1)
            wire.turn()

    def test_whoever_reads_nothing_is_told_and_then_cut(self) -> None:
        wire, session = self.connect()
        session.connection.send(b"x" * (1 << 20))
        self.pass_time(wire, 14)
        self.assertEqual(self.guard.counts["too slow"], 0)
        self.assertTrue(wire.transport.connected)
        self.pass_time(wire, 5)
        self.assertFalse(wire.transport.connected)
        self.assertEqual(self.guard.counts["too slow"], 1)

    def test_it_leaves_no_timer(self) -> None:
        wire, session = self.connect()
        session.connection.send(b"x" * (1 << 20))
        self.pass_time(wire, 12)
        self.assertTrue(wire.transport.connected)
        wire.close()
        self.guard.stop()
        self.factory.doStop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_whoever_says_goodbye_and_reads_nothing_is_cut(self) -> None:
        """Twisted waits for all to be read before it closes, however long."""
        for size in 1 << 20, 50_000:
            wire, session = self.connect()
            session.connection.send(b"x" * size)
            self.assertTrue(wire.writing, size)
            wire.say(masked(CLOSE, b"\x03\xe8"))
            self.pass_time(wire, 30)
            self.assertFalse(wire.transport.connected, size)

    def test_whoever_says_goodbye_and_reads_late_hears_all(self) -> None:
        wire, session = self.connect()
        session.connection.send(b"x" * (1 << 20))
        wire.say(masked(CLOSE, b"\x03\xe8"))
        self.pass_time(wire, 5)
        heard = wire.hear_all()
        self.assertEqual(len(heard), (1 << 20) + 10 + 4)
        self.assertEqual(heard[-4:], b"\x88\x02\x03\xe8")
        self.assertFalse(wire.transport.connected)


class MemoryTests(LimitTestCase):
    """Reference counts alone free a connection: the collector is off."""

    def setUp(self) -> None:
        super().setUp()
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)

    def assert_freed(self, peer: Peer) -> None:
        protocol: weakref.ref[object] = weakref.ref(peer.protocol)
        connection: weakref.ref[object] = weakref.ref(peer.protocol.connection)
        peer.lose()
        del peer.protocol
        self.sessions.clear()
        self.assertIsNone(protocol(), "the protocol")
        self.assertIsNone(connection(), "the connection")

    def test_a_peer_that_vanishes_is_freed(self) -> None:
        peer, session = self.opened()
        peer.send(TEXT, b"hello")
        del session
        self.assert_freed(peer)

    def test_a_peer_that_closes_is_freed(self) -> None:
        peer, session = self.opened()
        del session
        peer.send(CLOSE, b"\x03\xe8")
        self.assert_freed(peer)

    def test_a_peer_that_was_closed_is_freed(self) -> None:
        for answered in True, False:
            peer, session = self.opened()
            session.connection.close(GOING_AWAY)
            del session
            if answered:
                peer.send(CLOSE, b"\x03\xe9")
            self.assert_freed(peer)

    def test_a_peer_that_never_answers_is_freed(self) -> None:
        peer, session = self.opened()
        session.connection.close(GOING_AWAY)
        del session
        self.clock.advance(5)
        self.assert_freed(peer)

    def test_a_peer_that_was_refused_is_freed(self) -> None:
        peer = Peer(self.factory)
        peer.say(b"GET / HTTP/1.1\r\n\r\n")
        self.assert_freed(peer)


def _bytes_of(protocol: Any) -> int:
    """Return how many bytes of its peer a protocol holds on to."""
    found, seen, todo = 0, set(), [protocol]
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, bytes | bytearray):
            found += len(one)
        elif isinstance(one, list | tuple):
            todo += one
        elif one is protocol:
            todo += vars(one).values()
    return found
