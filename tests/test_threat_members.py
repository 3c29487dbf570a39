# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""A room's password cannot be walked around, nor a name taken, by any other door."""

from __future__ import annotations

import json
import socket
import time

from tests.attack import AttackTestCase, Target, close_code, frames_of, read_all
from tests.globes_server import ADMIN, PASSWORD, Rest
from tests.websocket_doubles import CLOSE, PING, TEXT, masked
from tests.webtalk_backend import BackEnd

GLOBES = {"address": "127.0.0.1:0", "admin-token": ADMIN}
ROOMS = (
    *("globes/2", "2", "02", "den", "DEN", "ｄｅｎ", "globes/den", "machat/globes/2"),
    *("../globes/2", "/globes/2", "a/../../globes/2", "globes/2\u0000", "__proto__"),
    *("globes", "globes-ws/2", "", "1", "constructor", "globes/2 ", "webtalk/2"),
)
"""By which somebody could hope to come into the room 2 of Globes, called den."""
SECRET = "the words behind the door"
INTRUSION = "an intrusion"

LIKE_ANN = ("ann", "ANN", "Ann ", " ann", "ａｎｎ", "a\u200bnn", "аnn", "a\u00adnn")
"""The same in case, width, blanks, with what is not to be seen, and in Cyrillic."""
NO_NAMES = ("", " ", "\u202enna", "a:b", "a\nb", "a\x1b[2J", "x" * 256, "\u200b")


def into_den(target: Target, header: str) -> bytes:
    """Return the handshake for a WebSocket of room 2."""
    return target.handshake("globes", header).replace(b"/chats/1/", b"/chats/2/", 1)


class DoorTests(AttackTestCase):
    """Row 30."""

    def test_no_other_door_leads_into_a_room_with_a_password(self) -> None:
        target = self.target(globes=GLOBES, bridges=[["multichat", "machat/lounge"]])
        client = Rest(target.port["globes"])
        self.addCleanup(client.close)
        self.assertEqual(client.add("den", PASSWORD), 2)
        den = client.token(2, "ann")
        ann = target.connect("globes")
        ann.sendall(into_den(target, f"Authorization: Bearer {den}"))
        self.until(ann, b"\r\n\r\n")
        ann.sendall(masked(TEXT, b'{"event_type":"join","name":"ann"}'))
        intruders: dict[str, socket.socket] = {}
        for room in ROOMS:
            for place in "machat", "mychat":
                hello = json.dumps({"name": f"eve {place}", "room": room}).encode()
                words = f"\n{INTRUSION}\n".encode()
                if place == "machat":
                    raw = target.connect(place)
                    raw.sendall(hello + words)
                else:
                    raw = target.upgrade(place)
                    raw.sendall(masked(TEXT, hello) + masked(TEXT, words))
                intruders[f"{place} {room}"] = raw
        intruders["multichat"] = raw = target.enter("multichat", "globes/2")
        packet = {"action": "client-message", "content": INTRUSION}
        raw.sendall(masked(TEXT, json.dumps(packet).encode()))
        intruders["public"] = self.use_webtalk(target)
        intruders["public room"] = target.enter("globes", "eve")
        self.refused_at_globes(target, client)
        # Presence is no way either.
        users = client.ask("GET", "/chats/2").json["users"]
        self.assertEqual([user["username"] for user in users], ["ann"])
        said = {"event_type": "send", "name": "ann", "msg": SECRET}
        ann.sendall(masked(TEXT, json.dumps(said).encode()))
        heard = self.until(ann, SECRET.encode())
        self.assertNotIn(INTRUSION.encode(), heard)
        self.assertNotIn(b'"name":"eve', heard)
        time.sleep(0.2)
        for name, raw in intruders.items():
            raw.settimeout(0.001)
            try:
                came = raw.recv(1 << 16)
            except TimeoutError:
                continue
            self.assertNotIn(SECRET.encode(), came, name)

    def use_webtalk(self, target: Target) -> socket.socket:
        """Try what the private port can do; return a browser's connection."""
        back_end = BackEnd(target.port["private"])
        ticket = back_end.do(b"[newuser]").removeprefix(b"[ok] ")
        user = ticket.partition(b"!")[0]
        for channel in b"2", b"globes/2", b"02", b"den", b"webtalk/2":
            back_end.do(b"[join] %s!%s" % (channel, user))
            back_end.do(b"[shout] %s!%s" % (channel, INTRUSION.encode()))
            back_end.do(b"[whisper] %s!%s" % (channel, INTRUSION.encode()))
        back_end.close()
        raw = target.upgrade("public")
        raw.sendall(masked(TEXT, ticket))
        return raw

    def refused_at_globes(self, target: Target, client: Rest) -> None:
        other = client.token(client.add("club", PASSWORD), "eve")
        for shown in "", other, ADMIN, "garbage", f"{other}x":
            raw = target.connect("globes")
            header = f"Authorization: Bearer {shown}" if shown else "X-A: b"
            raw.sendall(into_den(target, header))
            self.assertTrue(raw.recv(1000).startswith(b"HTTP/1.1 403 "), shown)
            raw.close()

    def until(self, raw: socket.socket, mark: bytes) -> bytes:
        came = b""
        while mark not in came:
            part = raw.recv(1 << 16)
            self.assertNotEqual(part, b"")
            came += part
        return came


