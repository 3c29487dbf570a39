# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""WebSocket handshakes (RFC 6455, section 4) of the plain kind. Pure functions."""

from __future__ import annotations

import hashlib
import re
from binascii import b2a_base64
from typing import NamedTuple

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

_ACCEPTED = (
    b"HTTP/1.1 101 Switching Protocols\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"%bSec-WebSocket-Accept: %b\r\n\r\n"
)
_CHOSEN = b"Sec-WebSocket-Protocol: %b\r\n"

# No parameters (;), no fragment (#), and nothing that could be a host (//).
_PATH = r"/(?:[!\"$-.0-:<->@-~][!\"$-:<->@-~]*+)?+"
_QUERY = r"(?:\?([!\"$-~]*+))?+"
_LINE = r"\r\n[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[\t -~]*+"
# Possessive, or a header could be made that takes a second to be found not plain.
_HEADER = re.compile(rf"GET ({_PATH}){_QUERY} HTTP/1\.1((?:{_LINE})*+)")
_HOST = re.compile(
    r"[0-9A-Za-z._-]+(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?"
)
_KEY = re.compile(r"[A-Za-z0-9+/]{22}==")
# The largest ports are left out: what is beyond 65535 would be a fault.
_ORIGIN = re.compile(
    r"https?://[0-9A-Za-z._-]+(?::(?:[0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}))?"
)


class Handshake(NamedTuple):
    """What a client asks for; as Autobahn's request, as far as it is looked at."""

    path: str
    query: str
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
    match = _HEADER.fullmatch(header.decode("latin-1"))
    if match is None:
        return None
    headers: dict[str, str] = {}
    lines = match[3].split("\r\n")[1:]
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    if len(headers) < len(lines):
        # One stands there twice.
        return None
    if not (
        _HOST.fullmatch(headers.get("host", ""))
        and headers.get("upgrade", "").lower() == "websocket"
        and "upgrade" in _listed(headers.get("connection", "").lower())
        and headers.get("sec-websocket-version") == "13"
        and _KEY.fullmatch(headers.get("sec-websocket-key", ""))
        and ("origin" not in headers or _ORIGIN.fullmatch(headers["origin"]))
    ):
        return None
    offered = headers.get("sec-websocket-protocol")
    protocols = [] if offered is None else _listed(offered)
    if len(set(protocols)) < len(protocols):
        return None
    return Handshake(match[1], match[2] or "", headers, protocols)


def _listed(value: str) -> list[str]:
    return [one.strip() for one in value.split(",")]


def accept_bytes(key: str, subprotocol: str | None) -> bytes:
    """Make the answer to a handshake that is accepted.

    Args:
        key: The client's.
        subprotocol: That is chosen; one that was offered.
    """
    digest = hashlib.sha1(key.encode() + _MAGIC, usedforsecurity=False).digest()
    chosen = b"" if subprotocol is None else _CHOSEN % subprotocol.encode("latin-1")
    return _ACCEPTED % (chosen, b2a_base64(digest, newline=False))
