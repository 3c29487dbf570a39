# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""webtalk's users and channels: who hears what, and what is left of it."""

from __future__ import annotations

import gc

from twisted.trial.unittest import SynchronousTestCase

from chatmux.protocols.webtalk.attendant import Attendant
from chatmux.protocols.webtalk.users import Channel, Place, User
from chatmux.protocols.webtalk.waiting import Entry, Shelf
from tests.webtalk_doubles import Webtalk


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
