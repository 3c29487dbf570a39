# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What a protocol says of a place where its peers come in.

A protocol module lists its doors from its section of the configuration; the node opens
a listener for each with the transport of its kind. Values only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chatmux.interfaces import Connection, LineSession, Session
from chatmux.settings import TLSFiles


@dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP answer that refuses a WebSocket handshake."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class LineDoor:
    """Lines over a byte stream."""

    protocol: str
    key: str
    """Path of the address's key in the configuration, for messages to the operator."""
    address: str
    """``host:port`` or a Twisted endpoint description."""
    new_session: Callable[[Connection], LineSession]
    line_bytes: int
    """Longest line, without its newline."""
    tls: TLSFiles | None = None
    tls_key: str = ""
    """Path of the configuration's section that `tls` is of."""


@dataclass(frozen=True, slots=True)
class WebSocketDoor:
    """A path of a WebSocket listener. Doors of one address share its listener."""

    protocol: str
    key: str
    address: str
    path: str
    """With a slash at its end: this path and everything below; else only itself."""
    new_session: Callable[[Connection], Session]
    refuse: Callable[[int, str], Refusal]
    """Make the answer to a handshake that is refused for a status and a reason."""
    origins: tuple[str, ...] = ()
    """Origins welcome besides the own host and none at all; ``*`` for any."""
    opening_bytes: int = 1 << 20
    """Longest message before `Connection.opened`."""
    message_bytes: int = 1 << 20
    """Longest message after it."""
    tls: TLSFiles | None = None
    tls_key: str = ""
    """Path of the configuration's section that `tls` is of."""


Door = LineDoor | WebSocketDoor
