# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Users, channels, and a user's place in a channel. Values that the hub works on."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator

from chatmux.interfaces import Connection, Entry, Subscription
from chatmux.protocols.webtalk.attendant import Attendant
from chatmux.protocols.webtalk.waiting import Share, Shelf


class Place:
    """A user's place in a channel."""

    __slots__ = ("since", "subscription")

    def __init__(self) -> None:
        self.subscription: Subscription | None = None
        """While the user is connected."""
        self.since = 0
        """How much was put on the channel's shelf before the user was absent."""


class User:
    """Somebody whom the back-end has made; there, or absent."""

    __slots__ = (
        "connection",
        "entry",
        "id",
        "places",
        "salt",
        "since",
        "whispers",
        "words",
    )
    entry: Entry
    """Where `words` are said, once there were some."""

    def __init__(self, id: int, salt: bytes) -> None:
        self.id = id
        self.salt = salt
        self.connection: Connection | None = None
        self.places: dict[Channel, Place] = {}
        self.whispers = Shelf()
        self.since = 0
        """How much was put on `whispers` before the user was absent."""
        self.words: Subscription | None = None
        """Carries whispers, once there was one for the connection."""

    def shares(self) -> Iterator[Share]:
        """List where messages wait for the user while absent."""
        yield self.whispers, self.since
        for channel, place in self.places.items():
            yield channel.shelf, place.since


class Channel:
    """Some users who hear the same shouts."""

    __slots__ = ("absent", "attendant", "entry", "is_bridged", "members", "shelf")

    def __init__(self, entry: Entry, is_bridged: bool) -> None:
        self.entry = entry
        self.is_bridged = is_bridged
        """Whether members of other protocols may want to know who is here."""
        self.members: dict[User, Place] = {}
        self.absent = 0
        """How many of the members are."""
        self.shelf = Shelf()
        self.attendant: Attendant | None = None
        """Hears for them while there are some."""


class Expiry:
    """Users who are to go if nothing happens, the first to go first.

    Args:
        seconds: From `add` until then; 0 for never.
        now: Seconds of any clock that does not jump.
    """

    def __init__(self, seconds: float, now: Callable[[], float]) -> None:
        self._seconds = seconds
        self._now = now
        self._due: OrderedDict[User, float] = OrderedDict()

    def add(self, user: User) -> None:
        """Begin a user's time."""
        if self._seconds:
            self._due[user] = self._now() + self._seconds

    def discard(self, user: User) -> None:
        """End a user's time, if it runs."""
        self._due.pop(user, None)

    def is_due(self, user: User) -> bool:
        """Say whether a user's time is over."""
        return user in self._due and self._due[user] <= self._now()

    def take_due(self) -> Iterator[User]:
        """Yield those whose time is over, who are forgotten by then."""
        while self._due:
            user = next(iter(self._due))
            if not self.is_due(user):
                return
            del self._due[user]
            yield user
