# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The rooms that there are: in memory to be read, in the store to stay."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, suppress

from chatmux.errors import ConfigError, IdTakenError, TitleTakenError
from chatmux.interfaces import Store
from chatmux.model import Close, Publication, Room
from chatmux.protocols.globes import faults
from chatmux.protocols.globes.content import HIDDEN, PUBLIC, TITLE_BYTES
from chatmux.protocols.globes.events import NAME, encoding_for
from chatmux.text import fold

DEFAULT_ID = 1
DEFAULT_TITLE = "Public Chat"
DEFAULT_DESCRIPTION = "This is the default chat, available to everyone!"

_LONGEST_ID = 20
"""Digits with which no room's id is written, zeros before it included."""

_LONGEST_TITLE = 4 * TITLE_BYTES[1]

ROOM_GONE = Close(1008, "the room was deleted")
NEW_PASSWORD = Close(1008, "the room has a new password")


class LiveRoom:
    """A room, and those who are connected to it.

    Attributes:
        room: What is kept of it; replaced when it is changed.
        channel: The broker's name of its channel.
        encode: Its encoding, one for all of its connections.
        connected: Called to end each connection.
        changing: Held by who changes it.
    """

    __slots__ = ("changing", "channel", "connected", "encode", "room")

    def __init__(self, room: Room, lock: AbstractAsyncContextManager[object]) -> None:
        self.room = room
        self.channel = f"{NAME}/{room.id}"
        self.encode: Callable[[Publication], Sequence[bytes]] = encoding_for(room.id)
        self.connected: set[Callable[[Close], None]] = set()
        self.changing = lock

    def close_all(self, why: Close) -> None:
        """End every connection."""
        for close in tuple(self.connected):
            close(why)


class Rooms:
    """All rooms.

    What changes is in the store first, and in memory when the store has it; one change
    of a room at a time is the caller's care.

    Args:
        store: Keeps them.
        now: Seconds since the epoch.
        new_lock: Makes locks.
        conceal: Whether hidden rooms are found by those alone who know what they are
            looking for.
        is_bridged: Whether a channel is part of a bridge.
    """

    def __init__(
        self,
        store: Store,
        now: Callable[[], float],
        new_lock: Callable[[], AbstractAsyncContextManager[object]],
        *,
        conceal: bool,
        is_bridged: Callable[[str], bool],
    ) -> None:
        self._store = store
        self._now = now
        self._new_lock = new_lock
        self._conceal = conceal
        self._is_bridged = is_bridged
        self._by_id: dict[int, LiveRoom] = {}
        self._by_title: dict[str, list[LiveRoom]] = {}
        """Of several that read alike all but one are concealed, or once were."""

    async def load(self) -> None:
        """Read all, and make the default room where there never was one.

        Raises:
            ConfigError: One that is part of a bridge has a password.
        """
        rooms = await self._store.rooms()
        if all(room.id != DEFAULT_ID for room in rooms):
            # Unless it was there and is deleted, or another node is faster.
            with suppress(IdTakenError, TitleTakenError):
                await self._store.add_room(self._default())
            rooms = await self._store.rooms()
        check_bridges(rooms, self._is_bridged)
        for room in rooms:
            self._put(LiveRoom(room, self._new_lock()))

    def microseconds(self) -> int:
        """Return the time, as rooms have it."""
        return int(self._now() * 1_000_000)

    def __iter__(self) -> Iterator[LiveRoom]:
        return iter(self._by_id.values())

    def conceals(self, room: Room) -> bool:
        """Say whether nobody may find out that a room is there."""
        return self._conceal and room.visibility == HIDDEN

    def get(self, key: str) -> LiveRoom | None:
        """Return the room with an id, where `key` is digits, or else a title."""
        for live in self._all(key):
            if not self.conceals(live.room):
                return live
        return None

    def concealed(self, key: str) -> Sequence[LiveRoom]:
        """Return the concealed rooms of an id or a title, the oldest first."""
        return [live for live in self._all(key) if self.conceals(live.room)]

    def titled(self, room: Room) -> LiveRoom | None:
        """Return another room whose title `room` cannot have, None if it can."""
        if room.concealed:
            return None
        for live in self._by_title.get(fold(room.title), ()):
            if live.room.id != room.id and not live.room.concealed:
                return live
        return None

    async def add(self, room: Room) -> LiveRoom:
        """Keep a new room. Raises `FaultError` 102."""
        try:
            kept = await self._store.add_room(room)
            while kept.password and self._is_bridged(f"{NAME}/{kept.id}"):
                # The bridge waits for a room that all may enter: not for this one, nor
                # for any other from now on, as ids do not come back.
                await self._store.remove_room(kept.id)
                kept = await self._store.add_room(room)
        except TitleTakenError:
            raise faults.duplicate() from None
        live = LiveRoom(kept, self._new_lock())
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
        self._drop(live)
        old, live.room = live.room, room
        self._put(live)
        if room.generation != old.generation:
            live.close_all(NEW_PASSWORD)

    async def remove(self, live: LiveRoom) -> None:
        """Delete a room, and end its connections."""
        await self._store.remove_room(live.room.id)
        self._drop(live)
        live.close_all(ROOM_GONE)

    def _default(self) -> Room:
        at = self.microseconds()
        return Room(
            id=DEFAULT_ID,
            title=DEFAULT_TITLE,
            description=DEFAULT_DESCRIPTION,
            visibility=PUBLIC,
            password="",
            generation=0,
            concealed=False,
            created=at,
            updated=at,
        )

    def _all(self, key: str) -> Sequence[LiveRoom]:
        number = room_number(key)
        if number is None:
            # What is longer is no way to write a title, and would take its time.
            short = len(key) <= _LONGEST_TITLE
            return self._by_title.get(fold(key), ()) if short else ()
        live = self._by_id.get(number)
        return () if live is None else (live,)

    def _put(self, live: LiveRoom) -> None:
        self._by_id[live.room.id] = live
        same = self._by_title.setdefault(fold(live.room.title), [])
        same.append(live)
        same.sort(key=lambda one: (one.room.concealed, one.room.created))

    def _drop(self, live: LiveRoom) -> None:
        del self._by_id[live.room.id]
        key = fold(live.room.title)
        self._by_title[key].remove(live)
        if not self._by_title[key]:
            del self._by_title[key]


def room_number(key: str) -> int | None:
    """Return the id that `key` is, None if it is a title."""
    if key.isascii() and key.isdigit():
        return int(key) if len(key) < _LONGEST_ID else 0
    return None


def check_bridges(rooms: Iterable[Room], is_bridged: Callable[[str], bool]) -> None:
    """Raise `ConfigError` where a room of a bridge has a password."""
    for room in rooms:
        name = f"{NAME}/{room.id}"
        if room.password and is_bridged(name):
            raise ConfigError(
                "bridges",
                f"{name} is a {room.visibility} room with a password, around which a"
                " bridge would lead",
            )
