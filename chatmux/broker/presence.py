# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Who is on one channel, under which name.

Protocols whose members own their names (MaChat) join here, so that a name is held once
in a conversation, whatever protocol it came by. Free-form names (multichat's) do not;
`Presence.shown` keeps them from passing for somebody who is here.
"""

from __future__ import annotations

from chatmux.errors import NameTakenError
from chatmux.model import Member
from chatmux.text import fold, plain_name


class Presence:
    """The members of one channel."""

    __slots__ = ("_by_fold", "_by_source")

    def __init__(self) -> None:
        self._by_fold: dict[str, Member] = {}
        self._by_source: dict[int, Member] = {}

    def __len__(self) -> int:
        return len(self._by_source)

    def members(self) -> list[Member]:
        """Return all, in the order of their coming."""
        return list(self._by_source.values())

    def join(self, member: Member) -> None:
        """Add `member`. Raises `NameTakenError` where the name is held."""
        key = fold(member.name)
        holder = self._by_fold.get(key)
        if holder is not None:
            raise NameTakenError(holder)
        self._by_fold[key] = member
        self._by_source[member.source] = member

    def leave(self, source: int) -> None:
        """Remove the member that `source` is, if it is one."""
        member = self._by_source.pop(source, None)
        if member is not None:
            del self._by_fold[fold(member.name)]

    def shown(self, name: str, origin: str, source: int) -> str | None:
        """Return how to show a sender whose plain name a member holds, else None.

        ``bob`` of multichat becomes ``bob (multichat)`` while a member is ``bob``.
        """
        if source in self._by_source:
            return None
        plain = shown = plain_name(name)
        while fold(shown) in self._by_fold:
            shown = f"{shown} ({origin})"
        return None if shown is plain else shown
