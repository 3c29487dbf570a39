# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""chatmux with a probe in its process: what the garbage collector takes, and the lag.

``python -m benchmarks.probe COLLECTOR FILE chatmux --config ...`` is ``twistd`` with
what follows the first two. SIGUSR1 begins a time, SIGUSR2 ends it and writes what was
measured in it to FILE, as JSON. The lag is how late a call comes that was to come in
10 ms; the reactor's clock counts whole milliseconds, so an idle one is late, too.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

_PERIOD_SECONDS = 0.01
_GENERATIONS = 3
_PYTHONS = (700, 10, 10)


def _as_python_has_it() -> None:
    gc.unfreeze()
    gc.set_threshold(*_PYTHONS)


COLLECTORS: dict[str, Callable[[], object]] = {
    "chatmux's": lambda: None,
    "Python's": _as_python_has_it,
    "off": gc.disable,
}
"""What is done with the collector when the server is up, and has set it its way."""


class Probe:
    """Measures from `begin` to `end`.

    Args:
        reactor: The server's.
        file: Written at the end.
    """

    def __init__(self, reactor: Any, file: Path) -> None:
        self._reactor = reactor
        self._file = file
        self._began = self._used = self._started = 0.0
        self._lags = array("d")
        self._pauses: list[array[float]] = []
        self._collected = 0
        self.begin()

    def install(self) -> None:
        """Begin to look, and to heed the signals."""
        gc.callbacks.append(self._collecting)
        signal.signal(signal.SIGUSR1, self.begin)
        signal.signal(signal.SIGUSR2, self.end)
        self._reactor.callWhenRunning(self._call_again)

    def begin(self, *signal: object) -> None:
        """Forget what was measured."""
        self._lags = array("d")
        self._pauses = [array("d") for _ in range(_GENERATIONS)]
        self._collected = 0
        self._used = time.process_time()
        self._began = time.perf_counter()

    def end(self, *signal: object) -> None:
        """Write what was measured."""
        figures = {
            "seconds": time.perf_counter() - self._began,
            "cpu_seconds": time.process_time() - self._used,
            "lags": list(self._lags),
            "pauses": [list(pauses) for pauses in self._pauses],
            "collected": self._collected,
        }
        beside = self._file.with_suffix(".new")
        beside.write_text(json.dumps(figures))
        beside.rename(self._file)

    def _collecting(self, phase: str, info: dict[str, int]) -> None:
        now = time.perf_counter()
        if phase == "start":
            self._started = now
        else:
            self._pauses[info["generation"]].append(now - self._started)
            self._collected += info["collected"]

    def _call_again(self) -> None:
        due = time.perf_counter() + _PERIOD_SECONDS
        self._reactor.callLater(_PERIOD_SECONDS, self._called, due)

    def _called(self, due: float) -> None:
        self._lags.append(time.perf_counter() - due)
        self._call_again()


def main(collector: str, file: str) -> None:
    """Run ``twistd`` until it is ended."""
    from twisted.internet import reactor
    from twisted.scripts import twistd

    loop: Any = reactor
    run: Callable[[], object] = twistd.run
    probe = Probe(loop, Path(file))
    # At once: a signal without a handler would end the process.
    probe.install()
    loop.callWhenRunning(loop.callLater, 0, COLLECTORS[collector])
    run()


if __name__ == "__main__":
    program, own, where, *rest = sys.argv
    sys.argv = [program, *rest]
    # A script has its own directory there, where twistd looks for plug-ins, too.
    sys.path.insert(0, os.getcwd())
    main(own, where)
