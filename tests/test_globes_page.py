# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Globes in a real browser: the page of the rooms, and WebSockets with tokens."""

from __future__ import annotations

from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from tests.browser import DESKTOP, PHONE, Browser, Window
from tests.globes_server import PASSWORD, GlobesTestCase

MARKUP = "<b>bold</b><script>document.title='hacked'</script>"

# Notes all that becomes of a socket, in order.
OPEN = """
window.events = [];
window.socket = new WebSocket(...arguments[0]);
socket.onopen = () => events.push(["open", socket.protocol]);
socket.onmessage = (event) => events.push(["message", JSON.parse(event.data)]);
socket.onclose = (event) => events.push(["close", event.code, event.reason]);
"""
IN_ORDER = """
const item = document.querySelector("li:last-child");
const places = (kind) => [...item.querySelector(kind).getClientRects()];
return Math.max(...places("a").map((place) => place.right))
  <= Math.min(...places("small").map((place) => place.left));
"""
SEND = "socket.send(JSON.stringify(arguments[0]))"


class BrowserTestCase(GlobesTestCase):
    def setUp(self) -> None:
        self.browser = Browser(Path(self.mktemp()))
        self.addCleanup(self.browser.close)
        (self.port,) = self.serve().ports("globes.address")
        self.client = self.rest(self.port)


class Blank(BaseHTTPRequestHandler):
    """A page of another site."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<title>x</title><link rel=icon href=data:,>")

    def log_message(self, *arguments: Any) -> None:
        pass


class WebSocketTests(BrowserTestCase):
    def setUp(self) -> None:
        super().setUp()
        site = ThreadingHTTPServer(("127.0.0.1", 0), Blank)
        self.site = f"http://127.0.0.1:{site.server_port}/"
        thread = Thread(target=site.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(site.server_close)
        self.addCleanup(site.shutdown)

    def connect(self, room: int, *protocols: str | list[str]) -> Window:
        window = self.browser.window()
        window.open(self.site)
        url = f"ws://127.0.0.1:{self.port}/chats/{room}/ws"
        window.run(OPEN, [url, *protocols])
        return window

    def await_events(self, window: Window, count: int) -> list[Any]:
        look = "return events"
        events: list[Any] = window.wait(
            lambda: window.run(look), lambda seen: len(seen) >= count
        )
        return events

    def test_a_private_room_opens_with_its_token(self) -> None:
        room = self.client.add("Private", PASSWORD)
        windows = []
        for name in "ann", "bob":
            token = self.client.token(room, name)
            window = self.connect(room, token)
            self.assertEqual(self.await_events(window, 1), [["open", token]])
            window.run(SEND, {"event_type": "join", "name": name})
            self.await_events(window, 2)
            windows.append(window)
        ann, bob = windows
        said = {"event_type": "send", "name": "bob", "msg": f"größe {MARKUP} 🎉"}
        bob.run(SEND, said)
        for window, count in (ann, 4), (bob, 3):
            kind, event = self.await_events(window, count)[-1]
            self.assertEqual(kind, "message")
            self.assertEqual({key: event[key] for key in said}, said)
        users = self.client.ask("GET", f"/chats/{room}").json["users"]
        self.assertEqual([user["username"] for user in users], ["ann", "bob"])
        token = self.client.token(room, "carl")
        self.client.ask("DELETE", f"/chats/{room}", token=token)
        last = "return events.at(-1)"
        for window in windows:
            window.wait_for(
                partial(window.run, last), ["close", 1008, "the room was deleted"]
            )

    def test_without_a_good_token_it_does_not(self) -> None:
        room = self.client.add("Private", PASSWORD)
        other = self.client.token(self.client.add("Other", PASSWORD), "ann")
        for protocols in (), (other,), ("chat", "superchat"):
            window = self.connect(room, *([list(protocols)] if protocols else []))
            self.assertEqual(self.await_events(window, 1), [["close", 1006, ""]])
            (complaint,) = self.browser.complaints()
            self.assertIn("403", complaint)

    def test_a_token_among_others_and_a_public_room(self) -> None:
        room = self.client.add("Private", PASSWORD)
        token = self.client.token(room, "ann")
        window = self.connect(room, ["chat", token])
        self.assertEqual(self.await_events(window, 1), [["open", token]])
        self.assertEqual(self.await_events(self.connect(1), 1), [["open", ""]])
        window = self.connect(1, "chat")
        self.assertEqual(self.await_events(window, 1), [["open", "chat"]])


class PageTests(BrowserTestCase):
    def test_the_rooms_are_on_it(self) -> None:
        self.client.add("Garden & Kitchen", description="Seeds, pots, and what grows")
        self.client.add("Private", PASSWORD, description='Members "only" <here>')
        self.client.add("Hidden", PASSWORD, visibility="hidden")
        self.client.add(MARKUP, description="<img src=x onerror=alert(1)>")
        self.client.add("W" * 70, description="x" * 70)
        self.client.add("漢字 שלום 🎉")
        self.member(self.port, 1, name="ann")
        for size, dark in (
            (PHONE, False),
            (PHONE, True),
            (DESKTOP, False),
            (DESKTOP, True),
        ):
            window = self.browser.window(size, dark=dark)
            window.open(f"http://127.0.0.1:{self.port}/chats")
            links = "Public Chat", "Garden & Kitchen", "Private", MARKUP
            titles = [*links, "W" * 70, "漢字 שלום 🎉"]
            self.assertEqual(window.texts("li a"), titles)
            self.assertEqual(window.run("return document.title"), "Chat rooms")
            self.assertEqual(window.texts("b, img, li script"), [])
            text = window.text("ul")
            self.assertIn('Members "only" <here>', text)
            self.assertIn("1 person", text)
            self.assertNotIn("Hidden", text)
            window.screenshot(f"{size[0]}-{'dark' if dark else 'light'}")
            # Nothing is wider than the window.
            wide = "return document.documentElement.scrollWidth - innerWidth"
            self.assertLessEqual(window.run(wide), 0)
            # A title that is read from the right stays in its place.
            self.assertTrue(window.run(IN_ORDER))
        self.assertEqual(self.browser.complaints(), [])
        window.click("li a")
        self.assertIn("This is the default chat", window.text("body"))
        # What is not our page asks for an icon.
        self.assertLess(len(self.browser.complaints()), 2)

    def test_it_works_without_javascript_and_for_programs(self) -> None:
        for accept, kind in (
            ("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", "text/html"),
            ("*/*", "application/json"),
            ("application/json", "application/json"),
        ):
            self.client.connection.request("GET", "/chats", headers={"Accept": accept})
            answer = self.client.connection.getresponse()
            body = answer.read()
            self.assertIn(kind, answer.headers["Content-Type"])
            self.assertIn(b"Public Chat", body)
            self.assertNotIn(b"<script", body)
