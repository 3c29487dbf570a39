# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The command line: ``python -m benchmarks``.

Prints a table of closed loops and one of a light load. Exits with 1 if a server did
not start, or if chatmux refused a run or lost a message; never because something was
slow.
"""

from __future__ import annotations

import argparse
import signal
import sys
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

from benchmarks import growth, handshakes, lag, light, memory, soak
from benchmarks.marker import MARKER_BYTES, MAX_RUN_SECONDS
from benchmarks.options import joined, split
from benchmarks.report import (
    INTRODUCTION,
    fan_out_chart,
    fan_out_table,
    light_load_table,
    machine,
    page,
)
from benchmarks.rounds import Bench, say
from benchmarks.servers import SYSTEMS, Running, StartError, running

# Receivers and messages in flight.
_DEFAULT_LOADS = [(100, 64), (100, 512), (1_000, 64), (1_000, 512)]
_NAMES = ", ".join(SYSTEMS)
SUBJECTS = {
    "growth": growth.main,
    "handshakes": handshakes.main,
    "lag": lag.main,
    "light": light.main,
    "memory": memory.main,
    "soak": soak.main,
}
"""Measurements of one thing each, by the first word of the command line."""


def main(arguments: list[str]) -> int:
    """Run the benchmark, or that of one subject, and return the exit status."""
    if arguments and arguments[0] in SUBJECTS:
        return SUBJECTS[arguments[0]](arguments[1:])
    options = parse(arguments)
    failed = False
    with ExitStack() as stack:
        servers: list[Running] = []
        for name in options.only:
            try:
                server = stack.enter_context(running(name))
            except StartError as error:
                failed = True
                say(str(error))
                continue
            if server is None:
                say(f"{name}: absent")
            else:
                servers.append(server)
        bench = Bench(servers, options.seconds, options.senders, options.size)
        fan_out = bench.fan_out(options.loads, options.rounds)
        light = bench.light_load(options.rounds)
    text = page(
        f"Medians of {options.rounds} rounds of {options.seconds} s, "
        f"{options.size} bytes of text, {options.senders} senders.",
        fan_out_table(fan_out),
        light_load_table(light),
    )
    print(text, end="")
    if options.markdown:
        _write(options.markdown, text, fan_out_chart(fan_out, *options.loads[0]))
    runs = chain(fan_out.items(), light.items())
    bad = [case for case, figures in runs if figures.lost] + bench.refused
    return int(failed or any(case.system.startswith("chatmux") for case in bad))


def _write(path: Path, text: str, chart: str) -> None:
    """Write the tables into a page, and the chart beside it.

    Sections of other subjects stay as they are, after these.
    """
    picture = path.with_suffix(".svg")
    picture.write_text(chart, encoding="utf-8")
    sections = split(text)[1]
    if path.exists():
        sections |= split(path.read_text(encoding="utf-8"))[1] | sections
    shown = f"![Deliveries a second]({picture.name})"
    head = f"# Benchmarks\n\n{INTRODUCTION}\n{machine()}\n\n{shown}"
    path.write_text(joined(head, sections), encoding="utf-8")


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line; what ``--quick`` changes can be given beside it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="one short round, in under 40 s")
    add("--receivers", type=_numbers, help="how many hear a message: 100,1000")
    add("--window", type=_numbers, help="messages in flight: 64,512")
    add("--seconds", type=_seconds, help="how long one run sends; default 1.5")
    add("--rounds", type=_number, help="the table has the medians; default 3")
    add("--senders", type=_number, default=4, help="default %(default)s")
    add("--size", type=_size, default=64, help="bytes of text; default %(default)s")
    add("--only", type=_systems, default=list(SYSTEMS), help=f"of {_NAMES}")
    add("--markdown", type=Path, metavar="FILE", help="write the tables there too")
    options = parser.parse_args(arguments)
    if options.receivers or options.window:
        receivers, windows = options.receivers or [100], options.window or [64]
        options.loads = [(count, window) for count in receivers for window in windows]
    else:
        options.loads = _DEFAULT_LOADS[:1] if options.quick else _DEFAULT_LOADS
    options.seconds = options.seconds or (0.8 if options.quick else 1.5)
    options.rounds = options.rounds or (1 if options.quick else 3)
    return options


def _number(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError
    return number


def _numbers(text: str) -> list[int]:
    return [_number(word) for word in text.split(",")]


def _seconds(text: str) -> float:
    if not 0 < (seconds := float(text)) <= MAX_RUN_SECONDS / 2:
        raise ValueError
    return seconds


def _size(text: str) -> int:
    if (size := int(text)) < MARKER_BYTES:
        raise argparse.ArgumentTypeError(f"a text has at least {MARKER_BYTES} bytes")
    return size


def _systems(text: str) -> list[str]:
    """Find systems by the beginnings of their names."""
    found = [
        name
        for name in SYSTEMS
        if any(
            name.lower().startswith(part.strip().lower()) for part in text.split(",")
        )
    ]
    if not found:
        raise argparse.ArgumentTypeError(f"none of {_NAMES}")
    return found


if __name__ == "__main__":
    # Ended from outside, it still ends the servers that it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main(sys.argv[1:]))
