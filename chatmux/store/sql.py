# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""`chatmux.interfaces.Store` on a SQL database.

Knows the statements. Everything that writes locks the counter's row first (in SQLite
the transaction itself is such a lock), so what it has looked up holds until it is
done, also among the nodes that share a database.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, TypeVar

from sqlalchemy import Connection, delete, exists, insert, select, update
from twisted.logger import Logger

from chatmux.errors import (
    BusyError,
    ConfigError,
    IdTakenError,
    StoreError,
    TitleTakenError,
)
from chatmux.model import Room
from chatmux.store.database import KEY, Database
from chatmux.store.schema import COUNTER, REMOVED, ROOM, SECRET
from chatmux.text import fold
from chatmux.threads import Threads

WAITING = 1000
"""How many calls may wait while the database is busy with others."""

LAST_ID = 1 << 53
"""Highest id of a room: JavaScript's numbers go no further."""

_BIGGEST = 1 << 63

_COLUMNS = [column for column in ROOM.columns if column.name != "title_key"]

_T = TypeVar("_T")


class SQLStore:
    """Rooms and secrets in SQLite or PostgreSQL.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql+psycopg://...``.
        reactor: Gets the results.

    Raises:
        ConfigError: The URL is none of those, or the database's driver is missing.
            What is there is not looked at yet.
    """

    def __init__(self, url: str, reactor: Any) -> None:
        self._reactor = reactor
        self._database = Database(url)
        self._threads: Threads | None = None
        self._log = Logger(namespace="chatmux")

    def prepare(self) -> Sequence[Room]:
        """Do what `open` does that can fail, and leave nothing open. Blocks.

        For a process that wants to say so before it becomes a daemon: neither threads
        nor connections get over a fork.

        Returns:
            All rooms, in the order of their ids.

        Raises:
            ConfigError: As `open`.
        """
        try:
            self._database.prepare()
            return self._database.transact(_rooms)
        except StoreError as error:
            raise ConfigError(KEY, f"the database cannot be used: {error}") from None
        finally:
            self._database.dispose()

    async def open(self) -> None:
        """Reach the database, bring its schema up, and take calls from then on.

        Raises:
            ConfigError: The database cannot be reached or not be used.
        """
        threads = Threads(self._reactor, "store", self._database.threads, WAITING)
        try:
            await threads.run(self._database.prepare)
        except BaseException:
            await threads.run(self._database.dispose)
            await threads.close()
            raise
        self._threads = threads

    async def close(self) -> None:
        """Take no more calls, do those that wait, and end connections and threads."""
        threads, self._threads = self._threads, None
        if threads is not None:
            await threads.close(self._database.dispose)

    async def rooms(self) -> Sequence[Room]:
        """See `Store.rooms`."""
        return await self._transact(_rooms)

    async def add_room(self, room: Room) -> Room:
        """See `Store.add_room`. Raises ValueError for what no database takes."""
        _check(room)
        if not 0 <= room.id <= LAST_ID:
            raise ValueError(f"a room's id is not between 0 and {LAST_ID}")
        return await self._transact(lambda connection: _add(connection, room))

    async def replace_room(self, old: Room, new: Room) -> None:
        """See `Store.replace_room`. Raises ValueError for what no database takes."""
        _check(new)
        await self._transact(lambda connection: _replace(connection, old, new))

    async def remove_room(self, room_id: int) -> None:
        """See `Store.remove_room`."""
        if 0 < room_id <= LAST_ID:
            await self._transact(lambda connection: _remove(connection, room_id))

    async def secret(self, name: str, make: Callable[[], bytes]) -> bytes:
        """See `Store.secret`. Calls `make` on the reactor's thread."""
        _check_text("a secret's name", name)
        kept = await self._transact(lambda connection: _secret(connection, name))
        if kept is not None:
            return kept
        new = make()
        return await self._transact(
            lambda connection: _keep_secret(connection, name, new)
        )

    async def _transact(self, work: Callable[[Connection], _T]) -> _T:
        if self._threads is None:
            raise StoreError("the store is not open")
        try:
            return await self._threads.run(self._database.transact, work)
        except BusyError as error:
            raise StoreError(f"nothing was done: {error}") from None
        except StoreError as error:
            self._log.error("the store failed: {why}", why=str(error))
            raise


