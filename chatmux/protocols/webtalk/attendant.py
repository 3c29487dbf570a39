# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Hears a channel for those of its members who are not connected."""

from __future__ import annotations

from collections.abc import Callable

from chatmux.interfaces import Subscription
from chatmux.model import Close

_LENGTH_BYTES = 4


def seal(message: bytes) -> bytes:
    """Frame a message so that `Attendant` can tell it from the next."""
    return len(message).to_bytes(_LENGTH_BYTES, "big") + message


class Attendant:
    """A `chatmux.interfaces.Connection` without a peer.

    Subscribed through the broker like everybody, so that the absent are kept what a
    bridge brings, too, and all of it in the channel's order.

    Args:
        number: From the broker.
        keep: Takes each message.
    """

    __slots__ = ("_keep", "number", "subscriptions")

    framing = staticmethod(seal)
    paused = False
    keeps_order = True
    """Of what the absent miss on several channels."""

    def __init__(self, number: int, keep: Callable[[bytes], None]) -> None:
        self.number = number
        self.subscriptions: set[Subscription] = set()
        self._keep = keep

    def write(self, chunk: bytes) -> None:
        """Keep the messages of a batch."""
        start = 0
        while start < len(chunk):
            body = start + _LENGTH_BYTES
            start = body + int.from_bytes(chunk[start:body], "big")
            self._keep(chunk[body:start])

    def send(self, message: bytes) -> None:
        """Keep one message."""
        self._keep(message)

    def close(self, why: Close) -> None:
        """Nothing to close."""

    def opened(self) -> None:
        """Nothing was to be said."""

    def answer_in(self, binary: bool) -> None:
        """Nothing to choose."""

    def give_way(self, go_on: Callable[[], None]) -> None:
        """Nothing is received here."""
        raise NotImplementedError

    def charge(self, deliveries: int) -> bool:
        """Nothing is received here."""
        return True

    def ignored(self, why: str) -> None:
        """Nothing is received here."""

    def missed(self, count: int) -> None:
        """Each user's own connection is told."""
