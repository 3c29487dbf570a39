# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What watches over all connections of a node: their number, their time, the log.

One guard serves every listener, so that a limit is written, kept and tested once.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from chatmux.address import is_loopback, network_of
from chatmux.interfaces import Clock, Subscription
from chatmux.logtext import field
from chatmux.model import NORMAL, TOO_SLOW, Close
from chatmux.proxies import UNIX, Proxies
from chatmux.settings import Limits
from chatmux.transports.deadlines import Deadlines
from chatmux.transports.meter import Meter
from chatmux.transports.stall import StallWatch, Watched

WHICH = "connection {number} ({door}, {peer})"
"""How a log line names a connection; its fields are for logs in JSON."""

_NOT_LET_IN = frozenset((401, 403, 429))


SPARED = 8
"""How many may come in by the operator's door though all is full."""
REFUSALS = 200
"""How many of the last refusals are remembered."""


class Refusal(NamedTuple):
    """Somebody who was not let in, or was closed for a fault."""

    time: float
    """Seconds since the epoch."""
    door: str
    peer: str
    code: int
    """Of a WebSocket's close or an HTTP answer; 0 where nothing was heard of them."""
    reason: str


class Guarded(Watched, Protocol):
    """What the guard knows of a connection."""

    @property
    def number(self) -> int: ...

    door: str
    """The key of the configuration that it came in by."""

    @property
    def peer(self) -> str:
        """Its peer's address, for the log."""

    host: str
    """The address of who is at the other end, proxies passed over; ``local`` on a Unix
    socket."""
    counted: str | None
    """As what the guard counts it among those of its address."""
    meter: Meter | None
    """What it may send; None for any amount."""

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
        proxies: Who is believed whom it speaks for.
        max_connections: How many there may be; left out: the limit's, or any.
        new_number: Numbers a connection.
        debug: Whether to log at debug level; what is not logged is not made.
    """

    def __init__(
        self,
        clock: Clock,
        limits: Limits | None = None,
        *,
        proxies: Proxies | None = None,
        max_connections: int | None = None,
        new_number: Callable[[], int] | None = None,
        debug: bool = False,
    ) -> None:
        limits = limits or Limits()
        self.clock = clock
        self.limits = limits
        self.debug = debug
        self.proxies = proxies or Proxies()
        self.max_connections = max_connections or limits.max_connections
        self._new_number = new_number or count(1).__next__
        self.connections: set[Guarded] = set()
        """All that are open, in any state."""
        self.unknown = 0
        """How many more are accepted of whom a proxy has still to say who they are."""
        self.lingering = 0
        """How many of those who were turned away still are there, to read why."""
        self.spared = ""
        """The key of the operator's door, if there is one."""
        self.paused: set[Guarded] = set()
        """Those that take nothing now."""
        self.of_door: Counter[str] = Counter()
        """How many of them came in by which door."""
        self._of_address: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        """``accepted``, ``turned away``, ``ignored`` messages, ``missed`` ones,
        exceptions ``failed``, ``closed CODE`` by this side for each code but 1000,
        ``too slow`` of those, HTTP requests ``answered STATUS``."""
        self.openings: Deadlines[Guarded] = Deadlines(
            clock, limits.opening_seconds, _expire_opening
        )
        self.stalls = StallWatch(clock, limits.stall_seconds)
        self.watches: list[Deadlines[Any] | StallWatch] = [self.openings, self.stalls]
        """What is stopped with the guard; kinds of transport add their own."""
        self.log = Logger(namespace="chatmux")
        self.refusals: deque[Refusal] = deque(maxlen=REFUSALS)
        """The last, for the operator."""
        self.refused = 0
        """How many there were."""
        self.listeners: set[Callable[[Refusal], None]] = set()
        """Told of each."""
        self._empty: Deferred[None] | None = None

    def came_by(self, connection: Guarded, key: str) -> None:
        """Take note by which of several doors of an address somebody has come in."""
        if connection in self.connections:
            self.of_door[connection.door] -= 1
            self.of_door[key] += 1
        connection.door = key

    def why_not(self, host: str, door: str = "") -> str | None:
        """Say why nobody more can come in from an address, or None."""
        most = self.max_connections
        if most is not None and door and door == self.spared:
            most += SPARED
        if most is not None and len(self.connections) + self.unknown >= most:
            return "there are as many connections as there may be"
        one = self._network(host)
        if one is not None and self._is_full(self._of_address[one] + 1):
            return "its address has as many connections as it may have"
        return None

    def admit(self, connection: Guarded) -> int:
        """Take in a new connection, begin its deadline, return its number."""
        self.connections.add(connection)
        self.of_door[connection.door] += 1
        self._count(connection)
        self.counts["accepted"] += 1
        self.openings.add(connection)
        return self._new_number()

    def speaks_for(self, connection: Guarded, host: str) -> bool:
        """Take note of the client that a trusted proxy has let a connection be of.

        Returns:
            Whether its address may have one more; where not, it is not counted.
        """
        before, meter = connection.counted, connection.meter
        self._uncount(connection)
        connection.host = host
        self._count(connection)
        one = connection.counted
        if one == before:
            # Another address of the same network begins nothing anew.
            connection.meter = meter
        if one is None or not self._is_full(self._of_address[one]):
            return True
        self._uncount(connection)
        return False

    def _count(self, connection: Guarded) -> None:
        """Begin to hold a connection to what its address may do."""
        one = connection.counted = self._network(connection.host)
        connection.meter = None
        if one is not None:
            self._of_address[one] += 1
            limits = self.limits
            connection.meter = Meter(
                limits.messages_per_second,
                limits.delivered_per_second,
                self.clock.seconds(),
            )

    def _uncount(self, connection: Guarded) -> None:
        one, connection.counted = connection.counted, None
        if one is not None:
            self._of_address[one] -= 1
            if not self._of_address[one]:
                del self._of_address[one]

    def _network(self, host: str) -> str | None:
        """Return what an address is counted as; None for those that are not counted.

        That is this machine's own, which may be a proxy's that nobody has configured,
        and those of proxies, which are everybody's.
        """
        # The first two are what most come from, in tests and behind proxies.
        if host == UNIX or host.startswith("127.") or is_loopback(host):
            return None
        return None if self.proxies.trust(host) else network_of(host)

    def _is_full(self, count: int) -> bool:
        most = self.limits.max_connections_per_address
        return bool(most) and count > most

    def _refused(self, door: str, peer: str, code: int, reason: str) -> None:
        self.refused += 1
        refusal = Refusal(time.time(), door, peer, code, field(reason))
        self.refusals.append(refusal)
        for told in tuple(self.listeners):
            told(refusal)

    def turned_away(self, door: str, peer: str, why: str) -> None:
        """Count, and log, somebody who was not let in."""
        self.counts["turned away"] += 1
        self._refused(door, peer, 0, why)
        self.log.info(
            "{peer} ({door}) was turned away: {why}", peer=peer, door=door, why=why
        )

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
        if connection in self.connections:
            self.connections.remove(connection)
            self.of_door[connection.door] -= 1
        self.paused.discard(connection)
        self._uncount(connection)
        self.openings.discard(connection)
        self.stalls.forget(connection)

    def _log_end(self, connection: Guarded) -> None:
        why = connection.why
        if why is None or why.code == NORMAL.code:
            if self.debug:
                self.log.debug(f"{WHICH} ended", **_fields(connection))
            return
        self.counts[f"closed {why.code}"] += 1
        form = f"{WHICH} closed, {{code}}: {{reason}}"
        if why is TOO_SLOW:
            self.counts["too slow"] += 1
            # A kind of line of its own, that no flood of others damps.
            form = f"{WHICH} closed, {{code}}: {TOO_SLOW.reason}"
        self._refused(connection.door, connection.peer, why.code, why.reason)
        self.log.info(
            form,
            **_fields(connection),
            code=why.code,
            reason=field(why.reason),
        )

    def ignored(self, connection: Guarded, why: str) -> None:
        """Count a message that was of no effect; log it at debug."""
        self.counts["ignored"] += 1
        if self.debug:
            self.log.debug(
                f"{WHICH} ignored: {{why}}", **_fields(connection), why=field(why)
            )

    def answered(self, connection: Guarded, request: str, status: int) -> None:
        """Count an answer over HTTP; log at info who was not let in, else at debug."""
        self.counts[f"answered {status}"] += 1
        refused = status in _NOT_LET_IN
        if refused:
            self._refused(connection.door, connection.peer, status, request)
        if refused or self.debug:
            log = self.log.info if refused else self.log.debug
            log(
                f"{WHICH} was answered {{status}}: {{request}}",
                **_fields(connection),
                status=status,
                request=field(request),
            )

    def missed(self, connection: Guarded, count: int) -> None:
        """Count, and log, messages that were dropped before their peer came."""
        self.counts["missed"] += count
        self.log.info(
            f"{WHICH} missed {{count}} messages", **_fields(connection), count=count
        )

    def failed(self, connection: Guarded, where: str) -> None:
        """Log the exception that is being handled: an error of ours."""
        self.counts["failed"] += 1
        self.log.failure(f"{WHICH} {{where}}", **_fields(connection), where=where)

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


def _fields(connection: Guarded) -> dict[str, Any]:
    """Return what a log line names a connection by."""
    return {
        "number": connection.number,
        "door": connection.door,
        "peer": connection.peer,
    }


def _expire_opening(connection: Guarded) -> None:
    connection.opening_expired()
