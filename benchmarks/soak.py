# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""``python -m benchmarks soak``: connections come and go, and nothing of them stays.

Exits with 1 if memory is not back within 5 %, if a descriptor, a timer or an object of
a connection is left, or if a message was lost or came twice.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import fill
from typing import Any

from benchmarks.census import counted
from benchmarks.generator import raise_descriptor_limit
from benchmarks.memory import memory_bytes
from benchmarks.options import Options, parser
from benchmarks.report import table
from benchmarks.rounds import say, wait_until_quiet
from benchmarks.servers import Running, running
from benchmarks.swarm import Swarm
from benchmarks.variants import chatmux
from benchmarks.visits import ADMIN, VISITS, command
from benchmarks.wire import Door, dial

TITLE = "Coming and going"
TEXT = """\
Visitors come, join, say something that all who stay hear, and go, every second one in
the midst of a word and by a reset; from 20 addresses, by {}. Those who stay are {} on
the doors of one channel, among them one on each who talks, and check that what anybody
says comes to each of them once and in order. The server's garbage collector is {}, and
nothing is collected for what is counted. Before is after {:,} visits."""

MOST_GROWTH = 1.05
_ABSENT_SECONDS = 2.0
CHANGES: dict[str, dict[str, Any]] = {
    "webtalk": {"absent-seconds": _ABSENT_SECONDS, "login-seconds": _ABSENT_SECONDS},
    "globes": {"admin-token": ADMIN},
}
_WARM_UP = 10_000
_BACK_SECONDS = 30.0
_KINDS = ("protocols", "connections", "sessions", "subscriptions", "transports")
_RETURNING = (*_KINDS, "descriptors", "timers")


@dataclass(slots=True)
class Soak:
    """What was measured.

    Attributes:
        before: Figures by their names: those of the census, and ``bytes``.
        after: The same.
        samples: Seconds, and resident bytes then.
        visits: How many came and went in between.
        seconds: How long that took.
        said: How many messages there were in all.
        lost: Of those, for all listeners together.
        twice: Likewise; also what came too late.
        garbage: Objects that the collector found at the end.
    """

    before: dict[str, int]
    after: dict[str, int]
    samples: list[tuple[float, int]] = field(default_factory=list)
    visits: int = 0
    seconds: float = 0.0
    said: int = 0
    lost: int = 0
    twice: int = 0
    garbage: int = 0

    def faults(self) -> list[str]:
        """Say what is not as it was, or was not as it should be."""
        found = []
        if self.after["bytes"] > self.before["bytes"] * MOST_GROWTH:
            found.append("memory has grown")
        for name in _RETURNING:
            more = self.after.get(name, 0) - self.before.get(name, 0)
            if more > 0:
                found.append(f"{more} {name} are left")
        if self.lost:
            found.append(f"{self.lost} messages were lost")
        if self.twice:
            found.append(f"{self.twice} messages came twice or too late")
        return found


