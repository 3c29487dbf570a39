# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What holds of every parser, whatever comes: see also the tests of each module."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatmux.address import host_and_port, ip_of, is_local, network_of
from chatmux.broker.local import LocalBroker
from chatmux.config import build
from chatmux.errors import ConfigError, PeerError
from chatmux.logtext import field, one_line
from chatmux.node import SECTIONS
from chatmux.protocols.multichat import Session
from chatmux.protocols.webtalk.commands import (
    BraceError,
    CommandError,
    split_command,
    split_data,
    to_user_id,
)
from chatmux.settings import Secret
from chatmux.transports.frames import whole_message
from chatmux.transports.handshake import plain_handshake
from chatmux.transports.http_request import IncomingRequest, fault_of_request_line
from chatmux.transports.upgrade import origin_is_welcome
from chatmux.values import Values
from tests.corpus.make_json import filled, first, later
from tests.doubles import MemoryConnection
from tests.websocket_doubles import BINARY, HANDSHAKE, TEXT, masked

bits = st.sampled_from(
    [b"[", b"]", b"!", b" ", b"0", b"9", b":", b"\r\n", b"\0", b"\xff", b"a"]
)
shreds = st.lists(bits | st.binary(max_size=3), max_size=30).map(b"".join)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=6) | st.just("env"), inner, max_size=3)
    ),
    max_leaves=6,
)
packets = st.fixed_dictionaries(
    {},
    optional={
        "action": st.sampled_from(["register", "client-message", "x", 1, None]),
        "client-name": st.text(max_size=5) | values,
        "secret-key": st.sampled_from(["of-the-test", "", None, 1]),
        "content": st.text(max_size=5) | values,
    },
)


class CommandTests(SynchronousTestCase):
    @given(shreds)
    def test_a_frame_is_a_command_or_has_no_brace(self, body: bytes) -> None:
        try:
            command, data = split_command(body)
        except BraceError as error:
            self.assertIn(str(error), "[]")
            return
        self.assertNotIn(b"]", command)
        dropped = len(body) - len(command) - len(data) - 2
        self.assertIn(dropped, (0, 1))
        self.assertTrue(body.endswith(data))

    @given(shreds, shreds)
    def test_data_come_apart_where_they_were_put_together(
        self, one: bytes, other: bytes
    ) -> None:
        one = one.replace(b"!", b"")
        self.assertEqual(split_data(one + b"!" + other, "User"), (one, other))
        self.assertRaises(CommandError, split_data, one, "User")

    @given(shreds)
    def test_an_id_is_one_or_an_error_that_repeats_it(self, digits: bytes) -> None:
        try:
            self.assertEqual(to_user_id(digits), int(digits))
        except CommandError as error:
            self.assertTrue(error.words.startswith(b"Invalid User: " + digits))


class MultichatTests(SynchronousTestCase):
    @given(packets | values, packets | values, st.booleans())
    def test_what_is_said_is_carried_ignored_or_ends_it(
        self, opening: Any, packet: Any, binary: bool
    ) -> None:
        clock = Clock()
        connection = MemoryConnection()
        session = Session(connection, LocalBroker(clock), Secret("of-the-test"))
        data = json.dumps(opening).encode()
        try:
            session.received(data, binary)
        except PeerError as error:
            self.assertEqual(error.close.code, 1003 if binary else 1008)
            self.assertFalse(connection.is_opened)
        else:
            self.assertTrue(connection.is_opened)
            session.received(json.dumps(packet).encode(), binary)
            said = connection.deliveries > 0
            self.assertEqual(said, not connection.ignored_for)
        session.closed()

    @given(shreds)
    def test_the_corpus_rules_hold_for_any_bytes(self, more: bytes) -> None:
        register = filled(b'{FIELDS,"KEY":"NAME"' + more + b"}", "multichat first")
        connection = MemoryConnection()
        secret = Secret(
            json.loads(filled(b"{FIELDS}", "multichat first"))["secret-key"]
        )
        session = Session(connection, LocalBroker(Clock()), secret)
        with contextlib.suppress(PeerError):
            session.received(register, False)
        self.assertEqual(connection.is_opened, first(register) == "ack")
        if connection.is_opened:
            message = filled(b'{FIELDS,"KEY":"x"' + more + b"}", "multichat later")
            session.received(message, False)
            taken = not connection.ignored_for
            self.assertEqual(taken, isinstance(later(message), str))
        session.closed()


