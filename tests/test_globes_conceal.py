# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Hidden rooms that nobody is to find out about, with ``conceal-hidden-rooms``.

Two servers are asked the same, of which one has such a room: byte for byte, and work
for work, the answers have to be the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from chatmux.door import Answer, Upgrade
from chatmux.protocols import globes
from chatmux.protocols.globes.tokens import Tokens
from tests.globes_doubles import (
    ADMIN,
    KEY,
    PASSWORD,
    ROOM,
    START,
    GlobesCase,
    fault,
    said,
)

NUMBER = 7_000_000_000_000_001
WRONG = "battery staple"
TITLE = "De\u0144"
WRITTEN = ("De%C5%84", "DE%C5%83", "%20den%CC%81", "D%D0%B5%E2%80%8B%C5%84")
"""The title in four ways, of which the last only looks the same."""


class ConcealCase(GlobesCase):
    async def conceal(self, with_room: bool = True) -> None:
        """Begin to serve, with a room that is not hidden, and perhaps one that is."""
        await self.start(conceal_hidden_rooms=True)
        self.assertEqual(await self.add("club", "private"), 2)
        if with_room:
            self.number = await self.add(TITLE, "hidden")

    def wish(self, title: str = TITLE, visibility: str = "hidden") -> dict[str, str]:
        wish = {"title": title, "visibility": visibility}
        return wish if visibility == "public" else {**wish, "password": WRONG}


