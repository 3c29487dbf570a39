# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""How a peer's words may appear in the log."""

from __future__ import annotations

FIELD_LENGTH = 256


def field(text: str) -> str:
    """Return `text` fit for a log line: one line, cut, controls as escapes."""
    if len(text) > FIELD_LENGTH:
        text = f"{text[:FIELD_LENGTH]}... ({len(text)} characters)"
    if text.isascii() and text.isprintable():
        return text
    return text.encode("unicode_escape").decode("ascii")
