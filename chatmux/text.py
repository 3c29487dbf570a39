# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Rules for names and lines that hold across protocols. Pure functions on strings.

A protocol of lines (``name:text``) can be forged by whoever gets a line break, a colon
in a name or a terminal escape through it. So: a name that others are to rely on is
checked by `name_fault`; a free-form name is made harmless by `plain_name`; text from
elsewhere becomes lines by `plain_lines`; two names that read alike have one `fold`.
"""

from __future__ import annotations

import re
import unicodedata

NAME_LENGTH = 255
"""Longest name, in characters; it stands before every line of its holder."""

_CONTROLS = (*range(0x20), *range(0x7F, 0xA0))
_SEPARATORS = (0x2028, 0x2029)
_BIDI = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))

_TEXT_TABLE = dict.fromkeys((*_CONTROLS, *_SEPARATORS))
del _TEXT_TABLE[0x09]
_UNFIT_FOR_NAMES = (*_CONTROLS, *_SEPARATORS, *_BIDI)
_CONTROL = re.compile(f"[{re.escape(''.join(map(chr, _UNFIT_FOR_NAMES)))}]")
_NAME_TABLE = dict.fromkeys((*_UNFIT_FOR_NAMES, ord(":")), "_")


def fold(name: str) -> str:
    """Return what two names share when a reader would take them for one.

    Unicode form (NFKC) and case do not tell names apart, nor does a blank at an end.
    """
    if name.isascii():
        return name.strip().lower()
    folded = unicodedata.normalize("NFKC", name).casefold()
    return unicodedata.normalize("NFKC", folded).strip()


def has_controls(text: str) -> bool:
    """Say whether `text` has a character in it that no line or name should have."""
    return _CONTROL.search(text) is not None


def name_fault(name: str) -> str | None:
    """Say why nobody may hold `name`, in words that follow "the name", or None."""
    if not name.strip():
        return "must not be empty"
    if len(name) > NAME_LENGTH:
        return f"must not be longer than {NAME_LENGTH} characters"
    if ":" in name:
        return "must not have a colon in it"
    if name.translate(_NAME_TABLE) != name:
        return "must not have a control character in it"
    return None


def plain_name(name: str) -> str:
    """Return `name` with line breaks, control characters and colons made ``_``.

    The result passes `name_fault`: what is too long is cut, and a name with nothing to
    see becomes ``_`` as well.
    """
    plain = name[:NAME_LENGTH].translate(_NAME_TABLE)
    return plain if plain.strip() else "_"


def plain_text(text: str) -> str:
    """Return `text` without control characters, the tab kept.

    A carriage return becomes a blank: it stood between two words more often than not.
    """
    if text.isprintable():
        return text
    return text.replace("\r", " ").translate(_TEXT_TABLE)


def plain_lines(text: str) -> list[str]:
    """Cut `text` at everything that any reader takes for a line break.

    Returns at least one line, each without control characters.
    """
    if text.isprintable():
        return [text]
    # str.splitlines cuts at ten code points, which is what is wanted here.
    return [line.translate(_TEXT_TABLE) for line in text.splitlines()] or [""]
