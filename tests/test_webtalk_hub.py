# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""webtalk's users and channels: who hears what, in which order, and across bridges."""

from __future__ import annotations

import gc

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatmux.model import TOO_SLOW, Member, Publication
from chatmux.protocols import machat, multichat
from chatmux.protocols.webtalk.attendant import Attendant
from chatmux.protocols.webtalk.hub import KILLED
from chatmux.protocols.webtalk.messages import encode
from chatmux.protocols.webtalk.users import Channel, Place, User
from chatmux.protocols.webtalk.waiting import Entry, Shelf
from chatmux.text import name_fault
from tests.doubles import MemoryConnection
from tests.webtalk_doubles import Browser, Webtalk

texts = st.text(st.characters(exclude_categories=["Cs"]))


def alive() -> list[object]:
    """List all there is of any hub, but the garbage that is still to be collected."""
    kinds = User, Channel, Place, Shelf, Entry, Attendant
    return [thing for thing in gc.get_objects() if isinstance(thing, kinds)]


class ChannelTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.webtalk = Webtalk()
        self.ann_id, self.ann = self.webtalk.new_browser()
        self.bob_id, self.bob = self.webtalk.new_browser()

    def say(self, *frames: bytes) -> None:
        for answer in self.webtalk.say(*frames):
            self.assertTrue(answer.startswith(b"[ok] "), answer)
        self.webtalk.turn()

    def test_everybody_is_in_channel_1(self) -> None:
        self.say(b"[shout] 1!hi")
        self.assertEqual(self.ann.take(), [b"hi"])
        self.assertEqual(self.bob.take(), [b"hi"])

    def test_a_shout_goes_to_the_members_alone(self) -> None:
        channel = self.webtalk.new_channel(self.ann_id)
        self.say(b"[shout] %d!hi" % channel)
        self.assertEqual(self.ann.take(), [b"hi"])
        self.assertEqual(self.bob.take(), [])

    def test_a_whisper_goes_to_one_alone(self) -> None:
        self.say(b"[whisper] 2!psst")
        self.assertEqual(self.ann.take(), [])
        self.assertEqual(self.bob.take(), [b"psst"])

    def test_who_has_joined_twice_hears_once_and_is_gone_with_one_leave(self) -> None:
        channel = self.webtalk.new_channel(self.ann_id, self.ann_id)
        self.say(b"[join] 2!1", b"[shout] 2!hi")
        self.assertEqual(channel, 2)
        self.assertEqual(self.ann.take(), [b"hi"])
        self.say(b"[leave] 2!1", b"[shout] 2!hi")
        self.assertEqual(self.ann.take(), [])

    def test_the_one_who_is_named_leaves(self) -> None:
        self.webtalk.new_channel(self.ann_id, self.bob_id)
        self.say(b"[leave] 2!2", b"[shout] 2!hi")
        self.assertEqual(self.ann.take(), [b"hi"])
        self.assertEqual(self.bob.take(), [])

    def test_who_leaves_has_heard_all_that_was_said_before(self) -> None:
        self.say(b"[shout] 1!a", b"[leave] 1!1", b"[shout] 1!b", b"[join] 1!1")
        self.assertEqual(self.ann.take(), [b"a"])
        self.assertEqual(self.bob.take(), [b"a", b"b"])

    def test_who_joins_hears_nothing_that_was_said_before(self) -> None:
        self.webtalk.new_channel(self.ann_id)
        self.say(b"[shout] 2!a", b"[join] 2!2", b"[shout] 2!b")
        self.assertEqual(self.ann.take(), [b"a", b"b"])
        self.assertEqual(self.bob.take(), [b"b"])

    def test_a_new_user_hears_nothing_that_was_said_before(self) -> None:
        self.say(b"[shout] 1!a")
        self.webtalk.say(b"[shout] 1!b")
        (eve,) = self.webtalk.new_users(1)
        self.say(b"[shout] 1!c")
        self.assertEqual(self.webtalk.login(eve).take(), [b"c"])

    def test_channel_1_can_be_left_and_joined_again(self) -> None:
        self.say(b"[leave] 1!1", b"[shout] 1!a", b"[join] 1!1", b"[shout] 1!b")
        self.assertEqual(self.ann.take(), [b"b"])

    def test_a_killed_channel_is_heard_no_more(self) -> None:
        self.webtalk.new_channel(self.ann_id, self.bob_id)
        self.say(b"[shout] 2!a", b"[killchannel] 2", b"[shout] 2!b", b"[join] 2!1")
        self.say(b"[shout] 2!c", b"[shout] 1!d")
        self.assertEqual(self.ann.take(), [b"a", b"d"])
        self.assertEqual(self.webtalk.new_channel(), 3)

    def test_channel_1_when_killed_is_emptied_and_new_users_are_in_it(self) -> None:
        self.webtalk.new_channel(self.ann_id)
        self.say(b"[shout] 1!a", b"[killchannel] 1", b"[shout] 1!b")
        _, eve = self.webtalk.new_browser()
        self.say(b"[shout] 1!c", b"[join] 1!2", b"[shout] 1!d", b"[shout] 2!e")
        self.assertEqual(self.ann.take(), [b"a", b"e"])
        self.assertEqual(self.bob.take(), [b"a", b"d"])
        self.assertEqual(eve.take(), [b"c", b"d"])

    def test_a_killed_user_leaves_all_channels(self) -> None:
        channels = [self.webtalk.new_channel(self.ann_id) for _ in range(3)]
        self.say(b"[killuser] 1")
        self.say(*[b"[shout] %d!hi" % channel for channel in (1, *channels)])
        self.say(b"[join] 2!1", b"[shout] 2!hi")
        self.assertEqual(self.ann.take(), [])
        self.assertEqual(self.ann.connection.subscriptions, set())
        self.assertEqual(self.bob.take(), [b"hi"])


