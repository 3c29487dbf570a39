# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The WebSocket handshake: who may upgrade, and how the others are refused."""

from __future__ import annotations

from http.client import parse_headers
from io import BytesIO

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatmux.door import WebSocketDoor
from chatmux.protocols import machat, multichat
from chatmux.settings import Secret
from chatmux.transports.guard import Guard
from chatmux.transports.upgrade import origin_is_welcome, refusal_bytes, route
from chatmux.transports.websocket_factory import WebSocketFactory
from tests.doubles import services
from tests.transport_doubles import Sessions
from tests.websocket_doubles import (
    ACCEPTED,
    HANDSHAKE,
    TEXT,
    Peer,
    masked,
    websocket_door,
)


def asking(path: bytes = b"/", *headers: bytes, host: bytes = b"chat.example:6780") -> (
    bytes
):  # fmt: skip
    """Return a whole handshake."""
    request = HANDSHAKE.replace(b"GET /", b"GET " + path, 1)
    request = request.replace(b"chat.example:6780", host)
    return request + b"".join(header + b"\r\n" for header in headers) + b"\r\n"


def parts(answer: bytes) -> tuple[bytes, dict[str, str], bytes]:
    """Split an HTTP answer into its status line, headers and body."""
    stream = BytesIO(answer)
    status = stream.readline().rstrip(b"\r\n")
    headers = dict(parse_headers(stream).items())
    return status, headers, stream.read()


class RouteTests(SynchronousTestCase):
    def found(self, path: str, *paths: str) -> str | None:
        doors = [websocket_door(Sessions(), one) for one in paths]
        door = route(path, doors)
        return None if door is None else door.path

    def test_a_path_with_a_slash_at_its_end_serves_all_below(self) -> None:
        for path in "/", "/a", "/a/b", "//":
            self.assertEqual(self.found(path, "/"), "/")
        self.assertEqual(self.found("/chat/x", "/chat/"), "/chat/")
        self.assertIsNone(self.found("/chat", "/chat/"))
        self.assertIsNone(self.found("/chatter", "/chat/"))

    def test_any_other_serves_only_itself(self) -> None:
        self.assertEqual(self.found("/mychat", "/mychat"), "/mychat")
        for path in "/", "/mychat/", "/mychat/x", "/mychatter", "/MYCHAT", "", "mychat":
            self.assertIsNone(self.found(path, "/mychat"))

    def test_the_longest_wins_whatever_the_order(self) -> None:
        for paths in ("/", "/a/", "/a/b"), ("/a/b", "/a/", "/"):
            self.assertEqual(self.found("/x", *paths), "/")
            self.assertEqual(self.found("/a/x", *paths), "/a/")
            self.assertEqual(self.found("/a/b", *paths), "/a/b")
            self.assertEqual(self.found("/a/b/c", *paths), "/a/")


class OriginTests(SynchronousTestCase):
    def welcome(self, origin: str | None, *origins: str) -> bool:
        return origin_is_welcome(origin, "chat.example:6780", origins)

    def test_programs_have_none_and_are_welcome(self) -> None:
        self.assertTrue(self.welcome(None))

    def test_pages_of_the_own_host_are_welcome(self) -> None:
        for origin in (
            "http://chat.example:6780",
            "https://chat.example:6780",
            "HTTP://CHAT.example:6780",
        ):
            self.assertTrue(self.welcome(origin), origin)

    def test_other_pages_are_not(self) -> None:
        for origin in (
            "null",
            "",
            "http://chat.example",
            "http://chat.example:6781",
            "http://evil.example:6780",
            "http://evilchat.example:6780",
            "http://evil.chat.example:6780",
            "http://chat.example:6780.evil.example",
            "http://chat.example:6780@evil.example",
            "http://evil.example/chat.example:6780",
            "http://[chat.example:6780",
            "chat.example:6780",
        ):
            self.assertFalse(self.welcome(origin), origin)

    def test_configured_pages_are_compared_whole(self) -> None:
        configured = "https://ok.example/"
        self.assertTrue(self.welcome("https://ok.example", configured))
        self.assertTrue(self.welcome("https://OK.example", configured))
        for origin in (
            "http://ok.example",
            "https://ok.example:8443",
            "https://ok.example.evil.example",
            "https://x.ok.example",
            "null",
        ):
            self.assertFalse(self.welcome(origin, configured), origin)

    def test_a_star_is_any(self) -> None:
        self.assertTrue(self.welcome("null", "*"))
        self.assertTrue(self.welcome("https://evil.example", "*"))


class HandshakeTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.guard = Guard(Clock())
        self.sessions = Sessions()

    def answer(self, request: bytes, *doors: WebSocketDoor) -> bytes:
        """Return all that is said to a request."""
        factory = WebSocketFactory(
            self.guard, list(doors) or [websocket_door(self.sessions)]
        )
        peer = Peer(factory)
        peer.say(request)
        answer = peer.transport.take()
        self.assertEqual(
            peer.transport.ending, not answer.startswith(b"HTTP/1.1 101 "), answer
        )
        self.assertFalse(peer.transport.aborted)
        peer.lose()
        return answer


class AcceptingTests(HandshakeTestCase):
    def test_the_answer_has_what_is_needed_and_nothing_else(self) -> None:
        self.assertEqual(self.answer(asking()), ACCEPTED)
        self.assertEqual(len(self.sessions), 1)

    def test_no_subprotocol_and_no_extension_is_agreed_to(self) -> None:
        offer = asking(
            b"/",
            b"Sec-WebSocket-Protocol: chat, superchat",
            b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
        )
        self.assertEqual(self.answer(offer), ACCEPTED)

    def test_a_subprotocol_is_agreed_to_where_the_door_chooses_one(self) -> None:
        door = websocket_door(
            self.sessions, subprotocol=lambda offered: (*offered, None)[0]
        )
        for offered, agreed in (
            (b"", b""),
            (b"binary", b"binary"),
            (b"base64, binary", b"base64"),
        ):
            header = b"Sec-WebSocket-Protocol: " + offered
            answer = self.answer(asking(b"/", *([header] if offered else [])), door)
            line = b"Sec-WebSocket-Protocol: " + agreed + b"\r\n" if agreed else b""
            mark = b"Sec-WebSocket-Accept: "
            self.assertEqual(answer, ACCEPTED.replace(mark, line + mark))

    def test_a_choice_that_was_not_offered_is_none(self) -> None:
        door = websocket_door(self.sessions, subprotocol=lambda offered: "chat")
        for headers in (), (b"Sec-WebSocket-Protocol: superchat, chats",):
            self.assertEqual(self.answer(asking(b"/", *headers), door), ACCEPTED)

    def test_headers_of_any_case_and_order_are_understood(self) -> None:
        request = (
            b"GET /?a=b HTTP/1.1\r\nsec-websocket-version: 13\r\n"
            b"connection: keep-alive, upgrade\r\nX-Other: 1\r\nUPGRADE: WebSocket\r\n"
            b"SEC-WEBSOCKET-KEY: dGhlIHNhbXBsZSBub25jZQ==\r\nhost: h\r\n\r\n"
        )
        self.assertEqual(self.answer(request), ACCEPTED)

    def test_doors_of_one_address_are_told_apart_by_their_paths(self) -> None:
        mine, yours = Sessions(), Sessions()
        doors = [websocket_door(mine, "/mine"), websocket_door(yours, "/yours")]
        self.assertEqual(self.answer(asking(b"/yours"), *doors), ACCEPTED)
        self.assertEqual((len(mine), len(yours)), (0, 1))
        self.assertEqual(self.answer(asking(b"/mine?x=1"), *doors), ACCEPTED)
        self.assertEqual((len(mine), len(yours)), (1, 1))

    def test_a_connection_is_known_by_its_own_door(self) -> None:
        doors = [
            websocket_door(self.sessions, path, key=key)
            for path, key in (("/mine", "test.mine"), ("/yours", "test.yours"))
        ]
        peer = Peer(WebSocketFactory(self.guard, doors))
        peer.say(asking(b"/yours"))
        (connection,) = self.guard.connections
        self.assertEqual(connection.door, "test.yours")
        self.assertEqual(+self.guard.of_door, {"test.yours": 1})
        peer.lose()
        self.assertEqual(set(self.guard.of_door.values()), {0})

    def test_byte_by_byte_with_a_message_behind_it(self) -> None:
        peer = Peer(WebSocketFactory(self.guard, [websocket_door(self.sessions)]))
        for byte in asking() + masked(TEXT, b"hello"):
            peer.say(bytes((byte,)))
        self.assertEqual(peer.transport.take(), ACCEPTED)
        self.assertEqual(self.sessions[0].messages, [(b"hello", False)])


