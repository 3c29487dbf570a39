# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""One connection to a room: it listens, and may join and talk."""

from __future__ import annotations

from chatmux.errors import NameTakenError, PeerError, TextError
from chatmux.interfaces import Clock, Connection, Delayed, Entrance, Entry
from chatmux.model import TOO_FAST, Close, Member
from chatmux.protocols.globes.events import NAME, Said, color_of, decode, refusal
from chatmux.protocols.globes.rooms import LiveRoom
from chatmux.text import NAME_LENGTH, fold, name_fault

_LONGEST = 4 * NAME_LENGTH
"""No way to write a name that somebody has is longer, in characters."""

TOKEN_EXPIRED = Close(1008, "the token has expired")


class Session:
    """A connection's conversation.

    Args:
        connection: Its own.
        entrance: To the broker.
        entry: Leave to be in the room.
        room: That it is connected to.
        username: From its token, in a protected room; None elsewhere.
        clock: Ends the connection with its token.
        seconds_left: Until then; None for never.
        with_origin: Whether events say of which protocol their senders are.
    """

    __slots__ = (
        "_color",
        "_connection",
        "_entrance",
        "_entry",
        "_expiry",
        "_folded",
        "_name",
        "_room",
        "_subscription",
        "_username",
    )

    def __init__(
        self,
        connection: Connection,
        entrance: Entrance,
        entry: Entry,
        room: LiveRoom,
        username: str | None,
        clock: Clock,
        seconds_left: float | None,
        with_origin: bool = False,
    ) -> None:
        self._connection = connection
        self._entrance = entrance
        self._entry = entry
        self._room = room
        self._username = username
        self._name: str | None = None
        self._folded = ""
        """That name, folded once: a long one takes its time."""
        self._color = ""
        self._expiry: Delayed | None = None
        if seconds_left is not None:
            self._expiry = clock.callLater(seconds_left, self._expire)
        connection.opened()
        room.connected.add(connection.close)
        encode = room.encode_with_origin if with_origin else room.encode
        self._subscription = entry.subscribe(connection, encode, presence=True)

    def received(self, message: bytes, binary: bool) -> None:
        if binary:
            self._connection.ignored("a binary event")
            return
        try:
            said = decode(message)
        except TextError as error:
            self._connection.ignored(str(error))
            return
        if not said.name or said.event_type not in _EVENTS:
            self._connection.ignored("an event without a name or a known type")
            return
        _EVENTS[said.event_type](self, said, said.name)
        if said.event_type != "send":
            # Of comings and goings others are told, too.
            self._charge(0)

    def closed(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        self._room.connected.discard(self._connection.close)
        self._entrance.unsubscribe(self._subscription)
        self._leave_room()

    def _expire(self) -> None:
        self._expiry = None
        self._connection.close(TOKEN_EXPIRED)

    def _join(self, said: Said, name: str) -> None:
        name = self._username or name
        if self._name is not None:
            if not self._is_mine(name):
                self._refuse(name, f"this connection has joined as {self._name}")
            return
        fault = name_fault(name)
        if fault is not None:
            self._refuse(name, f"the name {fault}")
            return
        color = color_of(said)
        member = Member(name, NAME, self._connection.number, color=color)
        try:
            self._entry.join(member)
        except NameTakenError as error:
            self._refuse(name, str(error))
            return
        self._name, self._folded, self._color = name, fold(name), color

    def _send(self, said: Said, name: str) -> None:
        if not said.msg:
            self._connection.ignored("a send without a message")
            return
        if self._name is None or not self._is_mine(name):
            self._refuse(name, self._why_not())
            self._charge(0)
            return
        color = color_of(said)
        deliveries = self._entry.publish(
            self._name,
            said.msg,
            origin=NAME,
            source=self._connection.number,
            ext={"color": color} if color else None,
        )
        self._charge(deliveries)

    def _leave(self, said: Said, name: str) -> None:
        if not self._is_mine(name):
            self._refuse(name, self._why_not())
            return
        self._leave_room()

    def _is_mine(self, name: str) -> bool:
        if self._name is None or len(name) > _LONGEST:
            return False
        return name == self._name or fold(name) == self._folded

    def _leave_room(self) -> None:
        if self._name is not None:
            self._name = None
            self._entry.leave(self._connection.number)

    def _why_not(self) -> str:
        if self._name is None:
            return "join first"
        return f"this connection has joined as {self._name}"

    def _refuse(self, name: str, why: str) -> None:
        if self._connection.paused:
            # Who reads nothing gets no queue of answers to what it sends.
            self._connection.ignored(why)
            return
        self._connection.send(refusal(name[:NAME_LENGTH], self._room.room.id, why))

    def _charge(self, deliveries: int) -> None:
        if not self._connection.charge(deliveries):
            raise PeerError(TOO_FAST)


_EVENTS = {"join": Session._join, "send": Session._send, "leave": Session._leave}
