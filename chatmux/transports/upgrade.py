# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Who may upgrade to WebSocket, by path and Origin, and how the others are refused.
Pure functions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from email.utils import formatdate
from http import HTTPStatus
from urllib.parse import urlsplit

from chatmux.door import Refusal, WebSocketDoor
from chatmux.logtext import field

_PLAIN_TEXT = ("Content-Type", "text/plain; charset=utf-8")

_HOST = re.compile(r"[0-9A-Za-z._~%!$&'()*+;=:\[\]\-]*")

_KEPT = frozenset((403, 404, 405, 431, 500, 503, 505))
"""Statuses that say more than 400, which is what every other fault gets."""


def route(path: str, doors: Sequence[WebSocketDoor]) -> WebSocketDoor | None:
    """Return the door that serves `path`, the longest of those that do.

    A door's path that ends with a slash serves everything below it, one that does not
    only itself: the rule of Go's HTTP server.
    """
    found = None
    for door in doors:
        if path == door.path:
            return door
        below = door.path.endswith("/") and path.startswith(door.path)
        if below and (found is None or len(door.path) > len(found.path)):
            found = door
    return found


def host_is_one(host: str) -> bool:
    """Say whether a Host header is a host, perhaps with a port, and nothing more."""
    return _HOST.fullmatch(host.strip()) is not None


def origin_is_welcome(origin: str | None, host: str, welcome: Sequence[str]) -> bool:
    """Say whether a page of `origin` may connect.

    Args:
        origin: The request's header; None, as programs have it, always may.
        host: The Host header, port included: pages of the own host may.
        welcome: Origins that may besides, compared whole; ``*`` for any.
    """
    if origin is None or "*" in welcome:
        return True
    origin = origin.strip().lower()
    try:
        own = urlsplit(origin).netloc == host.strip().lower()
    except ValueError:
        return False
    return own or origin in [one.rstrip("/").lower() for one in welcome]


def refusal_bytes(
    door: WebSocketDoor | None, path_known: bool, status: int, reason: str
) -> bytes:
    """Make the HTTP answer to a handshake that fails.

    Args:
        door: That of the request's path; None where no door serves it.
        path_known: Whether there was a path to look for a door with.
        status: Autobahn's or ours.
        reason: May have words of the peer in it.
    """
    if status not in _KEPT:
        status = 400
    if door is not None:
        refusal = door.refuse(status, field(reason))
    elif path_known:
        refusal = Refusal(404, b"404 page not found\n", (_PLAIN_TEXT,))
    else:
        phrase = HTTPStatus(status).phrase
        refusal = Refusal(status, f"{phrase}\n".encode(), (_PLAIN_TEXT,))
    lines = [
        f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}",
        *(f"{name}: {value}" for name, value in refusal.headers),
        f"Date: {formatdate(usegmt=True)}",
        f"Content-Length: {len(refusal.body)}",
        "Connection: close",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + refusal.body
