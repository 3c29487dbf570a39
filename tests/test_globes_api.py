# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Globes' REST routes: rooms that are made, shown and listed."""

from __future__ import annotations

import re

from twisted.internet.defer import Deferred

from chatmux.door import Answer
from chatmux.protocols.globes import faults
from tests.globes_doubles import PASSWORD, STARTED, GlobesCase, fault, said
from tests.store_contract import at_once

DEFAULT = (
    '{"title":"Public Chat",'
    '"description":"This is the default chat, available to everyone!",'
    '"visibility":"public","createdAt":"' + STARTED + '","updatedAt":"' + STARTED + '",'
    '"id":1,"users":[]}'
).encode()


def absent(key: str) -> bytes:
    """Return the answer's body where there is no room."""
    return (
        '{"status":false,"error":{"code":101,"error":"Room error: Room not found",'
        f'"field":"{key}"}}}}'
    ).encode()


class PathTests(GlobesCase):
    async def test_other_paths_are_not_there(self) -> None:
        await self.start()
        for path in (
            "/",
            "/chats/",
            "/chats/1/",
            "/chats/1/token/",
            "/chats/1/token/renew/",
            "/chats/1/ws/",
            "/chats//token",
            "/chats/1/users",
            "/chat",
            "/Chats",
            "/openapi.json/",
            "//chats",
            "/chats/1%0A/x",
        ):
            for method in "GET", "POST", "PUT", "DELETE", "PATCH":
                answer = await self.ask(method, path)
                self.assertEqual(
                    (answer.status, answer.body), (404, b"404 page not found\n"), path
                )
                self.assertIs(answer, faults.NO_PAGE)
            upgrade = self.globes.upgrade(self.request("GET", path))
            self.assertIs(upgrade, faults.NO_PAGE)

    async def test_other_methods_are_not_allowed(self) -> None:
        await self.start()
        for path, allowed in (
            ("/chats", "GET, POST"),
            ("/chats/1", "GET, PUT, DELETE"),
            ("/chats/none", "GET, PUT, DELETE"),
            ("/chats/1/token", "POST"),
            ("/chats/1/token/renew", "GET"),
            ("/chats/1/ws", "GET"),
            ("/openapi.json", "GET"),
        ):
            for method in "GET", "POST", "PUT", "DELETE", "PATCH", "get", "X":
                if method not in allowed.split(", "):
                    answer = await self.ask(method, path)
                    expected = Answer(405, b"", (("Allow", allowed),))
                    self.assertEqual(answer, expected, path)

    async def test_a_room_that_is_not_there_is_not_found(self) -> None:
        await self.start()
        for key, field in (
            ("2", "2"),
            ("0", "0"),
            ("none", "none"),
            ("-1", "-1"),
            ("+1", "+1"),
            ("1.0", "1.0"),
            ("0x1", "0x1"),
            ("0_1", "0_1"),
            ("%201", " 1"),
            ("%D9%A1", "\u0661"),
            ("9" * 30, "9" * 30),
            ("9" * 5000, "9" * 5000),
            ("a%2Fb", "a/b"),
            ("%FF", "\ufffd"),
            ("%3Cb%3E", "<b>"),
            ("Public%20Chat%00", r"Public Chat\u0000"),
            ("x" * 5000, "x" * 5000),
        ):
            for method, path in (
                ("GET", f"/chats/{key}"),
                ("PUT", f"/chats/{key}"),
                ("DELETE", f"/chats/{key}"),
                ("POST", f"/chats/{key}/token"),
                ("GET", f"/chats/{key}/token/renew"),
                ("GET", f"/chats/{key}/ws"),
            ):
                answer = await self.ask(method, path)
                self.assertEqual(answer.status, 404, path[:40])
                self.assertEqual(answer.body, absent(field), path[:40])
                self.assertEqual(answer.headers, faults.JSON)
            upgrade = self.globes.upgrade(self.request("GET", f"/chats/{key}/ws"))
            assert isinstance(upgrade, Answer)
            self.assertEqual((upgrade.status, upgrade.body), (404, absent(field)))

    async def test_a_socket_without_a_handshake_is_refused_as_recorded(self) -> None:
        await self.start()
        answer = await self.ask("GET", "/chats/1/ws")
        self.assertEqual(answer.status, 400)
        self.assertEqual(
            answer.body,
            b'Bad Request\n{"status":false,"error":{"code":301,"error":"Could not '
            b'establish session"}}',
        )
        self.assertEqual(dict(answer.headers)["Content-Type"][:11], "text/plain;")

    async def test_there_is_a_document_for_programs(self) -> None:
        await self.start()
        answer = await self.ask("GET", "/openapi.json")
        self.assertEqual((answer.status, said(answer)["openapi"][:2]), (200, "3."))


