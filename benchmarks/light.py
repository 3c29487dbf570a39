# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""``python -m benchmarks light``: few messages to many, beside a bare ``send``."""

from __future__ import annotations

from contextlib import ExitStack

from benchmarks.options import Options, parser
from benchmarks.report import light_load_table
from benchmarks.rounds import Bench
from benchmarks.servers import running

TITLE = "Light load beside a bare send"
TEXT = """\
100 messages/s to 1,000 receivers. A message comes alone here, so nothing can be put
together, and each delivery is a system call; `bare send` is a loop that makes those
calls and does nothing else (`benchmarks/bare.py`)."""
_SYSTEMS = ("chatmux", "bare send", "naive Autobahn")


def main(arguments: list[str]) -> int:
    """Measure, and print the table."""
    options: Options = parser("light", __doc__, seconds=2.0).parse_args(
        arguments, Options()
    )
    with ExitStack() as stack:
        servers = [stack.enter_context(running(name)) for name in _SYSTEMS]
        bench = Bench([one for one in servers if one], options.seconds, 4, 64)
        found = bench.light_load(options.rounds)
    options.tell(TITLE, f"{TEXT}\n\n{light_load_table(found)}")
    lost = any(figures.lost for figures in found.values())
    return int(lost or bool(bench.refused))
