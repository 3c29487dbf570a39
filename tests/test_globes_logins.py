# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Globes' REST routes: tokens are asked for and renewed; sockets opened with them."""

from __future__ import annotations

import msgspec
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from chatmux.door import Answer, Upgrade
from chatmux.passwords import Argon2Passwords
from chatmux.protocols.globes import Section
from chatmux.protocols.globes.access import ANYWHERE
from chatmux.protocols.globes.session import TOKEN_EXPIRED
from tests.globes_doubles import (
    ADMIN,
    HERE,
    PASSWORD,
    GlobesCase,
    fault,
    said,
)

WRONG = "battery staple"


class LoginTests(GlobesCase):
    async def test_a_password_gets_a_token(self) -> None:
        await self.start()
        await self.add("den", "private")
        for key in "2", "02", "DEN":
            answer = await self.ask_token(key, "Ann <&> \u00e9")
            token = said(answer)["token"]
            self.assertEqual(answer.status, 201)
            self.assertEqual(
                answer.body.decode(),
                '{"status":true,"name":"Ann <&> \u00e9","room_id":2,'
                f'"token":"{token}"}}',
            )
            claims = self.tokens.read(token)
            self.assertEqual((claims.username, claims.room_id), ("Ann <&> \u00e9", 2))
            self.assertEqual(claims.expires, int(self.now()) + 3600)

    async def test_a_public_room_needs_none(self) -> None:
        await self.start()
        for body in b"", b"x", {}, {"name": "ann", "secret": WRONG}:
            answer = await self.ask("POST", "/chats/1/token", body)
            self.assertEqual((answer.status, answer.body), (200, b'{"status":true}'))
        for token in None, "garbage":
            answer = await self.ask("GET", "/chats/1/token/renew", token=token)
            self.assertEqual((answer.status, answer.body), (200, b'{"status":true}'))
        self.assertEqual(self.passwords.verified, [])

    async def test_a_wrong_password_gets_none(self) -> None:
        await self.start()
        await self.add("den", "private")
        for body in (
            {"name": "ann", "secret": WRONG},
            {"name": "", "secret": WRONG},
            {"secret": PASSWORD.upper()},
            {"name": "ann", "secret": ""},
            {"name": "ann", "secret": None},
            {"name": "ann"},
            {"name": "ann", "password": PASSWORD},
            {"name": "ann", "secret": [PASSWORD]},
            {"name": 7, "secret": PASSWORD},
            [PASSWORD],
            b"",
            b"x",
            b'{"name":"ann","secret":"' + PASSWORD.encode(),
        ):
            answer = await self.ask("POST", "/chats/2/token", body)
            self.assertEqual(answer.status, 401, body)
            self.assertEqual(
                answer.body,
                b'{"status":false,"error":{"code":304,"error":"Unauthorized '
                b'operation","field":"secret"}}',
            )

    async def test_a_right_password_without_a_name_gets_none(self) -> None:
        await self.start()
        await self.add("den", "private")
        names = (None, "", " ", "a:b", "a\nb", "\0", "\u202ea", "x" * 256)
        for name in names:
            answer = await self.ask(
                "POST", "/chats/2/token", {"name": name, "secret": PASSWORD}
            )
            self.assertEqual(answer.status, 400, name)
            self.assertEqual(
                answer.body,
                b'{"status":false,"error":{"code":303,"error":"Invalid JSON",'
                b'"field":"name"}}',
            )
        await self.login("den", "x" * 255)

    async def test_a_token_of_the_longest_name_is_good(self) -> None:
        await self.start()
        await self.add("den", "private")
        self.open("den", await self.login("den", "\U0001f600" * 255))

    async def test_real_passwords_are_hashed_and_compared(self) -> None:
        passwords = Argon2Passwords(reactor, passes=1, memory_kib=8)
        self.addCleanup(passwords.close)
        await self.start(passwords=passwords)
        await self.add("den", "private", "caf\u00e9 au lait")
        self.assertTrue((await self.kept(2)).password.startswith("$argon2id$"))
        await self.login("den", secret="cafe\u0301 au lait")
        self.assertEqual(fault(await self.ask_token("den")), (401, 304, "secret"))
        self.assertEqual(fault(await self.ask_token("none")), (404, 101, "none"))


