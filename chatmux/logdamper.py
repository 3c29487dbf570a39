# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Keeps the log from being flooded by whoever makes the server log a line each time."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from twisted.logger import ILogObserver, LogEvent, LogLevel
from zope.interface import implementer

from chatmux.logtext import FIELD_LENGTH, cut

LINES = 100
"""How many events of one kind are let through in a window."""

WINDOW_SECONDS = 10

KINDS = 1000
"""How many kinds a window tells apart; what comes later is one kind more."""

_OTHERS = ("-", "(others)")

Later = Callable[[float, Callable[[], None]], object]


@implementer(ILogObserver)
class Damper:
    """An observer before another one: passes on so many events of a kind, and no more.

    A kind is who logs, the format, and of the fields the door and the code: nobody at
    one door hides what happens at another. When the window ends, one line for each kind
    says how many were left out. Debug lines are asked for, and all pass.

    Args:
        observer: What sees what passes.
        seconds: A clock.
        later: Calls a function after so many seconds, whatever thread asks.
    """

    def __init__(
        self,
        observer: Callable[[LogEvent], None],
        seconds: Callable[[], float],
        later: Later,
    ) -> None:
        self._observer = observer
        self._seconds = seconds
        self._later = later
        self._ends = seconds()
        self._seen: Counter[tuple[str, str]] = Counter()
        self._waits = False

    def __call__(self, event: LogEvent) -> None:
        if event.get("log_level") is LogLevel.debug:
            self._observer(event)
            return
        now = self._seconds()
        if now >= self._ends:
            self.tell()
            self._ends = now + WINDOW_SECONDS
        kind = _kind(event)
        if kind not in self._seen and len(self._seen) >= KINDS:
            kind = _OTHERS
        self._seen[kind] += 1
        if self._seen[kind] <= LINES:
            self._observer(event)
        elif not self._waits:
            self._waits = True
            self._later(self._ends - now, self._window_ended)

    def _window_ended(self) -> None:
        self._waits = False
        self.tell()

    def tell(self) -> None:
        """Say what was left out, and begin anew."""
        seen, self._seen = self._seen, Counter()
        for (namespace, form), count in seen.items():
            if count > LINES:
                self._observer(
                    {
                        "log_level": LogLevel.warn,
                        "log_namespace": "chatmux",
                        "log_time": time.time(),
                        "log_format": "left out {left_out} more lines of {kind}",
                        "left_out": count - LINES,
                        "kind": f"[{namespace}] {form}",
                    }
                )


def _kind(event: LogEvent) -> tuple[str, str]:
    namespace, form = event.get("log_namespace"), event.get("log_format")
    where = [str(event[key]) for key in ("door", "code") if key in event]
    words = form if isinstance(form, str) else "-"
    return (
        cut(namespace, FIELD_LENGTH) if isinstance(namespace, str) else "-",
        cut(" ".join((words, *where)), FIELD_LENGTH),
    )
