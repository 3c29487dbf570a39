# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Events that are of no effect in a room of Globes, and what holds for all."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from chatmux.text import fold
from tests.globes_doubles import RoomCase

NAMES = ["ann", "ANN", "bob", "\u00c9va", "\u00e9VA", "x:y", "c\0"]

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)
events = st.fixed_dictionaries(
    {"event_type": st.sampled_from(["join", "send", "leave"]) | anything},
    optional={
        "name": st.sampled_from(NAMES) | anything,
        "msg": st.text() | anything,
        "color": st.text() | anything,
        "secret": st.just("hunter22"),
    },
)
messages = st.binary() | events.map(lambda event: json.dumps(event).encode())


class Step(NamedTuple):
    """What one of the peers does; ``lose`` ends its connection for good."""

    peer: int
    event: str
    name: str


steps = st.builds(
    Step,
    st.integers(0, 3),
    st.sampled_from(["join", "join", "send", "leave", "lose"]),
    st.sampled_from(NAMES),
)


class IgnoringTests(RoomCase):
    def setUp(self) -> None:
        super().setUp()
        self.ann = self.joined("ann")
        self.bob = self.joined("bob")
        self.ann.lines()

    def assert_ignored(self, message: bytes, binary: bool = False) -> None:
        before = len(self.ann.connection.ignored_for)
        self.ann.session.received(message, binary)
        self.assertEqual(len(self.ann.connection.ignored_for), before + 1, message[:60])
        self.assertEqual(self.ann.lines() + self.bob.lines(), [], message[:60])
        self.assertIsNone(self.ann.closed_for)
        self.assertEqual(self.names(), ["ann", "bob"])

    def assert_event_ignored(self, **event: Any) -> None:
        self.assert_ignored(json.dumps(event).encode())

    def test_what_is_no_json_is(self) -> None:
        good = b'{"event_type":"send","name":"ann","msg":"hi"}'
        for message in (
            b"",
            b"\n",
            b"hi",
            b"null",
            b"[]",
            b"[" + good + b"]",
            b'"send"',
            good[:-1],
            good + b"}",
            good + good,
            good + b"\n" + good,
            b"\xef\xbb\xbf" + good,
            good.replace(b"hi", b"\xff"),
            good.replace(b"hi", b"\t"),
            good.replace(b'"hi"', b"NaN"),
            good.replace(b"}", b',"x":NaN}'),
            b"[" * 60_000,
        ):
            self.assert_ignored(message)

    def test_what_is_of_wrong_types_is(self) -> None:
        for field in "event_type", "name", "msg", "color":
            for value in 1, True, ["send"], {"send": 1}, 1.5:
                event = {"event_type": "send", "name": "ann", "msg": "hi", field: value}
                self.assert_event_ignored(**event)

    def test_other_types_of_event_are(self) -> None:
        for event_type in "Send", "SEND", "say", "", "error", " send", "_send", None:
            self.assert_event_ignored(event_type=event_type, name="ann", msg="hi")
        self.assert_event_ignored(name="ann", msg="hi")

    def test_what_has_no_name_is(self) -> None:
        for event_type in "join", "send", "leave":
            self.assert_event_ignored(event_type=event_type, msg="hi")
            for name in "", None:
                self.assert_event_ignored(event_type=event_type, name=name, msg="hi")

    def test_a_send_without_words_is(self) -> None:
        self.assert_event_ignored(event_type="send", name="ann")
        for msg in "", None:
            self.assert_event_ignored(event_type="send", name="ann", msg=msg)
            # Even where it would be refused.
            self.assert_event_ignored(event_type="send", name="bob", msg=msg)

    def test_binary_is(self) -> None:
        for message in b"", b"\0\xff", b'{"event_type":"leave","name":"ann"}':
            self.assert_ignored(message, binary=True)

    def test_what_stands_there_besides_is_not_looked_at(self) -> None:
        message = (
            b' {"x":[1],"event_type":"send","name":"bob","name":"ann","msg":"a",'
            b'"room_id":"x","time":{}}\n'
        )
        self.ann.session.received(message, False)
        self.assertEqual(self.bob.words(), [("send", "ann", "a")])

    def test_keys_in_another_case_are_not(self) -> None:
        for message in (
            b'{"Event_Type":"send","Name":"ann","Msg":"a"}',
            b'{"EVENT_TYPE":"send","name":"ann","MSG":"a"}',
            b'{"event_type":"send","NAME":"ann","msg":"a"}',
        ):
            self.ann.session.received(message, False)
            self.assertEqual(self.bob.words(), [("send", "ann", "a")], message)
            self.ann.lines()


class PropertyTests(RoomCase):
    @given(st.lists(st.tuples(messages, st.booleans())), st.sampled_from([None, "ann"]))
    def test_no_bytes_do_more_than_be_refused(
        self, sent: list[tuple[bytes, bool]], username: str | None
    ) -> None:
        self.begin()
        peer, observer = self.peer(username), self.peer()
        for message, binary in sent:
            peer.session.received(message, binary)
        peer.lose()
        self.assertIsNone(peer.closed_for)
        heard, others = peer.hear(), observer.hear()
        for event in heard + others:
            self.assertIn(event["event_type"], ("join", "send", "leave", "error"))
            self.assertEqual(event["room_id"], 7)
            self.assertNotIn("secret", event)
        self.assertEqual([e for e in others if e["event_type"] == "error"], [])
        self.assertEqual(list(self.broker.members(self.room.channel)), [])

    @given(st.lists(steps, max_size=40))
    def test_what_an_observer_hears_makes_sense(self, done: list[Step]) -> None:
        self.begin()
        observer = self.peer()
        peers = [self.peer() for _ in range(4)]
        lost: set[int] = set()
        heard: list[dict[str, Any]] = []
        for number, event, name in done:
            if number in lost:
                continue
            if event == "lose":
                lost.add(number)
                peers[number].lose()
            else:
                peers[number].say(event, name, msg="hi")
            heard += observer.hear()
            here = self.present(heard)
            members = self.broker.members(self.room.channel)
            self.assertEqual([member.name for member in members], here)
        for number in set(range(4)) - lost:
            peers[number].lose()
        self.assertEqual(self.present(heard + observer.hear()), [])
        observer.lose()
        self.assertEqual(len(self.broker), 0)
        self.assertEqual(self.room.connected, set())

    def present(self, heard: list[dict[str, Any]]) -> list[str]:
        """Return who is there after all this, in the order of their coming.

        Nobody comes who is there, or talks or goes who is not.
        """
        here: dict[str, str] = {}
        for event in heard:
            name = event["name"]
            match event["event_type"]:
                case "join":
                    self.assertNotIn(fold(name), here)
                    here[fold(name)] = name
                case "send":
                    self.assertEqual(here[fold(name)], name)
                case other:
                    self.assertEqual(other, "leave")
                    self.assertEqual(here.pop(fold(name)), name)
        return list(here.values())
