# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""One timer for the deadlines of many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from chatmux.interfaces import Clock, Delayed

T = TypeVar("T")


class Deadlines(Generic[T]):
    """Call back for each item that is not discarded within a fixed time.

    A delayed call for each connection would cost half a kilobyte and a place in the
    reactor's heap. As the time is the same for all, whoever came first is due first,
    and one delayed call for the first is enough.

    Args:
        clock: The reactor, or a test's clock.
        seconds: From `add` to the call; 0 for never.
        expired: Called with an item that is due, which is forgotten by then.
    """

    def __init__(
        self, clock: Clock, seconds: float, expired: Callable[[T], None]
    ) -> None:
        self._clock = clock
        self._seconds = seconds
        self._expired = expired
        self._due: dict[T, float] = {}
        self._timer: Delayed | None = None

    def add(self, item: T) -> None:
        """Set the item's deadline, anew if it has one."""
        if not self._seconds:
            return
        self._due.pop(item, None)
        self._due[item] = self._clock.seconds() + self._seconds
        if self._timer is None:
            self._timer = self._clock.callLater(self._seconds, self._run)

    def discard(self, item: T) -> None:
        """End the item's deadline, if it has one."""
        self._due.pop(item, None)

    def __contains__(self, item: T) -> bool:
        return item in self._due

    def stop(self) -> None:
        """Forget all, and leave nothing in the reactor."""
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _run(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        while self._due:
            item, due = next(iter(self._due.items()))
            if due > now:
                break
            del self._due[item]
            self._expired(item)
        if self._due:
            # What the callback has added may have set one already.
            if self._timer is not None:
                self._timer.cancel()
            first = next(iter(self._due.values()))
            self._timer = self._clock.callLater(first - now, self._run)
