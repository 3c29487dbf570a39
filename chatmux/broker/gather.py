# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""One write for what several channels, or the same by turns, have for a connection."""

from __future__ import annotations

from collections.abc import Iterable

from chatmux.interfaces import Connection

GATHER_COST = 1024
"""What it costs to note a chunk behind others, as `WRITE_COST` counts."""

FULL_BYTES = 128 * 1024
"""Of more than this it is time to write: nobody pauses before that."""


class Gather:
    """Chunks for connections, in the order in which they are to be written."""

    __slots__ = ("_bytes", "_chunks")

    def __init__(self) -> None:
        self._chunks: dict[Connection, list[bytes]] = {}
        self._bytes = 0
        """No connection has more than this."""

    @property
    def is_full(self) -> bool:
        """Whether so much is noted that it should be written."""
        return self._bytes > FULL_BYTES

    def add(self, connections: Iterable[Connection], chunk: bytes) -> int:
        """Note a chunk for each of some connections, or write it where that matters.

        Returns:
            For how many others were noted already, so that it costs no further write.
        """
        chunks = self._chunks
        self._bytes += len(chunk)
        joined = 0
        for connection in connections:
            noted = chunks.get(connection)
            if noted is not None:
                noted.append(chunk)
                joined += 1
            elif connection.keeps_order:
                connection.write(chunk)
            else:
                chunks[connection] = [chunk]
        return joined

    def write(self) -> None:
        """Write to each connection what is noted for it."""
        chunks, self._chunks, self._bytes = self._chunks, {}, 0
        for connection, noted in chunks.items():
            connection.write(noted[0] if len(noted) == 1 else b"".join(noted))
