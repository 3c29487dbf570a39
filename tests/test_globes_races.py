# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Requests to Globes that meet each other, or a server that cannot answer now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from chatmux.door import Answer
from chatmux.errors import StoreError
from chatmux.model import Room
from chatmux.protocols.globes.admission import MOST_OF_ONE
from chatmux.protocols.globes.rooms import NEW_PASSWORD, ROOM_GONE
from tests.globes_doubles import ADMIN, PASSWORD, GlobesCase, fault, said
from tests.store_contract import plain

OTHER = "battery staple"


def change(title: str, password: str | None = None) -> dict[str, Any]:
    if password is None:
        return {"title": title, "visibility": "public"}
    return {"title": title, "visibility": "private", "password": password}


async def all_of(answers: Iterable[Deferred[Answer]]) -> list[Answer]:
    return await gatherResults(list(answers))


class RaceTests(GlobesCase):
    async def test_two_changes_are_done_one_after_the_other(self) -> None:
        await self.start()
        answers = await all_of(
            self.begin("PUT", "/chats/1", change(title), ADMIN)
            for title in ("ab", "cd")
        )
        self.assertEqual([said(one)["title"] for one in answers], ["ab", "cd"])
        self.assertEqual(said(await self.ask("GET", "/chats/cd"))["id"], 1)
        self.assertEqual(await self.faults("GET", "/chats/ab"), (404, 101, "ab"))
        first, second = (said(one)["updatedAt"] for one in answers)
        self.assertLess(first, second)

    async def test_whoever_asked_by_the_old_title_is_too_late(self) -> None:
        await self.start()
        await self.add("den")
        answers = await all_of(
            self.begin("PUT", "/chats/den", change(title), ADMIN)
            for title in ("club", "bar")
        )
        self.assertEqual(answers[0].status, 200)
        self.assertEqual(fault(answers[1]), (404, 101, "den"))
        self.assertEqual((await self.kept(2)).title, "club")

    async def test_two_rooms_do_not_get_one_title(self) -> None:
        await self.start()
        await self.add("den")
        answers = await all_of(
            self.begin("PUT", f"/chats/{number}", change("Bar"), ADMIN)
            for number in (1, 2)
        )
        self.assertEqual(sorted(one.status for one in answers), [200, 400])
        [refused] = [one for one in answers if one.status == 400]
        self.assertEqual(fault(refused), (400, 102, "title"))
        titles = [room.title for room in await self.store.rooms()]
        self.assertEqual(titles.count("Bar"), 1)

    async def test_a_room_is_deleted_once(self) -> None:
        await self.start()
        await self.add("den")
        answers = await all_of(
            self.begin("DELETE", "/chats/2", token=ADMIN) for _ in range(3)
        )
        self.assertEqual(sorted(one.status for one in answers), [200, 404, 404])

    async def test_a_change_that_waits_behind_a_deletion_finds_nothing(self) -> None:
        await self.start()
        await self.add("den")
        peer = self.open("den")
        gone, changed = await all_of(
            [
                self.begin("DELETE", "/chats/2", token=ADMIN),
                self.begin("PUT", "/chats/2", change("club"), ADMIN),
            ]
        )
        self.assertEqual(gone.status, 200)
        self.assertEqual(fault(changed), (404, 101, "2"))
        self.assertEqual(peer.closed_for, ROOM_GONE)
        self.assertEqual(len(await self.store.rooms()), 1)

    async def test_a_title_that_is_anothers_by_then_means_the_other(self) -> None:
        await self.start()
        await self.add("den")
        self.passwords.held = True
        first = self.begin("PUT", "/chats/den", change("bar"), ADMIN)
        slow = self.begin("PUT", "/chats/2", change("bar", PASSWORD), ADMIN)
        late = self.begin("PUT", "/chats/den", change("club"), ADMIN)
        self.assertEqual((await first).status, 200)
        self.assertEqual(await self.add("den"), 3)
        self.passwords.let_go()
        self.assertEqual((await slow).status, 200)
        self.assertEqual(said(await late)["id"], 3)
        self.assertEqual((await self.kept(2)).title, "bar")

    async def test_a_token_that_ends_while_it_waits_changes_nothing(self) -> None:
        await self.start()
        await self.add("den", "private")
        token = await self.login("den")
        self.passwords.held = True
        first = self.begin("PUT", "/chats/2", change("den", OTHER), token)
        second = self.begin("PUT", "/chats/2", change("mine", PASSWORD), token)
        third = self.begin("DELETE", "/chats/2", token=token)
        self.passwords.let_go()
        self.assertEqual((await first).status, 200)
        self.assertEqual(fault(await second), (403, 403, "token"))
        self.assertEqual(fault(await third), (403, 403, "token"))
        await self.login("den", secret=OTHER)

    async def test_a_password_that_changes_while_it_is_checked_opens_nothing(
        self,
    ) -> None:
        await self.start()
        await self.add("den", "private")
        token = await self.login("den")
        self.passwords.held = True
        late = Deferred.fromCoroutine(self.ask_token("den", "eve"))
        # Goes ahead of it.
        self.passwords.held = False
        await self.ask("PUT", "/chats/2", change("den", OTHER), token)
        self.passwords.let_go()
        self.assertEqual(fault(await late), (401, 304, "secret"))

    async def test_a_room_opened_to_all_while_a_password_is_checked(self) -> None:
        await self.start()
        await self.add("den", "private")
        token = await self.login("den")
        self.passwords.held = True
        late = Deferred.fromCoroutine(self.ask_token("den", "eve"))
        self.passwords.held = False
        await self.ask("PUT", "/chats/2", change("den"), token)
        self.passwords.let_go()
        self.assertEqual(fault(await late), (401, 304, "secret"))

    async def test_a_room_deleted_while_its_password_is_checked_is_gone(self) -> None:
        await self.start()
        await self.add("den", "private")
        token = await self.login("den")
        self.passwords.held = True
        late = Deferred.fromCoroutine(self.ask_token("den", "eve"))
        await self.ask("DELETE", "/chats/2", token=token)
        self.passwords.let_go()
        self.assertEqual(fault(await late), (404, 101, "den"))

    async def test_an_open_room_gets_a_password_while_somebody_connects(self) -> None:
        await self.start()
        await self.add("den")
        begun = self.begin("PUT", "/chats/2", change("den", PASSWORD), ADMIN)
        # Not yet kept, so it is still public.
        peer = self.open("den")
        await begun
        self.assertIsNotNone(peer.closed_for)


