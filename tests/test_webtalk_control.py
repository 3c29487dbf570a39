# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""webtalk's private port: each command and its answer, byte for byte."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.webtalk_doubles import LONGEST, Webtalk

TOO_LONG = b"[error] the answer is longer than 99999 bytes"


class AnswerTests(SynchronousTestCase):
    """The table of commands, on ids that are somebody's."""

    def setUp(self) -> None:
        self.webtalk = Webtalk()

    def assert_answers(self, *pairs: tuple[bytes, bytes]) -> None:
        """Say all frames in one turn; each has its answer, and all stays open."""
        frames = [frame for frame, _ in pairs]
        answers = [answer for _, answer in pairs]
        self.assertEqual(self.webtalk.say(*frames), answers)
        self.assertIsNone(self.webtalk.backend.connection.closed_for)

    def test_a_back_end_without_a_secret_is_let_in_at_once(self) -> None:
        self.assertTrue(self.webtalk.backend.connection.is_opened)

    def test_a_new_user_is_an_id_and_a_salt(self) -> None:
        for number in 1, 2, 3:
            (answer,) = self.webtalk.say(b"[newuser]")
            self.assertRegex(answer, rb"\A\[ok\] %d![0-9]{39}\Z" % number)
        (answer,) = self.webtalk.say(b"[newuser] and more")
        self.assertRegex(answer, rb"\A\[ok\] 4![0-9]{39}\Z")

    def test_the_rows_of_the_table(self) -> None:
        self.webtalk.new_users(2)
        self.assert_answers(
            (b"[newchannel]", b"[ok] 2"),
            (b"[newchannel] of whatever", b"[ok] 3"),
            (b"[whisper] 1!hi", b"[ok] message sent"),
            (b"[shout] 1!hi", b"[ok] message sent"),
            (b"[join] 2!1", b"[ok] user joined"),
            (b"[leave] 2!1", b"[ok] user leaved"),
            (b"[killchannel] 2", b"[ok] channel killed"),
            (b"[killuser] 2", b"[ok] user killed"),
            (b"[store] k!v", b"[ok] stored k"),
            (b"[retrieve] k", b"[ok] v"),
            (b"[clear] k", b"[ok] cleared k"),
            (b"[retrieve] k", b"[ok] "),
        )

    def test_ids_that_nobody_has_are_answered_as_if_they_were_somebodys(self) -> None:
        self.assert_answers(
            (b"[whisper] 9!hi", b"[ok] message sent"),
            (b"[shout] 9!hi", b"[ok] message sent"),
            (b"[join] 9!9", b"[ok] user joined"),
            (b"[join] 1!9", b"[ok] user joined"),
            (b"[leave] 9!9", b"[ok] user leaved"),
            (b"[killchannel] 9", b"[ok] channel killed"),
            (b"[killuser] 0", b"[ok] user killed"),
            (b"[killuser] 18446744073709551615", b"[ok] user killed"),
        )

    def test_what_is_no_new_thing_is_answered_as_if_it_were(self) -> None:
        self.webtalk.new_users(1)
        self.assert_answers(
            (b"[join] 1!1", b"[ok] user joined"),
            (b"[leave] 1!1", b"[ok] user leaved"),
            (b"[leave] 1!1", b"[ok] user leaved"),
            (b"[killchannel] 1", b"[ok] channel killed"),
            (b"[killchannel] 1", b"[ok] channel killed"),
            (b"[clear] k", b"[ok] cleared k"),
        )

    def test_messages_may_be_empty_and_ids_may_have_zeros_before_them(self) -> None:
        (user,) = self.webtalk.new_users(1)
        browser = self.webtalk.login(user)
        self.assert_answers(
            (b"[whisper] 001!", b"[ok] message sent"),
            (b"[shout] 01!", b"[ok] message sent"),
            (b"[whisper] 1!!a!b! ", b"[ok] message sent"),
        )
        self.assertEqual(browser.take(), [b"", b"", b"!a!b! "])

    def test_one_byte_behind_the_brace_is_dropped_whatever_it_is(self) -> None:
        for byte in range(256):
            self.assert_answers(
                (b"[store]%ck!%d" % (byte, byte), b"[ok] stored k"),
                (b"[retrieve]%ck" % byte, b"[ok] %d" % byte),
            )

    def test_a_second_blank_belongs_to_the_data(self) -> None:
        self.assert_answers(
            (b"[store]  k!v", b"[ok] stored  k"),
            (b"[retrieve] k", b"[ok] "),
            (b"[retrieve]  k", b"[ok] v"),
            (b"[killuser]  1", b"[error] Invalid User:  1, an id is ASCII digits only"),
        )

    def test_bytes_that_are_no_utf8_reach_a_browser_replaced(self) -> None:
        _, browser = self.webtalk.new_browser()
        self.webtalk.say(b"[whisper] 1!a\xff\x00", b"[shout] 1!\xed\xa0\x80\xc3")
        self.webtalk.turn()
        self.assertEqual(
            browser.take(), ["a\ufffd\x00".encode(), ("\ufffd" * 4).encode()]
        )


