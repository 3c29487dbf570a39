# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The page in a real browser: people who come in, talk, and go."""

from __future__ import annotations

from selenium.webdriver.common.keys import Keys

from tests.browser import PHONE
from tests.globes_server import PASSWORD
from tests.page_server import WIDE, PageTestCase

MARKUP = (
    "<b>bold</b><script>document.title='hacked'</script>"
    "<img src=x onerror=document.title='hacked'> &amp; {{7*7}} ${7*7}"
)
LINKS = (
    "see https://example.org/a_(b)?c=d#e, (http://example.org/x). javascript:alert(1)"
    " data:text/html,x ftp://example.org/ www.example.org https://"
    ' https://me:pw@example.org/ https://example.org/"><script>'
)
ANCHORS = """
return [...document.querySelectorAll(".message a")].map((link) =>
  [link.textContent, link.href, link.rel, link.target]);
"""
NARROW = 360, 740


class TalkTests(PageTestCase):
    def test_two_browsers_and_a_terminal_in_one_room(self) -> None:
        ann, bob = self.page("#/room/1"), self.page("#/room/1", PHONE, dark=True)
        for page, name in (ann, "ann"), (bob, "bob"):
            page.at_door("Public Chat")
            page.enter(name)
            page.inside("Public Chat")
        carl = self.machat("carl")
        ann.window.wait(
            lambda: "carl came in" in "".join(ann.window.texts(".came-and-went"))
        )
        ann.say("hello from ann")
        self.assertEqual(carl.hear(), "ann:hello from ann")
        bob.window.wait_for(
            lambda: bob.window.texts(".message .text"), ["hello from ann"]
        )
        carl.say("hello from a terminal")
        bob.say("hello from bob")
        for page, own in (ann, "hello from ann"), (bob, "hello from bob"):
            page.window.wait(
                lambda page=page: len(page.window.texts(".message .text")) == 3  # type: ignore[misc]
            )
            self.assertEqual(page.window.texts(".own .text"), [own])
            badges = page.window.texts(".group:not(.own) .badge")
            self.assertEqual(sorted(badges), ["MaChat", "web"])
            people = page.window.texts("aside .people bdi")
            self.assertEqual(sorted(people), ["ann", "bob", "carl"])
            page.window.screenshot(f"room-{own[-3:]}")
        carl.close()
        ann.window.wait(
            lambda: "carl left" in "".join(ann.window.texts(".came-and-went"))
        )
        bob.window.click(".leave")
        ann.window.wait_for(lambda: ann.window.texts("aside .people bdi"), ["ann"])
        self.assertTrue(bob.visible("#rooms"))
        self.assertEqual(self.browser.complaints(), [])

    def test_markup_is_text_and_links_are_safe(self) -> None:
        ann = self.page("#/room/1")
        ann.at_door("Public Chat")
        ann.enter("<i>ann</i>")
        ann.inside("Public Chat")
        carl = self.machat("<u>carl</u>")
        carl.say(MARKUP)
        carl.say(LINKS)
        ann.heard(MARKUP, LINKS)
        self.assertEqual(ann.window.texts(".log b bdi"), ["<u>carl</u>"])
        self.assertEqual(ann.window.texts(".log script, .log img, i, u, .log b b"), [])
        rel = "noopener noreferrer nofollow"
        good = "https://example.org/a_(b)?c=d#e", "http://example.org/x"
        last = "https://example.org/"
        self.assertEqual(
            ann.window.run(ANCHORS),
            [[url, url, rel, "_blank"] for url in (*good, last)],
        )
        self.assertNotIn("hacked", ann.window.run("return document.title"))
        ann.window.screenshot("markup")
        self.assertEqual(self.browser.complaints(), [])

    def test_what_cannot_be_sent_is_told_before(self) -> None:
        ann = self.page("#/room/1")
        ann.at_door("Public Chat")
        ann.enter("ann")
        ann.inside("Public Chat")
        carl = self.machat("carl")
        fill = (
            "const text = document.querySelector('textarea');"
            "text.value = arguments[0]; text.dispatchEvent(new Event('input'))"
        )
        ann.window.run(fill, "x" * 70_000)
        ann.waits_for_fault("Too long by", ".composer")
        ann.window.type("\n", "textarea")
        ann.window.run(fill, "one")
        ann.window.type(Keys.SHIFT + Keys.ENTER + Keys.NULL + "two\n", "textarea")
        ann.heard("one\ntwo")
        self.assertEqual([carl.hear(), carl.hear()], ["ann:one", "ann:two"])
        self.assertFalse(ann.visible(".composer .fault"))

    def test_what_one_has_not_seen_is_counted(self) -> None:
        number = self.client.add("Tea")
        ann = self.page("#/room/1")
        ann.at_door("Public Chat")
        ann.enter("ann")
        ann.inside("Public Chat")
        carl = self.machat("carl")
        for count in range(40):
            carl.say(f"number {count}")
        ann.window.wait(lambda: len(ann.window.texts(".message")) == 40)
        # Whoever looks has read it.
        self.assertEqual(ann.window.texts(".divider, #rooms .unread"), [])
        ann.window.run("document.querySelector('.log').scrollTop = 0")
        ann.window.wait(lambda: ann.visible(".jump"))
        carl.say("one more")
        ann.window.wait_for(lambda: ann.window.text(".jump"), "1 new message")
        ann.window.screenshot("new-message")
        self.assertEqual(ann.window.text(".divider"), "New")
        self.assertEqual(
            ann.window.run("return document.querySelector('.log').scrollTop"), 0
        )
        ann.window.click(".jump")
        ann.window.wait(lambda: not ann.visible(".jump"))
        ann.window.wait_for(
            lambda: ann.window.run("return document.title"), "Public Chat · chatmux"
        )
        # In another room what comes is counted in the list, and in the title.
        ann.window.run("location.hash = arguments[0]", f"#/room/{number}")
        ann.at_door("Tea")
        ann.enter("ann")
        ann.inside("Tea")
        carl.say("are you there?")
        ann.window.wait_for(lambda: ann.window.texts("#rooms .unread"), ["1 unread"])
        ann.window.wait_for(
            lambda: ann.window.run("return document.title"), "(1) Tea · chatmux"
        )
        ann.window.click("#rooms a")
        ann.inside("Public Chat")
        ann.window.wait(lambda: not ann.window.texts("#rooms .unread"))
        self.assertEqual(self.browser.complaints(), [])

    def test_the_log_forgets_what_is_old(self) -> None:
        ann = self.page("#/room/1")
        ann.at_door("Public Chat")
        ann.enter("ann")
        ann.inside("Public Chat")
        carl = self.machat("carl")
        for count in range(700):
            carl.say(f"number {count}")
        ann.window.wait(
            lambda: ann.window.texts(".message .text")[-1:] == ["number 699"]
        )
        self.assertLessEqual(len(ann.window.texts(".message")), 500)

    def test_it_is_as_wide_as_a_phone(self) -> None:
        self.client.add("W" * 70, description="x" * 70)
        self.client.add("שלום עולם", PASSWORD)
        page = self.page("", NARROW)
        shots = ["list"]
        self.assertEqual(page.window.run(WIDE), [])
        for fragment, title in ("#/room/2", "W" * 70), ("#/room/1", "Public Chat"):
            page.open(fragment)
            page.at_door(title)
            self.assertEqual(page.window.run(WIDE), [])
            page.enter("n" * 200)
            page.inside(title)
            carl = self.machat("שלום")
            carl.say("https://example.org/" + "y" * 500)
            page.say("z" * 500)
            page.window.wait(lambda: page.window.texts(".own .text"))
            self.assertEqual(page.window.run(WIDE), [])
            page.window.screenshot(f"narrow-{fragment[-1]}")
            page.window.click(".people-button")
            page.window.wait(lambda: page.visible("#people"))
            self.assertEqual(page.window.run(WIDE), [])
            page.window.type(Keys.ESCAPE)
            page.window.wait(lambda: not page.visible("#people"))
            carl.close()
        page.window.click(".room .back")
        page.window.wait(lambda: page.visible("#rooms"))
        page.window.click("#new-room")
        self.assertEqual(page.window.run(WIDE), [])
        page.window.screenshot(shots[0])


