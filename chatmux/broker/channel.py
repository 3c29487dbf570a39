# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""One channel: its order, its log, and how each subscriber is kept up with.

`append` numbers a publication and puts it in the log. `carry` takes what is new to
every subscriber that is ready; to very many of them in several turns. One that cannot
take more (its connection has paused) is skipped and keeps only its position; when the
connection resumes it is caught up from the log. So the log is the queue of everybody,
and a slow reader costs a number. When the log has moved past a position, that
subscriber's connection is closed as too slow.

Knows no wire protocol, no socket and no clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from chatmux.broker.gather import GATHER_COST, Gather
from chatmux.broker.group import Delivery, Group, Place
from chatmux.broker.log import Kept, Log
from chatmux.broker.presence import Presence
from chatmux.interfaces import Connection, Encoding, Framing
from chatmux.model import INTERNAL_ERROR, TOO_SLOW, Publication

WRITE_COST = 16 * 1024
"""What a write costs besides its bytes, in bytes that could be copied meanwhile."""

REST_BYTES = 256 * 1024
"""Of what somebody has not read who takes nothing, and leaves: so much is still
written."""

CROWDED_BYTES = 256 * 1024
"""How far somebody may fall behind while all logs together hold too much."""

ErrorHook = Callable[[str], None]
"""Called inside an ``except`` block, with words for the log."""