class AbsentTests(SynchronousTestCase):
    """What is kept for those who are away, and let go with them."""

    def setUp(self) -> None:
        self.webtalk = Webtalk()
        self.user, self.other = self.webtalk.new_users(2)
        self.channel = self.webtalk.new_channel(self.user)

    def test_what_is_said_before_the_first_login_is_heard_at_it(self) -> None:
        self.webtalk.say(b"[whisper] 1!a", b"[shout] 2!b", b"[shout] 1!c")
        browser = self.webtalk.login(self.user)
        self.assertEqual(browser.take(), [b"a", b"b", b"c"])
        self.assertEqual(browser.connection.missed_count, 0)

    def test_what_is_said_between_two_connections_is_heard_once(self) -> None:
        self.webtalk.login(self.user).close()
        self.webtalk.say(b"[shout] 2!a", b"[whisper] 1!b")
        first = self.webtalk.login(self.user)
        self.assertEqual(first.take(), [b"a", b"b"])
        first.close()
        self.webtalk.say(b"[shout] 2!c")
        self.assertEqual(self.webtalk.login(self.user).take(), [b"c"])

    def test_each_of_the_absent_hears_a_shout_at_their_login(self) -> None:
        self.webtalk.say(b"[shout] 1!a")
        self.assertEqual(self.webtalk.login(self.user).take(), [b"a"])
        self.webtalk.say(b"[shout] 1!b")
        self.assertEqual(self.webtalk.login(self.other).take(), [b"a", b"b"])

    def test_what_is_heard_at_the_login_is_written_at_once(self) -> None:
        self.webtalk.say(*[b"[shout] 1!%d" % number for number in range(100)])
        browser = self.webtalk.login(self.user)
        self.assertEqual(len(browser.connection.chunks), 1)
        self.assertEqual(len(browser.take()), 100)

    def test_a_login_to_silence_writes_nothing(self) -> None:
        self.assertEqual(self.webtalk.login(self.user).connection.chunks, [])

    def test_what_was_heard_while_others_were_still_to_hear_it_is_not_kept(
        self,
    ) -> None:
        webtalk = Webtalk(turn_budget=1)
        user, browser = webtalk.new_browser()
        webtalk.new_users(1)
        webtalk.say(b"[shout] 1!a")
        webtalk.clock.turn()
        self.assertEqual(browser.take_now(), [b"a"])
        browser.close()
        self.assertEqual(webtalk.login(user).take(), [])
        self.assertEqual(webtalk.login(2).take(), [b"a"])

    def test_nothing_is_kept_when_nobody_is_away(self) -> None:
        browsers = [self.webtalk.login(user) for user in (self.user, self.other)]
        self.webtalk.say(b"[shout] 1!a", b"[shout] 2!b", b"[whisper] 1!c")
        self.webtalk.turn()
        self.assertEqual(self.webtalk.waiting.bytes, 0)
        self.assertEqual(browsers[0].take(), [b"a", b"b", b"c"])

    def test_a_leave_lets_go_what_was_said_in_the_channel(self) -> None:
        self.webtalk.say(b"[shout] 2!a", b"[whisper] 1!b", b"[leave] 2!1")
        self.assertEqual(self.webtalk.login(self.user).take(), [b"b"])

    def test_a_leave_and_a_join_let_it_go_as_well(self) -> None:
        self.webtalk.say(b"[shout] 1!a", b"[leave] 1!1", b"[join] 1!1")
        self.webtalk.say(b"[shout] 1!b")
        browser = self.webtalk.login(self.user)
        self.assertEqual(browser.take(), [b"b"])
        self.assertEqual(browser.connection.missed_count, 0)

    def test_the_kill_of_a_channel_lets_it_go(self) -> None:
        self.webtalk.say(b"[shout] 2!a", b"[killchannel] 2")
        self.assertEqual(self.webtalk.waiting.bytes, 0)
        self.webtalk.say(b"[shout] 1!b", b"[killchannel] 1")
        self.assertEqual(self.webtalk.waiting.bytes, 0)
        self.assertEqual(self.webtalk.login(self.user).take(), [])

    def test_the_kill_of_a_user_lets_go_what_waited_for_no_other(self) -> None:
        self.webtalk.say(b"[whisper] 1!a", b"[shout] 2!b", b"[shout] 1!c")
        self.webtalk.say(b"[killuser] 1")
        self.assertEqual(self.webtalk.login(self.other).take(), [b"c"])
        self.assertEqual(self.webtalk.waiting.bytes, 0)

    def test_nothing_is_kept_for_the_killed(self) -> None:
        self.webtalk.say(b"[killuser] 1", b"[killuser] 2")
        self.webtalk.say(b"[shout] 1!a", b"[shout] 2!b", b"[whisper] 1!c")
        self.webtalk.turn()
        self.assertEqual(self.webtalk.waiting.bytes, 0)
        self.assertEqual(len(self.webtalk.broker), 0)


