# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Who may do what: the one place where tokens and passwords are looked at.

No I/O of its own; waits for passwords alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from chatmux.address import network_of
from chatmux.door import Request
from chatmux.interfaces import Passwords
from chatmux.protocols.globes import faults
from chatmux.protocols.globes.admission import is_local
from chatmux.protocols.globes.rooms import (
    DEFAULT_ID,
    LONGEST_KEY,
    LiveRoom,
    Rooms,
    room_number,
)
from chatmux.protocols.globes.tokens import (
    Claims,
    TokenError,
    Tokens,
    same,
    shown_tokens,
)
from chatmux.settings import Secret
from chatmux.text import likeness
from chatmux.tries import Tries

ANYWHERE = 6
"""How many times as many passwords may be wrong for all rooms together."""

Shown = Mapping[str, Claims]
"""What a request's good tokens say, whatever room they are for."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the configuration says of what may be done."""

    open_public_rooms: bool
    """Whether anybody may change and delete public rooms."""
    admin_token: Secret | None
    """Whose holder may, otherwise."""


class Access:
    """Looks at what requests show.

    Args:
        rooms: All there are.
        tokens: Reads them.
        passwords: Compares them.
        tries: Counts wrong ones, by address and room.
        tries_anywhere: By address alone.
        rules: As configured.
    """

    def __init__(
        self,
        rooms: Rooms,
        tokens: Tokens,
        passwords: Passwords,
        tries: Tries,
        tries_anywhere: Tries,
        rules: Rules,
    ) -> None:
        self._rooms = rooms
        self._tokens = tokens
        self._passwords = passwords
        self._tries = tries
        self._tries_anywhere = tries_anywhere
        self._rules = rules

    def find(self, request: Request, key: str) -> tuple[LiveRoom, Shown]:
        """Return a room that the request may know of, and the tokens that it shows.

        Raises:
            FaultError: 101. It is the same for a room that is concealed, and takes the
                same, as for one that is not there.
        """
        shown = {}
        for token in shown_tokens(request.headers):
            try:
                shown[token] = self._tokens.read(token)
            except TokenError:
                continue
        live = self._rooms.get(key)
        if live is not None:
            return live, shown
        if shown:
            concealed = self._rooms.concealed(key)
            for claims in shown.values():
                live = concealed.get(claims.room_id)
                if live is not None and claims.open(live.room):
                    return live, shown
        raise faults.not_found(key)

    def claims(self, shown: Shown, live: LiveRoom) -> Claims:
        """Return those that open a room with a password. Raises `FaultError` 403."""
        for claims in shown.values():
            if claims.open(live.room):
                return claims
        raise faults.bad_token()

    @asynccontextmanager
    async def change(self, request: Request, key: str) -> AsyncIterator[LiveRoom]:
        """Find a room that the request may change, and let nobody else meanwhile.

        Raises:
            FaultError: 101 or 403.
        """
        while True:
            live, shown = self.find(request, key)
            self._check_change(request, live, shown)
            async with live.changing:
                # It may have become another, or its own no more, while this waited.
                again, shown = self.find(request, key)
                if again is live:
                    self._check_change(request, live, shown)
                    yield live
                    return

    def check_removal(self, live: LiveRoom) -> None:
        """Raise `FaultError` for the room that stays."""
        if live.room.id == DEFAULT_ID and not self._rules.open_public_rooms:
            raise faults.default_room()

    async def log_in(self, host: str, key: str, password: str) -> LiveRoom:
        """Return the room that a password opens.

        What is done and said of a room that is concealed and of one that is not there
        is the same, unless the password is right.

        Args:
            host: Who shows it.
            key: The id or title of a room, which is not public.
            password: Empty for none.

        Raises:
            FaultError: 101, 304, or 304 with 429 after too many wrong ones.
            BusyError: Too many wait.
        """
        live = self._rooms.get(key)
        found = live or next(iter(self._rooms.concealed(key).values()), None)
        room = None if found is None else found.room
        right = bool(password) and await self._is_right(
            password, None if room is None else room.password, host, _name(key, live)
        )
        if right and found is not None and room is not None:
            if found.is_gone:
                raise faults.not_found(key)
            if found.room.generation == room.generation:
                return found
        if live is None:
            raise faults.not_found(key)
        raise faults.unauthorized()

    async def _is_right(
        self, password: str, kept: str | None, host: str, room: str
    ) -> bool:
        one = network_of(host)
        who = one, room
        async with self._tries.one_at_a_time(who):
            # This machine's own address may be that of a proxy, and everybody's.
            anywhere = 0 if is_local(host) else self._tries_anywhere.wait(one)
            seconds = max(self._tries.wait(who), anywhere)
            if seconds:
                raise faults.too_many_tries(seconds)
            right = await self._passwords.verify(kept, password)
            if not right:
                self._tries.note_wrong(who)
                self._tries_anywhere.note_wrong(one)
            return right

    def _check_change(self, request: Request, live: LiveRoom, shown: Shown) -> None:
        if live.room.password:
            self.claims(shown, live)
        elif not self._rules.open_public_rooms:
            self._check_admin(request, shown)

    def _check_admin(self, request: Request, shown: Shown) -> None:
        """Raise `FaultError` unless the admin token is shown."""
        admin = self._rules.admin_token
        tokens = shown_tokens(request.headers)
        # A room's own token is the wrong one, but nobody's guess.
        guesses = [one for one in tokens if one not in shown]
        if admin is None or not guesses:
            raise faults.bad_token()
        who = "admin", network_of(request.host)
        seconds = self._tries.wait(who)
        if seconds:
            raise faults.too_many_guesses(seconds)
        if not any(same(one, admin.encode()) for one in guesses):
            self._tries.note_wrong(who)
            raise faults.bad_token()


def _name(key: str, live: LiveRoom | None) -> str:
    """Name a room by which wrong passwords are counted.

    As it is asked for, where nobody is to find out that two ways lead to one room.
    """
    number = room_number(key) if live is None else live.room.id
    if number is not None:
        return str(number)
    return likeness(key.encode()[:LONGEST_KEY].decode(errors="ignore"))
