# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What a request may say of a room, and how a room is told. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from chatmux.errors import TextError
from chatmux.model import Present, Room
from chatmux.protocols import jsontext
from chatmux.protocols.globes import faults
from chatmux.protocols.globes.events import rfc3339
from chatmux.text import has_controls, likeness

PUBLIC, PRIVATE, HIDDEN = VISIBILITIES = ("public", "private", "hidden")
TITLE_BYTES = 2, 70
DESCRIPTION_BYTES = 70
PASSWORD_BYTES = 8, 1024


class Wish(msgspec.Struct):
    """The body of a POST or PUT, as it was sent."""

    title: str | None = None
    description: str | None = None
    visibility: str | None = None
    password: str | None = None


class Login(msgspec.Struct):
    """The body of a request for a token."""

    name: str | None = None
    secret: str | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """What a room is to be, checked."""

    title: str
    description: str
    visibility: str
    password: str | None
    """In the clear; None where it is to stay as it is."""


def read_wish(body: bytes) -> Wish:
    """Read a POST or PUT. Raises `FaultError` 103."""
    try:
        return jsontext.decode_in_any_case(body, Wish)
    except TextError:
        raise faults.no_json() from None


def read_login(body: bytes) -> Login:
    """Read a request for a token; one that is no JSON says nothing."""
    try:
        return jsontext.decode_in_any_case(body, Login)
    except TextError:
        return Login()


def check(wish: Wish, old: Room | None, may_have_password: bool) -> Content:
    """Return what a room is to be.

    Args:
        wish: As it was sent.
        old: What it is now, None for a new one.
        may_have_password: Whether it may be other than public: not in a bridge.

    Raises:
        FaultError: 105 with the first field that cannot be as it is, in the original's
            order.
    """
    title = wish.title or ""
    if not _fits(title, *TITLE_BYTES) or has_controls(title):
        raise faults.content("title")
    if not likeness(title) or likeness(title).isdecimal():
        # Digits would be taken for an id.
        raise faults.content("title")
    description = wish.description or ""
    if not _fits(description, 0, DESCRIPTION_BYTES):
        raise faults.content("description")
    visibility = (wish.visibility or "").lower()
    if visibility not in VISIBILITIES:
        raise faults.content("visibility")
    password = wish.password or None
    if visibility == PUBLIC:
        if password is not None:
            raise faults.content("visibility")
        return Content(title, description, visibility, None)
    if not may_have_password:
        raise faults.content("visibility")
    if password is None and old is not None and old.password:
        return Content(title, description, visibility, None)
    if password is None or not _fits(password, *PASSWORD_BYTES):
        raise faults.content("password")
    return Content(title, description, visibility, password)


def beginning(room: Room) -> bytes:
    """Begin to tell a room: all but who is there, which `whole` adds.

    Keys in the original's order, no password.
    """
    told: dict[str, object] = {
        "title": room.title,
        "description": room.description,
        "visibility": room.visibility,
        "createdAt": rfc3339(room.created / 1e6),
        "updatedAt": rfc3339(room.updated / 1e6),
        "id": room.id,
    }
    if not room.description:
        del told["description"]
    return msgspec.json.encode(told).removesuffix(b"}")


def whole(
    begun: bytes, members: Sequence[Present], *, with_origin: bool = False
) -> bytes:
    """Tell a room, with who is there, and of which protocol they are."""
    if not members:
        return begun + b',"users":[]}'
    users = [
        {
            "username": member.name,
            "color": member.color,
            "last_activity": rfc3339(member.active),
            **({"origin": member.origin} if with_origin else {}),
        }
        for member in members
    ]
    return b'%b,"users":%b}' % (begun, msgspec.json.encode(users))


def _fits(text: str, least: int, most: int) -> bool:
    if "\0" in text:
        return False
    return least <= len(text.encode()) <= most
