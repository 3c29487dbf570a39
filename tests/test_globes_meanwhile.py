# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What Globes reads of a store in doubt, and what changes at the same time."""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.defer import gatherResults

from chatmux.protocols.globes.rooms import NEW_PASSWORD, ROOM_GONE
from tests.globes_doubles import ADMIN, PASSWORD, fault, said
from tests.globes_lossy import BUSY, OTHER, Hold, LossyCase, change


class MeanwhileTests(LossyCase):
    """What is read in doubt, and changes that are made at the same time."""

    async def begin_settling(self) -> Hold:
        """Begin to read in doubt, and hold up what was read."""
        await self.lose("before", "POST", "/chats", change("nothing"))
        reading = self.lossy.hold("rooms")
        self.settling = self.begin("POST", "/chats", b"")
        await reading.done
        return reading

    async def end_settling(self, reading: Hold) -> None:
        reading.go_on.callback(None)
        self.assertEqual((await self.settling).status, 400)

    async def test_what_is_read_does_not_undo_what_is_done(self) -> None:
        await self.begin_lossy()
        for title in "den", "bar":
            await self.add(title)
        peer = self.open("bar")
        reading = await self.begin_settling()
        # Without a hold these read by themselves, and are not in doubt any more.
        self.lossy.is_away = True
        self.assertEqual(await self.add("club"), 4)
        answer = await self.ask("PUT", "/chats/2", change("tea"), ADMIN)
        self.assertEqual(answer.status, 200)
        answer = await self.ask("DELETE", "/chats/3", token=ADMIN)
        self.assertEqual(answer.status, 200)
        self.lossy.is_away = False
        await self.end_settling(reading)
        for _ in range(2):
            self.assertEqual(await self.titles(), ["Public Chat", "tea", "club"])
            self.assertEqual(await self.faults("GET", "/chats/den"), (404, 101, "den"))
            await self.ask_something()
        self.assertEqual(peer.closed_for, ROOM_GONE)

    async def test_what_fails_meanwhile_is_read_once_more(self) -> None:
        await self.begin_lossy()
        await self.add("den", "private")
        token = await self.login("den")
        peer = self.open("den", token)
        reading = await self.begin_settling()
        self.lossy.is_away = True
        await self.lose("after", "PUT", "/chats/2", change("den", OTHER), token)
        self.lossy.is_away = False
        await self.end_settling(reading)
        await self.ask_something()
        self.assertEqual(peer.closed_for, NEW_PASSWORD)
        await self.login("den", secret=OTHER)

    async def test_a_change_is_of_what_it_was_allowed_for(self) -> None:
        await self.begin_lossy()
        await self.add("den", "private")
        token = await self.login("den")
        self.passwords.held = True
        late = self.begin("PUT", "/chats/2", change("mine", PASSWORD), token)
        self.passwords.held = False
        # Somebody else has given the room another password, for which no token is.
        old = await self.kept(2)
        new = replace(old, password=f"1${OTHER}", generation=5)
        await self.other.replace_room(old, new)
        await self.lose("before", "POST", "/chats", change("nothing"))
        await self.ask_something()
        self.passwords.let_go()
        self.assertEqual(fault(await late), BUSY)
        self.assertEqual(await self.kept(2), new)
        await self.login("den", secret=OTHER)
        found = await self.faults("PUT", "/chats/2", change("mine", PASSWORD), token)
        self.assertEqual(found, (403, 403, "token"))

    async def test_one_behind_a_lost_change_makes_its_own_of_nothing_old(self) -> None:
        await self.begin_lossy()
        await self.add("den", "private")
        token = await self.login("den")
        self.passwords.held = True
        self.lossy.lost = "after"
        first = self.begin("PUT", "/chats/2", change("den", OTHER), token)
        second = self.begin("PUT", "/chats/2", change("mine", PASSWORD), token)
        third = self.begin("DELETE", "/chats/2", token=token)
        self.passwords.let_go()
        self.assertEqual(fault(await first), BUSY)
        self.lossy.lost = ""
        answers = await gatherResults([second, third])
        self.assertNotIn(200, [one.status for one in answers])
        await self.login("den", secret=OTHER)
        self.assertEqual((await self.kept(2)).title, "den")

    async def test_a_room_that_is_read_before_its_maker_hears_of_it(self) -> None:
        await self.begin_lossy()
        adding = self.lossy.hold("add_room")
        making = self.begin("POST", "/chats", change("den"))
        await adding.done
        await self.lose("before", "POST", "/chats", change("nothing"))
        await self.ask_something()
        peer = self.open("den")
        adding.go_on.callback(None)
        self.assertEqual(said(await making)["id"], 2)
        self.assertEqual(await self.titles(), ["Public Chat", "den"])
        # It is one and the same.
        await self.ask("DELETE", "/chats/2", token=ADMIN)
        self.assertEqual(peer.closed_for, ROOM_GONE)

    async def test_a_change_that_is_read_before_its_maker_hears_of_it(self) -> None:
        await self.begin_lossy()
        await self.add("den", "private")
        token = await self.login("den")
        old = self.open("den", token)
        replacing = self.lossy.hold("replace_room")
        changing = self.begin("PUT", "/chats/2", change("club", OTHER), token)
        await replacing.done
        await self.lose("before", "POST", "/chats", change("nothing"))
        await self.ask_something()
        self.assertEqual(old.closed_for, NEW_PASSWORD)
        new = self.open("club", await self.login("club", secret=OTHER))
        replacing.go_on.callback(None)
        self.assertEqual(said(await changing)["title"], "club")
        self.assertIsNone(new.closed_for)
        self.assertEqual(await self.titles(), ["Public Chat", "club"])

    async def test_a_deletion_that_is_read_before_its_maker_hears_of_it(self) -> None:
        await self.begin_lossy()
        await self.add("den")
        removing = self.lossy.hold("remove_room")
        deleting = self.begin("DELETE", "/chats/2", token=ADMIN)
        await removing.done
        await self.lose("before", "POST", "/chats", change("nothing"))
        await self.ask_something()
        self.assertEqual(await self.add("den"), 3)
        removing.go_on.callback(None)
        self.assertEqual((await deleting).status, 200)
        self.assertEqual(said(await self.ask("GET", "/chats/den"))["id"], 3)

    async def test_another_deletes_what_was_changed_a_moment_ago(self) -> None:
        await self.begin_lossy()
        await self.add("den")
        peer = self.open("den")
        replacing = self.lossy.hold("replace_room")
        changing = self.begin("PUT", "/chats/2", change("club"), ADMIN)
        await replacing.done
        await self.other.remove_room(2)
        await self.lose("before", "POST", "/chats", change("nothing"))
        await self.ask_something()
        self.assertEqual(peer.closed_for, ROOM_GONE)
        replacing.go_on.callback(None)
        self.assertEqual(fault(await changing), (404, 101, "2"))
        for key in "2", "den", "club":
            self.assertEqual(await self.faults("GET", f"/chats/{key}"), (404, 101, key))
        self.assertEqual(await self.add("club"), 3)
