# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The other documents against the code: modules, overrides, embedding, links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from chatmux.transports import lean, websocket, websocket_factory
from tests.documents import (
    PAGES,
    ROOT,
    fenced,
    rows,
    section_of,
)


def overridden(ours: type, theirs: type) -> set[str]:
    """Return what of a class of Autobahn's ours has anew."""
    own = {name for name in vars(ours) if not name.startswith("__")}
    return {name for name in own if hasattr(theirs, name)}


class ArchitectureTests(SynchronousTestCase):
    page = ROOT / "docs/architecture.md"

    def test_overrides(self) -> None:
        expected = overridden(websocket.WebSocketProtocol, WebSocketServerProtocol)
        expected |= overridden(lean.LeanWebSocketProtocol, WebSocketServerProtocol)
        factory = websocket_factory.WebSocketFactory
        expected |= overridden(factory, WebSocketServerFactory)
        table = rows(section_of(self.page, "What Autobahn is kept from"))
        documented = {name for row in table for name in re.findall(r"`(\w+)`", row[0])}
        self.assertEqual(documented, expected)

    def test_modules_exist(self) -> None:
        text = self.page.read_text()
        named = set(re.findall(r"\b(?:\w+/)*\w+\.py\b", text))
        self.assertGreater(len(named), 12)
        modules = {file.name for file in (ROOT / "chatmux").rglob("*.py")}
        for name in named:
            places = ROOT / "chatmux" / name, ROOT / name
            found = any(place.exists() for place in places) or name in modules
            self.assertTrue(found, name)

    def test_every_module_has_a_line(self) -> None:
        text = section_of(self.page, "The house")
        for module in (ROOT / "chatmux").rglob("*.py"):
            if module.name != "__init__.py":
                self.assertIn(module.name, text)


class Recorder(Protocol):
    """A client that says something once and keeps what comes."""

    transport: Any

    def __init__(self, hello: bytes) -> None:
        self._hello = hello
        self.came = b""
        self.ended: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        self.transport.write(self._hello)

    def dataReceived(self, data: bytes) -> None:
        self.came += data
        if self.came.endswith(b"\n"):
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.ended.callback(self.came)


class EmbeddingTests(TestCase):
    timeout = 30

    async def test_the_program_runs(self) -> None:
        programs = [
            text
            for language, text in fenced(ROOT / "docs/embedding.md")
            if language == "python" and "async def serve_chat" in text
        ]
        self.assertEqual(len(programs), 1)
        found: dict[str, Any] = {"__name__": "embedding"}
        exec(compile(programs[0], "docs/embedding.md", "exec"), found)
        reactor: Any = global_reactor
        lines, messages = await found["serve_chat"](
            reactor, tcp="127.0.0.1:0", ws="127.0.0.1:0"
        )
        try:
            self.assertIs(lines.broker, messages.broker)
            self.assertIn("machat.ws", messages.addresses)
            endpoint = TCP4ClientEndpoint(reactor, *lines.addresses["machat.tcp"])
            client = Recorder(b'{"name":"ann","room":"dev"}\nhello\n')
            await connectProtocol(endpoint, client)
            self.assertEqual(await client.ended, b"ann:hello\n")
        finally:
            await messages.stopService()
            await lines.stopService()


@dataclass(frozen=True)
class Link:
    page: Path
    target: str
    anchor: str


def links(page: Path) -> Iterator[Link]:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if "://" not in target:
            path, _, anchor = target.partition("#")
            yield Link(page, path, anchor)


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    words = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in words}


class PageTests(SynchronousTestCase):
    def test_links(self) -> None:
        for link in (link for page in PAGES for link in links(page)):
            file = (
                (link.page.parent / link.target).resolve() if link.target else link.page
            )
            self.assertTrue(file.exists(), link)
            if link.anchor:
                self.assertIn(link.anchor, anchors(file), link)

    def test_every_page_can_be_reached(self) -> None:
        reached = {ROOT / "README.md"}
        waiting = list(reached)
        while waiting:
            page = waiting.pop()
            for link in links(page):
                file = (page.parent / link.target).resolve()
                if file.suffix == ".md" and file not in reached:
                    reached.add(file)
                    waiting.append(file)
        self.assertEqual([page for page in PAGES if page not in reached], [])

    def test_width(self) -> None:
        for page in PAGES:
            for number, line in enumerate(page.read_text().splitlines(), 1):
                free = line.startswith(("|", "- `")) or "://" in line
                said = re.match(r"([\w -]+ )?(->|<-) ", line)
                fits = len(line) <= 100 or free or said is not None
                self.assertTrue(fits, f"{page}:{number}")

    def test_decisions_have_their_parts(self) -> None:
        decisions = sorted((ROOT / "docs/adr").glob("*.md"))
        numbers = [int(page.name[:4]) for page in decisions]
        self.assertEqual(numbers, list(range(1, len(decisions) + 1)))
        for page in decisions:
            headings = re.findall(r"^## (.+)$", page.read_text(), flags=re.MULTILINE)
            parts = ["Status", "Context", "Decision", "Consequences"]
            self.assertEqual(headings, parts, page)
