# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Tokens: who somebody is in a protected room, signed. Pure but for the clock given.

JSON Web Tokens, HS256 and nothing else. Besides the original's claims (``username``,
``room_id``, ``exp``) one has ``iat``, ``auth``, when the password was shown, and
``gen``, which password that was; all are required.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass

import jwt

from chatmux.model import Room

LIFE_SECONDS = 3600
KEY_BYTES = 32
_LONGEST = 4096
_ALGORITHM = "HS256"
_CLAIMS = ["username", "room_id", "exp", "iat", "auth", "gen"]


class TokenError(Exception):
    """A token is not good, for whatever reason."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a good token says."""

    username: str
    room_id: int
    expires: int
    """Seconds since the epoch, as `authenticated`."""
    authenticated: int
    """When the password was shown."""


class Tokens:
    """Makes and reads tokens.

    Args:
        key: At least 32 bytes.
        now: Seconds since the epoch.
        max_age: Seconds from the showing of the password to the end of the last
            renewal.
    """

    def __init__(self, key: bytes, now: Callable[[], float], max_age: float) -> None:
        if len(key) < KEY_BYTES:
            raise ValueError(f"a key has at least {KEY_BYTES} bytes")
        self._key = key
        self._now = now
        self._max_age = max_age

    def make(self, room: Room, username: str, authenticated: int | None = None) -> str:
        """Make a token.

        Args:
            room: That it is for.
            username: Whom it is for.
            authenticated: For a renewal: when the password was shown.

        Raises:
            TokenError: That was too long ago.
        """
        now = int(self._now())
        if authenticated is None:
            authenticated = now
        expires = min(now + LIFE_SECONDS, int(authenticated + self._max_age))
        if expires <= now:
            raise TokenError
        claims = {
            "username": username,
            "room_id": room.id,
            "exp": expires,
            "iat": now,
            "auth": authenticated,
            "gen": room.generation,
        }
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM)

    def read(self, token: str, room: Room) -> Claims:
        """Return what a token for a room says.

        Raises:
            TokenError: It is not good, or not for this room and its password.
        """
        if len(token) > _LONGEST:
            raise TokenError
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=[_ALGORITHM],
                options={
                    "require": _CLAIMS,
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_aud": False,
                },
            )
        except (jwt.PyJWTError, ValueError, RecursionError, UnicodeError):
            raise TokenError from None
        numbers = [claims[name] for name in ("room_id", "exp", "auth", "gen")]
        name = claims["username"]
        if not all(type(number) is int for number in numbers) or type(name) is not str:
            raise TokenError
        room_id, expires, authenticated, generation = numbers
        if (room_id, generation) != (room.id, room.generation):
            raise TokenError
        if expires <= self._now():
            raise TokenError
        return Claims(name, room_id, expires, authenticated)


def shown_token(headers: dict[str, str]) -> str | None:
    """Return the token of a request: bare, behind a word, or as a subprotocol."""
    authorization = headers.get("authorization", "").split()
    if authorization:
        return authorization[-1]
    offered = headers.get("sec-websocket-protocol", "").split(",")
    return offered[0].strip() or None


def same(one: str, other: bytes) -> bool:
    """Compare a secret in a time that does not depend on where they differ."""
    return hmac.compare_digest(one.encode(), other)
