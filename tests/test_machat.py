# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""MaChat's lines and sessions, without a reactor."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatmux.broker.local import LocalBroker
from chatmux.errors import PeerError
from chatmux.model import NORMAL, Publication
from chatmux.protocols import machat
from chatmux.protocols.machat import encode, refuse
from chatmux.text import name_fault
from tests.doubles import MemoryConnection, bracketed, services

texts = st.text(st.characters(exclude_categories=["Cs"]))


def publication(name: str, text: str, origin: str = "multichat") -> Publication:
    return Publication("machat/a", 1, name, text, origin, 0, 0.0)


class EncodingTests(SynchronousTestCase):
    def test_a_line_carries_its_sender(self) -> None:
        self.assertEqual(encode(publication("ann", "hi", "machat")), [b"ann:hi\n"])

    def test_a_text_of_lines_becomes_a_line_for_each(self) -> None:
        self.assertEqual(
            encode(publication("ann", "hi\r\nbob:I quit\u2028x")),
            [b"ann:hi\n", b"ann:bob:I quit\n", b"ann:x\n"],
        )

    def test_a_free_name_is_made_plain(self) -> None:
        self.assertEqual(encode(publication("a:b\n\x1bc", "hi")), [b"a_b__c:hi\n"])

    def test_a_name_that_a_member_holds_is_shown_as_the_broker_says(self) -> None:
        marked = publication("ann", "hi")._replace(ext={"shown": "ann (multichat)"})
        self.assertEqual(encode(marked), [b"ann (multichat):hi\n"])

    def test_who_comes_or_goes_makes_no_line(self) -> None:
        for origin in "machat", "globes":
            silent = publication("ann", "", origin)
            for event in "join", "leave":
                told = silent._replace(ext={"event": event, "color": "red"})
                self.assertEqual(encode(told), [])
            self.assertEqual(encode(silent._replace(ext={"color": "red"})), [b"ann:\n"])

    @given(texts, texts)
    def test_every_line_begins_with_a_name_that_cannot_be_forged(
        self, name: str, text: str
    ) -> None:
        for line in encode(publication(name, text)):
            shown, _, rest = line.decode().partition(":")
            self.assertIsNone(name_fault(shown))
            self.assertEqual(rest.count("\n"), 1)
            self.assertTrue(rest.endswith("\n"))
            self.assertEqual(len(line.decode().splitlines()), 1)


class Member:
    """A session over lines, driven as the transport does it."""

    def __init__(self, broker: LocalBroker) -> None:
        self.connection = MemoryConnection()
        self.session = machat.Session(self.connection, broker, "machat/")
        self.opened = False
        self.rest = b""

    def feed(self, data: bytes) -> None:
        if not self.opened:
            rest = self.session.opening(data)
            if rest is None:
                return
            self.opened = True
            data = rest
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            self.session.line(line)


class LineSessionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.broker = LocalBroker(self.clock, bridges=[["multichat", "machat/a"]])

    def member(self, name: str, room: str = "a", rest: bytes = b"\n") -> Member:
        member = Member(self.broker)
        member.feed(json.dumps({"name": name, "room": room}).encode() + rest)
        return member

    def refused(self, data: bytes) -> str:
        """Feed a new session until it refuses; return its one line."""
        member = Member(self.broker)
        error = self.assertRaises(PeerError, member.feed, data)
        written = member.connection.take().decode()
        self.assertEqual(written, f"error: {error.close.reason}\n")
        self.assertEqual(error.close.code, 1008)
        self.assertFalse(member.connection.is_opened)
        member.session.closed()
        reason: str = error.close.reason
        return reason

    def test_everybody_in_the_room_hears_a_line_the_sender_too(self) -> None:
        ann, bob, eve = self.member("ann"), self.member("bob"), self.member("eve", "b")
        ann.feed(b"hi\nho\n")
        self.clock.advance(0)
        self.assertEqual(ann.connection.take(), b"ann:hi\nann:ho\n")
        self.assertEqual(bob.connection.take(), b"ann:hi\nann:ho\n")
        self.assertEqual(eve.connection.take(), b"")

    def test_the_break_behind_the_hello_belongs_to_it(self) -> None:
        for rest in b"hi\n", b"\nhi\n", b"\r\nhi\n", b"\r\nhi\r\n":
            member = self.member("ann", rest=rest)
            self.clock.advance(0)
            self.assertEqual(member.connection.take(), b"ann:hi\n", rest)
            member.session.closed()

    @given(
        st.lists(st.binary(max_size=20).filter(lambda b: b"\n" not in b), max_size=5),
        st.data(),
    )
    def test_any_cutting_gives_the_same_lines(
        self, lines: list[bytes], data: st.DataObject
    ) -> None:
        stream = b'{"name":"n","room":"b"}\n' + b"".join(one + b"\n" for one in lines)
        clock = Clock()
        whole, cut = Member(LocalBroker(clock)), Member(LocalBroker(clock))
        whole.feed(stream)
        at = 0
        while at < len(stream):
            step = data.draw(st.integers(1, len(stream)))
            cut.feed(stream[at : at + step])
            at += step
        clock.advance(0)
        written = cut.connection.take()
        self.assertEqual(written, whole.connection.take())
        self.assertEqual(written.count(b"\n"), len(lines))

    def test_a_second_break_is_an_empty_message(self) -> None:
        member = self.member("ann", rest=b"\n\n")
        self.clock.advance(0)
        self.assertEqual(member.connection.take(), b"ann:\n")

    def test_one_carriage_return_is_dropped_and_others_are_blanks(self) -> None:
        member = self.member("ann")
        member.feed(b"a\rb\r\nc\r\r\n")
        self.clock.advance(0)
        self.assertEqual(member.connection.take(), b"ann:a b\nann:c \n")

    def test_bad_utf8_and_controls_are_made_harmless(self) -> None:
        member = self.member("ann")
        member.feed(b"a\xffb\x1b[2J\tc\x00\n")
        self.clock.advance(0)
        self.assertEqual(member.connection.take(), "ann:a\ufffdb[2J\tc\n".encode())

    def test_an_unfinished_line_at_the_end_is_a_message(self) -> None:
        ann, bob = self.member("ann"), self.member("bob")
        ann.feed(b"hi\nho")
        ann.session.ended(ann.rest)
        self.assertEqual(ann.connection.take(), b"ann:hi\nann:ho\n")
        self.assertEqual(ann.connection.closed_for, NORMAL)
        self.clock.advance(0)
        self.assertEqual(bob.connection.take(), b"ann:hi\nann:ho\n")
        ann.session.closed()

    def test_bad_hellos_get_a_line_that_says_so(self) -> None:
        for data in (
            b"GET / HTTP/1.1\r\n",
            b'["name"]',
            b'{"name":5}',
            b'{"name":"a","room":[]}',
            b'{"name":"a"]',
            b"{'name':'a'}",
            b'{"name":"\xff"}',
            b'{"name":"' + b"x" * 17_000 + b'"}',
            b"{" * 20_000,
        ):
            self.assertIn("no JSON in the hello", self.refused(data))

    def test_a_hello_that_never_ends_is_refused_at_16_kib(self) -> None:
        member = Member(self.broker)
        member.feed(b'{"name":"' + b"x" * 16_000)
        self.assertRaises(PeerError, member.feed, b"x" * 1000)

    def test_bad_names_are_refused(self) -> None:
        for name in "", "  ", "a:b", "a\nb", "a\u001bb":
            hello = json.dumps({"name": name, "room": "a"}).encode()
            self.assertIn("the name must not", self.refused(hello))
        self.assertIn("must not be empty", self.refused(b"{}"))

    def test_nobody_can_be_named_as_a_refusal_begins(self) -> None:
        for name in "error", "ERROR", " error":
            hello = json.dumps({"name": name, "room": "a"}).encode()
            self.assertIn("must not be", self.refused(hello))
        self.assertEqual(encode(publication("Error", "hi")), [b"Error_:hi\n"])

    def test_a_taken_name_is_refused_and_free_when_its_holder_goes(self) -> None:
        holder = self.member("Ann")
        for name in "Ann", "ann", "ＡＮＮ":
            hello = json.dumps({"name": name, "room": "a"}).encode()
            self.assertEqual(self.refused(hello), "the name Ann is taken")
        self.member("ann", "b")
        holder.session.closed()
        self.member("ann")

    def test_a_room_may_be_empty_and_keeps_its_case(self) -> None:
        nowhere, lower, upper = (self.member("x", room) for room in ("", "r", "R"))
        nowhere.feed(b"1\n")
        lower.feed(b"2\n")
        self.clock.advance(0)
        self.assertEqual(nowhere.connection.take(), b"x:1\n")
        self.assertEqual(lower.connection.take(), b"x:2\n")
        self.assertEqual(upper.connection.take(), b"")

    def test_an_empty_room_vanishes(self) -> None:
        member = self.member("ann", "gone")
        self.assertEqual(len(self.broker), 1)
        member.session.closed()
        self.assertEqual(len(self.broker), 0)

    def test_nothing_in_time_and_too_long_a_line_say_so(self) -> None:
        late = Member(self.broker)
        self.assertRaises(PeerError, late.session.opening_too_late)
        self.assertEqual(late.connection.take(), b"error: no hello in time\n")
        member = self.member("ann")
        member.feed(b"hi\n")
        error = self.assertRaises(PeerError, member.session.line_too_long)
        self.assertEqual(error.close.code, 1009)
        self.assertEqual(
            member.connection.take(),
            b"ann:hi\nerror: a line is longer than 65535 bytes\n",
        )

    def test_a_bridged_sender_cannot_look_like_a_member(self) -> None:
        ann = self.member("ann")
        for name in "ann", "ANN", "ann:x", "bob":
            self.broker.publish("multichat", name, "hi\nann:ho", origin="multichat")
        self.clock.advance(0)
        self.assertEqual(
            ann.connection.take().decode().splitlines(),
            [
                "ann (multichat):hi",
                "ann (multichat):ann:ho",
                "ANN (multichat):hi",
                "ANN (multichat):ann:ho",
                "ann_x:hi",
                "ann_x:ann:ho",
                "bob:hi",
                "bob:ann:ho",
            ],
        )


