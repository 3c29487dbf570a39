# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What a back-end says and who hears it, for any interleaving of what can happen.

The model is naive: each absent user has a queue of all that was ever said to them, and
what waits is its end, back to where a limit is met or the common memory was short.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count, cycle, islice, product

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatmux.broker.channel import WRITE_COST
from chatmux.broker.local import TURN_BUDGET
from chatmux.model import NORMAL
from chatmux.protocols.webtalk.hub import EVERYBODY
from chatmux.protocols.webtalk.waiting import ENTRY_BYTES
from tests.profiles import examples
from tests.webtalk_doubles import Browser, Webtalk

MAX_MESSAGES = 4
MAX_BYTES = 50
LOGIN_SECONDS = 40.0
ABSENT_SECONDS = 25.0
FOREIGN = {"multichat": 1, "machat/a": 2}
"""Channels of others, and those of webtalk that they are bridged with."""
ROOMS = (1 << 30, 1 << 30, 0, 30)
"""How much browsers take before they pause."""
WHISPERS = 0
"""In the place of a channel: the text is a whisper."""


@dataclass(eq=False)
class Item:
    """A text, once for all who are absent."""

    text: bytes
    channel: int
    user: int
    """Whom it was whispered to."""
    gone: bool = False
    """There was too much for all together."""


@dataclass(eq=False)
class Peer:
    """A browser that is or was logged in, and what it should have heard."""

    browser: Browser
    said: list[tuple[int, bytes]] = field(default_factory=list)
    cut: bool = False
    """Whether it ended when it did not read."""

    @property
    def quick(self) -> bool:
        return self.browser.connection.room == ROOMS[0]

    def check(self) -> None:
        """Compare what has come with what was said, as far as it has come."""
        start = len(self.browser.heard)
        new = self.browser.take_now()
        if self.quick:
            said = self.said[start : start + len(new)]
            assert new == [text for _, text in said]

    def check_all(self) -> None:
        """Compare everything, when nothing more can be on its way.

        Who was cut may have less, but nothing from the middle is missing.
        """
        self.check()
        heard = self.browser.heard
        if not self.cut:
            assert len(heard) == len(self.said)
        for channel in {channel for channel, _ in self.said}:
            own = [text for place, text in self.said if place == channel]
            heard_own = [text for text in heard if text in own]
            assert heard_own == own[: len(heard_own)]


@dataclass(eq=False)
class User:
    id: int
    due: float
    peer: Peer | None = None
    queue: list[Item] = field(default_factory=list)

    def waiting(self) -> list[Item]:
        """Return what is left of the queue within a user's own limits."""
        rest: list[Item] = []
        room = MAX_BYTES
        for item in reversed(self.queue):
            room -= len(item.text)
            if item.gone or room < 0 or len(rest) == MAX_MESSAGES:
                break
            rest.insert(0, item)
        return rest


