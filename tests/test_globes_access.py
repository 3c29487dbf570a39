# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Who is let in, in Globes: wrong passwords over all rooms, and two headers at once."""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.defer import Deferred

from chatmux.door import Answer, Upgrade
from chatmux.protocols.globes.access import ANYWHERE
from chatmux.protocols.globes.session import TOKEN_EXPIRED
from tests.globes_doubles import ADMIN, HERE, PASSWORD, GlobesCase, fault, said

OTHER = "battery staple"
BASIC = "Basic dXNlcjpwYXNz"
THERE = "198.51.100.7"


class AnywhereTests(GlobesCase):
    """Wrong passwords of one address for all rooms together."""

    async def wrong(self, key: str = "den", host: str = HERE) -> int:
        return (await self.ask_token(key, secret=OTHER, host=host)).status

    async def use_up(self, count: int = ANYWHERE, host: str = HERE) -> None:
        """Be wrong once at each of so many rooms that are not there."""
        for number in range(count):
            self.assertEqual(await self.wrong(f"none {number}", host), 404)

    async def test_they_are_six_times_as_many_as_for_one_room(self) -> None:
        await self.start()
        await self.add("den", "private")
        for room in range(6):
            for _ in range(10):
                self.assertEqual(await self.wrong(f"none {room}"), 404)
                self.clock.advance(0.5)
        self.assertEqual(len(self.passwords.verified), 60)
        for secret in OTHER, PASSWORD:
            for key in "den", "none":
                answer = await self.ask_token(key, secret=secret)
                self.assertEqual(fault(answer), (429, 304, "secret"))
                self.assertEqual(dict(answer.headers)["Retry-After"], "30")
        self.assertEqual(len(self.passwords.verified), 60)
        # The first is forgotten, and one more is looked at.
        self.clock.advance(30)
        self.assertEqual(await self.wrong(), 401)
        self.assertEqual(await self.wrong(), 429)
        self.clock.advance(60)
        await self.login("den")

    async def test_a_right_one_does_not_count(self) -> None:
        await self.start(wrong_passwords=1)
        await self.add("den", "private")
        await self.use_up(ANYWHERE - 1)
        for _ in range(3):
            await self.login("den")
        self.assertEqual(await self.wrong(), 401)

    async def test_what_is_not_looked_at_does_not_count(self) -> None:
        await self.start(wrong_passwords=1)
        await self.add("den", "private")
        for _ in range(3 * ANYWHERE):
            await self.wrong("none")
        self.assertEqual(await self.wrong("other"), 404)

    async def test_the_longer_wait_is_told(self) -> None:
        await self.start(wrong_passwords=1)
        await self.add("den", "private")
        await self.use_up(1)
        self.clock.advance(40)
        self.assertEqual(await self.wrong(), 401)
        await self.use_up(0)
        for number in range(ANYWHERE - 2):
            await self.wrong(f"more {number}")
        answer = await self.ask_token("den")
        self.assertEqual(dict(answer.headers)["Retry-After"], "60")
        answer = await self.ask_token("another")
        self.assertEqual(dict(answer.headers)["Retry-After"], "20")

    async def test_a_network_of_ipv6_is_one_address(self) -> None:
        await self.start(wrong_passwords=1)
        await self.add("den", "private")
        for number in range(ANYWHERE):
            host = f"2001:db8::{number + 1:x}"
            self.assertEqual(await self.wrong(f"none {number}", host), 404)
        self.assertEqual(await self.wrong(host="2001:db8::ffff"), 429)
        self.assertEqual(await self.wrong(host="2001:db8:0:1::1"), 401)

    async def test_this_machine_is_held_to_the_rooms_limit_alone(self) -> None:
        await self.start(wrong_passwords=1)
        await self.add("den", "private")
        for host in "127.0.0.1", "::1", "local", "::ffff:127.0.0.2":
            await self.use_up(2 * ANYWHERE, host)
            self.assertEqual(await self.wrong(host=host), 401, host)
            self.assertEqual(await self.wrong(host=host), 429, host)

    async def test_many_at_once_are_counted_too(self) -> None:
        await self.start(wrong_passwords=1)
        await self.add("den", "private")
        self.passwords.held = True
        keys = [f"none {number}" for number in range(ANYWHERE)]
        begun = [Deferred.fromCoroutine(self.wrong(key)) for key in keys]
        self.passwords.let_go()
        self.assertEqual({await one for one in begun}, {404})
        self.assertEqual(await self.wrong(), 429)