class MessageSessionTests(SynchronousTestCase):
    """Over WebSocket: a stream of messages."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.broker = LocalBroker(self.clock)

    def member(self, *messages: bytes) -> tuple[MemoryConnection, machat.Session]:
        connection = MemoryConnection(bracketed)
        session = machat.Session(connection, self.broker, "machat/")
        for message in messages:
            session.received(message, False)
        return connection, session

    def test_each_line_is_a_message_newline_included(self) -> None:
        connection, _ = self.member(b'{"name":"ann"}', b"one\ntwo\n", b"three")
        self.clock.advance(0)
        self.assertEqual(connection.take(), b"<ann:one\n><ann:two\n><ann:three\n>")

    def test_the_hello_may_span_messages_and_be_followed_by_lines(self) -> None:
        connection, _ = self.member(b'{"name"', b':"ann"}\none\n')
        self.clock.advance(0)
        self.assertEqual(connection.take(), b"<ann:one\n>")

    def test_empty_messages_are_ignored_and_empty_lines_are_not(self) -> None:
        connection, _ = self.member(b'{"name":"ann"}', b"", b"x", b"\n", b"\n\n")
        self.clock.advance(0)
        self.assertEqual(connection.take(), b"<ann:x\n><ann:\n><ann:\n><ann:\n>")

    def test_binary_is_answered_in_binary(self) -> None:
        connection, session = self.member(b'{"name":"ann"}')
        self.assertIs(connection.binary, False)
        session.received(b"x", True)
        self.assertIs(connection.binary, True)

    def test_a_line_at_the_limit_passes_and_one_over_it_is_refused(self) -> None:
        connection, session = self.member(b'{"name":"ann"}')
        session.received(b"x" * 65_535 + b"\nshort\n", False)
        self.clock.advance(0)
        self.assertEqual(len(connection.take()), len(b"<ann:\n><ann:short\n>") + 65_535)
        error = self.assertRaises(
            PeerError, session.received, b"first\n" + b"x" * 65_536, False
        )
        self.assertEqual(error.close.code, 1009)
        self.assertEqual(
            connection.take(),
            b"<ann:first\n><error: a line is longer than 65535 bytes\n>",
        )

    def test_very_many_lines_in_a_message_are_taken_in_turns(self) -> None:
        connection, session = self.member(b'{"name":"ann"}')
        session.received(b"\n" * 5000, False)
        self.clock.advance(0)
        self.assertEqual(connection.take().count(b"ann:"), 1999)
        connection.take_turns()
        self.clock.advance(0)
        self.assertEqual(connection.take().count(b"ann:"), 3000)


class DoorTests(SynchronousTestCase):
    def test_rooms_are_shared_unless_configured_otherwise(self) -> None:
        for share, together in (True, True), (False, False):
            clock = Clock()
            broker = LocalBroker(clock)
            section = machat.Section(share_rooms=share)
            lines, messages = (
                (door.new_session, MemoryConnection())
                for door in machat.doors(section, services(broker, clock))
            )
            speaker = lines[0](lines[1])
            assert isinstance(speaker, machat.Session)
            speaker.opening(b'{"name":"ann"}')
            messages[0](messages[1]).received(b'{"name":"bob"}', False)
            speaker.line(b"hi")
            clock.advance(0)
            self.assertEqual(messages[1].take() == b"ann:hi\n", together)

    def test_a_null_address_closes_a_door(self) -> None:
        clock = Clock()
        broker = LocalBroker(clock)
        doors = list(machat.doors(machat.Section(tcp=None), services(broker, clock)))
        self.assertEqual([door.key for door in doors], ["machat.ws"])

    def test_handshakes_are_refused_as_the_original_refuses_them(self) -> None:
        refusal = refuse(400, "no upgrade")
        self.assertEqual(
            refusal.body,
            b"Bad Request\nError occured while trying to upgrade websocket: no upgrade",
        )
        self.assertEqual(refuse(404, "").body, b"404 page not found\n")
