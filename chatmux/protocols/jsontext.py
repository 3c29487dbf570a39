# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The one entrance for JSON from a peer, and how to find its end in a stream.

What comes in is settled here once, for all protocols: UTF-8 only, no byte order mark,
one value, no NaN, any depth of nesting an error and not a crash. A half surrogate that
an escape wrote becomes U+FFFD, as Go's decoder does it; past this entrance no string
has one. Keys match in the exact case, or in any where a protocol wants that; unknown
ones are passed over, of a repeated one the last counts.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn, TypeVar

import msgspec

from chatmux.errors import TextError

T = TypeVar("T")

_HALF_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")


class _Key(str):
    """A key in lower case."""

    __slots__ = ()


def _lower(kind: type, key: Any) -> _Key:
    return _Key(key.lower())


# Lower while it is read: of two that differ in case the last one counts, too.
_objects = msgspec.json.Decoder(dict[_Key, Any], dec_hook=_lower)


def decode(data: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Return `data` as the decoder's type.

    Raises:
        TextError: Not JSON, or not of that type; says which.
    """
    try:
        if not data.isascii():
            # msgspec does not look into strings that it passes over.
            data.decode()
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        raise TextError(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if _HALF_SURROGATE_ESCAPE.search(data) is None:
            raise TextError(f"no JSON: {error}") from None
    return _decode_with_half_surrogates(data, decoder)


def decode_in_any_case(data: bytes, kind: type[T]) -> T:
    """Return `data`, an object whose keys may be in any case, as a `msgspec.Struct`.

    Raises:
        TextError: As `decode`.
    """
    found = decode(data, _objects)
    plain = {str(key): value for key, value in found.items()}
    try:
        return msgspec.convert(plain, kind)
    except msgspec.ValidationError as error:
        raise TextError(str(error)) from None


def _decode_with_half_surrogates(data: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    # msgspec refuses them and the standard library keeps them: read with the one,
    # mend, and let the other check the types. Rare enough not to matter.
    try:
        value = json.loads(data.decode(), parse_constant=_no_constant)
        whole = _SURROGATE.sub("\ufffd", json.dumps(value, ensure_ascii=False))
        return decoder.decode(whole.encode())
    except (ValueError, RecursionError) as error:
        raise TextError(f"no JSON: {error}") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


class ObjectScanner:
    """Find the end of the JSON object that a stream of bytes begins with.

    Looks only at quotes, backslashes and brackets; whether it is JSON, `decode` says.
    Each byte is looked at once, however the stream is cut.

    Args:
        max_bytes: The longest object that is accepted, blanks before it included.
    """

    __slots__ = ("_at", "_buffer", "_depth", "_in_string", "_max_bytes")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._at = 0
        self._depth = 0
        self._in_string = False

    _OUTSIDE = re.compile(rb'["{}\[\]]')
    _INSIDE = re.compile(rb'["\\]')
    _NO_BLANK = re.compile(rb"[^ \t\r\n]")

    def feed(self, data: bytes) -> tuple[bytes, bytes] | None:
        """Take the stream's next bytes.

        Returns:
            The object and what followed it, or None as long as it is not complete.

        Raises:
            TextError: What came is no object, or a longer one than `max_bytes`.
        """
        buffer = self._buffer
        buffer += data
        if self._depth == 0 and not self._begin():
            return None
        end = self._end()
        if (end or len(buffer)) > self._max_bytes:
            raise TextError(f"longer than {self._max_bytes} bytes")
        if end is None:
            return None
        return bytes(buffer[:end]), bytes(buffer[end:])

    def _begin(self) -> bool:
        """Step to the first byte that is no blank, and say whether there is one."""
        first = self._NO_BLANK.search(self._buffer, self._at)
        if first is None:
            self._at = len(self._buffer)
            if self._at > self._max_bytes:
                raise TextError(f"nothing in {self._max_bytes} bytes")
            return False
        if first[0] != b"{":
            raise TextError("no JSON object")
        return True

    def _end(self) -> int | None:
        """Return where the object ends, or None when it goes on."""
        buffer, at = self._buffer, self._at
        self._at = len(buffer)
        while True:
            mark = (self._INSIDE if self._in_string else self._OUTSIDE).search(
                buffer, at
            )
            if mark is None:
                # A backslash may have been the last byte, and `at` one past the end.
                self._at = max(self._at, at)
                return None
            at = mark.end()
            match mark[0]:
                case b'"':
                    self._in_string = not self._in_string
                case b"\\":
                    at += 1
                case b"{" | b"[":
                    self._depth += 1
                case _:
                    self._depth -= 1
                    if self._depth == 0:
                        return at