class TwoHeadersTests(GlobesCase):
    """`Authorization` is for a proxy, and the token is a subprotocol."""

    async def test_the_token_of_a_socket_may_stand_beside(self) -> None:
        await self.start()
        await self.add("den", "private")
        token = await self.login("den")
        for offered in token, f"chat, {token}":
            upgrade = self.upgrade(
                "den", authorization=BASIC, sec_websocket_protocol=offered
            )
            assert isinstance(upgrade, Upgrade)
            self.assertEqual(upgrade.subprotocol, token)
        peer = self.open("den", authorization=BASIC, sec_websocket_protocol=token)
        peer.say("join", "eve")
        self.assertEqual(peer.words(), [("join", "ann", "ann entered the room.")])
        self.clock.advance(3600)
        self.assertEqual(peer.closed_for, TOKEN_EXPIRED)

    async def test_so_may_that_of_a_request(self) -> None:
        await self.start()
        await self.add("den", "private")
        token = await self.login("den")
        both = {"authorization": BASIC, "sec_websocket_protocol": token}
        answer = await self.ask("GET", "/chats/den/token/renew", **both)
        self.assertEqual(answer.status, 201)
        self.assertEqual(said(answer)["name"], "ann")
        wish = {"title": "club", "visibility": "private"}
        answer = await self.ask("PUT", "/chats/den", wish, **both)
        self.assertEqual(answer.status, 200)
        answer = await self.ask("DELETE", "/chats/club", **both)
        self.assertEqual(answer.status, 200)

    async def test_so_may_the_admins(self) -> None:
        await self.start()
        await self.add("den")
        both = {"authorization": BASIC, "sec_websocket_protocol": ADMIN}
        self.assertEqual((await self.ask("DELETE", "/chats/den", **both)).status, 200)

    async def test_a_concealed_room_is_found_by_it(self) -> None:
        await self.start(conceal_hidden_rooms=True)
        await self.add("den", "hidden")
        token = await self.login("den")
        both = {"authorization": BASIC, "sec_websocket_protocol": token}
        self.assertEqual((await self.ask("GET", "/chats/den", **both)).status, 200)
        self.open("den", **both)

    async def test_either_may_be_the_good_one(self) -> None:
        await self.start()
        await self.add("den", "private")
        await self.add("club", "private")
        token, others = await self.login("den"), await self.login("club", "bob")
        self.open("den", token, sec_websocket_protocol=others)
        self.open("den", others, sec_websocket_protocol=token)
        for headers in (
            {"authorization": BASIC},
            {"authorization": BASIC, "sec_websocket_protocol": others},
            {"authorization": f"{BASIC}, x", "sec_websocket_protocol": "chat"},
        ):
            upgrade = self.upgrade("den", **headers)
            assert isinstance(upgrade, Answer)
            self.assertEqual(fault(upgrade), (403, 403, "token"))


class WhileAPasswordIsLookedAtTests(GlobesCase):
    """What happens to the room in the meantime."""

    async def begin_login(self, key: str = "den") -> Deferred[Answer]:
        """Show the right password, and let all that follows go ahead of it."""
        self.passwords.held = True
        late = Deferred.fromCoroutine(self.ask_token(key, "eve", host=THERE))
        self.passwords.held = False
        return late

    async def end(self, late: Deferred[Answer]) -> tuple[int, int, str]:
        self.passwords.let_go()
        return fault(await late)

    async def test_it_is_deleted(self) -> None:
        for key in "den", "2":
            await self.start()
            await self.add("den", "private")
            late = await self.begin_login(key)
            answer = await self.ask("DELETE", "/chats/2", token=await self.login(2))
            self.assertEqual(answer.status, 200)
            self.assertEqual(await self.end(late), (404, 101, key))

    async def test_it_is_deleted_and_another_has_its_title(self) -> None:
        await self.start()
        await self.add("den", "private")
        late = await self.begin_login()
        await self.ask("DELETE", "/chats/2", token=await self.login("den"))
        await self.add("den", "private")
        self.assertEqual(await self.end(late), (404, 101, "den"))

    async def test_another_has_its_title_and_it_is_still_that_room(self) -> None:
        await self.start()
        await self.add("den", "private")
        late = await self.begin_login()
        wish = {"title": "club", "visibility": "private"}
        await self.ask("PUT", "/chats/den", wish, await self.login("den"))
        await self.add("den", "private", OTHER)
        self.passwords.let_go()
        self.assertEqual(said(await late)["room_id"], 2)

    async def test_its_password_is_changed(self) -> None:
        await self.start(wrong_passwords=1)
        await self.add("den", "private")
        late = await self.begin_login()
        wish = {"title": "den", "visibility": "private", "password": OTHER}
        answer = await self.ask("PUT", "/chats/2", wish, await self.login("den"))
        self.assertEqual(answer.status, 200)
        self.assertEqual(await self.end(late), (401, 304, "secret"))
        # It was not wrong when it was shown.
        answer = await self.ask_token("den", secret=OTHER, host=THERE)
        self.assertEqual(answer.status, 201)

    async def test_its_password_is_set_to_the_same(self) -> None:
        await self.start()
        await self.add("den", "private")
        late = await self.begin_login()
        wish = {"title": "den", "visibility": "private", "password": PASSWORD}
        await self.ask("PUT", "/chats/2", wish, await self.login("den"))
        self.assertEqual(await self.end(late), (401, 304, "secret"))

    async def test_another_that_is_concealed_is_never_told_of(self) -> None:
        await self.start(conceal_hidden_rooms=True)
        number = await self.add("den", "hidden")
        token = await self.login("den")
        for wish in (
            {"title": "den", "visibility": "hidden", "password": OTHER},
            None,
        ):
            late = await self.begin_login()
            method = "DELETE" if wish is None else "PUT"
            answer = await self.ask(method, f"/chats/{number}", wish, token)
            self.assertEqual(answer.status, 200)
            self.assertEqual(await self.end(late), (404, 101, "den"))
            if wish is not None:
                token = await self.login("den", secret=OTHER)

    async def test_a_password_has_a_number_that_nobody_guesses(self) -> None:
        await self.start()
        await self.add("den", "private")
        await self.add("club", "private")
        den, club = await self.kept(2), await self.kept(3)
        self.assertNotEqual(den.generation, club.generation)
        self.assertGreaterEqual(min(den.generation, club.generation), 1 << 32)
        # Of a room that is made anew from a copy, say, with the same id.
        again = replace(den, generation=den.generation + 1)
        token = self.tokens.make(again, "eve")
        self.assertIsInstance(self.upgrade("den", token), Answer)
