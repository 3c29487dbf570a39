# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The values that travel between protocols, broker and transports.

Knows the standard library only; must never know a protocol, a socket or a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple


class Publication(NamedTuple):
    """An immutable message on a channel.

    A named tuple and not a dataclass, because one is made for every message and a
    frozen dataclass takes four times as long to build.
    """

    channel: str
    """Canonical name of the channel, which a bridge may make differ from the one
    that the sender named."""
    seq: int
    """Place in the channel's order: 1 for the first, then one more for each."""
    name: str
    """Sender's name as the sender's own protocol has it."""
    text: str
    """Without surrogates; may hold line breaks where the origin allows them."""
    origin: str
    """Name of the protocol that the message came in by."""
    source: int
    """Number of the sending connection, 0 for none."""
    time: float
    """Seconds since the epoch."""
    ext: Mapping[str, str] | None = None
    """What only some protocols know.

    ``shown``: the sender's name for protocols whose members own their names, where it
    must differ from ``name``. ``event``: ``join`` or ``leave``, where the sender has
    not said something but came or went, and ``text`` is empty. ``color``: as the sender
    wants to be shown."""


@dataclass(frozen=True, slots=True)
class Member:
    """A connection that is to be present on a channel."""

    name: str
    origin: str
    source: int
    owns_name: bool = True
    """Whether nobody else may be here by this name; else several may share it."""
    color: str = ""


SERVER = Member("server (admin)", "admin", 0)
"""Who says what the operator has to say. Nobody else is on a channel by this name."""


class Present(NamedTuple):
    """Somebody who is on a channel now, on however many connections."""

    name: str
    """As protocols show it whose members own their names."""
    origin: str
    color: str
    since: float
    """Seconds since the epoch, as `active`."""
    active: float
    """When they said something last, or came."""


@dataclass(frozen=True, slots=True)
class Room:
    """What outlives the process of a chat room."""

    id: int
    """Above 0, and never given to another room."""
    title: str
    description: str
    visibility: str
    """``public``, ``private`` or ``hidden``."""
    password: str
    """A hash of it, empty for none. Never shown to anybody."""
    generation: int
    """Which password it is, at random; tokens of another one are void."""
    concealed: bool
    """Whether nobody may find out that it is there; others may have its title, too."""
    created: int
    """Microseconds since the epoch, as `updated`."""
    updated: int


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that is served as it is."""

    body: bytes
    content_type: str
    tag: str
    """Its ETag, quotes included: another one where the body is another."""


@dataclass(frozen=True, slots=True)
class Close:
    """Why a connection ends: a WebSocket close code (RFC 6455, section 7.4) and words.

    Protocols without close codes use the words alone.
    """

    code: int
    reason: str


NORMAL = Close(1000, "")
GOING_AWAY = Close(1001, "the server is shutting down")
NO_OPENING = Close(1008, "nothing was said in time")
TOO_SLOW = Close(1008, "too slow: messages were not read in time")
TOO_FAST = Close(1008, "too much was sent")
FULL = Close(1013, "there are too many here")
LOCKED = Close(1008, "this is not open to everybody")
SILENT = Close(1008, "no answer to a ping")
INTERNAL_ERROR = Close(1011, "internal error")
