# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Globes' REST routes: rooms that are changed and deleted."""

from __future__ import annotations

from typing import Any

from chatmux.door import Answer
from chatmux.errors import ConfigError
from chatmux.protocols.globes.rooms import NEW_PASSWORD, ROOM_GONE
from tests.globes_doubles import ADMIN, PASSWORD, STARTED, GlobesCase, fault, said

OTHER = "battery staple"


def wish(title: str, visibility: str = "public", **more: Any) -> dict[str, Any]:
    return {"title": title, "visibility": visibility, **more}


class ChangingTests(GlobesCase):
    async def put(
        self, key: int | str, body: object, token: str | None = ADMIN
    ) -> Answer:
        return await self.ask("PUT", f"/chats/{key}", body, token)

    async def is_good(self, key: int, token: str) -> bool:
        """Say whether a token opens a room; all ways to use one agree."""
        renewed = await self.ask("GET", f"/chats/{key}/token/renew", token=token)
        upgrade = self.upgrade(key, token)
        refused = isinstance(upgrade, Answer)
        self.assertEqual(renewed.status == 403, refused)
        if refused:
            self.assertEqual(fault(renewed), (403, 403, "token"))
        return not refused

    async def test_a_room_is_changed(self) -> None:
        await self.start()
        await self.add("den", description="old")
        self.clock.advance(60)
        answer = await self.put("DEN", wish("Club", "Public", description="new"))
        self.assertEqual(answer.status, 200)
        self.assertEqual(
            answer.body.decode(),
            '{"title":"Club","description":"new","visibility":"public",'
            f'"createdAt":"{STARTED}","updatedAt":"2027-01-15T08:01:00.250000Z",'
            '"id":2,"users":[]}',
        )
        self.assertEqual((await self.ask("GET", "/chats/2")).body, answer.body)
        await self.start(again=True)
        self.assertEqual((await self.ask("GET", "/chats/club")).body, answer.body)

    async def test_it_is_found_by_its_new_title_only(self) -> None:
        await self.start()
        await self.add("den")
        await self.put(2, wish("club"))
        self.assertEqual((await self.ask("GET", "/chats/club")).status, 200)
        self.assertEqual(await self.faults("GET", "/chats/den"), (404, 101, "den"))
        self.assertEqual(await self.add("den"), 3)

    async def test_only_the_case_of_a_title_may_change(self) -> None:
        await self.start()
        await self.add("den")
        self.assertEqual(said(await self.put(2, wish("DEN")))["title"], "DEN")

    async def test_a_description_that_is_left_out_is_removed(self) -> None:
        await self.start()
        await self.add("den", description="old")
        self.assertNotIn("description", said(await self.put(2, wish("den"))))

    async def test_each_change_is_later_than_the_one_before(self) -> None:
        await self.start()
        times = [said(await self.put(1, wish("ab")))["updatedAt"] for _ in range(3)]
        self.assertEqual(
            [time[-8:] for time in times], [f".25000{n}Z" for n in (1, 2, 3)]
        )

    async def test_whoever_is_in_a_room_stays_when_it_is_renamed(self) -> None:
        await self.start()
        ann = self.open(1)
        ann.say("join", "ann")
        told = said(await self.put(1, wish("den")))
        self.assertEqual([user["username"] for user in told["users"]], ["ann"])
        ann.hear()
        ann.say("send", "ann", msg="hi")
        self.assertEqual(ann.words(), [("send", "ann", "hi")])
        self.assertIsNone(ann.closed_for)

    async def test_the_faults_are_told_in_their_order(self) -> None:
        await self.start()
        await self.add("den")
        bad = wish("x", "x", description="x" * 71)
        for key, body, token, expected in (
            ("none", b"{", None, (404, 101, "none")),
            ("den", b"{", None, (403, 403, "token")),
            ("den", b"{", "garbage", (403, 403, "token")),
            ("den", b"{", ADMIN, (400, 103, "")),
            ("den", b"[]", ADMIN, (400, 103, "")),
            ("den", bad, ADMIN, (400, 105, "title")),
            ("den", {**bad, "title": "public chat"}, ADMIN, (400, 105, "description")),
            ("den", wish("public chat", "x"), ADMIN, (400, 105, "visibility")),
            ("den", {"title": "public chat"}, ADMIN, (400, 105, "visibility")),
            ("den", wish("public chat", "hidden"), ADMIN, (400, 105, "password")),
            ("den", wish("public chat"), ADMIN, (400, 102, "title")),
        ):
            self.assertEqual(fault(await self.put(key, body, token)), expected)
        self.assertEqual((await self.kept(2)).updated, (await self.kept(2)).created)

    async def test_a_public_room_becomes_private_and_hidden(self) -> None:
        for visibility in "private", "hidden":
            await self.start()
            await self.add("den")
            ann = self.open("den")
            answer = await self.put(2, wish("den", visibility, password=PASSWORD))
            self.assertEqual(said(answer)["visibility"], visibility)
            # Nobody who is there has shown the password.
            self.assertEqual(ann.closed_for, NEW_PASSWORD)
            self.assertEqual(
                await self.faults("GET", "/chats/2/ws"), (403, 403, "token")
            )
            self.assertTrue(await self.is_good(2, await self.login("den")))
            self.assertEqual(fault(await self.put(2, wish("den"))), (403, 403, "token"))

    async def test_a_protected_room_becomes_public(self) -> None:
        for visibility in "private", "hidden":
            await self.start()
            await self.add("den", visibility)
            token = await self.login("den")
            ann = self.open("den", token)
            answer = await self.put(2, wish("den"), token)
            self.assertEqual(said(answer)["visibility"], "public")
            self.assertEqual(ann.closed_for, NEW_PASSWORD)
            self.assertEqual((await self.kept(2)).password, "")
            self.open("den")
            # What the token was good for went with the password.
            self.assertEqual(
                fault(await self.put(2, wish("den"), token)), (403, 403, "token")
            )

    async def test_a_token_does_not_come_back_with_a_password(self) -> None:
        await self.start()
        await self.add("den", "private")
        token = await self.login("den")
        await self.put(2, wish("den"), token)
        await self.put(2, wish("den", "private", password=PASSWORD))
        self.assertFalse(await self.is_good(2, token))

    async def test_a_password_that_is_left_out_stays(self) -> None:
        await self.start()
        await self.add("den", "private")
        token = await self.login("den")
        ann = self.open("den", token)
        for visibility in "hidden", "private", "hidden":
            answer = await self.put(2, wish("den", visibility), token)
            self.assertEqual(said(answer)["visibility"], visibility)
        self.assertIsNone(ann.closed_for)
        self.assertTrue(await self.is_good(2, token))
        self.assertEqual(self.passwords.hashed, [PASSWORD])

    async def test_a_new_password_ends_what_the_old_one_opened(self) -> None:
        await self.start()
        await self.add("den", "private")
        token = await self.login("den")
        ann, bob = self.open("den", token), self.open(1)
        change = wish("den", "private", password=OTHER)
        self.assertEqual((await self.put(2, change, token)).status, 200)
        self.assertEqual(ann.closed_for, NEW_PASSWORD)
        self.assertIsNone(bob.closed_for)
        self.assertFalse(await self.is_good(2, token))
        self.assertEqual(fault(await self.put(2, change, token)), (403, 403, "token"))
        self.assertEqual(fault(await self.ask_token(2)), (401, 304, "secret"))
        self.assertTrue(await self.is_good(2, await self.login(2, secret=OTHER)))
        await self.start(again=True)
        self.assertFalse(await self.is_good(2, token))

    async def test_the_same_password_once_more_is_a_new_one(self) -> None:
        await self.start()
        await self.add("den", "private")
        token = await self.login("den")
        await self.put(2, wish("den", "private", password=PASSWORD), token)
        self.assertFalse(await self.is_good(2, token))

    async def test_a_room_of_a_bridge_stays_public(self) -> None:
        await self.start(bridges=[["globes/2", "machat/a"]])
        await self.add("den")
        for visibility in "private", "hidden":
            answer = await self.put(2, wish("den", visibility, password=PASSWORD))
            self.assertEqual(fault(answer), (400, 105, "visibility"))
        self.assertEqual((await self.put(2, wish("club"))).status, 200)
        self.assertEqual(self.passwords.hashed, [])

    async def test_a_bridge_with_a_password_is_refused_at_the_start(self) -> None:
        await self.start()
        await self.add("den", "private")
        for names in (["globes/2", "machat/a"], ["machat/a", "globes/2"]):
            try:
                await self.start(bridges=[names], again=True)
            except ConfigError as error:
                self.assertEqual(error.path, "bridges")
                self.assertIn("globes/2 is a private room", str(error))
            else:
                self.fail("it was started")
            rooms = await self.store.rooms()
            self.assertRaises(ConfigError, self.globes.check, rooms)
            self.globes.check(rooms[:1])


