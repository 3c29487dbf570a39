# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""webtalk's private port: each command and its answer, byte for byte."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatmux.errors import PeerError
from chatmux.model import NORMAL
from tests.webtalk_doubles import LONGEST, Webtalk, split_numbered

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


class StoreTests(SynchronousTestCase):
    def test_keys_and_values_are_kept_as_they_are(self) -> None:
        webtalk = Webtalk()
        everything = bytes(range(256))
        key = everything.replace(b"!", b"")
        self.assertEqual(
            webtalk.say(
                b"[store] " + key + b"!" + everything,
                b"[retrieve] " + key,
                b"[clear] " + key,
                b"[retrieve] " + key,
            ),
            [
                b"[ok] stored " + key,
                b"[ok] " + everything,
                b"[ok] cleared " + key,
                b"[ok] ",
            ],
        )

    @given(st.binary(max_size=40), st.binary(max_size=40))
    def test_any_value_comes_back(self, key: bytes, value: bytes) -> None:
        key = key.replace(b"!", b"?")
        webtalk = Webtalk()
        webtalk.say(b"[store] other!x", b"[store] %s!%s" % (key, value))
        self.assertEqual(webtalk.say(b"[retrieve] " + key), [b"[ok] " + value])

    def test_an_empty_key_is_a_key(self) -> None:
        webtalk = Webtalk()
        self.assertEqual(
            webtalk.say(
                b"[store] !v",
                b"[retrieve] ",
                b"[retrieve]",
                b"[clear]",
                b"[retrieve]",
            ),
            [b"[ok] stored ", b"[ok] v", b"[ok] v", b"[ok] cleared ", b"[ok] "],
        )

    def test_a_value_may_be_empty_and_may_hold_separators(self) -> None:
        webtalk = Webtalk()
        self.assertEqual(
            webtalk.say(b"[store] k!a!b", b"[retrieve] k", b"[store] k!"),
            [b"[ok] stored k", b"[ok] a!b", b"[ok] stored k"],
        )
        self.assertEqual(webtalk.say(b"[retrieve] k"), [b"[ok] "])

    def test_a_key_cannot_hold_a_separator(self) -> None:
        webtalk = Webtalk()
        webtalk.say(b"[store] a!b!c")
        self.assertEqual(
            webtalk.say(b"[retrieve] a!b", b"[retrieve] a"), [b"[ok] ", b"[ok] b!c"]
        )

    def test_all_back_ends_have_one_store(self) -> None:
        webtalk = Webtalk()
        webtalk.say(b"[store] k!v", b"")
        self.assertEqual(webtalk.new_backend().say(b"[retrieve] k"), [b"[ok] v"])

    def test_the_number_of_keys_is_bounded(self) -> None:
        webtalk = Webtalk(max_keys=2)
        self.assertEqual(
            webtalk.say(
                b"[store] a!1",
                b"[store] b!1",
                b"[store] c!1",
                b"[store] a!2",
                b"[retrieve] c",
                b"[clear] x",
                b"[store] c!2",
                b"[clear] b",
                b"[store] c!3",
                b"[retrieve] a",
                b"[retrieve] c",
            ),
            [
                b"[ok] stored a",
                b"[ok] stored b",
                b"[error] the store is full",
                b"[ok] stored a",
                b"[ok] ",
                b"[ok] cleared x",
                b"[error] the store is full",
                b"[ok] cleared b",
                b"[ok] stored c",
                b"[ok] 2",
                b"[ok] 3",
            ],
        )

    def test_the_bytes_of_keys_and_values_are_bounded_together(self) -> None:
        webtalk = Webtalk(max_store_bytes=10)
        self.assertEqual(
            webtalk.say(
                b"[store] abc!1234567",
                b"[store] !",
                b"[store] x!",
                b"[store] abc!12345678",
                b"[retrieve] abc",
                b"[store] abc!1234",
                b"[store] x!12",
                b"[store] y!",
                b"[clear] abc",
                b"[store] x!123456789",
                b"[store] x!1234567890",
                b"[retrieve] x",
            ),
            [
                b"[ok] stored abc",
                b"[ok] stored ",
                b"[error] the store is full",
                b"[error] the store is full",
                b"[ok] 1234567",
                b"[ok] stored abc",
                b"[ok] stored x",
                b"[error] the store is full",
                b"[ok] cleared abc",
                b"[ok] stored x",
                b"[error] the store is full",
                b"[ok] 123456789",
            ],
        )

    def test_storing_and_clearing_for_ever_fills_nothing(self) -> None:
        webtalk = Webtalk(max_keys=1, max_store_bytes=10)
        for number in range(1000):
            self.assertEqual(
                webtalk.say(b"[store] %d!12345" % number, b"[clear] %d" % number),
                [b"[ok] stored %d" % number, b"[ok] cleared %d" % number],
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


class SecretTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.webtalk = Webtalk(secret="päß")

    def assert_refused(self, frame: bytes, words: bytes) -> None:
        backend = self.webtalk.new_backend()
        self.assertEqual(backend.say(frame), [b"[error] " + words])
        assert backend.connection.closed_for is not None
        self.assertEqual(backend.connection.closed_for.code, 1008)
        self.assertEqual(backend.connection.closed_for.reason.encode(), words)
        self.assertFalse(backend.connection.is_opened)

    def test_the_secret_ends_the_opening_and_lets_everything_in(self) -> None:
        backend = self.webtalk.backend
        self.assertFalse(backend.connection.is_opened)
        self.assertEqual(
            backend.say("[auth] päß".encode(), b"[newchannel]"),
            [b"[ok] authenticated", b"[ok] 2"],
        )
        self.assertTrue(backend.connection.is_opened)

    def test_a_wrong_secret_ends_the_connection(self) -> None:
        for secret in b"", b"p", b"\xff", "päß ".encode(), " päß".encode():
            self.assert_refused(b"[auth] " + secret, b"wrong secret")
        self.assert_refused(b"[auth]", b"wrong secret")

    def test_nothing_is_done_before_it(self) -> None:
        for frame in b"[newchannel]", b"[dance]", b"[AUTH] p", b"[retrieve] k", b"[]":
            self.assert_refused(frame, b"[auth] SECRET first")
        (answers, channel) = self.webtalk.say("[auth] päß".encode(), b"[newchannel]")
        self.assertEqual((answers, channel), (b"[ok] authenticated", b"[ok] 2"))

    def test_what_is_no_command_is_refused_as_such_before_it_too(self) -> None:
        self.assert_refused(b"x", b"Invalid Frame: [ brace not found")

    def test_it_may_be_shown_again_and_must_be_right_again(self) -> None:
        backend = self.webtalk.backend
        good = "[auth] päß".encode()
        self.assertEqual(backend.say(good, good), [b"[ok] authenticated"] * 2)
        self.assertEqual(backend.say(b"[auth] x"), [b"[error] wrong secret"])
        self.assertIsNotNone(backend.connection.closed_for)

    def test_goodbye_may_be_said_without_it(self) -> None:
        backend = self.webtalk.backend
        self.assertEqual(backend.say(b""), [b"[ok] goodbye"])
        self.assertEqual(backend.connection.closed_for, NORMAL)
        self.assertFalse(backend.connection.is_opened)

    def test_each_back_end_has_to_show_it(self) -> None:
        self.webtalk.say("[auth] päß".encode())
        self.assert_refused(b"[newuser]", b"[auth] SECRET first")


class ClosingErrorTests(SynchronousTestCase):
    """Errors with which the connection ends."""

    def setUp(self) -> None:
        self.webtalk = Webtalk()
        self.backend = self.webtalk.backend

    def refusal(self, call: object, *arguments: object, code: int = 1008) -> bytes:
        error = self.assertRaises(PeerError, call, *arguments)
        self.assertEqual(error.close.code, code)
        (answer,) = split_numbered(self.backend.connection.take())
        self.assertEqual(answer, f"[error] {error.close.reason}".encode())
        return answer

    def test_a_missing_brace_ends_it(self) -> None:
        for frame, brace in (
            (b"newuser", b"["),
            (b" [newuser]", b"["),
            (b"]", b"["),
            (b"[newuser", b"]"),
            (b"[", b"]"),
        ):
            answer = self.refusal(self.backend.session.received, frame, True)
            self.assertEqual(
                answer, b"[error] Invalid Frame: " + brace + b" brace not found"
            )

    def test_a_length_that_is_no_five_digits_ends_it_in_one_line(self) -> None:
        for length, shown in (
            (b"+0009", b"+0009"),
            (b"-0001", b"-0001"),
            (b" 1   ", b" 1   "),
            (b"12a45", b"12a45"),
            (b"GET /", b"GET /"),
            (b"1_000", b"1_000"),
        ):
            self.assertEqual(
                self.refusal(self.backend.session.bad_length, length),
                b"[error] Invalid Frame Size: "
                + shown
                + b", five ASCII digits were expected",
            )
        for length in b"\r\n\r\n\x00", b"\xff\xfe\x80\x00\x1b", "١٢".encode() + b"1":
            answer = self.refusal(self.backend.session.bad_length, length)
            self.assertRegex(answer, rb"\A[\x20-\x7e]+\Z")

    def test_too_long_a_frame_ends_it(self) -> None:
        self.assertEqual(
            self.refusal(self.backend.session.frame_too_long, 99_999, code=1009),
            b"[error] Invalid Frame Size: 99999, too long",
        )

    def test_a_frame_that_does_not_come_in_time_ends_it(self) -> None:
        self.assertEqual(
            self.refusal(self.backend.session.frame_too_late),
            b"[error] Error reading Frame: not complete in time",
        )

    def test_a_secret_that_does_not_come_in_time_ends_it(self) -> None:
        self.backend = Webtalk(secret="x").backend
        self.assertEqual(
            self.refusal(self.backend.session.opening_too_late),
            b"[error] [auth] SECRET first, and in time",
        )


class EndTests(SynchronousTestCase):
    def end(self, rest: bytes) -> bytes:
        backend = Webtalk().backend
        backend.session.ended(rest)
        self.assertEqual(backend.connection.closed_for, NORMAL)
        (answer,) = split_numbered(backend.connection.take())
        backend.session.closed()
        return answer

    def test_an_empty_frame_is_the_goodbye(self) -> None:
        webtalk = Webtalk()
        self.assertEqual(webtalk.say(b""), [b"[ok] goodbye"])
        self.assertEqual(webtalk.backend.connection.closed_for, NORMAL)

    def test_an_end_between_frames(self) -> None:
        self.assertEqual(self.end(b""), b"[error] Invalid Frame: EOF")

    def test_an_end_within_the_digits(self) -> None:
        for count in range(1, 5):
            self.assertEqual(
                self.end(b"00009"[:count]),
                b"[error] Insufficient Frame Size: %d" % count,
            )

    def test_an_end_within_the_bytes(self) -> None:
        for rest in b"00009", b"00009[", b"00009[newuser", b"99999" + b"x" * 99_998:
            self.assertEqual(self.end(rest), b"[error] Error reading Frame: EOF")

    def test_a_cut_frame_is_not_run(self) -> None:
        webtalk = Webtalk()
        webtalk.backend.session.ended(b"00012[newchannel")
        self.assertEqual(webtalk.new_backend().say(b"[newchannel]"), [b"[ok] 2"])

    def test_what_a_back_end_made_stays_when_it_goes(self) -> None:
        webtalk = Webtalk(strict=True)
        webtalk.new_users(1)
        webtalk.say(b"[newchannel]", b"[store] k!v", b"")
        webtalk.backend.session.closed()
        self.assertEqual(
            webtalk.new_backend().say(b"[join] 2!1", b"[retrieve] k"),
            [b"[ok] user joined", b"[ok] v"],
        )


COMMANDS = (
    b"auth",
    b"newuser",
    b"killuser",
    b"whisper",
    b"newchannel",
    b"killchannel",
    b"shout",
    b"join",
    b"leave",
    b"store",
    b"retrieve",
    b"clear",
)
pieces = st.one_of(
    st.binary(max_size=8),
    st.sampled_from((b"0", b"1", b"2", b"!", b"1!1", b" ", b"]", b"[", b"secret")),
    st.sampled_from((b"9" * 33_000, b"k" * 33_325, b"x" * 50_000)),
)
frames = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda command, rest: (b"[" + command + b"]" + b"".join(rest))[:LONGEST],
        st.one_of(st.sampled_from(COMMANDS), pieces),
        st.lists(pieces, max_size=6),
    ),
)


