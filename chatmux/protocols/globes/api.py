# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The REST routes: a request becomes an answer.

Coroutines that wait for nothing but the store and the passwords; no I/O of their own.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from urllib.parse import unquote

import msgspec

from chatmux.door import Answer, Request, Upgrade
from chatmux.errors import BusyError, StoreError
from chatmux.interfaces import Broker, Clock, Connection, Passwords
from chatmux.model import Room
from chatmux.protocols.globes import content, faults, openapi, page
from chatmux.protocols.globes.content import HIDDEN, PUBLIC, Content
from chatmux.protocols.globes.faults import JSON, FaultError
from chatmux.protocols.globes.rooms import DEFAULT_ID, LiveRoom, Rooms
from chatmux.protocols.globes.session import Session
from chatmux.protocols.globes.tokens import (
    Claims,
    TokenError,
    Tokens,
    same,
    shown_token,
)
from chatmux.protocols.globes.tries import Tries
from chatmux.settings import Secret

_DONE = {"status": True}


@dataclass(frozen=True, slots=True)
class Rules:
    """What the configuration says of what may be done.

    Attributes:
        open_public_rooms: Whether anybody may change and delete public rooms.
        conceal_hidden_rooms: Whether hidden rooms look absent without a token.
        admin_token: Whose holder may change and delete public rooms.
        bridged: Channels in a bridge, whose rooms have to stay public.
    """

    open_public_rooms: bool
    conceal_hidden_rooms: bool
    admin_token: Secret | None
    bridged: frozenset[str]


