# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""One connection to a room: it listens, and may join and talk."""

from __future__ import annotations

from chatmux.errors import NameTakenError, TextError
from chatmux.interfaces import Broker, Clock, Connection, Delayed
from chatmux.model import Close, Member
from chatmux.protocols.globes.events import NAME, Said, color_of, decode, refusal
from chatmux.protocols.globes.rooms import LiveRoom
from chatmux.text import NAME_LENGTH, fold, name_fault

TOKEN_EXPIRED = Close(1008, "the token has expired")


class Session:
    """A connection's conversation.

    Args:
        connection: Its own.
        broker: Carries the room's events.
        room: That it is connected to.
        username: From its token, in a protected room; None elsewhere.
        clock: Ends the connection with its token.
        seconds_left: Until then; None for never.
    """

    __slots__ = (
        "_broker",
        "_color",
        "_connection",
        "_expiry",
        "_name",
        "_room",
        "_subscription",
        "_username",
    )

    def __init__(
        self,
        connection: Connection,
        broker: Broker,
        room: LiveRoom,
        username: str | None,
        clock: Clock,
        seconds_left: float | None,
    ) -> None:
        self._connection = connection
        self._broker = broker
        self._room = room
        self._username = username
        self._name: str | None = None
        self._color = ""
        self._expiry: Delayed | None = None
        if seconds_left is not None:
            self._expiry = clock.callLater(seconds_left, self._expire)
        connection.opened()
        room.connected.add(connection.close)
        self._subscription = broker.subscribe(
            room.channel, connection, room.encode, presence=True
        )

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

    def closed(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        self._room.connected.discard(self._connection.close)
        self._broker.unsubscribe(self._subscription)
        self._leave_room()

    def _expire(self) -> None:
        self._expiry = None
        self._connection.close(TOKEN_EXPIRED)

    def _join(self, said: Said, name: str) -> None:
        name = self._username or name
        if self._name is not None:
            if fold(name) != fold(self._name):
                self._refuse(name, f"this connection has joined as {self._name}")
            return
        fault = name_fault(name)
        if fault is not None:
            self._refuse(name, f"the name {fault}")
            return
        color = color_of(said)
        member = Member(name, NAME, self._connection.number, color=color)
        try:
            self._broker.join(self._room.channel, member)
        except NameTakenError as error:
            self._refuse(name, str(error))
            return
        self._name, self._color = name, color

    def _send(self, said: Said, name: str) -> None:
        if not said.msg:
            self._connection.ignored("a send without a message")
            return
        if self._name is None or fold(name) != fold(self._name):
            self._refuse(name, self._why_not())
            return
        color = color_of(said)
        self._broker.publish(
            self._room.channel,
            self._name,
            said.msg,
            origin=NAME,
            source=self._connection.number,
            ext={"color": color} if color else None,
        )

    def _leave(self, said: Said, name: str) -> None:
        if self._name is None or fold(name) != fold(self._name):
            self._refuse(name, self._why_not())
            return
        self._leave_room()

    def _leave_room(self) -> None:
        if self._name is not None:
            self._name = None
            self._broker.leave(self._room.channel, self._connection.number)

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


_EVENTS = {"join": Session._join, "send": Session._send, "leave": Session._leave}
