# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The page where a connection ends: it says so, and comes back."""

from __future__ import annotations

from typing import Any

from tests.admin_server import OPEN, Operator
from tests.globes_server import PASSWORD
from tests.page_server import ALL, Page, PageTestCase

STATE = """
const line = document.querySelector(".state");
return line.hidden ? "" : line.querySelector(".words").textContent;
"""
RENEW = (
    "return import('/web/chat/main.js').then((page) =>"
    " page.inside.get(arguments[0]).renew())"
)
TOKEN = "return Object.values(JSON.parse(sessionStorage['chatmux.rooms']))[0].token"
SOCKETS = """
window.sockets = [];
window.WebSocket = class extends WebSocket {
  constructor(...how) { super(...how); sockets.push(this); }
};
"""

# Keep back the next joining until held() is called.
HOLD = """
const { send } = WebSocket.prototype;
WebSocket.prototype.send = function (text) {
  if (!text.includes('"join"')) return send.call(this, text);
  WebSocket.prototype.send = send;
  window.held = () => send.call(this, text);
};
"""
WRITTEN = "return document.querySelector('textarea').value"


def shows(page: Page, words: str) -> None:
    """Wait until the state of the connection is told so."""
    page.window.wait(lambda: page.window.run(STATE), lambda seen: words in seen)


def connected(page: Page) -> None:
    page.window.wait_for(lambda: page.window.run(STATE), "")


class ReturnTests(PageTestCase):
    def test_a_restart_of_the_server_is_seen_and_got_over(self) -> None:
        number = self.client.add("Book club", PASSWORD)
        page = self.page("#/room/1")
        page.at_door("Public Chat")
        page.enter("ann")
        page.inside("Public Chat")
        page.window.run("location.hash = arguments[0]", f"#/room/{number}")
        page.at_door("Book club")
        page.enter("ann", PASSWORD)
        page.inside("Book club")
        page.say("before")
        page.heard("before")
        self.assertEqual(self.server.stop(), 0)
        shows(page, "")
        page.window.wait(
            lambda: page.window.texts(".state .countdown"),
            lambda seen: seen[0].startswith("Reconnecting in"),
        )
        page.window.screenshot("reconnecting")
        self.assertTrue(
            page.window.run("return document.querySelector('.send').disabled")
        )
        page.window.type("kept", "textarea")
        page.window.type("\n", "textarea")
        page.heard("before")
        self.again()
        # Somebody who does not wait; or it has just happened by itself.
        page.window.run("document.querySelector('.state button').click()")
        connected(page)
        page.window.type("\n", "textarea")
        page.heard("before", "kept")
        notes = "".join(page.window.texts(".came-and-went"))
        self.assertIn("You are back", notes)
        # The other room has come back by itself.
        page.window.click('#rooms a[href="#/room/1"]')
        page.inside("Public Chat")
        connected(page)
        page.say("here, too")
        page.heard("here, too")
        self.browser.complaints()

    def again(self) -> None:
        """Start the server anew, with its addresses and its store."""
        address = f"127.0.0.1:{self.port}"
        directory = self.server.log_file.parent
        config: Any = {**ALL, "globes": {**ALL["globes"], "address": address}}
        self.server = self.serve(config, directory)
        self.server.ports("globes.address")

    def test_a_name_that_the_lost_connection_holds_is_waited_for(self) -> None:
        page = self.page("#/room/1")
        page.at_door("Public Chat")
        page.window.run(SOCKETS)
        page.enter("ann")
        page.inside("Public Chat")
        page.window.run("sockets[0].close()")
        holder = self.member(self.port, 1, name="ann")
        shows(page, "Your name is still held")
        holder.say("leave", "ann")
        connected(page)
        page.say("back")
        page.heard("back")
        self.assertEqual(self.browser.complaints(), [])

    def test_a_new_token_loses_and_repeats_nothing(self) -> None:
        number = self.client.add("Book club", PASSWORD)
        page = self.page(f"#/room/{number}")
        page.at_door("Book club")
        page.enter("ann", PASSWORD)
        page.inside("Book club")
        bob = self.member(
            self.port, number, token=self.client.token(number, "bob"), name="bob"
        )
        page.window.wait(lambda: len(page.window.texts("aside .people li")) == 2)
        old = page.window.run(TOKEN)
        page.window.run(
            "window.done = [];"
            + RENEW.replace("return ", "")
            + ".then(() => done.push(1))",
            number,
        )
        expected = [f"number {count}" for count in range(200)]
        for text in expected:
            bob.say("send", "bob", msg=text)
        page.window.wait(lambda: page.window.run("return done.length"))
        page.say("still here")
        page.heard(*expected, "still here")
        # Others see that she goes and comes; she does not.
        notes = "".join(page.window.texts(".came-and-went"))
        self.assertNotIn("You left", notes)
        people = page.window.texts("aside .people bdi")
        self.assertEqual(sorted(people), ["ann", "bob"])
        self.assertTrue(old)
        self.assertEqual(self.browser.complaints(), [])

    def test_a_name_taken_while_the_token_is_changed_loses_nothing(self) -> None:
        number = self.client.add("Book club", PASSWORD)
        token = self.client.token(number, "ann")
        page = self.page(f"#/room/{number}")
        page.at_door("Book club")
        page.enter("ann", PASSWORD)
        page.inside("Book club")
        page.window.run(HOLD)
        page.window.run(RENEW.replace("return ", ""), number)
        page.window.wait(lambda: page.window.run("return 'held' in window"))
        page.window.type("kept\n", "textarea")
        page.window.wait_for(lambda: page.window.run(WRITTEN), "")
        holder = self.member(self.port, number, token=token, name="ann")
        page.window.run("held()")
        shows(page, "Your name is still held")
        page.window.wait_for(lambda: page.window.run(WRITTEN), "kept")
        holder.say("leave", "ann")
        connected(page)
        page.window.type("\n", "textarea")
        page.heard("kept")
        self.assertEqual(self.browser.complaints(), [])

    def test_what_is_said_while_the_token_is_changed_arrives(self) -> None:
        number = self.client.add("Book club", PASSWORD)
        page = self.page(f"#/room/{number}")
        page.at_door("Book club")
        page.enter("ann", PASSWORD)
        page.inside("Book club")
        page.window.run(HOLD)
        page.window.run(RENEW.replace("return ", ""), number)
        page.window.wait(lambda: page.window.run("return 'held' in window"))
        page.say("meanwhile")
        page.window.run("held()")
        page.heard("meanwhile")
        self.assertEqual(self.browser.complaints(), [])


