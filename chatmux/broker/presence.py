# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Who is on one channel, under which name.

Members of some protocols own their names (MaChat, Globes), so that a name is held once
in a conversation, whatever protocol it came by. Free-form names (multichat's) may be
shared; `Presence.shown` keeps them from passing for somebody who owns theirs. One name
is the server's own, everywhere and always.
"""

from __future__ import annotations

from itertools import islice

from chatmux.errors import NameTakenError
from chatmux.model import SERVER, Member, Present
from chatmux.text import likeness, likeness_of_speaker, plain_name

_SERVERS = likeness(SERVER.name)


class _Here:
    """Somebody, and how many connections they are on: one, if they own their name."""

    __slots__ = ("active", "connections", "is_posing", "member", "since")

    def __init__(self, member: Member, now: float) -> None:
        self.member = member
        self.connections = 1
        self.since = self.active = now
        self.is_posing = likeness(member.name) == _SERVERS
        """Whether the name is the server's, and others must not see it bare."""


class Presence:
    """The members of one channel."""

    __slots__ = ("_by_name", "_by_source", "_here", "_owners")

    def __init__(self) -> None:
        self._here: dict[_Here, None] = {}
        """All, in the order of their coming."""
        self._by_source: dict[int, _Here] = {}
        self._owners: dict[str, _Here] = {}
        """Those who own their names, by the likeness."""
        self._by_name: dict[tuple[str, str], _Here] = {}
        """The others, by the likeness and the protocol."""

    def __len__(self) -> int:
        return len(self._by_source)

    @property
    def size(self) -> int:
        """How many are here, each counted once."""
        return len(self._here)

    def name(self, source: int) -> str:
        """Return the name of the connection `source`, empty where it has none."""
        here = self._by_source.get(source)
        return "" if here is None else here.member.name

    def members(self, most: int | None = None) -> list[Present]:
        """Return all, or the first, each once, in the order of their coming."""
        return [
            Present(
                self._shown(here.member),
                here.member.origin,
                here.member.color,
                here.since,
                here.active,
            )
            for here in islice(self._here, most)
        ]

    def join(self, member: Member, now: float) -> bool:
        """Add `member`, and say whether that is somebody who was not here yet.

        Raises:
            NameTakenError: The name is to be owned, and is by somebody else.
        """
        if member.source in self._by_source:
            return False
        key = likeness(member.name)
        if member.owns_name:
            if key == _SERVERS:
                raise NameTakenError(SERVER)
            owner = self._owners.get(key)
            if owner is not None:
                raise NameTakenError(owner.member)
            here = self._owners[key] = _Here(member, now)
        elif (key, member.origin) in self._by_name:
            here = self._by_name[key, member.origin]
            here.connections += 1
        else:
            here = self._by_name[key, member.origin] = _Here(member, now)
        self._by_source[member.source] = here
        self._here[here] = None
        return here.connections == 1

    def leave(self, source: int) -> Member | None:
        """Remove the connection `source`; return the member if that is gone by it."""
        here = self._by_source.pop(source, None)
        if here is None:
            return None
        here.connections -= 1
        if here.connections:
            return None
        del self._here[here]
        key = likeness(here.member.name)
        if here.member.owns_name:
            del self._owners[key]
        else:
            del self._by_name[key, here.member.origin]
        return here.member

    def shown(self, name: str, origin: str, source: int, now: float) -> str | None:
        """Return how to show a speaker whose plain name a member owns, else None.

        ``bob`` of multichat becomes ``bob (multichat)`` while a member is ``bob``.
        Whoever is here is active by it.
        """
        here = self._by_source.get(source)
        if here is not None:
            here.active = now
            if here.member.owns_name:
                return None
            if here.is_posing:
                return self._distinct(name, origin)
        elif origin == SERVER.origin:
            return None
        return self._distinct(name, origin) if self._owners else None

    def _shown(self, member: Member) -> str:
        if member.owns_name:
            return member.name
        return self._distinct(member.name, member.origin) or plain_name(member.name)

    def _distinct(self, name: str, origin: str) -> str | None:
        plain = shown = plain_name(name)
        while (like := likeness_of_speaker(shown)) in self._owners or like == _SERVERS:
            shown = f"{shown} ({origin})"
        return None if shown is plain else shown
