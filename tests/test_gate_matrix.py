# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Every door, every kind of room, every credential, every operation: who may do what.

What is expected is worked out by `may`, from what the pages of the protocols promise;
what happens is seen by those who are in the rooms, of a server with real sockets.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import replace
from time import time
from typing import Any
from urllib.parse import quote

from chatmux.model import Room
from chatmux.protocols.globes.tokens import Tokens
from tests.doors import (
    Browser,
    Guest,
    MachatSocket,
    Relay,
    Shouter,
    Terminal,
    Visitor,
)
from tests.gate_rules import (
    ABSENT,
    BACK_END,
    CREDENTIALS,
    DOORS,
    END,
    GONE,
    HOLDER,
    KEY,
    KINDS,
    LOCKED,
    LOUNGE,
    OPERATIONS,
    PASSWORD,
    SECRET,
    WRONG,
    may,
    odd_names,
)
from tests.globes_doubles import ROOM
from tests.globes_server import ADMIN, CONFIG, GLOBES, GlobesTestCase, Rest
from tests.webtalk_backend import BackEnd


class MatrixCase(GlobesTestCase):
    conceal = False

    def setUp(self) -> None:
        globes = {
            **GLOBES,
            "secret-key": KEY,
            "wrong-passwords": 10_000,
            "conceal-hidden-rooms": self.conceal,
        }
        self.server = self.serve(
            {
                **CONFIG,
                "globes": globes,
                "multichat": {"host": "127.0.0.1:0", "secret-key": SECRET},
                "machat": {"tcp": "127.0.0.1:0", "ws": "127.0.0.1:0"},
                "webtalk": {
                    "private": "127.0.0.1:0",
                    "public": "127.0.0.1:0",
                    "secret": BACK_END,
                },
                "bridges": [["globes/2", "multichat", f"machat/{LOUNGE}", "webtalk/1"]],
            }
        )
        self.globes, self.relays, self.lines, self.frames, self.private, self.public = (
            self.server.ports(
                "globes.address",
                "multichat.host",
                "machat.tcp",
                "machat.ws",
                "webtalk.private",
                "webtalk.public",
            )
        )
        self.client: Rest = self.rest(self.globes)
        self.back_end = BackEnd(self.private)
        self.addCleanup(self.back_end.close)
        self.back_end.do(f"[auth] {BACK_END}".encode())
        for _ in range(10):
            # Channels of webtalk with the numbers of the rooms.
            self.back_end.do(b"[newchannel]")
        self.tokens = Tokens(KEY.encode(), time, 7200)
        self.count = 0
        self.assertEqual(self.client.add("Meeting place"), 2)
        club = self.client.add("Club", PASSWORD)
        self.club = self.client.token(club, "ann")

    def make(self, kind: str) -> tuple[int, str, dict[str, str | None]]:
        """Make a room; return its id, its title, and what there is to be shown."""
        title = f"Glade of {kind}"
        old = None
        if kind == "bridged":
            number, title = 2, "Meeting place"
        elif kind == "public":
            number = self.client.add(title)
        elif kind == "absent":
            number = ABSENT
        else:
            visibility = "hidden" if kind == "concealed" else kind
            visibility = "private" if kind == "deleted" else visibility
            wish = {"title": title, "visibility": visibility, "password": WRONG}
            answer = self.client.ask("POST", "/chats", wish)
            self.assertEqual(answer.status, 201)
            number = answer.json["id"]
            old = self.client.token(number, "ann", WRONG)
            wish["password"] = PASSWORD
            changed = self.client.ask("PUT", f"/chats/{number}", wish, old)
            self.assertEqual(changed.status, 200)
        room = replace(ROOM, id=number)
        right = self.tokens.make(room, HOLDER)
        if old is not None:
            right = self.client.token(quote(title), HOLDER)
            room = replace(room, generation=self.tokens.read(right).generation)
        if kind == "deleted":
            gone = self.client.ask("DELETE", f"/chats/{number}", token=right)
            self.assertEqual(gone.status, 200)
        return number, title, self.shown(room, right, old)

    def shown(self, room: Room, right: str, old: str | None) -> dict[str, str | None]:
        def part(claims: dict[str, Any]) -> str:
            return urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")

        claims = right.split(".")[1]
        early = Tokens(KEY.encode(), lambda: time() - 3700, 7200)
        other = Tokens(KEY[::-1].encode(), time, 7200)
        shown = (
            None,
            WRONG,
            PASSWORD,
            right,
            early.make(room, HOLDER),
            self.club,
            old or self.tokens.make(replace(room, generation=2), HOLDER),
            other.make(room, HOLDER),
            f"{part({'alg': 'none', 'typ': 'JWT'})}.{claims}.",
            ADMIN,
            SECRET,
            "0" * 39,
            BACK_END,
        )
        return dict(zip(CREDENTIALS, shown, strict=True))

    def visit(
        self, door: str, room: str, credential: str, shown: str | None
    ) -> Visitor:
        """Come in by a door, with what somebody has to show."""
        self.count += 1
        name = f"v{self.count}"
        headers = {} if shown is None else {"Authorization": f"Bearer {shown}"}
        hello = {"name": name, "room": room, "password": shown, "token": shown}
        visitor: Visitor
        match door:
            case "multichat":
                visitor = Relay(self.relays, name, shown)
            case "machat tcp":
                visitor = Terminal(self.lines, hello)
            case "machat ws":
                visitor = MachatSocket(self.frames, hello, additional_headers=headers)
            case "globes ws":
                name = HOLDER if credential == "right token" else name
                visitor = Guest(self.globes, room, name, **headers)
            case "webtalk browser":
                ticket = self.back_end.do(b"[newuser]").decode().split()[1]
                user, _, salt = ticket.partition("!")
                self.back_end.do(f"[join] {room}!{user}".encode())
                salt = salt if credential == "user's salt" else shown or ""
                visitor = Browser(self.public, user, f"{user}!{salt}")
            case "webtalk back-end":
                visitor = Shouter(self.private, shown, room)
            case _:
                raise AssertionError(door)
        self.addCleanup(visitor.close)
        return visitor

    def way(self, door: str, kind: str, number: int) -> str:
        """Return what the room is called, or most like it, at a door."""
        if kind == "bridged" and door.startswith("machat"):
            return LOUNGE
        if kind == "bridged" and door.startswith("webtalk"):
            return "1"
        return str(number)

    def users(self, number: int, token: str | None) -> list[str]:
        answer = self.client.ask("GET", f"/chats/{number}", token=token)
        return [user["username"] for user in answer.json.get("users", ())]

    def check_rest(
        self, kind: str, number: int, all_shown: dict[str, str | None]
    ) -> dict[tuple[str, str, str], bool]:
        """Try all requests; that which removes the room last."""
        found = {}
        path, right = f"/chats/{number}", all_shown["right token"]
        inside = ["inside"] * (kind not in GONE)
        for credential, shown in all_shown.items():
            answer = self.client.ask("GET", path, token=shown)
            seen = [user["username"] for user in answer.json.get("users", ())]
            self.assertEqual(answer.status == 200, seen == inside != [], credential)
            found["globes rest", credential, "see who is there"] = seen != []
            told = self.client.ask("GET", path, token=right).json
            visibility = told.get("visibility", "public")
            wish = {"title": told.get("title", "Glade"), "visibility": visibility}
            wish["description"] = f"changed with {credential}"
            changed = self.client.ask("PUT", path, wish, shown)
            told = self.client.ask("GET", path, token=right).json
            done = told.get("description") == wish["description"]
            self.assertEqual(changed.status == 200, done, credential)
            found["globes rest", credential, "change"] = done
            refused = 404 if kind in (*GONE, "concealed") else 403
            self.assertIn(changed.status, (200, refused), credential)
        deleting = "right token" if kind in LOCKED else "admin token"
        for credential in sorted(CREDENTIALS, key=deleting.__eq__):
            self.client.ask("DELETE", path, token=all_shown[credential])
            left = self.client.ask("GET", path, token=right).status == 200
            gone = not left and kind not in GONE
            found["globes rest", credential, "delete"] = gone
        return found

    def check(self, kind: str) -> None:
        number, title, all_shown = self.make(kind)
        right = all_shown["right token"]
        found = dict.fromkeys(
            ((d, c, o) for d in DOORS for c in CREDENTIALS for o in OPERATIONS), False
        )
        headers = {}
        if kind in LOCKED:
            generation = self.tokens.read(right or "").generation
            room = replace(ROOM, id=number, generation=generation)
            token = self.tokens.make(room, "inside")
            headers = {"Authorization": f"Bearer {token}"}
        inside = Guest(self.globes, str(number), "inside", **headers)
        self.addCleanup(inside.close)
        visitors: dict[tuple[str, str], Visitor] = {}
        for door in DOORS:
            if door == "globes rest":
                continue
            for credential, shown in all_shown.items():
                way = self.way(door, kind, number)
                visitor = self.visit(door, way, credential, shown)
                visitors[door, credential] = visitor
        for door in "machat tcp", "machat ws":
            for name in odd_names(number, title):
                visitors[door, name] = self.visit(door, name, "none", PASSWORD)
        for name in quote(title), f"0{number}", f"globes%2F{number}", f"{number}%00":
            visitors["globes ws", name] = self.visit("globes ws", name, "none", None)
        prompter = Relay(self.relays, "prompter", SECRET)
        self.addCleanup(prompter.close)

        for visitor in *visitors.values(), inside, prompter:
            visitor.settle()
        users = self.users(number, right)
        inside.speak("a canary sings")
        inside.settle()
        for at, visitor in enumerate(visitors.values()):
            visitor.speak(f"said by {at}.")
        for visitor in visitors.values():
            visitor.settle()
        prompter.speak(END)
        prompter.settle()
        for (door, _), visitor in visitors.items():
            visitor.speak(END)
            if door == "webtalk browser":
                user = visitor.name.split()[1]
                self.back_end.do(f"[whisper] {user}!{END}".encode())
        inside.settle()
        inside.speak("and the end of it")
        said = inside.heard("and the end of it")
        if kind in GONE:
            self.assertEqual((inside.status, said, users), (404, "", []))
        for at, ((door, how), visitor) in enumerate(visitors.items()):
            heard = "a canary sings" in visitor.heard(END)
            spoke = f"said by {at}." in said
            done = heard, spoke, visitor.name in users
            if how in CREDENTIALS:
                for operation, one in zip(OPERATIONS, done, strict=False):
                    found[door, how, operation] = one
            else:
                is_open = door == "globes ws" and kind in ("public", "bridged")
                is_it = how in (quote(title), f"0{number}")
                self.assertEqual(done, (is_open and is_it,) * 3, (kind, door, how))
            visitor.close()
        # So that nobody is there but one whose coming everybody sees.
        prompter.close()
        self.wait_until_alone(number, right)
        found |= self.check_rest(kind, number, all_shown)
        expected = {(d, c, o): may(d, kind, c, o) for d, c, o in found}
        self.assertEqual(found, expected)

    def wait_until_alone(self, number: int, token: str | None) -> None:
        for _ in range(500):
            if len(self.users(number, token)) < 2:
                return
        self.fail("they do not leave")


