# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""WebSocket frames as a server sends them (RFC 6455, section 5.2): never masked, so
that one frame serves any number of peers. Pure functions."""

from __future__ import annotations

_TEXT_HEADERS = tuple(bytes((0x81, length)) for length in range(126))
_BINARY_HEADERS = tuple(bytes((0x82, length)) for length in range(126))


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