class ShowingTests(GlobesCase):
    async def test_the_default_room_is_there_from_the_start(self) -> None:
        await self.start()
        for key in "1", "01", "0" * 18 + "1", "Public%20Chat", "PUBLIC%20CHAT":
            answer = await self.ask("GET", f"/chats/{key}")
            self.assertEqual((answer.status, answer.body), (200, DEFAULT), key)
            self.assertEqual(answer.headers, faults.JSON)

    async def test_titles_are_found_without_case_or_form(self) -> None:
        await self.start()
        room = await self.add("\u00dcber \ufb01ne")
        for title in "\u00fcBER fine", "U\u0308ber FINE", "\u00dcber \ufb01ne":
            answer = await self.ask("GET", f"/chats/{title}")
            self.assertEqual(said(answer)["id"], room, title)

    async def test_a_hidden_room_is_found_by_who_knows_of_it(self) -> None:
        await self.start()
        await self.add("den", "hidden")
        for key in "2", "DEN":
            told = said(await self.ask("GET", f"/chats/{key}"))
            self.assertEqual((told["id"], told["visibility"]), (2, "hidden"))

    async def test_who_is_in_a_room_is_told(self) -> None:
        await self.start()
        ann, bob = self.open(1), self.open(1)
        ann.say("join", "Ann", color="red")
        self.clock.advance(1)
        bob.say("join", "bob")
        self.clock.advance(1)
        ann.say("send", "ann", msg="hi")
        [users] = [said(await self.ask("GET", "/chats/1"))["users"]]
        self.assertEqual(
            users,
            [
                {
                    "username": "Ann",
                    "color": "red",
                    "last_activity": "2027-01-15T08:00:02.250000Z",
                },
                {
                    "username": "bob",
                    "color": "",
                    "last_activity": "2027-01-15T08:00:01.250000Z",
                },
            ],
        )
        self.assertEqual(said(await self.ask("GET", "/chats"))[0]["users"], users)
        ann.lose()
        told = said(await self.ask("GET", "/chats/1"))
        self.assertEqual([user["username"] for user in told["users"]], ["bob"])


class ListTests(GlobesCase):
    async def test_the_list_has_what_is_not_hidden(self) -> None:
        await self.start()
        await self.add("den", "hidden")
        await self.add("club", "private", description="for members")
        for headers in {}, {"accept": "*/*"}, {"accept": "application/json"}:
            answer = await self.ask("GET", "/chats", **headers)
            self.assertEqual(answer.headers, faults.JSON)
            self.assertEqual(
                answer.body,
                b"[" + DEFAULT + b',{"title":"club","description":"for members",'
                b'"visibility":"private","createdAt":"' + STARTED.encode() + b'",'
                b'"updatedAt":"' + STARTED.encode() + b'","id":3,"users":[]}]',
            )

    async def test_as_a_page_it_has_the_rooms_in_it(self) -> None:
        await self.start()
        await self.add("den", "hidden", description="nobody is to see this")
        await self.add("club", "private")
        await self.add(
            "<script>x</script>", description="\"'><img src=x onerror=alert(1)>&"
        )
        self.open(1).say("join", "ann")
        answer = await self.ask("GET", "/chats", accept="text/html,*/*;q=0.8")
        self.assertEqual(answer.status, 200)
        headers = dict(answer.headers)
        self.assertEqual(headers["Content-Type"], "text/html; charset=utf-8")
        self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
        page = answer.body.decode()
        items = re.findall(r'<li><a href="/#/room/(\d+)">', page)
        self.assertEqual(items, ["1", "3", "4"])
        self.assertIn("1 person", page)
        self.assertIn("club</a> (private)", page)
        self.assertIn("&lt;script&gt;x&lt;/script&gt;", page)
        self.assertNotIn("<script", page)
        self.assertNotIn("<img", page)
        self.assertNotIn("den", page.replace("hidden", ""))
        self.assertNotIn("nobody", page)

    async def test_a_page_without_rooms_is_one(self) -> None:
        await self.start(open_public_rooms=True)
        await self.ask("DELETE", "/chats/1")
        self.assertEqual((await self.ask("GET", "/chats")).body, b"[]")
        answer = await self.ask("GET", "/chats", accept="text/html")
        self.assertIn(b"There is no room yet", answer.body)


