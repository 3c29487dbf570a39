# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""webtalk's channels across bridges, and what stands in them for the absent."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatmux.model import Member, Publication
from chatmux.protocols import machat, multichat
from chatmux.protocols.webtalk.attendant import Attendant
from chatmux.protocols.webtalk.hub import KILLED
from chatmux.protocols.webtalk.messages import encode
from chatmux.text import name_fault
from tests.doubles import MemoryConnection
from tests.webtalk_doubles import Browser, Webtalk

texts = st.text(st.characters(exclude_categories=["Cs"]))


class BridgeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.webtalk = Webtalk(
            bridges=[["multichat", "machat/a", "webtalk/1"]], sender="the site"
        )
        self.broker = self.webtalk.broker
        self.user, self.browser = self.webtalk.new_browser()
        self.webtalk.new_channel(self.user)
        self.packets = MemoryConnection()
        self.lines = MemoryConnection()
        self.broker.subscribe("multichat", self.packets, multichat.encode)
        self.broker.subscribe("machat/a", self.lines, machat.encode)

    def publish(self, name: str, text: str, origin: str = "multichat") -> None:
        channel = "multichat" if origin == "multichat" else "machat/a"
        self.broker.publish(channel, name, text, origin=origin)
        self.webtalk.turn()

    def test_a_shout_goes_to_the_others_as_by_the_sender(self) -> None:
        self.webtalk.say(b"[shout] 1!hi")
        self.webtalk.turn()
        self.assertEqual(self.browser.take(), [b"hi"])
        self.assertEqual(self.lines.take(), b"the site:hi\n")
        self.assertEqual(
            self.packets.take(),
            b'{"action":"forwarding-message","source-client-name":"the site",'
            b'"content":"hi"}',
        )

    def test_a_shout_of_lines_is_lines_and_of_bad_bytes_is_text(self) -> None:
        self.webtalk.say(b"[shout] 1!a\nbob:b\xff\x1b")
        self.webtalk.turn()
        self.assertEqual(
            self.lines.take(), "the site:a\nthe site:bob:b\ufffd\n".encode()
        )
        self.assertEqual(self.browser.take(), ["a\nbob:b\ufffd\x1b".encode()])

    def test_a_whisper_goes_to_nobody_else(self) -> None:
        slow = self.webtalk.login(self.user, room=0)
        self.webtalk.say(b"[whisper] 1!a", b"[whisper] 1!b")
        self.webtalk.turn()
        slow.connection.read()
        self.assertEqual(slow.take(), [b"a", b"b"])
        self.assertEqual((self.lines.take(), self.packets.take()), (b"", b""))

    def test_a_message_of_others_has_its_senders_name(self) -> None:
        self.publish("ann", "hi", "multichat")
        self.publish("bob", "ho", "machat")
        self.assertEqual(self.browser.take(), [b"ann:hi", b"bob:ho"])

    def test_it_waits_for_the_absent_as_a_shout_does(self) -> None:
        self.browser.close()
        self.webtalk.say(b"[shout] 1!a")
        self.publish("ann", "b")
        self.webtalk.say(b"[whisper] 1!c", b"[shout] 1!d")
        browser = self.webtalk.login(self.user)
        self.assertEqual(browser.take(), [b"a", b"ann:b", b"c", b"d"])

    def test_a_name_cannot_pass_for_a_shorter_one(self) -> None:
        for name, shown in (
            ("a:b", "a_b"),
            ("a\r\nb", "a__b"),
            ("a\x1b[2J\x00", "a_[2J_"),
            ("a\u2028\u202eb", "a__b"),
            ("", "_"),
            ("  ", "_"),
        ):
            self.publish(name, "x:y")
            self.assertEqual(self.browser.take(), [f"{shown}:x:y".encode()])

    def test_a_text_comes_as_it_is(self) -> None:
        self.publish("ann", "a\nb\x1b:c ")
        self.assertEqual(self.browser.take(), [b"ann:a\nb\x1b:c "])

    def test_the_name_of_a_member_of_a_room_is_protected(self) -> None:
        self.broker.join("machat/a", Member("ann", "machat", 7))
        self.publish("Ann", "hi", "multichat")
        self.assertEqual(self.browser.take(), [b"Ann (multichat):hi"])
        self.broker.publish("machat/a", "ann", "ho", origin="machat", source=7)
        self.webtalk.turn()
        self.assertEqual(self.browser.take(), [b"ann:ho"])

    def test_the_back_end_cannot_pass_for_a_member_either(self) -> None:
        self.broker.join("machat/a", Member("The Site", "machat", 7))
        self.webtalk.say(b"[shout] 1!hi")
        self.webtalk.turn()
        self.assertEqual(self.lines.take(), b"the site (webtalk):hi\n")
        self.assertEqual(self.browser.take(), [b"hi"])

    def test_channels_without_a_bridge_are_untouched(self) -> None:
        self.webtalk.say(b"[shout] 2!hi")
        self.webtalk.turn()
        self.assertEqual(self.browser.take(), [b"hi"])
        self.assertEqual((self.lines.take(), self.packets.take()), (b"", b""))
        self.webtalk.say(b"[leave] 1!1")
        self.publish("ann", "hi")
        self.assertEqual(self.browser.take(), [])

    def test_a_bridge_stays_when_all_have_gone(self) -> None:
        self.webtalk.say(b"[killchannel] 1", b"[shout] 1!hi")
        self.webtalk.turn()
        self.assertEqual(self.lines.take(), b"the site:hi\n")
        self.publish("ann", "a")
        self.assertEqual(self.browser.take(), [])
        self.webtalk.say(b"[join] 1!1")
        self.publish("ann", "b")
        self.assertEqual(self.browser.take(), [b"ann:b"])

    def test_a_channel_may_be_bridged_before_it_is_made(self) -> None:
        webtalk = Webtalk(bridges=[["webtalk/2", "multichat"]])
        user, browser = webtalk.new_browser()
        webtalk.broker.publish("multichat", "ann", "a", origin="multichat")
        webtalk.turn()
        webtalk.new_channel(user)
        webtalk.broker.publish("multichat", "ann", "b", origin="multichat")
        webtalk.turn()
        self.assertEqual(browser.take(), [b"ann:b"])