class OpenMatrixTests(MatrixCase):
    def test_who_may_do_what_in_every_kind_of_room(self) -> None:
        for kind in KINDS:
            self.check(kind)
        self.assertNotIn("Traceback", self.server.log)


class ConcealedMatrixTests(MatrixCase):
    conceal = True

    def test_who_may_do_what_in_a_room_that_is_concealed(self) -> None:
        for kind in "concealed", "absent":
            self.check(kind)
        self.assertNotIn("Traceback", self.server.log)


class RuleTests(GlobesTestCase):
    def test_the_rule_says_who_is_let_in_and_not_more(self) -> None:
        """What it comes to, counted, so that a slip in it is seen."""
        kinds = (*KINDS, "concealed")
        counts = {
            kind: sum(
                may(door, kind, credential, operation)
                for door in DOORS
                for credential in CREDENTIALS
                for operation in OPERATIONS
            )
            for kind in kinds
        }
        n = len(CREDENTIALS)
        self.assertEqual(
            counts,
            {
                # To see, hear, speak, be seen; to change and delete.
                "public": 4 * n + 2,
                "private": n + 3 + 2,
                "hidden": n + 3 + 2,
                "concealed": 1 + 3 + 2,
                # And MaChat twice, multichat, a browser, a back-end.
                "bridged": 4 * n + 2 + 2 * 3 * n + 3 + 2 + 1,
                "deleted": 0,
                "absent": 0,
            },
        )
