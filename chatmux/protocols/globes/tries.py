# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""How often somebody may be wrong. Pure but for the clock given."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

WINDOW_SECONDS = 60
_MOST_KEPT = 10_000


class Tries:
    """Counts wrong tries by who makes them at what.

    Args:
        limit: How many there may be in a minute.
        seconds: A clock that does not jump.
    """

    def __init__(self, limit: int, seconds: Callable[[], float]) -> None:
        self._limit = limit
        self._seconds = seconds
        self._wrong: OrderedDict[Hashable, list[float]] = OrderedDict()

    def wait(self, who: Hashable) -> int:
        """Return for how many seconds no further try is looked at, 0 for none."""
        times = self._recent(who)
        if len(times) < self._limit:
            return 0
        return max(1, -int(self._seconds() - WINDOW_SECONDS - times[-self._limit]))

    def note_wrong(self, who: Hashable) -> None:
        """Count a wrong try."""
        times = self._recent(who)
        times.append(self._seconds())
        del times[: -self._limit]
        self._wrong[who] = times
        self._wrong.move_to_end(who)
        if len(self._wrong) > _MOST_KEPT:
            self._wrong.popitem(last=False)

    def _recent(self, who: Hashable) -> list[float]:
        since = self._seconds() - WINDOW_SECONDS
        return [time for time in self._wrong.get(who, ()) if time > since]
