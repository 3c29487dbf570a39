# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The rooms that there are: in memory to be read, in the store to stay."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from dataclasses import replace

from chatmux.errors import (
    ConfigError,
    IdTakenError,
    StoreError,
    TitleTakenError,
)
from chatmux.interfaces import Entrance, Store
from chatmux.model import Close, Publication, Room
from chatmux.protocols.globes import faults
from chatmux.protocols.globes.content import HIDDEN, PUBLIC, TITLE_BYTES, beginning
from chatmux.protocols.globes.events import NAME, encoding_for
from chatmux.protocols.globes.tokens import Claims
from chatmux.text import likeness

DEFAULT_ID = 1
DEFAULT_TITLE = "Public Chat"
DEFAULT_DESCRIPTION = "This is the default chat, available to everyone!"

_LONGEST_ID = 20
"""Digits with which no room's id is written, zeros before it included."""

LONGEST_KEY = 4 * TITLE_BYTES[1]
"""In bytes, of what a room is asked for by."""

ROOM_GONE = Close(1008, "the room was deleted")
NEW_PASSWORD = Close(1008, "the room has a new password")


class LiveRoom:
    """A room, and those who are connected to it.

    Attributes:
        room: What is kept of it; replaced when it is changed.
        told: How it is told, but for who is there.
        channel: The broker's name of its channel.
        encode: Its encoding, one for all of its connections.
        encode_with_origin: For those who ask where each event comes from.
        connected: Called to end each connection.
        changing: Held by who changes it.
        is_bridged: Whether others than those who are connected may be there.
        is_gone: Whether it was deleted.
    """

    __slots__ = (
        "changing",
        "channel",
        "connected",
        "encode",
        "encode_with_origin",
        "is_bridged",
        "is_gone",
        "room",
        "told",
    )

    def __init__(
        self,
        room: Room,
        lock: AbstractAsyncContextManager[object],
        is_bridged: bool = False,
    ) -> None:
        self.room = room
        self.told = beginning(room)
        self.channel = f"{NAME}/{room.id}"
        self.encode: Callable[[Publication], Sequence[bytes]] = encoding_for(room.id)
        self.encode_with_origin: Callable[[Publication], Sequence[bytes]] = (
            encoding_for(room.id, with_origin=True)
        )
        self.connected: set[Callable[[Close], None]] = set()
        self.changing = lock
        self.is_bridged = is_bridged
        self.is_gone = False

    def opens(self, key: object) -> bool:
        """Say whether a key, the claims of a token, is one for the room as it is."""
        return isinstance(key, Claims) and key.open(self.room)

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
        entrance: Is told which rooms are locked, and how they open.
        conceal: Whether hidden rooms are found by those alone who know what they are
            looking for.
    """

    def __init__(
        self,
        store: Store,
        now: Callable[[], float],
        new_lock: Callable[[], AbstractAsyncContextManager[object]],
        entrance: Entrance,
        *,
        conceal: bool,
    ) -> None:
        self._store = store
        self._now = now
        self._new_lock = new_lock
        self._conceal = conceal
        self._entrance = entrance
        self._by_id: dict[int, LiveRoom] = {}
        self._by_title: dict[str, dict[int, LiveRoom]] = {}
        """Those that are not concealed, by the likeness of the title, and by id."""
        self._concealed: dict[str, dict[int, LiveRoom]] = {}
        """Those that are, the first to have the title first."""
        self._awaited: set[str] = set()
        """The titles that rooms are to have for which the store is waited."""
        self._is_doubtful = False
        """Whether the store may have something else than memory."""
        self._changes = 0
        """How many were made in the store, or may have been."""

    async def load(self) -> None:
        """Read all, and make the default room where there never was one.

        Raises:
            ConfigError: One that is part of a bridge has a password.
            StoreError: The store cannot be used.
        """
        rooms = await self._store.rooms()
        if all(room.id != DEFAULT_ID for room in rooms):
            # Unless it was there and is deleted, or another node is faster.
            with suppress(IdTakenError, TitleTakenError):
                await self._store.add_room(self._default())
            rooms = await self._store.rooms()
        check_bridges(rooms, self._entrance.is_bridged)
        for room in rooms:
            if self.conceals(room) and not room.concealed:
                # From before rooms were concealed: its title is free from now on.
                free = replace(room, concealed=True)
                await self._store.replace_room(room, free)
                room = free
            self._put(room)

    async def settle(self) -> None:
        """Read all again, where it is not known what a change has done.

        Raises:
            StoreError: The store still cannot be used.
        """
        if not self._is_doubtful:
            return
        changes = self._changes
        rooms = await self._store.rooms()
        # Another node may have given one a password: in a bridge, it is served no more.
        kept = {room.id: room for room in rooms if not self._is_walked_around(room)}
        if self._changes != changes:
            # What was read is older than what is known: not now.
            return
        self._is_doubtful = False
        for live in [one for one in self if one.room.id not in kept]:
            self._remove(live)
        for room in kept.values():
            known = self._by_id.get(room.id)
            if known is None:
                self._put(room)
            elif known.room != room:
                self._change(known, room)

    def microseconds(self) -> int:
        """Return the time, as rooms have it."""
        return int(self._now() * 1_000_000)

    def __iter__(self) -> Iterator[LiveRoom]:
        """Iterate over all, in the order of their ids, as after a restart."""
        return iter([self._by_id[number] for number in sorted(self._by_id)])

    def __len__(self) -> int:
        return len(self._by_id)

    def conceals(self, room: Room) -> bool:
        """Say whether nobody may find out that a room is there."""
        return self._conceal and room.visibility == HIDDEN

    def get(self, key: str) -> LiveRoom | None:
        """Return the room with an id, where `key` is digits, or else a title."""
        number = room_number(key)
        if number is None:
            # What is longer is no way to write a title, and would take its time.
            short = len(key.encode()) <= LONGEST_KEY
            return self._titled(likeness(key)) if short else None
        live = self._by_id.get(number)
        return None if live is None or self.conceals(live.room) else live

    def concealed(self, key: str) -> Mapping[int, LiveRoom]:
        """Return the concealed rooms of an id or a title, by their ids."""
        number = room_number(key)
        if number is None:
            short = len(key.encode()) <= LONGEST_KEY
            return self._concealed.get(likeness(key), {}) if short else {}
        live = self._by_id.get(number)
        return {number: live} if live is not None and self.conceals(live.room) else {}

    def has_title_of(self, room: Room, old: Room | None = None) -> bool:
        """Say whether another room has the title of `room`, so that this cannot.

        Args:
            room: What it is to be.
            old: What it is now: it may keep a title that another has, too.
        """
        key = likeness(room.title)
        if room.concealed or (old is not None and _is_known_by(old, key)):
            return False
        others = self._by_title.get(key, {}).keys() - {room.id}
        return bool(others) or key in self._awaited

    @contextmanager
    def _awaiting(self, room: Room, old: Room | None = None) -> Iterator[None]:
        """Keep a title for a room while the store is waited for.

        Titles that look alike are not the same to the store.
        """
        if self.has_title_of(room, old):
            raise faults.duplicate()
        key = likeness(room.title)
        mine = not room.concealed and key not in self._awaited
        if mine:
            self._awaited.add(key)
        try:
            yield
        finally:
            if mine:
                self._awaited.discard(key)

    async def add(self, room: Room) -> LiveRoom:
        """Keep a new room.

        Raises:
            FaultError: 102.
            StoreError: It is not known whether it was kept.
        """
        with self._awaiting(room), self._doubting():
            try:
                kept = await self._store.add_room(room)
                while self._is_walked_around(kept):
                    # The bridge waits for a room that all may enter: not for this one,
                    # nor for any other from now on, as ids do not come back.
                    await self._store.remove_room(kept.id)
                    kept = await self._store.add_room(room)
            except TitleTakenError:
                raise faults.duplicate() from None
            return self._by_id.get(kept.id) or self._put(kept)

    async def replace(self, live: LiveRoom, old: Room, room: Room) -> None:
        """Keep what a room has become, and end the connections of an old password.

        Args:
            live: The room.
            old: What it was when the change began.
            room: What it is to be.

        Raises:
            FaultError: 102, or 101 where another node has deleted it.
            StoreError: It is not known whether that was done; or another node has
                changed the room.
        """
        with self._awaiting(room, old):
            await self._replace(live, old, room)
            if live.is_gone:
                # It was read meanwhile that another node has deleted it.
                raise faults.not_found(str(room.id))
            self._change(live, room)

    async def _replace(self, live: LiveRoom, old: Room, room: Room) -> None:
        with self._doubting():
            try:
                await self._store.replace_room(old, room)
            except TitleTakenError:
                raise faults.duplicate() from None
            except KeyError:
                self._is_doubtful = True
                await self.settle()
                if live.is_gone:
                    raise faults.not_found(str(room.id)) from None
                raise StoreError("another node has changed the room") from None

    async def remove(self, live: LiveRoom) -> None:
        """Delete a room, and end its connections. Raises `StoreError`."""
        with self._doubting():
            await self._store.remove_room(live.room.id)
        if not live.is_gone:
            self._remove(live)

    @contextmanager
    def _doubting(self) -> Iterator[None]:
        try:
            yield
        except StoreError:
            self._is_doubtful = True
            raise
        finally:
            self._changes += 1

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

    def _put(self, room: Room) -> LiveRoom:
        is_bridged = self._entrance.is_bridged(f"{NAME}/{room.id}")
        live = LiveRoom(room, self._new_lock(), is_bridged)
        self._by_id[room.id] = live
        self._enter(live)
        self._lock(live)
        return live

    def _lock(self, live: LiveRoom) -> None:
        if live.room.password:
            self._entrance.lock(live.channel, live.opens)
        else:
            self._entrance.unlock(live.channel)

    def _change(self, live: LiveRoom, room: Room) -> None:
        self._leave(live)
        old, live.room, live.told = live.room, room, beginning(room)
        self._enter(live)
        self._lock(live)
        if room.generation != old.generation:
            live.close_all(NEW_PASSWORD)

    def _remove(self, live: LiveRoom) -> None:
        del self._by_id[live.room.id]
        self._leave(live)
        live.is_gone = True
        live.close_all(ROOM_GONE)
        self._entrance.unlock(live.channel)

    def _enter(self, live: LiveRoom) -> None:
        """Let a room be found by its title."""
        key = likeness(live.room.title)
        if self.conceals(live.room):
            self._concealed.setdefault(key, {})[live.room.id] = live
            return
        self._by_title.setdefault(key, {})[live.room.id] = live

    def _leave(self, live: LiveRoom) -> None:
        key = likeness(live.room.title)
        for rooms in self._by_title, self._concealed:
            same = rooms.get(key, {})
            same.pop(live.room.id, None)
            if not same:
                rooms.pop(key, None)

    def _titled(self, key: str) -> LiveRoom | None:
        """Return the room that a title means.

        There are several from before titles that look alike were refused, or that were
        concealed: the oldest of those that were not, before all others.
        """
        rooms = self._by_title.get(key)
        return None if rooms is None else min(rooms.values(), key=_rank)

    def _is_walked_around(self, room: Room) -> bool:
        """Say whether a bridge would lead around a room's password."""
        return bool(room.password) and self._entrance.is_bridged(f"{NAME}/{room.id}")


def room_number(key: str) -> int | None:
    """Return the id that `key` is, None if it is a title."""
    if key.isascii() and key.isdigit():
        return int(key) if len(key) < _LONGEST_ID else 0
    return None


def _rank(live: LiveRoom) -> tuple[bool, int, int]:
    return live.room.concealed, live.room.created, live.room.id


def _is_known_by(room: Room, key: str) -> bool:
    """Say whether a title that looks like this is a room's already, for all to see."""
    return not room.concealed and likeness(room.title) == key


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
