# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""webtalk's ids, salts and commands: pure functions on bytes."""

from __future__ import annotations

import secrets

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatmux.protocols.webtalk.commands import (
    BraceError,
    CommandError,
    split_command,
    split_data,
    to_channel_id,
    to_user_id,
)
from chatmux.protocols.webtalk.ids import (
    LARGEST_ID,
    SALT_DIGITS,
    IdError,
    new_salt,
    parse_id,
)

NO_DIGITS = (
    b"",
    b" ",
    b"+1",
    b"-1",
    b"-0",
    b" 1",
    b"1 ",
    b"1\n",
    b"\t1",
    b"1\x00",
    b"1_0",
    b"1.0",
    b"1e3",
    b"0x10",
    b"abc",
    "١".encode(),
    "²".encode(),
    "１".encode(),
    b"\xb2",
    b"\xff",
)
TOO_LARGE = (b"18446744073709551616", b"99999999999999999999", b"9" * 90_000)


class IdTests(SynchronousTestCase):
    def test_ascii_digits_are_an_id(self) -> None:
        for digits, number in (
            (b"0", 0),
            (b"1", 1),
            (b"42", 42),
            (b"18446744073709551615", LARGEST_ID),
        ):
            self.assertEqual(parse_id(digits), number)

    def test_leading_zeros_do_not_count_however_many(self) -> None:
        self.assertEqual(parse_id(b"007"), 7)
        self.assertEqual(parse_id(b"000"), 0)
        self.assertEqual(parse_id(b"0" * 90_000), 0)
        self.assertEqual(parse_id(b"0" * 90_000 + b"18446744073709551615"), LARGEST_ID)

    def test_all_else_is_none(self) -> None:
        for digits in NO_DIGITS:
            error = self.assertRaises(IdError, parse_id, digits)
            self.assertEqual(str(error), "an id is ASCII digits only", digits)

    def test_what_64_bits_do_not_hold_is_none(self) -> None:
        for digits in (*TOO_LARGE, b"0" * 90_000 + TOO_LARGE[0]):
            error = self.assertRaises(IdError, parse_id, digits)
            self.assertEqual(str(error), "an id is at most 18446744073709551615")

    @given(st.integers(0, LARGEST_ID), st.integers(0, 30))
    def test_every_id_comes_back(self, number: int, zeros: int) -> None:
        self.assertEqual(parse_id(b"0" * zeros + b"%d" % number), number)

    @given(st.binary(max_size=30))
    def test_any_bytes_are_an_id_or_an_error(self, digits: bytes) -> None:
        try:
            number = parse_id(digits)
        except IdError:
            return
        self.assertEqual(digits.lstrip(b"0"), b"%d" % number if number else b"")


class SaltTests(SynchronousTestCase):
    def test_a_salt_is_39_ascii_digits(self) -> None:
        for _ in range(1000):
            self.assertRegex(new_salt(), rb"\A[0-9]{39}\Z")

    def test_a_login_fits_in_the_50_bytes_of_old_buffers_for_9_digits_of_id(
        self,
    ) -> None:
        self.assertLessEqual(len(b"999999999!" + new_salt()), 50)

    def test_a_small_number_is_filled_with_zeros(self) -> None:
        self.patch(secrets, "randbelow", lambda limit: 7)
        self.assertEqual(new_salt(), b"0" * (SALT_DIGITS - 1) + b"7")

    def test_it_is_drawn_by_the_secrets_of_the_system_out_of_all(self) -> None:
        limits = []

        def largest(limit: int) -> int:
            limits.append(limit)
            return limit - 1

        self.patch(secrets, "randbelow", largest)
        self.assertEqual(new_salt(), b"9" * SALT_DIGITS)
        self.assertEqual(limits, [10**39])

    def test_none_comes_twice(self) -> None:
        self.assertEqual(len({new_salt() for _ in range(1000)}), 1000)


class SplitCommandTests(SynchronousTestCase):
    def test_a_command_is_what_the_braces_hold(self) -> None:
        for frame, expected in (
            (b"[newuser]", (b"newuser", b"")),
            (b"[whisper] 1!hi", (b"whisper", b"1!hi")),
            (b"[]", (b"", b"")),
            (b"[] x", (b"", b"x")),
            (b"[ a b ] x", (b" a b ", b"x")),
            (b"[[a] x", (b"[a", b"x")),
            (b"[a]] x", (b"a", b" x")),
            (b"[\x00\xff\n]", (b"\x00\xff\n", b"")),
        ):
            self.assertEqual(split_command(frame), expected, frame)

    def test_one_byte_behind_the_brace_goes_whatever_it_is(self) -> None:
        for byte in range(256):
            frame = b"[a]" + bytes([byte])
            self.assertEqual(split_command(frame), (b"a", b""))
            self.assertEqual(split_command(frame + b"  x "), (b"a", b"  x "))

    def test_the_missing_brace_is_named(self) -> None:
        for frame, brace in (
            (b"x", "["),
            (b" [a]", "["),
            (b"]", "["),
            (b"a]", "["),
            (b"[", "]"),
            (b"[a", "]"),
            (b"[whisper 1!hi", "]"),
        ):
            error = self.assertRaises(BraceError, split_command, frame)
            self.assertEqual(str(error), brace, frame)

    @given(st.binary(max_size=40))
    def test_nothing_is_lost_but_the_braces_and_the_byte(self, frame: bytes) -> None:
        try:
            command, data = split_command(frame)
        except BraceError:
            self.assertNotRegex(frame, rb"(?s)\A\[[^]]*\]")
            return
        self.assertNotIn(b"]", command)
        start = b"[" + command + b"]"
        self.assertIn(frame[len(start) + 1 :], (data, b""))
        self.assertEqual(frame[: len(start)], start)


class SplitDataTests(SynchronousTestCase):
    def test_the_first_separator_separates(self) -> None:
        for data, expected in (
            (b"1!hi", (b"1", b"hi")),
            (b"1!", (b"1", b"")),
            (b"!", (b"", b"")),
            (b"!x", (b"", b"x")),
            (b"1!a!b!", (b"1", b"a!b!")),
            (b" 1 ! a ", (b" 1 ", b" a ")),
            (b"\xff\x00!\xfe\n", (b"\xff\x00", b"\xfe\n")),
        ):
            self.assertEqual(split_data(data, "User"), expected)

    def test_a_missing_one_is_named(self) -> None:
        for what in "User", "Channel", "Channel/User", "Data":
            error = self.assertRaises(CommandError, split_data, b"1 hi", what)
            self.assertEqual(error.words, f"{what} separator not found (!)".encode())


class CommandIdTests(SynchronousTestCase):
    def test_good_ones_are_taken(self) -> None:
        self.assertEqual(to_user_id(b"07"), 7)
        self.assertEqual(to_channel_id(b"18446744073709551615"), LARGEST_ID)

    def test_bad_ones_are_repeated_byte_for_byte_with_the_reason(self) -> None:
        for to_id, what in (to_user_id, b"User"), (to_channel_id, b"Channel"):
            for digits in NO_DIGITS:
                error = self.assertRaises(CommandError, to_id, digits)
                self.assertEqual(
                    error.words,
                    b"Invalid " + what + b": " + digits + b", an id is ASCII digits"
                    b" only",
                )
            for digits in TOO_LARGE:
                error = self.assertRaises(CommandError, to_id, digits)
                self.assertEqual(
                    error.words,
                    b"Invalid " + what + b": " + digits + b", an id is at most"
                    b" 18446744073709551615",
                )
