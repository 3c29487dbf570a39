# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""A room of Globes in one conversation with all other protocols, on real sockets."""

from __future__ import annotations

import json
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.globes_server import ADMIN, CONFIG, PASSWORD, GlobesTestCase, Member
from tests.server import DEADLINE_SECONDS
from tests.test_process import Lines
from tests.webtalk_backend import BackEnd

SECRET = "s3cret"
ALL = {
    **CONFIG,
    "multichat": {"host": "127.0.0.1:0", "secret-key": SECRET},
    "machat": {"tcp": "127.0.0.1:0", "ws": None},
    "webtalk": {"private": "127.0.0.1:0", "public": "127.0.0.1:0"},
    "bridges": [["globes/1", "multichat", "machat/lounge", "webtalk/1"]],
}

Said = tuple[str, str]
"""A name and a text."""


class CrossingTests(GlobesTestCase):
    def setUp(self) -> None:
        self.server = self.serve(ALL)
        self.port, self.relays, self.lines, private, self.public = self.server.ports(
            "globes.address",
            "multichat.host",
            "machat.tcp",
            "webtalk.private",
            "webtalk.public",
        )
        self.back_end = BackEnd(private)
        self.addCleanup(self.back_end.close)

    def relay(self, name: str) -> ClientConnection:
        client = connect(f"ws://127.0.0.1:{self.relays}/", proxy=None)
        self.addCleanup(client.close)
        hello = {"action": "register", "client-name": name, "secret-key": SECRET}
        client.send(json.dumps(hello))
        self.assertIn("register-ack", str(client.recv(DEADLINE_SECONDS)))
        return client

    def terminal(self, name: str) -> Lines:
        terminal = Lines(self.lines, name, "lounge")
        self.addCleanup(terminal.close)
        return terminal

    def browser(self) -> ClientConnection:
        ticket = self.back_end.do(b"[newuser]").removeprefix(b"[ok] ")
        client = connect(f"ws://127.0.0.1:{self.public}/webtalk", proxy=None)
        self.addCleanup(client.close)
        client.send(ticket.decode())
        return client

    def packet(self, client: ClientConnection) -> Said:
        """Return what a relay hears next."""
        packet = json.loads(client.recv(DEADLINE_SECONDS))
        return packet["source-client-name"], packet["content"]

    def users(self) -> dict[str, Any]:
        room = self.rest(self.port).ask("GET", "/chats/1").json
        return {user["username"]: user for user in room["users"]}

    def enter(self, watch: Member) -> tuple[Member, ClientConnection, Lines, Any]:
        """Let one of each protocol come in, one after another, and see it in a room."""
        ann = self.member(self.port, 1, name="ann")
        relay = self.relay("relay: 1")
        self.assertEqual(watch.heard(1), [("join", "ann", "ann entered the room.")])
        joined = watch.hear()
        self.assertEqual(joined["msg"], f"{joined['name']} entered the room.")
        self.assertEqual((joined["event_type"], joined["room_id"]), ("join", 1))
        terminal = self.terminal("Mac")
        self.assertEqual(watch.heard(1), [("join", "Mac", "Mac entered the room.")])
        browser = self.browser()
        self.assertEqual(watch.hear()["event_type"], "join")
        for _ in range(3):
            ann.hear()
        return ann, relay, terminal, browser

    def test_who_comes_and_goes_is_seen_in_the_room(self) -> None:
        watch = self.member(self.port, 1)
        ann, relay, terminal, browser = self.enter(watch)
        users = self.users()
        self.assertEqual(list(users), ["ann", "relay_ 1", "Mac", "webtalk 1"])
        for user in users.values():
            self.assertEqual(list(user), ["username", "color", "last_activity"])
        left = []
        browser.close()
        left += watch.heard(1)
        terminal.end_input()
        left += watch.heard(1)
        relay.close()
        left += watch.heard(1)
        ann.socket.close()
        left += watch.heard(1)
        names = "webtalk 1", "Mac", "relay_ 1", "ann"
        expected = [("leave", name, f"{name} has left the room.") for name in names]
        self.assertEqual(left, expected)
        self.assertEqual(self.users(), {})

    def test_what_one_says_all_others_hear_in_one_order(self) -> None:
        watch = self.member(self.port, 1)
        ann, relay, terminal, browser = self.enter(watch)
        listener = self.relay("listener")
        watch.hear(), ann.hear()
        rounds = 50
        for number in range(rounds):
            ann.say("send", "ann", msg=f"g{number}")
            packet = {"action": "client-message", "content": f"m{number}"}
            relay.send(json.dumps(packet))
            terminal.type(f"t{number}")
            self.back_end.say(b"[shout] 1!w%d" % number)
        total = 4 * rounds
        order = [(event[1], event[2]) for event in watch.heard(total)]
        self.assertEqual([(event[1], event[2]) for event in ann.heard(total)], order)
        for name, letter in ("ann", "g"), ("relay_ 1", "m"), ("Mac", "t"):
            own = [text for sender, text in order if sender == name]
            self.assertEqual(own, [f"{letter}{number}" for number in range(rounds)])
        shouted = [text for sender, text in order if sender == "webtalk"]
        self.assertEqual(shouted, [f"w{number}" for number in range(rounds)])
        lines = [f"{name}:{text}\n" for name, text in order]
        self.assertEqual([terminal.read() for _ in lines], lines)
        self.assertEqual(
            [browser.recv(DEADLINE_SECONDS) for _ in order],
            [text if name == "webtalk" else f"{name}:{text}" for name, text in order],
        )
        # Other relays see a relay's name as it is.
        told = {"relay_ 1": "relay: 1"}
        packets = [(told.get(name, name), text) for name, text in order]
        self.assertEqual([self.packet(listener) for _ in order], packets)
        others = [one for one in order if one[0] != "relay_ 1"]
        self.assertEqual([self.packet(relay) for _ in others], others)
        for _ in range(rounds):
            self.assertEqual(self.back_end.hear(), b"[ok] message sent")
        self.assertEqual(self.server.stop(), 0)
        self.assertNotIn("Traceback", self.server.log)

    def test_names_are_taken_across_the_protocols(self) -> None:
        watch = self.member(self.port, 1)
        self.terminal("Mac")
        watch.hear()
        bob = self.member(self.port, 1)
        for name in "mac", "MAC", "Mac":
            bob.say("join", name)
            refused = bob.hear()
            self.assertEqual(refused["event_type"], "error")
            self.assertEqual(refused["code"], 202)
        bob.say("join", "Bob")
        self.assertEqual(bob.heard(1), [("join", "Bob", "Bob entered the room.")])
        self.assertEqual(watch.heard(1), [("join", "Bob", "Bob entered the room.")])
        late = self.terminal("BOB")
        self.assertRegex(late.read(), "error: .*Bob is taken")
        late.end_input()
        self.assertEqual(late.read(), "")
        # A relay's names are its own affair, but it passes for nobody.
        relay = self.relay("bob")
        self.assertEqual(watch.heard(1)[0][:2], ("join", "bob (multichat)"))
        relay.send('{"action":"client-message","content":"not Bob"}')
        self.assertEqual(watch.heard(1), [("send", "bob (multichat)", "not Bob")])
        bob.socket.close()
        self.assertEqual(watch.heard(1), [("leave", "Bob", "Bob has left the room.")])
        again = self.terminal("bob")
        again.type("now me")
        self.assertEqual(watch.heard(1)[0][0], "join")
        self.assertEqual(watch.heard(1), [("send", "bob", "now me")])

    def test_a_room_of_a_bridge_stays_public(self) -> None:
        client = self.rest(self.port)
        wish = {"title": "Ours", "visibility": "private", "password": PASSWORD}
        refused = client.ask("PUT", "/chats/1", wish, ADMIN)
        self.assertEqual(refused.fault, (400, 105, "visibility"))
        watch = self.member(self.port, 1)
        wish = {"title": "Ours", "visibility": "public"}
        self.assertEqual(client.ask("PUT", "/chats/1", wish, ADMIN).status, 200)
        self.terminal("Mac").type("still here")
        texts = [text for _, _, text in watch.heard(2)]
        self.assertEqual(texts, ["Mac entered the room.", "still here"])