class TriesTests(GlobesCase):
    async def wrong(self, key: str = "den", host: str = HERE) -> int:
        return (await self.ask_token(key, secret=WRONG, host=host)).status

    async def test_after_ten_wrong_ones_none_is_looked_at_for_a_minute(self) -> None:
        await self.start()
        await self.add("den", "private")
        self.assertEqual([await self.wrong() for _ in range(10)], [401] * 10)
        self.clock.advance(20.5)
        for secret in WRONG, PASSWORD:
            answer = await self.ask_token("den", secret=secret)
            self.assertEqual(fault(answer), (429, 304, "secret"))
            self.assertEqual(dict(answer.headers)["Retry-After"], "40")
        self.assertEqual(len(self.passwords.verified), 10)
        self.clock.advance(39.5)
        await self.login("den")

    async def test_one_room_and_one_address_are_counted(self) -> None:
        await self.start(wrong_passwords=2)
        await self.add("den", "private")
        await self.add("club", "private")
        keys = "2", "DEN", "02", "den"
        self.assertEqual([await self.wrong(key) for key in keys], [401, 401, 429, 429])
        self.assertEqual(await self.wrong("club"), 401)
        self.assertEqual(await self.wrong("den", "192.0.2.2"), 401)

    async def test_a_network_of_ipv6_is_one_address(self) -> None:
        await self.start(wrong_passwords=2)
        await self.add("den", "private")
        hosts = "2001:db8::1", "2001:db8::ffff:1", "2001:db8::2", "2001:db8:0:1::1"
        found = [await self.wrong(host=host) for host in hosts]
        self.assertEqual(found, [401, 401, 429, 401])

    async def test_an_address_has_so_many_for_all_rooms_together(self) -> None:
        await self.start(wrong_passwords=1)
        await self.add("den", "private")
        keys = [f"none {number}" for number in range(ANYWHERE)]
        self.assertEqual({await self.wrong(key) for key in keys}, {404})
        self.assertEqual(await self.wrong(), 429)
        self.assertEqual(fault(await self.ask_token("den")), (429, 304, "secret"))
        self.assertEqual(await self.wrong(host="192.0.2.2"), 401)
        # Those of a proxy on this machine are not all one.
        for key in keys:
            self.assertEqual(await self.wrong(key, "127.0.0.1"), 404)
        self.assertEqual(await self.wrong(host="127.0.0.1"), 401)

    async def test_only_whole_wrong_passwords_count(self) -> None:
        await self.start(wrong_passwords=1)
        await self.add("den", "private")
        for body in b"x", {}, {"name": "ann"}, {"name": "ann", "secret": ""}:
            for _ in range(3):
                found = await self.faults("POST", "/chats/2/token", body)
                self.assertEqual(found, (401, 304, "secret"))
        for _ in range(3):
            await self.login("den")
            self.assertEqual(fault(await self.ask_token("den", "")), (400, 303, "name"))
        self.assertEqual([await self.wrong(), await self.wrong()], [401, 429])

    async def test_many_at_once_are_looked_at_one_by_one(self) -> None:
        await self.start(wrong_passwords=2)
        await self.add("den", "private")
        self.passwords.held = True
        tries = [Deferred.fromCoroutine(self.wrong()) for _ in range(5)]
        self.assertEqual(len(self.passwords.verified), 1)
        self.passwords.let_go()
        self.assertEqual([await one for one in tries], [401, 401, 429, 429, 429])
        self.assertEqual(len(self.passwords.verified), 2)

    async def test_one_address_does_not_hold_up_another(self) -> None:
        await self.start()
        await self.add("den", "private")
        self.passwords.held = True
        slow = Deferred.fromCoroutine(self.wrong())
        self.passwords.held = False
        self.assertEqual(await self.wrong(host="192.0.2.2"), 401)
        self.passwords.let_go()
        self.assertEqual(await slow, 401)


