# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""How much work may wait at once, for all and for one. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from chatmux.address import is_loopback, network_of
from chatmux.errors import BusyError

MOST = 512
MOST_OF_ONE = 32


class Admission:
    """Counts requests that wait for the store or for a password to be hashed.

    Each holds its body, and goes on when its client is gone: what is done is done.

    Args:
        most: How many there may be.
        most_of_one: How many of one address, or network of IPv6; this machine's own
            may be a proxy's, and are not held to it.
    """

    def __init__(self, most: int = MOST, most_of_one: int = MOST_OF_ONE) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._count = 0
        self._waiting: Counter[str] = Counter()

    @contextmanager
    def place(self, host: str) -> Iterator[None]:
        """Hold a place for a request of `host`. Raises `BusyError`."""
        one = network_of(host)
        alone = self._waiting[one] >= self._most_of_one and not is_local(host)
        if alone or self._count >= self._most:
            raise BusyError("too many requests wait")
        self._count += 1
        self._waiting[one] += 1
        try:
            yield
        finally:
            self._count -= 1
            self._waiting[one] -= 1
            if not self._waiting[one]:
                del self._waiting[one]


def is_local(host: str) -> bool:
    """Say whether a peer, as a request has it, is on this machine."""
    return host == "local" or is_loopback(host)
