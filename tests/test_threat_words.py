# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What HTTP answers give away, and how they can be read, on every port with HTTP."""

from __future__ import annotations

import json
import re
import socket
from html.parser import HTMLParser

from chatmux import __version__
from tests.attack import PLACES, WEBSOCKETS, AttackTestCase, Target
from tests.globes_server import Answered, Rest

SCRIPT = "<script>alert(1)</script>"
ATTRIBUTE = "\"'><img src=x onerror=alert(1)>"
PATHS = ("/", "/metrics", "/status", "/favicon.ico", "/chats/1/ws", "/webtalk", "/x")
SOFTWARE = re.compile(rb"(?i)autobahn|twisted|python|crossbar|chatmux|werkzeug")
POLICY = "default-src 'none'"


def heads(target: Target, place: str, request: bytes) -> tuple[list[str], bytes]:
    """Return the lines of an answer's head, and its body."""
    with socket.create_connection(("127.0.0.1", target.port[place])) as raw:
        raw.settimeout(30)
        raw.sendall(request)
        raw.shutdown(socket.SHUT_WR)
        data = b""
        while part := raw.recv(1 << 16):
            data += part
    head, _, body = data.partition(b"\r\n\r\n")
    return head.decode("latin-1").split("\r\n"), body


class Seen(HTMLParser):
    """Notes what a browser would make of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


PAGE = "globes", "/"
"""Where people chat."""


class WordsTests(AttackTestCase):
    def setUp(self) -> None:
        self.server = self.target()

    def test_no_port_says_what_it_runs_on(self) -> None:
        for place in WEBSOCKETS:
            for path in PATHS:
                for method in "GET", "POST", "OPTIONS", "BREW":
                    request = f"{method} {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode()
                    lines, body = heads(self.server, place, request)
                    self.assertRegex(lines[0], r"HTTP/1\.1 (4\d\d|200|501) ", place)
                    names = [line.partition(":")[0].lower() for line in lines[1:]]
                    for name in "server", "x-powered-by", "via":
                        self.assertNotIn(name, names, f"{place} {path}")
                    texts = ["\n".join(lines).encode(), body]
                    if (place, path) == PAGE:
                        # What it is called is no secret; the version is.
                        self.assertNotIn(__version__.encode(), texts.pop())
                    for text in texts:
                        self.assertIsNone(SOFTWARE.search(text), f"{place} {path}")

    def test_nor_in_answer_to_what_is_no_request_or_a_bad_handshake(self) -> None:
        for place in WEBSOCKETS:
            shake = self.server.handshake(place)
            for request in (
                b"\x00\x01\r\n\r\n",
                b"GET\r\n\r\n",
                b"GET / HTTP/9.9\r\nHost: h\r\n\r\n",
                shake.replace(b": 13", b": 12"),
                shake.replace(b"Key: ", b"Key: x"),
                shake.replace(b"GET /", b"GET /%00/"),
                b"GET /" + b"x" * 20_000,
            ):
                lines, body = heads(self.server, place, request)
                text = "\n".join(lines).encode() + body
                self.assertIsNone(SOFTWARE.search(text), f"{place} {text!r}")
                self.assertNotIn(b"Traceback", text)

    def test_there_are_no_metrics_and_no_page_of_the_status(self) -> None:
        """What the server does is to be seen at the operator's address alone."""
        for place in WEBSOCKETS:
            for path in "/metrics", "/status", "/api/server", "/":
                if (place, path) == PAGE:
                    continue
                request = f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode()
                lines, body = heads(self.server, place, request)
                self.assertRegex(lines[0], " (400|404) ", f"{place} {path}")
                self.assertLess(len(body), 200)


class PageTests(AttackTestCase):
    def setUp(self) -> None:
        self.server = self.target()
        self.rest = Rest(self.server.port["globes"])
        self.addCleanup(self.rest.close)

    def page(self) -> Answered:
        self.rest.connection.request("GET", "/chats", headers={"Accept": "text/html"})
        answer = self.rest.connection.getresponse()
        return Answered(answer.status, answer.getheaders(), answer.read())

    def test_nothing_that_somebody_has_written_is_markup(self) -> None:
        before = Seen(self.page().body.decode())
        texts = [SCRIPT, ATTRIBUTE, "&lt;script&gt;", "]]><svg/onload=alert(1)>"]
        for number, text in enumerate(texts):
            self.rest.add(f"{text}{number}", description=f"{number}{text}")
        answer = self.page()
        seen = Seen(answer.body.decode())
        self.assertLessEqual(seen.tags - before.tags, {"br", "ul", "li", "a", "small"})
        self.assertLessEqual(seen.attributes - before.attributes, {"href"})
        for number, text in enumerate(texts):
            self.assertIn(f"{text}{number}", seen.text)
            self.assertIn(f"{number}{text}", seen.text)

    def test_a_page_may_load_and_run_nothing_from_elsewhere(self) -> None:
        policy = self.page().headers["content-security-policy"]
        self.assertTrue(policy.startswith(f"{POLICY};"), policy)
        self.assertIn("script-src 'self';", policy)
        self.assertNotIn("unsafe", policy)
        for rule in "base-uri", "form-action", "frame-ancestors":
            self.assertIn(f"{rule} 'none'", policy)

    def test_no_answer_is_taken_for_something_else(self) -> None:
        """Those that are no JSON say so; JSON is JSON, without a charset, as recorded.

        `<` in it is no markup to anybody who believes its type, which no browser
        guesses at where it is `application/json`.
        """
        wish = {"title": SCRIPT, "visibility": "public"}
        for method, path, body, status in (
            ("GET", "/chats", None, 200),
            ("GET", "/chats/1", None, 200),
            ("POST", "/chats", wish, 201),
            ("POST", "/chats", wish, 400),
            ("POST", "/chats", b"<html>", 400),
            ("PUT", "/chats/2", wish, 403),
            ("GET", f"/chats/{'%3Cscript%3E'}", None, 404),
            ("POST", "/chats/1/token", {"name": SCRIPT}, 200),
            ("GET", "/chats/1/ws", None, 400),
            ("GET", "/%3Cscript%3E", None, 404),
            ("GET", "/openapi.json", None, 200),
        ):
            answer = self.rest.ask(method, path, body)
            self.assertEqual(answer.status, status, path)
            kind = answer.headers["content-type"]
            if kind == "application/json":
                json.loads(answer.body)
            else:
                self.assertIn("text/plain", kind)
                self.assertEqual(answer.headers["x-content-type-options"], "nosniff")
                self.assertNotIn(b"<", answer.body)
        self.assertEqual(self.page().headers["x-content-type-options"], "nosniff")

    def test_what_a_refused_handshake_repeats_is_plain_text(self) -> None:
        repeated = 0
        for place in WEBSOCKETS:
            request = self.server.handshake(place, f"Origin: http://{SCRIPT}")
            path = (PLACES[place].path or "").encode()
            for said in (
                request,
                request.replace(path, path + b"/<script>", 1),
                request.replace(b"Version: 13", b"Version: <script>"),
            ):
                lines, body = heads(self.server, place, said)
                if lines[0].startswith("HTTP/1.1 101 "):
                    continue
                self.assertNotIn("<script>", "\n".join(lines))
                if b"<" in body:
                    repeated += 1
                    self.assertIn("X-Content-Type-Options: nosniff", lines, place)
                    self.assertIn("Content-Type: text/plain; charset=utf-8", lines)
        # As the original's words for it are, at MaChat's WebSocket.
        self.assertEqual(repeated, 1)
