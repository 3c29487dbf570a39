# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""WebSocket handshakes (RFC 6455, section 4) of the plain kind. Pure functions."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import NamedTuple

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

# No parameters (;), no fragment (#), and nothing that could be a host (//).
_PATH = r"/(?:[!\"$-.0-:<->@-~][!\"$-:<->@-~]*)?"
_REQUEST_LINE = re.compile(rf"GET ({_PATH})(?:\?[!\"$-~]*)? HTTP/1\.1")
_HEADER_LINE = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([ -~]*)")
_HOST = re.compile(
    r"[0-9A-Za-z._-]+(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?"
)
_KEY = re.compile(r"[A-Za-z0-9+/]{22}==")
_ORIGIN = re.compile(r"https?://[0-9A-Za-z._-]+(?::[0-9]{1,5})?")


class Handshake(NamedTuple):
    """What a client asks for; as Autobahn's request, as far as it is looked at."""

    path: str
    headers: dict[str, str]
    """Names in lower case."""
    protocols: list[str]
    """The subprotocols that are offered."""

    @property
    def key(self) -> str:
        """To be answered with `accept_bytes`."""
        return self.headers["sec-websocket-key"]


def plain_handshake(header: bytes) -> Handshake | None:
    """Read a handshake, if it is plain.

    Plain is what has no fault and nothing special. All else is for somebody who knows
    all of the RFC, and what to say of each fault. Extensions that are offered do not
    matter: none is accepted.

    Args:
        header: Without the empty line at its end.
    """
    first, *lines = header.decode("latin-1").split("\r\n")
    request = _REQUEST_LINE.fullmatch(first)
    if request is None:
        return None
    headers: dict[str, str] = {}
    for line in lines:
        match = _HEADER_LINE.fullmatch(line)
        if match is None:
            return None
        headers[match[1].lower()] = match[2].rstrip(" ")
    if len(headers) < len(lines):
        # One stands there twice.
        return None
    if not (
        _HOST.fullmatch(headers.get("host", ""))
        and headers.get("upgrade", "").lower() == "websocket"
        and "upgrade"
        in headers.get("connection", "").lower().replace(" ", "").split(",")
        and headers.get("sec-websocket-version") == "13"
        and _KEY.fullmatch(headers.get("sec-websocket-key", ""))
        and ("origin" not in headers or _ORIGIN.fullmatch(headers["origin"]))
    ):
        return None
    offered = headers.get("sec-websocket-protocol")
    protocols = [] if offered is None else [one.strip() for one in offered.split(",")]
    if len(set(protocols)) < len(protocols):
        return None
    return Handshake(request[1], headers, protocols)


def accept_bytes(key: str, subprotocol: str | None) -> bytes:
    """Make the answer to a handshake that is accepted.

    Args:
        key: The client's.
        subprotocol: That is chosen; one that was offered.
    """
    digest = hashlib.sha1(key.encode() + _MAGIC, usedforsecurity=False).digest()
    lines = [
        b"HTTP/1.1 101 Switching Protocols",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
    ]
    if subprotocol is not None:
        lines.append(b"Sec-WebSocket-Protocol: " + subprotocol.encode("latin-1"))
    lines += [b"Sec-WebSocket-Accept: " + base64.b64encode(digest), b"", b""]
    return b"\r\n".join(lines)