class Model:
    """A webtalk, and what everybody should have been sent."""

    def __init__(self, together: int, turn_budget: int) -> None:
        self.together = together
        self.webtalk = Webtalk(
            bridges=[
                [foreign, f"webtalk/{channel}"] for foreign, channel in FOREIGN.items()
            ],
            max_messages=MAX_MESSAGES,
            max_bytes=MAX_BYTES,
            max_bytes_together=together,
            turn_budget=turn_budget,
            login_seconds=LOGIN_SECONDS,
            absent_seconds=ABSENT_SECONDS,
            strict=True,
        )
        self.users: dict[int, User] = {}
        self.channels: dict[int, list[User]] = {EVERYBODY: []}
        self.last_user = 0
        self.last_channel = EVERYBODY
        self.stored: list[Item] = []
        """All that is kept in memory, the oldest first."""
        self.texts = count(1)
        self.peers: list[Peer] = []
        self.displaced: list[Peer] = []
        """Whose end has come, and the news of it not yet."""

    # What can happen.

    def new_user(self) -> None:
        self.expire()
        (user_id,) = self.webtalk.new_users(1)
        self.last_user += 1
        assert user_id == self.last_user
        user = self.users[user_id] = User(user_id, self.now + LOGIN_SECONDS)
        self.put(user, EVERYBODY)

    def kill_user(self, number: int) -> None:
        user_id = self.any_user(number)
        if user_id in self.users:
            self.carry_if_without_channel(self.users[user_id])
        self.expect(b"[killuser] %d" % user_id, b"user killed", user=user_id)
        if user_id in self.users:
            self.remove_user(self.users[user_id])

    def new_channel(self) -> None:
        if self.last_channel == 4:
            return
        self.last_channel += 1
        assert self.webtalk.new_channel() == self.last_channel
        self.channels[self.last_channel] = []

    def kill_channel(self, number: int) -> None:
        channel_id = self.any_channel(number)
        self.expect(
            b"[killchannel] %d" % channel_id, b"channel killed", channel=channel_id
        )
        for user in list(self.channels.get(channel_id, ())):
            self.remove(user, channel_id)
        if channel_id != EVERYBODY:
            self.channels.pop(channel_id, None)

    def join(self, channel: int, user: int) -> None:
        channel, user = self.any_channel(channel), self.any_user(user)
        self.expect(b"[join] %d!%d" % (channel, user), b"user joined", user, channel)
        if channel in self.channels and user in self.users:
            member = self.users[user]
            if member not in self.channels[channel]:
                self.put(member, channel)

    def leave(self, channel: int, user: int) -> None:
        channel, user = self.any_channel(channel), self.any_user(user)
        self.expect(b"[leave] %d!%d" % (channel, user), b"user leaved", user, channel)
        if channel in self.channels and user in self.users:
            member = self.users[user]
            if member in self.channels[channel]:
                self.remove(member, channel)

    def whisper(self, number: int, size: int) -> None:
        user_id, text = self.any_user(number), self.text(size)
        frame = b"[whisper] %d!%s" % (user_id, text)
        user = self.users.get(user_id)
        if user is None:
            self.expect(frame, b"", user=user_id)
            return
        if user.peer is not None:
            self.expect(frame, b"message sent")
            user.peer.said.append((WHISPERS, text))
            return
        waiting = user.waiting()
        if (
            len(waiting) == MAX_MESSAGES
            or sum(len(item.text) for item in waiting) + len(text) > MAX_BYTES
            or self.memory + len(text) + ENTRY_BYTES > self.together
        ):
            words = b"[error] User %d: too much is waiting already" % user_id
            assert self.webtalk.say(frame) == [words]
        else:
            self.expect(frame, b"message sent")
            self.keep(Item(text, WHISPERS, user_id), [user])

    def shout(self, number: int, size: int) -> None:
        channel_id, text = self.any_channel(number), self.text(size)
        self.expect(
            b"[shout] %d!%s" % (channel_id, text), b"message sent", channel=channel_id
        )
        self.publish(channel_id, text)

    def talk(self, channel: int, user: int) -> None:
        """Say something here and there and here again."""
        self.shout(channel, 0)
        self.whisper(user, 0)
        self.shout(channel, 0)

    def foreign_message(self, channel: str, size: int) -> None:
        text, broker = self.text(size), self.webtalk.broker
        # No order is promised between these and what the back-end says elsewhere;
        # here there is one, so that the model need not know of any other.
        broker.fence()
        broker.publish(channel, "a:\n", text.decode(), origin="multichat")
        broker.fence()
        self.publish(FOREIGN[channel], b"a__:" + text)

    def login(self, number: int, room: int) -> None:
        self.log_in(self.any_user(number), room)

    def log_in(self, user_id: int, room: int) -> None:
        self.expire()
        browser = Browser(self.webtalk, ROOMS[room])
        browser.say(b"%d!%s" % (user_id, self.webtalk.salts.get(user_id, b"0")))
        user = self.users.get(user_id)
        if user is None:
            assert browser.connection.closed_for is not None
            assert not browser.take()
            return
        assert browser.connection.closed_for is None
        missed = 0
        peer = Peer(browser)
        if user.peer is not None:
            self.end(user.peer)
            self.displaced.append(user.peer)
        else:
            waiting = user.waiting()
            missed = len(user.queue) - len(waiting)
            peer.said += [(item.channel, item.text) for item in waiting]
        assert browser.connection.missed_count == missed
        user.peer, user.queue = peer, []
        self.peers.append(peer)
        self.forget_whispers(user)
        self.forget_unheard()

    def wrong_login(self, number: int) -> None:
        user_id = self.any_user(number)
        self.expire()
        browser = Browser(self.webtalk)
        salt = self.webtalk.salts.get(user_id, b"0")
        browser.say(b"%d!%s" % (user_id, salt[:-1] + bytes([salt[-1] ^ 1])))
        assert browser.connection.closed_for is not None
        assert not browser.take()

    def logout(self, number: int) -> None:
        user = self.users.get(self.any_user(number))
        if user is None or user.peer is None:
            return
        user.peer.browser.close()
        user.peer.cut = user.peer.browser.connection.paused
        user.peer.check_all()
        user.peer, user.due = None, self.now + ABSENT_SECONDS

    def late_news(self, number: int) -> None:
        """Tell of the end of a connection that was displaced, or whose user killed."""
        if self.displaced:
            peer = self.displaced.pop(number % len(self.displaced))
            peer.browser.say(b"1!1")
            peer.browser.close()

    def read(self, number: int) -> None:
        user = self.users.get(self.any_user(number))
        if user is not None and user.peer is not None:
            user.peer.browser.connection.read()

    def turn(self) -> None:
        self.webtalk.clock.turn()

    def pass_time(self, seconds: float) -> None:
        self.webtalk.clock.advance(seconds)
        assert self.webtalk.waiting.bytes == self.memory
        for user in self.users.values():
            if user.peer is not None and user.peer.quick:
                user.peer.check_all()

    # What follows of it.

    @property
    def now(self) -> float:
        return self.webtalk.clock.seconds()

    @property
    def memory(self) -> int:
        return sum(len(item.text) + ENTRY_BYTES for item in self.stored)

    def any_user(self, number: int) -> int:
        """Return the id of a user, and of none: 0, or one that is not made yet."""
        return (self.last_user + 1 - number) % (self.last_user + 2)

    def any_channel(self, number: int) -> int:
        return (self.last_channel + 1 - number) % (self.last_channel + 2)

    def text(self, size: int) -> bytes:
        """Return a text like no other, of about a size."""
        return b"%d%s" % (next(self.texts), b"." * size)

    def expect(
        self,
        frame: bytes,
        words: bytes,
        user: int | None = None,
        channel: int | None = None,
    ) -> None:
        """Say a frame, and compare the answer."""
        answer = b"[ok] " + words
        if channel is not None and channel not in self.channels:
            answer = b"[error] Unknown Channel: %d" % channel
        elif user is not None and user not in self.users:
            answer = b"[error] Unknown User: %d" % user
        assert self.webtalk.say(frame) == [answer], (frame, answer)

    def expire(self) -> None:
        for user in list(self.users.values()):
            if user.peer is None and user.due <= self.now:
                self.carry_if_without_channel(user)
                self.remove_user(user)

    def carry_if_without_channel(self, user: User) -> None:
        """Carry what was said before a kill that would not see to it.

        What is carried later may find more room: the model has it carried at once.
        """
        if not any(user in members for members in self.channels.values()):
            self.webtalk.turn()

    def remove_user(self, user: User) -> None:
        for channel_id, members in self.channels.items():
            if user in members:
                self.remove(user, channel_id)
        del self.users[user.id]
        self.forget_whispers(user)
        if user.peer is not None:
            self.end(user.peer)
            self.displaced.append(user.peer)

    def end(self, peer: Peer) -> None:
        close = peer.browser.connection.closed_for
        assert close is not None
        assert close.code == NORMAL.code
        # For who did not read, nothing is kept any more.
        peer.cut = peer.browser.connection.paused
        peer.check_all()

    def put(self, user: User, channel: int) -> None:
        self.channels[channel].append(user)

    def remove(self, user: User, channel: int) -> None:
        self.channels[channel].remove(user)
        user.queue = [item for item in user.queue if item.channel != channel]
        self.forget_unheard()

    def publish(self, channel: int, text: bytes) -> None:
        members = self.channels.get(channel, [])
        for user in members:
            if user.peer is not None:
                user.peer.said.append((channel, text))
        absent = [user for user in members if user.peer is None]
        if absent:
            self.keep(Item(text, channel, 0), absent)

    def keep(self, item: Item, users: list[User]) -> None:
        self.stored.append(item)
        for user in users:
            user.queue.append(item)
        beside = [
            other
            for other in self.stored
            if (other.channel, other.user) == (item.channel, item.user)
        ]
        while (
            len(beside) > MAX_MESSAGES
            or sum(len(other.text) for other in beside) > MAX_BYTES
        ):
            self.stored.remove(beside.pop(0))
        while self.memory > self.together:
            self.stored.pop(0).gone = True

    def forget_whispers(self, user: User) -> None:
        self.stored = [item for item in self.stored if item.user != user.id]

    def forget_unheard(self) -> None:
        """Forget what was said in channels where nobody is absent now."""
        self.stored = [
            item
            for item in self.stored
            if item.user
            or any(user.peer is None for user in self.channels[item.channel])
        ]

    def check(self) -> None:
        """Compare what can be compared after each step."""
        assert self.webtalk.waiting.bytes <= self.together
        if all(user.peer is not None for user in self.users.values()):
            assert self.webtalk.waiting.bytes == 0
        for user in self.users.values():
            if user.peer is not None:
                user.peer.check()

    def check_all(self) -> None:
        """Bring everybody back, let all read, and compare everything."""
        self.pass_time(0)
        for user_id in list(self.users):
            self.log_in(user_id, 0)
        self.pass_time(0)
        for peer in self.peers:
            peer.browser.connection.read()
        for peer in self.peers:
            peer.check_all()
        assert self.webtalk.waiting.bytes == 0
        for user_id in self.users:
            self.webtalk.say(b"[killuser] %d" % user_id)
        assert len(self.webtalk.broker) == 0


