# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What the server does, once a second, for some minutes back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from chatmux.interfaces import Clock, Delayed

SECONDS = 1.0
KEPT = 600
"""How many samples are remembered."""
TICK = 0.05
"""Seconds. So often it is looked at how late the reactor is."""


class Totals(NamedTuple):
    """What is counted from the start, or now."""

    connections: dict[str, int]
    """By the key of the door that they came in by."""
    channels: int
    messages: int
    """That were published since the start."""
    deliveries: int
    """To how many they were to be carried, since the start."""
    slow: int
    """Connections that take nothing now."""
    closed_slow: int
    """That were closed for that, since the start."""
    refused: int
    """That were not let in or closed for a fault, since the start."""
    memory: int
    """Bytes of the process that are in memory."""


class Sample(NamedTuple):
    """One second."""

    time: float
    """Its end: seconds since the epoch."""
    connections: dict[str, int]
    channels: int
    messages: float
    """A second, as the next."""
    deliveries: float
    slow: int
    closed_slow: int
    """In this second, as the next."""
    refused: int
    memory: int
    lag: float
    """By how many seconds the reactor was late, at worst."""


class Sampler:
    """Takes a sample each second while it runs.

    Args:
        clock: The reactor, or a test's clock.
        now: Seconds since the epoch.
        totals: Counts.
    """

    def __init__(
        self, clock: Clock, now: Callable[[], float], totals: Callable[[], Totals]
    ) -> None:
        self._clock = clock
        self._now = now
        self._totals = totals
        self.samples: deque[Sample] = deque(maxlen=KEPT)
        self.listeners: set[Callable[[Sample], None]] = set()
        """Called with each new sample."""
        self._timer: Delayed | None = None
        self._at = self._due = self._lag = 0.0
        self._before: Totals | None = None
        self._stopped = False

    def start(self) -> None:
        """Begin to take samples, unless it was stopped."""
        if self._stopped:
            return
        self._at = self._clock.seconds()
        self._before = self._totals()
        self._wait()

    def stop(self) -> None:
        """Leave nothing in the reactor, now and later."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        self._due = self._clock.seconds() + TICK
        self._timer = self._clock.callLater(TICK, self._tick)

    def _tick(self) -> None:
        now = self._clock.seconds()
        self._lag = max(self._lag, now - self._due)
        self._wait()
        # Half a tick too early is nearer than half a tick too late.
        if now - self._at > SECONDS - TICK / 2:
            self._take(now)

    def _take(self, now: float) -> None:
        before, totals = self._before, self._totals()
        assert before is not None
        passed = now - self._at
        sample = Sample(
            time=self._now(),
            connections=totals.connections,
            channels=totals.channels,
            messages=(totals.messages - before.messages) / passed,
            deliveries=(totals.deliveries - before.deliveries) / passed,
            slow=totals.slow,
            closed_slow=totals.closed_slow - before.closed_slow,
            refused=totals.refused - before.refused,
            memory=totals.memory,
            lag=self._lag,
        )
        self._at, self._before, self._lag = now, totals, 0.0
        self.samples.append(sample)
        for told in tuple(self.listeners):
            told(sample)