def _rooms(connection: Connection, *conditions: Any) -> list[Room]:
    wanted = select(*_COLUMNS).where(*conditions).order_by(ROOM.c.id)
    return [Room(**row._mapping) for row in connection.execute(wanted)]


def _add(connection: Connection, room: Room) -> Room:
    last = _lock(connection)
    _check_title(connection, room)
    if room.id:
        if room.id <= last or _known(connection, room.id):
            raise IdTakenError(f"there is or was a room {room.id}")
    else:
        last += 1
        while _known(connection, last):
            last += 1
        connection.execute(update(COUNTER).values(last=last))
        room = replace(room, id=last)
    connection.execute(insert(ROOM).values(_row(room)))
    return room


def _replace(connection: Connection, old: Room, new: Room) -> None:
    _lock(connection)
    if _rooms(connection, ROOM.c.id == new.id) != [old]:
        raise KeyError(new.id)
    _check_title(connection, new)
    connection.execute(update(ROOM).where(ROOM.c.id == new.id).values(_row(new)))


def _remove(connection: Connection, room_id: int) -> None:
    last = _lock(connection)
    gone = connection.execute(delete(ROOM).where(ROOM.c.id == room_id)).rowcount
    if gone and room_id > last:
        connection.execute(insert(REMOVED).values(id=room_id))


def _secret(connection: Connection, name: str) -> bytes | None:
    kept = select(SECRET.c.value).where(SECRET.c.name == name)
    return connection.execute(kept).scalar_one_or_none()


def _keep_secret(connection: Connection, name: str, new: bytes) -> bytes:
    _lock(connection)
    kept = _secret(connection, name)
    if kept is not None:
        return kept
    connection.execute(insert(SECRET).values(name=name, value=new))
    return new


def _lock(connection: Connection) -> int:
    """Keep everybody else from writing until the end; return the last id given."""
    # SQLAlchemy leaves FOR UPDATE out for SQLite, which does not know it.
    last: int = connection.execute(
        select(COUNTER.c.last).with_for_update()
    ).scalar_one()
    return last


def _known(connection: Connection, room_id: int) -> bool:
    """Say whether an id above the counter was ever a room's."""
    return _exists(connection, ROOM.c.id == room_id) or _exists(
        connection, REMOVED.c.id == room_id
    )


def _check_title(connection: Connection, room: Room) -> None:
    key = _title_key(room)
    if _exists(connection, ROOM.c.title_key == key, ROOM.c.id != room.id):
        raise TitleTakenError("the title is taken")


def _exists(connection: Connection, *conditions: Any) -> bool:
    return bool(connection.execute(select(exists().where(*conditions))).scalar_one())


def _row(room: Room) -> dict[str, Any]:
    row: dict[str, Any] = {c.name: getattr(room, c.name) for c in _COLUMNS}
    return {**row, "title_key": _title_key(room)}


def _title_key(room: Room) -> str:
    """Return what no other room may have: of a concealed one nobody is to notice."""
    key = fold(room.title)
    if room.concealed:
        key += f"\0{room.id}"
    return sha256(key.encode()).hexdigest()


def _check(room: Room) -> None:
    """Raise ValueError for what one of the databases would not take."""
    for column in _COLUMNS:
        value = getattr(room, column.name)
        if isinstance(value, str):
            _check_text(f"a room's {column.name}", value)
        elif not -_BIGGEST <= value < _BIGGEST:
            raise ValueError(f"a room's {column.name} is too big a number")


def _check_text(what: str, text: str) -> None:
    if "\0" in text:
        raise ValueError(f"{what} has a NUL in it")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{what} has a surrogate in it") from None
