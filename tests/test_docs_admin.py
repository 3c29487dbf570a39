# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""docs/admin.md against the API: its examples are asked, and the answers compared."""

from __future__ import annotations

import json
import re
from typing import Any

from chatmux import __version__
from chatmux.admin.api import MOST, NOTICE_LENGTH, REASON_BYTES
from chatmux.admin.events import MOST_REFUSALS
from chatmux.admin.sampler import Sample
from chatmux.model import SERVER
from chatmux.transports.guard import REFUSALS
from tests.admin_doubles import APITestCase
from tests.documents import ROOT, fenced, rows, section_of, without_ticks
from tests.doubles import MemoryConnection

PAGE = ROOT / "docs/admin.md"


def shape(value: Any) -> Any:
    """Return what has to be the same of two answers: keys and types."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])]
    return "number" if isinstance(value, int | float) else type(value).__name__


def examples() -> list[tuple[str, list[str]]]:
    """Return each request, and what is answered."""
    found: list[tuple[str, list[str]]] = []
    for language, text in fenced(PAGE):
        for line in text.splitlines() if language == "admin" else ():
            kind, _, said = line.partition(" ")
            if kind == "->":
                found.append((said, []))
            else:
                found[-1][1].append(said)
    return found


class DocsTests(APITestCase):
    def setUp(self) -> None:
        super().setUp()
        about = json.loads(dict(examples())["GET /api/server"][0].removeprefix("200 "))
        self.about.update(about)
        for number in range(7):
            name = "ann" if number == 6 else f"a{number}"
            peer = f"192.0.2.7:471{number}"
            self.peer("machat.tcp", peer, "machat/lounge", name=name)
        self.guard.turned_away("machat.tcp", "192.0.2.7:1", "full")
        self.addCleanup(self.sampler.stop)
        self.sampler.start()
        self.clock.advance(1)

    def test_examples(self) -> None:
        self.assertGreater(len(examples()), 9)
        for asked, told in examples():
            if asked == "GET /api/events":
                continue
            method, path, body = re.fullmatch(r"(\S+) (\S+) ?(.*)", asked).groups()  # type: ignore[union-attr]
            answer = self.ask(method, path, json.loads(body) if body else None)
            status, _, expected = told[0].partition(" ")
            self.assertEqual(answer.status, int(status), asked)
            written = json.loads(expected)
            # How many there are by each door is no key of the form.
            self.assertEqual(shape(json.loads(answer.body)), shape(written), asked)

    def test_the_stream(self) -> None:
        (told,) = [told for asked, told in examples() if asked == "GET /api/events"]
        connection = MemoryConnection(lambda message: message + b"\n")
        granted: Any = self.door.upgrade(self.request("GET", "/api/events", None, {}))
        granted.new_session(connection)
        self.clock.advance(1)
        self.guard.turned_away("machat.tcp", "192.0.2.7:1", "full")
        heard = [json.loads(line) for line in connection.take().splitlines()]
        self.assertEqual(
            [shape(one) for one in heard], [shape(json.loads(t)) for t in told]
        )

    def test_keys_of_a_sample(self) -> None:
        table = rows(section_of(PAGE, "Samples"))
        keys = [without_ticks(row[0]) for row in table]
        self.assertEqual(keys, list(Sample._fields))

    def test_numbers_and_names(self) -> None:
        text = PAGE.read_text()
        for words in (
            f"up to {MOST:,}",
            f"of {NOTICE_LENGTH:,} characters",
            f"of {REASON_BYTES} bytes",
            f"more than {MOST_REFUSALS} refusals",
            f"The last {REFUSALS} who",
            f"`{SERVER.name}`",
            f'"version":"{__version__}"',
        ):
            self.assertIn(words, text)
