# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Who there is and what they are sent: the meaning of the commands, without the words.

A user hears what was whispered and shouted in the order in which the back-end said it,
across channels: whispers go through the broker, too, and whenever the back-end turns
from one channel or user to another there is a fence. (For a browser that reads too
slowly the order holds within each channel, and among whispers.)
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from functools import partial
from itertools import count, islice

from chatmux.errors import ChannelFullError
from chatmux.interfaces import Connection, Entrance
from chatmux.model import NORMAL, Close, Member
from chatmux.protocols.webtalk.attendant import Attendant
from chatmux.protocols.webtalk.ids import new_salt
from chatmux.protocols.webtalk.messages import NAME, encode
from chatmux.protocols.webtalk.users import Channel, Expiry, Place, User
from chatmux.protocols.webtalk.waiting import Waiting

EVERYBODY = 1
"""The channel that every new user is in."""

MOST_EXPIRED = 100
"""How many users are killed at once for having been away too long."""

TAKEN_OVER = Close(NORMAL.code, "the user has logged in elsewhere")
KILLED = Close(NORMAL.code, "the user was killed")


class UnknownUserError(LookupError):
    """There is no such user. Holds the id."""


class UnknownChannelError(LookupError):
    """There is no such channel. Holds the id."""


class QueueFullError(Exception):
    """There is no room for a whisper to wait."""


class TooManyError(Exception):
    """There are as many users or channels as there may be. Holds which."""


