# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The marker in every message, and counting it in raw byte streams.

A marker is ``~~`` and 19 digits: the nanoseconds since the generator's start. It is
counted in the bytes as they come from the socket, so any framing of any protocol
works, and the count is exact wherever TCP cuts the stream.

The module knows no protocol and opens no socket.
"""

from __future__ import annotations

from array import array

PREFIX = b"~~"
DIGITS = 19
MARKER_BYTES = len(PREFIX) + DIGITS

# What is searched for is longer than the prefix: the leading zeros that the digits
# have during the first 1,000 s. Optimisation: bytes.count() skips about as many bytes
# as its needle is long. It also cannot be mistaken for a WebSocket header, in which
# the length byte 126 is a "~".
NEEDLE = PREFIX + b"0000000"
MAX_RUN_SECONDS = 999

# Where reads are put: a kept piece of a cut needle finds its place before them.
_MARGIN = len(NEEDLE)
_BUFFER_BYTES = 256 * 1024
_CUT_AFTER = frozenset(NEEDLE)


def marker(now_ns: int, size: int = MARKER_BYTES) -> bytes:
    """Return a marker for ``now_ns``, filled up to ``size`` bytes."""
    return b"%b%0*d" % (PREFIX, DIGITS, now_ns) + b"x" * (size - MARKER_BYTES)


def cut_length(data: bytes | bytearray) -> int:
    """Return how many bytes at the end of ``data`` may be the start of a needle."""
    for length in range(len(NEEDLE) - 1, 0, -1):
        if data.endswith(NEEDLE[:length]):
            return length
    return 0


class MarkerCount:
    """Counts markers in many streams and samples the latency once a read.

    The owner reads from a socket into ``space`` and reports it with ``took``.
    """

    __slots__ = ("_buffer", "_cut", "count", "samples", "space")

    def __init__(self) -> None:
        self._buffer = bytearray(_MARGIN + _BUFFER_BYTES)
        self._cut: dict[int, int] = {}
        self.space = memoryview(self._buffer)[_MARGIN:]
        self.count = 0
        self.samples = array("q")

    def reset(self) -> None:
        """Forget count and samples, but not the markers that are cut just now."""
        self.count = 0
        self.samples = array("q")

    def took(self, stream: int, length: int, now_ns: int) -> None:
        """Count the markers in the first ``length`` bytes of ``space``.

        Args:
            stream: Names the connection; cut markers are put together by it.
            length: How many bytes were read, at least 1.
            now_ns: When they were read.
        """
        buffer, start, stop = self._buffer, _MARGIN, _MARGIN + length
        if self._cut:
            kept = self._cut.pop(stream, 0)
            start -= kept
            buffer[start:_MARGIN] = NEEDLE[:kept]
        first = buffer.find(NEEDLE, start, stop)
        if first >= 0:
            self.count += 1
            end = first + MARKER_BYTES
            if end <= stop:
                self.count += buffer.count(NEEDLE, end, stop)
                self.samples.append(now_ns - int(buffer[first + len(PREFIX) : end]))
        if buffer[stop - 1] in _CUT_AFTER:
            cut = cut_length(buffer[max(start, stop - _MARGIN) : stop])
            if cut:
                self._cut[stream] = cut
