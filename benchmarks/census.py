# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""chatmux with a census in its process: what is alive, and what waits.

``python -m benchmarks.census COLLECTOR FILE chatmux --config ...`` is ``twistd`` with
what follows the first two. SIGUSR1 writes to FILE, as JSON, how many objects of each
kind there are, descriptors and timers. Nothing is collected for it: what only the
garbage collector would free counts as alive. SIGUSR2 collects once, and has its yield
in what is written from then on.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.protocol import BaseProtocol
from twisted.internet.tcp import Server

from benchmarks.probe import COLLECTORS
from chatmux.transports.connection import SocketConnection

_FILE_SECONDS = 10.0
_SESSION_METHODS = frozenset(("closed", "__init__"))
_WORDS = frozenset(("received", "line"))


def kind_of(kind: type) -> str | None:
    """Return what objects of a class are counted as; None for what is not counted."""
    if issubclass(kind, SocketConnection):
        return "connections"
    if issubclass(kind, Server):
        return "transports"
    if issubclass(kind, BaseProtocol):
        return "protocols"
    module = str(kind.__module__)
    if not module.startswith("chatmux."):
        return None
    names = dir(kind)
    if module.startswith("chatmux.protocols."):
        if _SESSION_METHODS.issubset(names) and not _WORDS.isdisjoint(names):
            return "sessions"
        return None
    return "subscriptions" if {"pause", "resume", "reframe"}.issubset(names) else None


class Census:
    """Counts when it is told to.

    Args:
        reactor: The server's.
        file: Written each time.
    """

    def __init__(self, reactor: Any, file: Path) -> None:
        self._reactor = reactor
        self._file = file
        self._collected = 0
        self._kinds: dict[type, str | None] = {}

    def install(self) -> None:
        """Heed the signals."""
        signal.signal(signal.SIGUSR1, self.count)
        signal.signal(signal.SIGUSR2, self.collect)

    def collect(self, *signal: object) -> None:
        """Have the garbage collector free what it finds."""
        self._collected = gc.collect()

    def count(self, *signal: object) -> None:
        """Write what there is."""
        kinds, counts = self._kinds, Counter[str]()
        for one in gc.get_objects():
            its = type(one)
            if its not in kinds:
                kinds[its] = kind_of(its)
            name = kinds[its]
            if name is not None:
                counts[name] += 1
        found = {
            **counts,
            "descriptors": len(os.listdir("/proc/self/fd")) - 1,
            "timers": len(self._reactor.getDelayedCalls()),
            "garbage": self._collected,
        }
        beside = self._file.with_suffix(".new")
        beside.write_text(json.dumps(found))
        beside.rename(self._file)


def counted(file: Path) -> dict[str, int]:
    """Wait for what a census writes, and return it.

    Raises:
        TimeoutError: It writes nothing.
    """
    deadline = time.monotonic() + _FILE_SECONDS
    while not file.exists():
        if time.monotonic() > deadline:
            raise TimeoutError("the census writes nothing")
        time.sleep(0.02)
    found: dict[str, int] = json.loads(file.read_text())
    return found


def main(collector: str, file: str) -> None:
    """Run ``twistd`` until it is ended."""
    from twisted.internet import reactor
    from twisted.scripts import twistd

    loop: Any = reactor
    run: Callable[[], object] = twistd.run
    # At once: a signal without a handler would end the process.
    Census(loop, Path(file)).install()
    loop.callWhenRunning(loop.callLater, 0, COLLECTORS[collector])
    run()


if __name__ == "__main__":
    program, own, where, *rest = sys.argv
    sys.argv = [program, *rest]
    # A script has its own directory there, where twistd looks for plug-ins, too.
    sys.path.insert(0, os.getcwd())
    main(own, where)
