# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Reading HTTP requests, one at a time and within limits, and refusing what is none.

Twisted cuts lines, headers and bodies; what it lets pass that should not be is refused
here. Overridden methods keep Twisted's names.
"""

from __future__ import annotations

from typing import Any

from twisted.web.http import HTTPChannel

from chatmux.door import Answer, HTTPDoor
from chatmux.model import NO_OPENING, Close
from chatmux.transports.guard import Guard
from chatmux.transports.http_answer import answer_bytes
from chatmux.transports.http_connection import HTTPConnection
from chatmux.transports.http_request import (
    IncomingRequest,
    fault_of_request_line,
    tokens,
)

HEADERS = 100
"""Most header lines of a request."""
_CHUNKED_A_TURN = 4 * 1024
"""Bytes of a body in chunks; at 1 µs for each, if every chunk has one, others wait 4
ms."""


class RequestChannel(HTTPChannel):
    """Hands on requests that are whole, and reads nothing until it may `go_on`.

    What follows a request waits unread in `_buffer`: `paused` stops the loop in
    LineReceiver that would go on with it. A request that is refused is the last.

    Args:
        guard: Watches over all connections of the node.
        door: That the requests come in by.
    """

    transport: Any
    connection: HTTPConnection
    requests: list[IncomingRequest]
    _buffer: bytes
    # Twisted deletes its own with each request.
    _command = b""
    _version = b""

    def __init__(self, guard: Guard, door: HTTPDoor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.MAX_LENGTH = self.totalHeadersSize = guard.limits.header_bytes
        self._guard = guard
        self._door = door
        self._header_bytes = 0
        self._header_lines = 0

    def take(self, incoming: IncomingRequest) -> None:
        """Answer a request, then call `next_request`."""
        raise NotImplementedError

    def go_on(self) -> None:
        """Take the next request, if it is here and may be taken."""
        raise NotImplementedError

    def next_request(self) -> None:
        """Take note that a request was answered, and that lines follow."""
        self.requests = []
        self._handlingRequest = False
        self._header_bytes = self._header_lines = 0
        self.setLineMode()  # type: ignore[no-untyped-call]

    @property
    def answering(self) -> bool:
        return self._handlingRequest

    # Reading

    def lineReceived(self, line: bytes) -> None:
        self._header_bytes += len(line) + 2
        self._header_lines += 1
        if (
            self._header_bytes > self._guard.limits.header_bytes
            or self._header_lines > HEADERS + 2
        ):
            self.lineLengthExceeded(line)
            return
        fault = None
        if self.requests:
            request = self.requests[0]
            if line:
                fault = request.fault(line, self._version)
            else:
                fault = request.fault_of_all(self._version)
        elif line:
            fault = fault_of_request_line(line)
        if fault is not None:
            self._refuse(400, fault)
        else:
            super().lineReceived(line)  # type: ignore[no-untyped-call]

    def lineLengthExceeded(self, line: bytes) -> None:
        self._refuse(431, "the header is too long")

    def requestFactory(  # type: ignore[override]
        self, channel: object, queued: int
    ) -> IncomingRequest:
        return IncomingRequest(self._door.body_bytes)

    def allHeadersReceived(self) -> None:
        headers = self.requests[0].headers
        is_http_1_1 = self._version == b"HTTP/1.1"
        self.persistent = is_http_1_1 and "close" not in tokens(headers, "connection")
        if self.length is not None and self.length > self._door.body_bytes:
            self._refuse_body()
        elif (
            is_http_1_1
            and self.length != 0
            and headers.get("expect", "").lower() == "100-continue"
        ):
            self.connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def rawDataReceived(self, data: bytes) -> None:
        request = self.requests[0]
        if self.length is None:
            # Of chunks, which may be many and small, a turn takes only some.
            self._buffer = data[_CHUNKED_A_TURN:]
            data = data[:_CHUNKED_A_TURN]
        super().rawDataReceived(data)
        if request.too_long:
            self._refuse_body()
        elif self._buffer and self._transferDecoder is not None:
            self.paused = True
            self.connection.give_way(self.go_on)

    def allContentReceived(self) -> None:
        request = self.requests[0]
        if request.too_long:
            return
        self.connection.opened()
        self.paused = True
        super().allContentReceived()  # type: ignore[no-untyped-call]
        # Behind a body, the rest of what was read is here.
        self._buffer = b"".join(self._dataBuffer) + self._buffer
        self._dataBuffer = []
        self.take(request)

    # Refusing

    def _respondToBadRequestAndDisconnect(self) -> None:
        self._refuse(400, "a malformed request")

    def too_late(self) -> None:
        if self.requests or self._buffer:
            self._refuse(408, "the request was not complete in time", 1008)
        else:
            # There is no request to be answered.
            self.connection.close(NO_OPENING)

    def _refuse(self, status: int, reason: str, code: int = 1002) -> None:
        why = Close(code, f"refused a request: {reason}")
        self._refuse_with(self._door.refuse(status, reason), why)

    def _refuse_body(self) -> None:
        why = Close(1009, "refused a request: the body is too long")
        self._refuse_with(self._door.too_large, why)

    def _refuse_with(self, answer: Answer, why: Close) -> None:
        """Answer what is not taken, and take nothing any more."""
        connection = self.connection
        if connection.why is not None:
            return
        connection.why = why
        self.paused = True
        self.clearLineBuffer()  # type: ignore[no-untyped-call]
        head = self._command == b"HEAD"
        connection.write(answer_bytes(answer, head=head, last=True))
        connection.linger()
