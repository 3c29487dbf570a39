# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""One channel: its order, its log, and how each subscriber is kept up with.

`append` numbers a publication and puts it in the log. `flush`, once in a reactor turn,
carries what is new to every subscriber that is ready. One that cannot take more (its
connection has paused) is skipped and keeps only its position; when the connection
resumes it is caught up from the log. So the log is the queue of everybody, and a slow
reader costs a number. When the log has moved past a position, that subscriber's
connection is closed as too slow.

Knows no wire protocol, no socket and no clock.
"""

from __future__ import annotations

from collections.abc import Callable

from chatmux.broker.group import Group, Place
from chatmux.broker.presence import Presence
from chatmux.interfaces import Connection, Encoding, Framing
from chatmux.model import INTERNAL_ERROR, TOO_SLOW, Publication

PUBLICATION_BYTES = 256
"""What a publication takes in memory besides its name and text, about."""

BATCH_BYTES = 128 * 1024
"""A flush goes out in batches of this size, which bounds what is buffered for a
connection that pauses in the middle. Large enough for a system call's cost not to
matter, and the most that Twisted hands to the kernel in one."""

ErrorHook = Callable[[str], None]
"""Called inside an ``except`` block, with words for the log."""


class ChannelSubscription(Place):
    """One connection's place on a channel. See `chatmux.interfaces.Subscription`."""

    __slots__ = ("channel",)

    def __init__(
        self, channel: Channel, connection: Connection, encoding: Encoding, echo: bool
    ) -> None:
        super().__init__(connection, encoding, echo)
        self.channel = channel

    def pause(self) -> None:
        self.channel.pause(self)

    def resume(self) -> None:
        self.channel.resume(self)

    def reframe(self) -> None:
        self.channel.reframe(self)