def slope(samples: Sequence[tuple[float, float]]) -> float:
    """Return how steep the last half of the samples is, by least squares."""
    late = samples[len(samples) // 2 :]
    if len(late) < 2:
        return 0.0
    mean_x = sum(x for x, _ in late) / len(late)
    mean_y = sum(y for _, y in late) / len(late)
    spread = sum((x - mean_x) ** 2 for x, _ in late)
    return sum((x - mean_x) * (y - mean_y) for x, y in late) / spread


def soak_table(found: Soak) -> str:
    """Return what was measured as two tables."""
    before, after = found.before, found.after

    def mebibytes(count: float) -> str:
        return f"{count / 2**20:.1f} MiB"

    rows = [["resident memory", mebibytes(before["bytes"]), mebibytes(after["bytes"])]]
    rows += [
        [name, f"{before.get(name, 0):,}", f"{after.get(name, 0):,}"]
        for name in _RETURNING
    ]
    counts = table(["what", "before", "after"], rows, words=1)
    steep = slope(found.samples) * 3600
    rows = [
        ["visits", f"{found.visits:,}"],
        ["in", f"{found.seconds:.0f} s"],
        ["messages", f"{found.said:,}"],
        ["lost", f"{found.lost:,}"],
        ["twice, or out of order", f"{found.twice:,}"],
        ["memory, slope of the last half", f"{mebibytes(steep)}/h"],
        ["what the collector finds at the end", f"{found.garbage:,} objects"],
    ]
    return f"{counts}\n\n{table(['what', 'how much'], rows, words=1)}"


class _Watched:
    """The server, and the census in it."""

    def __init__(self, server: Running, file: Path) -> None:
        self._pid, self._file = server.pid, file

    def bytes(self) -> int:
        return memory_bytes(self._pid)

    def count(self) -> dict[str, int]:
        self._file.unlink(missing_ok=True)
        os.kill(self._pid, signal.SIGUSR1)
        return counted(self._file)

    def figures(self) -> dict[str, int]:
        """Return the census and the memory, when a census has taken its part of it."""
        self.count()
        wait_until_quiet(self._pid)
        return {"bytes": self.bytes(), **self.count()}

    def figures_when_back(self, before: dict[str, int]) -> dict[str, int]:
        """Wait, not for ever, until all is as it was: deadlines have their timers."""
        end = time.monotonic() + _BACK_SECONDS
        while True:
            after = self.figures()
            if not Soak(before, after).faults() or time.monotonic() > end:
                return after
            time.sleep(0.5)

    def garbage(self) -> int:
        os.kill(self._pid, signal.SIGUSR2)
        wait_until_quiet(self._pid)
        return self.count()["garbage"]


def census_command(collector: str, file: Path, command: Sequence[str]) -> list[str]:
    """Return a command line of ``twistd`` with the census before it."""
    census = [sys.executable, "-m", "benchmarks.census", collector, str(file)]
    return [*census, *command[1:]]


def soak(server: Running, file: Path, options: Options, kinds: Sequence[str]) -> Soak:
    """Have visitors come and go."""
    watched = _Watched(server, file)
    (bridge,) = server.doors
    with Swarm(bridge.parts, kinds) as swarm:
        say(f"warming up: {options.warm_up:,} visits")
        swarm.visit(visits=options.warm_up)
        swarm.hush()
        _let_the_absent_go(server, bridge)
        before = watched.figures()
        say(f"{options.connections:,} visits" if options.connections else "soaking")
        samples: list[tuple[float, int]] = []
        start = time.monotonic()
        visits = swarm.visit(
            visits=options.connections,
            seconds=options.minutes * 60,
            each_second=lambda: samples.append(
                (time.monotonic() - start, watched.bytes())
            ),
        )
        seconds = time.monotonic() - start
        heard = swarm.hush()
        _let_the_absent_go(server, bridge)
        after = watched.figures_when_back(before)
        return Soak(
            before=before,
            after=after,
            samples=samples,
            visits=visits,
            seconds=seconds,
            said=heard.said,
            lost=heard.lost,
            twice=heard.twice,
            garbage=watched.garbage(),
        )


def _let_the_absent_go(server: Running, bridge: Door) -> None:
    """Have webtalk's absent users killed: the next one who is made sees to it."""
    time.sleep(_ABSENT_SECONDS)
    with dial(bridge.back_end_port) as sock:
        user = command(sock, "[newuser]").partition("!")[0]
        command(sock, f"[killuser] {user}")
    wait_until_quiet(server.pid)


def main(arguments: list[str]) -> int:
    """Measure, print the table, and judge it."""
    made = parser("soak", __doc__)
    add = made.add_argument
    add("--minutes", type=float, default=5.0, help="how long; default %(default)s")
    add("--connections", type=int, default=0, help="so many visits instead")
    add("--warm-up", type=int, default=_WARM_UP, help="visits before; %(default)s")
    add("--doors", default="", help=f"of {','.join(VISITS)}; default all")
    add("--collector", default="off", help="or as chatmux has it: chatmux's")
    options: Options = made.parse_args(arguments, Options())
    kinds = options.doors.split(",") if options.doors else list(VISITS)
    raise_descriptor_limit()
    with ExitStack() as stack:
        directory = stack.enter_context(TemporaryDirectory())
        file = Path(directory, "census.json")
        command = partial(census_command, options.collector, file)
        start = chatmux(bridged=True, changes=CHANGES, command=command)
        server = stack.enter_context(running("chatmux bridged", start))
        if server is None:
            return 1
        found = soak(server, file, options, kinds)
    words = ", ".join(kinds), Swarm.listeners(), options.collector, options.warm_up
    text = fill(TEXT.format(*words), 88)
    options.tell(TITLE, f"{text}\n\n{soak_table(found)}")
    faults = found.faults()
    for fault in faults:
        say(f"soak: {fault}")
    return int(bool(faults))
