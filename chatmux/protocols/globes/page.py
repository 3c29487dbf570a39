# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The list of rooms as a page: plain HTML with the rooms in it. Pure.

It works without JavaScript; its links lead to the rooms in the page that needs it.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from chatmux.door import Answer
from chatmux.model import Room
from chatmux.protocols.globes.site import SECURITY

_HEADERS = (("Content-Type", "text/html; charset=utf-8"), *SECURITY)

_HEAD = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Chat rooms</title>
<link rel="icon" href="/web/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/web/base.css">
<main class="plain">
<h1>Chat rooms</h1>
"""


def list_of(rooms: Iterable[tuple[Room, int]]) -> Answer:
    """Make the page of some rooms, each with the number of those who are in it."""
    items = [_item(room, count) for room, count in rooms]
    body = f"<ul>{''.join(items)}</ul>" if items else "<p>There is no room yet."
    return Answer(200, (_HEAD + body + "\n</main>\n</html>\n").encode(), _HEADERS)


def _item(room: Room, count: int) -> str:
    lock = "" if room.visibility == "public" else f" ({room.visibility})"
    people = "1 person" if count == 1 else f"{count} people"
    return (
        f'<li><a href="/#/room/{room.id}">{escape(room.title)}</a>{lock}'
        f" <small>{people}</small><br>{escape(room.description)}"
    )
