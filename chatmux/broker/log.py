# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The last publications of one channel, by their numbers."""

from __future__ import annotations

from chatmux.model import Publication
from chatmux.text import most_lines

PUBLICATION_BYTES = 256
"""What a publication takes in memory besides its name and text, about."""

BATCH_BYTES = 128 * 1024
"""Publications go out in batches of this size, which bounds what is buffered for a
connection that pauses in the middle. Large enough for a system call's cost not to
matter, and the most that Twisted hands to the kernel in one."""


class Kept:
    """What all logs hold together.

    Args:
        max_bytes: How much that should be at most.
    """

    __slots__ = ("_max_bytes", "bytes")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self.bytes = 0

    @property
    def is_too_much(self) -> bool:
        return self.bytes > self._max_bytes


class Log:
    """Publications in the channel's order, of which the oldest are dropped.

    Args:
        kept: What this log and others hold.
    """

    __slots__ = ("_bytes", "_entries", "_kept", "_weights", "last")

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self.last = 0
        """Number of the last publication."""
        self._entries: list[Publication] = []
        self._weights: list[int] = []
        """Theirs."""
        self._bytes = 0

    @property
    def dropped(self) -> int:
        """The number of the last publication that is no longer here."""
        return self.last - len(self._entries)

    def append(self, publication: Publication) -> int:
        """Put the next publication, numbered ``last + 1``, at the end.

        Returns:
            What it takes in memory, about.
        """
        taken = weight(publication)
        self._entries.append(publication)
        self._weights.append(taken)
        self.last += 1
        self._bytes += taken
        self._kept.bytes += taken
        return taken

    def batch(self, after: int, end: int) -> list[Publication]:
        """Return the publications after number `after` up to `end`, or fewer, not 0."""
        entries, dropped = self._entries, self.dropped
        start, stop = after - dropped, end - dropped
        if self._bytes <= BATCH_BYTES:
            return entries[start:stop]
        size = 0
        for index in range(start, stop):
            size += self._weights[index]
            if size > BATCH_BYTES and index > start:
                return entries[start:index]
        return entries[start:stop]

    def weight(self, after: int, end: int) -> int:
        """Return what the publications after number `after` up to `end` take."""
        dropped = self.dropped
        return sum(self._weights[after - dropped : end - dropped])

    def drop(self, end: int) -> None:
        """Drop all up to number `end`."""
        if end == self.last:
            self._entries.clear()
            self._weights.clear()
            self._kept.bytes -= self._bytes
            self._bytes = 0
        else:
            gone = end - self.dropped
            taken = sum(self._weights[:gone])
            self._bytes -= taken
            self._kept.bytes -= taken
            del self._entries[:gone], self._weights[:gone]

    def trim(self, max_bytes: int, end: int) -> bool:
        """Drop the oldest, but none after number `end`, until the rest is small enough.

        Returns:
            Whether any was dropped.
        """
        drop, limit, before = 0, end - self.dropped, self._bytes
        while self._bytes > max_bytes and drop < limit:
            self._bytes -= self._weights[drop]
            drop += 1
        self._kept.bytes -= before - self._bytes
        del self._entries[:drop], self._weights[:drop]
        return drop > 0


def weight(publication: Publication) -> int:
    """Return what a publication takes, in memory or on the wire, about.

    In some protocols the sender's name stands before each line of the text.
    """
    name, text = publication.name, publication.text
    if text.isascii() and name.isascii():
        size, taken = len(name), len(name) + len(text) + PUBLICATION_BYTES
    else:
        size = len(name.encode())
        taken = size + len(text.encode()) + PUBLICATION_BYTES
    if not text.isprintable():
        taken += (most_lines(text) - 1) * size
    return taken
