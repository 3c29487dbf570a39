# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Titles that look alike, and rooms that become private while others are around."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import quote

from chatmux.door import Answer, Upgrade
from chatmux.errors import LockedError, PeerError
from chatmux.protocols import machat
from chatmux.protocols.globes.access import Access
from chatmux.protocols.globes.session import Session
from tests.doubles import MemoryConnection
from tests.globes_doubles import (
    ADMIN,
    PASSWORD,
    ROOM,
    GlobesCase,
    Peer,
    RoomCase,
    fault,
    said,
)

TITLE = "Peace Bar"
ALIKE = (
    "PEACE  bar",
    "Pe\u0430ce B\u0430r",
    "\u0420\u0415\u0410\u0421\u0415 \u0412ar",
    "\uff30eace\u00a0Bar",
    "Pea\u200bce Bar\u2060",
    "Peace\u3000Bar\u2800",
    "\u03a1eace \u0392ar",
)
MARKS = "\u0301\u0323"
"""Of very many of these it takes very long to find the order."""


def titled(answer: Answer) -> int:
    """Return the id of the room that was told."""
    number: int = said(answer)["id"]
    return number


class TitleTests(GlobesCase):
    async def by_title(self, title: str) -> Answer:
        return await self.ask("GET", f"/chats/{quote(title, safe='')}")

    async def put(self, number: int, title: str, **more: str) -> Answer:
        wish = {"title": title, "visibility": "public", **more}
        return await self.ask("PUT", f"/chats/{number}", wish, ADMIN)

    async def test_a_title_that_looks_like_anothers_is_taken(self) -> None:
        await self.start()
        number, other = await self.add(TITLE), await self.add("Other")
        for title in ALIKE:
            for visibility in "public", "private", "hidden":
                wish = {"title": title, "visibility": visibility}
                if visibility != "public":
                    wish["password"] = PASSWORD
                found = await self.faults("POST", "/chats", wish)
                self.assertEqual(found, (400, 102, "title"), ascii(title))
            found = fault(await self.put(other, title))
            self.assertEqual(found, (400, 102, "title"), ascii(title))
            # The room itself may be written in another way.
            self.assertEqual((await self.put(number, title)).status, 200)
            self.assertEqual(titled(await self.by_title(TITLE)), number)

    async def test_a_room_is_found_by_what_looks_like_its_title(self) -> None:
        await self.start()
        number = await self.add(TITLE)
        for title in ALIKE:
            self.assertEqual(titled(await self.by_title(title)), number, ascii(title))
        for title in "Peacebar", "Peace Bar 2", "Pe\u00e4ce Bar":
            self.assertEqual((await self.by_title(title)).status, 404)

    async def test_a_title_with_nothing_to_see_or_of_digits_is_none(self) -> None:
        await self.start()
        for title in (
            "\u200b\u200b",
            "\u2800\u2800",
            "\u3164",
            " \u00a0 ",
            "\ufe0f\u2060",
            "1\u200b2",
            " 12 ",
            "\uff11\uff12",
            "\u0661\u0662",
            "\u00b9\u00b2",
        ):
            wish = {"title": title, "visibility": "public"}
            found = await self.faults("POST", "/chats", wish)
            self.assertEqual(found, (400, 105, "title"), ascii(title))

    async def two_alike(self) -> tuple[int, int]:
        """Start with a database from before such titles were refused."""
        await self.start()
        first = await self.add(TITLE)
        room = await self.kept(first)
        other = replace(room, id=0, title=ALIKE[1], created=room.created + 1)
        second = await self.store.add_room(other)
        await self.start(again=True)
        return first, second.id

    async def test_of_two_from_before_the_older_has_the_title(self) -> None:
        first, second = await self.two_alike()
        for title in TITLE, *ALIKE:
            self.assertEqual(titled(await self.by_title(title)), first)
        for number in first, second:
            answer = await self.ask("GET", f"/chats/{number}")
            self.assertEqual(titled(answer), number)

    async def test_of_two_from_before_each_can_be_changed(self) -> None:
        first, second = await self.two_alike()
        for number, title in (first, TITLE), (second, ALIKE[1]):
            answer = await self.put(number, title, description="as it is")
            self.assertEqual(answer.status, 200)
        self.assertEqual(titled(await self.by_title(ALIKE[1])), first)

    async def test_when_the_older_is_renamed_the_title_is_the_others(self) -> None:
        first, second = await self.two_alike()
        self.assertEqual((await self.put(first, "Quiet")).status, 200)
        self.assertEqual(titled(await self.by_title(TITLE)), second)
        self.assertEqual(titled(await self.by_title("quiet")), first)
        self.assertEqual(fault(await self.put(first, TITLE)), (400, 102, "title"))
        await self.start(again=True)
        self.assertEqual(titled(await self.by_title(TITLE)), second)

    async def test_when_the_younger_is_renamed_the_older_is_still_found(self) -> None:
        first, second = await self.two_alike()
        self.assertEqual((await self.put(second, "Quiet")).status, 200)
        self.assertEqual(titled(await self.by_title(ALIKE[1])), first)
        self.assertEqual(fault(await self.put(second, ALIKE[1])), (400, 102, "title"))

    async def test_when_the_older_is_deleted_the_title_is_the_others(self) -> None:
        first, second = await self.two_alike()
        await self.ask("DELETE", f"/chats/{first}", token=ADMIN)
        self.assertEqual(titled(await self.by_title(TITLE)), second)
        await self.ask("DELETE", f"/chats/{second}", token=ADMIN)
        self.assertEqual((await self.by_title(TITLE)).status, 404)
        self.assertTrue(await self.add(TITLE) > second)

    async def test_of_two_at_once_one_gets_the_title(self) -> None:
        await self.start()
        other = await self.add("Other")
        self.passwords.held = True
        wishes = [
            {"title": title, "visibility": "private", "password": PASSWORD}
            for title in (TITLE, *ALIKE)
        ]
        asked = [self.begin("POST", "/chats", wish) for wish in wishes]
        wish = {**wishes[1], "title": ALIKE[2]}
        asked.append(self.begin("PUT", f"/chats/{other}", wish, ADMIN))
        self.passwords.let_go()
        answers = [await one for one in asked]
        statuses = sorted(answer.status for answer in answers)
        self.assertEqual(statuses, [201] + [400] * len(ALIKE) + [400])
        rooms = [room.title for room in await self.store.rooms()]
        self.assertEqual(len(rooms), 3, rooms)
        # Nor is it kept for those who did not get it.
        [made] = [one for one in answers if one.status == 201]
        token = await self.login(titled(made))
        await self.ask("DELETE", f"/chats/{titled(made)}", token=token)
        await self.add(ALIKE[0])