class ErrorTests(SynchronousTestCase):
    """Errors after which the connection stays."""

    def setUp(self) -> None:
        self.webtalk = Webtalk()

    def assert_error(self, frame: bytes, words: bytes) -> None:
        self.assertEqual(self.webtalk.say(frame), [b"[error] " + words], frame[:80])
        self.assertIsNone(self.webtalk.backend.connection.closed_for)
        self.assertEqual(self.webtalk.say(b"[retrieve] k"), [b"[ok] "])

    def test_an_unknown_command_is_repeated(self) -> None:
        for word in (
            b"dance",
            b"",
            b" newuser",
            b"newuser ",
            b"new user",
            b"NEWUSER",
            b"NewUser",
            b"Store",
            b"auth",
            b"\xff\x00\n",
        ):
            frame = b"[%s] 1!2" % word
            self.assert_error(frame, b"Invalid command: " + word)

    def test_a_missing_separator_is_named(self) -> None:
        for data in b"", b" ", b" 1", b" 1 hi", b"!", b"x":
            self.assert_error(b"[whisper]" + data, b"User separator not found (!)")
            self.assert_error(b"[shout]" + data, b"Channel separator not found (!)")
            for command in b"[join]", b"[leave]":
                words = b"Channel/User separator not found (!)"
                self.assert_error(command + data, words)
            self.assert_error(b"[store]" + data, b"Data separator not found (!)")

    def test_a_bad_id_is_repeated_with_the_reason(self) -> None:
        for digits in b"", b"abc", b"-1", b"+1", b"1_0", "١".encode(), b"\xff\x00":
            reason = digits + b", an id is ASCII digits only"
            for frame in b"[killuser] %s", b"[whisper] %s!hi", b"[join] 1!%s":
                self.assert_error(frame % digits, b"Invalid User: " + reason)
            self.assert_error(b"[leave] 1!" + digits, b"Invalid User: " + reason)
            for frame in b"[killchannel] %s", b"[shout] %s!hi", b"[join] %s!1":
                self.assert_error(frame % digits, b"Invalid Channel: " + reason)
            self.assert_error(b"[leave] %s!1" % digits, b"Invalid Channel: " + reason)

    def test_of_two_bad_ids_the_first_is_named(self) -> None:
        words = b"Invalid Channel: a, an id is ASCII digits only"
        self.assert_error(b"[join] a!b", words)
        self.assert_error(b"[leave] a!b", words)

    def test_only_the_first_separator_counts_in_ids(self) -> None:
        words = b"Invalid User: 1!2, an id is ASCII digits only"
        self.assert_error(b"[join] 1!1!2", words)

    def test_an_id_may_not_be_larger_than_64_bits(self) -> None:
        reason = b"18446744073709551616, an id is at most 18446744073709551615"
        self.assert_error(
            b"[killuser] 18446744073709551616", b"Invalid User: " + reason
        )
        self.assert_error(
            b"[shout] 18446744073709551616!hi", b"Invalid Channel: " + reason
        )

    def test_a_whisper_for_which_there_is_no_room_is_one(self) -> None:
        self.webtalk = Webtalk(max_messages=1)
        self.webtalk.new_users(1)
        self.assertEqual(self.webtalk.say(b"[whisper] 1!a"), [b"[ok] message sent"])
        self.assert_error(b"[whisper] 001!b", b"User 1: too much is waiting already")
        self.assertEqual(self.webtalk.login(1).take(), [b"a"])

    def test_a_failed_command_does_nothing(self) -> None:
        _, browser = self.webtalk.new_browser()
        self.webtalk.say(
            b"[whisper] 1_!a",
            b"[shout] +1!b",
            b"[killuser] 1 ",
            b"[leave] 1!x",
            b"[leave] 1",
            b"[killchannel] 1!",
            b"[KILLUSER] 1",
        )
        self.webtalk.say(b"[shout] 1!c")
        self.webtalk.turn()
        self.assertEqual(browser.take(), [b"c"])
        self.assertIsNone(browser.connection.closed_for)


class StrictTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.webtalk = Webtalk(strict=True)
        self.webtalk.new_users(2)
        self.webtalk.say(b"[killuser] 2", b"[newchannel]", b"[killchannel] 2")

    def test_users_that_are_nobody_are_errors(self) -> None:
        for number in 0, 2, 3, 2**64 - 1:
            for frame in (
                b"[killuser] %d",
                b"[whisper] %d!hi",
                b"[join] 1!%d",
                b"[leave] 1!%d",
            ):
                answer = self.webtalk.say(frame % number)
                self.assertEqual(answer, [b"[error] Unknown User: %d" % number])

    def test_channels_that_are_not_are_errors(self) -> None:
        for number in 0, 2, 3, 2**64 - 1:
            for frame in (
                b"[killchannel] %d",
                b"[shout] %d!hi",
                b"[join] %d!1",
                b"[leave] %d!9",
            ):
                answer = self.webtalk.say(frame % number)
                self.assertEqual(answer, [b"[error] Unknown Channel: %d" % number])
        self.assertIsNone(self.webtalk.backend.connection.closed_for)

    def test_an_id_is_told_without_the_zeros_before_it(self) -> None:
        answer = self.webtalk.say(b"[killuser] 0009")
        self.assertEqual(answer, [b"[error] Unknown User: 9"])

    def test_what_is_no_new_thing_is_still_no_error(self) -> None:
        self.assertEqual(
            self.webtalk.say(
                b"[join] 1!1",
                b"[leave] 1!1",
                b"[leave] 1!1",
                b"[killchannel] 1",
                b"[killchannel] 1",
                b"[clear] k",
                b"[killuser] 1",
            ),
            [
                b"[ok] user joined",
                b"[ok] user leaved",
                b"[ok] user leaved",
                b"[ok] channel killed",
                b"[ok] channel killed",
                b"[ok] cleared k",
                b"[ok] user killed",
            ],
        )


class LongAnswerTests(SynchronousTestCase):
    """An answer has five digits for its length, too."""

    def setUp(self) -> None:
        self.webtalk = Webtalk()

    def test_a_key_that_cannot_be_repeated_is_not_stored(self) -> None:
        longest = b"k" * (LONGEST - len(b"[ok] stored "))
        key = longest + b"k"
        self.assertEqual(self.webtalk.say(b"[store] %s!v" % key), [TOO_LONG])
        self.assertEqual(self.webtalk.say(b"[retrieve] " + key), [b"[ok] "])
        self.assertEqual(
            self.webtalk.say(b"[store] %s!v" % longest), [b"[ok] stored " + longest]
        )
        self.assertEqual(self.webtalk.say(b"[retrieve] " + longest), [b"[ok] v"])

    def test_a_key_that_cannot_be_repeated_is_not_cleared(self) -> None:
        # "cleared" is a letter longer than "stored".
        key = b"k" * (LONGEST - len(b"[ok] stored "))
        self.webtalk.say(b"[store] %s!v" % key)
        self.assertEqual(self.webtalk.say(b"[clear] " + key), [TOO_LONG])
        self.assertEqual(self.webtalk.say(b"[retrieve] " + key), [b"[ok] v"])
        key = key[1:]
        self.assertEqual(
            self.webtalk.say(b"[store] %s!v" % key, b"[clear] " + key),
            [b"[ok] stored " + key, b"[ok] cleared " + key],
        )

    def test_a_key_of_99990_bytes_is_too_long(self) -> None:
        frame = b"[store] " + b"k" * 99_990 + b"!"
        self.assertEqual(len(frame), LONGEST)
        self.assertEqual(self.webtalk.say(frame), [TOO_LONG])
        self.assertEqual(self.webtalk.say(b"[retrieve] " + b"k" * 99_989), [b"[ok] "])

    def test_the_longest_value_comes_back(self) -> None:
        frame = b"[store] !"
        value = b"v" * (LONGEST - len(frame))
        self.assertEqual(
            self.webtalk.say(frame + value, b"[retrieve]"),
            [b"[ok] stored ", b"[ok] " + value],
        )

    def test_a_long_word_is_repeated_if_it_can_be(self) -> None:
        word = b"w" * (LONGEST - len(b"[error] Invalid command: "))
        self.assertEqual(
            self.webtalk.say(b"[%s]" % word, b"[%sw]" % word),
            [b"[error] Invalid command: " + word, TOO_LONG],
        )

    def test_a_long_id_is_repeated_if_it_can_be(self) -> None:
        digits = b"9" * 90_000
        for frame, what in (b"[killuser] ", b"User"), (b"[killchannel] ", b"Channel"):
            (answer,) = self.webtalk.say(frame + digits)
            self.assertEqual(
                answer,
                b"[error] Invalid " + what + b": " + digits + b", an id is at most"
                b" 18446744073709551615",
            )
        digits = b"9" * (LONGEST - len(b"[killchannel] "))
        self.assertEqual(self.webtalk.say(b"[killchannel] " + digits), [TOO_LONG])
        self.assertIsNone(self.webtalk.backend.connection.closed_for)