class EncodingTests(SynchronousTestCase):
    def test_the_back_ends_text_is_the_message(self) -> None:
        publication = Publication("webtalk/1", 1, "a", "x:ü\n", "webtalk", 0, 0.0)
        self.assertEqual(encode(publication), ("x:ü\n".encode(),))

    @given(texts, texts)
    def test_a_foreign_name_ends_at_the_first_colon(self, name: str, text: str) -> None:
        publication = Publication("webtalk/1", 1, name, text, "multichat", 0, 0.0)
        (message,) = encode(publication)
        shown, _, rest = message.decode().partition(":")
        self.assertIsNone(name_fault(shown))
        self.assertEqual(rest, text)


class AttendantTests(SynchronousTestCase):
    @given(st.lists(st.binary(max_size=300), max_size=5))
    def test_the_messages_of_a_batch_are_kept_one_by_one(
        self, messages: list[bytes]
    ) -> None:
        kept: list[bytes] = []
        attendant = Attendant(1, kept.append)
        attendant.write(b"".join(map(attendant.framing, messages)))
        attendant.send(b"last")
        self.assertEqual(kept, [*messages, b"last"])

    def test_a_shout_longer_than_a_batch_is_kept_whole(self) -> None:
        webtalk = Webtalk(bridges=[["multichat", "webtalk/1"]])
        (user,) = webtalk.new_users(1)
        for size in 300_000, 70_000, 0, 65_536:
            webtalk.broker.publish("multichat", "a", "x" * size, origin="multichat")
        connection = MemoryConnection()
        webtalk.hub.login(user, webtalk.salts[user], connection)
        self.assertEqual(len(connection.take()), 300_000 + 70_000 + 65_536 + 8)

    def test_nothing_else_is_of_any_effect(self) -> None:
        attendant = Attendant(1, self.fail)
        attendant.close(KILLED)
        attendant.opened()
        attendant.answer_in(True)
        attendant.ignored("")
        attendant.missed(1)
        self.assertRaises(NotImplementedError, attendant.give_way, Browser)