class MemoryTests(SynchronousTestCase):
    """What is gone takes no memory, without the help of the garbage collector."""

    def setUp(self) -> None:
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        self.webtalk = Webtalk()
        self.webtalk.new_channel()
        self.nothing = len(alive())

    def say(self, *frames: bytes) -> None:
        """Say frames, and end with something that is said to all."""
        self.webtalk.say(*frames, b"[shout] 1!")
        self.webtalk.turn()

    def test_of_a_killed_user_nothing_is_left(self) -> None:
        for absent in True, False:
            self.webtalk.new_users(1)
            (user,) = self.webtalk.new_users(1)
            browser = self.webtalk.login(user)
            self.say(b"[join] 2!%d" % user, b"[whisper] %d!a" % user)
            if absent:
                browser.close()
            self.say(b"[whisper] %d!a" % user, b"[shout] 2!b")
            self.say(b"[killuser] %d" % user, b"[killuser] %d" % (user - 1))
            browser.close()
            del browser
            self.assertEqual(len(alive()), self.nothing)

    def test_of_a_killed_channel_nothing_is_left(self) -> None:
        user, browser = self.webtalk.new_browser()
        (absent,) = self.webtalk.new_users(1)
        before = len(alive())
        channel = self.webtalk.new_channel(user, absent)
        self.say(b"[shout] %d!a" % channel)
        self.assertGreater(len(alive()), before)
        self.webtalk.say(b"[killchannel] %d" % channel, b"[leave] 1!%d" % absent)
        self.webtalk.say(b"[join] 1!%d" % absent)
        self.say()
        # The last shout waits, and somebody hears for the absent one.
        self.assertEqual(len(alive()) - before, 1)
        browser.close()

    def test_of_what_has_been_heard_nothing_is_left(self) -> None:
        (user,) = self.webtalk.new_users(1)
        self.webtalk.login(user).close()
        before = len(alive())
        self.say(b"[whisper] %d!a" % user, b"[shout] 1!b")
        self.webtalk.login(user).close()
        self.assertEqual(len(alive()), before)

    def test_a_million_bytes_of_whispers_and_shouts_to_all_leave_nothing(self) -> None:
        _, browser = self.webtalk.new_browser()
        before = len(alive())
        for _ in range(100):
            self.say(b"[whisper] 1!" + b"x" * 10_000, b"[shout] 1!" + b"x" * 10_000)
            browser.take()
        self.assertEqual(len(alive()), before)


