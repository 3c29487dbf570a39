# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The rooms that there are: in memory to be read, in the store to stay."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from chatmux.errors import TitleTakenError
from chatmux.interfaces import Store
from chatmux.model import Close, Publication, Room
from chatmux.protocols.globes import faults
from chatmux.protocols.globes.content import PUBLIC
from chatmux.protocols.globes.events import NAME, encoding_for
from chatmux.text import fold

DEFAULT_ID = 1
DEFAULT_TITLE = "Public Chat"
DEFAULT_DESCRIPTION = "This is the default chat, available to everyone!"

ROOM_GONE = Close(1008, "the room was deleted")
NEW_PASSWORD = Close(1008, "the room has a new password")


class LiveRoom:
    """A room, and those who are connected to it.

    Attributes:
        room: What is kept of it; replaced when it is changed.
        channel: The broker's name of its channel.
        encode: Its encoding, one for all of its connections.
        connected: Called to end each connection.
    """

    __slots__ = ("channel", "connected", "encode", "room")

    def __init__(self, room: Room) -> None:
        self.room = room
        self.channel = f"{NAME}/{room.id}"
        self.encode: Callable[[Publication], Sequence[bytes]] = encoding_for(room.id)
        self.connected: set[Callable[[Close], None]] = set()

    def close_all(self, why: Close) -> None:
        """End every connection."""
        for close in tuple(self.connected):
            close(why)


class Rooms:
    """All rooms.

    What changes is in the store first and in memory when the store has it; one change
    of a room at a time is the caller's care.

    Args:
        store: Keeps them.
        now: Seconds since the epoch.
    """

    def __init__(self, store: Store, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now
        self._by_id: dict[int, LiveRoom] = {}
        self._by_title: dict[str, LiveRoom] = {}

    async def load(self) -> None:
        """Read all, and make the default room where there is none at all."""
        rooms = await self._store.rooms()
        for room in rooms:
            self._put(LiveRoom(room))
        if not rooms:
            at = self.microseconds()
            first = Room(0, DEFAULT_TITLE, DEFAULT_DESCRIPTION, PUBLIC, "", 0, at, at)
            try:
                self._put(LiveRoom(await self._store.add_room(first)))
            except TitleTakenError:
                # Another node was first.
                for room in await self._store.rooms():
                    self._put(LiveRoom(room))

    def microseconds(self) -> int:
        """Return the time, as rooms have it."""
        return int(self._now() * 1_000_000)

    def __iter__(self) -> Iterator[LiveRoom]:
        return iter(self._by_id.values())

    def get(self, key: str) -> LiveRoom | None:
        """Return the room with an id, where `key` is digits, or else a title."""
        if key.isascii() and key.isdigit():
            return self._by_id.get(int(key)) if len(key) < 20 else None
        return self._by_title.get(fold(key))

    async def add(self, room: Room) -> LiveRoom:
        """Keep a new room. Raises `FaultError` 102."""
        try:
            live = LiveRoom(await self._store.add_room(room))
        except TitleTakenError:
            raise faults.duplicate() from None
        self._put(live)
        return live

    async def replace(self, live: LiveRoom, room: Room) -> None:
        """Keep what a room has become, and end the connections of an old password.

        Raises:
            FaultError: 102, or 101 where another node has deleted it.
        """
        try:
            await self._store.replace_room(room)
        except TitleTakenError:
            raise faults.duplicate() from None
        except KeyError:
            raise faults.not_found(str(room.id)) from None
        old, live.room = live.room, room
        del self._by_title[fold(old.title)]
        self._put(live)
        if room.generation != old.generation:
            live.close_all(NEW_PASSWORD)

    async def remove(self, live: LiveRoom) -> None:
        """Delete a room, and end its connections."""
        await self._store.remove_room(live.room.id)
        del self._by_id[live.room.id]
        del self._by_title[fold(live.room.title)]
        live.close_all(ROOM_GONE)

    def _put(self, live: LiveRoom) -> None:
        self._by_id[live.room.id] = live
        self._by_title[fold(live.room.title)] = live
