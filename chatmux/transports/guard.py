# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What watches over all connections of a node: their number, their time, the log.

One guard serves every listener, so that a limit is written, kept and tested once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import Any, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from chatmux.interfaces import Clock, Subscription
from chatmux.logtext import field
from chatmux.model import NORMAL, TOO_SLOW, Close
from chatmux.settings import Limits
from chatmux.transports.deadlines import Deadlines
from chatmux.transports.stall import StallWatch, Watched

_NOT_LET_IN = frozenset((401, 403, 429))


class Guarded(Watched, Protocol):
    """What the guard knows of a connection."""

    @property
    def number(self) -> int: ...

    @property
    def door(self) -> str:
        """The key of the configuration that it came in by."""

    @property
    def peer(self) -> str:
        """Its peer's address."""

    @property
    def why(self) -> Close | None:
        """Why this side closed it."""

    @property
    def subscriptions(self) -> set[Subscription]: ...

    def close(self, why: Close) -> None: ...

    def abort(self) -> None: ...

    def opening_expired(self) -> None:
        """Close: nothing was said in time."""


class Guard:
    """The connections of a node, and the deadlines that they are held to.

    Args:
        clock: The reactor, or a test's clock.
        limits: As configured.
        new_number: Numbers a connection.
        debug: Whether to log at debug level; what is not logged is not made.
    """

    def __init__(
        self,
        clock: Clock,
        limits: Limits | None = None,
        *,
        new_number: Callable[[], int] | None = None,
        debug: bool = False,
    ) -> None:
        limits = limits or Limits()
        self.clock = clock
        self.limits = limits
        self.debug = debug
        self._new_number = new_number or count(1).__next__
        self.connections: set[Guarded] = set()
        """All that are open, in any state."""
        self.counts: Counter[str] = Counter()
        """``accepted``, ``ignored`` messages, ``missed`` ones, exceptions ``failed``,
        ``closed CODE`` by this side for each code but 1000, ``too slow`` of those,
        HTTP requests ``answered STATUS``."""
        self.openings: Deadlines[Guarded] = Deadlines(
            clock, limits.opening_seconds, _expire_opening
        )
        self.stalls = StallWatch(clock, limits.stall_seconds)
        self.watches: list[Deadlines[Any] | StallWatch] = [self.openings, self.stalls]
        """What is stopped with the guard; kinds of transport add their own."""
        self.log = Logger(namespace="chatmux")
        self._empty: Deferred[None] | None = None

    def admit(self, connection: Guarded) -> int:
        """Take in a new connection, begin its deadline, return its number."""
        self.connections.add(connection)
        self.counts["accepted"] += 1
        self.openings.add(connection)
        return self._new_number()

    def replaced(self, connection: Guarded) -> None:
        """Forget a connection whose socket another one, admitted already, goes on with.

        It was one that was accepted, and counts as one.
        """
        self._forget(connection)
        self.counts["accepted"] -= 1

    def release(self, connection: Guarded) -> None:
        """Forget a connection that is lost, and log how it ended."""
        self._forget(connection)
        self._log_end(connection)
        if self._empty is not None and not self.connections:
            self._empty.callback(None)
            self._empty = None

    def _forget(self, connection: Guarded) -> None:
        self.connections.discard(connection)
        self.openings.discard(connection)
        self.stalls.forget(connection)

    def _log_end(self, connection: Guarded) -> None:
        why = connection.why
        if why is None or why.code == NORMAL.code:
            if self.debug:
                self.log.debug("{which} ended", which=describe(connection))
            return
        self.counts[f"closed {why.code}"] += 1
        if why is TOO_SLOW:
            self.counts["too slow"] += 1
        self.log.info(
            "{which} closed, {code}: {reason}",
            which=describe(connection),
            code=why.code,
            reason=field(why.reason),
        )

    def ignored(self, connection: Guarded, why: str) -> None:
        """Count a message that was of no effect; log it at debug."""
        self.counts["ignored"] += 1
        if self.debug:
            self.log.debug(
                "{which} ignored: {why}", which=describe(connection), why=field(why)
            )

    def answered(self, connection: Guarded, request: str, status: int) -> None:
        """Count an answer over HTTP; log at info who was not let in, else at debug."""
        self.counts[f"answered {status}"] += 1
        refused = status in _NOT_LET_IN
        if refused or self.debug:
            log = self.log.info if refused else self.log.debug
            log(
                "{which} was answered {status}: {request}",
                which=describe(connection),
                status=status,
                request=field(request),
            )

    def missed(self, connection: Guarded, count: int) -> None:
        """Count, and log, messages that were dropped before their peer came."""
        self.counts["missed"] += count
        self.log.info(
            "{which} missed {count} messages", which=describe(connection), count=count
        )

    def failed(self, connection: Guarded, where: str) -> None:
        """Log the exception that is being handled: an error of ours."""
        self.counts["failed"] += 1
        self.log.failure("{which} {where}", which=describe(connection), where=where)

    def emptied(self) -> Deferred[None]:
        """Fire when the last connection is lost."""
        if not self.connections:
            return succeed(None)
        self._empty = Deferred()
        return self._empty

    def stop(self) -> None:
        """Leave nothing in the reactor."""
        for watch in self.watches:
            watch.stop()


def describe(connection: Guarded) -> str:
    """Name a connection in a log line."""
    return f"connection {connection.number} ({connection.door}, {connection.peer})"


def _expire_opening(connection: Guarded) -> None:
    connection.opening_expired()