class Channel:
    """Order, log and subscribers of one channel."""

    __slots__ = (
        "_behind",
        "_flushing",
        "_groups",
        "_log",
        "_log_bytes",
        "_max_log_bytes",
        "_on_error",
        "_paused",
        "_waiting",
        "dirty",
        "flushed",
        "last",
        "name",
        "presence",
    )

    def __init__(self, name: str, max_log_bytes: int, on_error: ErrorHook) -> None:
        self.name = name
        self.last = 0
        """Number of the last publication."""
        self.flushed = 0
        """Number of the last one that was carried to those who are ready."""
        self.dirty = False
        """For the broker's use: whether a flush of this channel is due."""
        self.presence = Presence()
        self._max_log_bytes = max_log_bytes
        self._on_error = on_error
        self._log: list[Publication] = []
        self._log_bytes = 0
        self._groups: dict[tuple[Framing, Encoding], Group[ChannelSubscription]] = {}
        self._behind: dict[ChannelSubscription, None] = {}
        """All that are not ready, in the order in which they fell behind."""
        self._paused: list[ChannelSubscription] = []
        """Those that paused while a batch went out."""
        self._waiting: list[ChannelSubscription] = []
        """Those behind whom the end of the next flush catches up: they came, or
        resumed, when there was something to flush."""
        self._flushing = False

    @property
    def idle(self) -> bool:
        """True when nobody is subscribed or present."""
        return not self._groups and not self.presence

    def append(self, publication: Publication) -> None:
        """Put the next publication, numbered ``last + 1``, in the log."""
        self._log.append(publication)
        self.last += 1
        self._log_bytes += _weight(publication)

    def subscribe(
        self, connection: Connection, encoding: Encoding, echo: bool
    ) -> ChannelSubscription:
        """Add a subscriber for all that is appended from now on."""
        subscription = ChannelSubscription(self, connection, encoding, echo)
        self._enter_group(subscription)
        if self.flushed == self.last and not connection.paused and not self._flushing:
            self._set_ready(subscription)
        else:
            # What waits for the flush was published before this subscription.
            self._fall_behind(subscription, self.last)
            self._waiting.append(subscription)
        connection.subscriptions.add(subscription)
        return subscription

    def unsubscribe(self, subscription: ChannelSubscription) -> None:
        """Write what the log has for a subscriber, and remove it.

        Paused or not, so that who leaves has got all; the log's limit bounds it.
        """
        group = subscription.group
        if group is None:
            return
        position = (
            self.flushed if subscription in group.ready else subscription.position
        )
        while position < self.last and subscription.group is not None:
            batch = self._batch(position, self.last)
            position += len(batch)
            self._write(subscription, batch)
        if subscription.group is not None:
            self._remove(subscription)

    def flush(self) -> None:
        """Carry what is new in the log to all who are ready."""
        self.dirty = False
        self._flushing = True
        try:
            while self.flushed < self.last:
                batch = self._batch(self.flushed, self.last)
                self.flushed += len(batch)
                for group in list(self._groups.values()):
                    self._send(group, batch)
                self._set_back_the_paused()
            while self._waiting:
                subscription = self._waiting.pop()
                if subscription in self._behind:
                    self._catch_up(subscription)
        finally:
            self._flushing = False
        self._trim()

    def pause(self, subscription: ChannelSubscription) -> None:
        """Stop writing to a subscriber, from after the batch that is going out."""
        if self._flushing:
            self._paused.append(subscription)
        elif (
            subscription.group is not None and subscription in subscription.group.ready
        ):
            self._fall_behind(subscription, self.flushed)

    def resume(self, subscription: ChannelSubscription) -> None:
        """Write to a subscriber what it is behind by, then count it as ready."""
        if self._flushing:
            self._waiting.append(subscription)
        elif subscription in self._behind:
            self._catch_up(subscription)
            if not self._behind:
                self._trim()

    def reframe(self, subscription: ChannelSubscription) -> None:
        """Move a subscriber to the group of its connection's present framing."""
        group = subscription.group
        if group is None or group.framing == subscription.connection.framing:
            return
        ready = subscription in group.ready
        self._leave_group(subscription)
        self._enter_group(subscription)
        if ready:
            self._set_ready(subscription)

    def _send(
        self, group: Group[ChannelSubscription], batch: list[Publication]
    ) -> None:
        try:
            group.send(batch)
        except Exception:
            self._give_up(list(group.places))

    def _write(
        self, subscription: ChannelSubscription, batch: list[Publication]
    ) -> None:
        """Write a batch to one subscriber alone."""
        group = subscription.group
        assert group is not None
        try:
            chunk = group.chunk_for(subscription, batch)
        except Exception:
            self._give_up([subscription])
        else:
            if chunk:
                subscription.connection.write(chunk)

    def _give_up(self, subscriptions: list[ChannelSubscription]) -> None:
        """Close those whose encoding has raised; called inside an ``except`` block.

        They would miss a message without a word. Everybody else goes on.
        """
        self._on_error(f"cannot encode for {self.name!r}")
        for subscription in subscriptions:
            self._remove(subscription)
            subscription.connection.close(INTERNAL_ERROR)

    def _set_back_the_paused(self) -> None:
        """Let those fall behind who paused while the last batch went out.

        They were written that batch; who resumed already goes on as if nothing were.
        """
        for subscription in self._paused:
            group = subscription.group
            if group and subscription in group.ready and subscription.connection.paused:
                self._fall_behind(subscription, self.flushed)
        self._paused.clear()

    def _catch_up(self, subscription: ChannelSubscription) -> None:
        """Write batch after batch until all is written or the connection pauses."""
        connection = subscription.connection
        while subscription.position < self.flushed and not connection.paused:
            batch = self._batch(subscription.position, self.flushed)
            subscription.position += len(batch)
            self._write(subscription, batch)
            if subscription.group is None:
                return
        if not connection.paused:
            self._set_ready(subscription)

    def _batch(self, after: int, end: int) -> list[Publication]:
        """Return the publications after number `after` up to `end`, or fewer, not 0."""
        log = self._log
        start = after - (self.last - len(log))
        stop = end - (self.last - len(log))
        if self._log_bytes <= BATCH_BYTES:
            return log[start:stop]
        size = 0
        for index in range(start, stop):
            size += _weight(log[index])
            if size > BATCH_BYTES and index > start:
                return log[start:index]
        return log[start:stop]

    def _trim(self) -> None:
        """Drop what nobody needs from the log, then what exceeds its limit."""
        if not self._behind:
            if self.flushed == self.last:
                self._log.clear()
                self._log_bytes = 0
            return
        drop = 0
        flushed = len(self._log) - (self.last - self.flushed)
        while self._log_bytes > self._max_log_bytes and drop < flushed:
            self._log_bytes -= _weight(self._log[drop])
            drop += 1
        if not drop:
            return
        del self._log[:drop]
        oldest = self.last - len(self._log)
        for subscription in [s for s in self._behind if s.position < oldest]:
            self._remove(subscription)
            subscription.connection.close(TOO_SLOW)

    def _set_ready(self, subscription: ChannelSubscription) -> None:
        assert subscription.group is not None
        self._behind.pop(subscription, None)
        subscription.group.ready[subscription] = subscription.connection

    def _fall_behind(self, subscription: ChannelSubscription, position: int) -> None:
        assert subscription.group is not None
        subscription.group.ready.pop(subscription, None)
        subscription.position = position
        self._behind[subscription] = None

    def _enter_group(self, subscription: ChannelSubscription) -> None:
        key = subscription.connection.framing, subscription.encoding
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(*key)
        group.add(subscription)
        subscription.group = group

    def _leave_group(self, subscription: ChannelSubscription) -> None:
        group = subscription.group
        assert group is not None
        group.discard(subscription)
        if not group.places:
            del self._groups[group.framing, group.encoding]
        subscription.group = None

    def _remove(self, subscription: ChannelSubscription) -> None:
        self._leave_group(subscription)
        self._behind.pop(subscription, None)
        subscription.connection.subscriptions.discard(subscription)


def _weight(publication: Publication) -> int:
    return len(publication.text) + len(publication.name) + PUBLICATION_BYTES