class TransportTests(SynchronousTestCase):
    @given(st.binary(max_size=300), st.booleans(), st.binary(max_size=9))
    def test_a_whole_message_is_read_and_what_follows_left(
        self, payload: bytes, binary: bool, behind: bytes
    ) -> None:
        frame = masked(BINARY if binary else TEXT, payload)
        found = whole_message(frame + behind, 0, 1000)
        if found is None:
            self.assertFalse(binary)
            self.assertRaises(UnicodeDecodeError, payload.decode)
        else:
            self.assertEqual(found, (payload, len(frame)))

    @given(st.binary(max_size=40), st.integers(0, 10))
    def test_bytes_that_are_no_message_are_not_read_beyond(
        self, data: bytes, start: int
    ) -> None:
        found = whole_message(data, start, 20)
        if found is not None:
            payload, end = found
            self.assertLessEqual(len(payload), 20)
            self.assertEqual(end - start, len(payload) + 6)
            self.assertLessEqual(end, len(data))

    @given(shreds, st.integers(0, len(HANDSHAKE)))
    def test_a_plain_handshake_is_one_and_has_no_line_break_within(
        self, shred: bytes, at: int
    ) -> None:
        plain = plain_handshake((HANDSHAKE[:at] + shred + HANDSHAKE[at:])[:-2])
        if plain is not None:
            self.assertEqual(plain.headers["upgrade"].lower(), "websocket")
            self.assertEqual(plain.headers["sec-websocket-version"], "13")
            words = [plain.path, plain.query, *plain.headers.values()]
            self.assertFalse(any(set("\r\n\0") & set(word) for word in words))

    @given(shreds)
    def test_a_request_line_without_fault_has_three_words(self, shred: bytes) -> None:
        line = b"GET /" + shred + b" HTTP/1.1"
        if fault_of_request_line(line) is None:
            method, path, version = line.split(b" ")
            self.assertEqual((method, version), (b"GET", b"HTTP/1.1"))
            self.assertTrue(path.decode("ascii").isprintable())

    @given(
        st.sampled_from(["Host", "Content-Length", "Transfer-Encoding", "X"]), shreds
    )
    def test_a_header_without_fault_is_one_line(self, name: str, shred: bytes) -> None:
        line = name.encode() + b":" + shred
        if IncomingRequest(0).fault(line, b"HTTP/1.1") is not None:
            return
        value = shred.strip(b" \t")
        self.assertFalse(set(b"\r\n\0") & set(shred))
        if name == "Content-Length":
            self.assertEqual(
                value.decode(), "".join(filter(str.isascii, value.decode()))
            )
            self.assertGreaterEqual(int(value), 0)
        elif name == "Transfer-Encoding":
            self.assertEqual(value.lower(), b"chunked")

    @given(st.text(), st.text(), st.lists(st.text(), max_size=2))
    def test_an_origin_is_welcome_only_as_a_whole(
        self, origin: str, host: str, welcome: list[str]
    ) -> None:
        if origin_is_welcome(origin, host, welcome) and "*" not in welcome:
            own = f"//{host.strip().lower()}"
            plain = origin.strip().lower()
            known = [one.rstrip("/").lower() for one in welcome]
            self.assertTrue(not host.strip() or own in plain or plain in known)


class ConfigTests(SynchronousTestCase):
    @given(st.dictionaries(st.sampled_from([*SECTIONS, "limits", "bridges"]), values))
    def test_a_wrong_one_is_an_error_that_names_a_key(
        self, raw: dict[str, Any]
    ) -> None:
        try:
            build(raw, SECTIONS, Values(Path("nowhere"), {}))
        except ConfigError as error:
            key = str(error).split(":")[0].split(".")[0].split("[")[0].lower()
            self.assertTrue(key in raw or not raw, str(error))

    @given(values)
    def test_values_are_filled_in_or_left_as_they_are(self, value: Any) -> None:
        try:
            found = Values(Path("nowhere"), {"A": "1"}).resolve({"key": value})
        except ConfigError as error:
            self.assertTrue(str(error).startswith("key"), str(error))
        else:
            self.assertEqual(
                repr(found), repr({"key": value}).replace("{'env': 'A'}", "'1'")
            )

    @given(st.text() | st.from_regex(r"\A(tcp|ssl|unix|[0-9.\[\]:]*):.*\Z"))
    def test_an_address_is_read_or_none(self, address: str) -> None:
        found = host_and_port(address)
        if found is not None:
            self.assertIn(str(found[1]), address)
        self.assertIn(is_local(address), (True, False))

    @given(st.text(max_size=50) | st.ip_addresses().map(str))
    def test_a_host_is_of_one_network(self, host: str) -> None:
        network = network_of(host)
        self.assertEqual(network_of(network), network)
        if ip_of(host) is None:
            self.assertEqual(network, host)


class LogTests(SynchronousTestCase):
    @given(st.text(max_size=400))
    def test_a_field_is_one_short_line_of_ascii(self, text: str) -> None:
        for shown in field(text), one_line(text):
            self.assertTrue(shown.isascii())
            self.assertTrue(shown.isprintable(), repr(shown))
        self.assertLess(len(field(text)), 10 * 256 + 50)