class RenewalTests(GlobesCase):
    async def renew(self, token: str | None, key: str = "den") -> Answer:
        return await self.ask("GET", f"/chats/{key}/token/renew", token=token)

    async def test_a_token_is_renewed(self) -> None:
        await self.start()
        await self.add("den", "private")
        token = await self.login("den")
        self.clock.advance(3000)
        answer = await self.renew(token)
        new = said(answer)["token"]
        self.assertEqual(answer.status, 201)
        self.assertEqual(
            answer.body.decode(),
            f'{{"status":true,"name":"ann","room_id":2,"token":"{new}"}}',
        )
        self.clock.advance(3599.7)
        self.assertEqual(fault(await self.renew(token)), (403, 403, "token"))
        self.assertEqual((await self.renew(new)).status, 201)
        self.clock.advance(0.3)
        self.assertEqual(fault(await self.renew(new)), (403, 403, "token"))

    async def test_only_a_good_token_of_the_room_is(self) -> None:
        await self.start()
        await self.add("den", "private")
        await self.add("club", "private")
        for token in None, "", "x", ADMIN, await self.login("club"):
            answer = await self.renew(token)
            self.assertEqual(answer.status, 403)
            self.assertEqual(
                answer.body,
                b'{"status":false,"error":{"code":403,"error":"Token error: Invalid '
                b'token","field":"token"}}',
            )

    async def test_renewals_have_an_end(self) -> None:
        await self.start(login_seconds=7200)
        await self.add("den", "private")
        token = await self.login("den")
        for _ in range(3):
            self.clock.advance(2000)
            token = said(await self.renew(token))["token"]
        self.assertEqual(self.tokens.read(token).expires, int(self.now()) + 1200)
        self.clock.advance(1199.5)
        self.assertEqual((await self.renew(token)).status, 201)
        self.clock.advance(0.5)
        self.assertEqual(fault(await self.renew(token)), (403, 403, "token"))
        self.assertIsInstance(self.upgrade("den", token), Answer)

    async def test_the_shortest_login_gets_a_token(self) -> None:
        await self.start(login_seconds=1)
        await self.add("den", "private")
        await self.login("den")
        # No token ends in the second in which it is made.
        with self.assertRaises(msgspec.ValidationError):
            msgspec.convert({"login-seconds": 0.9}, Section)


class OpeningTests(GlobesCase):
    def chosen(self, key: str, **headers: str) -> str | None:
        """Return the subprotocol by which a socket is opened."""
        upgrade = self.upgrade(key, **headers)
        assert isinstance(upgrade, Upgrade), upgrade
        return upgrade.subprotocol

    async def test_the_token_offered_is_repeated(self) -> None:
        await self.start()
        await self.add("den", "private")
        token = await self.login("den")
        for offered in (
            token,
            f" {token} ",
            f"{token}, chat",
            f"chat, {token}",
            f", {token}",
            f"a, b,{token},c",
        ):
            chosen = self.chosen("den", sec_websocket_protocol=offered)
            self.assertEqual(chosen, token, offered[:9])

    async def test_in_a_header_of_its_own_it_is_no_subprotocol(self) -> None:
        await self.start()
        await self.add("den", "private")
        token = await self.login("den")
        self.assertIsNone(self.chosen("den", authorization=token))
        self.assertEqual(
            self.chosen("den", authorization=token, sec_websocket_protocol="chat"),
            "chat",
        )
        # The other may be for a proxy.
        self.assertEqual(
            self.chosen("den", authorization="x", sec_websocket_protocol=token), token
        )

    async def test_a_public_room_takes_the_first(self) -> None:
        await self.start()
        for offered, chosen in ("chat", "chat"), ("a,b", "a"), ("", None), (" ", None):
            found = self.chosen("1", sec_websocket_protocol=offered)
            self.assertEqual(found, chosen, offered)
        self.assertIsNone(self.chosen("1"))

    async def test_without_a_good_token_a_protected_room_is_closed(self) -> None:
        await self.start()
        await self.add("den", "private")
        good = await self.login("den")
        for headers in (
            {},
            {"authorization": "x"},
            {"authorization": f"x, {good}x"},
            {"sec_websocket_protocol": "chat"},
            {"sec_websocket_protocol": f"a,b,c,{good}"},
            {"cookie": good},
        ):
            upgrade = self.upgrade("den", **headers)
            assert isinstance(upgrade, Answer)
            self.assertEqual(fault(upgrade), (403, 403, "token"))

    async def test_the_name_is_the_tokens_until_it_ends(self) -> None:
        await self.start()
        await self.add("den", "private")
        token = await self.login("den", "Ann")
        self.clock.advance(1800)
        ann = self.open("den", token)
        ann.say("join", "eve")
        self.assertEqual(ann.words(), [("join", "Ann", "Ann entered the room.")])
        self.clock.advance(1799.5)
        self.assertIsNone(ann.closed_for)
        self.clock.advance(0.5)
        self.assertEqual(ann.closed_for, TOKEN_EXPIRED)

    async def test_a_public_room_never_expires(self) -> None:
        await self.start()
        peer = self.open(1, "x")
        self.clock.advance(1e9)
        self.assertIsNone(peer.closed_for)
