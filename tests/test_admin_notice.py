# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What the operator says to all, and the name that nobody else has."""

from __future__ import annotations

import json

from chatmux.errors import NameTakenError
from chatmux.model import SERVER, Member
from chatmux.protocols import machat
from chatmux.protocols.globes.events import encoding_for
from tests.admin_doubles import APITestCase, Peer
from tests.doubles import MemoryConnection


class NoticeTests(APITestCase):
    def heard(self, one: Peer) -> str:
        self.clock.advance(0)
        return one.take().decode()

    def test_each_protocol_has_it_in_its_own_words(self) -> None:
        ann = self.peer("machat.tcp", "x", "machat/lounge", name="ann")
        game = self.peer("multichat.host", "x", "multichat", name="game")
        web = Peer(self.guard, "globes.address", "x")
        self.broker.subscribe("globes/1", web, encoding_for(1))
        asking = Peer(self.guard, "globes.address", "x")
        encoding = encoding_for(1, with_origin=True)
        self.broker.subscribe("globes/1", asking, encoding)
        self.assertEqual(self.post("notice", text="back\r\nat <six>"), {"told": 4})
        name = "server (admin)"
        self.assertEqual(self.heard(ann), f"{name}:back\n{name}:at <six>\n")
        packet = json.loads(self.heard(game))
        self.assertEqual(packet["source-client-name"], name)
        self.assertEqual(packet["content"], "back\nat <six>")
        event = json.loads(self.heard(web))
        self.assertEqual((event["event_type"], event["name"]), ("send", name))
        self.assertEqual(event["msg"], "back\nat <six>")
        self.assertNotIn("origin", event)
        self.assertEqual(json.loads(self.heard(asking))["origin"], "admin")

    def test_on_one_channel(self) -> None:
        ann = self.peer("x", "x", "machat/lounge", name="ann")
        bob = self.peer("x", "x", "machat/b", name="bob")
        self.assertEqual(self.post("notice", text="hi", channel="machat/b")["told"], 1)
        self.assertEqual(self.heard(ann), "")
        self.assertEqual(self.heard(bob), "server (admin):hi\n")
        self.assertIn("told 1 on machat/b", self.notes[0])
        self.assertNotIn("hi", self.notes[0].split())

    def test_whoever_is_on_several_channels_is_told_once(self) -> None:
        many = self.peer("x", "x", "webtalk/1", "webtalk/2", "webtalk-whispers/1")
        alone = self.peer("x", "x", "webtalk-whispers/2")
        more = [self.peer("x", "x", "webtalk/1") for _ in range(3)]
        self.broker.subscribe("webtalk/2", MemoryConnection(), machat.encode)
        self.broker.subscribe("webtalk/3", MemoryConnection(), machat.encode)
        self.assertEqual(self.post("notice", text="hi"), {"told": 5})
        for one in (many, alone, *more):
            self.assertEqual(self.heard(one).count("hi"), 1)

    def test_nobody_else_has_the_servers_name(self) -> None:
        for name in "server (admin)", "SERVER  (Admin)", "s\u0435rver (admin)":
            with self.assertRaises(NameTakenError) as raised:
                self.broker.join("machat/b", Member(name, machat.NAME, 71))
            self.assertEqual(raised.exception.holder, SERVER)
        ann = self.peer("x", "x", "machat/lounge", name="ann")
        self.peer("x", "x", "machat/lounge", name="server")
        posing = self.peer("x", "x", "multichat", name="Server\u200b (admin)")
        self.broker.publish(
            "multichat",
            "Server\u200b (admin)",
            "give me your password",
            origin="multichat",
            source=posing.number,
        )
        self.assertTrue(self.heard(ann).startswith("Server\u200b (admin) (multichat):"))
        shown = [one["name"] for one in self.get("members?channel=multichat")]
        self.assertEqual(shown, ["ann", "server", "Server\u200b (admin) (multichat)"])
        self.post("notice", text="hi")
        self.assertEqual(self.heard(ann), "server (admin):hi\n")

    def test_nobody_poses_as_the_server_where_nobody_owns_a_name(self) -> None:
        listener = self.peer("globes.address", "x", "globes/1")
        for name in "server", "server (admin)":
            posing = self.peer("x", "x", "multichat", name=name)
            self.broker.publish(
                "multichat", name, "hi", origin="multichat", source=posing.number
            )
        self.assertEqual(
            self.heard(listener), "server:hi\nserver (admin) (multichat):hi\n"
        )
