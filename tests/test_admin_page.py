# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The operator's page in a browser."""

from __future__ import annotations

from itertools import product
from pathlib import Path

from selenium.webdriver.common.keys import Keys

from tests.accessibility import faults
from tests.admin_server import OPEN, TOKEN, WITH_TOKEN, AdminTestCase
from tests.browser import DESKTOP, Browser, Window
from tests.page_server import WIDE, MaChat

SMALL = 360, 740
MARKUP = "<img src=x onerror=alert(1)>"


class PageTestCase(AdminTestCase):
    """A server, a browser, and the operator's page in it."""

    def setUp(self) -> None:
        self.browser = Browser(Path(self.mktemp()))
        self.addCleanup(self.browser.close)

    def page(self, size: tuple[int, int] = DESKTOP, *, dark: bool = False) -> Window:
        window = self.browser.window(size, dark=dark)
        window.open(f"http://127.0.0.1:{self.ports['admin.address']}/")
        self.window = window
        return window

    def live(self) -> None:
        self.window.wait_for(lambda: self.window.text("#state .words"), "Live")

    def figure(self, metric: str) -> float:
        """Return the number that a tile shows."""
        text = self.window.text(f"[data-metric={metric}] .figure")
        return float("".join(c for c in text if c in "0123456789.") or "-1")

    def waits_for(self, selector: str, text: str) -> None:
        """Wait until a text is in some element of a kind."""
        look = self.window.texts
        self.window.wait(
            lambda: look(selector), lambda seen: any(text in one for one in seen)
        )

    def close_button(self, label: str) -> str:
        selector = f'[aria-label="Close {label}"]'
        self.window.wait(lambda: self.window.texts(selector))
        return selector

    def heard_end(self, member: MaChat) -> None:
        while member.hear():
            pass


