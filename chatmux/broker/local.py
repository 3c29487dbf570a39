# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The broker of a single process: channels by name, bridges, one flush a turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count

from chatmux.broker.channel import Channel, ChannelSubscription, ErrorHook
from chatmux.interfaces import Clock, Connection, Encoding, Subscription
from chatmux.model import Member, Publication

LOG_BYTES = 4 * 1024 * 1024
"""Default limit of a channel's log."""


class LocalBroker:
    """See `chatmux.interfaces.Broker`.

    Args:
        clock: Runs the flush; ``callLater(0, ...)`` comes after the reactor has read
            all the sockets of a turn, so that one flush takes the messages of all.
        bridges: Lists of channel names that are one channel; the first is the
            canonical one. No name may stand twice.
        max_log_bytes: How far, in text and overhead, a slow reader may fall behind on
            a channel before it is closed. The memory of a channel is bounded by this
            while somebody is behind; else its log is empty between turns.
        now: Seconds since the epoch.
        on_error: Told of an encoding that raises.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        bridges: Iterable[Sequence[str]] = (),
        max_log_bytes: int = LOG_BYTES,
        now: Callable[[], float] = time.time,
        on_error: ErrorHook = lambda words: None,
    ) -> None:
        self._clock = clock
        self._max_log_bytes = max_log_bytes
        self._now = now
        self._on_error = on_error
        self._canonical = {name: names[0] for names in bridges for name in names}
        self._channels: dict[str, Channel] = {}
        self._dirty: list[Channel] = []
        self._numbers = count(1)

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
    ) -> None:
        target = self._channels.get(self._canonical.get(channel, channel))
        if target is None:
            return
        if target.presence:
            shown = target.presence.shown(name, origin, source)
            if shown is not None:
                ext = {**(ext or {}), "shown": shown}
        target.append(
            Publication(
                target.name,
                target.last + 1,
                name,
                text,
                origin,
                source,
                self._now(),
                ext,
            )
        )
        if not target.dirty:
            target.dirty = True
            self._dirty.append(target)
            if len(self._dirty) == 1:
                self._clock.callLater(0, self.flush)

    def flush(self) -> None:
        """Carry all that was published; the clock calls this once in a turn."""
        dirty, self._dirty = self._dirty, []
        for channel in dirty:
            channel.flush()

    def subscribe(
        self,
        channel: str,
        connection: Connection,
        encoding: Encoding,
        *,
        echo: bool = True,
    ) -> Subscription:
        return self._channel(channel).subscribe(connection, encoding, echo)

    def unsubscribe(self, subscription: Subscription) -> None:
        assert isinstance(subscription, ChannelSubscription)
        channel = subscription.channel
        channel.unsubscribe(subscription)
        self._forget_if_idle(channel)

    def join(self, channel: str, member: Member) -> None:
        target = self._channel(channel)
        target.presence.join(member)

    def leave(self, channel: str, source: int) -> None:
        target = self._channels.get(self._canonical.get(channel, channel))
        if target is not None:
            target.presence.leave(source)
            self._forget_if_idle(target)

    def members(self, channel: str) -> list[Member]:
        target = self._channels.get(self._canonical.get(channel, channel))
        return [] if target is None else target.presence.members()

    def __len__(self) -> int:
        """Return the number of channels that exist."""
        return len(self._channels)

    def _channel(self, name: str) -> Channel:
        canonical = self._canonical.get(name, name)
        channel = self._channels.get(canonical)
        if channel is None:
            channel = Channel(canonical, self._max_log_bytes, self._on_error)
            self._channels[canonical] = channel
        return channel

    def _forget_if_idle(self, channel: Channel) -> None:
        # `channel` may be an older one of the name, left by a subscriber who was
        # closed as too slow after it had been forgotten.
        if channel.idle and self._channels.get(channel.name) is channel:
            del self._channels[channel.name]
