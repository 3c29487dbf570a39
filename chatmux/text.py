# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Rules for names and lines that hold across protocols. Pure functions on strings.

A protocol of lines (``name:text``) can be forged by whoever gets a line break, a colon
in a name or a terminal escape through it. So: a name that others are to rely on is
checked by `name_fault`; a free-form name is made harmless by `plain_name`; text from
elsewhere becomes lines by `plain_lines`; two names that differ only in case or Unicode
form have one `fold`, and two that look alike one `likeness`.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

NAME_LENGTH = 255
"""Longest name, in characters; it stands before every line of its holder."""

_REMEMBERED = 512
"""Of so many names: that of a speaker is asked for with each message, and one can be
made that takes two milliseconds."""

_CONTROLS = (*range(0x20), *range(0x7F, 0xA0))
_SEPARATORS = (0x2028, 0x2029)
_BIDI_MARKS = (0x061C, 0x200E, 0x200F)
_BIDI = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""Embeddings, overrides and isolates: what follows on the screen is in their hands."""

_TEXT_TABLE = dict.fromkeys((*_CONTROLS, *_SEPARATORS, *_BIDI))
del _TEXT_TABLE[0x09]
_UNFIT_FOR_NAMES = (*_CONTROLS, *_SEPARATORS, *_BIDI_MARKS, *_BIDI)
_CONTROL = re.compile(f"[{re.escape(''.join(map(chr, _UNFIT_FOR_NAMES)))}]")
_NAME_TABLE = dict.fromkeys((*_UNFIT_FOR_NAMES, ord(":")), "_")

MOST_LINES = 200
"""Into how many lines a text is cut. In each stands the sender's name, so that a text
of nothing but line breaks would become a hundred times as long."""

_BREAKS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
"""What `str.splitlines` cuts at."""
_BREAK = re.compile(f"\r\n|[{_BREAKS}]")
_LAST_BREAK = re.compile(rf"(?:\r\n|[{_BREAKS}])\Z")
_BREAKS_TO_BLANKS = dict.fromkeys(map(ord, _BREAKS), " ")

# What is not to be seen (Unicode: Default_Ignorable_Code_Point, and what else is there
# for the layout), but for bidi controls.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U00013430-\U0001345f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_DOTTED = re.compile("([ij])\u0307+")
"""These have a dot, with or without another."""
_LOOK_ALIKES = str.maketrans(
    # Cyrillic, Greek and some others, as they look in lower case or in capitals.
    "авекмнорстухіјѕһԁԛԝѵӏүαβεζηικμνορτυχıȷɑɡօ\u2800",
    "abekmhopctyxijshdqwvlyabezhikmnoptyxijago ",
)


def fold(name: str) -> str:
    """Return what two names share when a reader would take them for one.

    Unicode form (NFKC) and case do not tell names apart, nor does a blank at an end.

    Takes a time that grows with the square of the length, where somebody wants that.
    """
    if name.isascii():
        return name.strip().lower()
    folded = unicodedata.normalize("NFKC", name).casefold()
    return unicodedata.normalize("NFKC", folded).strip()


def likeness(name: str) -> str:
    """Return what two names share that the eye does not tell apart.

    Besides what `fold` says: characters that are not to be seen, how many blanks there
    are, and letters of different scripts that look the same.
    """
    if name.isascii():
        return " ".join(name.lower().split())
    seen = unicodedata.normalize("NFD", _INVISIBLE.sub("", fold(name)))
    seen = _DOTTED.sub(r"\1", seen.translate(_LOOK_ALIKES))
    return " ".join(fold(seen).split())


likeness_of_speaker = lru_cache(_REMEMBERED)(likeness)
"""The same for a name that is asked for with each message. Not for titles: of those
nobody is to find out by the time whether they were asked for before."""


def has_controls(text: str) -> bool:
    """Say whether `text` has a character in it that no line or name should have."""
    return _CONTROL.search(text) is not None


def name_fault(name: str) -> str | None:
    """Say why nobody may hold `name`, in words that follow "the name", or None."""
    if len(name) > NAME_LENGTH:
        # First: of very long ones a likeness can take seconds.
        return f"must not be longer than {NAME_LENGTH} characters"
    if ":" in name:
        return "must not have a colon in it"
    if name.translate(_NAME_TABLE) != name:
        return "must not have a control character in it"
    # Last, as it takes the longest.
    return None if likeness(name) else "must not be empty"


@lru_cache(_REMEMBERED)
def plain_name(name: str) -> str:
    """Return `name` with line breaks, control characters and colons made ``_``.

    The result passes `name_fault`: what is too long is cut, and a name with nothing to
    see becomes ``_`` as well.
    """
    plain = name[:NAME_LENGTH].translate(_NAME_TABLE)
    return plain if likeness(plain) else "_"


def plain_text(text: str) -> str:
    """Return `text` without control characters and bidi overrides, the tab kept.

    A carriage return becomes a blank: it stood between two words more often than not.
    """
    if text.isprintable():
        return text
    return text.replace("\r", " ").translate(_TEXT_TABLE)


def plain_lines(text: str) -> list[str]:
    """Cut `text` at everything that any reader takes for a line break.

    Returns at least one line and at most `MOST_LINES`, each without control characters
    and bidi overrides; of more, the last ones are one, with blanks between.
    """
    if text.isprintable():
        return [text]
    lines = _BREAK.split(text, MOST_LINES - 1)
    if len(lines) > 1 and not lines[-1]:
        lines.pop()
    elif len(lines) == MOST_LINES:
        lines[-1] = _LAST_BREAK.sub("", lines[-1]).translate(_BREAKS_TO_BLANKS)
    return [line.translate(_TEXT_TABLE) for line in lines]


def most_lines(text: str) -> int:
    """Return how many lines `plain_lines` makes of a text, or some more."""
    if text.isprintable():
        return 1
    return min(MOST_LINES, 1 + sum(map(text.count, _BREAKS)))
