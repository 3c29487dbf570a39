# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""A WebSocket connection: messages, pings, and how it ends."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from chatmux.errors import PeerError
from chatmux.interfaces import Connection
from chatmux.model import GOING_AWAY, INTERNAL_ERROR, NORMAL, Close
from chatmux.transports.websocket_factory import WebSocketFactory
from tests.transport_doubles import MemorySession, MemorySubscription
from tests.websocket_doubles import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Frame,
    Peer,
    WebSocketTestCase,
    close_frame,
    masked,
    websocket_door,
)


class MessageTests(WebSocketTestCase):
    def test_text_and_binary(self) -> None:
        peer, session = self.open()
        peer.send(TEXT, "é".encode())
        peer.send(BINARY, b"\xff\x00")
        peer.send(TEXT)
        self.assertEqual(
            session.messages,
            [("é".encode(), False), (b"\xff\x00", True), (b"", False)],
        )

    def test_fragments_are_put_together(self) -> None:
        peer, session = self.open()
        whole = "é".encode()
        peer.send(TEXT, b"caf" + whole[:1], fin=False)
        peer.send(0, whole[1:], fin=False)
        self.assertEqual(session.messages, [])
        peer.send(PING, b"between")
        peer.send(0, b"!", fin=True)
        self.assertEqual(session.messages, [(b"caf" + whole + b"!", False)])
        self.assertEqual(peer.hear(), [Frame(PONG, b"between")])

    @given(
        payloads=st.lists(st.binary(max_size=200), min_size=1, max_size=5),
        cuts=st.lists(st.integers(0, 1200), max_size=8),
    )
    def test_frames_cut_anyhow_are_the_same_messages(
        self, payloads: list[bytes], cuts: list[int]
    ) -> None:
        peer, session = self.open()
        stream = b"".join(masked(BINARY, payload) for payload in payloads)
        places = [0, *sorted(cuts), len(stream)]
        for start, end in pairwise(places):
            peer.say(stream[start:end])
        self.assertEqual(session.messages, [(payload, True) for payload in payloads])
        peer.lose()

    def test_messages_go_out_as_text_until_told_otherwise(self) -> None:
        peer, session = self.open()
        session.connection.send(b"one")
        session.connection.answer_in(True)
        session.connection.send(b"two")
        session.connection.answer_in(False)
        session.connection.send(b"three")
        self.assertEqual(
            peer.hear(),
            [Frame(TEXT, b"one"), Frame(BINARY, b"two"), Frame(1, b"three")],
        )

    def test_subscriptions_are_told_of_a_new_framing_and_of_no_other(self) -> None:
        _, session = self.open()
        subscription = MemorySubscription()
        session.connection.subscriptions.add(subscription)
        session.connection.answer_in(False)
        self.assertEqual(subscription.told, [])
        session.connection.answer_in(True)
        session.connection.answer_in(True)
        self.assertEqual(subscription.told, ["reframe"])


class PingTests(WebSocketTestCase):
    def test_a_ping_is_answered_with_its_payload(self) -> None:
        peer, _ = self.open()
        peer.send(PING, b"x" * 125)
        peer.send(PING)
        self.assertEqual(peer.hear(), [Frame(PONG, b"x" * 125), Frame(PONG, b"")])

    def test_pings_while_paused_are_answered_once_by_the_last(self) -> None:
        peer, _ = self.open()
        producer = peer.transport.producer
        assert producer is not None
        producer.pauseProducing()
        for number in range(10_000):
            peer.send(PING, b"%d" % number)
        self.assertEqual(peer.hear(), [])
        producer.resumeProducing()
        self.assertEqual(peer.hear(), [Frame(PONG, b"9999")])
        producer.pauseProducing()
        producer.resumeProducing()
        self.assertEqual(peer.hear(), [])

    def test_no_pong_follows_a_close(self) -> None:
        peer, session = self.open()
        producer = peer.transport.producer
        assert producer is not None
        producer.pauseProducing()
        peer.send(PING, b"owed")
        session.connection.close(GOING_AWAY)
        producer.resumeProducing()
        peer.send(PING, b"late")
        self.assertEqual([frame.opcode for frame in peer.hear()], [CLOSE])


class ClientCloseTests(WebSocketTestCase):
    def test_it_is_answered_with_its_code_and_without_its_reason(self) -> None:
        for code in 1000, 1001, 1008, 3000, 4999:
            peer, session = self.open()
            peer.send(CLOSE, code.to_bytes(2, "big") + b"because")
            self.assertEqual(peer.hear(), [close_frame(code)])
            self.assertTrue(peer.transport.ending)
            self.assertFalse(peer.transport.aborted)
            self.assert_frees_all(peer)
            self.assertEqual(session.ends, 1)

    def test_one_without_a_code_is_answered_by_an_empty_one(self) -> None:
        peer, _ = self.open()
        peer.send(CLOSE)
        self.assertEqual(peer.hear(), [Frame(CLOSE, b"")])
        self.assertTrue(peer.transport.ending)

    def test_it_is_a_normal_end(self) -> None:
        peer, _ = self.open()
        peer.send(CLOSE, b"\x03\xe8")
        self.assert_frees_all(peer)
        self.assertEqual(dict(self.guard.counts), {"accepted": 1})

    def test_messages_after_it_are_not_handed_on_nor_answered(self) -> None:
        peer, session = self.open()
        peer.say(masked(CLOSE, b"\x03\xe8") + masked(TEXT, b"late") + masked(PING))
        session.connection.send(b"late")
        self.assertEqual(session.messages, [])
        self.assertEqual(peer.hear(), [close_frame(1000)])

    def test_what_was_written_goes_before_the_answer(self) -> None:
        peer, session = self.open()
        session.connection.send(b"first")
        peer.send(CLOSE, b"\x03\xe8")
        self.assertEqual(peer.hear(), [Frame(TEXT, b"first"), close_frame(1000)])


