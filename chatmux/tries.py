# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""How often somebody may be wrong. Pure but for the clock given."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

WINDOW_SECONDS = 60
MOST_KEPT = 10_000
"""Of how many the wrong tries are remembered; of more, those are forgotten who have
been wrong least lately."""

Lock = AbstractAsyncContextManager[object]


class Tries:
    """Counts wrong tries by who makes them at what.

    Args:
        limit: How many there may be in a minute.
        seconds: A clock that does not jump.
        new_lock: Makes locks.
    """

    def __init__(
        self, limit: int, seconds: Callable[[], float], new_lock: Callable[[], Lock]
    ) -> None:
        self._limit = limit
        self._seconds = seconds
        self._new_lock = new_lock
        self._wrong: OrderedDict[Hashable, list[float]] = OrderedDict()
        self._trying: dict[Hashable, tuple[Lock, int]] = {}

    @asynccontextmanager
    async def one_at_a_time(self, who: Hashable) -> AsyncIterator[None]:
        """Wait until nobody else of `who` is trying.

        Without, all that are sent at once would be looked at before the first is known
        to be wrong.
        """
        lock, waiting = self._trying.get(who) or (self._new_lock(), 0)
        self._trying[who] = lock, waiting + 1
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._trying.pop(who)
            if waiting > 1:
                self._trying[who] = lock, waiting - 1

    def wait(self, who: Hashable) -> int:
        """Return for how many seconds no further try is looked at, 0 for none."""
        times = self._recent(who)
        if len(times) < self._limit:
            return 0
        return max(1, math.ceil(times[-self._limit] + WINDOW_SECONDS - self._seconds()))

    def note_wrong(self, who: Hashable) -> None:
        """Count a wrong try."""
        self._wrong[who] = [*self._recent(who)[1 - self._limit :], self._seconds()]
        self._wrong.move_to_end(who)
        if len(self._wrong) > MOST_KEPT:
            self._wrong.popitem(last=False)

    def _recent(self, who: Hashable) -> list[float]:
        since = self._seconds() - WINDOW_SECONDS
        return [time for time in self._wrong.get(who, ()) if time > since]
