# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""WebSocket frames as a server sends them, read by another implementation."""

from __future__ import annotations

from collections.abc import Generator

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from chatmux.transports.frames import binary_frame, text_frame


def parsed(data: bytes) -> Frame:
    """Parse one frame that is all of `data`."""
    reader = StreamReader()
    reader.feed_data(data)
    parsing: Generator[None, None, Frame] = Frame.parse(reader.read_exact, mask=False)
    try:
        next(parsing)
    except StopIteration as stop:
        frame: Frame = stop.value
    else:
        raise AssertionError(f"not complete: {data[:20]!r}")
    if len(reader.buffer):
        raise AssertionError(f"{len(reader.buffer)} bytes too many")
    return frame


class FrameTests(SynchronousTestCase):
    def test_the_samples_of_the_rfc(self) -> None:
        """RFC 6455, section 5.7."""
        self.assertEqual(text_frame(b"Hello"), b"\x81\x05Hello")
        self.assertEqual(binary_frame(bytes(256)), b"\x82\x7e\x01\x00" + bytes(256))
        self.assertEqual(
            binary_frame(bytes(65536)),
            b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00" + bytes(65536),
        )

    def test_lengths_take_the_shortest_form(self) -> None:
        for make, first in (text_frame, 0x81), (binary_frame, 0x82):
            for length, head in (
                (0, b"\x00"),
                (1, b"\x01"),
                (125, b"\x7d"),
                (126, b"\x7e\x00\x7e"),
                (65535, b"\x7e\xff\xff"),
                (65536, b"\x7f" + (65536).to_bytes(8, "big")),
            ):
                payload = b"x" * length
                self.assertEqual(make(payload), bytes((first,)) + head + payload)

    @given(st.binary(max_size=300))
    def test_another_implementation_reads_the_payload(self, payload: bytes) -> None:
        self.assertEqual(
            parsed(text_frame(payload)), Frame(Opcode.TEXT, payload, fin=True)
        )
        self.assertEqual(
            parsed(binary_frame(payload)), Frame(Opcode.BINARY, payload, fin=True)
        )

    def test_another_implementation_reads_long_payloads(self) -> None:
        for length in 65535, 65536, 1 << 20:
            frame = parsed(text_frame(bytes(length)))
            self.assertEqual(len(frame.data), length)
