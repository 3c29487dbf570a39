# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""multichat's packets and sessions, without a reactor."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatmux.broker.local import LocalBroker
from chatmux.errors import PeerError
from chatmux.model import Publication
from chatmux.protocols import multichat
from chatmux.protocols.multichat import encode, refuse
from chatmux.settings import Secret
from tests.doubles import MemoryConnection
from tests.presence_contract import told

texts = st.text(st.characters(exclude_categories=["Cs"]))


def publication(name: str, text: str) -> Publication:
    return Publication("multichat", 1, name, text, "machat", 0, 0.0)


class EncodingTests(SynchronousTestCase):
    def test_keys_come_in_the_original_order_without_blanks(self) -> None:
        self.assertEqual(
            encode(publication("a", "hello")),
            (
                b'{"action":"forwarding-message","source-client-name":"a",'
                b'"content":"hello"}',
            ),
        )

    def test_who_comes_or_goes_makes_no_message(self) -> None:
        silent = publication("ann", "")
        for event in "join", "leave":
            told = silent._replace(ext={"event": event, "color": "red"})
            self.assertEqual(encode(told), ())
        self.assertEqual(len(encode(silent._replace(ext={"color": "red"}))), 1)

    @given(texts, texts)
    def test_any_name_and_text_come_back(self, name: str, text: str) -> None:
        (message,) = encode(publication(name, text))
        self.assertEqual(
            json.loads(message),
            {
                "action": "forwarding-message",
                "source-client-name": name,
                "content": text,
            },
        )


class SessionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.broker = LocalBroker(self.clock)

    def session(self) -> tuple[MemoryConnection, multichat.Session]:
        connection = MemoryConnection()
        session = multichat.Session(connection, self.broker, Secret("s3cret"))
        return connection, session

    def registered(self, name: str) -> tuple[MemoryConnection, multichat.Session]:
        connection, session = self.session()
        self.send(session, action="register", client_name=name, secret_key="s3cret")
        self.assertEqual(connection.take(), b'{"action":"register-ack"}')
        return connection, session

    def send(self, session: multichat.Session, **fields: object) -> None:
        packet = {key.replace("_", "-"): value for key, value in fields.items()}
        session.received(json.dumps(packet).encode(), False)

    def assert_refused(self, code: int, message: bytes, binary: bool = False) -> str:
        connection, session = self.session()
        error = self.assertRaises(PeerError, session.received, message, binary)
        self.assertEqual(error.close.code, code)
        self.assertTrue(error.close.reason)
        self.assertFalse(connection.is_opened)
        session.closed()
        reason: str = error.close.reason
        return reason

    def test_a_message_goes_to_all_but_its_sender(self) -> None:
        ann, ann_session = self.registered("ann")
        bob, _ = self.registered("bob")
        self.send(ann_session, action="client-message", content="hi")
        self.clock.advance(0)
        self.assertEqual(ann.take(), b"")
        self.assertEqual(
            json.loads(bob.take()),
            {
                "action": "forwarding-message",
                "source-client-name": "ann",
                "content": "hi",
            },
        )

    def test_a_name_may_be_shared_and_both_hear_each_other(self) -> None:
        one, one_session = self.registered("ann")
        two, _ = self.registered("ann")
        self.send(one_session, action="client-message", content="hi")
        self.clock.advance(0)
        self.assertEqual(one.take(), b"")
        self.assertIn(b'"source-client-name":"ann"', two.take())

    def test_whoever_has_registered_is_present_until_the_end(self) -> None:
        watcher = MemoryConnection()
        self.broker.subscribe("multichat", watcher, told, presence=True)
        stranger, stranger_session = self.session()
        ann, ann_session = self.registered("ann")
        two, two_session = self.registered("ann")
        self.registered("b:ob")
        members = self.broker.members("multichat")
        self.assertEqual(
            [(member.name, member.origin) for member in members],
            [("ann", "multichat"), ("b_ob", "multichat")],
        )
        for session in stranger_session, ann_session, two_session:
            session.closed()
        self.clock.advance(0)
        self.assertEqual(
            watcher.written, b"ann:,event=join;b:ob:,event=join;ann:,event=leave;"
        )
        self.assertEqual(len(self.broker.members("multichat")), 1)
        # Clients are told nothing of it.
        for connection in stranger, ann, two:
            self.assertEqual(connection.written, b"")

    def test_comings_and_goings_between_messages_are_not_heard(self) -> None:
        self.broker.subscribe("multichat", MemoryConnection(), told, presence=True)
        ann, ann_session = self.registered("ann")
        bob, bob_session = self.registered("bob")
        for number in range(3):
            self.send(ann_session, action="client-message", content=str(number))
            _, eve_session = self.registered("eve")
            self.send(eve_session, action="client-message", content="x")
            eve_session.closed()
        self.send(bob_session, action="client-message", content="y")
        self.clock.advance(0)
        for connection, heard in (ann, "xxxy"), (bob, "0x1x2x"):
            packets = connection.take().replace(b"}{", b"}\n{").splitlines()
            contents = [json.loads(packet)["content"] for packet in packets]
            self.assertEqual(contents, list(heard))

    def test_whoever_is_refused_is_not_present(self) -> None:
        self.assert_refused(
            1008, b'{"action":"register","client-name":"a","secret-key":"x"}'
        )
        self.assertEqual(self.broker.members("multichat"), [])
        self.assertEqual(len(self.broker), 0)

    def test_registration_ends_the_opening(self) -> None:
        connection, _ = self.registered("ann")
        self.assertTrue(connection.is_opened)

    def test_whoever_has_not_registered_hears_nothing(self) -> None:
        stranger, _ = self.session()
        _, session = self.registered("ann")
        self.send(session, action="client-message", content="hi")
        self.clock.advance(0)
        self.assertEqual(stranger.take(), b"")

    def test_a_wrong_secret_is_refused(self) -> None:
        for secret in "s3cre", "s3crets", "S3CRET", "ß", "\ud800":
            packet = {"action": "register", "client-name": "a", "secret-key": secret}
            reason = self.assert_refused(1008, json.dumps(packet).encode())
            self.assertEqual(reason, "wrong secret key")

    def test_a_secret_of_other_letters_than_ascii_works(self) -> None:
        connection = MemoryConnection()
        session = multichat.Session(connection, self.broker, Secret("canary päß"))
        self.send(session, action="register", client_name="a", secret_key="canary päß")
        self.assertTrue(connection.is_opened)

    def test_what_is_no_registration_is_refused(self) -> None:
        packets: tuple[object, ...] = (
            {"action": "client-message", "content": "hi"},
            {"action": "register", "client-name": "a"},
            {"action": "register", "secret-key": "s3cret"},
            {"action": "register", "client-name": "", "secret-key": "s3cret"},
            {"action": "register", "client-name": "a", "secret-key": ""},
            {"action": "register", "client-name": 1, "secret-key": "s3cret"},
            {"action": "register", "client-name": None, "secret-key": "s3cret"},
            {"action": 5, "client-name": "a", "secret-key": "s3cret"},
            {"client-name": "a", "secret-key": "s3cret"},
            [],
        )
        for packet in packets:
            self.assert_refused(1008, json.dumps(packet).encode())
        for message in b"", b"hello", b"{", b"[" * 9000, b'{"action":NaN}':
            self.assert_refused(1008, message)

    def test_a_binary_first_packet_is_refused_as_such(self) -> None:
        good = b'{"action":"register","client-name":"a","secret-key":"s3cret"}'
        self.assert_refused(1003, good, binary=True)

    def test_keys_in_any_order_and_unknown_ones_register(self) -> None:
        connection, session = self.session()
        session.received(
            b'{"secret-key":"s3cret","v":[1],"client-name":"a","action":"register"}',
            False,
        )
        self.assertEqual(connection.take(), b'{"action":"register-ack"}')

    def test_bad_packets_after_registration_are_ignored_and_counted(self) -> None:
        bob, _ = self.registered("bob")
        ann, session = self.registered("ann")
        bad = (
            b"",
            b"{",
            b"[]",
            b'{"action":"dance"}',
            b'{"action":"client-message"}',
            b'{"action":"client-message","content":""}',
            b'{"action":"client-message","content":null}',
            b'{"action":"client-message","content":7}',
            b'{"action":"register","client-name":"eve","secret-key":"s3cret"}',
            b"[" * 100_000,
        )
        for message in bad:
            session.received(message, False)
        session.received(b'{"action":"client-message","content":"x"}', True)
        self.assertEqual(len(ann.ignored_for), len(bad) + 1)
        self.send(session, action="client-message", content="still here")
        self.clock.advance(0)
        self.assertEqual(bob.take().count(b"forwarding-message"), 1)
        self.assertIsNone(ann.closed_for)

    def test_the_name_of_the_registration_stays(self) -> None:
        bob, _ = self.registered("bob")
        _, session = self.registered("ann")
        self.send(session, action="register", client_name="eve", secret_key="s3cret")
        self.send(session, action="client-message", content="hi")
        self.clock.advance(0)
        self.assertIn(b'"source-client-name":"ann"', bob.take())

    def test_a_half_surrogate_reaches_the_others_as_a_replacement(self) -> None:
        bob, _ = self.registered("bob")
        _, session = self.registered("ann")
        session.received(b'{"action":"client-message","content":"a\\ud800"}', False)
        self.send(session, action="client-message", content="next")
        self.clock.advance(0)
        written = bob.take()
        self.assertIn("a\ufffd".encode(), written)
        self.assertIn(b"next", written)

    def test_whoever_is_gone_hears_nothing(self) -> None:
        bob, bob_session = self.registered("bob")
        _, session = self.registered("ann")
        bob_session.closed()
        self.send(session, action="client-message", content="hi")
        self.clock.advance(0)
        self.assertEqual(bob.take(), b"")


class RefusalTests(SynchronousTestCase):
    def test_handshakes_are_refused_as_the_original_refuses_them(self) -> None:
        refusal = refuse(400, "whatever")
        self.assertEqual(refusal.body, b"Bad Request\n")
        self.assertIn(("Sec-Websocket-Version", "13"), refusal.headers)
        self.assertIn(("X-Content-Type-Options", "nosniff"), refusal.headers)
        self.assertIn(("Content-Type", "text/plain; charset=utf-8"), refusal.headers)
        self.assertEqual(refuse(403, "origin").body, b"Forbidden\n")
