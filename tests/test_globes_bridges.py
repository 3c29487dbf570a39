# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""A room of Globes in a bridge: how the others are heard there, and it by them."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatmux.errors import PeerError
from chatmux.model import Publication
from chatmux.protocols import globes, machat, multichat
from chatmux.protocols.globes.events import encoding_for
from chatmux.protocols.globes.rooms import LiveRoom
from chatmux.protocols.globes.session import Session
from chatmux.settings import Secret
from tests.doubles import MemoryConnection, bracketed
from tests.globes_doubles import ROOM, Peer, new_lock
from tests.webtalk_doubles import Webtalk

texts = st.text(st.characters(exclude_categories=["Cs"]))
encode = encoding_for(7)


class BridgeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.webtalk = Webtalk(
            bridges=[["multichat", "machat/a", "webtalk/1", "globes/7"]],
            sender="the site",
        )
        self.clock, self.broker = self.webtalk.clock, self.webtalk.broker
        self.room = LiveRoom(ROOM, new_lock())

    def peer(self) -> Peer:
        entry = self.broker.enter(self.room.channel, "globes")
        return Peer(
            lambda connection: Session(
                connection, self.broker, entry, self.room, None, self.clock, None
            ),
            self.clock,
        )

    def joined(self, name: str) -> Peer:
        peer = self.peer()
        peer.say("join", name)
        peer.lines()
        return peer

    def machat(self, name: str) -> machat.Session:
        session = machat.Session(MemoryConnection(), self.broker, "machat/")
        hello = json.dumps({"name": name, "room": "a"}).encode()
        self.assertEqual(session.opening(hello), b"")
        return session

    def multichat(self, name: str) -> tuple[multichat.Session, MemoryConnection]:
        connection = MemoryConnection(bracketed)
        session = multichat.Session(connection, self.broker, Secret("s3cret"))
        packet = {"action": "register", "client-name": name, "secret-key": "s3cret"}
        session.received(json.dumps(packet).encode(), False)
        connection.take()
        return session, connection

    def test_a_line_of_machat_is_a_send(self) -> None:
        peer = self.peer()
        bob = self.machat("bob")
        bob.line(b"hi <all>")
        joined, sent = peer.hear()
        self.assertEqual(joined["msg"], "bob entered the room.")
        del sent["time"]
        self.assertEqual(
            sent, {"event_type": "send", "name": "bob", "room_id": 7, "msg": "hi <all>"}
        )

    def test_comings_and_goings_of_machat_are_events(self) -> None:
        peer = self.peer()
        self.machat("bob").closed()
        events = peer.hear()
        self.assertEqual(
            [list(event) for event in events],
            [["event_type", "name", "room_id", "msg", "time"]] * 2,
        )
        self.assertEqual(
            [(event["event_type"], event["msg"]) for event in events],
            [("join", "bob entered the room."), ("leave", "bob has left the room.")],
        )

    def test_those_of_multichat_are_told_once_for_each_name(self) -> None:
        peer = self.peer()
        first, _ = self.multichat("server")
        second, _ = self.multichat("server")
        second.received(b'{"action":"client-message","content":"hi"}', False)
        first.closed()
        self.assertEqual(
            peer.words(),
            [("join", "server", "server entered the room."), ("send", "server", "hi")],
        )
        second.closed()
        self.assertEqual(
            peer.words(), [("leave", "server", "server has left the room.")]
        )

    def test_those_of_webtalk_are_its_users(self) -> None:
        peer = self.peer()
        _, browser = self.webtalk.new_browser()
        self.webtalk.say(b"[shout] 1!hi")
        browser.close()
        self.assertEqual(
            peer.words(),
            [
                ("join", "the site 1", "the site 1 entered the room."),
                ("send", "the site", "hi"),
                ("leave", "the site 1", "the site 1 has left the room."),
            ],
        )

    def test_they_hear_what_is_said_and_not_who_comes(self) -> None:
        bob = self.machat("bob")
        _, packets = self.multichat("server")
        _, browser = self.webtalk.new_browser()
        ann = self.joined("ann")
        ann.say("send", "ann", msg="hi\nho", color="red")
        ann.lose()
        self.clock.advance(0)
        lines = bob._connection
        assert isinstance(lines, MemoryConnection)
        self.assertEqual(lines.take(), b"ann:hi\nann:ho\n")
        self.assertEqual(
            packets.take(),
            b'<{"action":"forwarding-message","source-client-name":"ann",'
            b'"content":"hi\\nho"}>',
        )
        self.assertEqual(browser.take(), [b"ann:hi\nho"])

    def test_a_name_is_held_once_across_protocols(self) -> None:
        self.machat("Bob")
        peer = self.peer()
        peer.say("join", "bob")
        [refused] = peer.hear()
        self.assertEqual(
            (refused["code"], refused["msg"]), (202, "the name Bob is taken")
        )
        self.joined("ann")
        self.assertRaises(PeerError, self.machat, "ANN")

    def test_nobody_passes_for_a_member(self) -> None:
        ann = self.joined("ann")
        session, _ = self.multichat("Ann")
        session.received(b'{"action":"client-message","content":"hi"}', False)
        session.closed()
        self.assertEqual(
            [(kind, name) for kind, name, _ in ann.words()],
            [(kind, "Ann (multichat)") for kind in ("join", "send", "leave")],
        )

    def test_all_are_listed_as_they_are_heard(self) -> None:
        ann = self.joined("ann")
        self.multichat("ann")
        self.multichat("b:c\n")
        self.machat("bob")
        self.webtalk.new_browser()
        heard = [name for _, name, _ in ann.words()]
        listed = [member.name for member in self.broker.members("globes/7")]
        self.assertEqual(listed, ["ann", *heard])
        self.assertEqual(
            listed, ["ann", "ann (multichat)", "b_c_", "bob", "the site 1"]
        )