class PermissionTests(GlobesCase):
    async def test_without_an_admin_token_nobody_may_change_a_public_room(self) -> None:
        await self.start(admin_token=None)
        for token in None, "", "None", ADMIN:
            for method in "PUT", "DELETE":
                found = await self.faults(method, "/chats/1", wish("den"), token)
                self.assertEqual(found, (403, 403, "token"))

    async def test_the_admin_token_is_taken_in_all_the_ways(self) -> None:
        await self.start(admin_token=None)
        for text in "s3cret", "Bearer s3cret", "Any s3cret":
            await self.start(admin_token=self.secret("s3cret"))
            answer = await self.ask("PUT", "/chats/1", wish("den"), authorization=text)
            self.assertEqual(answer.status, 200, text)
        for text in "s3cre", "s3cret0", "S3cret", "s3cret x", "\u00e9":
            answer = await self.ask("PUT", "/chats/1", wish("den"), authorization=text)
            self.assertEqual(fault(answer), (403, 403, "token"), text)

    async def test_the_admin_token_does_not_open_protected_rooms(self) -> None:
        await self.start(open_public_rooms=True)
        await self.add("den", "private")
        for method in "PUT", "DELETE":
            found = await self.faults(method, "/chats/den", wish("den"), ADMIN)
            self.assertEqual(found, (403, 403, "token"))

    async def test_public_rooms_may_be_anybodys(self) -> None:
        await self.start(open_public_rooms=True, admin_token=None)
        answer = await self.ask("PUT", "/chats/1", wish("den"))
        self.assertEqual(said(answer)["title"], "den")
        answer = await self.ask("DELETE", "/chats/1")
        self.assertEqual((answer.status, answer.body), (200, b'{"status":true}'))

    def secret(self, text: str) -> Any:
        from chatmux.settings import Secret

        return Secret(text)


