# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Subscribers of a channel who get the very same bytes, and the hot path to them.

Whatever stands in a loop over subscribers here runs once for each delivery. Encoding,
framing and joining are done once for the whole group.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Generic, TypeVar

from chatmux.interfaces import Connection, Encoding, Framing
from chatmux.model import Publication


class Place:
    """What a group knows of a subscription: whom to write to, and how far it is."""

    __slots__ = ("connection", "echo", "encoding", "group", "position")

    def __init__(self, connection: Connection, encoding: Encoding, echo: bool) -> None:
        self.connection = connection
        self.encoding = encoding
        self.echo = echo
        self.group: Group[Any] | None = None
        """None after the end of the subscription."""
        self.position = 0
        """The last publication written. Of no meaning while ready: then all is."""


P = TypeVar("P", bound=Place)


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

    def send(self, batch: Sequence[Publication]) -> None:
        """Write a batch to all who are ready, once to each."""
        if not self.ready:
            return
        parts = self._parts(batch)
        chunk = parts[0] if len(parts) == 1 else b"".join(parts)
        # A copy: whom a write pauses, or closes, leaves `ready` in the middle of it.
        connections = list(self.ready.values())
        if self.muted and (speakers := self._speakers(batch)):
            connections = [c for c in connections if c.number not in speakers]
            self._send_to_speakers(speakers, parts, chunk)
        if chunk:
            for connection in connections:
                connection.write(chunk)

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

    def _send_to_speakers(
        self, speakers: dict[int, list[int]], parts: list[bytes], chunk: bytes
    ) -> None:
        """Write to each speaker the chunk without its own messages.

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
            rest = b"".join(pieces)
            if rest:
                place.connection.write(rest)