class EncodingTests(SynchronousTestCase):
    def event(self, **changes: Any) -> dict[str, Any]:
        publication = Publication("globes/7", 1, "ann", "hi", "multichat", 0, 0.0)
        [message] = encode(publication._replace(**changes))
        event: dict[str, Any] = json.loads(message)
        return event

    def test_a_name_that_a_member_holds_is_shown_as_the_broker_says(self) -> None:
        event = self.event(ext={"shown": "ann (multichat)", "event": "join"})
        self.assertEqual(event["name"], "ann (multichat)")
        self.assertEqual(event["msg"], "ann (multichat) entered the room.")

    def test_what_is_known_to_other_protocols_only_is_not_told(self) -> None:
        event = self.event(ext={"secret": "x", "time": "x", "event": "dance"})
        self.assertEqual((event["event_type"], event["msg"]), ("dance", "hi"))
        self.assertNotIn("secret", event)

    @given(
        texts,
        texts,
        st.sampled_from(["globes", "machat", "multichat", "webtalk"]),
        st.none()
        | st.dictionaries(st.sampled_from(["color", "shown"]), texts)
        | st.fixed_dictionaries({"event": st.sampled_from(["join", "leave"])}),
        st.floats(0, 4e9),
    )
    def test_any_publication_is_one_event(
        self, name: str, text: str, origin: str, ext: Any, time: float
    ) -> None:
        event = self.event(name=name, text=text, origin=origin, ext=ext, time=time)
        self.assertEqual(event["room_id"], 7)
        self.assertIn(event["event_type"], ("join", "send", "leave"))
        if event["event_type"] == "send":
            self.assertEqual(event.get("msg", ""), text)

    def test_a_room_has_one_encoding(self) -> None:
        # Equal ones are encoded once for all.
        room = LiveRoom(ROOM, new_lock())
        self.assertIs(room.encode, room.encode)


class NamesOfBridgesTests(SynchronousTestCase):
    def test_rooms_are_named_by_their_ids(self) -> None:
        self.assertIsNone(globes.bridge_fault(["globes/1", "globes/20"]))
        for name in (
            "globes",
            "globes/",
            "globes/0",
            "globes/01",
            "globes/a",
            "globes/1/2",
            "globes/-1",
            "globes/\u0661",
            "globes-x/1",
            "globes/" + "9" * 30,
        ):
            fault = globes.bridge_fault(["globes/1", name])
            self.assertEqual(fault, f"{name} is no room of Globes, as globes/1 is")
