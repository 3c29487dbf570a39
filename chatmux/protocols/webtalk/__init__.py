# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
r"""webtalk: a back-end in any language pushes to browsers.

``->`` is what a peer sends, ``<-`` what it is sent.

**The private port** is the back-end's: frames over TCP, each five ASCII digits and
then as many bytes, at most 99,999. Each is answered by one frame, in order; any number
may be sent before the first answer is read. In the frames::

    -> [auth] SECRET            <- [ok] authenticated     first, if there is a secret
    -> [newuser]                <- [ok] ID!SALT
    -> [killuser] ID            <- [ok] user killed
    -> [whisper] ID!TEXT        <- [ok] message sent
    -> [newchannel]             <- [ok] ID
    -> [killchannel] ID         <- [ok] channel killed
    -> [shout] CHANNEL!TEXT     <- [ok] message sent
    -> [join] CHANNEL!ID        <- [ok] user joined
    -> [leave] CHANNEL!ID       <- [ok] user leaved
    -> [store] KEY!VALUE        <- [ok] stored KEY
    -> [retrieve] KEY           <- [ok] VALUE             or nothing behind the blank
    -> [clear] KEY              <- [ok] cleared KEY
    -> (an empty frame, 00000)  <- [ok] goodbye           and the close

One byte behind ``]`` is dropped, nothing else is stripped; commands are lower case. An
id is ASCII digits, at most 2^64-1. Users count from 1, channels from 2: channel 1 is
there from the start, every new user is in it, and killing it only empties it. Ids
that nobody has are answered as if they were somebody's; with ``strict`` they are an
error. A key may be empty; keys and values are any bytes.

Errors after which the connection stays::

    <- [error] Invalid command: WORD
    <- [error] User separator not found (!)     also Channel, Channel/User and Data
    <- [error] Invalid User: ID, WHY            Invalid Channel: ID, WHY
    <- [error] Unknown User: ID                 Unknown Channel: ID; both with strict
    <- [error] User ID: too much is waiting already             of whisper
    <- [error] the store is full                                of store
    <- [error] too many users                   also channels; of newuser, newchannel
    <- [error] the answer is longer than 99999 bytes            nothing was done

Errors with which it ends::

    <- [error] Invalid Frame: [ brace not found           nor ] brace
    <- [error] Invalid Frame Size: BYTES, WHY
    <- [error] Invalid Frame: EOF                         the end between frames
    <- [error] Insufficient Frame Size: COUNT             the end within the digits
    <- [error] Error reading Frame: EOF                   the end within the bytes
    <- [error] Error reading Frame: not complete in time
    <- [error] wrong secret                               [error] [auth] SECRET first

**The public WebSocket** (path ``/webtalk``) is the browsers'. A browser says who it is,
and nothing more that is of any effect; every message after it is for it, bare text::

    -> ID!SALT                  (no answer)
    <- TEXT

A wrong one is closed (1008) and disturbs nobody. Who logs in a second time takes over,
the first connection is closed (1000); so is that of a user who is killed. A subprotocol
is repeated if one alone is asked for.

What is whispered and shouted to a user who is not connected waits for the login, in
order: at most ``queue-messages`` and ``queue-bytes`` for each user, and
``queues-bytes`` for all together, in which a shout counts once. A whisper for which
there is no room is an error; for a shout the oldest that waits goes.

Bytes that are no UTF-8 become U+FFFD on their way to a browser. A channel is
``webtalk/ID`` in a bridge; a shout goes to the others as by ``sender``, and theirs
comes as ``NAME:TEXT``, in NAME what is no name's made ``_``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

import msgspec

from chatmux.address import is_local
from chatmux.door import FramedDoor, Refusal, WebSocketDoor
from chatmux.errors import ConfigError
from chatmux.interfaces import Connection, Services
from chatmux.model import FULL
from chatmux.protocols.gohttp import upgrade_refusal
from chatmux.protocols.webtalk.commands import LONGEST_FRAME as LONGEST_FRAME
from chatmux.protocols.webtalk.control import ControlSession
from chatmux.protocols.webtalk.hub import Hub
from chatmux.protocols.webtalk.ids import IdError, parse_id
from chatmux.protocols.webtalk.login import LoginSession
from chatmux.protocols.webtalk.messages import NAME as NAME
from chatmux.protocols.webtalk.variables import Variables
from chatmux.protocols.webtalk.waiting import Waiting
from chatmux.settings import HTTPPath, Seconds, Secret, Settings, TLSFiles
from chatmux.text import name_fault

OPENING_BYTES = 16 * 1024
LOGIN_BYTES = 1024
_Positive = Annotated[int, msgspec.Meta(ge=1)]


class Section(Settings, frozen=True, kw_only=True):
    """The section ``webtalk`` of the configuration.

    Attributes:
        private: Where the back-end comes in: ``host:port``, or a Twisted endpoint
            description. Whoever can reach it may do everything; so where other
            machines can, it needs one of the next three.
        secret: What the back-end has to show first.
        private_tls: TLS on the private port; with ``client-cafile`` only back-ends
            with a certificate come in.
        open: Let in whoever comes.
        public: Where the browsers come in.
        ws_path: The HTTP path of the WebSocket.
        wss: TLS for the browsers.
        origins: Pages of these origins may connect, besides those of the own host;
            ``*`` for any.
        strict: Whether ids that nobody has are errors.
        sender: Whose name a shout goes by in other protocols of a bridge.
        login_seconds: From ``[newuser]`` until a user who has never logged in is
            killed; 0 for never.
        absent_seconds: From the end of a user's connection until one who does not
            come back is killed; 0 for never.
        max_users: How many users there may be.
        max_channels: How many channels.
        queue_messages: How many messages may wait for an absent user.
        queue_bytes: How much text may wait for one.
        queues_bytes: How much memory may wait for all together.
        store_keys: How many keys ``[store]`` may make.
        store_bytes: How much keys and values may take together.
    """

    private: str = "127.0.0.1:12344"
    secret: Secret | None = None
    private_tls: TLSFiles | None = None
    open: bool = False
    public: str = "127.0.0.1:12345"
    ws_path: HTTPPath = "/webtalk"
    wss: TLSFiles | None = None
    origins: tuple[str, ...] = ("*",)
    strict: bool = False
    sender: str = "webtalk"
    login_seconds: Seconds = 3600
    absent_seconds: Seconds = 7 * 24 * 3600
    max_users: _Positive = 1_000_000
    max_channels: _Positive = 100_000
    queue_messages: _Positive = 1000
    queue_bytes: _Positive = 1 << 20
    queues_bytes: _Positive = 64 << 20
    store_keys: _Positive = 100_000
    store_bytes: _Positive = 64 << 20


def doors(section: Section, services: Services) -> Iterable[FramedDoor | WebSocketDoor]:
    """List the back-end's door and the browsers'.

    Raises:
        ConfigError: The private port is anybody's, or the sender's name is none.
    """
    _check(section)
    hub = Hub(
        services.broker,
        services.clock.seconds,
        Waiting(section.queue_messages, section.queue_bytes, section.queues_bytes),
        sender=section.sender,
        login_seconds=section.login_seconds,
        absent_seconds=section.absent_seconds,
        max_users=section.max_users,
        max_channels=section.max_channels,
    )
    variables = Variables(section.store_keys, section.store_bytes)

    def new_control_session(connection: Connection) -> ControlSession:
        return ControlSession(
            connection, hub, variables, secret=section.secret, strict=section.strict
        )

    def new_login_session(connection: Connection) -> LoginSession:
        return LoginSession(connection, hub)

    yield FramedDoor(
        protocol=NAME,
        key="webtalk.private",
        address=_private_address(section.private),
        new_session=new_control_session,
        opening_bytes=OPENING_BYTES,
        message_bytes=LONGEST_FRAME,
        full=b"[error] " + FULL.reason.encode(),
        tls=section.private_tls,
        tls_key="webtalk.private-tls",
        secrets=("secret",),
    )
    yield WebSocketDoor(
        protocol=NAME,
        key="webtalk.public",
        address=section.public,
        path=section.ws_path,
        new_session=new_login_session,
        refuse=refuse,
        subprotocol=the_only_one,
        origins=section.origins,
        opening_bytes=LOGIN_BYTES,
        tls=section.wss,
        tls_key="webtalk.wss",
    )


def bridge_fault(names: Sequence[str]) -> str | None:
    """Say why these channels of webtalk cannot be in one bridge, or None."""
    for name in names:
        prefix, _, digits = name.partition("/")
        try:
            canonical = f"{NAME}/{parse_id(digits.encode())}"
        except IdError:
            canonical = None
        if prefix != NAME or name != canonical:
            return f"{name} is no channel of webtalk, as webtalk/1 is"
    if len(names) > 1:
        return f"{names[0]} and {names[1]}: whoever is in both would hear all twice"
    return None


def refuse(status: int, reason: str) -> Refusal:
    """Refuse a handshake as the original's WebSocket library does."""
    if status == 404:
        return upgrade_refusal(404)
    if status in (403, 503):
        return Refusal(status, b"")
    return Refusal(400, b"not websocket protocol")


def the_only_one(offered: Sequence[str]) -> str | None:
    """Choose a subprotocol as the original's WebSocket library does."""
    return offered[0] if len(offered) == 1 else None


def _private_address(address: str) -> str:
    """Let only the server's own user at a Unix socket, if nothing else is said."""
    if address.startswith("unix:") and ":mode=" not in address:
        return f"{address}:mode=600"
    return address


def _check(section: Section) -> None:
    fault = name_fault(section.sender)
    if fault is not None:
        raise ConfigError("webtalk.sender", fault)
    tls = section.private_tls
    guarded = section.secret is not None or (tls is not None and tls.client_cafile)
    if not (guarded or section.open or is_local(section.private)):
        raise ConfigError(
            "webtalk.private",
            f"other machines can reach {section.private}, and whoever reaches it may"
            ' do everything: it needs "secret", or "private-tls" with'
            ' "client-cafile", or "open": true',
        )
