# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Handshakes for WebSockets that are refused, or are none."""

from __future__ import annotations

from chatmux.door import Answer, Request, Upgrade
from tests.http_doubles import GET, OFFER, UpgradeTestCase, handshake
from tests.websocket_doubles import ACCEPTED, HANDSHAKE


class RefusingTests(UpgradeTestCase):
    def test_by_the_door(self) -> None:
        self.server.decide = lambda request: Answer(401, b"who?", (("X-A", "b"),))
        client = self.connect()
        answer = client.ask(handshake())
        self.assertEqual((answer.status, answer.body), (401, b"who?"))
        self.assertEqual(answer.headers[0], ("X-A", "b"))
        self.assertFalse(answer.closes)
        # The connection is still one of HTTP.
        self.assertEqual(client.ask(GET).status, 200)
        self.server.decide = lambda request: Upgrade(self.server.sessions.make)
        client.say(handshake())
        self.assertEqual(client.read(), ACCEPTED)

    def test_what_stands_behind_it_is_no_request(self) -> None:
        self.server.decide = lambda request: Answer(401)
        client = self.connect()
        answer = client.ask(handshake() + GET)
        self.assertTrue(answer.closes)
        self.assertTrue(client.lost)
        self.assertEqual(self.server.requests, [])

    def test_by_the_origin(self) -> None:
        self.begin(origins=("https://ok.example",))
        for origin, status in (
            (b"null", 403),
            (b"http://evil.example:6780", 403),
            (b"http://chat.example:6781", 403),
        ):
            (answer,) = self.answers(handshake(b"Origin: " + origin))
            self.assertEqual((answer.status, answer.closes), (status, False), origin)
            self.assertEqual(answer.headers[0], ("X-Door", "yes"))
            self.assertEqual(answer.body, b"this origin is not welcome")
        self.assertEqual(self.server.handshakes, [])
        for origin in b"http://chat.example:6780", b"https://ok.example":
            client = self.connect()
            client.say(handshake(b"Origin: " + origin))
            self.assertEqual(client.read(), ACCEPTED, origin)

    def test_any_origin_is_welcome_to_a_door_that_says_so(self) -> None:
        for origin in b"null", b"http://evil.example", b"nonsense":
            client = self.connect()
            client.say(handshake(b"Origin: " + origin))
            self.assertEqual(client.read(), ACCEPTED, origin)

    def test_by_autobahn(self) -> None:
        for old, new, word in (
            (b"Version: 13", b"Version: 12", b"version"),
            (b"Version: 13", b"Version: x", b"version"),
            (b"Version: 13", b"Version: 13\r\nSec-WebSocket-Version: 13", b"version"),
            (b"ZQ==", b"ZQ=", b"key"),
            (b"ZQ==", b"ZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", b"key"),
            (b"dGhl", b"d\xc3\xa9hl", b"key"),
            (b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", b"", b"key"),
            (b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: a, a\r\n\r\n", b"protocol"),
        ):
            client = self.connect()
            client.say(handshake().replace(old, new) + GET)
            (answer,) = client.hear()
            self.assertEqual((answer.status, answer.closes), (400, True), new)
            self.assertEqual(answer.headers[0], ("X-Door", "yes"))
            self.assertIn(word, answer.body.lower())
            self.assertTrue(client.lost)
        self.assertEqual(self.server.sessions, [])
        self.assertEqual(self.server.requests, [])
        self.assertEqual(self.guard.counts["closed 1002"], 8)
        self.assert_nothing_is_left()

    def test_by_an_exception(self) -> None:
        def fail(request: Request) -> Answer:
            raise ZeroDivisionError

        self.server.decide = fail
        client = self.connect()
        self.assertEqual(client.ask(handshake()).status, 500)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.guard.counts["failed"], 1)
        self.assertEqual(client.ask(GET).status, 200)

    def test_a_subprotocol_that_was_not_offered_is_an_error_of_ours(self) -> None:
        def decide(request: Request) -> Upgrade:
            return Upgrade(self.server.sessions.make, "chat.v3")

        self.server.decide = decide
        for offer in OFFER, b"":
            (answer,) = self.answers(HANDSHAKE + offer + b"\r\n")
            self.assertEqual(answer.status, 500)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)


class NoHandshakeTests(UpgradeTestCase):
    """What asks for a WebSocket wrongly is an HTTP request."""

    def test_it_is_responded_to(self) -> None:
        whole = handshake(path=b"/x")
        length = b"\r\nContent-Length: 1\r\n\r\nx"
        chunks = b"\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        for old, new, closes in (
            (b"Upgrade: websocket", b"Upgrade: h2c", False),
            (b"Upgrade: websocket\r\n", b"", False),
            (b"Upgrade: websocket", b"Upgrade: websockets", False),
            (b"Connection: Upgrade\r\n", b"", True),
            (b"Connection: Upgrade", b"Connection: keep-alive", True),
            (b"Sec-WebSocket-Version: 13\r\n", b"", True),
            (b"GET", b"POST", True),
            (b"GET", b"get", True),
            (b"HTTP/1.1", b"HTTP/1.0", True),
            (b"\r\n\r\n", length, True),
            (b"\r\n\r\n", chunks, True),
        ):
            client = self.connect()
            client.say(whole.replace(old, new, 1) + GET)
            answers = client.hear()
            # What is behind may have been meant for a WebSocket.
            self.assertEqual(len(answers), 1 if closes else 2, new)
            self.assertEqual((answers[0].body, answers[0].closes), (b"/x", closes), new)
        self.assertEqual(self.server.handshakes, [])
        self.assertEqual(self.server.sessions, [])
