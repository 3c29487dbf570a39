# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""webtalk on a real broker, with its back-ends and browsers in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chatmux.broker.local import LOG_BYTES, TURN_BUDGET, LocalBroker
from chatmux.errors import PeerError
from chatmux.protocols.webtalk.control import ControlSession
from chatmux.protocols.webtalk.hub import Hub
from chatmux.protocols.webtalk.login import LoginSession
from chatmux.protocols.webtalk.variables import Variables
from chatmux.protocols.webtalk.waiting import Waiting
from chatmux.settings import Secret
from tests.doubles import MemoryConnection, TurnClock

LONGEST = 99_999


def numbered(message: bytes) -> bytes:
    """Frame with five digits of length, as the private port does."""
    assert len(message) <= LONGEST, len(message)
    return b"%05d" % len(message) + message


def split_numbered(stream: bytes) -> list[bytes]:
    """Return the messages of a stream of `numbered` ones."""
    messages = []
    while stream:
        end = 5 + int(stream[:5])
        assert len(stream) >= end
        messages.append(stream[5:end])
        stream = stream[end:]
    return messages


class Backend:
    """A back-end, driven as the transport does it."""

    def __init__(self, webtalk: Webtalk, secret: str | None, strict: bool) -> None:
        self.connection = MemoryConnection(numbered)
        self.session = ControlSession(
            self.connection,
            webtalk.hub,
            webtalk.variables,
            secret=None if secret is None else Secret(secret),
            strict=strict,
        )

    def say(self, *frames: bytes) -> list[bytes]:
        """Hand frames on until one ends the connection; return all answers."""
        for frame in frames:
            try:
                self.session.received(frame, True)
            except PeerError as error:
                self.connection.close(error.close)
            if self.connection.closed_for is not None:
                break
        return split_numbered(self.connection.take())


class Browser:
    """A browser, driven as the transport does it."""

    def __init__(self, webtalk: Webtalk, room: int = 1 << 30) -> None:
        self.connection = MemoryConnection(numbered, room)
        self.session = LoginSession(self.connection, webtalk.hub)
        self._turn = webtalk.turn
        self.heard: list[bytes] = []
        """All messages that were taken by `take`."""

    def say(self, message: bytes, binary: bool = False) -> None:
        try:
            self.session.received(message, binary)
        except PeerError as error:
            self.connection.close(error.close)
            self.session.closed()

    def take(self) -> list[bytes]:
        """Return what came since the last call, at the end of a turn."""
        self._turn()
        return self.take_now()

    def take_now(self) -> list[bytes]:
        """Return what came since the last call, in the middle of a turn."""
        messages = split_numbered(self.connection.take())
        self.heard += messages
        return messages

    def close(self) -> None:
        """Lose the connection, as the peer's end of it does."""
        self.session.closed()


class Webtalk:
    """A hub, and the means to talk to it as the two ports do."""

    def __init__(
        self,
        *,
        bridges: Iterable[Sequence[str]] = (),
        max_log_bytes: int = LOG_BYTES,
        turn_budget: int = TURN_BUDGET,
        max_messages: int = 1000,
        max_bytes: int = 1 << 20,
        max_bytes_together: int = 64 << 20,
        sender: str = "webtalk",
        login_seconds: float = 0,
        absent_seconds: float = 0,
        max_keys: int = 100,
        max_store_bytes: int = 1 << 20,
        secret: str | None = None,
        strict: bool = False,
    ) -> None:
        self.clock = TurnClock()
        self.broker = LocalBroker(
            self.clock,
            bridges=bridges,
            max_log_bytes=max_log_bytes,
            turn_budget=turn_budget,
        )
        self.waiting = Waiting(max_messages, max_bytes, max_bytes_together)
        self.hub = Hub(
            self.broker,
            self.clock.seconds,
            self.waiting,
            sender=sender,
            login_seconds=login_seconds,
            absent_seconds=absent_seconds,
        )
        self.variables = Variables(max_keys, max_store_bytes)
        self.salts: dict[int, bytes] = {}
        self._secret = secret
        self._strict = strict
        self.backend = self.new_backend()

    def new_backend(self) -> Backend:
        return Backend(self, self._secret, self._strict)

    def say(self, *frames: bytes) -> list[bytes]:
        """Say frames as the first back-end; return the answers."""
        return self.backend.say(*frames)

    def new_users(self, count: int) -> list[int]:
        """Make users; return their ids."""
        ids = []
        for answer in self.say(*[b"[newuser]"] * count):
            digits, _, salt = answer.removeprefix(b"[ok] ").partition(b"!")
            self.salts[int(digits)] = salt
            ids.append(int(digits))
        return ids

    def new_channel(self, *users: int) -> int:
        """Make a channel with members; return its id."""
        (answer,) = self.say(b"[newchannel]")
        channel = int(answer.removeprefix(b"[ok] "))
        self.say(*[b"[join] %d!%d" % (channel, user) for user in users])
        return channel

    def login(self, user: int, room: int = 1 << 30) -> Browser:
        """Connect a browser and log a user in."""
        browser = Browser(self, room)
        browser.say(b"%d!%s" % (user, self.salts[user]))
        return browser

    def new_browser(self, room: int = 1 << 30) -> tuple[int, Browser]:
        """Make a user and log it in."""
        (user,) = self.new_users(1)
        return user, self.login(user, room)

    def turn(self) -> None:
        """Let all be carried, in as many turns of a reactor as it takes."""
        self.clock.advance(0)
