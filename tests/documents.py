# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Finding one's way in the project's documents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
)
PROTOCOL_PAGES = {
    "multichat": ROOT / "docs/protocols/multichat.md",
    "machat": ROOT / "docs/protocols/machat.md",
    "globes": ROOT / "docs/protocols/globes.md",
    "webtalk": ROOT / "docs/protocols/webtalk.md",
}


def fenced(page: Path) -> Iterator[tuple[str, str]]:
    """Yield language and text of the fenced blocks of a page."""
    pattern = r"^```([\w-]*)\n(.*?)^```$"
    for match in re.finditer(pattern, page.read_text(), re.DOTALL | re.MULTILINE):
        yield match[1], match[2]


def section_of(page: Path, heading: str) -> str:
    """Return what stands between a heading and the next one of any level."""
    parts = re.split(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[heading]


def rows(text: str) -> list[list[str]]:
    """Return the cells of the table rows that begin with something in backticks."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" |")] for line in lines]


def without_ticks(cell: str) -> str:
    return cell.strip().strip("`")