class SameTests(ConcealCase):
    async def conceal(self, with_room: bool = True) -> None:
        # Of the other room's password, of this one's, and of this one.
        numbers = count(NUMBER - 2)
        self.patch(globes, "_random_id", lambda: next(numbers))
        await super().conceal(with_room)

    def count_work(self) -> list[str]:
        """Return a list of the tokens that are looked at from now on."""
        looked_at: list[str] = []
        read = Tokens.read

        def counted(tokens: Tokens, token: str) -> Any:
            looked_at.append(token)
            return read(tokens, token)

        self.patch(Tokens, "read", counted)
        return looked_at

    async def compare(
        self, asked: Sequence[tuple[str, str, object, str | None]]
    ) -> None:
        """Ask both servers: method, path, body and token of each."""
        looked_at = self.count_work()
        both = []
        for with_room in True, False:
            await self.conceal(with_room)
            heard = []
            for method, path, body, token in asked:
                work: Any = (looked_at, self.passwords.verified, self.passwords.hashed)
                before = [len(one) for one in work]
                if method == "WS":
                    answer: Any = self.globes.upgrade(
                        self.request("GET", path, body, token)
                    )
                else:
                    answer = await self.ask(method, path, body, token)
                done = [
                    len(one) - count for one, count in zip(work, before, strict=True)
                ]
                heard.append((method, path, token, answer, done))
            both.append(heard)
        for one, other in zip(*both, strict=True):
            self.assertEqual(one, other)

    def tokens_of_others(self) -> list[str | None]:
        """List what may be shown that is not the room's token."""
        own = Tokens(KEY.encode(), lambda: START, 1e6)
        forged = Tokens(KEY[::-1].encode(), lambda: START, 1e6)
        old = Tokens(KEY.encode(), lambda: START - 3600, 1e6)
        room = replace(ROOM, id=NUMBER, generation=NUMBER - 1)
        return [
            None,
            "garbage",
            ADMIN,
            forged.make(room, "ann"),
            old.make(room, "ann"),
            own.make(replace(room, id=2), "ann"),
            own.make(replace(room, generation=NUMBER), "ann"),
            own.make(replace(room, generation=NUMBER - 2), "ann"),
        ]

    async def test_every_route_answers_as_if_it_were_not_there(self) -> None:
        asked: list[tuple[str, str, object, str | None]] = []
        for key in (*WRITTEN, f"{NUMBER}", f"0{NUMBER}"):
            for token in self.tokens_of_others():
                path = f"/chats/{key}"
                asked += [
                    ("GET", path, None, token),
                    ("PUT", path, self.wish(), token),
                    ("PUT", path, self.wish(visibility="public"), token),
                    ("PUT", path, b"x", token),
                    ("DELETE", path, None, token),
                    ("PATCH", path, None, token),
                    ("POST", f"{path}/token", None, token),
                    ("POST", f"{path}/token", {"name": "ann"}, token),
                    ("GET", f"{path}/token", None, token),
                    ("GET", f"{path}/token/renew", None, token),
                    ("GET", f"{path}/ws", None, token),
                    ("WS", f"{path}/ws", None, token),
                    ("GET", f"{path}/", None, token),
                ]
        await self.compare(asked)

    async def test_the_token_that_is_missing_would_be_good(self) -> None:
        # Or else those above would be refused for another reason.
        await self.conceal()
        token = self.tokens.make(replace(ROOM, id=NUMBER, generation=NUMBER - 1), "ann")
        self.assertEqual(
            (await self.ask("GET", f"/chats/{NUMBER}", token=token)).status, 200
        )

    async def test_the_list_is_the_same(self) -> None:
        await self.compare(
            [("GET", "/chats", None, one) for one in self.tokens_of_others()]
        )
        await self.conceal()
        token = await self.login(TITLE)
        for accept in "*/*", "text/html":
            answer = await self.ask("GET", "/chats", token=token, accept=accept)
            self.assertNotIn(str(self.number), answer.body.decode())
            self.assertNotIn(TITLE, answer.body.decode())

    async def test_wrong_passwords_are_the_same(self) -> None:
        wrong = {"name": "ann", "secret": WRONG}
        for key in (*WRITTEN, NUMBER):
            path = f"/chats/{key}/token"
            await self.compare([("POST", path, wrong, None)] * 12)
            self.assertEqual(len(self.passwords.verified), 10)
        # Whichever way it is written.
        await self.compare(
            [("POST", f"/chats/{key}/token", wrong, None) for key in WRITTEN * 5]
        )
        self.assertEqual(len(self.passwords.verified), 10)
        # And by the number, which nobody is to find out to be of that title.
        await self.compare(
            [
                ("POST", f"/chats/{key}/token", wrong, None)
                for key in (WRITTEN[0], NUMBER) * 12
            ]
        )
        self.assertEqual(len(self.passwords.verified), 20)

    async def test_a_wrong_password_is_answered_like_no_room(self) -> None:
        await self.conceal()
        for _ in range(10):
            answer = await self.ask_token(TITLE, secret=WRONG)
            self.assertEqual(fault(answer), (404, 101, TITLE))
        for secret in WRONG, PASSWORD:
            answer = await self.ask_token(TITLE, secret=secret)
            self.assertEqual(fault(answer), (429, 304, "secret"))

    async def test_its_title_is_free_for_others(self) -> None:
        await self.compare(
            [
                ("POST", "/chats", self.wish(TITLE.upper(), "private"), None),
                ("GET", f"/chats/{WRITTEN[0]}", None, None),
                ("POST", "/chats", self.wish(visibility="public"), None),
                ("POST", "/chats", {"title": TITLE}, None),
                ("GET", "/chats", None, None),
            ]
        )
        await self.compare(
            [
                ("PUT", "/chats/1", self.wish(visibility="public"), ADMIN),
                ("GET", f"/chats/{WRITTEN[0]}", None, None),
                ("DELETE", "/chats/2", None, ADMIN),
                ("GET", "/chats", None, None),
            ]
        )
        await self.compare(
            [
                ("POST", "/chats", {"title": "x" * 9, "visibility": "public"}, None),
                ("POST", "/chats", self.wish("y" * 9, "private"), None),
            ]
        )

    async def test_a_title_that_looks_like_it_is_free_for_others(self) -> None:
        alike = "D\u0435\u0144\u200b"
        await self.compare(
            [
                ("POST", "/chats", self.wish(alike, "public"), None),
                ("GET", f"/chats/{WRITTEN[0]}", None, None),
                ("POST", "/chats", self.wish(TITLE, "private"), None),
                ("PUT", "/chats/3", self.wish(TITLE, "public"), ADMIN),
            ]
        )

    async def test_after_too_many_rooms_its_title_is_like_any_other(self) -> None:
        await self.start(conceal_hidden_rooms=True, new_rooms_per_hour=1)
        await self.add(TITLE, "hidden")
        answers = [
            await self.ask("POST", "/chats", self.wish(title, visibility))
            for title in (TITLE, "Nowhere")
            for visibility in ("hidden", "public")
        ]
        self.assertEqual(answers[0].status, 429)
        self.assertEqual(answers, answers[:1] * 4)

    async def test_another_hidden_room_may_have_it_too(self) -> None:
        await self.conceal()
        answer = await self.ask("POST", "/chats", self.wish())
        self.assertEqual(answer.status, 201)
        second = said(answer)["id"]
        # By the title the older one is meant, by the id each.
        token = await self.login(TITLE)
        self.assertEqual(self.tokens.read(token).room_id, self.number)
        other = await self.login(second, secret=WRONG)
        for number, one in (self.number, token), (second, other):
            for key in WRITTEN[0], number:
                told = said(await self.ask("GET", f"/chats/{key}", token=one))
                self.assertEqual(told["id"], number)

    async def test_a_busy_server_does_not_tell(self) -> None:
        answers = []
        for with_room in True, False:
            await self.conceal(with_room)
            self.passwords.busy = True
            answers.append(await self.ask_token(TITLE, secret=WRONG))
        self.assertEqual(answers[0].status, 503)
        self.assertEqual(answers[0], answers[1])


