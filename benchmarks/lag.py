# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""``python -m benchmarks lag``: the garbage collector's share, and how late things are.

Servers that differ in nothing but their collector take turns.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.crowd import Crowd
from benchmarks.generator import Plan, measure, raise_descriptor_limit
from benchmarks.growth import make_rooms
from benchmarks.handshakes import rate
from benchmarks.memory import memory_bytes
from benchmarks.options import Options, parser
from benchmarks.probe import COLLECTORS
from benchmarks.report import table
from benchmarks.rounds import say, wait_until_quiet
from benchmarks.servers import Running, running
from benchmarks.variants import PATIENT, chatmux

TITLE = "The garbage collector and the reactor's lag"
TEXT = """\
Measured inside the server, which is MaChat's over TCP but for the handshakes:
`collector` is its share of the processor's time that the server used, `pause` its
longest run, `lag` how late a call comes that was to come after 10 ms. `idle beside` is
a load on 100 receivers while 5,000 more connections are silent; `crowd` is those being
opened; `handshakes` are connections opened and closed, one after another; `rooms` are
500 of Globes' being made, over HTTP. `garbage` is what the collector found in that
time. Medians, and of pauses and the largest lag the largest of all runs."""

_IDLE = 5_000
_ROOMS = 500
_FILE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Share:
    """What one run has shown.

    Attributes:
        collector: Its part of the processor's time.
        pause_ms: Its longest run.
        runs: How often it ran, in all generations.
        full: How often in the oldest.
        garbage: How many objects it has freed.
        p99_ms: Of the lag.
        worst_ms: The largest lag.
    """

    collector: float
    pause_ms: float
    runs: int
    full: int
    garbage: int
    p99_ms: float
    worst_ms: float


def share_of(figures: dict[str, Any]) -> Share:
    """Sum up what a probe has written."""
    pauses = [pause for generation in figures["pauses"] for pause in generation]
    lags = sorted(figures["lags"]) or [0.0]
    return Share(
        collector=sum(pauses) / max(figures["cpu_seconds"], 1e-9),
        pause_ms=max(pauses, default=0.0) * 1e3,
        runs=len(pauses),
        full=len(figures["pauses"][-1]),
        garbage=figures["collected"],
        p99_ms=lags[int(0.99 * (len(lags) - 1))] * 1e3,
        worst_ms=lags[-1] * 1e3,
    )


@dataclass(frozen=True, slots=True)
class Probed:
    """A server with a probe in it."""

    server: Running
    file: Path

    def measured(self, work: Callable[[Probed], object]) -> Share:
        """Return what the server's probe shows while something is done to it."""
        with self.during():
            work(self)
        return self.shown()

    @contextmanager
    def during(self) -> Iterator[None]:
        """Have the probe measure in the time of the block."""
        self.file.unlink(missing_ok=True)
        os.kill(self.server.pid, signal.SIGUSR1)
        yield
        os.kill(self.server.pid, signal.SIGUSR2)

    def shown(self) -> Share:
        """Return what the probe has measured.

        Raises:
            TimeoutError: It writes nothing.
        """
        deadline = time.monotonic() + _FILE_SECONDS
        while not self.file.exists():
            if time.monotonic() > deadline:
                raise TimeoutError("the probe writes nothing")
            time.sleep(0.02)
        return share_of(json.loads(self.file.read_text()))


def probed_command(collector: str, file: Path, command: Sequence[str]) -> list[str]:
    """Return a command line of ``twistd`` with the probe before it."""
    return [
        sys.executable,
        "-m",
        "benchmarks.probe",
        collector,
        str(file),
        *command[1:],
    ]


def _load(one: Probed, seconds: float, *, receivers: int, rate: float = 0.0) -> Share:
    door = one.server.door("machat")
    plan = Plan(
        door=door,
        receivers=receivers,
        rate=rate,
        seconds=seconds,
        pid=one.server.pid,
    )
    measure(plan, one.during())
    wait_until_quiet(one.server.pid)
    return one.shown()


def _handshakes(one: Probed, seconds: float) -> Share:
    door = one.server.door("multichat")
    return one.measured(lambda one: rate(one.server, door, True, seconds))


def _rooms(one: Probed, seconds: float) -> Share:
    door = one.server.door("globes")
    # Titles that no other run has.
    first = time.monotonic_ns()
    return one.measured(lambda one: make_rooms(door.port, first, first + _ROOMS))


def _with_crowd(one: Probed, seconds: float) -> Iterator[tuple[str, Share]]:
    door = one.server.door("multichat")
    with Crowd() as crowd:
        yield "crowd", one.measured(lambda one: crowd.join([door], _IDLE))
        yield "idle beside", _load(one, seconds, receivers=100)
    wait_until_quiet(one.server.pid)


_LOADS: dict[str, Callable[[Probed, float], Share]] = {
    "100 receivers": partial(_load, receivers=100),
    "1,000 receivers": partial(_load, receivers=1_000),
    "1,000, light load": partial(_load, receivers=1_000, rate=100.0),
    "handshakes": _handshakes,
    "rooms": _rooms,
}


def shares_table(found: dict[tuple[str, str], list[Share]]) -> str:
    """Return the table."""
    header = ["load", "collector", "its share", "longest pause ms", "runs", "full"]
    header += ["garbage", "lag p99 ms", "largest lag ms"]
    rows = []
    for (load, collector), runs in found.items():
        rows.append(
            [
                load,
                collector,
                f"{median(run.collector for run in runs):.2%}",
                f"{max(run.pause_ms for run in runs):.1f}",
                f"{median(run.runs for run in runs):.0f}",
                f"{median(run.full for run in runs):.0f}",
                f"{median(run.garbage for run in runs):,.0f}",
                f"{median(run.p99_ms for run in runs):.1f}",
                f"{max(run.worst_ms for run in runs):.1f}",
            ]
        )
    return table(header, rows)


def main(arguments: list[str]) -> int:
    """Measure, and print the table."""
    made = parser("lag", __doc__, seconds=1.5, rounds=2)
    options: Options = made.parse_args(arguments, Options())
    raise_descriptor_limit()
    found: dict[tuple[str, str], list[Share]] = {}
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory()))
        servers: dict[str, Probed] = {}
        for index, name in enumerate(COLLECTORS):
            file = directory / f"{index}.json"
            start = chatmux(
                changes=PATIENT, command=partial(probed_command, name, file)
            )
            server = stack.enter_context(running(f"chatmux, {name}", start))
            if server is None:
                return 1
            servers[name] = Probed(server, file)
            wait_until_quiet(server.pid)
        for number in range(options.rounds):
            say(f"round {number + 1}")
            for load, run in _LOADS.items():
                for name, one in servers.items():
                    share = run(one, options.seconds)
                    found.setdefault((load, name), []).append(share)
            crowds = chain.from_iterable(
                (
                    (load, name, share)
                    for load, share in _with_crowd(one, options.seconds)
                )
                for name, one in servers.items()
            )
            for load, name, share in crowds:
                found.setdefault((load, name), []).append(share)
        sizes = ", ".join(
            f"{name} {memory_bytes(one.server.pid) / 2**20:.0f} MiB"
            for name, one in servers.items()
        )
    order = {
        load: index for index, load in enumerate([*_LOADS, "crowd", "idle beside"])
    }
    ordered = dict(sorted(found.items(), key=lambda item: order[item[0][0]]))
    text = f"{TEXT}\n\n{shares_table(ordered)}\n\nMemory at the end: {sizes}."
    options.tell(TITLE, text)
    return 0
