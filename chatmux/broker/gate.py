# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Who may be on which channel: the one place where that is decided.

Protocols are not given the broker's channels by their names. They ask to enter one, and
all that can be done there is done with the `Entry` that they get, or nothing is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from weakref import WeakValueDictionary

from chatmux.errors import ChannelFullError, LockedError
from chatmux.interfaces import Broker, Connection, Encoding, Subscription
from chatmux.model import Member, Present

Opens = Callable[[object], bool]
"""Say whether what somebody shows opens a lock."""


class ChannelEntry:
    """Leave to be on a channel. See `chatmux.interfaces.Entry`."""

    __slots__ = ("__weakref__", "_broker", "channel")

    def __init__(self, broker: Broker, channel: str) -> None:
        self._broker = broker
        self.channel = channel

    def publish(
        self,
        name: str,
        text: str,
        *,
        origin: str,
        source: int = 0,
        ext: Mapping[str, str] | None = None,
    ) -> int:
        return self._broker.publish(
            self.channel, name, text, origin=origin, source=source, ext=ext
        )

    def subscribe(
        self,
        connection: Connection,
        encoding: Encoding,
        *,
        echo: bool = True,
        presence: bool = False,
    ) -> Subscription:
        return self._broker.subscribe(
            self.channel, connection, encoding, echo=echo, presence=presence
        )

    def join(self, member: Member) -> None:
        self._broker.join(self.channel, member)

    def leave(self, source: int) -> None:
        self._broker.leave(self.channel, source)

    def members(self) -> Sequence[Present]:
        return self._broker.members(self.channel)


class Gate:
    """Lets in.

    Args:
        broker: Whose channels these are.
        canonical: Return the name that all names of a channel stand for.
        size: Return how many subscribers a channel has, by its canonical name.
        max_members: How many one may have.
    """

    def __init__(
        self,
        broker: Broker,
        canonical: Callable[[str], str],
        size: Callable[[str], int],
        max_members: int,
    ) -> None:
        self._broker = broker
        self._canonical = canonical
        self._size = size
        self._max_members = max_members
        self._locks: dict[str, dict[str, Opens]] = {}
        """By canonical name, and by the name that was locked: each name of a bridge
        has its own, and whoever enters opens all."""
        self._entries: WeakValueDictionary[str, ChannelEntry] = WeakValueDictionary()
        """One for each channel does for all who are in."""

    def lock(self, channel: str, opens: Opens) -> None:
        """Let in nobody whose key does not open, by whatever name of the channel."""
        self._locks.setdefault(self._canonical(channel), {})[channel] = opens

    def unlock(self, channel: str) -> None:
        """Take away the lock that was put on this name."""
        name = self._canonical(channel)
        locks = self._locks.get(name, {})
        locks.pop(channel, None)
        if not locks:
            self._locks.pop(name, None)

    def enter(self, channel: str, protocol: str, key: object) -> ChannelEntry:
        """See `chatmux.interfaces.Entrance.enter`."""
        self._check_protocol(channel, protocol)
        name = self._canonical(channel)
        for opens in self._locks.get(name, {}).values():
            if not opens(key):
                raise LockedError(channel)
        if self._size(name) >= self._max_members:
            raise ChannelFullError(channel)
        entry = self._entries.get(name)
        if entry is None:
            entry = self._entries[name] = ChannelEntry(self._broker, name)
        return entry

    def present(self, channel: str, protocol: str) -> Sequence[Present]:
        """See `chatmux.interfaces.Entrance.present`."""
        self._check_protocol(channel, protocol)
        return self._broker.members(channel)

    @staticmethod
    def _check_protocol(channel: str, protocol: str) -> None:
        if protocol_of(channel) != protocol:
            raise LockedError(channel)


def protocol_of(channel: str) -> str:
    """Return the protocol whose channel this is: ``machat`` of ``machat-ws/lounge``."""
    return channel.partition("/")[0].partition("-")[0]
