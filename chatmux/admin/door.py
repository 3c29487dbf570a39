# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Where the operator comes in."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from chatmux.address import host_and_port, is_local
from chatmux.admin.api import AdminAPI, problem
from chatmux.admin.page import Page
from chatmux.admin.sampler import Sampler
from chatmux.admin.section import Section
from chatmux.admin.watch import OWN_DOOR, Watch
from chatmux.door import HTTPDoor
from chatmux.errors import ConfigError
from chatmux.model import Room
from chatmux.tries import Tries

NAME = "admin"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_TOKEN = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~-]{16,}")
"""What can be a WebSocket's subprotocol (RFC 9110, section 5.6.2), and not guessed."""
WRONG_TOKENS = 10
"""How many a minute of one address are looked at."""


def admin_door(
    section: Section,
    watch: Watch,
    sampler: Sampler,
    page: Page,
    tries: Tries,
    note: Callable[[str], None],
) -> HTTPDoor:
    """Return the door.

    Args:
        section: As configured.
        watch: Sees the node, and acts on it.
        sampler: Remembers.
        page: The files that are no JSON.
        tries: Counts wrong tokens.
        note: Told, for the log, what an operator has done.

    Raises:
        ConfigError: Others can reach it, and it has no token; or the token is none.
    """
    if section.token is None and not is_local(section.address):
        raise ConfigError(
            "admin.address",
            f"other machines can reach {section.address}, and whoever reaches it may do"
            ' everything: it needs "token"',
        )
    if section.token is not None and not _TOKEN.fullmatch(section.token.encode()):
        raise ConfigError(
            "admin.token",
            "has to be 16 characters or more, letters, digits and any of"
            " !#$%&'*+-.^_`|~, as it comes in a header",
        )
    hosts = _hosts(section)
    api = AdminAPI(watch, sampler, section.token, hosts, page, tries, note)
    return HTTPDoor(
        protocol=NAME,
        key=OWN_DOOR,
        address=section.address,
        check=_no_rooms,
        prepare=_nothing,
        respond=api.respond,
        upgrade=api.upgrade,
        too_large=problem(413, "too long"),
        failed=problem(500, "internal error"),
        # Judged by the API, together with the host.
        origins=("*",),
        refuse=problem,
        body_bytes=16 * 1024,
        message_bytes=1024,
        tls=section.tls,
        tls_key="admin.tls",
        secrets=("token",),
    )


def _hosts(section: Section) -> tuple[str, ...] | None:
    """Return the names that the address may be asked for by; None for any.

    Any, where no browser gets there, or where a token is asked for, which no page has
    but the one that it was typed into.
    """
    address, own = section.address, tuple(host.lower() for host in section.hosts)
    if not is_local(address) or address.startswith("unix:"):
        return own or None
    split = host_and_port(address)
    return (*_LOOPBACK, *((split[0],) if split else ()), *own)


def _no_rooms(rooms: Sequence[Room]) -> None:
    """There is nothing to say of rooms."""


async def _nothing() -> None:
    """There is nothing to prepare."""
