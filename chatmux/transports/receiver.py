# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Frames of `chatmux.transports.decimal5` in the manner of Twisted's receivers.

Knows a transport; must never know a session. Methods have the names that Twisted's
`Int32StringReceiver` gives them.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Protocol
from twisted.protocols.basic import StringTooLongError

from chatmux.transports.decimal5 import (
    LONGEST_BYTES,
    FrameDecoder,
    FrameLengthError,
    FrameTooLongError,
    frame,
)


class Decimal5StringReceiver(Protocol):
    """Sends and receives strings with five ASCII digits of length before each.

    Attributes:
        MAX_LENGTH: Bytes in the longest string that is received; may change at any
            time, and holds for the next string.
        paused: Whether strings wait, though they may be complete.
    """

    MAX_LENGTH = LONGEST_BYTES
    paused = False
    decoder: FrameDecoder
    transport: Any
    _handing_on = False

    def makeConnection(self, transport: Any) -> None:
        self.decoder = FrameDecoder()
        super().makeConnection(transport)  # type: ignore[no-untyped-call]

    def stringReceived(self, string: bytes) -> None:
        """Take a string. To be overridden."""
        raise NotImplementedError

    def sendString(self, string: bytes) -> None:
        """Send a string.

        Raises:
            StringTooLongError: It has more than 99,999 bytes; nothing was written.
        """
        try:
            framed = frame(string)
        except FrameTooLongError as error:
            raise StringTooLongError(str(error)) from None
        self.transport.write(framed)

    def lengthLimitExceeded(self, length: int) -> None:
        """Close: the next string is longer than `MAX_LENGTH`."""
        self.transport.loseConnection()

    def badLength(self, digits: bytes) -> None:
        """Close: five bytes are not the digits that they have to be."""
        self.transport.loseConnection()

    def dataReceived(self, data: bytes) -> None:
        self.decoder.feed(data)
        self.hand_on_strings()

    def hand_on_strings(self) -> None:
        """Hand on what is complete, until paused; within itself it does nothing."""
        if self._handing_on:
            return
        self._handing_on = True
        try:
            while not self.paused:
                string = self._next_string()
                if string is None:
                    return
                self.stringReceived(string)
        finally:
            self._handing_on = False

    def _next_string(self) -> bytes | None:
        decoder = self.decoder
        decoder.longest = self.MAX_LENGTH
        try:
            return decoder.next()
        except FrameLengthError as error:
            self.badLength(error.digits)
        except FrameTooLongError as error:
            self.lengthLimitExceeded(error.length)
        return None

    def pauseProducing(self) -> None:
        """Hand on nothing more, not even what is here already, and read nothing."""
        self.paused = True
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """Go on where `pauseProducing` stopped."""
        self.paused = False
        self.transport.resumeProducing()
        self.hand_on_strings()

    def stopProducing(self) -> None:
        """Hand on nothing more, and close."""
        self.paused = True
        self.transport.stopProducing()
