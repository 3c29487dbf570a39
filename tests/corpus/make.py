# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Write the corpus: ``python -m tests.corpus.make``. The same each time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.corpus import (
    DIRECTORY,
    dumped,
    make_http,
    make_json,
    make_machat,
    make_tokens,
    make_websocket,
    make_webtalk,
)

KINDS: dict[str, tuple[int, Callable[[], list[dict[str, Any]]]]] = {
    "webtalk": (400, make_webtalk.entries),
    "machat": (400, make_machat.entries),
    "json": (500, make_json.entries),
    "http": (300, make_http.entries),
    "websocket": (200, make_websocket.entries),
    "tokens": (200, make_tokens.entries),
}
"""By their files: how many entries there are at least, and what makes them."""


def entries(kind: str) -> list[dict[str, Any]]:
    """Make the entries of a kind, each with a name of its own."""
    seen: dict[str, int] = {}
    made = KINDS[kind][1]()
    for entry in made:
        name = entry["name"]
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            entry["name"] = f"{name}, {seen[name]}"
    return made


def main() -> None:
    """Write all files."""
    for kind in KINDS:
        (DIRECTORY / f"{kind}.jsonl").write_text(dumped(entries(kind)))


if __name__ == "__main__":
    main()
