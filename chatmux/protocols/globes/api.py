# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The REST routes: a request becomes an answer.

Coroutines that wait for nothing but the store and the passwords; no I/O of their own.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from urllib.parse import unquote

import msgspec

from chatmux.door import Answer, Request, Upgrade
from chatmux.errors import BusyError, StoreError
from chatmux.interfaces import Connection, Services
from chatmux.model import Present, Room
from chatmux.protocols.globes import content, faults, openapi, page
from chatmux.protocols.globes.content import PUBLIC, Content
from chatmux.protocols.globes.faults import JSON, FaultError
from chatmux.protocols.globes.rooms import (
    DEFAULT_ID,
    LiveRoom,
    Rooms,
    room_number,
)
from chatmux.protocols.globes.session import Session
from chatmux.protocols.globes.tokens import (
    Claims,
    TokenError,
    Tokens,
    same,
    shown_tokens,
)
from chatmux.protocols.globes.tries import Tries
from chatmux.settings import Secret
from chatmux.text import fold, name_fault

_DONE = {"status": True}
_LONGEST_KEY = 300


@dataclass(frozen=True, slots=True)
class Rules:
    """What the configuration says of what may be done."""

    open_public_rooms: bool
    """Whether anybody may change and delete public rooms."""
    admin_token: Secret | None
    """Whose holder may, otherwise."""


class API:
    """Answers requests.

    Args:
        services: The node's.
        rooms: All there are.
        tokens: Makes and reads them.
        tries: Counts wrong passwords.
        random_id: Makes ids for rooms that nobody is to guess.
        rules: As configured.
    """

    def __init__(
        self,
        services: Services,
        rooms: Rooms,
        tokens: Tokens,
        tries: Tries,
        random_id: Callable[[], int],
        rules: Rules,
    ) -> None:
        self._services = services
        self._rooms = rooms
        self._tokens = tokens
        self._tries = tries
        self._random_id = random_id
        self._rules = rules

    async def respond(self, request: Request) -> Answer:
        """Answer a request; what is wrong with it is an answer, too."""
        for pattern, methods in _ROUTES:
            match = pattern.fullmatch(request.path)
            if match is None:
                continue
            respond = methods.get(request.method)
            if respond is None:
                return faults.no_method(methods)
            try:
                return await respond(self, request, *map(unquote, match.groups()))
            except FaultError as fault:
                return fault.answer
            except (BusyError, StoreError):
                return faults.busy().answer
        return faults.NO_PAGE

    def upgrade(self, request: Request) -> Upgrade | Answer:
        """Say whether a WebSocket may be opened, and what it is then."""
        match = _SOCKET.fullmatch(request.path)
        if match is None:
            return faults.NO_PAGE
        try:
            return self._upgrade(request, unquote(match[1]))
        except FaultError as fault:
            return fault.answer

    def _upgrade(self, request: Request, key: str) -> Upgrade:
        live, shown = self._find(request, key)
        offered = request.headers.get("sec-websocket-protocol", "").split(",")
        subprotocol = offered[0].strip()
        username = seconds_left = None
        if live.room.password:
            claims = _opening(shown, live)
            username = claims.username
            seconds_left = self._tokens.seconds_left(claims)
            # The one that is a token, or the browser takes it for refused.
            tokens = {token for token, found in shown.items() if found is claims}
            subprotocol = next(
                (one.strip() for one in offered if one.strip() in tokens), subprotocol
            )

        def new_session(connection: Connection) -> Session:
            broker, clock = self._services.broker, self._services.clock
            return Session(connection, broker, live, username, clock, seconds_left)

        return Upgrade(new_session, subprotocol or None)

    async def list_rooms(self, request: Request) -> Answer:
        rooms = [live for live in self._rooms if live.room.visibility != content.HIDDEN]
        if "text/html" in request.headers.get("accept", ""):
            return page.list_of((live.room, len(self._members(live))) for live in rooms)
        return _json(200, [self._show(live) for live in rooms])

    async def get_room(self, request: Request, key: str) -> Answer:
        live, _ = self._find(request, key)
        return _json(200, self._show(live))

    async def add_room(self, request: Request) -> Answer:
        wish = content.read_wish(request.body)
        checked = content.check(wish, None, may_have_password=True)
        at = self._rooms.microseconds()
        room = Room(
            id=0,
            title=checked.title,
            description=checked.description,
            visibility=checked.visibility,
            password="",
            generation=0,
            concealed=False,
            created=at,
            updated=at,
        )
        if self._rooms.conceals(room):
            room = replace(room, concealed=True, id=self._random_id())
        self._check_title(room)
        if checked.password is not None:
            room = replace(room, password=await self._hash(checked.password))
        return _json(201, self._show(await self._rooms.add(room)))

    async def change_room(self, request: Request, key: str) -> Answer:
        async with self._permitted(request, key) as live:
            old = live.room
            bridged = self._services.broker.is_bridged(live.channel)
            wish = content.read_wish(request.body)
            checked = content.check(wish, old, may_have_password=not bridged)
            room = replace(
                old,
                title=checked.title,
                description=checked.description,
                visibility=checked.visibility,
                updated=max(self._rooms.microseconds(), old.updated + 1),
            )
            room = replace(room, concealed=self._rooms.conceals(room))
            self._check_title(room)
            room = await self._with_password(room, checked)
            await self._rooms.replace(live, room)
            return _json(200, self._show(live))

    async def remove_room(self, request: Request, key: str) -> Answer:
        async with self._permitted(request, key) as live:
            if live.room.id == DEFAULT_ID and not self._rules.open_public_rooms:
                raise faults.default_room()
            await self._rooms.remove(live)
            return _json(200, _DONE)

    async def make_token(self, request: Request, key: str) -> Answer:
        login = content.read_login(request.body)
        live = self._rooms.get(key)
        if live is not None and not live.room.password:
            return _json(200, _DONE)
        # From here on, what is done and said of a room that is concealed and of one
        # that is not there is the same, unless the password is right.
        candidates = [live] if live is not None else self._rooms.concealed(key)
        room = candidates[0].room if candidates else None
        right = bool(login.secret) and await self._is_right(
            login.secret or "",
            None if room is None else room.password,
            (request.host, _who(key, live)),
        )
        if right and live is None:
            live = candidates[0]
        if live is None or room is None:
            raise faults.not_found(key)
        if not right or live.room.generation != room.generation:
            raise faults.unauthorized()
        if not login.name or name_fault(login.name) is not None:
            raise faults.no_name()
        return self._token(live, self._tokens.make(live.room, login.name), login.name)

    async def renew_token(self, request: Request, key: str) -> Answer:
        live, shown = self._find(request, key)
        if not live.room.password:
            return _json(200, _DONE)
        claims = _opening(shown, live)
        try:
            token = self._tokens.make(live.room, claims.username, claims.authenticated)
        except TokenError:
            raise faults.bad_token() from None
        return self._token(live, token, claims.username)

    async def no_socket(self, request: Request, key: str) -> Answer:
        live, shown = self._find(request, key)
        if live.room.password:
            _opening(shown, live)
        raise faults.no_session()

    async def document(self, request: Request) -> Answer:
        return Answer(200, openapi.DOCUMENT, JSON)

    def _find(self, request: Request, key: str) -> tuple[LiveRoom, dict[str, Claims]]:
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
        for live in self._rooms.concealed(key):
            if any(claims.open(live.room) for claims in shown.values()):
                return live, shown
        raise faults.not_found(key)

    @asynccontextmanager
    async def _permitted(self, request: Request, key: str) -> AsyncIterator[LiveRoom]:
        """Find a room that the request may change, and let nobody else meanwhile."""
        while True:
            live, _ = self._find(request, key)
            async with live.changing:
                # It may have become another while this waited.
                again, shown = self._find(request, key)
                if again is live:
                    self._check_permission(request, live, shown)
                    yield live
                    return

    def _check_permission(
        self, request: Request, live: LiveRoom, shown: dict[str, Claims]
    ) -> None:
        if live.room.password:
            _opening(shown, live)
        elif not self._rules.open_public_rooms:
            admin = self._rules.admin_token
            tokens = shown_tokens(request.headers)
            if admin is None or not any(same(one, admin.encode()) for one in tokens):
                raise faults.bad_token()

    def _check_title(self, room: Room) -> None:
        if self._rooms.titled(room) is not None:
            raise faults.duplicate()

    async def _with_password(self, room: Room, checked: Content) -> Room:
        """Return a room as it is with the password that it is to have."""
        if checked.visibility == PUBLIC:
            if not room.password:
                return room
            return replace(room, password="", generation=room.generation + 1)
        if checked.password is None:
            return room
        kept = await self._hash(checked.password)
        return replace(room, password=kept, generation=room.generation + 1)

    async def _hash(self, password: str) -> str:
        return await self._services.passwords.hash(password)

    async def _is_right(
        self, password: str, hash: str | None, who: tuple[str, str]
    ) -> bool:
        """Compare a password. Raises `FaultError` after too many wrong ones."""
        async with self._tries.one_at_a_time(who):
            seconds = self._tries.wait(who)
            if seconds:
                raise faults.too_many_tries(seconds)
            right = await self._services.passwords.verify(hash, password)
            if not right:
                self._tries.note_wrong(who)
            return right

    def _show(self, live: LiveRoom) -> dict[str, object]:
        return content.show(live.room, self._members(live))

    def _members(self, live: LiveRoom) -> Sequence[Present]:
        return self._services.broker.members(live.channel)

    def _token(self, live: LiveRoom, token: str, name: str) -> Answer:
        told = {"status": True, "name": name, "room_id": live.room.id, "token": token}
        return _json(201, told)


