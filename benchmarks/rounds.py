# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The rounds: every server and protocol in turn, as often as there are rounds.

Shared machines are noisy, so systems alternate (A B C, A B C, ...) and what is
reported is the median of each. Each run waits until the server before is idle again.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.generator import Figures, Plan, cpu_seconds, measure
from benchmarks.servers import Running

LIGHT_RATE = 100.0
LIGHT_RECEIVERS = 1_000
_LIGHT_WINDOW = 64
_QUIET_POLL_SECONDS = 0.05
_QUIET_POLLS = 60


@dataclass(frozen=True, slots=True)
class Case:
    """What one line of a table is about: a system, a protocol and a load."""

    system: str
    wire: str
    receivers: int
    window: int


def median_figures(runs: Sequence[Figures]) -> Figures:
    """Return the median of each figure; losses are added up, none is hidden."""
    return Figures(
        deliveries_per_second=median(run.deliveries_per_second for run in runs),
        p50_ms=median(run.p50_ms for run in runs),
        p99_ms=median(run.p99_ms for run in runs),
        lost=sum(run.lost for run in runs),
        cpu_us_per_delivery=median(run.cpu_us_per_delivery for run in runs),
    )


@dataclass(frozen=True, slots=True)
class Bench:
    """The servers, and what every run has in common.

    Attributes:
        servers: Those that are up.
        seconds: How long one run sends.
        senders: How many connections send.
        text_bytes: The size of one message's text.
        refused: Filled with the runs that a server did not let happen.
    """

    servers: Sequence[Running]
    seconds: float
    senders: int
    text_bytes: int
    refused: list[Case] = field(default_factory=list)

    def fan_out(
        self, loads: Sequence[tuple[int, int]], rounds: int
    ) -> dict[Case, Figures]:
        """Load every server as fast as each pair of receivers and window allows."""
        runs: dict[Case, list[Figures]] = {}
        for number in range(rounds):
            for receivers, window in loads:
                say(f"round {number + 1}: {receivers} receivers, window {window}")
                self._turn(runs, receivers, window, rate=0.0)
        results = _medians(runs)
        return dict(sorted(results.items(), key=lambda item: _load_of(item[0])))

    def light_load(self, rounds: int) -> dict[Case, Figures]:
        """Send few messages to many receivers: it is the latency that counts."""
        runs: dict[Case, list[Figures]] = {}
        for number in range(rounds):
            say(f"round {number + 1}: light load")
            self._turn(runs, LIGHT_RECEIVERS, _LIGHT_WINDOW, LIGHT_RATE)
        return _medians(runs)

    def _turn(
        self,
        runs: dict[Case, list[Figures]],
        receivers: int,
        window: int,
        rate: float,
    ) -> None:
        for server in self.servers:
            for door in server.doors:
                plan = Plan(
                    door=door,
                    receivers=receivers,
                    senders=self.senders,
                    text_bytes=self.text_bytes,
                    window=window,
                    seconds=self.seconds,
                    rate=rate,
                    pid=server.pid,
                )
                case = Case(server.name, door.wire, receivers, window)
                try:
                    runs.setdefault(case, []).append(measure(plan))
                except OSError as error:
                    self.refused.append(case)
                    say(f"{server.name}, {door.wire}: {error}")
                wait_until_quiet(server.pid)


def say(text: str) -> None:
    """Tell the person who waits; the tables alone go to the standard output."""
    print(text, file=sys.stderr, flush=True)


def _medians(runs: dict[Case, list[Figures]]) -> dict[Case, Figures]:
    return {case: median_figures(found) for case, found in runs.items() if found}


def _load_of(case: Case) -> tuple[int, int]:
    return case.receivers, case.window


def wait_until_quiet(pid: int) -> None:
    """Wait, not for ever, until the server has let go of the last connections."""
    before = -1.0
    for _ in range(_QUIET_POLLS):
        time.sleep(_QUIET_POLL_SECONDS)
        used = cpu_seconds(pid)
        if used == before:
            return
        before = used
