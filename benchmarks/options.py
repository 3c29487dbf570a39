# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What the measurements of single subjects have in common: options, and a page.

Each prints a section, and puts it in the place of the one with the same title in the
page of ``--markdown``; the rest of the page stays.
"""

from __future__ import annotations

import argparse
from pathlib import Path


class Options(argparse.Namespace):
    """The command line of a subject."""

    rounds: int
    seconds: float  # of one run
    markdown: Path | None
    # Of one subject each:
    chart: Path | None
    connections: int
    mixed: int
    minutes: float
    warm_up: int
    doors: str
    collector: str

    def tell(self, title: str, body: str) -> None:
        """Print a section, and put it into the page if there is one."""
        print(f"## {title}\n\n{body}")
        if self.markdown is not None:
            page = (
                self.markdown.read_text(encoding="utf-8")
                if self.markdown.exists()
                else ""
            )
            self.markdown.write_text(with_section(page, title, body), encoding="utf-8")


def parser(
    name: str, text: str | None, *, seconds: float = 0, rounds: int = 3
) -> argparse.ArgumentParser:
    """Return a parser that fills `Options`; without seconds there are no rounds."""
    made = argparse.ArgumentParser(
        prog=f"python -m benchmarks {name}", description=text
    )
    add = made.add_argument
    if seconds:
        add("--rounds", type=int, default=rounds, help="default %(default)s")
        add("--seconds", type=float, default=seconds, help="a run's; %(default)s")
    add("--markdown", type=Path, metavar="FILE", help="put the section there too")
    return made


def with_section(page: str, title: str, body: str) -> str:
    """Return a page with a section in the place of the one of that title, or last."""
    head, sections = split(page)
    sections[title] = body.strip("\n")
    return joined(head, sections)


def split(page: str) -> tuple[str, dict[str, str]]:
    """Return what stands before the first heading of second rank, and the sections."""
    head, *parts = f"\n{page}".split("\n## ")
    sections = {}
    for part in parts:
        title, _, body = part.partition("\n")
        sections[title] = body.strip("\n")
    return head.strip("\n"), sections


def joined(head: str, sections: dict[str, str]) -> str:
    """Put together what `split` has taken apart."""
    blocks = [head] if head else []
    blocks += [f"## {title}\n\n{body}" for title, body in sections.items()]
    return "\n\n".join(blocks) + "\n"
