# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Makes screenshots smaller: 256 colours, which is what such a picture needs. Pure."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {2: 3, 6: 4}


def smaller(png: bytes) -> bytes:
    """Return a picture in at most 256 colours.

    Args:
        png: With eight bits of red, green and blue, as browsers make it.
    """
    width, height, rows = _read(png)
    counted = Counter(pixel for row in rows for pixel in row)
    palette = _palette(counted)
    places = {color: place for place, color in enumerate(palette)}
    nearest = {color: places[_nearest(color, palette, places)] for color in counted}
    lines = b"".join(b"\0" + bytes(map(nearest.__getitem__, row)) for row in rows)
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    colors = b"".join(color.to_bytes(3, "big") for color in palette)
    return _SIGNATURE + b"".join(
        (
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", colors),
            _chunk(b"IDAT", zlib.compress(lines, 9)),
            _chunk(b"IEND", b""),
        )
    )


def _palette(counted: Counter[int]) -> list[int]:
    """Choose colours: the most frequent ones, but none that is nearly another."""
    chosen: list[int] = []
    for least in 12, 6, 0:
        for color, _ in counted.most_common():
            if len(chosen) == 256:
                return chosen
            if all(_distance(color, other) > least for other in chosen):
                chosen.append(color)
    return chosen


def _nearest(color: int, palette: list[int], places: dict[int, int]) -> int:
    if color in places:
        return color
    return min(palette, key=lambda other: _distance(color, other))


def _distance(one: int, other: int) -> int:
    return sum(abs((one >> by & 255) - (other >> by & 255)) for by in (16, 8, 0))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return b"%b%b%b%b" % (
        len(data).to_bytes(4, "big"),
        kind,
        data,
        zlib.crc32(kind + data).to_bytes(4, "big"),
    )


def _read(png: bytes) -> tuple[int, int, list[list[int]]]:
    """Return width, height, and the rows of pixels as numbers."""
    chunks = list(_chunks(png))
    width, height, depth, kind = struct.unpack_from(">IIBB", chunks[0][1])
    assert (depth, kind in _CHANNELS) == (8, True), (depth, kind)
    size = _CHANNELS[kind]
    data = zlib.decompress(b"".join(part for name, part in chunks if name == b"IDAT"))
    stride = width * size
    before = bytearray(stride)
    rows = []
    for y in range(height):
        start = y * (stride + 1)
        line = bytearray(data[start + 1 : start + 1 + stride])
        _unfilter(data[start], line, before, size)
        rows.append(
            [
                line[x] << 16 | line[x + 1] << 8 | line[x + 2]
                for x in range(0, stride, size)
            ]
        )
        before = line
    return width, height, rows


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    assert png.startswith(_SIGNATURE)
    at = len(_SIGNATURE)
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += length + 12


def _unfilter(kind: int, line: bytearray, before: bytearray, size: int) -> None:
    """Undo a filter, in place (PNG specification, section 9)."""
    if kind == 0:
        return
    for x in range(len(line)):
        left = line[x - size] if x >= size else 0
        above = before[x]
        corner = before[x - size] if x >= size else 0
        added = (left, above, (left + above) // 2, _paeth(left, above, corner))
        line[x] = line[x] + added[kind - 1] & 255


def _paeth(left: int, above: int, corner: int) -> int:
    guess = left + above - corner
    return min((left, above, corner), key=lambda one: abs(guess - one))