class AnotherNodeTests(GlobesCase):
    """What another server of the same store has done, and this one does not know."""

    async def test_a_title_that_it_has_given_is_taken(self) -> None:
        await self.start()
        await self.store.add_room(plain("den"))
        found = await self.faults("POST", "/chats", change("DEN"))
        self.assertEqual(found, (400, 102, "title"))
        found = await self.faults("PUT", "/chats/1", change("DEN"), ADMIN)
        self.assertEqual(found, (400, 102, "title"))
        # As it was: also in memory.
        self.assertEqual(
            said(await self.ask("GET", "/chats/1"))["title"], "Public Chat"
        )
        self.assertEqual(await self.add("bar"), 3)

    async def test_a_room_that_it_has_deleted_is_not_changed(self) -> None:
        await self.start()
        await self.add("den")
        peer = self.open("den")
        await self.store.remove_room(2)
        found = await self.faults("PUT", "/chats/2", change("bar"), ADMIN)
        self.assertEqual(found, (404, 101, "2"))
        # From now on it is known.
        found = await self.faults("PUT", "/chats/2", change("bar"), ADMIN)
        self.assertEqual(found, (404, 101, "2"))
        self.assertEqual(await self.faults("GET", "/chats/den"), (404, 101, "den"))
        self.assertEqual(peer.closed_for, ROOM_GONE)
        self.assertEqual(await self.add("den"), 3)

    async def test_a_room_that_it_has_changed_is_not_changed_back(self) -> None:
        await self.start()
        await self.add("den")
        peer = self.open("den")
        old = await self.kept(2)
        protected: dict[str, Any] = {
            "visibility": "private",
            "password": "1$other",
            "generation": 5,
        }
        new = replace(old, title="club", **protected)
        await self.store.replace_room(old, new)
        found = await self.faults("PUT", "/chats/2", change("den"), ADMIN)
        self.assertEqual(found, (503, 503, ""))
        self.assertEqual(await self.kept(2), new)
        found = await self.faults("PUT", "/chats/2", change("den"), ADMIN)
        self.assertEqual(found, (403, 403, "token"))
        self.assertEqual(peer.closed_for, NEW_PASSWORD)
        self.assertEqual(await self.faults("GET", "/chats/den"), (404, 101, "den"))
        await self.login("club", secret="other")

    async def test_both_have_the_same_key(self) -> None:
        await self.start(secret_key=None)
        await self.add("den", "private")
        token = await self.login("den")
        await self.start(secret_key=None, again=True)
        self.open("den", token)


