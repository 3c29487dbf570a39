# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Looks for secrets in everything that a run of the tests has logged.

``python -m tests.canaries DIRECTORY`` reads trial's own log in the directory that the
tests ran in, which has the events of all nodes in its process, and what every server in
a process of its own has written. The secrets, passwords and keys of the tests, right
ones and wrong ones, have a word of `MARKERS` in them; salts, tokens and hashes, which
are random, are known by their form.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

MARKERS = (
    "canary",
    # What the documents have in their examples, which are tests.
    "correct horse",
    "battery staple",
    "open sesame",
    "of-the-admin",
    # Other words of old.
    "s3cret",
    "wr0ng",
    "hunter22",
    "guess number",
)
"""What a test's secret has in it: the first, in new ones."""

TEXT = "birdsong"
"""What a message has in it that a server must not log."""

_FORMS = (
    rb"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}",  # a token
    rb"\$argon2",
    rb"\d![0-9]{39}\b",  # a ticket of webtalk
)

_FOUND = re.compile(
    b"|".join([*(re.escape(word.encode()) for word in (*MARKERS, TEXT)), *_FORMS]),
    re.IGNORECASE,
)

_NAME_OF_TEST = re.compile(rb"[-+:\d ]+ \[-\] --> [\w.]+ <--\s*")
"""A line of trial's own, before each test."""

OWN_LOG = "test.log"
SERVERS_LOGS = ("log", "*.log")


def logs(directory: Path) -> Iterator[Path]:
    """Find what a run has logged: trial's own log, and those of servers."""
    for pattern in SERVERS_LOGS:
        yield from sorted(file for file in directory.rglob(pattern) if file.is_file())


def faults(files: Iterable[Path]) -> Iterator[str]:
    """Say where there are secrets, without showing them."""
    for file in files:
        with file.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                if _FOUND.search(line) and not _NAME_OF_TEST.fullmatch(line):
                    yield f"{file}:{number}: a secret, or a message's text"


def check(directory: Path) -> list[str]:
    """Return what is wrong with the logs of a run; nothing, if all is well."""
    own = directory / OWN_LOG
    if not own.is_file() or not own.stat().st_size:
        return [f"{own}: there is no log"]
    return list(faults(logs(directory)))


def main(directory: Path) -> int:
    """Check, print what is wrong, and return an exit status."""
    wrong = check(directory)
    for line in wrong[:20]:
        print(line)
    if len(wrong) > 20:
        print(f"and {len(wrong) - 20} more")
    if not wrong:
        print(f"no secret in {len(list(logs(directory)))} logs")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
