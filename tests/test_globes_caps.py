# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""How many rooms there may be, how many may be made, and how often one may guess."""

from __future__ import annotations

from typing import Any

from chatmux.door import Answer
from chatmux.model import Member
from tests.globes_doubles import ADMIN, PASSWORD, GlobesCase, fault, said

ELSEWHERE = "192.0.2.200"
WRONG = "not-the-admins"
HALL = {"title": "hall", "visibility": "public"}


def retry(answer: Answer) -> int:
    """Return after how many seconds it may be tried again."""
    return int(dict(answer.headers)["Retry-After"])


class CapsCase(GlobesCase):
    async def make(self, title: str, **how: Any) -> Answer:
        wish = {"title": title, "visibility": "public"}
        return await self.ask("POST", "/chats", wish, **how)


class RoomsTests(CapsCase):
    async def test_no_more_rooms_are_made_than_there_may_be(self) -> None:
        await self.start(max_rooms=3)
        for title in "one", "two":
            self.assertEqual((await self.make(title)).status, 201)
        for host in ELSEWHERE, "127.0.0.1":
            answer = await self.make("three", host=host)
            self.assertEqual(fault(answer), (503, 503, ""))
            self.assertGreater(retry(answer), 0)
        self.assertEqual(len(said(await self.ask("GET", "/chats"))), 3)

    async def test_a_deletion_makes_room(self) -> None:
        await self.start(max_rooms=2)
        await self.make("one")
        await self.ask("DELETE", "/chats/one", token=ADMIN)
        self.assertEqual((await self.make("two")).status, 201)

    async def test_those_that_are_there_already_stay(self) -> None:
        await self.start()
        for title in "one", "two":
            await self.make(title)
        await self.start(again=True, max_rooms=1)
        self.assertEqual(len(said(await self.ask("GET", "/chats"))), 3)
        wish = {"title": "new", "visibility": "public"}
        answer = await self.ask("PUT", "/chats/one", wish, ADMIN)
        self.assertEqual(answer.status, 200)
        self.assertEqual(fault(await self.make("three"))[0], 503)

    async def test_what_is_wrong_otherwise_is_said_first(self) -> None:
        await self.start(max_rooms=1, new_rooms_per_hour=1)
        self.assertEqual(fault(await self.make("Public Chat")), (400, 102, "title"))
        self.assertEqual(fault(await self.make("x")), (400, 105, "title"))

    async def test_a_room_has_so_many_members(self) -> None:
        await self.start()
        self.broker._gate._max_members = 2
        peers = [self.open(1), self.open(1)]
        answer = self.upgrade(1)
        assert isinstance(answer, Answer)
        self.assertEqual(fault(answer), (503, 503, ""))
        self.assertEqual(retry(answer), 1)
        peers[0].lose()
        self.open(1)


class QuotaTests(CapsCase):
    async def test_one_address_may_make_so_many_in_an_hour(self) -> None:
        await self.start(new_rooms_per_hour=2)
        for title in "one", "two":
            self.assertEqual((await self.make(title)).status, 201)
        self.clock.advance(100)
        answer = await self.make("three")
        self.assertEqual(fault(answer), (429, 429, ""))
        self.assertEqual(retry(answer), 3500)
        self.assertEqual((await self.make("four", host=ELSEWHERE)).status, 201)
        self.clock.advance(3500)
        self.assertEqual((await self.make("three")).status, 201)

    async def test_this_machine_may_make_any_number(self) -> None:
        await self.start(new_rooms_per_hour=1)
        for number in range(4):
            for host in "127.0.0.1", "local":
                answer = await self.make(f"{host} {number}", host=host)
                self.assertEqual(answer.status, 201)

    async def test_what_is_refused_does_not_count(self) -> None:
        await self.start(new_rooms_per_hour=1)
        for _ in range(3):
            await self.make("x")
            await self.make("Public Chat")
        self.assertEqual((await self.make("one")).status, 201)

    async def test_what_may_cost_a_hash_counts_before_it(self) -> None:
        await self.start(new_rooms_per_hour=3)
        self.passwords.held = True
        wishes = [
            {"title": f"den {n}", "visibility": "private", "password": PASSWORD}
            for n in range(5)
        ]
        asked = [self.begin("POST", "/chats", wish) for wish in wishes]
        self.passwords.let_go()
        statuses = [(await one).status for one in asked]
        self.assertEqual(sorted(statuses), [201, 201, 201, 429, 429])


class GuessTests(CapsCase):
    async def change(self, token: str, **how: Any) -> Answer:
        return await self.ask("PUT", "/chats/hall", HALL, token, **how)

    async def guess(self, times: int, **how: Any) -> None:
        for _ in range(times):
            answer = await self.change(WRONG, **how)
            self.assertEqual(fault(answer), (403, 403, "token"))

    async def begin_guessing(self) -> None:
        await self.start()
        await self.make("hall")

    async def test_ten_wrong_admin_tokens_a_minute_are_looked_at(self) -> None:
        await self.begin_guessing()
        await self.guess(10)
        for token in WRONG, ADMIN:
            answer = await self.change(token)
            self.assertEqual(fault(answer), (429, 403, "token"))
            self.assertEqual(retry(answer), 60)
        answer = await self.ask("DELETE", "/chats/hall", token=ADMIN)
        self.assertEqual(answer.status, 429)
        self.clock.advance(60.1)
        self.assertEqual((await self.change(ADMIN)).status, 200)

    async def test_others_are_not_held_to_it(self) -> None:
        await self.begin_guessing()
        await self.guess(10)
        self.assertEqual((await self.change(ADMIN, host=ELSEWHERE)).status, 200)

    async def test_a_network_of_ipv6_is_one_address(self) -> None:
        await self.begin_guessing()
        for number in range(10):
            await self.guess(1, host=f"2001:db8::{number:x}")
        answer = await self.change(ADMIN, host="2001:db8::ffff")
        self.assertEqual(answer.status, 429)

    async def test_right_ones_do_not_count(self) -> None:
        await self.begin_guessing()
        for _ in range(12):
            self.assertEqual((await self.change(ADMIN)).status, 200)

    async def test_nor_do_none_and_the_tokens_of_rooms(self) -> None:
        await self.begin_guessing()
        await self.add("den", "private")
        token = await self.login("den")
        for _ in range(12):
            self.assertEqual((await self.change(token)).status, 403)
            answer = await self.ask("PUT", "/chats/hall", HALL)
            self.assertEqual(answer.status, 403)
        self.assertEqual((await self.change(ADMIN)).status, 200)

    async def test_everything_else_goes_on(self) -> None:
        await self.begin_guessing()
        await self.guess(10)
        self.assertEqual((await self.make("one")).status, 201)
        self.assertEqual((await self.ask("GET", "/chats/hall")).status, 200)
        self.open("hall")


class ListingTests(CapsCase):
    async def test_who_is_in_a_bridge_is_listed_though_nobody_is_connected(
        self,
    ) -> None:
        await self.start(bridges=[("globes/1", "multichat")])
        self.broker.join("multichat", Member("ann", "multichat", 1, owns_name=False))
        (room,) = said(await self.ask("GET", "/chats"))
        self.assertEqual([user["username"] for user in room["users"]], ["ann"])