class Hub:
    """All users and channels of a node. Lost with the process.

    Args:
        entrance: To the broker, which carries to all who are connected.
        now: Seconds of any clock that does not jump.
        waiting: Keeps for all who are not.
        sender: Name that shouts have for other protocols.
        login_seconds: How long a user may never have logged in; 0 for ever.
        absent_seconds: How long a user may be away; 0 for ever.
        max_users: How many there may be.
        max_channels: How many there may be, everybody's included.
    """

    def __init__(
        self,
        entrance: Entrance,
        now: Callable[[], float],
        waiting: Waiting,
        *,
        sender: str = NAME,
        login_seconds: float = 0,
        absent_seconds: float = 0,
        max_users: int = 1_000_000,
        max_channels: int = 100_000,
    ) -> None:
        self._entrance = entrance
        self._waiting = waiting
        self._sender = sender
        self._max_users = max_users
        self._max_channels = max_channels
        self._users: dict[int, User] = {}
        self._channels: dict[int, Channel] = {}
        self._user_ids = count(1)
        self._channel_ids = count(EVERYBODY)
        self._never_seen = Expiry(login_seconds, now)
        self._gone = Expiry(absent_seconds, now)
        self._spoken_to: User | Channel | None = None
        self.new_channel()

    def new_user(self) -> User:
        """Make a user, who is in the channel of everybody, and not connected.

        Raises:
            TooManyError: Of users.
        """
        self._kill_the_expired()
        if len(self._users) >= self._max_users:
            raise TooManyError("users")
        user = User(next(self._user_ids), new_salt())
        self._users[user.id] = user
        self._never_seen.add(user)
        self._put(user, self._channels[EVERYBODY])
        return user

    def kill_user(self, user_id: int) -> None:
        """Remove a user from everywhere, and close the connection.

        Raises:
            UnknownUserError: Nobody has this id.
        """
        user = self._user(user_id)
        connection = user.connection
        if user.places:
            # Who leaves is written at once what is still to come: not before all else.
            self._entrance.flush()
        self._detach(user)
        for channel in user.places:
            del channel.members[user]
            if connection is None:
                self._attend(channel, -1)
        user.places.clear()
        self._waiting.clear(user.whispers)
        self._never_seen.discard(user)
        self._gone.discard(user)
        del self._users[user_id]
        if connection is not None:
            connection.close(KILLED)

    def whisper(self, user_id: int, text: str) -> None:
        """Send a text to one user, or keep it for the login.

        Raises:
            UnknownUserError: Nobody has this id.
            QueueFullError: The user is absent, and too much waits already.
        """
        user = self._user(user_id)
        if user.connection is None:
            # What was shouted before comes before it.
            self._entrance.flush()
            message = text.encode()
            if not self._waiting.has_room(len(message), user.shares()):
                raise QueueFullError
            self._waiting.put(user.whispers, message)
            return
        self._turn_to(user)
        if user.words is None:
            own = f"{NAME}-whispers/{user_id}"
            user.entry = self._entrance.enter(own, NAME)
            user.words = user.entry.subscribe(user.connection, encode)
        user.entry.publish(self._sender, text, origin=NAME)

    def new_channel(self) -> int:
        """Make a channel without members; return its id.

        Raises:
            TooManyError: Of channels, or of others in the bridge that it is part of.
        """
        if len(self._channels) >= self._max_channels:
            raise TooManyError("channels")
        channel_id = next(self._channel_ids)
        name = f"{NAME}/{channel_id}"
        try:
            entry = self._entrance.enter(name, NAME)
        except ChannelFullError:
            raise TooManyError("members in the bridge") from None
        self._channels[channel_id] = Channel(entry, self._entrance.is_bridged(name))
        return channel_id

    def kill_channel(self, channel_id: int) -> None:
        """Remove all members of a channel, and the channel, unless everybody's.

        Raises:
            UnknownChannelError: There is none with this id.
        """
        channel = self._channel(channel_id)
        for user in list(channel.members):
            self._remove(user, channel)
        if channel_id != EVERYBODY:
            del self._channels[channel_id]

    def shout(self, channel_id: int, text: str) -> None:
        """Send a text to all members of a channel; to the absent, at their login.

        Raises:
            UnknownChannelError: There is none with this id.
        """
        channel = self._channel(channel_id)
        self._turn_to(channel)
        channel.entry.publish(self._sender, text, origin=NAME)

    def join(self, channel_id: int, user_id: int) -> None:
        """Make a user a member, once.

        Raises:
            UnknownChannelError, UnknownUserError: There is none with this id.
        """
        channel, user = self._channel(channel_id), self._user(user_id)
        if channel not in user.places:
            self._put(user, channel)

    def leave(self, channel_id: int, user_id: int) -> None:
        """Make a user a member no more.

        Raises:
            UnknownChannelError, UnknownUserError: There is none with this id.
        """
        channel, user = self._channel(channel_id), self._user(user_id)
        if channel in user.places:
            self._remove(user, channel)

    def login(self, user_id: int, salt: bytes, connection: Connection) -> User | None:
        """Connect a user, hand over what waits, end another connection of the same.

        Returns:
            The user; None where there is none with this id and this salt, and nothing
            has happened.
        """
        self._kill_the_expired()
        user = self._users.get(user_id)
        if user is None or not hmac.compare_digest(salt, user.salt):
            return None
        if self._never_seen.is_due(user) or self._gone.is_due(user):
            return None
        # All that was said goes to where the user was, all else to the new connection.
        self._entrance.flush()
        if user.connection is not None:
            first = user.connection
            for channel in user.places:
                # Before the other goes, so that nobody is told of a coming and going.
                self._come(user, channel, connection)
            self._detach(user)
            first.close(TAKEN_OVER)
            self._attach(user, connection)
        else:
            self._never_seen.discard(user)
            self._gone.discard(user)
            self._hand_over(user, connection)
            self._attach(user, connection)
            for channel in user.places:
                self._attend(channel, -1)
        return user

    def logout(self, user: User, connection: Connection) -> None:
        """Take note that a connection is lost; the user's, unless taken over."""
        if user.connection is not connection:
            return
        # What was said before is not kept for the user.
        self._entrance.flush()
        self._detach(user)
        self._gone.add(user)
        user.since = user.whispers.put
        for channel, place in user.places.items():
            self._attend(channel, +1)
            place.since = channel.shelf.put

    def _user(self, user_id: int) -> User:
        try:
            return self._users[user_id]
        except KeyError:
            raise UnknownUserError(user_id) from None

    def _channel(self, channel_id: int) -> Channel:
        try:
            return self._channels[channel_id]
        except KeyError:
            raise UnknownChannelError(channel_id) from None

    def _kill_the_expired(self) -> None:
        # Some at a time: one user is made for each call, so they do not become more.
        for expiry in (self._never_seen, self._gone):
            for user in islice(expiry.take_due(), MOST_EXPIRED):
                self.kill_user(user.id)

    def _turn_to(self, target: User | Channel) -> None:
        """See to the order of what is said to one after what was said to another."""
        if target is not self._spoken_to:
            self._entrance.fence()
            self._spoken_to = target

    def _put(self, user: User, channel: Channel) -> None:
        place = user.places[channel] = channel.members[user] = Place()
        if user.connection is None:
            self._attend(channel, +1)
            # What was shouted before is not for the user.
            self._entrance.flush()
            place.since = channel.shelf.put
        else:
            self._subscribe(user, channel, place, user.connection)

    def _remove(self, user: User, channel: Channel) -> None:
        # Who leaves is written at once what is still to come: not before all else.
        self._entrance.flush()
        place = user.places.pop(channel)
        del channel.members[user]
        if place.subscription is not None:
            assert user.connection is not None
            self._entrance.unsubscribe(place.subscription)
            channel.entry.leave(user.connection.number)
        else:
            self._attend(channel, -1)

    def _attach(self, user: User, connection: Connection) -> None:
        user.connection = connection
        for channel, place in user.places.items():
            self._subscribe(user, channel, place, connection)

    def _detach(self, user: User) -> None:
        """End the subscriptions of a connection that has ended or is to end."""
        connection, user.connection = user.connection, None
        # Who does not read gets no copy of its own of what it has not read.
        rest = connection is not None and not connection.paused
        for channel, place in user.places.items():
            if connection is not None and place.subscription is not None:
                self._entrance.unsubscribe(place.subscription, rest=rest)
                channel.entry.leave(connection.number)
                place.subscription = None
        if user.words is not None:
            self._entrance.unsubscribe(user.words, rest=rest)
            user.words = None

    def _subscribe(
        self, user: User, channel: Channel, place: Place, connection: Connection
    ) -> None:
        self._come(user, channel, connection)
        place.subscription = channel.entry.subscribe(connection, encode)

    def _come(self, user: User, channel: Channel, connection: Connection) -> None:
        """Tell other protocols who is here; nobody else could ask."""
        if channel.is_bridged:
            name = f"{self._sender} {user.id}"
            member = Member(name, NAME, connection.number, owns_name=False)
            channel.entry.join(member)

    def _hand_over(self, user: User, connection: Connection) -> None:
        """Write what waits for a user, and say how much of it was dropped."""
        shares = list(user.shares())
        queue = self._waiting.queue(shares)
        missed = sum(shelf.put - number for shelf, number in shares) - len(queue)
        if missed:
            connection.missed(missed)
        if queue:
            connection.write(b"".join(map(connection.framing, queue)))
        self._waiting.clear(user.whispers)

    def _attend(self, channel: Channel, more: int) -> None:
        """Count absent members, and have somebody hear for them."""
        channel.absent += more
        if channel.absent and channel.attendant is None:
            keep = partial(self._waiting.put, channel.shelf)
            channel.attendant = Attendant(self._entrance.new_number(), keep)
            channel.entry.subscribe(channel.attendant, encode)
        elif not channel.absent and channel.attendant is not None:
            for subscription in tuple(channel.attendant.subscriptions):
                self._entrance.unsubscribe(subscription)
            channel.attendant = None
            self._waiting.clear(channel.shelf)
