# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""WebSocket frames (RFC 6455, section 5.2): all that a server sends, which are never
masked, so that one frame serves any number of peers; and of what clients send the plain
case, whole messages in one frame. Pure functions."""

from __future__ import annotations

_TEXT_HEADERS = tuple(bytes((0x81, length)) for length in range(126))
_BINARY_HEADERS = tuple(bytes((0x82, length)) for length in range(126))

_TEXT, _BINARY = 0x81, 0x82
_MASKED = 0x80
_TWO_BYTES = 126
"""Stands in the place of a length that follows in two bytes."""


def whole_message(data: bytes, start: int, longest: int) -> tuple[bytes, int] | None:
    """Read the message that `data` has from `start` on, if that is simple.

    Simple is what has no fault and nothing special: a text or binary message in one
    frame, all of it there, masked, its length in the shortest form and not longer than
    `longest` or 65,535 bytes, text in UTF-8. All else, also what is not all there, is
    for somebody who knows all of the RFC.

    Returns:
        The payload and where it ends, or None. Its type is that of ``data[start]``:
        `is_binary`.
    """
    try:
        first, length = data[start], data[start + 1] - _MASKED
    except IndexError:
        return None
    mask = start + 2
    if length == _TWO_BYTES:
        mask += 2
        length = int.from_bytes(data[start + 2 : mask], "big")
        if length < _TWO_BYTES:
            return None
    elif not 0 <= length < _TWO_BYTES:
        return None
    body = mask + 4
    end = body + length
    if end > len(data) or length > longest or (first != _TEXT and first != _BINARY):
        return None
    payload = _unmasked(data[body:end], data[mask:body])
    if first == _TEXT and not payload.isascii():
        try:
            payload.decode()
        except UnicodeDecodeError:
            return None
    return payload, end


def is_binary(first: int) -> bool:
    """Say whether a whole message that begins with this byte is binary."""
    return first == _BINARY


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    length = len(payload)
    # As one number each: there is no faster way without another library.
    key = int.from_bytes((mask * (length // 4 + 1))[:length], "big")
    return (int.from_bytes(payload, "big") ^ key).to_bytes(length, "big")


def text_frame(payload: bytes) -> bytes:
    """Frame a whole text message. `payload` is UTF-8."""
    length = len(payload)
    if length < 126:
        return _TEXT_HEADERS[length] + payload
    return _long_header(0x81, length) + payload


def binary_frame(payload: bytes) -> bytes:
    """Frame a whole binary message."""
    length = len(payload)
    if length < 126:
        return _BINARY_HEADERS[length] + payload
    return _long_header(0x82, length) + payload


def _long_header(first: int, length: int) -> bytes:
    if length < 1 << 16:
        return bytes((first, 126)) + length.to_bytes(2, "big")
    return bytes((first, 127)) + length.to_bytes(8, "big")
