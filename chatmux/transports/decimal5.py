# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Frames with five ASCII digits of length before each: ``00009[newuser]``.

Knows bytes only; must never know a socket or what the frames hold.
"""

from __future__ import annotations

from chatmux.errors import ChatmuxError

LONGEST_BYTES = 99_999
_DIGITS = 5


class FrameLengthError(ChatmuxError):
    """What stands in the place of a length is not five ASCII digits."""

    def __init__(self, digits: bytes) -> None:
        super().__init__(f"{digits!r} is no length")
        self.digits = digits


class FrameTooLongError(ChatmuxError):
    """A frame is longer than it may be."""

    def __init__(self, length: int) -> None:
        super().__init__(f"a frame of {length} bytes is too long")
        self.length = length


def frame(body: bytes) -> bytes:
    """Put its length before a body.

    Raises:
        FrameTooLongError: Five digits do not tell the length. With six the peer would
            take all that follows for something else.
    """
    if len(body) > LONGEST_BYTES:
        raise FrameTooLongError(len(body))
    return b"%05d%b" % (len(body), body)


class FrameDecoder:
    """Takes frames apart that come in pieces.

    What is fed is returned one frame at a time, so that whoever asks may stop in the
    middle. Its ``len`` is the number of bytes that were fed and not returned.

    Attributes:
        longest: Bytes in the longest frame that is admitted; may change at any time.
    """

    __slots__ = ("_buffer", "longest")

    def __init__(self, longest: int = LONGEST_BYTES) -> None:
        self.longest = longest
        # Not bytes: what is taken off its front is not paid for by copying the rest.
        self._buffer = bytearray()

    def __len__(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        self._buffer += data

    def next(self) -> bytes | None:
        """Return what the next frame holds, or None while it is not complete.

        Both errors come as soon as the length is there, and again at each call.

        Raises:
            FrameLengthError: There is no frame, and none can be found any more.
            FrameTooLongError: It is longer than `longest`.
        """
        buffer = self._buffer
        if len(buffer) < _DIGITS:
            return None
        digits = bytes(buffer[:_DIGITS])
        # First of all, since int() takes signs, blanks and underscores, too.
        if not digits.isdigit():
            raise FrameLengthError(digits)
        length = int(digits)
        if length > self.longest:
            raise FrameTooLongError(length)
        end = _DIGITS + length
        if len(buffer) < end:
            return None
        body = bytes(buffer[_DIGITS:end])
        del buffer[:end]
        return body

    @property
    def rest(self) -> bytes:
        """What was fed and not returned: an unfinished frame, where `next` is None."""
        return bytes(self._buffer)
