# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""multichat: a relay between chat platforms, JSON over WebSocket.

``->`` is what a client sends, ``<-`` what it is sent. Every message is a text message
with one JSON object::

    -> {"action":"register","client-name":NAME,"secret-key":SECRET}   first, once
    <- {"action":"register-ack"}
    -> {"action":"client-message","content":TEXT}
    <- {"action":"forwarding-message","source-client-name":NAME,"content":TEXT}

NAME, SECRET and TEXT are strings and not empty. Names may be shared. What a client
sends goes to everybody registered but itself. Nobody is told who comes and goes.

Before the registration everything else ends the connection, by a WebSocket close:

====  ===================================================================
1003  the first packet is binary
1007  it is not UTF-8 (by the transport)
1008  it is no registration, its secret is wrong, its name has more than 255
      characters, or it does not come in time
1009  it is longer than 16 KiB
1013  there are as many clients as there may be
====  ===================================================================

After it, bad packets (no JSON, binary, an unknown action, a second registration,
content that is empty, missing or no string) are ignored, as the original does;
counted, and logged at debug. Longer than 1 MiB is 1009 still, too many are 1008.

All clients are on one channel, ``multichat``.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence

import msgspec

from chatmux.door import Refusal, WebSocketDoor
from chatmux.errors import ChannelFullError, LockedError, PeerError, TextError
from chatmux.interfaces import Connection, Entrance, Entry, Services, Subscription
from chatmux.model import FULL, LOCKED, TOO_FAST, Close, Member, Publication
from chatmux.protocols import foreign, jsontext
from chatmux.protocols.gohttp import upgrade_refusal
from chatmux.settings import HTTPPath, MessageBytes, Secret, Settings, TLSFiles
from chatmux.text import NAME_LENGTH

NAME = "multichat"
CHANNEL = "multichat"
OPENING_BYTES = 16 * 1024

BINARY_FIRST = Close(1003, "the first packet should be text")
NOT_REGISTERED = Close(1008, "the first packet should be a registration")
LONG_NAME = Close(1008, f"the client-name has more than {NAME_LENGTH} characters")
WRONG_SECRET = Close(1008, "wrong secret key")


class Register(msgspec.Struct, tag_field="action", tag="register"):
    client_name: str | None = msgspec.field(name="client-name", default=None)
    secret_key: str | None = msgspec.field(name="secret-key", default=None)


class ClientMessage(msgspec.Struct, tag_field="action", tag="client-message"):
    content: str | None = None


class ForwardingMessage(msgspec.Struct, tag_field="action", tag="forwarding-message"):
    source_client_name: str = msgspec.field(name="source-client-name")
    content: str


REGISTER_ACK = b'{"action":"register-ack"}'

_decoder = msgspec.json.Decoder(Register | ClientMessage)
_encoder = msgspec.json.Encoder()


def encode(publication: Publication) -> tuple[bytes, ...]:
    """Make the forwarding-message of what was said, whatever its origin."""
    if foreign.is_event(publication):
        return ()
    return (_encoder.encode(ForwardingMessage(publication.name, publication.text)),)


class Session:
    """A client's conversation: registration, then messages both ways."""

    __slots__ = (
        "_connection",
        "_entrance",
        "_entry",
        "_name",
        "_secret",
        "_subscription",
    )
    _entry: Entry
    """Once there is a name, as the subscription."""
    _subscription: Subscription

    def __init__(
        self, connection: Connection, entrance: Entrance, secret: Secret
    ) -> None:
        self._connection = connection
        self._entrance = entrance
        self._secret = secret
        self._name: str | None = None

    def received(self, message: bytes, binary: bool) -> None:
        if self._name is None:
            self._register(message, binary)
        elif binary:
            self._connection.ignored("a binary packet")
        else:
            self._take(message)

    def closed(self) -> None:
        if self._name is not None:
            self._entrance.unsubscribe(self._subscription)
            self._entry.leave(self._connection.number)

    def _register(self, message: bytes, binary: bool) -> None:
        if binary:
            raise PeerError(BINARY_FIRST)
        try:
            packet = jsontext.decode(message, _decoder)
        except TextError:
            raise PeerError(NOT_REGISTERED) from None
        if not isinstance(packet, Register) or not packet.client_name:
            raise PeerError(NOT_REGISTERED)
        if not packet.secret_key:
            raise PeerError(NOT_REGISTERED)
        if not hmac.compare_digest(packet.secret_key.encode(), self._secret.encode()):
            raise PeerError(WRONG_SECRET)
        if len(packet.client_name) > NAME_LENGTH:
            raise PeerError(LONG_NAME)
        try:
            self._entry = self._entrance.enter(CHANNEL, NAME)
        except ChannelFullError:
            raise PeerError(FULL) from None
        except LockedError:
            raise PeerError(LOCKED) from None
        self._name = packet.client_name
        self._connection.opened()
        member = Member(self._name, NAME, self._connection.number, owns_name=False)
        self._entry.join(member)
        self._connection.send(REGISTER_ACK)
        self._subscription = self._entry.subscribe(self._connection, encode, echo=False)

    def _take(self, message: bytes) -> None:
        assert self._name is not None
        try:
            packet = jsontext.decode(message, _decoder)
        except TextError as error:
            self._connection.ignored(str(error))
            return
        if isinstance(packet, Register):
            self._connection.ignored("a second registration")
        elif not packet.content:
            self._connection.ignored("a message without content")
        else:
            deliveries = self._entry.publish(
                self._name,
                packet.content,
                origin=NAME,
                source=self._connection.number,
            )
            if not self._connection.charge(deliveries):
                raise PeerError(TOO_FAST)


class Section(Settings, frozen=True, kw_only=True):
    """The section ``multichat`` of the configuration.

    Attributes:
        host: Where to listen: ``host:port``, or a Twisted endpoint description.
        ws_path: The HTTP path of the WebSocket; with a slash at its end, this and
            everything below it.
        secret_key: Shared between the server and all clients. Not empty.
        wss: Paths of ``keyfile`` and ``certfile`` (PEM); left out: no TLS.
        origins: Web pages of these origins may connect, besides those of the own
            host; ``*`` for any.
        message_bytes: The longest packet of a client that has registered.
    """

    host: str = "127.0.0.1:6780"
    ws_path: HTTPPath = "/"
    secret_key: Secret
    wss: TLSFiles | None = None
    origins: tuple[str, ...] = ()
    message_bytes: MessageBytes = 1 << 20


def doors(section: Section, services: Services) -> Iterable[WebSocketDoor]:
    """List the one door."""

    def new_session(connection: Connection) -> Session:
        return Session(connection, services.broker, section.secret_key)

    yield WebSocketDoor(
        protocol=NAME,
        key="multichat.host",
        address=section.host,
        path=section.ws_path,
        new_session=new_session,
        refuse=refuse,
        origins=section.origins,
        opening_bytes=OPENING_BYTES,
        message_bytes=section.message_bytes,
        tls=section.wss,
        tls_key="multichat.wss",
        secrets=("secret_key",),
    )


def bridge_fault(names: Sequence[str]) -> str | None:
    """Say why these channels of multichat cannot be in one bridge, or None."""
    for name in names:
        if name != CHANNEL:
            return f"{name} is no channel of multichat, whose only one is {CHANNEL}"
    return None


def refuse(status: int, reason: str) -> Refusal:
    """Refuse a handshake as the original's WebSocket library does."""
    return upgrade_refusal(status)