class RefusingTests(HandshakeTestCase):
    def test_multichat(self) -> None:
        section = multichat.Section(secret_key=Secret("s3cret"))
        (door,) = multichat.doors(section, services())
        answer = self.answer(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", door)
        status, headers, body = parts(answer)
        self.assertEqual(status, b"HTTP/1.1 400 Bad Request")
        self.assertEqual(body, b"Bad Request\n")
        self.assertEqual(headers.pop("Content-Type"), "text/plain; charset=utf-8")
        self.assertEqual(headers.pop("X-Content-Type-Options"), "nosniff")
        self.assertEqual(headers.pop("Sec-Websocket-Version"), "13")
        self.assertEqual(headers.pop("Content-Length"), str(len(body)))
        self.assertEqual(headers.pop("Connection"), "close")
        self.assertRegex(headers.pop("Date"), r"^\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT$")
        self.assertEqual(headers, {})

    def test_multichat_by_origin(self) -> None:
        section = multichat.Section(
            secret_key=Secret("s3cret"), origins=("https://ok.example",)
        )
        (door,) = multichat.doors(section, services())
        for origin, status in (
            (b"null", b"403 Forbidden"),
            (b"http://evil.example:6780", b"403 Forbidden"),
            (b"http://chat.example:6781", b"403 Forbidden"),
            (b"http://chat.example:6780", b"101 Switching Protocols"),
            (b"https://ok.example", b"101 Switching Protocols"),
        ):
            answer = self.answer(asking(b"/any/thing", b"Origin: " + origin), door)
            found, _, body = parts(answer)
            self.assertEqual(found, b"HTTP/1.1 " + status, origin)
            if b"403" in status:
                self.assertEqual(body, b"Forbidden\n")

    def test_machat(self) -> None:
        _, door = machat.doors(machat.Section(), services())
        assert isinstance(door, WebSocketDoor)
        status, headers, body = parts(
            self.answer(b"GET /mychat HTTP/1.1\r\nHost: h\r\n\r\n", door)
        )
        self.assertEqual(status, b"HTTP/1.1 400 Bad Request")
        self.assertEqual(headers["Sec-Websocket-Version"], "13")
        start = b"Bad Request\nError occured while trying to upgrade websocket: "
        self.assertTrue(body.startswith(start), body)
        self.assertGreater(len(body), len(start))
        status, headers, body = parts(self.answer(asking(b"/"), door))
        self.assertEqual(status, b"HTTP/1.1 404 Not Found")
        self.assertEqual(body, b"404 page not found\n")
        self.assertEqual(headers["Content-Type"], "text/plain; charset=utf-8")

    def test_the_door_of_the_path_words_the_refusal(self) -> None:
        status, headers, body = parts(
            self.answer(asking().replace(b"Version: 13", b"Version: 12"))
        )
        self.assertEqual(status, b"HTTP/1.1 400 Bad Request")
        self.assertEqual(headers["X-Door"], "yes")
        self.assertIn(b"version", body.lower())

    def test_what_is_no_request_gets_a_plain_400(self) -> None:
        for request in b"\r\n\r\n", b"SSH-2.0-x\r\n\r\n", b"\x16\x03\x01\r\n\r\n":
            status, headers, body = parts(self.answer(request))
            self.assertEqual(status, b"HTTP/1.1 400 Bad Request", request)
            self.assertEqual(body, b"Bad Request\n")
            self.assertNotIn("X-Door", headers)

    def test_every_fault_is_an_answer_and_no_exception(self) -> None:
        whole = asking()
        for old, new, status in (
            (b"GET", b"POST", 405),
            (b"HTTP/1.1", b"HTTP/1.0", 505),
            (b"GET /", b"GET /#x", 400),
            (b"GET /", b"GET http://[x", 400),
            (b"Host: chat.example:6780\r\n", b"", 400),
            (b"Host:", b"Host: a\r\nHost:", 400),
            (b":6780", b":x", 400),
            (b"Upgrade: websocket", b"Upgrade: h2c", 400),
            (b"Upgrade: websocket\r\n", b"", 400),
            (b"Connection: Upgrade\r\n", b"", 400),
            (b"Connection: Upgrade", b"Connection: close", 400),
            (b"Version: 13", b"Version: x", 400),
            (b"Version: 13", b"Version: 7", 400),
            (b"Version: 13\r\n", b"Version: 13\r\nSec-WebSocket-Version: 13\r\n", 400),
            (b"ZQ==", b"ZQ=", 400),
            (b"dGhl", b"d\xc3\xa9hl", 400),
            (b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: a, a\r\n\r\n", 400),
            (b"\r\n\r\n", b"\r\nOrigin: http://a\r\nOrigin: http://b\r\n\r\n", 400),
            (b"\r\n\r\n", b"\r\nOrigin: null\r\n\r\n", 403),
        ):
            request = whole.replace(old, new, 1)
            self.assertNotEqual(request, whole, (old, new))
            answer = self.answer(request)
            self.assertEqual(int(answer.split()[1]), status, (new, answer))
        self.assertEqual(self.sessions, [])

    def test_a_bad_offer_of_an_extension_is_no_fault(self) -> None:
        """None is accepted, so that offers are not even read."""
        for offer in b"permessage-deflate; x=y", b";", b"":
            request = asking(b"/", b"Sec-WebSocket-Extensions: " + offer)
            self.assertEqual(self.answer(request), ACCEPTED)

    def test_a_draft_of_the_protocol_is_no_way_around_the_origin(self) -> None:
        """Drafts have the page's origin in a header of another name."""
        request = asking(b"/", b"Sec-WebSocket-Origin: http://evil.example")
        answer = self.answer(request.replace(b"Version: 13", b"Version: 8"))
        self.assertEqual(parts(answer)[0], b"HTTP/1.1 400 Bad Request")

    def test_the_words_of_a_peer_cannot_forge_an_answer(self) -> None:
        answer = refusal_bytes(
            websocket_door(self.sessions),
            True,
            400,
            'bad "\r\nX: y\r\n\r\nHTTP/1.1 200',
        )
        self.assertEqual(answer.count(b"HTTP/1.1 "), 2)
        self.assertTrue(answer.endswith(rb'bad "\r\nX: y\r\n\r\nHTTP/1.1 200'), answer)

    def test_a_refusal_is_one_line_of_the_log_with_the_peers_words_escaped(
        self,
    ) -> None:
        with capturedLogs() as logs:
            self.answer(asking().replace(b"GET", b"G\x1b[2JET"))
        (event,) = logs
        line = formatEvent(event)
        self.assertRegex(
            line,
            r"^connection 1 \(test\.ws, 192\.0\.2\.7:4711\) closed, 1002: "
            r"refused the handshake: .*G\\x1b\[2JET",
        )

    def test_a_request_is_answered_once(self) -> None:
        answer = self.answer(b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n" * 3 + asking())
        self.assertEqual(answer.count(b"HTTP/1.1"), 1)

    def test_nothing_of_the_software_is_told(self) -> None:
        for request in asking(), b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b"\r\n\r\n":
            answer = self.answer(request).lower()
            for word in b"server:", b"autobahn", b"twisted", b"python", b"chatmux":
                self.assertNotIn(word, answer)
