# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The last publications of one channel, by their numbers."""

from __future__ import annotations

from chatmux.model import Publication

PUBLICATION_BYTES = 256
"""What a publication takes in memory besides its name and text, about."""

BATCH_BYTES = 128 * 1024
"""Publications go out in batches of this size, which bounds what is buffered for a
connection that pauses in the middle. Large enough for a system call's cost not to
matter, and the most that Twisted hands to the kernel in one."""


class Log:
    """Publications in the channel's order, of which the oldest are dropped."""

    __slots__ = ("_bytes", "_entries", "last")

    def __init__(self) -> None:
        self.last = 0
        """Number of the last publication."""
        self._entries: list[Publication] = []
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
        self.last += 1
        self._bytes += taken
        return taken

    def batch(self, after: int, end: int) -> list[Publication]:
        """Return the publications after number `after` up to `end`, or fewer, not 0."""
        entries, dropped = self._entries, self.dropped
        start, stop = after - dropped, end - dropped
        if self._bytes <= BATCH_BYTES:
            return entries[start:stop]
        size = 0
        for index in range(start, stop):
            size += weight(entries[index])
            if size > BATCH_BYTES and index > start:
                return entries[start:index]
        return entries[start:stop]

    def drop(self, end: int) -> None:
        """Drop all up to number `end`."""
        if end == self.last:
            self._entries.clear()
            self._bytes = 0
        else:
            gone = self._entries[: end - self.dropped]
            self._bytes -= sum(map(weight, gone))
            del self._entries[: len(gone)]

    def trim(self, max_bytes: int, end: int) -> bool:
        """Drop the oldest, but none after number `end`, until the rest is small enough.

        Returns:
            Whether any was dropped.
        """
        drop, limit = 0, end - self.dropped
        while self._bytes > max_bytes and drop < limit:
            self._bytes -= weight(self._entries[drop])
            drop += 1
        del self._entries[:drop]
        return drop > 0


def weight(publication: Publication) -> int:
    """Return what a publication takes in memory, about."""
    return len(publication.text) + len(publication.name) + PUBLICATION_BYTES