class PageTests(PageTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.begin(OPEN)

    def test_figures_move_while_somebody_talks(self) -> None:
        window = self.page()
        self.live()
        self.waits_for("#channels-empty", "Nobody")
        ann = self.machat("ann")
        window.wait(lambda: ann.say("hi") or self.figure("messages"), lambda n: n > 1)  # type: ignore[func-returns-value]
        window.wait(lambda: self.figure("deliveries"), lambda n: n > 0)
        self.assertEqual(self.figure("channels"), 1)
        self.assertGreater(self.figure("memory"), 10)
        self.waits_for("#channels tbody th", "multichat")
        self.waits_for("#channels tbody small", "machat/lounge")
        self.waits_for("#connections tbody th", "ann")
        drawn = 'document.querySelector("[data-metric=messages] .line")'
        path = window.run(f"return {drawn}.getAttribute('d')")
        window.wait(
            lambda: window.run(f"return {drawn}.getAttribute('d')"),
            lambda now: now != path and "NaN" not in now,
        )
        words = window.text("[data-metric=messages] desc")
        self.assertRegex(words, r"Now [\d.]+; lowest [\d.]+, highest [\d.]+ in 1 min")
        window.click("#pause")
        self.assertEqual(window.text("#state .words"), "Paused")
        window.click("#pause")
        self.live()

    def test_a_connection_is_closed(self) -> None:
        ann, bob = self.machat("ann"), self.machat("bob")
        window = self.page()
        self.waits_for("#connections tbody th", "ann")
        window.type("ann", "#find")
        window.wait_for(lambda: len(window.texts("#connections tbody tr")), 1)
        number = window.text("#connections tbody td small")
        window.click(self.close_button(f"connection {number.removeprefix('#')}"))
        window.type("be good\n")
        self.waits_for("#toast", "Closed 1 connection.")
        self.heard_end(ann)
        self.assertIn(": be good\n", self.server.log)
        self.waits_for("#connections-empty", "No connection")
        bob.say("still here")
        self.assertEqual(bob.hear(), "bob:still here")

    def test_a_channel_is_closed(self) -> None:
        members = [self.machat(name, "music") for name in ("ann", "bob")]
        window = self.page()
        window.click(self.close_button("machat/music"))
        self.assertEqual(window.text("#close-title"), "Close machat/music?")
        window.click("#close [data-close]")
        window.click(self.close_button("machat/music"))
        self.assertEqual(window.text("#close [type=submit]"), "Close 2 connections")
        window.click("#close [type=submit]")
        self.waits_for("#toast", "Closed 2 connections.")
        for member in members:
            self.heard_end(member)
        window.wait_for(lambda: len(window.texts("#channels tbody tr")), 0)

    def test_a_notice(self) -> None:
        ann, bob = self.machat("ann"), self.machat("bob", "music")
        window = self.page()
        self.waits_for("#channels tbody th", "machat/music")
        window.click("#notice-open")
        window.click("#notice [type=submit]")
        self.waits_for("#notice .fault", "nothing to say")
        window.type("back at <six>", "#notice textarea")
        window.click("#notice [type=submit]")
        self.waits_for("#toast", "Told 2 connections.")
        for member in ann, bob:
            self.assertEqual(member.hear(), "server (admin):back at <six>")
        window.click("#notice-open")
        window.type("machat", "#notice select")
        self.assertEqual(window.text("#notice [type=submit]"), "Tell 1 connection")
        window.type("only you", "#notice textarea")
        window.click("#notice [type=submit]")
        self.assertEqual(bob.hear(), "server (admin):only you")

    def test_what_peers_say_is_text(self) -> None:
        name = "<b>x</b><script>boom()</script>"
        self.machat(name, MARKUP)
        window = self.page()
        self.waits_for("#connections tbody th", name)
        self.waits_for("#channels tbody th", MARKUP)
        window.click("#channels .link")
        self.waits_for("#members li", name)
        window.type(Keys.ESCAPE)
        window.click(self.close_button(f"machat/{MARKUP}".replace('"', "")))
        self.waits_for("#close-title", MARKUP)
        window.type(Keys.ESCAPE)
        self.client_of_operator().ask("GET", f"/api/{MARKUP}".replace(" ", "%20"))
        stranger = MaChat(self.ports["machat.tcp"], f"{MARKUP}:", "r")
        self.addCleanup(stranger.close)
        self.heard_end(stranger)
        self.waits_for("#refusals tbody .reason", "colon")
        window.click("#notice-open")
        self.waits_for("#notice option", MARKUP)
        script = (
            "return document.querySelectorAll('main img, dialog img, b > b').length"
        )
        self.assertEqual(window.run(script), 0)
        self.assertEqual(self.browser.complaints(), [])

    def test_the_server_goes_and_comes_back(self) -> None:
        window = self.page()
        self.live()
        self.server.kill()
        self.waits_for("#state .words", "Not connected")
        config = {
            **OPEN,
            "admin": {"address": f"127.0.0.1:{self.ports['admin.address']}"},
        }
        self.begin(config)
        window.run("document.querySelector('#try-now').click()")
        self.live()
        # Of requests and a socket that came to nothing, if there were any.
        self.browser.complaints()


class TokenTests(PageTestCase):
    def test_wrong_and_right(self) -> None:
        self.begin(WITH_TOKEN, TOKEN)
        window = self.page()
        window.wait(lambda: window.run("return document.querySelector('#token').open"))
        self.assertEqual(window.text("#state .words"), "Token needed")
        window.type(Keys.ESCAPE)
        window.type("guess\n", "#token input")
        self.waits_for("#token .fault", "The token is wrong.")
        self.assertEqual(faults(window), [])
        window.type(TOKEN + "\n", "#token input")
        self.live()
        window.reload()
        self.live()
        script = "return [localStorage.length, document.cookie, location.href]"
        self.assertEqual(
            window.run(script),
            [0, "", f"http://127.0.0.1:{self.ports['admin.address']}/"],
        )
        self.assertTrue(all("401" in one for one in self.browser.complaints()))


class LookTests(PageTestCase):
    def check(self, view: str) -> None:
        # Which waits until nothing moves any more.
        found = faults(self.window)
        self.window.screenshot(f"operator-{self.look}-{view}")
        self.assertEqual(found, [], f"{view}, {self.look}")
        self.assertEqual(self.window.run(WIDE), [], f"{view}, {self.look}")

    def test_nothing_serious_is_found_and_nothing_is_too_wide(self) -> None:
        self.begin(OPEN)
        for number in range(12):
            self.machat(f"somebody with a long name {number}" * 3, "a room " * 9)
        self.machat("ann")
        stranger = MaChat(self.ports["machat.tcp"], "a:b")
        self.addCleanup(stranger.close)
        for size, dark in product((SMALL, DESKTOP), (False, True)):
            self.look = f"{size[0]}-{'dark' if dark else 'light'}"
            window = self.page(size, dark=dark)
            self.live()
            self.waits_for("#connections tbody th", "ann")
            self.check("all")
            window.click("#notice-open")
            self.check("notice")
            window.type(Keys.ESCAPE)
            window.click("#channels .link")
            window.wait(lambda: self.window.texts("#members li"))
            self.check("members")
            window.type(Keys.ESCAPE)
            window.run("document.querySelector('#connections .close').click()")
            self.check("close")
            window.type(Keys.ESCAPE)
