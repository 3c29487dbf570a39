# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The order of Globes' list of rooms."""

from __future__ import annotations

from tests.globes_doubles import ADMIN, GlobesCase, said


class ListingTests(GlobesCase):
    async def ids(self) -> list[int]:
        return [room["id"] for room in said(await self.ask("GET", "/chats"))]

    async def start_with_rooms(self) -> None:
        await self.start()
        for title in "den", "club", "bar":
            await self.add(title)

    async def test_a_change_moves_nothing(self) -> None:
        await self.start_with_rooms()
        for key in "club", "den", "1":
            wish = {"title": f"new {key}", "visibility": "public"}
            answer = await self.ask("PUT", f"/chats/{key}", wish, ADMIN)
            self.assertEqual(answer.status, 200)
            self.assertEqual(await self.ids(), [1, 2, 3, 4])
        titles = [room["title"] for room in said(await self.ask("GET", "/chats"))]
        self.assertEqual(titles, ["new 1", "new den", "new club", "bar"])
        page = (await self.ask("GET", "/chats", accept="text/html")).body.decode()
        places = [page.index(title) for title in titles]
        self.assertEqual(places, sorted(places))

    async def test_a_room_that_is_hidden_for_a_while_comes_back_to_its_place(
        self,
    ) -> None:
        await self.start_with_rooms()
        wish = {"title": "den", "visibility": "hidden", "password": "correct horse"}
        await self.ask("PUT", "/chats/2", wish, ADMIN)
        self.assertEqual(await self.ids(), [1, 3, 4])
        token = await self.login("den")
        await self.ask("PUT", "/chats/2", {**wish, "visibility": "private"}, token)
        self.assertEqual(await self.ids(), [1, 2, 3, 4])

    async def test_a_deletion_leaves_the_others_in_their_order(self) -> None:
        await self.start_with_rooms()
        await self.ask("DELETE", "/chats/3", token=ADMIN)
        await self.add("club")
        self.assertEqual(await self.ids(), [1, 2, 4, 5])

    async def test_it_is_the_same_after_a_restart(self) -> None:
        await self.start(conceal_hidden_rooms=True)
        await self.add("den")
        number = await self.add("cellar", "hidden")
        await self.add("club")
        token = await self.login("cellar")
        wish = {"title": "cellar", "visibility": "public"}
        answer = await self.ask("PUT", f"/chats/{number}", wish, token)
        self.assertEqual(answer.status, 200)
        await self.add("bar")
        before = await self.ids()
        self.assertEqual(before, [1, 2, 3, 4, number])
        await self.start(again=True, conceal_hidden_rooms=True)
        self.assertEqual(await self.ids(), before)