class AnyFrameTests(SynchronousTestCase):
    @given(
        st.lists(frames, min_size=1, max_size=12),
        st.booleans(),
        st.sampled_from((None, " secret", "secret")),
    )
    def test_any_frame_has_one_answer_that_fits_and_may_end_the_connection(
        self, sequence: list[bytes], strict: bool, secret: str | None
    ) -> None:
        webtalk = Webtalk(strict=strict, secret=secret, max_messages=3)
        user = webtalk.hub.new_user()
        webtalk.salts[user.id] = user.salt
        browser = webtalk.login(user.id)
        for frame in sequence:
            backend = webtalk.backend
            error = None
            try:
                backend.session.received(frame, True)
            except PeerError as caught:
                error = caught
            # The doubles' framing takes no more than five digits can tell.
            (answer,) = split_numbered(backend.connection.take())
            if error is not None:
                self.assertEqual(answer, b"[error] " + str(error).encode())
            elif not frame:
                self.assertEqual(answer, b"[ok] goodbye")
                self.assertEqual(backend.connection.closed_for, NORMAL)
            else:
                self.assertTrue(answer.startswith((b"[ok] ", b"[error] ")), answer)
                self.assertIsNone(backend.connection.closed_for)
            if error is not None or not frame:
                webtalk.backend = webtalk.new_backend()
        webtalk.turn()
        for message in browser.take():
            message.decode()