Respond = Callable[..., Awaitable[Answer]]

_KEY = "/chats/([^/]+)"
_SOCKET = re.compile(f"{_KEY}/ws")
_ROUTES: tuple[tuple[re.Pattern[str], dict[str, Respond]], ...] = (
    (re.compile("/chats"), {"GET": API.list_rooms, "POST": API.add_room}),
    (
        re.compile(_KEY),
        {"GET": API.get_room, "PUT": API.change_room, "DELETE": API.remove_room},
    ),
    (re.compile(f"{_KEY}/token"), {"POST": API.make_token}),
    (re.compile(f"{_KEY}/token/renew"), {"GET": API.renew_token}),
    (_SOCKET, {"GET": API.no_socket}),
    (re.compile(r"/openapi\.json"), {"GET": API.document}),
)


def _json(status: int, value: object) -> Answer:
    return Answer(status, msgspec.json.encode(value), JSON)


def _opening(shown: dict[str, Claims], live: LiveRoom) -> Claims:
    """Return the claims that open a room. Raises `FaultError` 403."""
    for claims in shown.values():
        if claims.open(live.room):
            return claims
    raise faults.bad_token()


def _who(key: str, live: LiveRoom | None) -> str:
    """Name a room by which wrong passwords are counted.

    As it is asked for, where nobody is to find out that two ways lead to one room.
    """
    number = room_number(key) if live is None else live.room.id
    return fold(key[:_LONGEST_KEY]) if number is None else str(number)
