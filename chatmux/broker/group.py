# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Subscribers of a channel who get the very same bytes, and the hot path to them.

Whatever stands in a loop over subscribers here runs once for each delivery. Encoding,
framing and joining are done once for the whole group.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, Generic, TypeVar

from chatmux.broker.gather import Gather
from chatmux.interfaces import Connection, Encoding, Framing
from chatmux.model import Publication


class Place:
    """What a group knows of a subscription: whom to write to, and how far it is."""

    __slots__ = ("connection", "due", "echo", "encoding", "group", "position")

    def __init__(self, connection: Connection, encoding: Encoding, echo: bool) -> None:
        self.connection = connection
        self.encoding = encoding
        self.echo = echo
        self.group: Group[Any] | None = None
        """None after the end of the subscription."""
        self.position = 0
        """The last publication written. Of no meaning while ready and not due."""
        self.due = False
        """While ready: whether the batch that goes out is still to be written."""


P = TypeVar("P", bound=Place)


class Delivery(Generic[P]):
    """The bytes of a batch, and those who are to be written them.

    Args:
        chunk: The bytes.
        places: To be written to, in this order.
        connections: Theirs.
        start: Number of the publication before the batch.
    """

    __slots__ = ("_connections", "_places", "_start", "_written", "chunk")

    def __init__(
        self, chunk: bytes, places: list[P], connections: list[Connection], start: int
    ) -> None:
        self.chunk = chunk
        self._places = places
        self._connections = connections
        self._start = start
        self._written = 0

    @property
    def done(self) -> bool:
        """Whether it was written to all."""
        return self._written >= len(self._connections)

    def write(
        self, count: int, only_due: bool, gather: Gather | None
    ) -> tuple[int, int]:
        """Write to the next `count`, or as many as there are.

        Args:
            count: At least 1.
            only_due: Pass over those who are not due (any more).
            gather: To be given what else would be written.

        Returns:
            How many were passed, and how many of them cost no write of their own.
        """
        chunk, start = self.chunk, self._written
        connections = self._connections[start : start + count]
        self._written = start + len(connections)
        passed = len(connections)
        if only_due:
            due = [place for place in self._places[start : self._written] if place.due]
            connections = []
            for place in due:
                place.due = False
                connections.append(place.connection)
        if gather is not None:
            joined = gather.add(connections, chunk)
        else:
            for connection in connections:
                connection.write(chunk)
            joined = 0
        return passed, joined

    def mark_as_due(self) -> None:
        """Mark those who are still to be written to."""
        for place in self._places[self._written :]:
            if place.group is not None:
                place.due = True
                place.position = self._start


class Group(Generic[P]):
    """All subscriptions of a channel with one framing and one encoding."""

    __slots__ = ("encoding", "framing", "muted", "places", "ready")

    def __init__(self, framing: Framing, encoding: Encoding) -> None:
        self.framing = framing
        self.encoding = encoding
        self.places: set[P] = set()
        self.ready: dict[P, Connection] = {}
        """Those that have all that was flushed and can take more."""
        self.muted: dict[int, P] = {}
        """Those that do not hear themselves, by their connection's number."""

    def add(self, place: P) -> None:
        """Take in a place; not ready yet."""
        self.places.add(place)
        if not place.echo:
            self.muted[place.connection.number] = place

    def discard(self, place: P) -> None:
        """Forget a place."""
        self.places.discard(place)
        self.ready.pop(place, None)
        if not place.echo:
            self.muted.pop(place.connection.number, None)

    def deliveries(self, batch: Sequence[Publication]) -> list[Delivery[P]]:
        """Make what is to be written to all who are ready, once to each."""
        if not self.ready:
            return []
        parts = self._parts(batch)
        chunk = parts[0] if len(parts) == 1 else b"".join(parts)
        # Copies: whom a write pauses, or closes, leaves `ready` in the middle of it.
        places, connections = list(self.ready), list(self.ready.values())
        start = batch[0].seq - 1
        made: list[Delivery[P]] = []
        if self.muted and (speakers := self._speakers(batch)):
            places = [p for p in places if p.connection.number not in speakers]
            connections = [place.connection for place in places]
            for place, rest in self._without_own(speakers, parts, chunk):
                if rest:
                    made.append(Delivery(rest, [place], [place.connection], start))
        if chunk and connections:
            made.append(Delivery(chunk, places, connections, start))
        return made

    def chunk_for(self, place: P, batch: Sequence[Publication]) -> bytes:
        """Return what one subscriber is to be sent of a batch."""
        if not place.echo:
            number = place.connection.number
            batch = [
                publication for publication in batch if publication.source != number
            ]
        return b"".join(self._parts(batch))

    def _parts(self, batch: Sequence[Publication]) -> list[bytes]:
        frame, encode = self.framing, self.encoding
        parts = []
        for publication in batch:
            messages = encode(publication)
            if len(messages) == 1:
                parts.append(frame(messages[0]))
            else:
                parts.append(b"".join(map(frame, messages)))
        return parts

    def _speakers(self, batch: Sequence[Publication]) -> dict[int, list[int]]:
        """Return where in the batch those speak who do not hear themselves."""
        speakers: dict[int, list[int]] = {}
        muted = self.muted
        for index, publication in enumerate(batch):
            if publication.source in muted:
                speakers.setdefault(publication.source, []).append(index)
        return speakers

    def _without_own(
        self, speakers: dict[int, list[int]], parts: list[bytes], chunk: bytes
    ) -> Iterator[tuple[P, bytes]]:
        """Yield speakers who are ready, and the chunk without their own messages.

        Cut out of the chunk, not joined anew: with many speakers in a batch the
        joining would take the square of their number.
        """
        ends = [0, *accumulate(map(len, parts))]
        for source, own in speakers.items():
            place = self.muted[source]
            if place not in self.ready:
                continue
            pieces, start = [], 0
            for index in own:
                pieces.append(chunk[start : ends[index]])
                start = ends[index + 1]
            pieces.append(chunk[start:])
            yield place, b"".join(pieces)
