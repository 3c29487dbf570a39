# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Print trial's count, of the log of its run, as one line in plain words."""

from __future__ import annotations

import re
import sys
from pathlib import Path


def count(log: str) -> str:
    """Return ``N passed, N failed, N skipped`` of a run's log.

    Raises:
        ValueError: Trial did not come to its end.
    """
    ends = re.findall(r"^(?:PASSED|FAILED)(?: \((.*)\))?$", log, re.MULTILINE)
    ran = re.findall(r"^Ran (\d+) tests in", log, re.MULTILINE)
    if not ends or not ran:
        raise ValueError("trial did not come to its end")
    kinds = {name: int(n) for name, n in re.findall(r"(\w+)=(\d+)", ends[-1])}
    passed = kinds.get("successes", 0) + kinds.get("expectedFailures", 0)
    skipped = kinds.get("skips", 0)
    failed = int(ran[-1]) - passed - skipped
    return f"{passed} passed, {failed} failed, {skipped} skipped"


if __name__ == "__main__":
    print(count(Path(sys.argv[1]).read_text()))
