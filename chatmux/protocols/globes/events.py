# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The events of a room's WebSocket. Pure.

``->`` is what a client sends, ``<-`` what it is sent, without the keys that are empty::

    -> {"event_type":TYPE,"name":NAME,"color":COLOR,"msg":TEXT}
    <- {"event_type":TYPE,"name":NAME,"room_id":ID,"color":COLOR,"msg":TEXT,"time":TIME}
    <- {"event_type":"error","name":NAME,"room_id":ID,"code":202,"msg":WHY}

With the extension ``origin``, what is no error has ``"origin":PROTOCOL`` at its end.
TYPE is ``join``, ``send`` or ``leave``; of a join and a leave TEXT is the server's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from chatmux.model import Publication
from chatmux.protocols import foreign, jsontext

NAME = "globes"
REFUSED = 202
COLOR_LENGTH = 64
"""Longest color, in characters. It is told with everything of its holder."""


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


class EventWithOrigin(Event, omit_defaults=True):
    """What it is told who has asked for the extension."""

    origin: str = ""


class Refused(msgspec.Struct):
    """What it is told of an event of its own that is refused."""

    event_type: str
    name: str
    room_id: int
    code: int
    msg: str


_CAPITAL_KEY = re.compile(rb'"[a-z_]{0,9}[A-Z][A-Za-z_]{0,9}"\s{0,9}:')
_WORDS = {"join": " entered the room.", "leave": " has left the room."}

_decoder = msgspec.json.Decoder(Said)
_encoder = msgspec.json.Encoder()


def decode(message: bytes) -> Said:
    """Read an event. Raises `TextError`."""
    if _CAPITAL_KEY.search(message) is not None:
        # As old clients in Go may write it.
        return jsontext.decode_in_any_case(message, Said)
    return jsontext.decode(message, _decoder)


def color_of(said: Said) -> str:
    """Return the color that a client wants, empty for one that is none."""
    color = said.color or ""
    return color if len(color) <= COLOR_LENGTH and color.isprintable() else ""


def rfc3339(seconds: float) -> str:
    """Write a time, given in seconds since the epoch, with six digits of a fraction."""
    moment = datetime.fromtimestamp(seconds, UTC)
    # Optimisation: isoformat takes five times as long, more than all else of an event.
    written: str = msgspec.to_builtins(moment)
    return written if moment.microsecond else f"{written[:-1]}.000000Z"


def encoding_for(
    room_id: int, *, with_origin: bool = False
) -> Callable[[Publication], tuple[bytes]]:
    """Return an encoding of a room; one of each is made for a room and kept."""

    def encode(publication: Publication) -> tuple[bytes]:
        name, text, kind, color = publication.name, publication.text, "send", ""
        if publication.origin != NAME:
            name = foreign.sender(publication)
        if publication.ext:
            color = publication.ext.get("color", "")
            kind = publication.ext.get("event", "send")
            if kind in _WORDS:
                text = name + _WORDS[kind]
        time = rfc3339(publication.time)
        if with_origin:
            told: Event = EventWithOrigin(
                kind, name, room_id, color, text, time, publication.origin
            )
        else:
            told = Event(kind, name, room_id, color, text, time)
        return (_encoder.encode(told),)

    return encode


def refusal(name: str, room_id: int, why: str) -> bytes:
    """Make the answer to an event that is refused."""
    return _encoder.encode(Refused("error", name, room_id, REFUSED, why))
