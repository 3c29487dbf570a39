# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
r"""Globes (a ChitChat server): chat rooms behind a REST API, a WebSocket for each.

**REST**, JSON both ways; ROOM in a path is an id or a title, titles in any case::

    GET    /chats                    the rooms that are not hidden, or a page of them
    POST   /chats                    {"title","description","visibility","password"}
    GET    /chats/ROOM
    PUT    /chats/ROOM               as POST: all of the room, but the password may stay
    DELETE /chats/ROOM
    POST   /chats/ROOM/token         {"name","secret"}: shows the password
    GET    /chats/ROOM/token/renew
    GET    /openapi.json             all of this, for programs

**The page** for people: ``/``, with its files below ``/web/``. The original's pages,
``/chats/ROOM/entrance`` and ``/chats/ROOM/chatbox``, lead there (`site`).

A room is public, private or hidden; the last two have a password, and all that is done
in them or to them needs a token, shown as ``Authorization: Bearer TOKEN``. Public ones
are changed and deleted by the holder of the admin token.

What is wrong is answered
``{"status":false,"error":{"code":CODE,"error":WORDS,"field":FIELD}}``; of several the
first of this order:

====  ====  ===========================================================================
404   101   there is no such room
403   403   no token, or not one for this
400   103   the body is no JSON, or of wrong types
400   105   title (2 to 70 bytes, no number), description (up to 70 bytes), visibility,
            or password (at least 8 bytes, at most 1,024)
400   102   the title is another room's
====  ====  ===========================================================================

For a token: 401/304 a wrong password or none, 400/303 no name or one that cannot be;
429/304 with ``Retry-After`` after too many wrong passwords, 429/403 after too many
wrong admin tokens, 429/429 after too many new rooms. 413 for a body over 64 KiB, 503
with ``Retry-After`` where too much waits, the store cannot be reached, or there are too
many rooms or connections in one.

**WebSocket** ``/chats/ROOM/ws``, the token as its subprotocol or in ``Authorization``.
Every connection hears all of the room; who joins may talk::

    -> {"event_type":"join","name":NAME,"color":COLOR}
    <- {"event_type":"join","name":NAME,"room_id":ID,"color":COLOR,
        "msg":"NAME entered the room.","time":TIME}
    -> {"event_type":"send","name":NAME,"color":COLOR,"msg":TEXT}
    <- {"event_type":"send","name":NAME,"room_id":ID,"color":COLOR,"msg":TEXT,
        "time":TIME}
    -> {"event_type":"leave","name":NAME}         also made by the end of a connection
    <- {"event_type":"leave","name":NAME,"room_id":ID,"color":COLOR,
        "msg":"NAME has left the room.","time":TIME}

COLOR may be left out. The name is the token's where there is one, else that of the
join; nobody else in the room may hold one that looks the same, and no two rooms have
titles that do (case, Unicode form, invisible characters, letters of other scripts).
What cannot be done is told to its sender alone: a name that is taken, or is none; a
send or leave before the join or by another name; a second join by another name::

    <- {"event_type":"error","name":NAME,"room_id":ID,"code":202,"msg":WHY}

Ignored, counted, and logged at debug: what is no JSON or of wrong types, another
``event_type``, no ``name``, a send without ``msg``, binary. Closed: 1009 for more than
64 KiB; 1008 when the token ends, the room is deleted or has a new password.

With ``?extensions=origin`` behind ``/chats``, ``/chats/ROOM`` or ``/chats/ROOM/ws``
the last key of users and events is ``"origin"``: the protocol that they are of.

The channel of a room is ``globes/ID``. In a bridge, what others say is a ``send``, and
their comings and goings are ``join`` and ``leave``; a room of a bridge stays public.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, ClassVar

import msgspec

from chatmux.door import Answer, HTTPDoor, Request, Upgrade
from chatmux.errors import ConfigError
from chatmux.interfaces import Services
from chatmux.model import Room
from chatmux.protocols.globes import faults
from chatmux.protocols.globes.access import ANYWHERE, Access, Rules
from chatmux.protocols.globes.api import API
from chatmux.protocols.globes.events import NAME as NAME
from chatmux.protocols.globes.quota import Quota
from chatmux.protocols.globes.rooms import Rooms, check_bridges, room_number
from chatmux.protocols.globes.site import Site
from chatmux.protocols.globes.tokens import KEY_BYTES, Tokens
from chatmux.settings import MessageBytes, Seconds, Secret, Settings, TLSFiles
from chatmux.tries import Tries

KEY_NAME = "globes.secret-key"
"""Under which the store keeps the key of the tokens."""

_LEAST_CONCEALED_ID = 1 << 32
_LAST_ID = (1 << 53) - 1
_Positive = Annotated[int, msgspec.Meta(ge=1)]


class Section(Settings, frozen=True, kw_only=True):
    """The section ``globes`` of the configuration.

    Attributes:
        address: Where to listen: ``host:port``, or a Twisted endpoint description.
        secret_key: Signs the tokens; at least 32 bytes. Left out: ``SECRET_KEY`` of the
            environment, or else a random one that the store keeps.
        keyfile: Path of the key for HTTPS (PEM), together with `certfile`.
        certfile: Path of its certificate.
        admin_token: Whoever shows it may change and delete public rooms.
        open_public_rooms: Whether anybody may.
        conceal_hidden_rooms: Whether hidden rooms seem not to be there for those
            without a token.
        origins: Web pages of these origins may open WebSockets, besides those of the
            own host; ``*`` for any.
        event_bytes: The longest event that a client may send.
        body_bytes: The longest body of a request.
        max_rooms: How many there may be; more are not made.
        new_rooms_per_hour: How many may be made in an hour from one address, or network
            of IPv6; 0 for any number. This machine's own is not held to it.
        login_seconds: From the showing of a password to the end of the last token that
            it is good for, renewed as often as may be.
        wrong_passwords: How many a minute of one address for one room are looked at;
            for all rooms together, six times as many.
        read_timeout: For a whole request; left out: ``limits.opening-seconds``.
        write_timeout: Of the original; without effect.
        static: Of the original; without effect.
        redis_url: Of the original; without effect.
    """

    address: str = "127.0.0.1:8080"
    secret_key: Secret | None = None
    keyfile: str | None = None
    certfile: str | None = None
    admin_token: Secret | None = None
    open_public_rooms: bool = False
    conceal_hidden_rooms: bool = False
    origins: tuple[str, ...] = ("*",)
    event_bytes: MessageBytes = 64 * 1024
    body_bytes: MessageBytes = 64 * 1024
    max_rooms: _Positive = 20_000
    new_rooms_per_hour: Annotated[int, msgspec.Meta(ge=0)] = 10_000
    login_seconds: Annotated[float, msgspec.Meta(ge=1)] = 7 * 24 * 3600
    wrong_passwords: _Positive = 10
    read_timeout: Seconds | None = msgspec.field(name="ReadTimeout", default=None)
    write_timeout: Any = msgspec.field(name="WriteTimeout", default=None)
    static: Any = msgspec.field(name="Static", default=None)
    redis_url: Any = msgspec.field(name="RedisURL", default=None)

    environment: ClassVar = {"secret-key": "SECRET_KEY"}
    without_effect: ClassVar = ("WriteTimeout", "Static", "RedisURL")


class Globes:
    """The server: what is needed to answer, once the store is open."""

    def __init__(self, section: Section, services: Services) -> None:
        self._section = section
        self._services = services
        if services.store is None:
            raise ConfigError("store", "is missing, and globes needs it")
        self._store = services.store
        self._api: API | None = None
        self._site = Site(services.assets, section.event_bytes)

    def check(self, rooms: Sequence[Room]) -> None:
        """Say before the start what `prepare` would say. Raises `ConfigError`."""
        check_bridges(rooms, self._services.broker.is_bridged)

    async def prepare(self) -> None:
        """Read the rooms and the key.

        Raises:
            ConfigError: A room of a bridge has a password.
            StoreError: The store cannot be read.
        """
        section, services = self._section, self._services
        rooms = Rooms(
            self._store,
            services.now,
            services.new_lock,
            services.broker,
            conceal=section.conceal_hidden_rooms,
        )
        await rooms.load()
        tokens = Tokens(await self._key(), services.now, section.login_seconds)
        most, seconds = section.wrong_passwords, services.clock.seconds
        access = Access(
            rooms,
            tokens,
            services.passwords,
            Tries(most, seconds, services.new_lock),
            Tries(ANYWHERE * most, seconds, services.new_lock),
            Rules(section.open_public_rooms, section.admin_token),
        )
        quota = Quota(section.new_rooms_per_hour, seconds)
        self._api = API(
            services, rooms, tokens, access, section.max_rooms, quota, _random_id
        )

    async def respond(self, request: Request) -> Answer:
        assert self._api is not None
        return self._site.respond(request) or await self._api.respond(request)

    def upgrade(self, request: Request) -> Upgrade | Answer:
        assert self._api is not None
        return self._api.upgrade(request)

    async def _key(self) -> bytes:
        if self._section.secret_key is not None:
            return self._section.secret_key.encode()
        return await self._store.secret(
            KEY_NAME, lambda: secrets.token_bytes(KEY_BYTES)
        )


def doors(section: Section, services: Services) -> Iterable[HTTPDoor]:
    """List the one door.

    Raises:
        ConfigError: The key is too short, or half of what HTTPS needs is missing.
    """
    _check(section)
    globes = Globes(section, services)
    tls = None
    if section.keyfile is not None and section.certfile is not None:
        tls = TLSFiles(keyfile=section.keyfile, certfile=section.certfile)
    yield HTTPDoor(
        protocol=NAME,
        key="globes.address",
        address=section.address,
        check=globes.check,
        prepare=globes.prepare,
        respond=globes.respond,
        upgrade=globes.upgrade,
        too_large=faults.too_large().answer,
        failed=faults.failed().answer,
        origins=section.origins,
        refuse=faults.refuse,
        body_bytes=section.body_bytes,
        message_bytes=section.event_bytes,
        request_seconds=section.read_timeout,
        tls=tls,
        tls_key="globes",
        secrets=("admin_token",),
        keys=("secret_key",),
        carries="the rooms' passwords and tokens",
    )


def bridge_fault(names: Sequence[str]) -> str | None:
    """Say why these channels of Globes cannot be in one bridge, or None."""
    for name in names:
        prefix, _, digits = name.partition("/")
        number = room_number(digits)
        if prefix != NAME or not number or name != f"{NAME}/{number}":
            return f"{name} is no room of Globes, as globes/1 is"
    return None


def _check(section: Section) -> None:
    key = section.secret_key
    if key is not None and len(key.encode()) < KEY_BYTES:
        raise ConfigError(
            "globes.secret-key",
            f"has less than {KEY_BYTES} bytes (if it is not in the file, it is the"
            " environment's SECRET_KEY)",
        )
    admin = section.admin_token
    if admin is not None and re.fullmatch(rb"[!-~]+", admin.encode()) is None:
        raise ConfigError(
            "globes.admin-token",
            "must be ASCII without blanks, for a header to hold",
        )
    if (section.keyfile is None) != (section.certfile is None):
        missing = "keyfile" if section.keyfile is None else "certfile"
        raise ConfigError(f"globes.{missing}", "is missing, and HTTPS needs both")


def _random_id() -> int:
    """Make an id that nobody guesses, and that JavaScript has a number for."""
    return _LEAST_CONCEALED_ID + secrets.randbelow(_LAST_ID - _LEAST_CONCEALED_ID)
