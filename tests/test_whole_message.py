# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Whole messages in one frame, as they are read without Autobahn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatmux.transports.frames import is_binary, whole_message
from tests.websocket_doubles import BINARY, TEXT, masked

NOT_PLAIN = (
    *(masked(opcode, b"x") for opcode in range(16) if opcode not in (1, 2)),
    *(masked(TEXT, b"x", rsv=rsv) for rsv in range(1, 8)),
    masked(TEXT, b"x", fin=False),
    b"\x81\x05Hello",
    b"\x81\x7e\x00\x7e" + bytes(130),
    b"\x81\xfe\x00\x05maskhello",
    b"\x81\xfe\x00\x7dmask" + bytes(125),
    b"\x81\xff" + (5).to_bytes(8, "big") + b"maskhello",
    masked(BINARY, bytes(1 << 16)),
    masked(TEXT, b"x" * 1001),
    masked(TEXT, b"\xff"),
    masked(TEXT, b"caf\xc3"),
    masked(TEXT, b"\xed\xa0\x80"),
    masked(TEXT, b"\xc0\x80"),
    masked(TEXT, b"\xf4\x90\x80\x80"),
)


class WholeMessageTests(SynchronousTestCase):
    def test_messages_are_read_one_behind_the_other(self) -> None:
        texts = masked(TEXT, "é".encode()), masked(BINARY, b"\xff" * 126), masked(TEXT)
        data = b"".join(texts)
        place, found = 0, []
        while (read := whole_message(data, place, 200)) is not None:
            found.append((read[0], is_binary(data[place])))
            place = read[1]
        self.assertEqual(
            found, [("é".encode(), False), (b"\xff" * 126, True), (b"", False)]
        )
        self.assertEqual(place, len(data))

    @given(st.binary(max_size=300), st.binary(min_size=4, max_size=4), st.binary())
    def test_any_mask_is_taken_off(
        self, payload: bytes, mask: bytes, around: bytes
    ) -> None:
        length = len(payload)
        head = bytes((0x80 | length,)) if length < 126 else b"\xfe%c%c" % (
            divmod(length, 256)
        )  # fmt: skip
        body = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        frame = b"\x82" + head + mask + body
        read = whole_message(around + frame + around, len(around), 300)
        self.assertEqual(read, (payload, len(around) + len(frame)))

    def test_what_is_not_all_there_is_left(self) -> None:
        for payload in b"", b"hello", b"x" * 125, b"x" * 126, b"x" * 300:
            frame = masked(TEXT, payload)
            for end in range(len(frame)):
                self.assertIsNone(whole_message(frame[:end], 0, 1000), end)
            self.assertEqual(whole_message(frame, 0, 1000), (payload, len(frame)))

    def test_what_is_at_fault_or_special_is_left(self) -> None:
        for frame in NOT_PLAIN:
            longest = 1000 if len(frame) < 2000 else 1 << 20
            self.assertIsNone(whole_message(frame, 0, longest), frame[:20])

    def test_the_longest_of_each_form(self) -> None:
        for length in 125, 126, 65535:
            frame = masked(BINARY, b"x" * length)
            self.assertEqual(
                whole_message(frame, 0, length), (b"x" * length, len(frame))
            )
            self.assertIsNone(whole_message(frame, 0, length - 1))
