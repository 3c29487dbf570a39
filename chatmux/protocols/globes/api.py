# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The REST routes: a request becomes an answer.

Coroutines that wait for nothing but the store and the passwords; no I/O of their own.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from urllib.parse import parse_qs, unquote

import msgspec

from chatmux.door import Answer, Request, Upgrade
from chatmux.errors import BusyError, ChannelFullError, LockedError, StoreError
from chatmux.interfaces import Connection, Services
from chatmux.model import Present, Room
from chatmux.protocols.globes import content, faults, openapi, page
from chatmux.protocols.globes.access import Access
from chatmux.protocols.globes.admission import Admission
from chatmux.protocols.globes.content import PUBLIC, Content
from chatmux.protocols.globes.events import NAME
from chatmux.protocols.globes.faults import JSON, FaultError
from chatmux.protocols.globes.quota import Quota
from chatmux.protocols.globes.rooms import LiveRoom, Rooms
from chatmux.protocols.globes.session import Session
from chatmux.protocols.globes.tokens import TokenError, Tokens
from chatmux.text import name_fault

ORIGIN = "origin"
"""The extension by which users and events say of which protocol they are."""

_DONE = b'{"status":true}'
_LONGEST_QUERY = 1024


class API:
    """Answers requests.

    Args:
        services: The node's.
        rooms: All there are.
        tokens: Makes them.
        access: Says who may do what.
        max_rooms: How many there may be.
        quota: Of rooms that may be made.
        random_id: Makes numbers that nobody guesses.
    """

    def __init__(
        self,
        services: Services,
        rooms: Rooms,
        tokens: Tokens,
        access: Access,
        max_rooms: int,
        quota: Quota,
        random_id: Callable[[], int],
    ) -> None:
        self._services = services
        self._rooms = rooms
        self._tokens = tokens
        self._access = access
        self._max_rooms = max_rooms
        self._quota = quota
        self._random_id = random_id
        self._admission = Admission()

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
                return await self._respond(respond, request, match)
            except FaultError as fault:
                return fault.answer
            except (BusyError, StoreError):
                return faults.busy().answer
        return faults.NO_PAGE

    async def _respond(
        self, respond: Respond, request: Request, match: re.Match[str]
    ) -> Answer:
        key = map(unquote, match.groups())
        if request.method == "GET":
            return await respond(self, request, *key)
        with self._admission.place(request.host):
            with suppress(StoreError):
                await self._rooms.settle()
            return await respond(self, request, *key)

    def upgrade(self, request: Request) -> Upgrade | Answer:
        """Say whether a WebSocket may be opened, and what it is then."""
        match = _SOCKET.fullmatch(request.path)
        if match is None:
            return faults.NO_PAGE
        try:
            return self._upgrade(request, unquote(match[1]))
        except FaultError as fault:
            return fault.answer

    def _upgrade(self, request: Request, name: str) -> Upgrade:
        live, shown = self._access.find(request, name)
        offered = request.headers.get("sec-websocket-protocol", "").split(",")
        protocols = [one.strip() for one in offered]
        chosen = protocols[0]
        username = seconds_left = key = None
        if live.room.password:
            claims = self._access.claims(shown, live)
            username = claims.username
            seconds_left = self._tokens.seconds_left(claims)
            key = claims
            # The one that is the token, or the browser takes it for refused.
            good = [one for one in protocols if shown.get(one) == claims]
            chosen = good[0] if good else chosen
        entrance, clock = self._services.broker, self._services.clock
        with_origin = _wants_origin(request)
        try:
            entry = entrance.enter(live.channel, NAME, key)
        except ChannelFullError:
            raise faults.busy() from None
        except LockedError:
            raise faults.bad_token() from None

        def new_session(connection: Connection) -> Session:
            return Session(
                connection,
                entrance,
                entry,
                live,
                username,
                clock,
                seconds_left,
                with_origin,
            )

        return Upgrade(new_session, chosen or None)

    async def list_rooms(self, request: Request) -> Answer:
        rooms = [live for live in self._rooms if live.room.visibility != content.HIDDEN]
        if "text/html" in request.headers.get("accept", ""):
            return page.list_of((live.room, len(self._members(live))) for live in rooms)
        with_origin = _wants_origin(request)
        told = [self._show(live, with_origin) for live in rooms]
        return _json(200, b"[%b]" % b",".join(told))

    async def get_room(self, request: Request, key: str) -> Answer:
        live, _ = self._access.find(request, key)
        return _json(200, self._show(live, _wants_origin(request)))

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
            generation=self._random_id(),
            concealed=False,
            created=at,
            updated=at,
        )
        if self._rooms.conceals(room):
            room = replace(room, concealed=True, id=self._random_id())
        self._check_title(room)
        self._check_quota(request)
        self._quota.note(request.host)
        if checked.password is not None:
            room = replace(room, password=await self._hash(checked.password))
        return _json(201, self._show(await self._rooms.add(room)))

    async def change_room(self, request: Request, key: str) -> Answer:
        async with self._access.change(request, key) as live:
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
            self._check_title(room, old)
            room = await self._with_password(room, checked)
            await self._rooms.replace(live, old, room)
            return _json(200, self._show(live))

    async def remove_room(self, request: Request, key: str) -> Answer:
        async with self._access.change(request, key) as live:
            self._access.check_removal(live)
            await self._rooms.remove(live)
            return _json(200, _DONE)

    async def make_token(self, request: Request, key: str) -> Answer:
        login = content.read_login(request.body)
        live = self._rooms.get(key)
        if live is not None and not live.room.password:
            return _json(200, _DONE)
        live = await self._access.log_in(request.host, key, login.secret or "")
        if not login.name or name_fault(login.name) is not None:
            raise faults.no_name()
        return self._token(live, self._tokens.make(live.room, login.name), login.name)

    async def renew_token(self, request: Request, key: str) -> Answer:
        live, shown = self._access.find(request, key)
        if not live.room.password:
            return _json(200, _DONE)
        claims = self._access.claims(shown, live)
        try:
            token = self._tokens.make(live.room, claims.username, claims.authenticated)
        except TokenError:
            raise faults.bad_token() from None
        return self._token(live, token, claims.username)

    async def no_socket(self, request: Request, key: str) -> Answer:
        live, shown = self._access.find(request, key)
        if live.room.password:
            self._access.claims(shown, live)
        raise faults.no_session()

    async def document(self, request: Request) -> Answer:
        return Answer(200, openapi.DOCUMENT, JSON)

    def _check_quota(self, request: Request) -> None:
        if len(self._rooms) >= self._max_rooms:
            raise faults.no_room()
        seconds = self._quota.wait(request.host)
        if seconds:
            raise faults.too_many_rooms(seconds)

    def _check_title(self, room: Room, old: Room | None = None) -> None:
        if self._rooms.has_title_of(room, old):
            raise faults.duplicate()

    async def _with_password(self, room: Room, checked: Content) -> Room:
        """Return a room as it is with the password that it is to have."""
        if checked.visibility == PUBLIC:
            if not room.password:
                return room
            return replace(room, password="", generation=self._random_id())
        if checked.password is None:
            return room
        kept = await self._hash(checked.password)
        return replace(room, password=kept, generation=self._random_id())

    async def _hash(self, password: str) -> str:
        return await self._services.passwords.hash(password)

    def _show(self, live: LiveRoom, with_origin: bool = False) -> bytes:
        members = self._members(live)
        return content.whole(live.told, members, with_origin=with_origin)

    def _members(self, live: LiveRoom) -> Sequence[Present]:
        if not (live.connected or live.is_bridged):
            # Most rooms, when all are listed.
            return ()
        return self._services.broker.present(live.channel, NAME)

    def _token(self, live: LiveRoom, token: str, name: str) -> Answer:
        told = {"status": True, "name": name, "room_id": live.room.id, "token": token}
        return _json(201, msgspec.json.encode(told))


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


def _wants_origin(request: Request) -> bool:
    """Say whether a request asks for the extension; others that it names are nothing.

    Old clients' queries mean nothing, so this one has a name that none of them had.
    """
    if "extensions=" not in request.query:
        return False
    asked = parse_qs(request.query[:_LONGEST_QUERY]).get("extensions", [])
    return ORIGIN in ",".join(asked).split(",")


def _json(status: int, body: bytes) -> Answer:
    return Answer(status, body, JSON)
