# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Finds the peers that take nothing of what waits for them."""

from __future__ import annotations

from typing import Protocol

from chatmux.interfaces import Clock, Delayed


class Watched(Protocol):
    """A connection whose buffer can be looked at."""

    def unsent(self) -> int:
        """Return how many bytes wait for the kernel to take them."""

    def stalled(self) -> None:
        """End the connection: the peer takes nothing."""


class StallWatch:
    """Tell each watched connection that its buffer has not shrunk for some seconds.

    Looks at all of them with one timer, which runs only while there are some.

    Args:
        clock: The reactor, or a test's clock.
        seconds: How long a buffer may not shrink; 0 for ever.
    """

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._seen: dict[Watched, tuple[float, int]] = {}
        """When the buffer was last seen to shrink, and what was in it."""
        self._timer: Delayed | None = None

    def watch(self, connection: Watched) -> None:
        """Begin to watch, or go on where it is watched already."""
        if not self._seconds or connection in self._seen:
            return
        self._seen[connection] = self._clock.seconds(), connection.unsent()
        if self._timer is None:
            self._timer = self._clock.callLater(self._seconds / 4, self._look)

    def forget(self, connection: Watched) -> None:
        """End the watch."""
        self._seen.pop(connection, None)

    def stop(self) -> None:
        """Forget all, and leave nothing in the reactor."""
        self._seen.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        for connection, (since, before) in list(self._seen.items()):
            if connection not in self._seen:
                continue
            unsent = connection.unsent()
            if unsent < before:
                self._seen[connection] = now, unsent
            elif now - since >= self._seconds:
                del self._seen[connection]
                connection.stalled()
            elif unsent > before:
                # Grown by an answer of the session's own: shrinking counts from here.
                self._seen[connection] = since, unsent
        # A close frame on a full transport pauses it once more: it is watched again.
        if self._seen and self._timer is None:
            self._timer = self._clock.callLater(self._seconds / 4, self._look)
