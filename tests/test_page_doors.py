# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The page at the doors of rooms: passwords, names, and what is refused."""

from __future__ import annotations

from tests.globes_server import PASSWORD
from tests.page_server import ALL, PageTestCase

CLOSED = "return import('/web/chat/main.js').then((page) => page.inside.size)"


class DoorTests(PageTestCase):
    def complaints(self, *words: str) -> None:
        """Take the console's complaints, of answers that are refusals."""
        for complaint in self.browser.complaints():
            self.assertTrue(any(word in complaint for word in words), complaint)

    def test_a_private_room_opens_with_its_password(self) -> None:
        number = self.client.add("Book club", PASSWORD, description="Members only")
        page = self.page()
        page.window.click(f'#rooms a[href="#/room/{number}"]')
        page.at_door("Book club")
        page.enter("ann")
        page.waits_for_fault("This room has a password")
        page.enter("ann", "open barley")
        page.waits_for_fault("That password is wrong")
        page.window.screenshot("wrong-password")
        page.enter("ann", PASSWORD)
        page.inside("Book club")
        page.say("let us begin")
        page.heard("let us begin")
        # The token is nowhere that outlives the tab, nor in the address.
        stored = page.window.run("return JSON.stringify(localStorage) + location.href")
        self.assertNotIn("eyJ", stored)
        self.assertNotIn(PASSWORD, stored)
        # It is still good after the page is loaded again.
        page.window.reload()
        page.inside("Book club")
        page.window.wait(
            lambda: (
                not page.window.run("return document.querySelector('.send').disabled")
            )
        )
        page.say("back again")
        page.heard("back again")
        self.complaints("401")

    def test_a_password_that_changes_asks_for_the_new_one(self) -> None:
        number = self.client.add("Book club", PASSWORD)
        page = self.page(f"#/room/{number}")
        page.at_door("Book club")
        page.enter("ann", PASSWORD)
        page.inside("Book club")
        token = self.client.token(number, "bob")
        wish = {"title": "Book club", "visibility": "private", "password": "new sesame"}
        self.assertEqual(
            self.client.ask("PUT", f"/chats/{number}", wish, token).status, 200
        )
        page.at_door("Book club")
        page.waits_for_fault("The room has a new password")
        page.enter("ann", "new sesame")
        page.inside("Book club")
        token = self.client.token(number, "bob", "new sesame")
        self.client.ask("DELETE", f"/chats/{number}", token=token)
        page.waits_for_fault("The room was deleted")
        self.complaints("404")

    def test_a_name_that_is_taken_is_told(self) -> None:
        self.machat("ann")
        page = self.page("#/room/1")
        page.at_door("Public Chat")
        page.enter("Ann")
        page.waits_for_fault("has this name already")
        page.window.screenshot("name-taken")
        self.assertEqual(page.window.run("return document.activeElement.name"), "name")
        page.enter("a:b")
        page.waits_for_fault("colon")
        page.enter("bob")
        page.inside("Public Chat")
        self.assertEqual(page.window.run(CLOSED), 1)
        self.assertEqual(self.browser.complaints(), [])

    def test_rooms_are_made_and_hidden_ones_found(self) -> None:
        ann = self.page()
        window = ann.window
        window.click("#new-room")
        window.type("1", "#create [name=title]")
        window.click("#create [type=submit]")
        ann.waits_for_fault("at least two characters", "#create")
        ann.fill("#create [name=title]", "Public chat")
        window.click("#create [type=submit]")
        ann.waits_for_fault("Another room has this title", "#create")
        ann.fill("#create [name=title]", "Cellar")
        window.click("#create [value=hidden]")
        window.type("short", "#create [name=password]")
        window.click("#create [type=submit]")
        ann.waits_for_fault("at least 8 characters", "#create")
        window.screenshot("new-room")
        ann.fill("#create [name=password]", PASSWORD)
        window.click("#create [type=submit]")
        ann.at_door("Cellar")
        ann.enter("ann")
        ann.inside("Cellar")
        bob = self.page()
        self.assertEqual(bob.window.texts("#rooms .title"), ["Public Chat"])
        bob.window.type("cellar", "#find-text")
        self.assertTrue(bob.visible("#open-by-title"))
        bob.window.type("\n", "#find-text")
        bob.at_door("Cellar")
        bob.enter("bob", PASSWORD)
        bob.inside("Cellar")
        bob.say("found it")
        ann.heard("found it")
        self.complaints("400")


class ConcealedTests(PageTestCase):
    config = {
        **ALL,
        "globes": {**ALL["globes"], "conceal-hidden-rooms": True, "wrong-passwords": 2},
    }

    def test_a_concealed_room_opens_with_its_password_alone(self) -> None:
        self.client.add("Cellar", PASSWORD, visibility="hidden")
        page = self.page("#/room/cellar")
        page.at_door("cellar")
        page.enter("ann", "open barley")
        page.waits_for_fault("no such room, or that is not its password")
        page.enter("ann", PASSWORD)
        page.inside("Cellar")
        page.say("nobody knows")
        page.heard("nobody knows")
        page.window.reload()
        page.inside("Cellar")
        self.assertTrue(all("404" in one for one in self.browser.complaints()))

    def test_a_concealed_room_that_was_just_made_opens(self) -> None:
        page = self.page()
        page.window.click("#new-room")
        page.fill("#create [name=title]", "Cellar")
        page.window.click("#create [value=hidden]")
        page.fill("#create [name=password]", PASSWORD)
        page.window.click("#create [type=submit]")
        page.at_door("Cellar")
        page.enter("ann")
        page.inside("Cellar")
        self.assertTrue(all("404" in one for one in self.browser.complaints()))

    def test_too_many_wrong_passwords_are_told_in_words(self) -> None:
        number = self.client.add("Book club", PASSWORD)
        page = self.page(f"#/room/{number}")
        page.at_door("Book club")
        for _ in range(2):
            page.enter("ann", "open barley")
            page.waits_for_fault("That password is wrong")
            page.window.wait_for(
                lambda: page.window.text(".entry [type=submit]"), "Enter"
            )
        page.enter("ann", PASSWORD)
        page.waits_for_fault("Too many wrong passwords. Try again in")
        page.window.wait(
            lambda: page.window.text(".entry [type=submit]"),
            lambda seen: seen.startswith("Wait "),
        )
        page.window.screenshot("too-many")
        complaints = self.browser.complaints()
        self.assertIn("429", complaints[-1])