class ServerCloseTests(WebSocketTestCase):
    def test_it_has_a_code_and_a_reason(self) -> None:
        peer, session = self.open()
        session.connection.send(b"first")
        session.connection.close(GOING_AWAY)
        session.connection.send(b"late")
        session.connection.close(INTERNAL_ERROR)
        self.assertEqual(
            peer.hear(),
            [Frame(TEXT, b"first"), close_frame(1001, b"the server is shutting down")],
        )
        self.assertFalse(peer.transport.ending)

    def test_the_answer_ends_the_connection_without_a_reset(self) -> None:
        peer, session = self.open()
        session.connection.close(GOING_AWAY)
        peer.hear()
        peer.send(CLOSE, b"\x03\xe9")
        self.assertEqual(peer.hear(), [])
        self.assertTrue(peer.transport.ending)
        self.assertFalse(peer.transport.aborted)
        self.assert_frees_all(peer)
        self.assertEqual(session.ends, 1)

    def test_a_peer_that_never_answers_is_cut(self) -> None:
        peer, session = self.open()
        session.connection.close(GOING_AWAY)
        self.clock.advance(4.9)
        peer.send(PING)
        self.assertFalse(peer.transport.ending)
        self.clock.advance(0.1)
        self.assertTrue(peer.transport.aborted)
        self.assert_frees_all(peer)

    def test_a_peer_that_vanishes_instead_leaves_no_timer(self) -> None:
        peer, session = self.open()
        session.connection.close(GOING_AWAY)
        peer.lose()
        self.guard.stop()
        self.factory.doStop()
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_its_session_ends_before_the_peer_has_done_its_part(self) -> None:
        """Or what others say to it meanwhile would be lost without a word."""
        peer, session = self.open()
        session.connection.close(GOING_AWAY)
        self.assertEqual(session.ends, 0)
        self.clock.advance(0)
        self.assertEqual(session.ends, 1)
        self.assertFalse(peer.transport.ending)
        peer.lose()
        self.assertEqual(session.ends, 1)

    def test_a_long_reason_is_cut_between_characters(self) -> None:
        peer, session = self.open()
        session.connection.close(Close(1008, "é" * 100))
        (frame,) = peer.hear()
        self.assertLessEqual(len(frame.payload), 125)
        self.assertEqual(frame.payload[2:].decode(), "é" * 61)

    def test_messages_after_it_are_not_handed_on(self) -> None:
        peer, session = self.open()
        self.sessions.steps[b"quit"] = lambda connection: connection.close(NORMAL)
        peer.say(masked(TEXT, b"quit") + masked(TEXT, b"late"))
        peer.send(TEXT, b"later")
        self.assertEqual(session.messages, [(b"quit", False)])
        self.assertEqual(peer.hear(), [close_frame(1000)])

    def test_a_connection_in_its_handshake_is_cut(self) -> None:
        peer = Peer(self.factory)
        (connection,) = self.guard.connections
        connection.close(GOING_AWAY)
        self.assertEqual(peer.transport.take(), b"")
        self.assertTrue(peer.transport.aborted)


class FailureTests(WebSocketTestCase):
    def refuse(self, connection: Connection) -> None:
        connection.send(b"last words")
        raise PeerError(Close(1008, "wrong secret key"))

    def stumble(self, connection: Connection) -> None:
        raise ZeroDivisionError

    def test_a_peer_error_closes_with_its_code_and_reason(self) -> None:
        peer, session = self.open()
        self.sessions.steps[b"bad"] = self.refuse
        peer.say(masked(TEXT, b"bad") + masked(TEXT, b"late"))
        self.assertEqual(
            peer.hear(),
            [Frame(TEXT, b"last words"), close_frame(1008, b"wrong secret key")],
        )
        self.assertEqual(session.messages, [(b"bad", False)])
        self.assert_frees_all(peer)
        self.assertEqual(self.guard.counts["closed 1008"], 1)

    def test_an_exception_closes_only_its_connection(self) -> None:
        other, other_session = self.open()
        peer, _ = self.open()
        self.sessions.steps[b"bad"] = self.stumble
        peer.send(TEXT, b"bad")
        self.assertEqual(peer.hear(), [close_frame(1011, b"internal error")])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.guard.counts["failed"], 1)
        other.send(TEXT, b"good")
        self.assertEqual(other_session.messages, [(b"good", False)])

    def test_an_exception_at_the_beginning_closes_with_1011(self) -> None:
        def fail(connection: Connection) -> MemorySession:
            raise ZeroDivisionError

        door = websocket_door(self.sessions, new_session=fail)
        peer = Peer(WebSocketFactory(self.guard, [door])).open_with(masked(TEXT, b"x"))
        self.assertEqual(peer.hear(), [close_frame(1011, b"internal error")])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assert_frees_all(peer)

    def test_an_exception_of_the_last_call_is_logged_and_the_end_goes_on(self) -> None:
        peer, _ = self.open()
        self.sessions.steps[b"closed"] = self.stumble
        self.assert_frees_all(peer)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_session_is_told_once_that_the_connection_is_gone(self) -> None:
        peer, session = self.open()
        self.assert_frees_all(peer)
        self.assertEqual(session.ends, 1)
