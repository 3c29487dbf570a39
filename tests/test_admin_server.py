# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The operator's address of a running server: what peers notice of an operator."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from websockets.exceptions import InvalidStatus

from chatmux.tries import WINDOW_SECONDS
from tests.admin_server import OPEN, TOKEN, WITH_TOKEN, AdminTestCase
from tests.globes_server import Member
from tests.page_server import SECRET
from tests.server import DEADLINE_SECONDS, waiting

WORDS = "over, and out"
REGISTER = {"action": "register", "client-name": "game", "secret-key": SECRET}


def framed(words: str) -> bytes:
    return b"%05d" % len(words) + words.encode()


class Crowd(AdminTestCase):
    """One peer at each door."""

    def setUp(self) -> None:
        self.begin()
        self.backend = self.tcp("webtalk.private")
        self.backend.sendall(framed("[newuser]"))
        ticket = self.backend.recv(100).partition(b"[ok] ")[2].decode()
        self.lines = self.machat("ann")
        hello = json.dumps({"name": "bob", "room": "lounge"})
        self.sockets = {
            "machat.ws": self.websocket("machat.ws", "/mychat", hello),
            "multichat.host": self.websocket(
                "multichat.host", "/", json.dumps(REGISTER)
            ),
            "globes.address": self.member(
                self.ports["globes.address"], 1, name="eve"
            ).socket,
            "webtalk.public": self.websocket(
                "webtalk.public", "/webtalk", ticket, origin="http://localhost"
            ),
        }
        self.sockets["multichat.host"].recv(DEADLINE_SECONDS)
        for _ in waiting():
            (channel,) = self.operator.get("channels")
            if channel["connections"] == 5:
                break

    def tcp(self, key: str) -> socket.socket:
        one = socket.create_connection(("127.0.0.1", self.ports[key]), DEADLINE_SECONDS)
        self.addCleanup(one.close)
        return one

    def number(self, door: str) -> int:
        """Return the number of the one connection of a door."""
        (one,) = self.operator.get(f"connections?door={door}")
        number: int = one["number"]
        return number

    def end_of(self, one: Any) -> tuple[int, str]:
        return Member(one).end()


class PeerTests(Crowd):
    def test_each_kind_of_connection_is_closed_with_a_reason(self) -> None:
        for door, peer in self.sockets.items():
            number = self.number(door)
            told = self.operator.post(f"connections/{number}/close", reason=WORDS)
            self.assertEqual(told, {"closed": 1})
            self.assertEqual(self.end_of(peer), (1000, WORDS), door)
            words = f"closed connection {number} ({door}, 127.0.0.1:"
            self.assertIn(f"the operator (127.0.0.1) {words}", self.server.log)
        self.operator.post(f"connections/{self.number('machat.tcp')}/close")
        self.assertEqual(self.lines.hear(), "")
        self.operator.post(f"connections/{self.number('webtalk.private')}/close")
        self.assertEqual(self.backend.recv(100), b"")
        rest = self.rest(self.server)
        self.assertEqual(rest.ask("GET", "/chats").status, 200)
        self.operator.post(f"connections/{self.number('globes.address')}/close")
        sock = rest.connection.sock
        self.assertEqual(sock.recv(1), b"")
        stream = self.operator.listen()
        self.addCleanup(stream.close)
        both = self.operator.get("connections?door=admin.address")
        self.operator.post(f"connections/{both[0]['number']}/close", reason=WORDS)
        self.assertEqual(self.end_of(stream), (1000, WORDS))
        self.assertIn(f": {WORDS}\n", self.server.log)

    def test_a_channel_is_closed_with_all_who_are_on_it(self) -> None:
        told = self.operator.post("channels/close", channel="globes/1", reason=WORDS)
        self.assertEqual(told, {"closed": 5})
        for peer in self.sockets.values():
            self.assertEqual(self.end_of(peer), (1000, WORDS))
        self.assertEqual(self.lines.hear(), "")
        for _ in waiting():
            # The user of webtalk is still one, and away.
            if not [one for one in self.operator.get("channels") if one["members"]]:
                break
        back = self.machat("ann")
        back.say("again")
        self.assertEqual(back.hear(), "ann:again")

    def test_a_notice_arrives_at_everybody_once(self) -> None:
        told = self.operator.post("notice", text="back at six\nor so")
        self.assertEqual(told, {"told": 5})
        name = "server (admin)"
        for line in "back at six", "or so":
            self.assertEqual(self.lines.hear(), f"{name}:{line}")
        self.operator.post("notice", text="<b>", channel="machat/lounge")
        heard = {
            door: [self.said(peer) for _ in range(2 + (door == "machat.ws"))]
            for door, peer in self.sockets.items()
        }
        self.assertEqual(
            heard["machat.ws"],
            [f"{name}:{t}\n" for t in ("back at six", "or so", "<b>")],
        )
        first, second = map(json.loads, heard["multichat.host"])
        self.assertEqual(first["content"], "back at six\nor so")
        self.assertEqual(
            (second["source-client-name"], second["content"]), (name, "<b>")
        )
        event = json.loads(heard["globes.address"][1])
        self.assertEqual(
            [event[key] for key in ("event_type", "name", "room_id", "msg")],
            ["send", name, 1, "<b>"],
        )
        self.assertEqual(
            heard["webtalk.public"], [f"{name}:back at six\nor so", f"{name}:<b>"]
        )
        self.assertNotIn("six", self.server.log)

    def said(self, peer: Any) -> str:
        """Return the next message of the server's own."""
        while "server (admin)" not in (message := peer.recv(DEADLINE_SECONDS)):
            pass
        text: str = message
        return text

    def test_nobody_is_let_in_by_the_servers_name(self) -> None:
        other = self.tcp("machat.tcp")
        other.sendall(b'{"name":"Server (admin)","room":"lounge"}\n')
        self.assertIn(b"is taken", other.recv(1000))

    def test_the_stream(self) -> None:
        stream = self.operator.listen()
        self.addCleanup(stream.close)
        wrong = self.tcp("machat.tcp")
        wrong.sendall(b"<script>alert(1)</script>\n")
        wrong.recv(1000)
        told: list[str] = []
        while len(set(told)) < 2:
            told += json.loads(stream.recv(DEADLINE_SECONDS))
        self.assertEqual(set(told), {"refusal", "sample"})
        self.assertEqual(self.operator.get("refusals")[0]["door"], "machat.tcp")
        sample = self.operator.get("samples")[-1]
        self.assertEqual(sample["connections"]["machat.tcp"], 1)
        self.assertGreater(sample["memory"], 1 << 20)


