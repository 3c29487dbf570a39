# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The broker of a single process: channels by name, bridges, one flush a turn."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count

from chatmux.broker.channel import (
    WRITE_COST,
    Channel,
    ChannelSubscription,
    ErrorHook,
)
from chatmux.broker.gate import ChannelEntry, Gate, Opens
from chatmux.broker.gather import Gather
from chatmux.broker.log import PUBLICATION_BYTES, Kept
from chatmux.interfaces import Clock, Connection, Encoding, Subscription
from chatmux.model import Member, Present, Publication

LOG_BYTES = 4 * 1024 * 1024
"""Default limit of a channel's log."""

TURN_BUDGET = 2000 * WRITE_COST
"""What a turn of the reactor may spend on carrying, as `Channel.carry` counts: about
two thousand small writes, some milliseconds."""

MOST_WAITING_BYTES = 256 * 1024
"""What may wait for further turns. Of more than this, each turn carries as much as it
has brought, however long it takes: whoever publishes too fast is slowed down by it."""

MOST_STRETCHES = 16
"""How many may wait behind fences; a further fence has them carried at once."""

LOGS_BYTES = 256 * 1024 * 1024
"""Default limit of all logs together."""

MOST_MEMBERS = 100_000
"""Default limit of a channel's subscribers."""

_NO_LIMIT = 1 << 62


class Stretch:
    """Publications of a channel that follow each other, to be carried together."""

    __slots__ = ("channel", "end", "fence")

    def __init__(self, channel: Channel, fence: int) -> None:
        self.channel = channel
        self.fence = fence
        """Number of the fence behind which it begins."""
        self.end = 0
        """Number of its last publication."""