class API:
    """Answers requests.

    Args:
        rooms: All there are.
        tokens: Makes and reads them.
        passwords: Hashes and compares them.
        tries: Counts wrong ones.
        broker: Knows who is in a room.
        clock: The node's.
        new_lock: Makes locks, for one change of a room at a time.
        random_id: Makes ids for rooms whose id must not be guessed.
        rules: As configured.
    """

    def __init__(
        self,
        rooms: Rooms,
        tokens: Tokens,
        passwords: Passwords,
        tries: Tries,
        broker: Broker,
        clock: Clock,
        new_lock: Callable[[], AbstractAsyncContextManager[object]],
        random_id: Callable[[], int],
        rules: Rules,
    ) -> None:
        self._rooms = rooms
        self._tokens = tokens
        self._passwords = passwords
        self._tries = tries
        self._broker = broker
        self._clock = clock
        self._changing = new_lock()
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
                return faults.NO_METHOD
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
        live = self._find(request, key)
        claims = None
        if live.room.password:
            claims = self._claims(request, live)
        username = None if claims is None else claims.username
        left = None if claims is None else claims.expires - self._tokens.now()

        def new_session(connection: Connection) -> Session:
            return Session(connection, self._broker, live, username, self._clock, left)

        offered = request.headers.get("sec-websocket-protocol", "").split(",")
        return Upgrade(new_session, offered[0].strip() or None)

    async def list_rooms(self, request: Request) -> Answer:
        rooms = [live for live in self._rooms if live.room.visibility != HIDDEN]
        if "text/html" in request.headers.get("accept", ""):
            shown = [(live.room, len(self._members(live))) for live in rooms]
            return page.list_of(shown)
        return _json(200, [self._show(live) for live in rooms])

    async def get_room(self, request: Request, key: str) -> Answer:
        return _json(200, self._show(self._find(request, key)))

    async def add_room(self, request: Request) -> Answer:
        wish = content.read_wish(request.body)
        checked = content.check(wish, None, may_have_password=True)
        if self._rooms.get(checked.title) is not None:
            raise faults.duplicate()
        at = self._rooms.microseconds()
        hidden = self._rules.conceal_hidden_rooms and checked.visibility == HIDDEN
        room = Room(
            self._random_id() if hidden else 0,
            checked.title,
            checked.description,
            checked.visibility,
            await self._hash(checked.password),
            0,
            at,
            at,
        )
        return _json(201, self._show(await self._rooms.add(room)))

    async def change_room(self, request: Request, key: str) -> Answer:
        async with self._permitted(request, key) as live:
            room = live.room
            bridged = live.channel in self._rules.bridged
            wish = content.read_wish(request.body)
            checked = content.check(wish, room, may_have_password=not bridged)
            other = self._rooms.get(checked.title)
            if other is not None and other is not live:
                raise faults.duplicate()
            changed = replace(
                room,
                title=checked.title,
                description=checked.description,
                visibility=checked.visibility,
                updated=max(self._rooms.microseconds(), room.updated + 1),
                **await self._new_password(room, checked),
            )
            await self._rooms.replace(live, changed)
            return _json(200, self._show(live))

    async def remove_room(self, request: Request, key: str) -> Answer:
        async with self._permitted(request, key) as live:
            if live.room.id == DEFAULT_ID and not self._rules.open_public_rooms:
                raise faults.bad_token()
            await self._rooms.remove(live)
            return _json(200, _DONE)

    async def make_token(self, request: Request, key: str) -> Answer:
        login = content.read_login(request.body)
        secret = login.secret or ""
        live = self._rooms.get(key)
        who = request.host, key if live is None else live.room.id
        if live is not None and not live.room.password:
            return _json(200, _DONE)
        concealed = self._rules.conceal_hidden_rooms and (
            live is None or live.room.visibility == HIDDEN
        )
        if secret:
            seconds = self._tries.wait(who)
            if seconds:
                raise faults.too_many_tries(seconds)
            hash = None if live is None else live.room.password
            right = await self._passwords.verify(hash, secret)
            if not right:
                self._tries.note_wrong(who)
        else:
            right = False
        if live is None or (concealed and not right):
            raise faults.not_found(key)
        if not right:
            raise faults.unauthorized()
        if not login.name:
            raise faults.no_name()
        return self._token(live, self._tokens.make(live.room, login.name), login.name)

    async def renew_token(self, request: Request, key: str) -> Answer:
        live = self._find(request, key)
        if not live.room.password:
            return _json(200, _DONE)
        claims = self._claims(request, live)
        try:
            token = self._tokens.make(live.room, claims.username, claims.authenticated)
        except TokenError:
            raise faults.bad_token() from None
        return self._token(live, token, claims.username)

    async def no_socket(self, request: Request, key: str) -> Answer:
        self._find(request, key)
        raise faults.no_session()

    async def document(self, request: Request) -> Answer:
        return Answer(200, openapi.DOCUMENT, JSON)

    def _find(self, request: Request, key: str) -> LiveRoom:
        """Return a room that the request may know of. Raises `FaultError` 101."""
        live = self._rooms.get(key)
        if live is None:
            raise faults.not_found(key)
        if self._rules.conceal_hidden_rooms and live.room.visibility == HIDDEN:
            try:
                self._claims(request, live)
            except FaultError:
                raise faults.not_found(key) from None
        return live

    def _claims(self, request: Request, live: LiveRoom) -> Claims:
        """Return what the request's token says. Raises `FaultError` 403."""
        token = shown_token(request.headers)
        if token is None:
            raise faults.bad_token()
        try:
            return self._tokens.read(token, live.room)
        except TokenError:
            raise faults.bad_token() from None

    @asynccontextmanager
    async def _permitted(self, request: Request, key: str) -> AsyncIterator[LiveRoom]:
        """Find a room that the request may change, and let nobody else meanwhile."""
        async with self._changing:
            live = self._find(request, key)
            if live.room.password:
                self._claims(request, live)
            elif not self._rules.open_public_rooms:
                token, admin = shown_token(request.headers), self._rules.admin_token
                if token is None or admin is None or not same(token, admin.encode()):
                    raise faults.bad_token()
            yield live

    async def _hash(self, password: str | None) -> str:
        return "" if password is None else await self._passwords.hash(password)

    async def _new_password(self, room: Room, checked: Content) -> dict[str, object]:
        if checked.visibility == PUBLIC:
            lost = room.generation + bool(room.password)
            return {"password": "", "generation": lost}
        if checked.password is None:
            return {}
        hash = await self._passwords.hash(checked.password)
        return {"password": hash, "generation": room.generation + 1}

    def _show(self, live: LiveRoom) -> dict[str, object]:
        return content.show(live.room, self._members(live))

    def _members(self, live: LiveRoom) -> list[object]:
        return list(self._broker.members(live.channel))

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
    (re.compile("/openapi.json"), {"GET": API.document}),
)


def _json(status: int, value: object) -> Answer:
    return Answer(status, msgspec.json.encode(value), JSON)
