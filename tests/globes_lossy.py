# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""A store whose connection is lost, and Globes on it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from chatmux.errors import StoreError
from chatmux.model import Room
from chatmux.store.sql import SQLStore
from tests.globes_doubles import GlobesCase, said

OTHER = "battery staple"
BUSY = 503, 503, ""
T = TypeVar("T")


def change(title: str, password: str | None = None) -> dict[str, Any]:
    """Return the body of a request for a room, a private one if it has a password."""
    if password is None:
        return {"title": title, "visibility": "public"}
    return {"title": title, "visibility": "private", "password": password}


class Hold:
    """Holds a result of the store up."""

    def __init__(self) -> None:
        self.done: Deferred[None] = Deferred()
        """Fires when the store has done its work."""
        self.go_on: Deferred[None] = Deferred()


class LossyStore(SQLStore):
    """A store whose connection is lost before or after what it is asked for is done."""

    def __init__(self, url: str) -> None:
        super().__init__(url, reactor)
        self.lost = ""
        """``before`` or ``after`` every change."""
        self.is_away = False
        """Whether nothing can be read either."""
        self._holds: dict[str, Hold] = {}

    def hold(self, name: str) -> Hold:
        """Hold up the result of the next call of a method."""
        hold = self._holds[name] = Hold()
        return hold

    async def rooms(self) -> Sequence[Room]:
        if self.is_away:
            raise StoreError("it is not there")
        return await self._held("rooms", super().rooms())

    async def add_room(self, room: Room) -> Room:
        return await self._lossy("add_room", super().add_room, room)

    async def replace_room(self, old: Room, new: Room) -> None:
        await self._lossy("replace_room", super().replace_room, old, new)

    async def remove_room(self, room_id: int) -> None:
        await self._lossy("remove_room", super().remove_room, room_id)

    async def _lossy(
        self, name: str, work: Callable[..., Awaitable[T]], *arguments: object
    ) -> T:
        lost = self.lost
        if lost == "before":
            raise StoreError("the connection was lost")
        result = await self._held(name, work(*arguments))
        if lost == "after":
            raise StoreError("the connection was lost")
        return result

    async def _held(self, name: str, work: Awaitable[T]) -> T:
        hold = self._holds.pop(name, None)
        result = await work
        if hold is not None:
            hold.done.callback(None)
            await hold.go_on
        return result


class LossyCase(GlobesCase):
    """A server on a store that is lossy, and the same store as others see it."""

    async def begin_lossy(self, **section: Any) -> None:
        await self.start(**section)
        self.other = self.store
        self.lossy = LossyStore(f"sqlite:///{self.file}")
        await self.lossy.open()
        self.addCleanup(self.lossy.close)
        self.store = self.lossy
        await self.start(again=True, **section)

    async def lose(self, when: str, method: str, *args: Any, **kw: Any) -> None:
        """Send a request whose change is lost before or after it was done."""
        self.lossy.lost = when
        self.assertEqual(await self.faults(method, *args, **kw), BUSY)
        self.lossy.lost = ""

    async def ask_something(self) -> None:
        """Send a request that changes nothing, but might have."""
        self.assertEqual(await self.faults("POST", "/chats", b""), (400, 103, ""))

    async def titles(self) -> list[str]:
        listed = said(await self.ask("GET", "/chats"))
        return [room["title"] for room in listed]
