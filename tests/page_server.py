# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The page as people use it: a server with all four protocols, and a browser."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from tests.browser import DESKTOP, Browser, Window
from tests.globes_server import GlobesTestCase
from tests.server import DEADLINE_SECONDS

BRIDGE = ["multichat", "machat/lounge", "globes/1", "webtalk/1"]
SECRET = "correct horse"
ALL: dict[str, Any] = {
    "multichat": {"host": "127.0.0.1:0", "secret-key": SECRET},
    "machat": {"tcp": "127.0.0.1:0", "ws": "127.0.0.1:0"},
    "globes": {"address": "127.0.0.1:0"},
    "webtalk": {"private": "127.0.0.1:0", "public": "127.0.0.1:0"},
    "bridges": [BRIDGE],
    "store": "sqlite:///rooms.db",
}

# Whether anything is wider than the window, and what.
WIDE = """
const wide = [...document.querySelectorAll("body *")].filter((element) =>
  element.checkVisibility() && element.getBoundingClientRect().right > innerWidth + 1
  && getComputedStyle(element).position !== "absolute");
return document.documentElement.scrollWidth > innerWidth
  ? wide.map((element) => element.outerHTML.slice(0, 80)) : [];
"""


class MaChat:
    """A member of a room of MaChat, over TCP."""

    def __init__(self, port: int, name: str, room: str = "lounge") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), DEADLINE_SECONDS)
        self._lines = self.socket.makefile("rb")
        self.say(json.dumps({"name": name, "room": room}))

    def say(self, line: str) -> None:
        self.socket.sendall(line.encode() + b"\n")

    def hear(self) -> str:
        """Return the next line."""
        return self._lines.readline().decode().rstrip("\n")

    def close(self) -> None:
        self._lines.close()
        self.socket.close()


class Page:
    """The page in a window, as somebody uses it."""

    def __init__(self, window: Window, port: int) -> None:
        self.window = window
        self.url = f"http://127.0.0.1:{port}/"

    def open(self, fragment: str = "") -> Page:
        """Load the page anew, with what it is to show."""
        self.window.open("about:blank")
        self.window.open(self.url + fragment)
        self.window.wait(lambda: self.window.texts("#rooms li"))
        return self

    def at_door(self, title: str) -> None:
        """Wait for the form at a room's door."""
        look = self.window.texts
        self.window.wait_for(lambda: look(".entry h2"), [title])

    def fill(self, selector: str, text: str) -> None:
        """Type into a field in the place of what is there."""
        self.window.run("document.querySelector(arguments[0]).value = ''", selector)
        self.window.type(text, selector)

    def enter(self, name: str, secret: str = "") -> None:
        """Fill in the form at the door and send it."""
        self.fill(".entry [name=name]", name)
        if secret:
            self.fill(".entry [name=secret]", secret)
        self.window.click(".entry [type=submit]")

    def inside(self, title: str) -> None:
        """Wait for the room."""
        look = self.window.texts
        self.window.wait_for(lambda: look(".room h2"), [title])

    def say(self, text: str) -> None:
        self.window.type(text + "\n", "textarea")

    def heard(self, *expected: str) -> None:
        """Wait until these are the messages in the log."""
        look = self.window.texts
        self.window.wait_for(lambda: look(".message .text"), list(expected))

    def waits_for_fault(self, words: str, within: str = ".entry") -> None:
        """Wait until something is said to be wrong."""
        script = (
            "return document.querySelector(arguments[0] + ' .fault:not([hidden])')"
            "?.textContent ?? ''"
        )
        self.window.wait(
            lambda: self.window.run(script, within), lambda seen: words in seen
        )

    def visible(self, selector: str) -> bool:
        """Say whether an element is there to be seen."""
        script = "return !!document.querySelector(arguments[0])?.checkVisibility()"
        found: bool = self.window.run(script, selector)
        return found


class PageTestCase(GlobesTestCase):
    """A server, and a browser; clients of MaChat."""

    config: Any = ALL

    def setUp(self) -> None:
        self.browser = Browser(Path(self.mktemp()))
        self.addCleanup(self.browser.close)
        self.server = self.serve(self.config)
        self.port, self.machat_port = self.server.ports("globes.address", "machat.tcp")
        self.client = self.rest(self.port)

    def page(
        self,
        fragment: str = "",
        size: tuple[int, int] = DESKTOP,
        *,
        dark: bool = False,
    ) -> Page:
        """Open the page in a new window."""
        return Page(self.browser.window(size, dark=dark), self.port).open(fragment)

    def machat(self, name: str) -> MaChat:
        member = MaChat(self.machat_port, name)
        self.addCleanup(member.close)
        return member