class LockTests(GlobesCase):
    """The channels of rooms with passwords are locked, whatever the doors look at."""

    def is_open(self, number: int, token: str | None = None) -> bool:
        key = None if token is None else self.tokens.read(token)
        try:
            self.broker.enter(f"globes/{number}", "globes", key)
        except LockedError:
            return False
        return True

    async def put(self, number: int, token: str, visibility: str, **more: str) -> None:
        wish = {"title": f"den {number}", "visibility": visibility, **more}
        answer = await self.ask("PUT", f"/chats/{number}", wish, token)
        self.assertEqual(answer.status, 200)

    async def test_a_room_is_locked_while_it_has_a_password(self) -> None:
        await self.start()
        number = await self.add("den")
        self.assertTrue(self.is_open(number))
        await self.put(number, ADMIN, "private", password=PASSWORD)
        first = await self.login(number)
        other = await self.login(await self.add("club", "hidden"))
        self.assertTrue(self.is_open(number, first))
        self.assertFalse(self.is_open(number))
        self.assertFalse(self.is_open(number, other))
        await self.put(number, first, "hidden", password=PASSWORD[::-1])
        second = await self.login(number, secret=PASSWORD[::-1])
        self.assertTrue(self.is_open(number, second))
        self.assertFalse(self.is_open(number, first))
        await self.start(again=True)
        self.assertTrue(self.is_open(number, second))
        self.assertFalse(self.is_open(number, first))
        self.assertFalse(self.is_open(number))
        await self.put(number, second, "public")
        self.assertTrue(self.is_open(number))

    async def test_a_door_that_forgets_to_look_lets_nobody_in(self) -> None:
        await self.start()
        number = await self.add("den", "private")
        other = await self.add("club", "private")
        claims = self.tokens.read(await self.login(other))
        self.patch(Access, "claims", lambda access, shown, live: claims)
        refused = self.upgrade(number)
        assert isinstance(refused, Answer)
        self.assertEqual(fault(refused), (403, 403, "token"))
        self.assertIsInstance(self.upgrade(other), Upgrade)

    async def test_a_room_that_is_full_has_no_place_until_somebody_goes(self) -> None:
        await self.start()
        self.broker._gate._max_members = 2
        first, _ = self.open(1), self.open(1)
        refused = self.upgrade(1)
        assert isinstance(refused, Answer)
        self.assertEqual(refused.status, 503)
        first.lose()
        self.open(1)