class OrderTests(SynchronousTestCase):
    """Whispers and shouts on several channels, said in one turn."""

    def setUp(self) -> None:
        self.webtalk = Webtalk()
        self.users = self.webtalk.new_users(3)
        for _ in range(3):
            self.webtalk.new_channel(*self.users)

    def talk(self, start: int, stop: int) -> list[bytes]:
        """Say numbers in all ways in turn, without the end of a reactor's turn."""
        ways = (
            b"[shout] 2!%d",
            b"[whisper] 1!%d",
            b"[shout] 3!%d",
            b"[shout] 3!%d",
            b"[shout] 1!%d",
            b"[whisper] 1!%d",
            b"[whisper] 1!%d",
            b"[shout] 4!%d",
            b"[shout] 2!%d",
        )
        numbers = range(start, stop)
        self.webtalk.say(*[ways[number % len(ways)] % number for number in numbers])
        return [b"%d" % number for number in numbers]

    def test_arrive_in_order_at_who_is_connected(self) -> None:
        browser = self.webtalk.login(1)
        numbers = self.talk(0, 50)
        self.webtalk.turn()
        self.assertEqual(browser.take(), numbers)

    def test_arrive_in_order_at_who_is_absent(self) -> None:
        numbers = self.talk(0, 50)
        self.assertEqual(self.webtalk.login(1).take(), numbers)

    def test_arrive_in_order_at_who_comes_in_the_middle(self) -> None:
        for middle in range(1, 20):
            numbers = self.talk(0, middle)
            browser = self.webtalk.login(1)
            numbers += self.talk(middle, 30)
            self.webtalk.turn()
            self.assertEqual(browser.take(), numbers)
            browser.close()

    def test_arrive_in_order_at_who_goes_and_comes_in_the_middle(self) -> None:
        for middle in range(1, 20):
            browser = self.webtalk.login(1)
            numbers = self.talk(0, middle)
            browser.close()
            numbers += self.talk(middle, middle + 3)
            again = self.webtalk.login(1)
            numbers += self.talk(middle + 3, 30)
            self.webtalk.turn()
            self.assertEqual(browser.take() + again.take(), numbers)
            again.close()

    def test_arrive_in_order_when_the_listener_leaves_and_joins(self) -> None:
        browser = self.webtalk.login(1)
        numbers = self.talk(0, 9)
        self.webtalk.say(b"[leave] 2!1")
        numbers += [n for n in self.talk(9, 18) if n not in (b"9", b"17")]
        self.webtalk.say(b"[join] 2!1")
        numbers += self.talk(18, 27)
        self.webtalk.turn()
        self.assertEqual(browser.take(), numbers)

    def test_is_the_same_for_two_back_ends(self) -> None:
        browser = self.webtalk.login(1)
        other = self.webtalk.new_backend()
        for number in range(0, 20, 2):
            self.webtalk.say(b"[shout] 2!%d" % number)
            other.say(b"[whisper] 1!%d" % (number + 1))
        self.webtalk.turn()
        self.assertEqual(browser.take(), [b"%d" % number for number in range(20)])

    def test_a_turn_of_one_channel_is_one_write(self) -> None:
        browser = self.webtalk.login(1)
        self.webtalk.say(*[b"[shout] 2!%d" % number for number in range(100)])
        self.webtalk.turn()
        self.assertEqual(len(browser.connection.chunks), 1)


class SlowReaderTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.webtalk = Webtalk(max_log_bytes=100_000)
        self.user, self.other = self.webtalk.new_users(2)
        self.webtalk.new_channel(self.user, self.other)
        self.slow = self.webtalk.login(self.user, room=20)
        self.quick = self.webtalk.login(self.other)

    def fill(self) -> None:
        self.webtalk.say(b"[whisper] 1!" + b"x" * 20)
        self.assertEqual(self.slow.take(), [b"x" * 20])
        self.assertTrue(self.slow.connection.paused)

    def assert_nothing_written_while_paused(self) -> None:
        self.assertEqual(self.slow.connection.written_while_paused, 0)

    def test_it_gets_everything_in_the_order_of_each_channel(self) -> None:
        said: dict[bytes, list[bytes]] = {}
        ways = b"[whisper] 1", b"[shout] 1", b"[shout] 2"
        for number in range(200):
            way = ways[number % 7 % 3]
            text = b"%d" % number
            said.setdefault(way, []).append(text)
            self.webtalk.say(way + b"!" + text)
            if number % 5 == 0:
                self.webtalk.turn()
            if number % 11 == 0:
                self.slow.connection.read()
        self.webtalk.turn()
        self.slow.connection.read()
        self.slow.take()
        self.assertEqual(len(self.slow.heard), 200)
        for texts_of_one in said.values():
            heard = [text for text in self.slow.heard if text in texts_of_one]
            self.assertEqual(heard, texts_of_one)
        self.assert_nothing_written_while_paused()
        self.assertIsNone(self.slow.connection.closed_for)

    def test_it_holds_up_nobody(self) -> None:
        self.fill()
        self.webtalk.say(b"[shout] 1!a", b"[whisper] 2!b", b"[shout] 2!c")
        self.webtalk.turn()
        self.assertEqual(self.quick.take(), [b"a", b"b", b"c"])
        self.assertEqual(self.slow.take(), [])
        self.slow.connection.read()
        self.assertEqual(sorted(self.slow.take()), [b"a", b"c"])

    def test_whispers_wait_for_it_in_order(self) -> None:
        self.fill()
        self.webtalk.say(*[b"[whisper] 1!%d" % number for number in range(9)])
        self.webtalk.turn()
        self.assertEqual(self.slow.take(), [])
        self.slow.connection.read()
        self.webtalk.say(*[b"[whisper] 1!%d" % number for number in range(9, 12)])
        self.webtalk.turn()
        self.slow.connection.read()
        self.assertEqual(self.slow.take(), [b"%d" % number for number in range(12)])
        self.assert_nothing_written_while_paused()

    def test_whispers_and_shouts_are_in_order_again_when_it_is_not_full(self) -> None:
        self.fill()
        self.webtalk.say(b"[whisper] 1!a")
        self.webtalk.turn()
        self.slow.connection.read()
        self.assertEqual(self.slow.take(), [b"a"])
        self.slow.connection.read()
        for number in range(0, 20, 2):
            self.webtalk.say(b"[whisper] 1!%d" % number)
            self.webtalk.say(b"[shout] 2!%d" % (number + 1))
            self.webtalk.turn()
            self.assertFalse(self.slow.connection.paused)
            self.slow.connection.read()
        self.assertEqual(self.slow.take(), [b"%d" % number for number in range(20)])

    def test_whispers_to_it_are_bounded_by_the_log(self) -> None:
        self.fill()
        text = b"x" * 1000
        for number in range(200):
            answers = self.webtalk.say(b"[whisper] 1!%d" % number + text)
            self.assertEqual(answers, [b"[ok] message sent"])
            self.webtalk.turn()
            if self.slow.connection.closed_for is not None:
                break
        self.assertEqual(self.slow.connection.closed_for, TOO_SLOW)
        self.assertLessEqual(number * (1000 + 300), 120_000)
        self.assertGreater(number * (1000 + 300), 80_000)
        self.assertEqual(self.slow.take(), [])
        self.assert_nothing_written_while_paused()
        self.slow.close()
        self.webtalk.say(b"[whisper] 1!later")
        self.assertEqual(self.webtalk.login(self.user).take(), [b"later"])

    def test_shouts_to_it_are_bounded_by_the_log(self) -> None:
        self.fill()
        for _ in range(200):
            self.webtalk.say(b"[shout] 2!" + b"x" * 1000)
            self.webtalk.turn()
        self.assertEqual(self.slow.connection.closed_for, TOO_SLOW)
        self.assertEqual(len(self.quick.take()), 200)
        self.assert_nothing_written_while_paused()

    def test_the_end_of_a_slow_one_leaves_nothing_in_the_broker(self) -> None:
        self.fill()
        self.webtalk.say(b"[whisper] 1!a", b"[killuser] 2")
        self.slow.close()
        self.webtalk.say(b"[killuser] 1")
        self.assertEqual(self.slow.connection.subscriptions, set())
        self.assertEqual(len(self.webtalk.broker), 0)

    def test_a_killed_one_is_not_given_the_rest(self) -> None:
        """It would be a copy of its own, for each who does not read."""
        self.fill()
        self.webtalk.say(b"[whisper] 1!a", b"[shout] 2!b", b"[killuser] 1")
        self.assertEqual(self.slow.take(), [])
        self.assertEqual(self.slow.connection.closed_for, KILLED)

    def test_who_logs_in_to_more_than_it_takes_gets_the_rest_later(self) -> None:
        self.slow.close()
        self.webtalk.say(*[b"[whisper] 1!%d" % number for number in range(20)])
        slow = self.webtalk.login(self.user, room=20)
        self.assertTrue(slow.connection.paused)
        self.webtalk.say(b"[whisper] 1!20", b"[shout] 1!21")
        self.webtalk.turn()
        self.assertEqual(slow.connection.written_while_paused, 0)
        self.assertEqual(len(slow.take()), 20)
        slow.connection.read()
        self.assertEqual(sorted(slow.take()), [b"20", b"21"])


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