USERS, CHANNELS = range(10), range(6)
SIZES = 0, 1, 5, 20, 60
VARIANTS: tuple[tuple[int, str, tuple[Iterable[object], ...]], ...] = (
    (2, "new_user", ()),
    (1, "kill_user", (USERS,)),
    (1, "new_channel", ()),
    (1, "kill_channel", (CHANNELS,)),
    (6, "join", (CHANNELS, USERS)),
    (2, "leave", (CHANNELS, USERS)),
    (8, "whisper", (USERS, SIZES)),
    (8, "shout", (CHANNELS, SIZES)),
    (4, "talk", (CHANNELS, USERS)),
    (4, "foreign_message", (FOREIGN, SIZES)),
    (9, "login", (USERS, range(len(ROOMS)))),
    (1, "wrong_login", (USERS,)),
    (5, "logout", (USERS,)),
    (1, "late_news", (USERS,)),
    (2, "read", (USERS,)),
    (5, "turn", ()),
    (3, "pass_time", ((0.0, 0.0, 10.0, 24.0),)),
)
# One choice for each step: hypothesis is the slowest part of this.
STEPS = [
    (name, *arguments)
    for weight, name, choices in VARIANTS
    for arguments in islice(cycle(product(*choices)), weight * 30)
]


class ModelTests(SynchronousTestCase):
    @settings(
        max_examples=examples(300),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(
        st.lists(st.sampled_from(STEPS), min_size=60, max_size=150),
        st.sampled_from((1 << 20, 3 * ENTRY_BYTES + 50, 8 * ENTRY_BYTES)),
        st.sampled_from((1, 3 * WRITE_COST, TURN_BUDGET)),
    )
    def test_everybody_hears_what_they_should(
        self, sequence: list[tuple[object, ...]], together: int, turn_budget: int
    ) -> None:
        model = Model(together, turn_budget)
        model.new_channel()
        for name, *arguments in [("new_user",), ("new_user",), *sequence]:
            getattr(model, str(name))(*arguments)
            model.check()
        model.check_all()
