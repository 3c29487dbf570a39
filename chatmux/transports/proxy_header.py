# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
r"""The PROXY protocol's headers, versions 1 and 2. Pure.

A proxy says by one, before all else, for whom it speaks::

    PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n
    PROXY UNKNOWN ...\r\n

or the same in binary: twelve bytes that no protocol begins with, version and command,
family, the length of what follows, the addresses. Specified in HAProxy's
``proxy-protocol.txt``.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from chatmux.address import ip_of
from chatmux.errors import ChatmuxError

LONGEST_BYTES = 2 * 1024
"""With extensions behind the addresses; what is longer is no header."""

_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_LONGEST_LINE = 107
_FIXED = 16
_LINE = re.compile(
    rb"PROXY (?:UNKNOWN(?: [ -~]*)?"
    rb"|TCP([46]) (\S+) (\S+) ([0-9]{1,5}) ([0-9]{1,5}))\r\n"
)


class ProxyHeaderError(ChatmuxError):
    """What a proxy's stream begins with is no header."""


class ProxyHeader(NamedTuple):
    """Whom a proxy speaks for."""

    host: str | None
    """The client's address; None for itself, or for one that it does not know."""
    port: int
    length: int
    """Of the header, in bytes."""


def read_proxy_header(data: bytes) -> ProxyHeader | None:
    """Read the header that `data` begins with; None while it is not complete.

    Raises:
        ProxyHeaderError: There is none.
    """
    if data.startswith(_SIGNATURE):
        return _binary(data)
    if _SIGNATURE.startswith(data):
        return None
    end = data.find(b"\r\n", 0, _LONGEST_LINE)
    if end < 0:
        begun = b"PROXY ".startswith(data[:6])
        if len(data) < _LONGEST_LINE and begun:
            return None
        raise ProxyHeaderError("no PROXY header")
    return _line(data[: end + 2])


def _line(line: bytes) -> ProxyHeader:
    match = _LINE.fullmatch(line)
    if match is None:
        raise ProxyHeaderError("no PROXY header")
    if match[1] is None:
        return ProxyHeader(None, 0, len(line))
    address = ip_of(match[2].decode("latin-1"))
    port = int(match[4])
    if address is None or port > 0xFFFF:
        raise ProxyHeaderError("no address in the PROXY header")
    return ProxyHeader(str(address), port, len(line))


def _binary(data: bytes) -> ProxyHeader | None:
    if len(data) < _FIXED:
        return None
    version, command = data[12] >> 4, data[12] & 15
    length = _FIXED + int.from_bytes(data[14:_FIXED], "big")
    if version != 2 or command > 1 or length > LONGEST_BYTES:
        raise ProxyHeaderError("a PROXY header of an unknown kind")
    if len(data) < length:
        return None
    family, body = data[13] >> 4, data[_FIXED:length]
    if command == 0 or family not in (1, 2):
        # The proxy itself, as for a check of health; or no address of a network.
        return ProxyHeader(None, 0, length)
    size = 4 if family == 1 else 16
    if len(body) < 2 * size + 4:
        raise ProxyHeaderError("no address in the PROXY header")
    kind = IPv4Address if family == 1 else IPv6Address
    address = ip_of(str(kind(body[:size])))
    port = int.from_bytes(body[2 * size : 2 * size + 2], "big")
    return ProxyHeader(str(address), port, length)
