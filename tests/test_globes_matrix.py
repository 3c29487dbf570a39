# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Who may do what in Globes: every kind of room, credential and operation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from chatmux.door import Upgrade
from chatmux.model import Room
from chatmux.protocols.globes.tokens import Tokens
from tests.globes_doubles import ADMIN, KEY, PASSWORD, GlobesCase

MATRIX = """
             GET  PUT  DELETE  right  wrong  renew  ws

public
  none       200  403   403     200    200    200   101
  garbage    200  403   403     200    200    200   101
  other's    200  403   403     200    200    200   101
  expired    200  403   403     200    200    200   101
  old        200  403   403     200    200    200   101
  forged     200  403   403     200    200    200   101
  good       200  403   403     200    200    200   101
  admin's    200  200   200     200    200    200   101

private
  none       200  403   403     201    401    403   403
  garbage    200  403   403     201    401    403   403
  other's    200  403   403     201    401    403   403
  expired    200  403   403     201    401    403   403
  old        200  403   403     201    401    403   403
  forged     200  403   403     201    401    403   403
  good       200  200   200     201    401    201   101
  admin's    200  403   403     201    401    403   403

hidden
  none       200  403   403     201    401    403   403
  garbage    200  403   403     201    401    403   403
  other's    200  403   403     201    401    403   403
  expired    200  403   403     201    401    403   403
  old        200  403   403     201    401    403   403
  forged     200  403   403     201    401    403   403
  good       200  200   200     201    401    201   101
  admin's    200  403   403     201    401    403   403

concealed
  none       404  404   404     201    404    404   404
  garbage    404  404   404     201    404    404   404
  other's    404  404   404     201    404    404   404
  expired    404  404   404     201    404    404   404
  old        404  404   404     201    404    404   404
  forged     404  404   404     201    404    404   404
  good       200  200   200     201    404    201   101
  admin's    404  404   404     201    404    404   404

bridged
  none       200  403   403     200    200    200   101
  garbage    200  403   403     200    200    200   101
  other's    200  403   403     200    200    200   101
  expired    200  403   403     200    200    200   101
  old        200  403   403     200    200    200   101
  forged     200  403   403     200    200    200   101
  good       200  403   403     200    200    200   101
  admin's    200  200   200     200    200    200   101
"""
"""The status of each answer; 101 for a WebSocket that may be opened.

PUT changes nothing but the description; ``right`` and ``wrong`` ask for a token with
such a password. ``good`` is a token for a room's id and present password, though there
is no way to get one for a room that has none.
"""

VISIBILITY = {"bridged": "public", "concealed": "hidden"}


def rows() -> Iterator[tuple[str, str, dict[str, int]]]:
    """Cut the matrix: kind, credential, and the statuses by operation."""
    lines = [line for line in MATRIX.splitlines() if line]
    operations = lines.pop(0).split()
    kind = ""
    for line in lines:
        first, *statuses = line.split()
        if statuses:
            yield kind, first, dict(zip(operations, map(int, statuses), strict=True))
        else:
            kind = first


class MatrixTests(GlobesCase):
    async def serve(self, kind: str) -> Room:
        """Begin to serve, with one room of a kind."""
        await self.start(
            bridges=[["globes/2", "machat/a"]] if kind == "bridged" else (),
            conceal_hidden_rooms=kind == "concealed",
        )
        visibility = VISIBILITY.get(kind, kind)
        return await self.kept(await self.add("den", visibility))

    async def shown(self, credential: str, room: Room) -> str | None:
        """Return what is shown as a token."""

        def made(of: Room = room, seconds_ago: float = 0, key: str = KEY) -> str:
            tokens = Tokens(key.encode(), lambda: self.now() - seconds_ago, 7200)
            return tokens.make(of, "ann")

        match credential:
            case "none":
                return None
            case "garbage":
                return "garbage"
            case "other's":
                return await self.login(await self.add("club", "private"))
            case "expired":
                return made(seconds_ago=3601)
            case "old":
                return made(replace(room, generation=room.generation - 1))
            case "forged":
                return made(key=KEY[::-1])
            case "good":
                return made()
            case "admin's":
                return ADMIN
        raise AssertionError(credential)

    async def status(
        self, operation: str, key: str, room: Room, token: str | None
    ) -> int:
        path = f"/chats/{key}"
        match operation:
            case "GET" | "DELETE":
                return (await self.ask(operation, path, token=token)).status
            case "PUT":
                change = {
                    "title": room.title,
                    "description": "changed",
                    "visibility": room.visibility,
                }
                return (await self.ask("PUT", path, change, token)).status
            case "right" | "wrong":
                secret = PASSWORD if operation == "right" else "x"
                login = {"name": "ann", "secret": secret}
                return (await self.ask("POST", f"{path}/token", login, token)).status
            case "renew":
                return (
                    await self.ask("GET", f"{path}/token/renew", token=token)
                ).status
            case "ws":
                upgrade = self.upgrade(key, token)
                return 101 if isinstance(upgrade, Upgrade) else upgrade.status
        raise AssertionError(operation)

    async def check(self, kind: str) -> None:
        for kind_of_row, credential, expected in rows():
            if kind_of_row != kind:
                continue
            for key in "id", "title":
                room = await self.serve(kind)
                token = await self.shown(credential, room)
                found = {}
                # The deletion last.
                for operation in sorted(expected, key="DELETE".__eq__):
                    way = str(room.id) if key == "id" else "DEN"
                    found[operation] = await self.status(operation, way, room, token)
                self.assertEqual(found, expected, f"{kind}, {credential}, by {key}")
                kept = [one.id for one in await self.store.rooms()]
                self.assertEqual(room.id in kept, expected["DELETE"] != 200)

    async def test_the_matrix_is_whole(self) -> None:
        kinds = [kind for kind, _, _ in rows()]
        self.assertEqual([kinds.count(kind) for kind in dict.fromkeys(kinds)], [8] * 5)

    async def test_a_public_room(self) -> None:
        await self.check("public")

    async def test_a_private_room(self) -> None:
        await self.check("private")

    async def test_a_hidden_room(self) -> None:
        await self.check("hidden")

    async def test_a_concealed_room(self) -> None:
        await self.check("concealed")

    async def test_a_room_of_a_bridge(self) -> None:
        await self.check("bridged")
