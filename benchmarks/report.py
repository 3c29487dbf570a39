# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What is told of the runs: the two tables, and the machine.

Tables are Markdown with aligned columns, so that a terminal and a web page both show
them. Nothing here measures.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib import metadata
from os import cpu_count
from pathlib import Path

from benchmarks.chart import bar_chart
from benchmarks.generator import Figures
from benchmarks.rounds import LIGHT_RATE, LIGHT_RECEIVERS, Case

BASELINE = ("naive Autobahn", "multichat")
_LIBRARIES = ("twisted", "autobahn", "msgspec")
_PROGRAMS = (
    ("node", "--version"),
    ("nats-server", "--version"),
    ("redis-server", "--version"),
)


INTRODUCTION = """\
A delivery is one message that has arrived at one receiver. The load comes from one
process, over loopback; on a machine of two cores it and the server have one each.
Systems take turns in rounds, so that a busy minute of the machine hurts all of them;
compare the rows of one table, and ratios more than figures. Every message is counted
at every receiver, and `lost` has to be 0.

`make bench` prints these tables for your machine, with those of the other servers that
it finds there; `make bench BENCH="--markdown docs/benchmarks.md"` writes them here, and
the chart beside them. The naive server is what one writes first with Autobahn:
`for c in clients: c.sendMessage(json)`; `bare send` is a loop with one `send` for each
delivery and no server around it.

What else was measured has a section and a word of its own: `growth`, `handshakes`,
`lag`, `light`, `memory`, `soak`, as in
`make bench BENCH="growth --markdown docs/benchmarks.md --chart docs/growth.svg"`. Each
takes less than two minutes, but `soak`, which takes as many as it is told, and leaves
the rest of the page as it is.

In webtalk's rows back-ends send to browsers. `bridged` is one channel of all
protocols: multichat, MaChat over TCP and over WebSocket, Globes and webtalk have a
fifth of the receivers each, and back-ends of webtalk send.
"""
"""What the page says before its tables."""


def page(method: str, fan_out: str, light_load: str) -> str:
    """Put how it was measured and both tables under their headings."""
    return (
        "## Fan-out: as fast as the window of messages in flight allows\n\n"
        f"{method}\n\n{fan_out}\n\n"
        f"## Light load: {LIGHT_RATE:,.0f} messages/s to "
        f"{LIGHT_RECEIVERS:,} receivers\n\n"
        f"{light_load}\n"
    )


def fan_out_table(results: dict[Case, Figures]) -> str:
    """Return the table of closed loops, each with its ratio to the naive server."""
    header = [
        "system",
        "protocol",
        "receivers",
        "window",
        "deliveries/s",
        "ratio to naive",
        "p50 ms",
        "p99 ms",
        "lost",
        "CPU µs/delivery",
    ]
    rows = []
    for case, figures in results.items():
        base = results.get(Case(*BASELINE, case.receivers, case.window))
        ratio = "-"
        if base and base.deliveries_per_second:
            ratio = f"{figures.deliveries_per_second / base.deliveries_per_second:.1f}"
        row = [case.system, case.wire, str(case.receivers), str(case.window)]
        row += [f"{figures.deliveries_per_second:,.0f}", ratio]
        rows.append(row + _latency(figures) + [str(figures.lost), _cpu(figures)])
    return table(header, rows)


def fan_out_chart(results: dict[Case, Figures], receivers: int, window: int) -> str:
    """Return one load's deliveries a second as an SVG chart, the fastest first."""
    bars = [
        (f"{case.system}, {case.wire}", figures.deliveries_per_second)
        for case, figures in results.items()
        if (case.receivers, case.window) == (receivers, window)
    ]
    bars.sort(key=lambda bar: -bar[1])
    title = f"Deliveries a second: {receivers:,} receivers, window of {window}"
    return bar_chart(title, bars, "chatmux")


def light_load_table(results: dict[Case, Figures]) -> str:
    """Return the table of fixed, low rates: what a quiet conversation feels like."""
    header = ["system", "protocol", "p50 ms", "p99 ms", "lost", "CPU µs/delivery"]
    rows = [
        [case.system, case.wire, *_latency(figures), str(figures.lost), _cpu(figures)]
        for case, figures in results.items()
    ]
    return table(header, rows)


def _latency(figures: Figures) -> list[str]:
    return [f"{figures.p50_ms:.1f}", f"{figures.p99_ms:.1f}"]


def _cpu(figures: Figures) -> str:
    return f"{figures.cpu_us_per_delivery:.2f}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], words: int = 2) -> str:
    """Return an aligned Markdown table; the first columns hold words, as many."""
    lines = [header, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    shown = [
        "| "
        + " | ".join(
            cell.ljust(width) if i < words else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        + " |"
        for line in lines
    ]
    rule = [
        "-" * (width + 2) if i < words else "-" * (width + 1) + ":"
        for i, width in enumerate(widths)
    ]
    return "\n".join([shown[0], "|" + "|".join(rule) + "|", *shown[1:]])


def machine() -> str:
    """Describe the machine and the versions, as a Markdown list."""
    facts = {
        "CPU": f"{_cpu_model()}, {cpu_count()} cores",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_implementation()} {sys.version.split()[0]}",
    }
    for name in _LIBRARIES:
        try:
            facts[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            facts[name] = "absent"
    for program, option in _PROGRAMS:
        facts[program] = _program_version(program, option)
    return "\n".join(f"- {name}: {fact}" for name, fact in facts.items())


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _program_version(program: str, option: str) -> str:
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin")
    if path is None:
        return "absent"
    command = [path, option]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    words = (shown.stdout or shown.stderr).split()
    return next((w.strip("v=") for w in words if any(c.isdigit() for c in w)), "?")
