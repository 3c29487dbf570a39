# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What a store has done of which Globes was told that it failed."""

from __future__ import annotations

from dataclasses import replace

from chatmux.protocols.globes.rooms import NEW_PASSWORD, ROOM_GONE
from tests.globes_doubles import ADMIN, PASSWORD, fault, said
from tests.globes_lossy import BUSY, OTHER, LossyCase, change
from tests.store_contract import plain


class DoneAfterAllTests(LossyCase):
    async def test_a_room_that_was_added_is_found(self) -> None:
        await self.begin_lossy()
        await self.lose("after", "POST", "/chats", change("den", PASSWORD))
        await self.login("den")
        self.assertEqual(said(await self.ask("GET", "/chats/2"))["title"], "den")
        self.assertEqual(await self.titles(), ["Public Chat", "den"])
        found = await self.faults("POST", "/chats", change("DEN"))
        self.assertEqual(found, (400, 102, "title"))

    async def test_whoever_sends_it_again_is_told_that_it_is_there(self) -> None:
        await self.begin_lossy()
        await self.lose("after", "POST", "/chats", change("den"))
        found = await self.faults("POST", "/chats", change("den"))
        self.assertEqual(found, (400, 102, "title"))

    async def test_a_room_that_was_changed_is_found_so(self) -> None:
        await self.begin_lossy()
        await self.add("den")
        peer = self.open("den")
        await self.lose("after", "PUT", "/chats/den", change("club"), ADMIN)
        await self.ask_something()
        self.assertEqual(said(await self.ask("GET", "/chats/club"))["id"], 2)
        self.assertEqual(await self.faults("GET", "/chats/den"), (404, 101, "den"))
        self.assertIsNone(peer.closed_for)
        peer.say("join", "ann")
        self.assertEqual(peer.hear()[0]["room_id"], 2)
        self.assertEqual(await self.add("den"), 3)

    async def test_a_password_that_was_changed_is_the_rooms(self) -> None:
        await self.begin_lossy()
        await self.add("den", "private")
        token = await self.login("den")
        peer = self.open("den", token)
        await self.lose("after", "PUT", "/chats/2", change("den", OTHER), token)
        # Sent again, as by whoever was told to.
        found = await self.faults("PUT", "/chats/2", change("den", OTHER), token)
        self.assertEqual(found, (403, 403, "token"))
        self.assertEqual(peer.closed_for, NEW_PASSWORD)
        self.assertEqual(fault(await self.ask_token("den")), (401, 304, "secret"))
        new = self.open("den", await self.login("den", secret=OTHER))
        await self.ask_something()
        self.assertIsNone(new.closed_for)

    async def test_the_first_password_is_found_by_its_showing(self) -> None:
        await self.begin_lossy()
        await self.add("den")
        peer = self.open("den")
        await self.lose("after", "PUT", "/chats/2", change("den", OTHER), ADMIN)
        token = await self.login("den", secret=OTHER)
        self.assertEqual(peer.closed_for, NEW_PASSWORD)
        self.open("den", token)

    async def test_a_room_that_was_deleted_is_gone(self) -> None:
        await self.begin_lossy()
        await self.add("den")
        peer = self.open("den")
        await self.lose("after", "DELETE", "/chats/2", token=ADMIN)
        found = await self.faults("DELETE", "/chats/2", token=ADMIN)
        self.assertEqual(found, (404, 101, "2"))
        self.assertEqual(peer.closed_for, ROOM_GONE)
        self.assertEqual(await self.titles(), ["Public Chat"])
        self.assertEqual(await self.add("den"), 3)

    async def test_a_concealed_room_is_found_by_its_password_alone(self) -> None:
        await self.begin_lossy(conceal_hidden_rooms=True)
        wish = {**change("den", PASSWORD), "visibility": "hidden"}
        await self.lose("after", "POST", "/chats", wish)
        token = await self.login("den")
        self.assertEqual(await self.faults("GET", "/chats/den"), (404, 101, "den"))
        answer = await self.ask("GET", "/chats/den", token=token)
        self.assertEqual(answer.status, 200)

    async def test_the_rooms_stay_in_the_order_of_their_ids(self) -> None:
        await self.begin_lossy()
        self.lossy.is_away = True
        await self.lose("after", "POST", "/chats", change("den"))
        self.assertEqual(await self.add("bar"), 3)
        self.assertEqual(await self.titles(), ["Public Chat", "bar"])
        self.lossy.is_away = False
        await self.ask_something()
        self.assertEqual(await self.titles(), ["Public Chat", "den", "bar"])


