# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The page for those who cannot see it well: axe-core on every view of it."""

from __future__ import annotations

from itertools import product

from selenium.webdriver.common.keys import Keys

from tests.accessibility import faults
from tests.browser import DESKTOP, PHONE
from tests.globes_server import PASSWORD
from tests.page_server import Page, PageTestCase

COLOURS = "black", "white", "#f2a900", "rgb(120, 120, 120)", "transparent", "url(x)"


class AccessibilityTests(PageTestCase):
    def check(self, page: Page, view: str) -> None:
        found = faults(page.window)
        page.window.screenshot(f"{self.look}-{view}")
        self.assertEqual(found, [], f"{view}, {self.look}")

    def test_nothing_serious_is_found(self) -> None:
        self.client.add("Book club", PASSWORD, description="Members only")
        carl = self.machat("carl")
        for size, dark in product((PHONE, DESKTOP), (False, True)):
            self.look = f"{size[0]}-{'dark' if dark else 'light'}"
            page = self.page("", size, dark=dark)
            self.check(page, "list")
            page.open("#/room/2")
            page.at_door("Book club")
            page.enter("ann", "open barley")
            page.waits_for_fault("wrong")
            self.check(page, "door")
            page.open("#/room/1")
            page.at_door("Public Chat")
            page.enter("ann")
            page.inside("Public Chat")
            page.say("hello, see https://example.org/")
            carl.say("hello ann https://example.org/")
            dora = self.member(self.port, 1, name="dora")
            for color in COLOURS:
                dora.say("send", "dora", msg=f"I am {color}", color=color)
            dora.heard(len(COLOURS))
            dora.socket.close()
            page.window.wait(lambda page=page: len(page.window.texts(".message")) == 8)  # type: ignore[misc]
            page.window.run("document.querySelector('.log').scrollTop = 0")
            self.check(page, "room")
            if size == PHONE:
                page.window.click(".people-button")
                page.window.wait(lambda page=page: page.visible("#people"))  # type: ignore[misc]
                self.check(page, "people")
                page.window.type(Keys.ESCAPE)
                page.window.click(".back")
            page.window.click("#new-room")
            page.window.click("#create [value=private]")
            self.check(page, "new")
            page.window.type(Keys.ESCAPE)
            page.window.open(f"{page.url}chats")
            self.check(page, "plain")
        self.assertTrue(all("401" in one for one in self.browser.complaints()))
