# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""HTTP over TLS: nothing leaves in the clear, and every end is one of TLS, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chatmux.door import Answer
from chatmux.model import GOING_AWAY
from chatmux.transports.http import HTTPFactory
from chatmux.transports.tls import TLSFactory, tls_context
from tests.certificates import client_context, make_files
from tests.http_doubles import GET, HTTPTestCase, heard
from tests.test_tls import SECRET, TLSCaller
from tests.transport_doubles import Wire
from tests.websocket_doubles import ACCEPTED, HANDSHAKE, TEXT, Frame, frames, masked

CLOSING = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
TOO_LONG = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n"


class TLSTests(HTTPTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.files = make_files(Path(self.mktemp()))

    def call(self) -> TLSCaller:
        factory: Any = HTTPFactory(self.guard, self.server.door())
        context: Any = tls_context(self.files, "test")
        tls: Any = TLSFactory(context, False, factory, self.reactor)
        wire = Wire(tls.buildProtocol(None), self.reactor)
        self.addCleanup(wire.close)
        caller = TLSCaller(wire, client_context(self.files))
        caller.shake_hands()
        return caller

    def test_no_answer_passes_in_the_clear(self) -> None:
        self.server.steps["/"] = lambda request: Answer(200, SECRET)
        caller = self.call()
        for _ in range(3):
            caller.say(GET)
        self.assertEqual([one.body for one in heard(caller.hear())], [SECRET] * 3)
        self.assertNotIn(SECRET, caller.raw)

    def test_nor_does_a_message_of_a_websocket(self) -> None:
        caller = self.call()
        caller.say(GET)
        caller.hear()
        caller.say(HANDSHAKE + b"\r\n" + masked(TEXT, b"hello"))
        self.assertEqual(caller.hear(), ACCEPTED)
        session = self.server.sessions[0]
        self.assertEqual(session.messages, [(b"hello", False)])
        session.connection.send(SECRET)
        self.assertEqual(list(frames(caller.hear())), [Frame(TEXT, SECRET)])
        self.assertNotIn(SECRET, caller.raw)
        caller.wire.close()
        self.assertEqual(session.ends, 1)
        self.assert_nothing_is_left()

    def test_a_long_answer_is_read_as_slowly_as_one_likes(self) -> None:
        self.server.steps["/"] = lambda request: Answer(200, b"x" * 300_000)
        caller = self.call()
        caller.say(GET * 3)
        data = b""
        while len(data) < 900_000:
            part = caller.hear()
            self.assertNotEqual(part, b"")
            data += part
        self.assertEqual([len(one.body) for one in heard(data)], [300_000] * 3)

    def test_an_end_is_an_end_of_tls(self) -> None:
        for request, status in (CLOSING, 200), (TOO_LONG, 413), (b"x\r\n", 400):
            caller = self.call()
            caller.say(request)
            (answer,) = heard(caller.hear())
            self.assertEqual(answer.status, status)
            self.assertTrue(caller.ended)

    def test_what_comes_behind_it_is_for_nobody(self) -> None:
        for request, count in (CLOSING, 1), (TOO_LONG, 0):
            self.server.requests.clear()
            caller = self.call()
            caller.say(request)
            for line in GET.splitlines(keepends=True):
                caller.say(line)
            self.assertEqual(len(self.server.requests), count)
            # Dropped, and not kept in a buffer that ends the reading.
            for _ in range(10):
                caller.say(b"x" * 8192)
            caller.hear()
            caller.end()
            self.assertFalse(caller.wire.transport.connected)

    def test_who_takes_no_part_in_it_is_cut(self) -> None:
        for request in CLOSING, TOO_LONG, b"x\r\n", GET, GET[:-1], b"":
            caller = self.call()
            caller.wire.say(caller.encrypted(request))
            for _ in range(100):
                self.reactor.advance(1)
                caller.wire.turn()
            self.assertFalse(caller.wire.transport.connected, request)
        self.assert_nothing_is_left()

    def test_one_that_is_kept_for_later_does_not_hold_up_the_end(self) -> None:
        """As that of a program's pool, which reads only when it asks again."""
        caller = self.call()
        caller.say(GET)
        self.assertEqual(len(list(heard(caller.hear()))), 1)
        (connection,) = self.guard.connections
        connection.close(GOING_AWAY)
        caller.wire.turn()
        self.assertFalse(caller.wire.transport.connected)
        self.assertEqual(caller.hear(), b"")
        self.assertTrue(caller.ended)
        self.assert_nothing_is_left()

    def test_one_that_is_lost_is_no_producer_any_more(self) -> None:
        """TLS would hold it, and it holds TLS: only a full collection frees them."""
        for said in b"", GET, HANDSHAKE + b"\r\n":
            caller = self.call()
            if said:
                caller.say(said)
            tls: Any = caller.wire.transport.protocol
            self.assertIsNotNone(tls._producer)
            caller.wire.close()
            self.assertIsNone(tls._producer)
        self.assert_nothing_is_left()

    def test_so_is_who_never_finishes_the_beginning(self) -> None:
        caller = self.call()
        wire = Wire(caller.wire.transport.protocol.factory.buildProtocol(None),
                    self.reactor)  # fmt: skip
        self.addCleanup(wire.close)
        wire.say(b"\x16\x03\x01")
        for _ in range(11):
            self.reactor.advance(1)
            wire.turn()
        self.assertFalse(wire.transport.connected)
