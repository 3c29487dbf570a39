# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Frames with five digits of length before each: made, and taken apart again."""

from __future__ import annotations

from itertools import pairwise
from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatmux.transports import decimal5
from chatmux.transports.decimal5 import (
    FrameDecoder,
    FrameLengthError,
    FrameTooLongError,
    frame,
)
from tests.transport_doubles import CountedBuffer

NO_LENGTHS = (
    b"+0009",
    b"-0001",
    b" 0009",
    b"9    ",
    b"0009\n",
    b"0_009",
    b"0x009",
    b"9.000",
    b"1e000",
    "٣٣x".encode(),
    "٠٠9".encode(),
    "９99".encode(),
    b"\xb2\xb2\xb2\xb2\xb2",
    b"GET /",
    b"\x16\x03\x01\x02\x00",
    b"\x00\x00\x00\x00\x09",
)
"""int() would take some of them."""


def all_frames(decoder: FrameDecoder) -> list[bytes]:
    return list(iter(decoder.next, None))


class FrameTests(SynchronousTestCase):
    def test_the_length_is_told_in_five_digits(self) -> None:
        self.assertEqual(frame(b"[newuser]"), b"00009[newuser]")
        self.assertEqual(frame(b""), b"00000")

    def test_it_is_that_of_the_bytes(self) -> None:
        self.assertEqual(frame("é€😀".encode())[:5], b"00009")

    def test_what_five_digits_cannot_tell_is_refused(self) -> None:
        self.assertEqual(frame(b"x" * 99_999)[:6], b"99999x")
        with self.assertRaises(FrameTooLongError) as caught:
            frame(b"x" * 100_000)
        self.assertEqual(caught.exception.length, 100_000)


class DecoderTests(SynchronousTestCase):
    @given(
        texts=st.lists(st.text(max_size=40) | st.just("é" * 700), max_size=8),
        cuts=st.lists(st.integers(0, 2000), max_size=12),
    )
    def test_frames_cut_anyhow_are_the_same(
        self, texts: list[str], cuts: list[int]
    ) -> None:
        bodies = [text.encode() for text in texts]
        stream = b"".join(map(frame, bodies))
        decoder = FrameDecoder()
        found = []
        for start, end in pairwise([0, *sorted(cuts), len(stream)]):
            decoder.feed(stream[start:end])
            found += all_frames(decoder)
        self.assertEqual(found, bodies)
        self.assertEqual(decoder.rest, b"")

    @given(data=st.binary(max_size=60) | st.text("0123456789 +_", max_size=60))
    def test_anything_else_is_refused_or_waits(self, data: bytes | str) -> None:
        stream = data if isinstance(data, bytes) else data.encode()
        decoder = FrameDecoder()
        decoder.feed(stream)
        try:
            found = all_frames(decoder)
        except FrameLengthError as error:
            self.assertEqual(error.digits, decoder.rest[:5])
            self.assertFalse(error.digits.isdigit())
        else:
            self.assertEqual(b"".join(map(frame, found)) + decoder.rest, stream)

    def test_what_follows_waits_until_it_is_asked_for(self) -> None:
        decoder = FrameDecoder()
        decoder.feed(b"00003one00003two0000")
        self.assertEqual(decoder.next(), b"one")
        self.assertEqual(decoder.rest, b"00003two0000")
        self.assertEqual(decoder.next(), b"two")
        self.assertIsNone(decoder.next())
        self.assertEqual(decoder.rest, b"0000")
        self.assertEqual(len(decoder), 4)

    def test_what_is_no_length(self) -> None:
        for digits in NO_LENGTHS:
            self.assertEqual(len(digits), 5)
            decoder = FrameDecoder()
            decoder.feed(b"00000" + digits[:4])
            self.assertEqual(all_frames(decoder), [b""])
            decoder.feed(digits[4:])
            for _ in range(2):
                with self.assertRaises(FrameLengthError) as caught:
                    decoder.next()
                self.assertEqual(caught.exception.digits, digits)

    def test_a_frame_that_is_too_long_is_refused_at_its_length(self) -> None:
        decoder = FrameDecoder(9)
        decoder.feed(b"00009[newuser]0001")
        self.assertEqual(all_frames(decoder), [b"[newuser]"])
        decoder.feed(b"0")
        with self.assertRaises(FrameTooLongError) as caught:
            decoder.next()
        self.assertEqual(caught.exception.length, 10)
        decoder.longest = 10
        decoder.feed(b"[joinchan]")
        self.assertEqual(decoder.next(), b"[joinchan]")

    def test_the_longest_there_can_be_is_admitted_unless_told_otherwise(self) -> None:
        decoder = FrameDecoder()
        decoder.feed(frame(b"x" * 99_999))
        self.assertEqual(decoder.next(), b"x" * 99_999)

    def copied(self, *pieces: bytes) -> int:
        """Return how many bytes are copied for a stream that comes in pieces."""
        with mock.patch.object(decimal5, "bytearray", CountedBuffer, create=True):
            decoder = FrameDecoder()
        before = CountedBuffer.copied
        for piece in pieces:
            decoder.feed(piece)
            all_frames(decoder)
        self.assertEqual(decoder.rest, b"")
        return CountedBuffer.copied - before

    def test_a_frame_that_drips_costs_as_much_for_each_byte(self) -> None:
        stream = frame(b"x" * 20_000)
        copied = self.copied(*(bytes((byte,)) for byte in stream))
        self.assertGreater(copied, len(stream))
        self.assertLess(copied, 20 * len(stream))

    def test_many_frames_at_once_cost_as_much_for_each_byte(self) -> None:
        stream: Any = frame(b"x") * 20_000
        copied = self.copied(stream)
        self.assertGreater(copied, len(stream))
        self.assertLess(copied, 20 * len(stream))
