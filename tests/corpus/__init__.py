# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Malformed inputs, and what chatmux is documented to do with each.

One file for each kind, one JSON object on each line: a name, the bytes, the outcome.
Bytes are written as Latin-1 text, in pieces; ``["x", 5]`` is a piece five times. The
files are made by ``python -m tests.corpus.make``, by rule from the documented grammar
and never by asking a server; see CONTRIBUTING.md on how to add an entry.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

DIRECTORY = Path(__file__).parent
NAME = b"NAME"
"""Stands for a name that nobody else has."""

_RUN = re.compile(r"(.)\1{63,}", re.DOTALL)


def written(data: bytes) -> str | list[Any]:
    """Write bytes in the form of the files."""
    text, at, pieces = data.decode("latin-1"), 0, list[Any]()
    for run in _RUN.finditer(text):
        pieces += [text[at : run.start()]] if run.start() > at else []
        pieces.append([run[1], len(run[0])])
        at = run.end()
    if not pieces:
        return text
    return pieces + ([text[at:]] if at < len(text) else [])


def read(form: str | list[Any]) -> bytes:
    """Return the bytes that are written in the form of the files."""
    if isinstance(form, str):
        return form.encode("latin-1")
    return b"".join(
        (piece if isinstance(piece, str) else piece[0] * piece[1]).encode("latin-1")
        for piece in form
    )


def load(kind: str) -> list[dict[str, Any]]:
    """Return the entries of a kind, ``bytes`` as bytes."""
    entries = []
    for line in (DIRECTORY / f"{kind}.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if "bytes" in entry:
            entry["bytes"] = read(entry["bytes"])
        entries.append(entry)
    return entries


def dumped(entries: list[dict[str, Any]]) -> str:
    """Return the text of a file."""
    lines = []
    for entry in entries:
        if isinstance(entry.get("bytes"), bytes):
            entry = {**entry, "bytes": written(entry["bytes"])}
        lines.append(json.dumps(entry, separators=(",", ":")) + "\n")
    return "".join(lines)
