# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The pictures of the page in docs/screenshots: ``python -m tests.screenshots``.

Starts a server and has people talk in one room by all four protocols.
"""

from __future__ import annotations

import json
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from websockets.sync.client import connect

from tests.browser import DESKTOP, PHONE, Browser, Window
from tests.globes_server import PASSWORD, Member, Rest
from tests.page_server import ALL, SECRET, MaChat, Page
from tests.png import smaller
from tests.server import Server

PICTURES = Path(__file__).parent.parent / "docs/screenshots"
ADMIN = "the-admin-of-the-pictures"
CONFIG = {
    **ALL,
    "globes": {"address": "127.0.0.1:0", "admin-token": ADMIN},
    "webtalk": {**ALL["webtalk"], "sender": "Weather station"},
}
ROOM = "Allotments"
SIZES = ("desktop", DESKTOP), ("phone", PHONE)
OTHERS = (
    ("Seed swap", None, "What is left over, and who needs it"),
    ("Committee", PASSWORD, "Minutes and money"),
    ("Bees", None, "Hives 1 to 6"),
)


class Talk:
    """Those who are in the room, each by a protocol of their own."""

    def __init__(self, server: Server, stack: ExitStack) -> None:
        self._stack = stack
        web, lines, multichat, webtalk = server.ports(
            "globes.address", "machat.tcp", "multichat.host", "webtalk.private"
        )
        self.rest = Rest(web)
        stack.callback(self.rest.close)
        about = "Plots 1 to 40, the shed, and the water"
        wish = {"title": ROOM, "description": about, "visibility": "public"}
        self.rest.ask("PUT", "/chats/1", wish, ADMIN)
        numbers = [
            self.rest.add(title, password, description=about)
            for title, password, about in OTHERS
        ]
        for name in "Hanna", "Luis":
            self._member(web, numbers[0], name)
        self._member(web, numbers[2], "Luis")
        self._ruth = self._member(web, 1, "Ruth", "#7c4fd0")
        self._jo = MaChat(lines, "Jo")
        stack.callback(self._jo.close)
        self._pump = stack.enter_context(
            connect(f"ws://127.0.0.1:{multichat}/", proxy=None)
        )
        register = {"action": "register", "client-name": "water-pump"}
        self._pump.send(json.dumps({**register, "secret-key": SECRET}))
        self._pump.recv()
        self._station = socket.create_connection(("127.0.0.1", webtalk))
        stack.callback(self._station.close)

    def ruth(self, text: str) -> None:
        """Speak in a browser."""
        self._ruth.say("send", "Ruth", msg=text, color="#7c4fd0")

    def jo(self, text: str) -> None:
        """Speak in a terminal, over MaChat."""
        self._jo.say(text)

    def pump(self, text: str) -> None:
        """Relay something from elsewhere, over multichat."""
        self._pump.send(json.dumps({"action": "client-message", "content": text}))

    def station(self, text: str) -> None:
        """Push from a back-end, over webtalk."""
        command = f"[shout] 1!{text}".encode()
        self._station.sendall(b"%05d" % len(command) + command)

    def _member(self, port: int, room: int, name: str, color: str = "") -> Member:
        url = f"ws://127.0.0.1:{port}/chats/{room}/ws"
        member = Member(
            self._stack.enter_context(connect(url, proxy=None, compression=None))
        )
        member.say("join", name, color=color)
        member.hear()
        return member


def conversation(talk: Talk, page: Page) -> None:
    """Have everybody talk; `page` is where Ann is."""
    script: list[tuple[Callable[[str], None], str]] = [
        (talk.ruth, "Morning! Did anybody close the big greenhouse last night?"),
        (talk.jo, "I did, about nine. Left the side vent open a hand's breadth."),
        (page.say, "Thank you, Jo. The tomatoes will be glad."),
        (talk.station, "Frost warning: -2 °C expected tonight, from 3 to 6"),
        (talk.ruth, "There we go. I have fleece for about ten beds"),
        (talk.ruth, "and more at home, if somebody has a car"),
        (talk.pump, "Tank 1 is at 84 %, the pump is off until 18:00"),
        (talk.jo, "Can fetch it at four. How to lay it: https://example.org/fleece"),
        (page.say, "Perfect. I shall be there from half past three."),
        (talk.ruth, "See you then!"),
    ]
    for number, (say, text) in enumerate(script, 1):
        say(text)
        page.window.wait(
            partial(page.window.texts, ".message"),
            lambda seen, number=number: len(seen) == number,  # type: ignore[misc]
        )


def quiet(window: Window) -> None:
    """Wait until nothing moves, and put the keyboard's focus away."""
    window.run("document.activeElement.blur()")
    time.sleep(0.3)


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = Server(directory, CONFIG)
        stack.callback(server.kill)
        talk = Talk(server, stack)
        (port,) = server.ports("globes.address")
        browser = stack.enter_context(Browser(directory / "browser"))

        def take(window: Window, name: str) -> None:
            quiet(window)
            picture = window.screenshot(name).read_bytes()
            (PICTURES / f"{name}.png").write_bytes(smaller(picture))

        page = Page(browser.window(), port).open("#/room/1")
        page.at_door(ROOM)
        page.window.run("document.querySelectorAll('[name=color]')[1].click()")
        page.fill(".entry [name=name]", "Ann")
        page.window.resize(PHONE)
        take(page.window, "phone-door")
        page.window.resize(DESKTOP)
        page.enter("Ann")
        page.inside(ROOM)
        conversation(talk, page)
        for name, size in SIZES:
            for dark in False, True:
                page.window.resize(size)
                page.window.scheme(dark=dark)
                take(page.window, f"{name}-{'dark' if dark else 'light'}")
        page.window.click(".back")
        page.window.scheme(dark=False)
        talk.ruth("One more thing")
        talk.ruth("who has the key of the shed?")
        page.window.wait(lambda: page.window.texts("#rooms .unread"))
        take(page.window, "phone-rooms")
        page.window.resize(DESKTOP)
        page.window.click("#new-room")
        page.window.type("Compost", "#create [name=title]")
        page.window.click("#create [value=private]")
        take(page.window, "new-room")
    total = 0
    for picture in sorted(PICTURES.glob("*.png")):
        length = picture.stat().st_size
        total += length
        print(f"{length:8,} {picture.relative_to(Path.cwd())}")
    print(f"{total:8,} bytes")


if __name__ == "__main__":
    main()