class LocalBroker:
    """See `chatmux.interfaces.Broker`.

    Args:
        clock: Runs the flush; ``callLater(0, ...)`` comes after the reactor has read
            all the sockets of a turn, so that one flush takes the messages of all.
        bridges: Lists of channel names that are one channel; the first is the
            canonical one. No name may stand twice.
        max_log_bytes: How far, in text and overhead, a slow reader may fall behind on
            a channel before it is closed. The memory of a channel is bounded by this
            while somebody is behind; else by what waits for the next turns, all
            channels together: `MOST_WAITING_BYTES`, and what a turn brings.
        max_logs_bytes: What all channels' logs may hold together; with more, a slow
            reader may fall behind by `CROWDED_BYTES` only.
        max_members: How many subscribers a channel may have.
        turn_budget: See `TURN_BUDGET`.
        now: Seconds since the epoch.
        on_error: Told of an encoding that raises.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        bridges: Iterable[Sequence[str]] = (),
        max_log_bytes: int = LOG_BYTES,
        max_logs_bytes: int = LOGS_BYTES,
        max_members: int = MOST_MEMBERS,
        turn_budget: int = TURN_BUDGET,
        now: Callable[[], float] = time.time,
        on_error: ErrorHook = lambda words: None,
    ) -> None:
        self._clock = clock
        self._max_log_bytes = max_log_bytes
        self._kept = Kept(max_logs_bytes)
        self._now = now
        self._on_error = on_error
        self._bridges = {names[0]: tuple(names) for names in bridges}
        self._canonical = {
            name: first for first, names in self._bridges.items() for name in names
        }
        self._channels: dict[str, Channel] = {}
        self._turn_budget = turn_budget
        self._stretches: deque[Stretch] = deque()
        """What is to be carried, in this order."""
        self._waiting_bytes = 0
        """What the publications take of which the carrying is not begun."""
        self._fence = 0
        self._scheduled = False
        self._numbers = count(1)
        self.published = 0
        """How many publications were accepted."""
        self.delivered = 0
        """To how many subscribers they were to be carried, all together."""
        self._gate = Gate(self, self._canonical_name, self._size, max_members)

    def new_number(self) -> int:
        return next(self._numbers)

    def publish(
        self,
        channel: str,
        name: str,
        text: str,
        *,
        origin: str,
        source: int = 0,
        ext: Mapping[str, str] | None = None,
    ) -> int:
        target = self._channels.get(self._canonical.get(channel, channel))
        if target is None:
            return 0
        now = self._now()
        if target.presence:
            shown = target.presence.shown(name, origin, source, now)
            if shown is not None:
                ext = {**(ext or {}), "shown": shown}
        publication = Publication(
            target.name, target.last + 1, name, text, origin, source, now, ext
        )
        taken = target.append(publication)
        self._waiting_bytes += taken
        stretch = target.stretch
        if stretch is None or stretch.fence != self._fence:
            stretch = target.stretch = Stretch(target, self._fence)
            self._stretches.append(stretch)
            if not self._scheduled:
                self._scheduled = True
                self._clock.callLater(0, self._carry_in_turn)
        stretch.end = target.last
        self.published += 1
        self.delivered += target.size
        return (taken - PUBLICATION_BYTES) * target.size

    def fence(self) -> None:
        self._fence += 1
        if len(self._stretches) > MOST_STRETCHES:
            self.flush()

    def flush(self) -> None:
        self._carry(_NO_LIMIT)

    def _carry_in_turn(self) -> None:
        self._scheduled = False
        self._carry(self._turn_budget)
        while self._stretches and self._waiting_bytes > MOST_WAITING_BYTES:
            self._carry(self._turn_budget)
        if self._stretches and not self._scheduled:
            self._scheduled = True
            self._clock.callLater(0, self._carry_in_turn)

    def _carry(self, budget: int) -> None:
        """Carry stretch after stretch, while the budget lasts."""
        if len(self._stretches) < 2:
            self._carry_stretches(budget, None)
            return
        gather = Gather()
        try:
            self._carry_stretches(budget, gather)
        finally:
            gather.write()

    def _carry_stretches(self, budget: int, gather: Gather | None) -> None:
        stretches = self._stretches
        while stretches and budget > 0:
            stretch = stretches[0]
            channel = stretch.channel
            if channel.stretch is stretch:
                # What is published from here on waits behind the other channels.
                channel.stretch = None
            begun = channel.begun_bytes
            budget = channel.carry(stretch.end, budget, gather)
            self._waiting_bytes -= channel.begun_bytes - begun
            if channel.has_carried(stretch.end):
                stretches.popleft()

    def subscribe(
        self,
        channel: str,
        connection: Connection,
        encoding: Encoding,
        *,
        echo: bool = True,
        presence: bool = False,
    ) -> Subscription:
        return self._channel(channel).subscribe(connection, encoding, echo, presence)

    def unsubscribe(self, subscription: Subscription, *, rest: bool = True) -> None:
        assert isinstance(subscription, ChannelSubscription)
        channel = subscription.channel
        channel.unsubscribe(subscription, rest)
        self._forget_if_idle(channel)

    def join(self, channel: str, member: Member) -> None:
        target = self._channel(channel)
        if target.presence.join(member, self._now()):
            self._announce(target, "join", member)

    def leave(self, channel: str, source: int) -> None:
        target = self._channels.get(self._canonical.get(channel, channel))
        if target is not None:
            member = target.presence.leave(source)
            if member is not None:
                self._announce(target, "leave", member)
            self._forget_if_idle(target)

    def members(self, channel: str, most: int | None = None) -> list[Present]:
        target = self._channels.get(self._canonical.get(channel, channel))
        return [] if target is None else target.presence.members(most)

    def is_bridged(self, channel: str) -> bool:
        return channel in self._canonical

    def enter(self, channel: str, protocol: str, key: object = None) -> ChannelEntry:
        return self._gate.enter(channel, protocol, key)

    def present(self, channel: str, protocol: str) -> Sequence[Present]:
        return self._gate.present(channel, protocol)

    def lock(self, channel: str, opens: Opens) -> None:
        self._gate.lock(channel, opens)

    def unlock(self, channel: str) -> None:
        self._gate.unlock(channel)

    def _canonical_name(self, channel: str) -> str:
        return self._canonical.get(channel, channel)

    def _size(self, canonical: str) -> int:
        channel = self._channels.get(canonical)
        return 0 if channel is None else channel.size

    def _announce(self, channel: Channel, event: str, member: Member) -> None:
        """Tell those who want to know that somebody came or went."""
        if not channel.presence_watchers:
            return
        ext = {"event": event}
        if member.color:
            ext["color"] = member.color
        self.publish(
            channel.name,
            member.name,
            "",
            origin=member.origin,
            source=member.source,
            ext=ext,
        )

    def channels(self) -> Iterator[tuple[str, int, int, int]]:
        """Yield each channel's name, subscribers, members, and publications so far."""
        for channel in self._channels.values():
            yield channel.name, channel.size, channel.presence.size, channel.last

    def names(self, channel: str) -> tuple[str, ...]:
        """Return all names of a channel, the one that it is known by first."""
        first = self._canonical_name(channel)
        return self._bridges.get(first, (first,))

    def places(self, connection: Connection) -> Iterator[tuple[str, str]]:
        """Yield the channels of a connection, and its name there, empty for none."""
        for subscription in connection.subscriptions:
            assert isinstance(subscription, ChannelSubscription)
            channel = subscription.channel
            yield channel.name, channel.presence.name(connection.number)

    def subscribers(self, channel: str) -> list[Connection]:
        """Return the connections that are on a channel, by any name of it."""
        target = self._channels.get(self._canonical_name(channel))
        return [] if target is None else target.connections()

    @property
    def kept_bytes(self) -> int:
        """What all logs hold together."""
        return self._kept.bytes

    def __len__(self) -> int:
        """Return the number of channels that exist."""
        return len(self._channels)

    def _channel(self, name: str) -> Channel:
        canonical = self._canonical.get(name, name)
        channel = self._channels.get(canonical)
        if channel is None:
            channel = Channel(
                canonical, self._max_log_bytes, self._kept, self._on_error
            )
            self._channels[canonical] = channel
        return channel

    def _forget_if_idle(self, channel: Channel) -> None:
        # `channel` may be an older one of the name, left by a subscriber who was
        # closed as too slow after it had been forgotten.
        if channel.idle and self._channels.get(channel.name) is channel:
            del self._channels[channel.name]
            channel.trim()
