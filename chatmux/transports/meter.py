# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""How much one peer may send, and make others be sent. Pure."""

from __future__ import annotations

BURST_SECONDS = 10
"""Somebody who was quiet may have the measure of so long at once."""

_NO_LIMIT = 1e30


class Meter:
    """Two buckets that fill with time: messages, and what is delivered of them.

    Args:
        messages: How many a second; 0 for any number.
        deliveries: Of how many bytes of text a second, counted once for each who
            gets it; 0 for any number.
        now: Seconds of a clock that does not jump, as for `take`.
    """

    __slots__ = (
        "_at",
        "_burst",
        "_deliveries",
        "_deliveries_a_second",
        "_left",
        "_messages",
    )

    def __init__(self, messages: float, deliveries: float, now: float) -> None:
        self._messages = messages or _NO_LIMIT
        self._deliveries_a_second = deliveries or _NO_LIMIT
        # One in any case, or nothing could ever be said.
        self._burst = max(1.0, self._messages * BURST_SECONDS)
        self._left = self._burst
        self._deliveries = self._deliveries_a_second * BURST_SECONDS
        self._at = now

    def take(self, deliveries: int, now: float) -> bool:
        """Take a message out of the one and its deliveries out of the other bucket.

        Returns:
            Whether there was enough in both. Where not, it is taken all the same.
        """
        passed, self._at = now - self._at, now
        messages, most = self._messages, self._deliveries_a_second
        left = min(self._left + passed * messages, self._burst) - 1
        more = min(self._deliveries + passed * most, most * BURST_SECONDS) - deliveries
        self._left, self._deliveries = left, more
        return left >= 0 and more >= 0
