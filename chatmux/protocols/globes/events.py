# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The events of a room's WebSocket. Pure.

``->`` is what a client sends, ``<-`` what it is sent; keys that are empty are left out::

    -> {"event_type":TYPE,"name":NAME,"color":COLOR,"msg":TEXT}    TYPE join, send, leave
    <- {"event_type":TYPE,"name":NAME,"room_id":ID,"color":COLOR,"msg":TEXT,"time":TIME}
    <- {"event_type":"error","name":NAME,"room_id":ID,"code":202,"msg":WHY}
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from chatmux.model import Publication
from chatmux.protocols import foreign, jsontext

NAME = "globes"
REFUSED = 202


class Said(msgspec.Struct):
    """What a client says."""

    event_type: str | None = None
    name: str | None = None
    color: str | None = None
    msg: str | None = None


class Event(msgspec.Struct, omit_defaults=True):
    """What it is told."""

    event_type: str
    name: str = ""
    room_id: int = 0
    color: str = ""
    msg: str = ""
    time: str = ""


class Refused(msgspec.Struct):
    """What it is told of an event of its own that is refused."""

    event_type: str
    name: str
    room_id: int
    code: int
    msg: str


_decoder = msgspec.json.Decoder(Said)
_encoder = msgspec.json.Encoder()


def decode(message: bytes) -> Said:
    """Read an event. Raises `TextError`."""
    return jsontext.decode(message, _decoder)


def rfc3339(seconds: float) -> str:
    """Write a time, given in seconds since the epoch."""
    moment = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    return moment.isoformat(timespec="microseconds") + "Z"


def encoding_for(room_id: int) -> Callable[[Publication], tuple[bytes]]:
    """Return the encoding of a room; one is made for a room and kept."""

    def encode(publication: Publication) -> tuple[bytes]:
        ext = publication.ext or {}
        own = publication.origin == NAME
        event = Event(
            ext.get("event", "send"),
            publication.name if own else foreign.sender(publication),
            room_id,
            ext.get("color", ""),
            publication.text,
            rfc3339(publication.time),
        )
        return (_encoder.encode(event),)

    return encode


def refusal(name: str, room_id: int, why: str) -> bytes:
    """Make the answer to an event that is refused."""
    return _encoder.encode(Refused("error", name, room_id, REFUSED, why))
