# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What a protocol says of a place where its peers come in.

A protocol module lists its doors from its section of the configuration; the node opens
a listener for each with the transport of its kind. Values only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from chatmux.interfaces import Connection, FramedSession, LineSession, Session
from chatmux.model import Room
from chatmux.settings import TLSFiles


@dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP answer that refuses a WebSocket handshake."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


def no_subprotocol(offered: Sequence[str]) -> str | None:
    """Choose none."""
    return None


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
    secrets: tuple[str, ...] = ()
    """The section's attributes that peers send here to show who they are."""
    full: bytes = b""
    """What is said to whoever is one too many, newline included."""


@dataclass(frozen=True, slots=True)
class FramedDoor:
    """Frames with five ASCII digits of length before each, over a byte stream."""

    protocol: str
    key: str
    address: str
    new_session: Callable[[Connection], FramedSession]
    opening_bytes: int
    """Longest frame, without its length's digits, before `Connection.opened`."""
    message_bytes: int
    """Longest frame after it; at most 99,999."""
    tls: TLSFiles | None = None
    tls_key: str = ""
    secrets: tuple[str, ...] = ()
    full: bytes = b""
    """What is said, in a frame, to whoever is one too many."""


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
    subprotocol: Callable[[Sequence[str]], str | None] = no_subprotocol
    """Choose one of the subprotocols that a handshake asks for, or none."""
    origins: tuple[str, ...] = ()
    """Origins welcome besides the own host and none at all; ``*`` for any."""
    opening_bytes: int = 1 << 20
    """Longest message before `Connection.opened`."""
    message_bytes: int = 1 << 20
    """Longest message after it."""
    tls: TLSFiles | None = None
    tls_key: str = ""
    """Path of the configuration's section that `tls` is of."""
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request, all of it."""

    method: str
    path: str
    """As it was sent, percent-encoding and all, without the query."""
    query: str
    """Without the question mark."""
    headers: Mapping[str, str]
    """Names in lower case; of a repeated one the values with ``, `` between."""
    body: bytes
    host: str
    """The peer's address, without the port; ``local`` on a Unix socket."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, without the headers Date, Content-Length and Connection."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Upgrade:
    """Leave to go on as a WebSocket."""

    new_session: Callable[[Connection], Session]
    subprotocol: str | None = None
    """To be confirmed, one of those that the request offers."""


@dataclass(frozen=True, slots=True)
class HTTPDoor:
    """HTTP, and WebSockets on some of its paths."""

    protocol: str
    key: str
    address: str
    check: Callable[[Sequence[Room]], None]
    """Raise `ConfigError` where the rooms in the store cannot be served."""
    prepare: Callable[[], Awaitable[None]]
    """Called when the store is open, before the first connection is accepted."""
    respond: Callable[[Request], Awaitable[Answer]]
    """Answer a request that asks for no WebSocket, or for one wrongly."""
    upgrade: Callable[[Request], Upgrade | Answer]
    """Decide on a handshake for a WebSocket, or refuse it."""
    too_large: Answer
    """The answer to a body longer than `body_bytes`."""
    failed: Answer
    """The answer where `respond` or `upgrade` raises."""
    origins: tuple[str, ...] = ("*",)
    """Origins welcome at WebSockets besides the own host and none; ``*`` for any."""
    refuse: Callable[[int, str], Answer] = lambda status, reason: Answer(status)
    """Make the answer to what is refused before it comes to `respond` or `upgrade`.

    That is a request that is none (400), late (408) or has too long a header (431), and
    a handshake of an unwelcome origin (403) or one without a proper key (400).
    """
    body_bytes: int = 64 * 1024
    message_bytes: int = 64 * 1024
    """Longest WebSocket message."""
    request_seconds: float | None = None
    """From the first byte of a request to its last; None for that of the limits."""
    tls: TLSFiles | None = None
    tls_key: str = ""
    secrets: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    """The section's attributes that are secrets which nobody sends."""
    carries: str = ""
    """What else comes in here that is nobody's business; empty for nothing."""


Door = LineDoor | FramedDoor | WebSocketDoor | HTTPDoor
