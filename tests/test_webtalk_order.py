# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""webtalk: in which order users hear what is said, those who read slowly, too."""

from __future__ import annotations

from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatmux.model import TOO_SLOW
from chatmux.protocols.webtalk.hub import KILLED
from tests.webtalk_doubles import Webtalk

texts = st.text(st.characters(exclude_categories=["Cs"]))


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
