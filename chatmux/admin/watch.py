# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What there is to see of a node and to be done to it, as plain values."""

from __future__ import annotations

import heapq
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any, Protocol

from chatmux.admin.sampler import Totals
from chatmux.model import SERVER, Close, Present

CLOSED = 1000
"""The code with which an operator closes: as if the peer had wanted it."""

AT_ONCE = 250
"""How many connections are looked at or closed in a turn, some milliseconds."""

OWN_DOOR = "admin.address"
"""The key of the address that operators come in by."""

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Seen(Protocol):
    """A connection, as far as it is shown."""

    @property
    def number(self) -> int: ...
    @property
    def door(self) -> str: ...
    @property
    def peer(self) -> str: ...
    @property
    def paused(self) -> bool: ...
    def unsent(self) -> int: ...
    def close(self, why: Close) -> None: ...


class Gate(Protocol):
    """What is seen of the connections: the guard."""

    @property
    def connections(self) -> set[Any]: ...
    @property
    def of_door(self) -> Counter[str]: ...
    @property
    def paused(self) -> set[Any]: ...
    @property
    def counts(self) -> Counter[str]: ...
    @property
    def refused(self) -> int: ...
    @property
    def refusals(self) -> Any: ...
    @property
    def listeners(self) -> set[Callable[[Any], None]]: ...


class Rooms(Protocol):
    """What is seen of the channels: the broker."""

    @property
    def published(self) -> int: ...
    @property
    def delivered(self) -> int: ...
    def __len__(self) -> int: ...
    def channels(self) -> Iterable[tuple[str, int, int, int]]: ...
    def names(self, channel: str) -> Sequence[str]: ...
    def places(self, connection: Any) -> Iterable[tuple[str, str]]: ...
    def members(self, channel: str, most: int) -> Sequence[Present]: ...
    def subscribers(self, channel: str) -> Sequence[Any]: ...
    def publish(self, channel: str, name: str, text: str, *, origin: str) -> int: ...


class Watch:
    """Looks at a node, and does what its operator says.

    Args:
        guard: Its connections.
        broker: Its channels.
        about: What does not change: version, start, doors.
        give_way: Let everybody else have a turn of the reactor.
        resident: Return how many bytes of the process are in memory.
    """

    def __init__(
        self,
        guard: Gate,
        broker: Rooms,
        about: dict[str, object],
        give_way: Callable[[], Awaitable[object]],
        resident: Callable[[], int] | None = None,
    ) -> None:
        self._guard = guard
        self._broker = broker
        self._give_way = give_way
        self._resident = resident or resident_bytes
        self.about = about
        self.listeners = guard.listeners
        """Told of each refusal."""

    def totals(self) -> Totals:
        """Count everything now, at a cost that does not grow with the connections."""
        guard, broker = self._guard, self._broker
        return Totals(
            connections={door: n for door, n in guard.of_door.items() if n},
            channels=len(broker),
            messages=broker.published,
            deliveries=broker.delivered,
            slow=len(guard.paused),
            closed_slow=guard.counts["too slow"],
            refused=guard.refused,
            memory=self._resident(),
        )

    async def connections(
        self, door: str = "", channel: str = "", find: str = "", limit: int = 500
    ) -> list[dict[str, object]]:
        """List connections, the youngest first.

        Args:
            door: Only those that came in by this one; left out, not the operators' own.
            channel: Only those that are on this one.
            find: Only those with this in number, door, peer, a channel or a name.
            limit: How many at most.
        """
        words = find.casefold()
        wanted: Iterable[Seen] = self._guard.connections
        if channel:
            wanted = self._ours(channel)
        if door:
            wanted = (one for one in wanted if one.door == door)
        else:
            wanted = (one for one in wanted if one.door != OWN_DOOR)
        if words:
            wanted = await self._found(tuple(wanted), words)
        youngest = heapq.nlargest(limit, wanted, key=attrgetter("number"))
        return [self._shown(one) for one in youngest]

    async def _found(self, among: Sequence[Seen], words: str) -> list[Seen]:
        found: list[Seen] = []
        for start in range(0, len(among), AT_ONCE):
            if start:
                await self._give_way()
            some = among[start : start + AT_ONCE]
            found += [one for one in some if self._has(one, words)]
        return found

    def _shown(self, one: Seen) -> dict[str, object]:
        return {
            "number": one.number,
            "door": one.door,
            "peer": one.peer,
            "channels": [
                {"name": channel, "as": name}
                for channel, name in sorted(self._broker.places(one))
            ],
            "paused": one.paused,
            "unsent": one.unsent(),
        }

    def _has(self, one: Seen, words: str) -> bool:
        if words in one.door or words in one.peer or words == str(one.number):
            return True
        return any(
            words in channel.casefold() or words in name.casefold()
            for channel, name in self._broker.places(one)
        )

    def channels(self, limit: int = 500) -> list[dict[str, object]]:
        """List channels, those with the most connections first."""
        found = heapq.nsmallest(limit, self._broker.channels(), key=_by_size)
        return [
            {
                "name": name,
                "names": self._broker.names(name),
                "connections": size,
                "members": here,
                "messages": last,
            }
            for name, size, here, last in found
        ]

    def members(self, channel: str, limit: int = 500) -> list[dict[str, object]]:
        """List who is on a channel, in the order of their coming."""
        return [
            {"name": member.name, "origin": member.origin, "since": member.since}
            for member in self._broker.members(channel, limit)
        ]

    def refusals(self) -> list[dict[str, object]]:
        """List the last that were refused, the latest first."""
        return [refusal._asdict() for refusal in reversed(self._guard.refusals)]

    def close_connection(self, number: int, reason: str) -> str | None:
        """Close a connection; say which it was, None if there is none."""
        for one in self._guard.connections:
            if one.number == number:
                words = f"connection {number} ({one.door}, {one.peer})"
                one.close(Close(CLOSED, reason))
                return words
        return None

    async def close_channel(self, channel: str, reason: str) -> int:
        """Close all connections that are on a channel now; return how many."""
        there = self._ours(channel)
        why = Close(CLOSED, reason)
        closed = 0
        for start in range(0, len(there), AT_ONCE):
            if start:
                await self._give_way()
            for one in there[start : start + AT_ONCE]:
                if one in self._guard.connections:
                    one.close(why)
                    closed += 1
        return closed

    async def notice(self, text: str, channel: str | None) -> int:
        """Say something to all on one channel, or to all who are on any.

        Who is on several channels is told on the largest, and on another one only if
        somebody is there who would not be told otherwise.

        Returns:
            How many connections are told.
        """
        if channel is not None:
            names: Iterator[str] = iter((channel,))
        else:
            found = sorted(self._broker.channels(), key=_by_size)
            names = (name for name, _, _, _ in found)
        told: set[Seen] = set()
        looked_at = 0
        for name in names:
            there = self._ours(name)
            looked_at += 1 + len(there)
            if looked_at > AT_ONCE:
                looked_at = 0
                await self._give_way()
            if not told.issuperset(there):
                told.update(there)
                self._broker.publish(name, SERVER.name, text, origin=SERVER.origin)
        return len(told)

    def _ours(self, channel: str) -> list[Seen]:
        """List the connections of this node that are on a channel.

        There may be subscribers without a peer, and those of other nodes.
        """
        ours = self._guard.connections
        return [one for one in self._broker.subscribers(channel) if one in ours]


def _by_size(found: tuple[str, int, int, int]) -> tuple[int, str]:
    return -found[1], found[0]


def resident_bytes() -> int:
    """Return how many bytes of this process are in memory, 0 where nobody tells."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE_BYTES
    except OSError:
        return 0
