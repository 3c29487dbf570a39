# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What waits for users who are not connected.

A shout waits once, on the shelf of its channel, whatever the number of absent members;
each knows from where on the shelf is theirs. A whisper waits on its user's own shelf.
What waits for a user is what is theirs of all those shelves, in the order of its
coming, from the end back to where a limit is met: as if each had a queue of their own,
whose oldest goes.
"""

from __future__ import annotations

from bisect import bisect
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from heapq import merge
from itertools import count
from typing import NamedTuple, TypeAlias

ENTRY_BYTES = 200
"""What a message takes in memory besides its text, about."""


class Shelf:
    """Messages in the order of their coming, of which only the oldest ever go."""

    __slots__ = ("bytes_put", "dropped", "entries", "put")

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.dropped = -1
        """The order of the last message for which there was no room any more."""
        self.put = 0
        """How many messages were ever put here."""
        self.bytes_put = 0
        """How long all of them are together."""

    @property
    def bytes(self) -> int:
        """How long those that are here are together."""
        return self.bytes_put - self.entries[0].before if self.entries else 0

    def since(self, number: int, order: int) -> Sequence[Entry]:
        """Return all that came after the first `number`, and after `order`."""
        return self.entries[self._index(number, order) :]

    def measure_since(self, number: int, order: int) -> tuple[int, int]:
        """Return the number and the bytes of what `since` would return."""
        start = self._index(number, order)
        if start >= len(self.entries):
            return 0, 0
        return len(self.entries) - start, self.bytes_put - self.entries[start].before

    def dropped_since(self, number: int) -> int:
        """Return `dropped` if it came after the first `number`, else -1."""
        return self.dropped if self.put - len(self.entries) > number else -1

    def _index(self, number: int, order: int) -> int:
        index = max(0, number - (self.put - len(self.entries)))
        return bisect(self.entries, order, lo=index, key=_order)


class Entry(NamedTuple):
    """A message on a shelf."""

    order: int
    """Its place among the messages of all shelves."""
    message: bytes
    before: int
    """How long all messages before it on its shelf are together."""
    shelf: Shelf


Share: TypeAlias = tuple[Shelf, int]
"""A shelf, and how many of its first messages are not for the user who has it."""


class Waiting:
    """All shelves, and their limits.

    Args:
        max_messages: For one user.
        max_bytes: For one user, in text.
        max_bytes_together: For all together, in text and overhead.
    """

    def __init__(
        self, max_messages: int, max_bytes: int, max_bytes_together: int
    ) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._max_bytes_together = max_bytes_together
        self._entries: OrderedDict[int, Entry] = OrderedDict()
        self._orders = count()
        self.bytes = 0
        """What all entries take, in text and overhead."""

    def put(self, shelf: Shelf, message: bytes) -> None:
        """Put a message on a shelf; for what is too much then, the oldest goes."""
        entry = Entry(next(self._orders), message, shelf.bytes_put, shelf)
        shelf.put += 1
        shelf.bytes_put += len(message)
        shelf.entries.append(entry)
        self._entries[entry.order] = entry
        self.bytes += _weight(entry)
        # Nobody could be given more than this of one shelf.
        while len(shelf.entries) > self._max_messages or shelf.bytes > self._max_bytes:
            self._drop(shelf.entries[0])
        while self.bytes > self._max_bytes_together:
            self._drop(next(iter(self._entries.values())))

    def clear(self, shelf: Shelf) -> None:
        """Drop all that is on a shelf."""
        for entry in shelf.entries:
            del self._entries[entry.order]
            self.bytes -= _weight(entry)
        shelf.entries.clear()

    def has_room(self, size: int, shares: Iterable[Share]) -> bool:
        """Say whether a message of `size` may wait for a user without loss."""
        if self.bytes + size + ENTRY_BYTES > self._max_bytes_together:
            return False
        shares = list(shares)
        dropped = _last_dropped(shares)
        measures = [shelf.measure_since(number, dropped) for shelf, number in shares]
        messages = sum(measure[0] for measure in measures)
        length = sum(measure[1] for measure in measures)
        if length + size > self._max_bytes:
            # Of all that, the oldest do not count: what is it in fact?
            queue = self.queue(shares)
            messages, length = len(queue), sum(map(len, queue))
        return messages < self._max_messages and length + size <= self._max_bytes

    def queue(self, shares: Iterable[Share]) -> list[bytes]:
        """Return what waits for a user, in order."""
        shares = list(shares)
        dropped = _last_dropped(shares)
        newest_first = merge(
            *(reversed(shelf.since(number, dropped)) for shelf, number in shares),
            key=_order,
            reverse=True,
        )
        room = self._max_bytes
        queue: list[bytes] = []
        for entry in newest_first:
            room -= len(entry.message)
            if room < 0 or len(queue) == self._max_messages:
                break
            queue.append(entry.message)
        queue.reverse()
        return queue

    def _drop(self, entry: Entry) -> None:
        """Drop an entry that is the oldest of its shelf."""
        del entry.shelf.entries[0]
        entry.shelf.dropped = entry.order
        del self._entries[entry.order]
        self.bytes -= _weight(entry)


def _last_dropped(shares: Iterable[Share]) -> int:
    """Return the order of the last message of shares that has gone, or -1.

    What came before it, on whatever shelf, is older still, and has gone with it.
    """
    return max((shelf.dropped_since(number) for shelf, number in shares), default=-1)


def _order(entry: Entry) -> int:
    return entry.order


def _weight(entry: Entry) -> int:
    return len(entry.message) + ENTRY_BYTES