class KeyboardTests(PageTestCase):
    def test_all_of_it_goes_without_a_mouse(self) -> None:
        page = self.page()
        type_ = page.window.type

        def in_focus(script: str) -> str:
            found: str = page.window.run(f"return document.activeElement.{script}")
            return found

        type_(Keys.TAB)
        self.assertEqual(in_focus("id"), "skip")
        for expected in "new-room", "find-text", "":
            type_(Keys.TAB)
            self.assertEqual(in_focus("id"), expected)
        self.assertEqual(in_focus("hash"), "#/room/1")
        ring = "return getComputedStyle(document.activeElement).outlineStyle"
        self.assertEqual(page.window.run(ring), "solid")
        type_(Keys.ENTER)
        page.at_door("Public Chat")
        page.window.wait_for(lambda: in_focus("name"), "name")
        type_("ann")
        type_(Keys.ENTER)
        page.inside("Public Chat")
        page.window.wait_for(lambda: in_focus("tagName"), "TEXTAREA")
        type_("by keys\n")
        page.heard("by keys")
        # Back over the log to the button by which one leaves.
        type_(Keys.SHIFT + Keys.TAB)
        self.assertEqual(in_focus("className"), "log")
        type_(Keys.SHIFT + Keys.TAB)
        self.assertEqual(in_focus("ariaLabel"), "Leave")
        type_(Keys.ENTER)
        page.window.wait(lambda: page.visible("#welcome"))
        page.window.wait_for(lambda: in_focus("id"), "brand")
        type_(Keys.TAB)
        self.assertEqual(in_focus("id"), "new-room")
        type_(Keys.ENTER)
        page.window.wait(lambda: page.visible("#create"))
        self.assertEqual(in_focus("name"), "title")
        type_(Keys.ESCAPE)
        page.window.wait(lambda: not page.visible("#create"))
        self.assertEqual(in_focus("id"), "new-room")
        self.assertEqual(self.browser.complaints(), [])
