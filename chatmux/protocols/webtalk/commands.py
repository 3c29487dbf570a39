# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The content of the private port's frames. Pure functions on bytes."""

from __future__ import annotations

from chatmux.protocols.webtalk.ids import IdError, parse_id

LONGEST_FRAME = 99_999


class CommandError(Exception):
    """A command cannot be done; the connection stays. Holds the answer's words."""

    def __init__(self, words: bytes) -> None:
        super().__init__(words)
        self.words = words


class BraceError(Exception):
    """A frame is no command at all. Prints as which brace is missing."""


def split_command(frame: bytes) -> tuple[bytes, bytes]:
    """Split ``[command] data``; the one byte behind the brace goes.

    Raises:
        BraceError: There is no command in braces at the beginning.
    """
    if not frame.startswith(b"["):
        raise BraceError("[")
    command, brace, data = frame[1:].partition(b"]")
    if not brace:
        raise BraceError("]")
    return command, data[1:]


def split_data(data: bytes, what: str) -> tuple[bytes, bytes]:
    """Split ``FIRST!REST``. Raises `CommandError` that misses the separator."""
    first, separator, rest = data.partition(b"!")
    if not separator:
        raise CommandError(f"{what} separator not found (!)".encode())
    return first, rest


def to_user_id(digits: bytes) -> int:
    """Return a user's id. Raises `CommandError`."""
    return _id(digits, b"Invalid User: ")


def to_channel_id(digits: bytes) -> int:
    """Return a channel's id. Raises `CommandError`."""
    return _id(digits, b"Invalid Channel: ")


def _id(digits: bytes, words: bytes) -> int:
    try:
        return parse_id(digits)
    except IdError as error:
        raise CommandError(words + digits + b", " + str(error).encode()) from None
