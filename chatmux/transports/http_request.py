# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""An HTTP request while it is read, and what must not be in one.

Whatever two readers of one stream could take for two different requests is refused
(request smuggling): stricter than the RFCs, and than Twisted. Knows no socket.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from chatmux.door import Request

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST_LINE = re.compile(_TOKEN + rb" /[!\"$-~]* HTTP/1\.[01]")
_HEADER_LINE = re.compile(rb"(" + _TOKEN + rb"):([\t -~\x80-\xff]*)")
_HOST = re.compile(rb"[0-9A-Za-z._~%!$&'()*+;=:\[\]\-]*")
_LENGTH = re.compile(rb"[0-9]{1,20}")


class IncomingRequest:
    """What a channel collects of one request, as far as it wants that of its own.

    Args:
        body_bytes: How long the body may be; of a longer one nothing is kept.
    """

    __slots__ = (
        "_body",
        "_body_bytes",
        "_has_host",
        "_method",
        "_target",
        "_version",
        "headers",
        "too_long",
    )

    def __init__(self, body_bytes: int) -> None:
        self._body_bytes = body_bytes
        self._body = bytearray()
        self._has_host = False
        self._method = self._target = self._version = b""
        self.headers: dict[str, str] = {}
        self.too_long = False
        """Whether the body turned out to be longer than it may be."""

    def fault(self, line: bytes, version: bytes) -> str | None:
        """Say what is wrong with a header line; it is kept by `addRawHeader`."""
        match = _HEADER_LINE.fullmatch(line)
        if match is None:
            return "a malformed header"
        name, value = match[1].lower(), match[2].strip(b" \t")
        if name == b"host":
            if self._has_host or not _HOST.fullmatch(value):
                return "a malformed Host, or two"
            self._has_host = True
        elif name == b"content-length":
            if not _LENGTH.fullmatch(value):
                return "a malformed Content-Length"
        elif name == b"transfer-encoding" and (
            value.lower() != b"chunked" or version == b"HTTP/1.0"
        ):
            return "an unknown Transfer-Encoding"
        return None

    def fault_of_all(self, version: bytes) -> str | None:
        """Say what is wrong with the header lines together."""
        if version == b"HTTP/1.1" and not self._has_host:
            return "no Host"
        return None

    @property
    def is_http_1_1(self) -> bool:
        return self._version == b"HTTP/1.1"

    def whole(self, host: str) -> Request:
        """Return the request, all of which was received from the peer at `host`."""
        path, _, query = self._target.decode("ascii").partition("?")
        method = self._method.decode("ascii")
        return Request(method, path, query, self.headers, bytes(self._body), host)

    # What a channel of Twisted's calls

    @property
    def requestHeaders(self) -> IncomingRequest:
        return self

    def addRawHeader(self, name: bytes, value: bytes) -> None:
        key, text = name.decode("ascii").lower(), value.decode("latin-1")
        before = self.headers.get(key)
        self.headers[key] = text if before is None else f"{before}, {text}"

    def handleContentChunk(self, data: bytes) -> None:
        if self.too_long:
            return
        if len(self._body) + len(data) > self._body_bytes:
            self.too_long = True
            self._body.clear()
        else:
            self._body += data

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        self._method, self._target, self._version = command, path, version


def fault_of_request_line(line: bytes) -> str | None:
    """Say what is wrong with a request's first line.

    Only paths are served: a proxy's absolute URI could name another host than Host.
    """
    return None if _REQUEST_LINE.fullmatch(line) else "a malformed request line"


def tokens(headers: Mapping[str, str], name: str) -> set[str]:
    """Return the words of a header that is a list of them, in lower case."""
    return {token.strip().lower() for token in headers.get(name, "").split(",")}