class OperatorTests(PageTestCase):
    config = OPEN

    def test_whom_the_operator_puts_out_is_told_why_and_stays_out(self) -> None:
        (port,) = self.server.ports("admin.address")
        operator = Operator(port)
        self.addCleanup(operator.close)
        page = self.page("#/room/1")
        page.at_door("Public Chat")
        page.window.run(SOCKETS)
        page.enter("zoe")
        page.inside("Public Chat")
        (one,) = operator.get("connections?find=zoe")
        operator.post(f"connections/{one['number']}/close", reason="be gone")
        page.at_door("Public Chat")
        page.waits_for_fault("The server has ended this: be gone.")
        rooms = page.window.run("return sessionStorage['chatmux.rooms']")
        self.assertEqual(rooms, "{}")
        # She may come back, but does not by herself.
        page.enter("zoe")
        page.inside("Public Chat")
        page.say("back")
        page.heard("back")
        self.assertEqual(page.window.run("return sockets.length"), 2)
        self.assertEqual(self.browser.complaints(), [])


class PauseTests(PageTestCase):
    def test_attempts_come_later_each_time_and_not_all_at_once(self) -> None:
        pauses = self.page().window.run(
            "return import('/web/chat/connection.js').then(({ pause }) =>"
            " [0, 3, 99].map((attempt) => [pause(attempt, 0), pause(attempt, 1)]))"
        )
        self.assertEqual(pauses, [[500, 1000], [4000, 8000], [15_000, 30_000]])


class ExpiryTests(PageTestCase):
    config = {**ALL, "globes": {**ALL["globes"], "login-seconds": 3}}

    def test_a_password_is_asked_for_again_when_its_time_is_over(self) -> None:
        number = self.client.add("Book club", PASSWORD)
        page = self.page(f"#/room/{number}")
        page.at_door("Book club")
        page.enter("ann", PASSWORD)
        page.inside("Book club")
        page.waits_for_fault("Your time in the room has ended")
        self.assertEqual(
            page.window.run("return document.activeElement.name"), "secret"
        )
        page.enter("ann", PASSWORD)
        page.inside("Book club")
        self.assertTrue(all("403" in one for one in self.browser.complaints()))


class OldAddressTests(PageTestCase):
    def test_they_lead_to_the_room(self) -> None:
        page = self.page()
        for old in "entrance", "chatbox":
            page.window.open(f"{page.url}chats/1/{old}")
            page.at_door("Public Chat")
            self.assertEqual(
                page.window.run("return location.href"), f"{page.url}#/room/1"
            )
        page.window.open(f"{page.url}chats")
        page.window.click("li a")
        page.at_door("Public Chat")
        self.assertEqual(self.browser.complaints(), [])
