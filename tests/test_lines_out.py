# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""So many messages in, so many lines and messages out: whatever is said, wherever."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Sequence

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatmux.model import Publication
from chatmux.protocols import foreign, machat, multichat
from chatmux.protocols.globes.events import encoding_for
from chatmux.protocols.webtalk import messages as webtalk
from chatmux.text import MOST_LINES, name_fault, plain_lines, plain_name, plain_text

BREAKS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
OVERRIDES = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
hostile = st.sampled_from([*BREAKS, *OVERRIDES, "\r\n", "\0", "\x1b[2J", "\x9b", ":"])
texts = st.text() | st.lists(hostile | st.text(max_size=3)).map("".join)
names = texts.filter(bool)
origins = st.sampled_from(["multichat", "globes", "webtalk", "machat"])
ENCODINGS: dict[str, Callable[[Publication], Sequence[bytes]]] = {
    "multichat": multichat.encode,
    "globes": encoding_for(1),
    "webtalk": webtalk.encode,
}


def publication(name: str, text: str, origin: str) -> Publication:
    if origin == "machat":
        # As its own door lets them in.
        name, text = plain_name(name), plain_text(text).replace("\n", " ")
    return Publication("a", 1, name, text, origin, 0, 0.0)


class LineTests(SynchronousTestCase):
    @given(st.lists(st.tuples(names, texts, origins), max_size=5))
    def test_a_publication_is_as_many_lines_as_it_has_and_no_other_begins(
        self, said: list[tuple[str, str, str]]
    ) -> None:
        stream, due = b"", []
        for name, text, origin in said:
            told = publication(name, text, origin)
            messages = machat.encode(told)
            stream += b"".join(messages)
            begins = told.name if origin == "machat" else foreign.sender(told)
            due += [begins] * len(plain_lines(told.text))
        lines = stream.decode().split("\n")
        self.assertEqual(lines.pop(), "")
        self.assertEqual(len(lines), len(due))
        for line, name in zip(lines, due, strict=True):
            # A foreign name that is a word of the protocol has something behind it.
            self.assertIn(line[: len(name) + 1], (f"{name}:", f"{name}_"))
            self.assertLessEqual(len(f"{line}\n".splitlines()), 1)

    @given(names, texts, origins)
    def test_elsewhere_it_is_one_message(
        self, name: str, text: str, origin: str
    ) -> None:
        told = publication(name, text, origin)
        for kind, encode in ENCODINGS.items():
            (message,) = encode(told)
            if kind != "webtalk":
                self.assertIsInstance(json.loads(message), dict)

    @given(texts)
    def test_a_line_has_nothing_in_it_that_moves_others(self, text: str) -> None:
        lines = plain_lines(text)
        self.assertTrue(1 <= len(lines) <= MOST_LINES)
        for line in (*lines, plain_text(text)):
            self.assertFalse(set(line) & set(OVERRIDES), repr(line))
            kinds = {unicodedata.category(one) for one in line if one != "\t"}
            self.assertFalse(kinds & {"Cc", "Zl", "Zp"}, repr(line))

    @given(texts)
    def test_what_is_plain_stays_as_it_is(self, text: str) -> None:
        plain = plain_text(text)
        self.assertEqual(plain_text(plain), plain)
        for line in plain_lines(text):
            self.assertEqual(plain_lines(line), [line])
            self.assertEqual(plain_text(line), line)

    @given(texts)
    def test_a_plain_name_stays_and_forges_nothing(self, name: str) -> None:
        plain = plain_name(name)
        self.assertEqual(plain_name(plain), plain)
        self.assertIsNone(name_fault(plain))
        self.assertFalse(set(plain) & {":", *BREAKS, *OVERRIDES})
