# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""webtalk's browsers: who is let in, who is thrown out, and who is forgotten."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatmux.protocols.webtalk.hub import KILLED, TAKEN_OVER
from chatmux.protocols.webtalk.login import NO_LOGIN, WRONG_LOGIN
from tests.webtalk_doubles import Browser, Webtalk


class LoginTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.webtalk = Webtalk()
        self.user, self.other = self.webtalk.new_users(2)
        self.salt = self.webtalk.salts[self.user]

    def browser(self, message: bytes, binary: bool = False) -> Browser:
        browser = Browser(self.webtalk)
        self.assertFalse(browser.connection.is_opened)
        browser.say(message, binary)
        return browser

    def assert_in(self, browser: Browser) -> None:
        self.assertTrue(browser.connection.is_opened)
        self.assertIsNone(browser.connection.closed_for)
        self.webtalk.say(b"[whisper] 1!you", b"[shout] 1!all")
        self.webtalk.turn()
        self.assertEqual(browser.take(), [b"you", b"all"])

    def assert_out(self, browser: Browser, why: object) -> None:
        self.assertEqual(browser.connection.closed_for, why)
        self.assertFalse(browser.connection.is_opened)
        self.assertEqual(browser.take(), [])

    def test_the_right_salt_is_let_in_without_an_answer(self) -> None:
        browser = self.browser(b"1!" + self.salt)
        self.assertEqual(browser.take(), [])
        self.assert_in(browser)

    def test_in_text_and_in_binary(self) -> None:
        for binary in False, True:
            browser = self.browser(b"1!" + self.salt, binary)
            self.assertIsNone(browser.connection.binary)
            self.assert_in(browser)

    def test_zeros_before_the_id_do_not_matter(self) -> None:
        self.assert_in(self.browser(b"0001!" + self.salt))

    def test_what_is_no_login_is_refused(self) -> None:
        for message in (
            b"",
            b"hello",
            b"1",
            b"1 " + self.salt,
            b"!" + self.salt,
            b" 1!" + self.salt,
            b"+1!" + self.salt,
            b"1_0!" + self.salt,
            "١!".encode() + self.salt,
            b"18446744073709551617!" + self.salt,
            b"9" * 900 + b"!" + self.salt,
            b"\xff!" + self.salt,
        ):
            for binary in False, True:
                self.assert_out(self.browser(message, binary), NO_LOGIN)

    def test_a_wrong_salt_is_refused(self) -> None:
        for salt in (
            b"",
            b"0",
            self.salt[:-1],
            self.salt + b"0",
            b" " + self.salt,
            self.salt + b"\n",
            self.salt + b"!",
            b"\xff" * 39,
            "１".encode() * 13,
            self.webtalk.salts[self.other],
        ):
            self.assert_out(self.browser(b"1!" + salt), WRONG_LOGIN)

    def test_nobodys_id_is_refused_in_the_same_words(self) -> None:
        for number in b"0", b"3", b"18446744073709551615":
            self.assert_out(self.browser(number + b"!" + self.salt), WRONG_LOGIN)

    def test_a_wrong_login_disturbs_nobody(self) -> None:
        browser = self.webtalk.login(self.user)
        self.webtalk.say(b"[whisper] 2!kept")
        for message in b"1!0", b"2!0", b"2!" + self.salt, b"1!", b"x", b"3!1":
            self.browser(message)
        self.assert_in(browser)
        self.assertEqual(self.webtalk.login(self.other).take(), [b"kept", b"all"])

    def test_a_browser_has_nothing_more_to_say(self) -> None:
        browser = self.webtalk.login(self.user)
        other = self.webtalk.login(self.other)
        salts = self.webtalk.salts
        later = (
            b"",
            b"hello",
            b"1!wrong",
            b"1!" + self.salt,
            b"2!" + salts[self.other],
            b"[killuser] 2",
            b"\xff",
        )
        for message in later:
            browser.say(message, message == b"\xff")
        self.assertEqual(len(browser.connection.ignored_for), len(later))
        self.webtalk.turn()
        self.assertEqual(other.take(), [])
        self.assert_in(browser)
        self.assertEqual(other.take(), [b"all"])

    @given(st.binary(max_size=60), st.booleans())
    def test_any_first_message_is_refused_without_harm(
        self, message: bytes, binary: bool
    ) -> None:
        webtalk = Webtalk()
        _, good = webtalk.new_browser()
        browser = Browser(webtalk)
        browser.say(message, binary)
        self.assertIn(browser.connection.closed_for, (NO_LOGIN, WRONG_LOGIN))
        webtalk.say(b"[shout] 1!hi")
        webtalk.turn()
        self.assertEqual((browser.take(), good.take()), ([], [b"hi"]))


class TakeOverTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.webtalk = Webtalk()
        self.user, self.first = self.webtalk.new_browser()

    def test_the_first_connection_is_closed_as_normal(self) -> None:
        second = self.webtalk.login(self.user)
        self.assertEqual(self.first.connection.closed_for, TAKEN_OVER)
        self.assertEqual(TAKEN_OVER.code, 1000)
        self.assertIsNone(second.connection.closed_for)
        self.assertTrue(second.connection.is_opened)

    def test_its_end_does_not_log_the_user_out(self) -> None:
        second = self.webtalk.login(self.user)
        self.webtalk.say(b"[whisper] 1!a")
        self.first.close()
        self.webtalk.say(b"[whisper] 1!b", b"[shout] 1!c")
        self.webtalk.turn()
        self.assertEqual(second.take(), [b"a", b"b", b"c"])
        self.assertEqual(self.webtalk.waiting.bytes, 0)

    def test_what_the_first_says_later_is_ignored(self) -> None:
        second = self.webtalk.login(self.user)
        self.first.say(b"1!" + self.webtalk.salts[self.user])
        self.assertIsNone(second.connection.closed_for)
        self.assertEqual(len(self.first.connection.ignored_for), 1)

    def test_no_message_is_lost_and_none_is_doubled(self) -> None:
        self.webtalk.say(b"[shout] 1!1", b"[whisper] 1!2", b"[shout] 1!3")
        second = self.webtalk.login(self.user)
        self.webtalk.say(b"[shout] 1!4", b"[whisper] 1!5", b"[shout] 1!6")
        third = self.webtalk.login(self.user)
        self.webtalk.say(b"[whisper] 1!7", b"[shout] 1!8")
        self.webtalk.turn()
        self.assertEqual(self.first.take(), [b"1", b"2", b"3"])
        self.assertEqual(second.take(), [b"4", b"5", b"6"])
        self.assertEqual(third.take(), [b"7", b"8"])

    def test_a_slow_first_connection_is_given_no_more(self) -> None:
        slow = self.webtalk.login(self.user, room=0)
        self.webtalk.say(*[b"[whisper] 1!%d" % n for n in range(5)], b"[shout] 1!5")
        second = self.webtalk.login(self.user)
        self.webtalk.say(b"[shout] 1!once more")
        self.assertEqual(slow.connection.written_while_paused, 0)
        self.assertEqual(second.take(), [b"once more"])
        self.assertEqual(slow.connection.closed_for, TAKEN_OVER)
        self.webtalk.say(b"[whisper] 1!6")
        self.assertEqual(second.take(), [b"6"])
        slow.connection.read()
        # All that was one write.
        self.assertEqual(slow.take(), [b"0", b"1", b"2", b"3", b"4", b"5"])

    def test_after_the_second_has_gone_the_user_is_absent(self) -> None:
        second = self.webtalk.login(self.user)
        second.close()
        self.first.close()
        self.webtalk.say(b"[whisper] 1!a")
        self.assertEqual((self.first.take(), second.take()), ([], []))
        self.assertEqual(self.webtalk.login(self.user).take(), [b"a"])


class KillTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.webtalk = Webtalk()
        self.user, self.browser = self.webtalk.new_browser()

    def test_a_killed_users_browser_is_closed_as_normal_and_at_once(self) -> None:
        self.webtalk.say(b"[whisper] 1!a", b"[shout] 1!b", b"[killuser] 1")
        self.assertEqual(self.browser.connection.closed_for, KILLED)
        self.assertEqual(KILLED.code, 1000)
        self.assertEqual(self.browser.take(), [b"a", b"b"])

    def test_a_killed_users_salt_does_not_work_any_more(self) -> None:
        self.webtalk.say(b"[killuser] 1")
        again = self.webtalk.login(self.user)
        self.assertEqual(again.connection.closed_for, WRONG_LOGIN)
        self.webtalk.new_users(1)
        self.assertEqual(
            self.webtalk.login(self.user).connection.closed_for, WRONG_LOGIN
        )

    def test_the_news_of_the_end_brings_nobody_back(self) -> None:
        self.webtalk.say(b"[killuser] 1")
        self.browser.say(b"hello")
        self.browser.close()
        self.webtalk.say(b"[whisper] 1!a", b"[shout] 1!b")
        self.webtalk.turn()
        self.assertEqual(self.webtalk.waiting.bytes, 0)
        self.assertEqual(len(self.webtalk.broker), 0)

    def test_an_id_never_comes_back(self) -> None:
        self.webtalk.say(b"[killuser] 1")
        self.assertEqual(self.webtalk.new_users(2), [2, 3])
        self.webtalk.say(b"[killuser] 3")
        self.assertEqual(self.webtalk.new_users(1), [4])


class ExpiryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.webtalk = Webtalk(login_seconds=60, absent_seconds=600, strict=True)

    def is_there(self, user: int) -> bool:
        """Say whether a user is there, after the news of the time."""
        self.webtalk.new_users(1)
        return self.webtalk.say(b"[whisper] %d!x" % user) == [b"[ok] message sent"]

    def test_a_user_who_never_logs_in_goes_after_login_seconds(self) -> None:
        (user,) = self.webtalk.new_users(1)
        self.webtalk.clock.advance(59)
        self.assertTrue(self.is_there(user))
        self.webtalk.clock.advance(1)
        self.assertFalse(self.is_there(user))

    def test_a_login_that_comes_too_late_is_refused_and_one_in_time_is_not(
        self,
    ) -> None:
        late, in_time = self.webtalk.new_users(2)
        self.webtalk.clock.advance(59)
        self.webtalk.login(in_time)
        self.webtalk.clock.advance(1)
        browser = self.webtalk.login(late)
        self.assertEqual(browser.connection.closed_for, WRONG_LOGIN)

    def test_very_many_go_some_at_a_time_and_none_can_log_in(self) -> None:
        users = self.webtalk.new_users(250)
        self.webtalk.clock.advance(60)
        there = []
        for _ in range(4):
            browser = self.webtalk.login(users[-1])
            self.assertEqual(browser.connection.closed_for, WRONG_LOGIN)
            answers = self.webtalk.say(*[b"[whisper] %d!x" % user for user in users])
            there.append(answers.count(b"[ok] message sent"))
        self.assertEqual(there, [150, 50, 0, 0])

    def test_a_wrong_login_does_not_count(self) -> None:
        (user,) = self.webtalk.new_users(1)
        self.webtalk.clock.advance(59)
        Browser(self.webtalk).say(b"%d!0" % user)
        self.webtalk.clock.advance(1)
        self.assertFalse(self.is_there(user))

    def test_whoever_is_connected_stays(self) -> None:
        user, browser = self.webtalk.new_browser()
        self.webtalk.clock.advance(10_000)
        self.assertTrue(self.is_there(user))
        self.assertIsNone(browser.connection.closed_for)

    def test_whoever_has_left_goes_after_absent_seconds(self) -> None:
        user, browser = self.webtalk.new_browser()
        self.webtalk.clock.advance(10_000)
        browser.close()
        self.webtalk.clock.advance(599)
        self.assertTrue(self.is_there(user))
        self.webtalk.clock.advance(1)
        self.assertFalse(self.is_there(user))

    def test_whoever_comes_back_begins_anew(self) -> None:
        user, browser = self.webtalk.new_browser()
        browser.close()
        self.webtalk.clock.advance(500)
        self.webtalk.login(user).close()
        self.webtalk.clock.advance(500)
        self.assertTrue(self.is_there(user))
        self.webtalk.clock.advance(100)
        self.assertFalse(self.is_there(user))

    def test_whoever_has_come_back_stays(self) -> None:
        user, browser = self.webtalk.new_browser()
        browser.close()
        self.webtalk.clock.advance(500)
        again = self.webtalk.login(user)
        self.webtalk.clock.advance(10_000)
        self.assertTrue(self.is_there(user))
        self.assertIsNone(again.connection.closed_for)

    def test_the_end_of_a_connection_that_was_taken_over_begins_nothing(self) -> None:
        user, first = self.webtalk.new_browser()
        self.webtalk.login(user)
        first.close()
        self.webtalk.clock.advance(10_000)
        self.assertTrue(self.is_there(user))

    def test_what_waited_for_them_goes_too(self) -> None:
        (never,) = self.webtalk.new_users(1)
        _, left = self.webtalk.new_browser()
        left.close()
        self.webtalk.say(b"[shout] 1!a", b"[whisper] %d!b" % never)
        self.webtalk.turn()
        self.assertGreater(self.webtalk.waiting.bytes, 0)
        self.webtalk.clock.advance(600)
        self.webtalk.new_users(1)
        self.assertEqual(self.webtalk.waiting.bytes, 0)

    def test_only_those_go_whose_time_is_over(self) -> None:
        (first,) = self.webtalk.new_users(1)
        self.webtalk.clock.advance(30)
        (second,) = self.webtalk.new_users(1)
        self.webtalk.say(b"[killuser] %d" % second)
        (third,) = self.webtalk.new_users(1)
        self.webtalk.clock.advance(30)
        self.assertFalse(self.is_there(first))
        self.assertTrue(self.is_there(third))
        self.webtalk.clock.advance(30)
        self.assertFalse(self.is_there(third))

    def test_zero_is_never(self) -> None:
        self.webtalk = Webtalk(strict=True)
        (user,) = self.webtalk.new_users(1)
        other, browser = self.webtalk.new_browser()
        browser.close()
        self.webtalk.clock.advance(1e9)
        self.assertTrue(self.is_there(user))
        self.assertTrue(self.is_there(other))
