# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""webtalk's example page in a real browser, with its back-end and the server."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.browser import DESKTOP, PHONE, Browser, Window
from tests.example_backend import Backend, WebtalkTestCase, command

MARKUP = "<b>bold</b> & <script>document.title = 'hacked'</script>"
TEXTS = ["hello", MARKUP, "Grüße, 漢字, שלום", "1!2] 'quoted' \"text\""]
ENTER = "\ue007"
TAB = "\ue004"

# Passes connections on from its own port to another, until it is killed.
CABLE = """
import sys
from twisted.internet import reactor
from twisted.protocols.portforward import ProxyFactory
own, other = map(int, sys.argv[1:])
port = reactor.listenTCP(own, ProxyFactory("127.0.0.1", other), interface="127.0.0.1")
print(port.getHost().port, flush=True)
reactor.run()
"""


class PageTests(WebtalkTestCase):
    def browse(self) -> Browser:
        browser = Browser(Path(self.mktemp()))
        self.addCleanup(browser.close)
        return browser

    def open(self, window: Window, backend: Backend) -> None:
        window.open(backend.url)
        self.await_state(window, "connected")

    def await_state(self, window: Window, words: str) -> None:
        window.wait(lambda: window.text("#state"), lambda state: words in state)

    def await_heard(self, window: Window, texts: list[str]) -> None:
        window.wait_for(lambda: window.texts("[role=log] li"), texts)

    def user_id(self, window: Window) -> bytes:
        ticket: str = json.loads(window.text("#settings"))["ticket"]
        return ticket.partition("!")[0].encode()

    def cable(self, port: int, own: int = 0) -> tuple[subprocess.Popen[bytes], int]:
        arguments = [sys.executable, "-c", CABLE, str(own), str(port)]
        cable = subprocess.Popen(arguments, stdout=subprocess.PIPE)
        assert cable.stdout is not None
        self.addCleanup(cable.stdout.close)
        self.addCleanup(cable.wait)
        self.addCleanup(cable.kill)
        return cable, int(cable.stdout.readline())

    def test_two_users(self) -> None:
        private, public = self.serve().ports("webtalk.private", "webtalk.public")
        backend = self.back(private, public)
        browser = self.browse()
        ann, bob = browser.window(), browser.window()
        for window in (ann, bob):
            self.open(window, backend)
        for text in TEXTS:
            ann.type(text + ENTER)
        for window in (ann, bob):
            self.await_heard(window, TEXTS)
            self.assertEqual(window.run("return document.title"), "webtalk")
        self.assertEqual(ann.run("return document.querySelector('#text').value"), "")

        whisper = "for one,\n  in two lines 🎉"
        command(private, b"[whisper] %s!%s" % (self.user_id(bob), whisper.encode()))
        bob.type("typed" + TAB)
        bob.type(ENTER)  # On the button.
        self.await_heard(bob, [*TEXTS, whisper, "typed"])
        self.await_heard(ann, [*TEXTS, "typed"])
        lines = "return document.querySelectorAll('li')[arguments[0]].clientHeight"
        self.assertGreater(bob.run(lines, len(TEXTS)), 1.5 * bob.run(lines, 0))

        # A reload is a new user.
        before = self.user_id(ann)
        ann.reload()
        self.await_state(ann, "connected")
        self.assertNotEqual(self.user_id(ann), before)
        ann.type("again" + ENTER)
        self.await_heard(ann, ["again"])
        self.await_heard(bob, [*TEXTS, whisper, "typed", "again"])

    def test_a_killed_user_and_another_login(self) -> None:
        private, public = self.serve().ports("webtalk.private", "webtalk.public")
        backend = self.back(private, public)
        window = self.browse().window()
        self.open(window, backend)
        self.assertFalse(self.is_over(window))
        command(private, b"[killuser] " + self.user_id(window))
        self.await_state(window, "ended")
        self.assertTrue(self.is_over(window))
        window.type(ENTER)  # The link that offers a reload has the focus.
        self.await_state(window, "connected")
        self.assertFalse(self.is_over(window))
        window.type("back" + ENTER)
        self.await_heard(window, ["back"])
        # Not so if the reader is elsewhere: focus is not taken away from the messages.
        window.run("document.querySelector('[role=log]').focus()")
        command(private, b"[killuser] " + self.user_id(window))
        self.await_state(window, "ended")
        focus = "return document.activeElement.getAttribute('role')"
        self.assertEqual(window.run(focus), "log")

    def is_over(self, window: Window) -> bool:
        over, offered = window.run(
            "return [document.querySelector('#text').matches(':disabled'),"
            " document.querySelector('#reload').checkVisibility()]"
        )
        self.assertEqual(over, offered)
        return bool(over)

    def test_the_server_is_restarted(self) -> None:
        server = self.serve()
        private, public = server.ports("webtalk.private", "webtalk.public")
        backend = self.back(private, public)
        browser = self.browse()
        window = browser.window()
        self.open(window, backend)
        server.stop()
        self.await_state(window, "not connected")
        self.serve(private, public).ports("webtalk.public")
        self.await_state(window, "no longer good")
        self.assertTrue(self.is_over(window))
        window.click("#reload")
        self.await_state(window, "connected")
        window.type("hello" + ENTER)
        self.await_heard(window, ["hello"])
        for complaint in browser.complaints():
            self.assertIn("ERR_CONNECTION_REFUSED", complaint)

    def test_what_is_said_during_an_interruption_is_not_lost(self) -> None:
        private, public = self.serve().ports("webtalk.private", "webtalk.public")
        cable, port = self.cable(public)
        backend = self.back(private, port)
        browser = self.browse()
        window = browser.window()
        self.open(window, backend)
        user = self.user_id(window)
        backend.say("before")
        self.await_heard(window, ["before"])
        cable.kill()
        cable.wait()
        self.await_state(window, "not connected")
        texts = [f"meanwhile {number}" for number in range(3)]
        for text in texts:
            self.assertEqual(backend.say(text), 204)
        self.cable(public, port)
        self.await_heard(window, ["before", *texts])
        self.await_state(window, "connected")
        self.assertEqual(self.user_id(window), user)
        for complaint in browser.complaints():
            self.assertIn("WebSocket connection", complaint)

        # What could not be said stays, to be sent again.
        backend.kill()
        window.type("unsaid" + ENTER)
        window.wait(lambda: "unsaid" in window.text("#problem"))
        value = "return document.querySelector('#text').value"
        self.assertEqual(window.run(value), "unsaid")
        (complaint,) = browser.complaints()
        self.assertIn("ERR_CONNECTION_REFUSED", complaint)

    def test_layout(self) -> None:
        private, public = self.serve().ports("webtalk.private", "webtalk.public")
        backend = self.back(private, public)
        browser = self.browse()
        for size, name in ((PHONE, "phone"), (DESKTOP, "desktop")):
            for dark in (False, True):
                window = browser.window(size, dark=dark)
                self.fill(window, backend)
                window.screenshot(f"{name}-{'dark' if dark else 'light'}")
                self.check_measures(window, size)
                self.check_colours(window, dark)

    def test_many_messages(self) -> None:
        private, public = self.serve().ports("webtalk.private", "webtalk.public")
        window = self.browse().window()
        self.open(window, self.back(private, public))
        window.run("for (let number = 0; number < 1002; number++) show(`${number}`)")
        self.assertEqual(window.texts("li"), [str(n) for n in range(2, 1002)])
        # Who reads what is older is not torn away from it.
        scrolled = "const log = document.querySelector('[role=log]');"
        window.run(f"{scrolled} log.scrollTop = 1000; show('new')")
        self.assertLess(window.run(f"{scrolled} return log.scrollTop"), 1001)

    def fill(self, window: Window, backend: Backend) -> None:
        self.open(window, backend)
        for number in range(20):
            backend.say(f"message {number} " + "and so on " * number)
        backend.say("unbroken" * 30)
        window.wait_for(lambda: len(window.texts("li")), 21)

    def check_measures(self, window: Window, size: tuple[int, int]) -> None:
        found = window.run(
            "const log = document.querySelector('[role=log]'),"
            " button = document.querySelector('button').getBoundingClientRect(),"
            " page = document.documentElement;"
            "return {size: [innerWidth, innerHeight],"
            " page: [page.scrollWidth, page.scrollHeight],"
            " form: button.left > 0 && button.right < innerWidth"
            "  && button.top > 0 && button.bottom < innerHeight,"
            " last: log.scrollTop + log.clientHeight > log.scrollHeight - 2,"
            " fits: log.scrollWidth <= log.clientWidth,"
            " label: document.querySelector('input').labels[0].textContent}"
        )
        expected = {"size": [*size], "page": [*size], "form": True, "last": True}
        expected |= {"fits": True, "label": "Message to everybody"}
        self.assertEqual(found, expected)

    def check_colours(self, window: Window, dark: bool) -> None:
        front, *backs, link, page, button, its_back = window.run(
            "const colour = (selector, key) =>"
            "  getComputedStyle(document.querySelector(selector))[key];"
            "return [['body', 'color'], ['body', 'backgroundColor'],"
            " ['[role=log]', 'backgroundColor'], ['input', 'backgroundColor'],"
            " ['a', 'color'], ['body', 'backgroundColor'],"
            " ['button', 'color'], ['button', 'backgroundColor']]"
            ".map((which) => colour(...which))"
        )
        self.assertEqual(luminance(page) < 0.5, dark)
        pairs = [*((front, back) for back in backs), (link, page), (button, its_back)]
        for pair in pairs:
            self.assertGreater(contrast(*pair), 4.5, pair)


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of WCAG 2 of two colours ``rgb(R, G, B)``."""
    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (int(digits) / 255 for digits in re.findall(r"\d+", colour))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
