# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""WebSocket frames: ours as others read them, and the bad ones of a peer."""

from __future__ import annotations

from collections.abc import Generator

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from chatmux.transports.frames import binary_frame, text_frame
from tests.websocket_doubles import CLOSE, PING, TEXT, WebSocketTestCase, masked


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


class ViolationTests(WebSocketTestCase):
    def test_bad_utf8_is_1007(self) -> None:
        for payload in b"\xff", b"\xed\xa0\x80", b"\xc3", b"caf\xc3":
            peer, session = self.opened()
            peer.say(masked(TEXT, payload) + masked(TEXT, b"late"))
            self.assertEqual(self.closed_for(peer), 1007, payload)
            self.assertEqual(session.messages, [], payload)

    def test_bad_utf8_in_a_later_fragment_is_1007(self) -> None:
        peer, _ = self.opened()
        peer.send(TEXT, b"caf", fin=False)
        peer.send(0, b"\xff", fin=False)
        self.assertEqual(self.closed_for(peer), 1007)

    def test_violations_are_1002(self) -> None:
        for data in (
            b"\x81\x05Hello",
            masked(TEXT, b"x", rsv=4),
            masked(TEXT, b"x", rsv=1),
            masked(3, b"x"),
            masked(11, b"x"),
            masked(0, b"x"),
            masked(PING, b"x", fin=False),
            masked(PING, b"x" * 126),
            masked(TEXT, b"x", fin=False) + masked(TEXT, b"x"),
            b"\x81\xfe\x00\x05maskhello",
        ):
            peer, session = self.opened()
            peer.say(data)
            self.assertFalse(peer.transport.ending, data)
            peer.send(TEXT, b"late")
            self.assertEqual(self.closed_for(peer), 1002, data)
            self.assertEqual(session.messages, [], data)

    def test_bad_close_frames_are_1002(self) -> None:
        for payload in b"\x03", b"\x03\xed", b"\x00\x00", b"\xff\xff":
            peer, _ = self.opened()
            peer.send(CLOSE, payload)
            self.assertEqual(peer.hear()[0].payload[:2], b"\x03\xea", payload)

    def test_a_violation_is_one_line_of_the_log_and_counted(self) -> None:
        peer, _ = self.opened()
        with capturedLogs() as logs:
            peer.say(b"\x81\x05Hello" * 3)
            peer.lose()
        self.assertEqual(len(logs), 1)
        self.assertEqual(self.guard.counts["closed 1002"], 1)

    def test_a_second_violation_ends_it(self) -> None:
        peer, _ = self.opened()
        peer.say(b"\x81\x05Hello" * 2)
        self.assertTrue(peer.transport.ending)
        peer.lose()
        self.clock.advance(100)
        self.assertEqual(self.clock.getDelayedCalls(), [])