class MeanwhileTests(GlobesCase):
    def line(self, room: str, name: str) -> MemoryConnection:
        """Join a room of MaChat."""
        connection = MemoryConnection()
        session = machat.Session(connection, self.broker, "machat/")
        try:
            session.opening(json.dumps({"name": name, "room": room}).encode())
        except PeerError as error:
            connection.close(error.close)
        return connection

    async def test_who_is_in_rooms_of_like_names_hears_no_more_than_before(
        self,
    ) -> None:
        await self.start(bridges=[["globes/9", "machat/b"]])
        number = await self.add("den")
        around = [
            self.line(room, "eve")
            for room in (f"globes/{number}", f"{number}", "den", "b")
        ]
        ann = self.open(number)
        change = {"title": "den", "visibility": "private", "password": PASSWORD}
        answer = await self.ask("PUT", f"/chats/{number}", change, ADMIN)
        self.assertEqual(answer.status, 200)
        closed = ann.closed_for
        assert closed is not None
        self.assertEqual(closed.code, 1008)
        inside = self.open(number, await self.login(number, "bob"))
        inside.say("join", "bob")
        inside.say("send", "bob", msg="among us")
        self.assertEqual(inside.words()[-1], ("send", "bob", "among us"))
        around += [self.line(f"globes/{number}", "late")]
        self.assertEqual([one.take() for one in around], [b""] * 5)
        self.assertEqual(ann.lines(), [])
        self.assertEqual(self.broker.members(f"globes/{number}")[0].name, "bob")

    async def test_a_bridge_waits_for_a_room_that_is_open_to_all(self) -> None:
        await self.start(bridges=[["globes/2", "machat/b"]])
        early = self.line("b", "eve")
        number = await self.add("den", "private")
        self.assertEqual(number, 3)
        inside = self.open(number, await self.login(number, "bob"))
        inside.say("join", "bob")
        inside.say("send", "bob", msg="among us")
        late = self.line("b", "joe")
        self.clock.advance(0)
        self.assertEqual((early.take(), late.take()), (b"", b""))
        self.assertEqual((await self.ask("GET", "/chats/2")).status, 404)

    async def test_a_room_of_a_bridge_that_another_node_locks_is_gone(self) -> None:
        await self.start(bridges=[["globes/2", "machat/b"]])
        number = await self.add("den")
        eve = self.line("b", "eve")
        listener = self.open(number)
        room = await self.kept(number)
        locked = replace(room, visibility="private", password="1$x", generation=5)
        await self.store.replace_room(room, locked)
        change = {"title": "den", "visibility": "public"}
        answer = await self.ask("PUT", f"/chats/{number}", change, ADMIN)
        self.assertEqual(fault(answer)[:2], (404, 101))
        assert listener.closed_for is not None
        for key in number, "den":
            self.assertEqual((await self.ask("GET", f"/chats/{key}")).status, 404)
            token = self.tokens.make(locked, "ann")
            self.assertIsInstance(self.upgrade(key, token), Answer)
        self.assertEqual((await self.kept(number)).password, "1$x")
        # MaChat's own room is still one.
        self.assertIsNone(eve.closed_for)
        self.assertIsNone(self.line("b", "joe").closed_for)


class LongNameTests(RoomCase):
    """Names that would take seconds to compare are not compared."""

    def test_a_very_long_name_is_refused_at_once(self) -> None:
        compared: list[int] = []

        def counted(name: str) -> str:
            compared.append(len(name))
            return name.lower()

        self.patch(machat, "likeness", counted)
        for path in ("chatmux.text.likeness", "chatmux.protocols.globes.session.fold"):
            module, _, name = path.rpartition(".")
            self.patch(__import__(module, fromlist=[name]), name, counted)
        peer = Peer(self.new_session, self.clock)
        long = MARKS * 16_000
        peer.say("join", long)
        peer.say("join", "ann")
        for event in "join", "send", "leave":
            peer.say(event, long, msg="x")
        heard = [event["event_type"] for event in peer.hear()]
        self.assertEqual(sorted(heard), ["error"] * 4 + ["join"])
        session = machat.Session(MemoryConnection(), self.broker, "machat/")
        hello = json.dumps({"name": MARKS * 2000}, ensure_ascii=False).encode()
        self.assertRaises(PeerError, session.opening, hello)
        self.assertTrue(max(compared) < 2000, max(compared))

    def new_session(self, connection: MemoryConnection) -> Session:
        entry = self.broker.enter(f"globes/{ROOM.id}", "globes")
        return Session(
            connection, self.broker, entry, self.room, None, self.clock, None
        )