class NameTests(AttackTestCase):
    """Rows 25 and 26: one channel, four doors."""

    def setUp(self) -> None:
        self.server = self.target()

    def test_a_members_name_is_safe_from_all_that_look_like_it(self) -> None:
        ann = self.server.enter("machat", "ann")
        ann.sendall(b"here\n")
        ann.recv(100)
        self.all_are_refused()

    def test_so_is_that_of_a_member_of_globes(self) -> None:
        self.server.enter("globes", "ann")
        self.all_are_refused()

    def all_are_refused(self) -> None:
        for name in LIKE_ANN:
            hello = json.dumps({"name": name, "room": "lounge"}).encode()
            raw = self.server.connect("machat")
            raw.sendall(hello + b"\nI am ann\n")
            came = read_all(raw)
            self.assertTrue(came.startswith(b"error: the name "), (name, came))
            self.assertEqual(came.count(b"\n"), 1)
            raw = self.server.upgrade("mychat")
            raw.sendall(masked(TEXT, hello) + masked(CLOSE, b"\x03\xf0"))
            self.assertEqual(close_code(read_all(raw)), 1008, name)
            # On Globes the connection stays, as a listener.
            self.assert_error_event(name)

    def assert_error_event(self, name: str) -> None:
        raw = self.server.upgrade("globes")
        join = {"event_type": "join", "name": name}
        raw.sendall(masked(TEXT, json.dumps(join).encode()))
        events = self.events(raw)
        self.assertEqual([one["event_type"] for one in events], ["error"], name)
        self.assertEqual(events[0]["code"], 202)
        raw.close()

    def test_free_names_are_marked_where_a_member_has_them(self) -> None:
        watch = self.server.upgrade("globes")
        self.server.enter("globes", "ann")
        for name in LIKE_ANN:
            raw = self.server.enter("multichat", name)
            packet = {"action": "client-message", "content": "I am ann"}
            raw.sendall(masked(TEXT, json.dumps(packet).encode()) + masked(PING, b"."))
            while not raw.recv(100).endswith(b"."):
                pass
            raw.close()
        sends = [e for e in self.events(watch) if e["event_type"] == "send"]
        self.assertEqual(len(sends), len(LIKE_ANN))
        for event in sends:
            self.assertTrue(event["name"].endswith("(multichat)"), event)

    def test_what_is_no_name_is_refused(self) -> None:
        for name in NO_NAMES:
            raw = self.server.connect("machat")
            raw.sendall(json.dumps({"name": name, "room": "lounge"}).encode() + b"\n")
            self.assertTrue(read_all(raw).startswith(b"error: "), name)
            # An event without any name is ignored, as recorded.
            if name:
                self.assert_error_event(name)

    def test_nobody_speaks_or_leaves_by_anothers_name(self) -> None:
        watch = self.server.upgrade("globes")
        self.server.enter("globes", "ann")
        eve = self.server.enter("globes", "eve")
        for event_type in "send", "leave":
            event = {"event_type": event_type, "name": "ann", "msg": "I quit"}
            eve.sendall(masked(TEXT, json.dumps(event).encode()))
        told = [e for e in self.events(eve) if e["event_type"] == "error"]
        self.assertEqual([one["code"] for one in told], [202, 202])
        seen = [(e["event_type"], e["name"]) for e in self.events(watch)]
        self.assertEqual(seen, [("join", "ann"), ("join", "eve")])

    def events(self, raw: socket.socket) -> list[dict[str, str]]:
        """Return the events that came before the answer to a ping."""
        raw.sendall(masked(PING, b"."))
        came = b""
        while b"\x8a\x01." not in came:
            part = raw.recv(1 << 16)
            self.assertNotEqual(part, b"")
            came += part
        return [
            json.loads(one.payload) for one in frames_of(came) if one.opcode == TEXT
        ]
