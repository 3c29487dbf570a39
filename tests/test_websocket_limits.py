# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What a WebSocket peer cannot do: take too much, too long, or stay too silent."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from chatmux.model import GOING_AWAY
from chatmux.transports.websocket_factory import WebSocketFactory
from tests.websocket_doubles import (
    ACCEPTED,
    BINARY,
    CLOSE,
    HANDSHAKE,
    PING,
    PONG,
    TEXT,
    Frame,
    Peer,
    WebSocketTestCase,
    masked,
    websocket_door,
)

HEADER_BYTES = 16 * 1024


class HeaderTests(WebSocketTestCase):
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

    def test_nothing_is_kept_of_what_comes_behind_a_refusal(self) -> None:
        # Over TLS all that is sent comes here until the peer takes its part in the end.
        peer = Peer(self.factory)
        peer.say(self.header(HEADER_BYTES + 1))
        for _ in range(10):
            peer.say(b"x" * HEADER_BYTES)
        self.assertLessEqual(len(peer.protocol.data), HEADER_BYTES)
        peer = Peer(self.factory).open()
        peer.send(3)
        peer.send(CLOSE, b"\x03\xea")
        for _ in range(10):
            peer.say(b"x" * HEADER_BYTES)
        self.assertEqual(peer.protocol.data, b"")

    def test_frames_behind_it_in_the_same_segment_do_not_count(self) -> None:
        door = websocket_door(self.sessions)
        peer = Peer(WebSocketFactory(self.guard, [door]))
        message = b"x" * (2 * HEADER_BYTES)
        peer.say(self.header(HEADER_BYTES - 10) + masked(TEXT, message))
        self.assertEqual(peer.transport.take(), ACCEPTED)
        self.assertEqual(self.sessions[-1].messages, [(message, False)])


class SizeTests(WebSocketTestCase):
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

    def test_nothing_is_kept_of_a_message_of_too_many_fragments(self) -> None:
        door = websocket_door(self.sessions)
        peer = Peer(WebSocketFactory(self.guard, [door])).open()
        peer.send(BINARY, fin=False)
        for _ in range(1024):
            peer.send(0, fin=False)
        before = _bytes_of(peer.protocol)
        for _ in range(100):
            peer.send(0, b"x" * 1000, fin=False)
        self.assertLess(_bytes_of(peer.protocol), before + 1000)

    def test_fragments_are_counted_for_each_message(self) -> None:
        peer, session = self.opened()
        for _ in range(3):
            peer.send(TEXT, fin=False)
            for _ in range(700):
                peer.send(0, b"", fin=False)
            peer.send(0, b"x")
        self.assertEqual(len(session.messages), 3)


class PingTests(WebSocketTestCase):
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

    def test_a_peer_that_has_not_read_the_ping_yet_has_more_time(self) -> None:
        peer, _ = self.opened()
        self.clock.advance(25)
        self.clock.advance(14)
        self.assertEqual(peer.hear(), [Frame(PING, b"")])
        producer: Any = peer.transport.producer
        producer.pauseProducing()
        self.clock.advance(1)
        producer.resumeProducing()
        self.clock.advance(14)
        self.assertEqual(peer.hear(), [])
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

    def test_a_pong_that_nobody_asked_for_is_a_sign_of_life(self) -> None:
        peer, _ = self.opened()
        self.clock.advance(20)
        peer.send(PONG, b"heartbeat")
        self.clock.advance(24.9)
        self.assertEqual(peer.hear(), [])
        self.clock.advance(0.1)
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


class MemoryTests(WebSocketTestCase):
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

    def test_a_peer_that_vanishes_in_the_midst_of_a_message_is_freed(self) -> None:
        peer, session = self.opened()
        del session
        peer.send(TEXT, b"half", fin=False)
        self.assert_freed(peer)

    def test_a_peer_that_vanishes_before_its_pong_is_freed(self) -> None:
        peer, session = self.opened()
        del session
        self.clock.advance(26)
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
            self.clock.advance(0)
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
