# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""``python -m fuzz TARGET [SECONDS]``: look for an input that a target raises on.

What was found to lead somewhere is kept in ``.fuzz/TARGET`` and is where the next run
begins, besides the seeds. An input that raises, or takes more than a second, ends the
run with a status that is not 0, and is written to ``.fuzz/found-TARGET-...``.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
import time
from pathlib import Path

from fuzz import TARGETS

LONGEST_BYTES = 2048
"""Of an input, and of the seeds that are taken."""
SLOW_SECONDS = 1
"""Of the processor; of the clock it may be more, on a busy machine."""
HANG_SECONDS = 20


def main(target: str, seconds: str = "600") -> None:
    """Run a target."""
    import atheris

    if target not in TARGETS:
        sys.exit(f"targets are {', '.join(TARGETS)}")
    with atheris.instrument_imports(include=["chatmux", "twisted.web.http", "jwt"]):
        module = importlib.import_module(f"fuzz.{target}")
    kept = Path(".fuzz") / target
    kept.mkdir(parents=True, exist_ok=True)
    for seed in module.seeds():
        if len(seed) <= LONGEST_BYTES:
            (kept / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    options = {
        "max_total_time": seconds,
        "timeout": HANG_SECONDS,
        "max_len": LONGEST_BYTES,
        "artifact_prefix": f".fuzz/found-{target}-",
        "print_final_stats": 1,
        "verbosity": 0,
    }

    def once(data: bytes) -> None:
        began = time.process_time()
        module.once(data)
        taken = time.process_time() - began
        if taken > SLOW_SECONDS:
            raise AssertionError(f"it took {taken:.1f} s")

    arguments = [f"-{key}={value}" for key, value in options.items()]
    atheris.Setup([sys.argv[0], *arguments, str(kept)], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
