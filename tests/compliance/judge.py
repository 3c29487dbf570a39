# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What the suite's report has to say of a listener. Pure: no file, no process.

The suite's program ends with 0 whatever happens, even where it found no server. So the
cases that have to be there are counted, and each of them is looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CASES = 301
"""All but those of compression, 12.* and 13.*, which is not offered."""
INFORMATIONAL = frozenset(("7.1.6", "7.13.1", "7.13.2"))
"""Of which the suite notes what is done, and finds all of it good."""
TOO_MANY_FRAGMENTS, TOO_BIG = 1008, 1009

_KIB = 1024
_MIB = 1024 * _KIB
_WHOLE = (64 * _KIB, 256 * _KIB, _MIB, 4 * _MIB, 8 * _MIB, 16 * _MIB)
MESSAGE_BYTES: dict[str, int] = {
    **{f"9.{kind}.{i}": size for kind in (1, 2) for i, size in enumerate(_WHOLE, 1)},
    **{f"9.{kind}.{i}": 4 * _MIB for kind in (3, 4) for i in range(1, 10)},
    **{f"9.{kind}.{i}": _MIB for kind in (5, 6) for i in range(1, 7)},
}
"""The length of the message in each case that has a long one."""
FRAGMENT_BYTES: dict[str, int] = {
    f"9.{kind}.{i}": 64 * 4 ** (i - 1) for kind in (3, 4) for i in range(1, 10)
}
"""The length of its fragments, where it has some."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found.

    Attributes:
        counts: Cases by what the suite calls them, and ``closed CODE`` of those that
            are too much for the listener.
        faults: What should not be; none if all is well.
    """

    counts: Counter[str]
    faults: list[str]

    def __str__(self) -> str:
        found = ", ".join(f"{n} {name}" for name, n in sorted(self.counts.items()))
        return f"{self.counts.total()} cases: {found or 'none'}"


def refusal_of(name: str, message_bytes: int, fragments: int) -> int | None:
    """Return what a case is to be closed with, if it is too much for a listener."""
    length = MESSAGE_BYTES.get(name, 0)
    size = FRAGMENT_BYTES.get(name, length)
    if length > fragments * size and fragments * size <= message_bytes:
        return TOO_MANY_FRAGMENTS
    return TOO_BIG if length > message_bytes else None


def judge(
    index: Mapping[str, Any], agent: str, message_bytes: int, fragments: int
) -> Verdict:
    """Judge the report of one listener.

    Args:
        index: The suite's ``index.json``.
        agent: What the listener was called.
        message_bytes: Its longest message: a longer one has to be refused.
        fragments: The most that a message has, likewise.
    """
    cases: Mapping[str, Mapping[str, Any]] = index.get(agent, {})
    counts = Counter[str]()
    faults = []
    if len(cases) != CASES:
        faults.append(f"{len(cases)} cases instead of {CASES}")
    for name, case in cases.items():
        behavior, close = case.get("behavior"), case.get("behaviorClose")
        refusal = refusal_of(name, message_bytes, fragments)
        if refusal is not None:
            code = case.get("remoteCloseCode")
            counts[f"closed {code}"] += 1
            if code != refusal:
                faults.append(f"{name}: closed with {code} instead of {refusal}")
            continue
        counts[str(behavior)] += 1
        wanted = "INFORMATIONAL" if name in INFORMATIONAL else "OK"
        if behavior != wanted:
            faults.append(f"{name}: {behavior} instead of {wanted}")
        elif close not in ("OK", "INFORMATIONAL"):
            faults.append(f"{name}: its close is {close}")
    return Verdict(counts, faults)
