# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""One write for what several channels, or the same by turns, have for a connection."""

from __future__ import annotations

from collections.abc import Iterable

from chatmux.interfaces import Connection

GATHER_COST = 1024
"""What it costs to note a chunk for one connection, as `WRITE_COST` counts."""


class Gather:
    """Chunks for connections, in the order in which they are to be written."""

    __slots__ = ("_chunks",)

    def __init__(self) -> None:
        self._chunks: dict[Connection, list[bytes]] = {}

    def add(self, connections: Iterable[Connection], chunk: bytes) -> None:
        """Note a chunk for each of some connections, or write it where that matters."""
        chunks = self._chunks
        for connection in connections:
            noted = chunks.get(connection)
            if noted is None:
                if connection.keeps_order:
                    connection.write(chunk)
                    continue
                chunks[connection] = [chunk]
            else:
                noted.append(chunk)

    def write(self) -> None:
        """Write to each connection what is noted for it."""
        for connection, noted in self._chunks.items():
            connection.write(noted[0] if len(noted) == 1 else b"".join(noted))
        self._chunks = {}