class NotDoneTests(LossyCase):
    async def test_what_was_not_done_is_as_it_was(self) -> None:
        await self.begin_lossy()
        await self.add("den", "private")
        token = await self.login("den")
        peer = self.open("den", token)
        await self.lose("before", "POST", "/chats", change("bar"))
        await self.lose("before", "PUT", "/chats/2", change("bar", OTHER), token)
        await self.lose("before", "DELETE", "/chats/2", token=token)
        await self.ask_something()
        self.assertIsNone(peer.closed_for)
        self.assertEqual(await self.titles(), ["Public Chat", "den"])
        answer = await self.ask("PUT", "/chats/2", change("bar", OTHER), token)
        self.assertEqual(answer.status, 200)
        self.assertEqual(peer.closed_for, NEW_PASSWORD)
        self.assertEqual(await self.add("den"), 3)

    async def test_as_long_as_nothing_can_be_read_what_is_known_counts(self) -> None:
        await self.begin_lossy()
        await self.add("den")
        peer = self.open("den")
        await self.lose("after", "DELETE", "/chats/2", token=ADMIN)
        self.lossy.is_away = True
        for _ in range(2):
            await self.ask_something()
            self.assertEqual(await self.titles(), ["Public Chat", "den"])
            self.assertIsNone(peer.closed_for)
        self.lossy.is_away = False
        await self.ask_something()
        self.assertEqual(await self.titles(), ["Public Chat"])
        self.assertEqual(peer.closed_for, ROOM_GONE)

    async def test_without_a_doubt_nothing_is_read(self) -> None:
        await self.begin_lossy()
        self.lossy.is_away = True
        self.assertEqual(await self.add("den"), 2)
        for request in (
            ("PUT", "/chats/den", change("Public Chat"), ADMIN),
            ("PUT", "/chats/den", change("club"), ADMIN),
            ("DELETE", "/chats/club", None, ADMIN),
        ):
            await self.ask(*request)
        self.assertEqual(await self.titles(), ["Public Chat"])


class AnotherNodeTests(LossyCase):
    """Found when this one wants to change the same room."""

    async def test_its_change_is_seen_and_then_changed(self) -> None:
        await self.begin_lossy()
        await self.add("den")
        peer = self.open("den")
        old = await self.kept(2)
        await self.other.replace_room(old, replace(old, title="tea", description="x"))
        found = await self.faults("PUT", "/chats/2", change("club"), ADMIN)
        self.assertEqual(found, BUSY)
        told = said(await self.ask("GET", "/chats/2"))
        self.assertEqual((told["title"], told["description"]), ("tea", "x"))
        self.assertEqual(await self.faults("GET", "/chats/den"), (404, 101, "den"))
        answer = await self.ask("PUT", "/chats/2", change("club"), ADMIN)
        self.assertEqual(said(answer)["title"], "club")
        self.assertIsNone(peer.closed_for)

    async def test_its_deletion_is_seen_and_ends_the_connections(self) -> None:
        await self.begin_lossy()
        await self.add("den", "private")
        token = await self.login("den")
        peer = self.open("den", token)
        await self.other.remove_room(2)
        found = await self.faults("PUT", "/chats/den", change("den", OTHER), token)
        self.assertEqual(found, (404, 101, "2"))
        self.assertEqual(peer.closed_for, ROOM_GONE)
        self.assertEqual(await self.titles(), ["Public Chat"])

    async def test_what_it_has_added_is_seen_with_it(self) -> None:
        await self.begin_lossy()
        await self.other.add_room(plain("den"))
        await self.other.remove_room(1)
        self.assertEqual(await self.titles(), ["Public Chat"])
        found = await self.faults("PUT", "/chats/1", change("club"), ADMIN)
        self.assertEqual(found, (404, 101, "1"))
        self.assertEqual(await self.titles(), ["den"])

    async def test_where_the_change_cannot_be_read_the_next_request_does(self) -> None:
        await self.begin_lossy()
        await self.add("den")
        peer = self.open("den")
        await self.other.remove_room(2)
        self.lossy.is_away = True
        found = await self.faults("PUT", "/chats/2", change("club"), ADMIN)
        self.assertEqual(found, BUSY)
        self.assertIsNone(peer.closed_for)
        self.lossy.is_away = False
        found = await self.faults("PUT", "/chats/2", change("club"), ADMIN)
        self.assertEqual(found, (404, 101, "2"))
        self.assertEqual(peer.closed_for, ROOM_GONE)