class MakingTests(GlobesCase):
    async def test_a_room_is_made(self) -> None:
        await self.start()
        self.clock.advance(1)
        wish = {"title": "Den", "description": "<&>", "visibility": "PUBLIC"}
        answer = await self.ask("POST", "/chats", wish)
        at = "2027-01-15T08:00:01.250000Z"
        self.assertEqual(answer.status, 201)
        self.assertEqual(
            answer.body,
            b'{"title":"Den","description":"<&>","visibility":"public",'
            b'"createdAt":"%b","updatedAt":"%b","id":2,"users":[]}'
            % (at.encode(), at.encode()),
        )
        self.assertEqual((await self.ask("GET", "/chats/den")).body, answer.body)

    async def test_it_is_kept(self) -> None:
        await self.start()
        await self.add("club", "private")
        before = [await self.ask("GET", f"/chats/{number}") for number in (1, 2)]
        await self.start(again=True)
        self.clock.advance(100)
        after = [await self.ask("GET", f"/chats/{number}") for number in (1, 2)]
        self.assertEqual(before, after)
        await self.login("club")

    async def test_the_password_is_kept_as_a_hash(self) -> None:
        await self.start()
        room = await self.add("club", "private")
        kept = await self.kept(room)
        self.assertEqual(kept.password, f"1${PASSWORD}")
        self.assertEqual(self.passwords.hashed, [PASSWORD])

    async def test_the_faults_are_told_in_their_order(self) -> None:
        await self.start()
        for body, expected in (
            (b"", (400, 103, "")),
            (b'{"title":"Public Chat"', (400, 103, "")),
            (b"[]", (400, 103, "")),
            (b'{"title":1}', (400, 103, "")),
            ({"title": "x"}, (400, 105, "title")),
            (
                {"title": "Public Chat", "description": "x" * 71},
                (400, 105, "description"),
            ),
            ({"title": "Public Chat"}, (400, 105, "visibility")),
            ({"title": "Public Chat", "visibility": "hidden"}, (400, 105, "password")),
            (
                {"title": "Public Chat", "visibility": "public", "password": "x" * 8},
                (400, 105, "visibility"),
            ),
            ({"title": "PUBLIC chat", "visibility": "public"}, (400, 102, "title")),
        ):
            found = await self.faults("POST", "/chats", body)
            self.assertEqual(found, expected, body)
        self.assertEqual(len(await self.store.rooms()), 1)

    async def test_a_fault_is_told_as_recorded(self) -> None:
        await self.start()
        wish = {"title": "public chat", "visibility": "private", "password": "x" * 8}
        answer = await self.ask("POST", "/chats", wish)
        self.assertEqual(
            answer.body,
            b'{"status":false,"error":{"code":102,"error":"Room error: Duplicate room",'
            b'"field":"title"}}',
        )
        # Found before the work is done.
        self.assertEqual(self.passwords.hashed, [])

    async def test_the_type_that_a_request_claims_does_not_matter(self) -> None:
        await self.start()
        wish = {"title": "den", "visibility": "public"}
        answer = await self.ask("POST", "/chats", wish, content_type="text/plain")
        self.assertEqual(answer.status, 201)

    async def test_one_of_many_gets_a_title(self) -> None:
        await self.start()
        answers = await at_once(
            self.ask("POST", "/chats", {"title": title, "visibility": "public"})
            for title in ("den", "DEN", "d\uff45n", " den")
        )
        assert all(isinstance(answer, Answer) for answer in answers)
        statuses = [one.status for one in answers if isinstance(one, Answer)]
        self.assertEqual(sorted(statuses), [201, 400, 400, 400])
        self.assertEqual(len(await self.store.rooms()), 2)

    async def test_a_title_that_is_taken_during_the_hashing_is_taken(self) -> None:
        await self.start()
        self.passwords.held = True
        wish = {"title": "den", "visibility": "private", "password": PASSWORD}
        slow: Deferred[Answer] = self.begin("POST", "/chats", wish)
        await self.add("den")
        self.passwords.let_go()
        self.assertEqual(fault(await slow), (400, 102, "title"))

    async def test_ids_never_come_back(self) -> None:
        await self.start(open_public_rooms=True)
        for number in 2, 3, 4:
            self.assertEqual(await self.add("den"), number)
            answer = await self.ask("DELETE", "/chats/den")
            self.assertEqual(answer.body, b'{"status":true}')
        await self.start(again=True)
        self.assertEqual(await self.add("den"), 5)

    async def test_a_room_with_a_password_gets_no_id_of_a_bridge(self) -> None:
        names = ["globes/2", "globes/3", "machat/a"]
        await self.start(bridges=[names])
        self.assertEqual(await self.add("club", "private"), 4)
        self.assertEqual(len(self.passwords.hashed), 1)
        await self.start(bridges=[names], again=True)
        self.assertEqual(await self.add("den"), 5)

    async def test_a_public_one_gets_it(self) -> None:
        await self.start(bridges=[["globes/2", "machat/a"]])
        self.assertEqual(await self.add("den"), 2)
