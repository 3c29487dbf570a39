# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""How others' words may appear in the log."""

from __future__ import annotations

import re

FIELD_LENGTH = 256

_BREAKS = re.compile(r"\s*[\r\n]+\s*")
_UNFIT = re.compile(r"[^ -~]")


def field(text: str) -> str:
    """Return `text` fit for a log line: one line, cut, controls as escapes."""
    text = cut(text, FIELD_LENGTH)
    if text.isascii() and text.isprintable():
        return text
    return text.encode("unicode_escape").decode("ascii")


def cut(text: str, length: int) -> str:
    """Return `text`, or what it begins with and how long it is."""
    if len(text) <= length:
        return text
    return f"{text[:length]}... ({len(text)} characters)"


def one_line(text: str) -> str:
    """Return `text` as printable ASCII: breaks as bars, all else as escapes.

    What is escaped already stays as it is.
    """
    text = _BREAKS.sub(" | ", text.strip())
    return _UNFIT.sub(lambda found: repr_of(found[0]), text)


def repr_of(character: str) -> str:
    """Return a character as an escape of Python's."""
    return character.encode("unicode_escape").decode("ascii")
