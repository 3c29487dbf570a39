# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""How much one may do in an hour. Pure but for the clock given."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from chatmux.address import network_of
from chatmux.protocols.globes.admission import is_local

HOUR_SECONDS = 3600
MOST_KEPT = 10_000
"""Of how many it is remembered what they did; of more, those are forgotten whose hour
began first."""


class Quota:
    """Counts what is done from each address, or network of IPv6, by the hour.

    Args:
        most: How often it may be done in an hour; 0 for any number of times.
        seconds: A clock that does not jump.
    """

    def __init__(self, most: int, seconds: Callable[[], float]) -> None:
        self._most = most
        self._seconds = seconds
        self._done: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def wait(self, host: str) -> int:
        """Return for how many seconds nothing more may be done, 0 for none."""
        if not self._most or is_local(host):
            return 0
        began, count = self._of(network_of(host))
        if count < self._most:
            return 0
        return max(1, round(began + HOUR_SECONDS - self._seconds()))

    def note(self, host: str) -> None:
        """Count what was done."""
        if not self._most or is_local(host):
            return
        one = network_of(host)
        began, count = self._of(one)
        self._done[one] = began, count + 1
        if len(self._done) > MOST_KEPT:
            self._done.popitem(last=False)

    def _of(self, one: str) -> tuple[float, int]:
        now = self._seconds()
        began, count = self._done.get(one, (now, 0))
        if now - began >= HOUR_SECONDS:
            self._done.pop(one, None)
            return now, 0
        return began, count
