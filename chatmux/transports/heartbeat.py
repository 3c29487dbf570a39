# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The times that WebSocket connections are held to once they are open."""

from __future__ import annotations

from typing import Protocol

from chatmux.transports.deadlines import Deadlines
from chatmux.transports.guard import Guard


class Beating(Protocol):
    """What the heartbeat tells a WebSocket connection."""

    def ping(self) -> bool:
        """Send a ping; False where none can be sent any more."""

    def pong_expired(self) -> None:
        """Close: the ping was not answered."""

    def message_expired(self) -> None:
        """Close: a message was begun and not finished."""


class Heartbeat:
    """Pings, their answers, and messages that are not all here.

    For all connections of a listener: three timers, whatever their number.
    """

    def __init__(self, guard: Guard) -> None:
        clock, limits = guard.clock, guard.limits
        self._pings: Deadlines[Beating] = Deadlines(
            clock, limits.ping_seconds, self._ping
        )
        self._pongs: Deadlines[Beating] = Deadlines(
            clock, limits.pong_seconds, _expire_pong
        )
        self._messages: Deadlines[Beating] = Deadlines(
            clock, limits.message_seconds, _expire_message
        )
        guard.watches += [self._pings, self._pongs, self._messages]

    def alive(self, connection: Beating) -> None:
        """Begin, or go on: the connection is open, or has answered."""
        self._pongs.discard(connection)
        self._pings.add(connection)

    def wait_again(self, connection: Beating) -> None:
        """Give the answer to a ping its time once more."""
        self._pongs.add(connection)

    def message_begun(self, connection: Beating) -> None:
        """Hold a message to its time from here on, unless it is held already."""
        if connection not in self._messages:
            self._messages.add(connection)

    def message_ended(self, connection: Beating) -> None:
        """Take note that no message is half here."""
        self._messages.discard(connection)

    def forget(self, connection: Beating) -> None:
        """Take note that the connection is lost."""
        for deadlines in (self._pings, self._pongs, self._messages):
            deadlines.discard(connection)

    def _ping(self, connection: Beating) -> None:
        if connection.ping():
            self._pongs.add(connection)


def _expire_pong(connection: Beating) -> None:
    connection.pong_expired()


def _expire_message(connection: Beating) -> None:
    connection.message_expired()