class ChannelSubscription(Place):
    """One connection's place on a channel. See `chatmux.interfaces.Subscription`."""

    __slots__ = ("channel", "presence")

    def __init__(
        self,
        channel: Channel,
        connection: Connection,
        encoding: Encoding,
        echo: bool,
        presence: bool,
    ) -> None:
        super().__init__(connection, encoding, echo)
        self.channel = channel
        self.presence = presence
        """Whether it wants to know who comes and goes."""

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
        "_carrying",
        "_deliveries",
        "_gather",
        "_groups",
        "_interrupted",
        "_kept",
        "_log",
        "_max_log_bytes",
        "_on_error",
        "_paused",
        "_waiting",
        "begun_bytes",
        "carried",
        "name",
        "presence",
        "presence_watchers",
        "size",
        "stretch",
    )

    def __init__(
        self, name: str, max_log_bytes: int, kept: Kept, on_error: ErrorHook
    ) -> None:
        self.name = name
        self.carried = 0
        """Number of the last publication that was carried, or is being carried, to
        those who are ready."""
        self.begun_bytes = 0
        """What all publications take of which the carrying was begun."""
        self.stretch: Any = None
        """For the broker's use: what is to be carried, and may still be added to."""
        self.presence = Presence()
        self.presence_watchers = 0
        """How many subscribers want to know who comes and goes."""
        self.size = 0
        """How many subscribers there are."""
        self._max_log_bytes = max_log_bytes
        self._on_error = on_error
        self._kept = kept
        self._log = Log(kept)
        self._groups: dict[tuple[Framing, Encoding], Group[ChannelSubscription]] = {}
        self._behind: dict[ChannelSubscription, None] = {}
        """All that are not ready, in the order in which they fell behind."""
        self._paused: list[ChannelSubscription] = []
        """Those that paused while a batch went out."""
        self._waiting: list[ChannelSubscription] = []
        """Those behind whom the end of the next `carry` catches up: they came, or
        resumed, when there was something to carry."""
        self._deliveries: deque[Delivery[ChannelSubscription]] = deque()
        """What is left to write of the batch that is going out."""
        self._interrupted = False
        """Whether that goes on in another turn. Then those who are still to be written
        it are marked as due, and who is not due any more is passed over."""
        self._carrying = False
        self._gather: Gather | None = None
        """Given, while carrying, what would be written."""

    @property
    def last(self) -> int:
        """Number of the last publication."""
        return self._log.last

    def connections(self) -> list[Connection]:
        """Return all that are subscribed."""
        return [
            place.connection
            for group in self._groups.values()
            for place in group.places
        ]

    @property
    def idle(self) -> bool:
        """True when nobody is subscribed or present."""
        return not self._groups and not self.presence

    def append(self, publication: Publication) -> int:
        """Put the next publication, numbered ``last + 1``, in the log.

        Returns:
            What it takes in memory, about: what `begun_bytes` grows by in time.
        """
        return self._log.append(publication)

    def subscribe(
        self,
        connection: Connection,
        encoding: Encoding,
        echo: bool = True,
        presence: bool = False,
    ) -> ChannelSubscription:
        """Add a subscriber for all that is appended from now on."""
        subscription = ChannelSubscription(self, connection, encoding, echo, presence)
        self._enter_group(subscription)
        self.presence_watchers += presence
        self.size += 1
        if self.carried == self.last and not connection.paused and not self._carrying:
            self._set_ready(subscription)
        else:
            # What is to be carried was published before this subscription.
            self._fall_behind(subscription, self.last)
            self._waiting.append(subscription)
        connection.subscriptions.add(subscription)
        return subscription

    def unsubscribe(self, subscription: ChannelSubscription, rest: bool) -> None:
        """Remove a subscriber; before that, if `rest`, write what the log has for it.

        Paused or not, so that who leaves has got all; or is closed, if that is much.
        """
        if subscription.group is None:
            return
        if not rest:
            self._remove(subscription)
            return
        position, unread = self._position(subscription), 0
        while position < self.last and subscription.group is not None:
            batch = self._log.batch(position, self.last)
            if subscription.connection.paused:
                unread += self._log.weight(position, position + len(batch))
                if unread > REST_BYTES:
                    self._remove(subscription)
                    subscription.connection.close(TOO_SLOW)
                    return
            position += len(batch)
            self._write(subscription, batch)
        if subscription.group is not None:
            self._remove(subscription)

    def carry(self, end: int, budget: int, gather: Gather | None = None) -> int:
        """Carry what is in the log up to number `end` to all who are ready.

        Args:
            end: Not after `last`.
            budget: What this may cost, in bytes and `WRITE_COST` for each write, or
                `GATHER_COST` for what is gathered behind others.
            gather: To be given what else would be written.

        Returns:
            What is left of the budget. All was carried if it is more than 0; else
            there may be more to do in another turn.
        """
        self._carrying = True
        self._gather = gather
        try:
            budget = self._write_deliveries(budget)
            while self.carried < end and budget > 0:
                batch = self._log.batch(self.carried, end)
                before, self.carried = self.carried, self.carried + len(batch)
                self.begun_bytes += self._log.weight(before, self.carried)
                self._interrupted = False
                for group in list(self._groups.values()):
                    self._prepare(group, batch)
                budget = self._write_deliveries(budget)
            self._catch_up_who_wait()
        finally:
            self._carrying = False
            self._gather = None
        self.trim()
        return budget

    def has_carried(self, end: int) -> bool:
        """Say whether all up to number `end` was written to all who are ready."""
        return self.carried >= end and not self._deliveries

    def pause(self, subscription: ChannelSubscription) -> None:
        """Stop writing to a subscriber, from after the batch that is going out."""
        if self._carrying:
            self._paused.append(subscription)
        elif self._is_ready(subscription):
            self._fall_behind(subscription, self._position(subscription))

    def resume(self, subscription: ChannelSubscription) -> None:
        """Write to a subscriber what it is behind by, then count it as ready."""
        if self._carrying:
            self._waiting.append(subscription)
        elif subscription in self._behind and subscription.position <= self.carried:
            self._catch_up(subscription)
            self.trim()

    def reframe(self, subscription: ChannelSubscription) -> None:
        """Move a subscriber to the group of its connection's present framing."""
        group = subscription.group
        if group is None or group.framing == subscription.connection.framing:
            return
        ready, position = self._is_ready(subscription), self._position(subscription)
        self._leave_group(subscription)
        self._enter_group(subscription)
        if ready:
            # Behind, if a batch is due that was made for the old group.
            self._fall_behind(subscription, position)
            self.resume(subscription)

    def _prepare(
        self, group: Group[ChannelSubscription], batch: list[Publication]
    ) -> None:
        try:
            self._deliveries += group.deliveries(batch)
        except Exception:
            # Who is behind may not be owed this, or finds out as it is caught up.
            self._give_up(list(group.ready))

    def _write_deliveries(self, budget: int) -> int:
        """Write as much of the batch that is going out as the budget is for."""
        deliveries = self._deliveries
        while deliveries and budget > 0:
            delivery = deliveries[0]
            cost = len(delivery.chunk) + WRITE_COST
            passed, joined = delivery.write(
                -(-budget // cost), self._interrupted, self._gather
            )
            budget -= cost * passed - (WRITE_COST - GATHER_COST) * joined
            if self._gather is not None and self._gather.is_full:
                self._gather.write()
            if delivery.done:
                deliveries.popleft()
        if deliveries and not self._interrupted:
            self._interrupted = True
            for delivery in deliveries:
                delivery.mark_as_due()
        self._set_back_the_paused()
        return budget

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
            if chunk and self._gather is not None:
                self._gather.add((subscription.connection,), chunk)
                if self._gather.is_full:
                    self._gather.write()
            elif chunk:
                subscription.connection.write(chunk)

    def _give_up(self, subscriptions: list[ChannelSubscription]) -> None:
        """Close those whose encoding has raised; called inside an ``except`` block.

        They would miss a message without a word. Everybody else goes on.
        """
        if self._gather is not None:
            # What they are owed goes out before the close.
            self._gather.write()
        self._on_error(f"cannot encode for {self.name!r}")
        for subscription in subscriptions:
            if subscription.group is not None:
                # Unless what was just written has made it leave.
                self._remove(subscription)
                subscription.connection.close(INTERNAL_ERROR)

    def _set_back_the_paused(self) -> None:
        """Let those fall behind who paused while the last batch went out.

        Who resumed already goes on as if nothing were.
        """
        for subscription in self._paused:
            if self._is_ready(subscription) and subscription.connection.paused:
                self._fall_behind(subscription, self._position(subscription))
        self._paused.clear()

    def _catch_up_who_wait(self) -> None:
        early = []
        while self._waiting:
            subscription = self._waiting.pop()
            if subscription.position > self.carried:
                early.append(subscription)
            elif subscription in self._behind:
                self._catch_up(subscription)
        self._waiting = early

    def _catch_up(self, subscription: ChannelSubscription) -> None:
        """Write batch after batch until all is written or the connection pauses."""
        connection = subscription.connection
        while subscription.position < self.carried and not connection.paused:
            batch = self._log.batch(subscription.position, self.carried)
            subscription.position += len(batch)
            self._write(subscription, batch)
            if subscription.group is None:
                return
        if not connection.paused:
            self._set_ready(subscription)

    def trim(self) -> None:
        """Drop what nobody needs from the log, then what exceeds its limit."""
        if self._deliveries:
            return
        if not self._behind:
            self._log.drop(self.carried)
            return
        limit = CROWDED_BYTES if self._kept.is_too_much else self._max_log_bytes
        if self._log.trim(limit, self.carried):
            dropped = self._log.dropped
            for subscription in [s for s in self._behind if s.position < dropped]:
                self._remove(subscription)
                subscription.connection.close(TOO_SLOW)

    def _is_ready(self, subscription: ChannelSubscription) -> bool:
        group = subscription.group
        return group is not None and subscription in group.ready

    def _position(self, subscription: ChannelSubscription) -> int:
        """Return the number of the last publication that a subscriber was written."""
        if self._is_ready(subscription) and not subscription.due:
            return self.carried
        return subscription.position

    def _set_ready(self, subscription: ChannelSubscription) -> None:
        assert subscription.group is not None
        self._behind.pop(subscription, None)
        subscription.due = False
        subscription.group.ready[subscription] = subscription.connection

    def _fall_behind(self, subscription: ChannelSubscription, position: int) -> None:
        assert subscription.group is not None
        subscription.group.ready.pop(subscription, None)
        subscription.due = False
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
        self.presence_watchers -= subscription.presence
        self.size -= 1
        subscription.due = False
        subscription.connection.subscriptions.discard(subscription)
