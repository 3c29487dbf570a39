# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Pictures that are made smaller are the same pictures."""

from __future__ import annotations

import struct
import zlib

from twisted.trial.unittest import SynchronousTestCase

from tests.png import _SIGNATURE, _chunk, _chunks, smaller

PIXELS = (
    (0xFF0000, 0x00FF00, 0x0000FF),
    (0xFF0000, 0xFF0000, 0x123456),
    (0x102030, 0x405060, 0x708090),
    (0x112131, 0x425262, 0x738393),
    (0xFFFFFF, 0x000000, 0xFE0000),
)


def picture() -> bytes:
    """Make one, each row by another of the filters."""
    before = bytes(9)
    data = b""
    for kind, row in enumerate(PIXELS):
        line = b"".join(pixel.to_bytes(3, "big") for pixel in row)
        data += bytes([kind])
        for x, value in enumerate(line):
            left = line[x - 3] if x >= 3 else 0
            corner = before[x - 3] if x >= 3 else 0
            guess = left + before[x] - corner
            nearest = min(
                (left, before[x], corner),
                key=lambda one: abs(guess - one),
            )
            taken = 0, left, before[x], (left + before[x]) // 2, nearest
            data += bytes([(value - taken[kind]) & 255])
        before = line
    header = struct.pack(">IIBBBBB", 3, 5, 8, 2, 0, 0, 0)
    return (
        _SIGNATURE
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(data))
        + _chunk(b"IEND", b"")
    )


class SmallerTests(SynchronousTestCase):
    def test_few_colours_stay_as_they_are(self) -> None:
        parts = dict(_chunks(smaller(picture())))
        colors = parts[b"PLTE"]
        palette = [colors[at : at + 3] for at in range(0, len(colors), 3)]
        data = zlib.decompress(parts[b"IDAT"])
        rows = [data[at + 1 : at + 4] for at in range(0, len(data), 4)]
        seen = [[int.from_bytes(palette[one], "big") for one in row] for row in rows]
        self.assertEqual(seen, [list(row) for row in PIXELS])