class TokenTests(AdminTestCase):
    def test_a_token(self) -> None:
        self.begin(WITH_TOKEN, TOKEN)
        self.assertEqual(self.operator.get("server")["doors"][-1]["protocol"], "admin")
        stream = self.operator.listen()
        self.assertEqual(stream.subprotocol, TOKEN)
        stream.recv(DEADLINE_SECONDS)
        stream.close()
        stranger = self.client_of_operator()
        self.assertEqual(stranger.ask("GET", "/").status, 200)
        self.assertEqual(stranger.ask("GET", "/api/server").status, 401)
        with self.assertRaises(InvalidStatus) as raised:
            stranger.listen()
        self.assertEqual(raised.exception.response.status_code, 401)
        guesser = self.client_of_operator("guess")
        statuses = [guesser.ask("GET", "/api/server").status for _ in range(11)]
        self.assertEqual(statuses, [401] * 10 + [429])
        later = guesser.ask("GET", "/api/server").headers["retry-after"]
        self.assertTrue(1 <= int(later) <= WINDOW_SECONDS)
        self.assertNotIn(TOKEN, self.server.log)
        self.assertNotIn("guess", self.server.log)
        self.assertEqual(self.server.stop(), 0)

    def test_limits_and_other_pages(self) -> None:
        self.begin()
        long = self.operator.ask("POST", "/api/notice", {"text": "x" * 20_000})
        self.assertEqual((long.status, long.json), (413, {"error": "too long"}))
        operator = self.client_of_operator()
        for headers in {"Origin": "http://evil.example"}, {"Host": "evil.example"}:
            answer = operator.ask("POST", "/api/notice", {"text": "x"}, **headers)
            self.assertEqual(answer.status, 403)
        for header in (
            ("Origin", "http://evil.example"),
            ("Sec-Fetch-Site", "same-site"),
        ):
            with self.assertRaises(InvalidStatus) as raised:
                self.operator.listen(additional_headers=[header])
            self.assertEqual(raised.exception.response.status_code, 403)
        page = operator.ask("GET", "/")
        self.assertIn("frame-ancestors 'none'", page.headers["content-security-policy"])
        for path in "/web/admin/main.js", "/web/base.css", "/web/chat/dom.js":
            self.assertEqual(operator.ask("GET", path).status, 200, path)
        for path in "/web/chat/main.js", "/web/index.html", "/web/admin/../../x":
            self.assertEqual(operator.ask("GET", path).status, 404, path)
        people = self.rest(self.server)
        self.assertEqual(people.ask("GET", "/web/admin/main.js").status, 404)

    def test_where_others_can_reach_it_the_start_is_refused(self) -> None:
        config = {**OPEN, "admin": {"address": "0.0.0.0:0"}}
        server = self.serve(config)
        self.assertEqual(server.wait(), 78)
        self.assertIn("chatmux: admin.address: other machines", server.log)

    def test_it_needs_no_store(self) -> None:
        directory = Path(self.mktemp())
        config = {"machat": {"tcp": "127.0.0.1:0", "ws": None}, "admin": OPEN["admin"]}
        server = self.serve(config, directory)
        server.ports("admin.address")
        self.assertEqual(server.stop(), 0)
        self.assertEqual(list(directory.glob("*.db")), [])
