# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Tokens: who somebody is in a protected room, signed. Pure but for the clock given.

JSON Web Tokens, HS256 and nothing else. Besides the original's claims (``username``,
``room_id``, ``exp``) one has ``iat``, ``auth``, when the password was shown (both in
seconds since the epoch), and ``gen``, which password that was; all are required.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import jwt
from jwt.types import Options

from chatmux.model import Room

LIFE_SECONDS = 3600
KEY_BYTES = 32
_LONGEST = 6 * 1024  # Of a name of 255 emoji it is more than 4,200 characters.
_ALGORITHM = "HS256"
_MOST_OFFERED = 3
_NUMBERS = ("room_id", "exp", "auth", "gen")
_OPTIONS: Options = {
    "require": ["username", "iat", *_NUMBERS],
    # Looked at here: PyJWT takes a time that is no number, or one with a fraction.
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "verify_aud": False,
}


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
    generation: int
    """Which of the room's passwords it was."""

    def open(self, room: Room) -> bool:
        """Say whether the token is one for this room and its present password."""
        return (self.room_id, self.generation) == (room.id, room.generation)


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

    def read(self, token: str) -> Claims:
        """Return what a token says, for whatever room it is.

        Raises:
            TokenError: It is not good.
        """
        if len(token) > _LONGEST:
            raise TokenError
        try:
            claims = jwt.decode(token, self._key, [_ALGORITHM], _OPTIONS)
        except (jwt.PyJWTError, ValueError, RecursionError, UnicodeError):
            raise TokenError from None
        name = claims["username"]
        numbers = [claims[claim] for claim in _NUMBERS]
        if type(name) is not str or any(type(number) is not int for number in numbers):
            raise TokenError
        room_id, expires, authenticated, generation = numbers
        if expires <= self._now():
            raise TokenError
        return Claims(name, room_id, expires, authenticated, generation)

    def seconds_left(self, claims: Claims) -> float:
        """Return for how long a token is still good; 0 if it has ended since."""
        return max(0.0, claims.expires - self._now())


def shown_tokens(headers: Mapping[str, str]) -> list[str]:
    """Return what may be the token of a request, at most a few.

    ``Authorization`` has it bare or behind a word; or it is one of the subprotocols,
    where a proxy wants the other for itself.
    """
    shown = headers.get("authorization", "").split()[-1:]
    offered = headers.get("sec-websocket-protocol", "").split(",", _MOST_OFFERED)
    return shown + [one.strip() for one in offered[:_MOST_OFFERED] if one.strip()]


def same(one: str, other: bytes) -> bool:
    """Compare a secret in a time that does not depend on where they differ."""
    return hmac.compare_digest(one.encode(), other)