class DeletingTests(GlobesCase):
    async def test_a_room_is_deleted(self) -> None:
        await self.start()
        await self.add("den")
        await self.add("club", "private")
        for key, token in ("den", ADMIN), ("3", await self.login("club")):
            peer = self.open(key, token)
            peer.say("join", "ann")
            bystander = self.open(1)
            answer = await self.ask("DELETE", f"/chats/{key}", token=token)
            self.assertEqual((answer.status, answer.body), (200, b'{"status":true}'))
            self.assertEqual(peer.closed_for, ROOM_GONE)
            self.assertIsNone(bystander.closed_for)
            peer.lose()
            found = await self.faults("DELETE", f"/chats/{key}", token=token)
            self.assertEqual(found, (404, 101, key))
        self.assertEqual(len(await self.store.rooms()), 1)
        self.assertEqual(await self.add("den"), 4)

    async def test_a_token_of_a_room_that_is_gone_opens_no_other(self) -> None:
        await self.start()
        await self.add("den", "private")
        token = await self.login("den")
        await self.ask("DELETE", "/chats/den", token=token)
        await self.add("den", "private")
        found = await self.faults("DELETE", "/chats/den", token=token)
        self.assertEqual(found, (403, 403, "token"))

    async def test_the_default_room_stays(self) -> None:
        await self.start()
        peer = self.open(1)
        answer = await self.ask("DELETE", "/chats/Public%20Chat", token=ADMIN)
        self.assertEqual(
            answer.body,
            b'{"status":false,"error":{"code":403,"error":"Room error: The default '
            b'room stays","field":"id"}}',
        )
        self.assertEqual(answer.status, 403)
        self.assertIsNone(peer.closed_for)
        # Under another title, and with a password, it is the same room.
        change = wish("den", "private", password=PASSWORD)
        await self.ask("PUT", "/chats/1", change, ADMIN)
        token = await self.login("den")
        found = await self.faults("DELETE", "/chats/den", token=token)
        self.assertEqual(found, (403, 403, "id"))
        self.assertEqual(len(await self.store.rooms()), 1)

    async def test_a_default_room_that_was_deleted_does_not_come_back(self) -> None:
        await self.start(open_public_rooms=True)
        await self.ask("DELETE", "/chats/1")
        await self.start(again=True)
        self.assertEqual(await self.faults("GET", "/chats/1"), (404, 101, "1"))
        self.assertEqual(await self.add("Public Chat"), 2)