class WithTokenTests(ConcealCase):
    async def test_with_its_token_it_is_a_room_like_others(self) -> None:
        await self.conceal()
        for key in (*WRITTEN, str(self.number)):
            answer = await self.ask(
                "POST", f"/chats/{key}/token", {"name": "ann", "secret": PASSWORD}
            )
            self.assertEqual(answer.status, 201)
            self.assertEqual(said(answer)["room_id"], self.number)
            token = said(answer)["token"]
            path = f"/chats/{key}"
            told = said(await self.ask("GET", path, token=token))
            self.assertEqual((told["title"], told["id"]), (TITLE, self.number))
            renewed = await self.ask("GET", f"{path}/token/renew", token=token)
            self.assertEqual(renewed.status, 201)
            plain = await self.ask("GET", f"{path}/ws", token=token)
            self.assertEqual(plain.status, 400)
            request = self.request("GET", f"{path}/ws", sec_websocket_protocol=token)
            upgrade = self.globes.upgrade(request)
            assert isinstance(upgrade, Upgrade)
            self.assertEqual(upgrade.subprotocol, token)
            change = {"title": TITLE, "visibility": "hidden", "description": key}
            changed = await self.ask("PUT", path, change, token)
            self.assertEqual(said(changed)["description"], key)
        self.assertEqual((await self.ask("DELETE", path, token=token)).status, 200)
        self.assertEqual(await self.faults("GET", path, token=token), (404, 101, key))

    async def test_a_right_password_without_a_name_gets_no_token(self) -> None:
        await self.conceal()
        answer = await self.ask_token(TITLE, "")
        self.assertEqual(fault(answer), (400, 303, "name"))

    async def test_a_new_password_conceals_it_from_the_holders_of_the_old(self) -> None:
        await self.conceal()
        token = await self.login(TITLE)
        path = f"/chats/{self.number}"
        await self.ask("PUT", path, self.wish(), token)
        for method in "GET", "PUT", "DELETE":
            found = await self.faults(method, path, token=token)
            self.assertEqual(found, (404, 101, str(self.number)))
        self.assertIsInstance(self.upgrade(self.number, token), Answer)

    async def test_a_room_becomes_concealed_and_comes_back(self) -> None:
        await self.conceal()
        token = await self.login("club")
        await self.ask(
            "PUT", "/chats/2", {"title": "club", "visibility": "hidden"}, token
        )
        for key in "2", "club":
            self.assertEqual(await self.faults("GET", f"/chats/{key}"), (404, 101, key))
        taken = await self.add("club")
        change = {"title": "club", "visibility": "private"}
        answer = await self.ask("PUT", "/chats/2", change, token)
        self.assertEqual(fault(answer), (400, 102, "title"))
        change["title"] = "bar"
        self.assertEqual((await self.ask("PUT", "/chats/2", change, token)).status, 200)
        self.assertEqual(said(await self.ask("GET", "/chats/bar"))["id"], 2)
        self.assertEqual(said(await self.ask("GET", "/chats/club"))["id"], taken)

    async def test_it_is_concealed_after_a_restart(self) -> None:
        await self.conceal()
        token = await self.login(TITLE)
        await self.start(conceal_hidden_rooms=True, again=True)
        for key in WRITTEN[0], self.number:
            path = f"/chats/{key}"
            self.assertEqual((await self.ask("GET", path)).status, 404)
            self.assertEqual((await self.ask("GET", path, token=token)).status, 200)
        self.assertEqual(await self.add(TITLE), 3)

    async def test_one_from_before_is_concealed_from_now_on(self) -> None:
        await self.start()
        await self.add(TITLE, "hidden")
        token = await self.login(TITLE)
        await self.start(conceal_hidden_rooms=True, again=True)
        for key in WRITTEN[0], "2":
            self.assertEqual((await self.ask("GET", f"/chats/{key}")).status, 404)
        # Nor is its title taken.
        self.assertEqual(await self.add(TITLE), 3)
        self.assertEqual((await self.ask("GET", "/chats/2", token=token)).status, 200)

    async def test_concealed_no_longer_it_is_found(self) -> None:
        await self.conceal()
        public = await self.add(TITLE)
        await self.start(again=True)
        found = said(await self.ask("GET", f"/chats/{self.number}"))
        self.assertEqual(found["title"], TITLE)
        # The title stays with the room that had it.
        found = said(await self.ask("GET", f"/chats/{WRITTEN[0]}"))
        self.assertEqual(found["id"], public)


class NumberTests(ConcealCase):
    async def test_its_number_is_no_next_one(self) -> None:
        await self.conceal()
        more = [await self.add(f"{TITLE}{at}", "hidden") for at in range(5)]
        self.assertEqual(len({self.number, *more}), 6)
        for number in self.number, *more:
            self.assertTrue((1 << 32) <= number < (1 << 53), number)
        self.assertEqual(await self.add("bar"), 3)

    async def test_numbers_are_random(self) -> None:
        numbers = [globes._random_id() for _ in range(1000)]
        self.assertEqual(len(set(numbers)), 1000)
        self.assertTrue(all((1 << 32) <= one < (1 << 53) for one in numbers))
        for bit in range(52):
            ones = sum(number >> bit & 1 for number in numbers)
            self.assertTrue(300 < ones < 700, (bit, ones))

    async def test_without_concealing_it_is_the_next_one(self) -> None:
        await self.start()
        self.assertEqual(await self.add("den", "hidden"), 2)