class UnableTests(GlobesCase):
    def assert_busy(self, answer: Answer) -> None:
        self.assertEqual(answer.status, 503)
        self.assertEqual(
            answer.body,
            b'{"status":false,"error":{"code":503,"error":"Server error: Try again '
            b'later"}}',
        )
        self.assertEqual(dict(answer.headers)["Retry-After"], "1")

    async def test_without_the_store_nothing_is_changed_and_all_is_read(self) -> None:
        await self.start()
        await self.add("den", "private")
        token = await self.login("den")
        peer = self.open("den", token)
        listed = (await self.ask("GET", "/chats")).body
        await self.store.close()
        for method, path, body in (
            ("POST", "/chats", change("bar")),
            ("POST", "/chats", change("bar", OTHER)),
            ("PUT", "/chats/2", change("bar", OTHER)),
            ("DELETE", "/chats/2", None),
        ):
            self.assert_busy(await self.ask(method, path, body, token))
        self.assertEqual((await self.ask("GET", "/chats")).body, listed)
        self.assertEqual(await self.faults("GET", "/chats/bar"), (404, 101, "bar"))
        self.assertIsNone(peer.closed_for)
        self.open("den", await self.login("den"))
        await self.store.open()
        answer = await self.ask("PUT", "/chats/2", change("bar", OTHER), token)
        self.assertEqual(answer.status, 200)

    async def test_what_a_failing_store_has_done_after_all_is_found(self) -> None:
        await self.start()
        await self.add("den")
        peer = self.open("den")
        add, remove = self.store.add_room, self.store.remove_room

        async def added_and_lost(room: Room) -> Room:
            await add(room)
            raise StoreError("the connection was lost")

        async def removed_and_lost(room_id: int) -> None:
            await remove(room_id)
            raise StoreError("the connection was lost")

        self.store.add_room = added_and_lost  # type: ignore[method-assign]
        self.store.remove_room = removed_and_lost  # type: ignore[method-assign]
        self.assert_busy(await self.ask("POST", "/chats", change("bar")))
        self.assert_busy(await self.ask("DELETE", "/chats/2", token=ADMIN))
        self.store.add_room, self.store.remove_room = add, remove  # type: ignore[method-assign]
        found = await self.faults("POST", "/chats", change("bar"))
        self.assertEqual(found, (400, 102, "title"))
        self.assertEqual(said(await self.ask("GET", "/chats/bar"))["id"], 3)
        self.assertEqual(await self.faults("GET", "/chats/2"), (404, 101, "2"))
        self.assertEqual(peer.closed_for, ROOM_GONE)

    async def test_one_address_has_so_many_requests_waiting(self) -> None:
        await self.start()
        self.passwords.held = True
        wishes = [change(f"room {n}", PASSWORD) for n in range(MOST_OF_ONE + 1)]
        begun = [self.begin("POST", "/chats", wish) for wish in wishes[1:]]
        self.assert_busy(await self.ask("POST", "/chats", wishes[0]))
        self.assertEqual((await self.ask("GET", "/chats")).status, 200)
        self.passwords.held = False
        for host in "192.0.2.2", "127.0.0.1", "local":
            answer = await self.ask("POST", "/chats", change(host), host=host)
            self.assertEqual(answer.status, 201)
        self.passwords.let_go()
        self.assertEqual({(await one).status for one in begun}, {201})
        answer = await self.ask("POST", "/chats", wishes[0])
        self.assertEqual(answer.status, 201)

    async def test_where_too_many_passwords_wait_the_request_may_come_again(
        self,
    ) -> None:
        await self.start(wrong_passwords=1)
        await self.add("den", "private")
        token = await self.login("den")
        self.passwords.busy = True
        self.assert_busy(await self.ask("POST", "/chats", change("bar", OTHER)))
        self.assert_busy(await self.ask("PUT", "/chats/2", change("bar", OTHER), token))
        for secret in PASSWORD, OTHER:
            self.assert_busy(await self.ask_token("den", secret=secret))
            self.assert_busy(await self.ask_token("none", secret=secret))
        self.passwords.busy = False
        # What was not looked at was not wrong.
        await self.login("den")
        self.assertEqual((await self.kept(2)).title, "den")
