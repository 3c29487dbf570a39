# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Replays the examples of the pages of the protocols, with real sessions and doors."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.protocol import connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from chatmux.broker.local import LocalBroker
from chatmux.door import FramedDoor, LineDoor, Request, WebSocketDoor
from chatmux.errors import PeerError
from chatmux.interfaces import Session, Subscription
from chatmux.model import Close
from chatmux.protocols import machat, multichat, webtalk
from chatmux.settings import Secret
from chatmux.transports.framed import FramedFactory
from chatmux.transports.guard import Guard
from chatmux.transports.lines import LineFactory
from tests.doubles import services
from tests.replay_globes import GlobesServer, Placeholders, request_of

SECRET = Secret("correct horse")
BRIDGES = (("multichat", "machat/lounge", "globes/1", "webtalk/1"),)
END = b"\0"
"""Ends a message of a `MemoryPeer`; no protocol lets it through."""


def text_framing(message: bytes) -> bytes:
    return message + END


def binary_framing(message: bytes) -> bytes:
    return b"(binary) " + message + END


class MemoryPeer:
    """A WebSocket's peer, and the connection that its session sees."""

    keeps_order = False

    def __init__(self, number: int, session: Callable[[Any], Session]) -> None:
        self.number = number
        self.framing = text_framing
        self.paused = False
        self.subscriptions: set[Subscription] = set()
        self._written = b""
        self._session = session(self)

    def say(self, message: bytes, binary: bool) -> None:
        try:
            self._session.received(message, binary)
        except PeerError as error:
            self.close(error.close)
            self._session.closed()

    def heard(self) -> list[bytes]:
        """Return the messages that came since the last call."""
        *messages, rest = self._written.split(END)
        self._written = rest
        return messages

    def write(self, chunk: bytes) -> None:
        self._written += chunk

    def send(self, message: bytes) -> None:
        self.write(self.framing(message))

    def close(self, why: Close) -> None:
        self.write(f"(close {why.code}: {why.reason})".encode() + END)

    def opened(self) -> None: ...

    def give_way(self, go_on: Callable[[], None]) -> None:
        go_on()

    def charge(self, deliveries: int) -> bool:
        return True

    def missed(self, count: int) -> None: ...

    def answer_in(self, binary: bool) -> None:
        self.framing = binary_framing if binary else text_framing
        for subscription in self.subscriptions:
            subscription.reframe()

    def ignored(self, why: str) -> None: ...


class StreamPeer:
    """A TCP client, behind the real protocol for lines or for frames."""

    def __init__(self, factory: LineFactory | FramedFactory) -> None:
        self._protocol = factory.buildProtocol(None)
        self._transport: Any = StringTransport()
        self._protocol.makeConnection(self._transport)

    def say(self, segment: bytes, binary: bool) -> None:
        self._protocol.dataReceived(segment)

    def end(self) -> None:
        self._protocol.readConnectionLost()

    def heard(self) -> list[bytes]:
        """Return the lines or frames that came since the last call, all of each."""
        came: bytes = self._transport.value()
        lines = came.splitlines(keepends=True)
        if came[:5].isdigit():
            lines = []
            while came:
                end = 5 + int(came[:5])
                lines.append(came[:end])
                came = came[end:]
        self._transport.clear()
        if self._transport.disconnecting:
            self._transport.disconnecting = False
            self._protocol.connectionLost(connectionDone)
            lines.append(b"(close)")
        return lines


class GlobesPeer:
    """A client of Globes: of the REST routes, and of one room once it is let in."""

    def __init__(self, server: GlobesServer, number: int, clock: Clock) -> None:
        self._server = server
        self._number = number
        self._clock = clock
        self._answers: list[bytes] = []
        self._socket: RoomSocket | None = None

    def ask(self, request: Request, may_upgrade: bool) -> None:
        """Send a request; one for a WebSocket is a handshake, if it may be."""
        if not may_upgrade or not request.path.endswith("/ws"):
            self._answers.append(self._server.respond(request).encode())
            return
        granted, answer = self._server.upgrade(request)
        self._answers.append(answer.encode())
        if granted is not None:
            self._socket = RoomSocket(self._number, granted.new_session, self._clock)

    def say(self, message: bytes, binary: bool) -> None:
        assert self._socket is not None, "there is no WebSocket"
        self._socket.say(message, binary)

    def end(self) -> None:
        assert self._socket is not None, "there is no WebSocket"
        self._socket.end()

    def heard(self) -> list[bytes]:
        """Return the answers and events that came since the last call."""
        answers, self._answers = self._answers, []
        return answers + (self._socket.heard() if self._socket else [])


class RoomSocket(MemoryPeer):
    """A WebSocket whose session is told of its end in a later turn."""

    def __init__(
        self, number: int, session: Callable[[Any], Session], clock: Clock
    ) -> None:
        self._clock = clock
        super().__init__(number, session)

    def close(self, why: Close) -> None:
        super().close(why)
        self.end()

    def end(self) -> None:
        self._clock.callLater(0, self._session.closed)


Peer = MemoryPeer | StreamPeer | GlobesPeer


class Replay:
    """The clients of an example on one broker, and what they have not looked at.

    Args:
        language: Of the fenced block: the kind of all clients, or ``bridge``, where a
            client's name is its kind. What begins with ``webtalk`` has two kinds, told
            apart by the names. All of ``globes`` are of Globes, and so is the one of
            what begins with ``http``, who opens no WebSocket.
        directory: For the files of a store.
    """

    def __init__(self, language: str, directory: Path) -> None:
        self._language = language
        self._directory = directory
        self._globes: GlobesServer | None = None
        self._placeholders = Placeholders()
        self._salt = b""
        self._clock = Clock()
        self._guard = Guard(self._clock)
        self._broker = LocalBroker(self._clock, bridges=BRIDGES)
        self._services = services(self._broker, self._clock)
        section = webtalk.Section(strict=language == "webtalk-strict")
        self._private, self._public = webtalk.doors(section, self._services)
        self._peers: dict[str, Peer] = {}
        self.unread: dict[str, list[bytes]] = {}

    def run(self, example: str) -> None:
        """Do what the lines say.

        Raises:
            AssertionError: Something else comes than an example says, or more.
        """
        try:
            self._run(example)
        finally:
            self._guard.stop()
            if self._globes is not None:
                self._globes.close()

    def _run(self, example: str) -> None:
        for line in example.splitlines():
            match = EXAMPLE_LINE.fullmatch(line)
            assert match is not None, line
            name, arrow, words = match.groups("")
            peer = self._peer(name)
            if arrow == "->":
                self._do(peer, words, name)
                self._turn()
            else:
                came = self.unread[name].pop(0) if self.unread[name] else None
                assert self._is_right(peer, words, name, came), f"{line}: {came!r}"
        assert not any(self.unread.values()), f"{example}: {self.unread}"

    def _is_right(self, peer: Peer, words: str, name: str, came: bytes | None) -> bool:
        if came is None:
            return False
        if isinstance(peer, GlobesPeer):
            return self._placeholders.matches(words, came.decode())
        if words.endswith("1!SALT"):
            self._salt = came[-39:]
        return came == self._bytes_of(words, name)

    def _do(self, peer: Peer, words: str, name: str) -> None:
        binary = words.startswith("(binary) ")
        passing = re.fullmatch(r"\((\d+) seconds pass\)", words)
        if passing is not None:
            self._clock.advance(int(passing[1]))
        elif words.startswith("(10 wrong passwords for "):
            path = words.split()[-1].rstrip(")")
            for _ in range(10):
                self._do(peer, f'POST {path}/token {{"secret":"wrong"}}', name)
                assert peer.heard()[0].startswith(b"401 ")
        elif words in ("(end of sending)", "(close)"):
            assert isinstance(peer, StreamPeer | GlobesPeer)
            peer.end()
        elif isinstance(peer, GlobesPeer):
            filled = self._placeholders.filled(words)
            request = request_of(filled)
            if request is None:
                peer.say(filled.removeprefix("(binary) ").encode(), binary)
            else:
                peer.ask(request, not self._language.startswith("http"))
        else:
            peer.say(self._bytes_of(words.removeprefix("(binary) "), name), binary)

    def _bytes_of(self, words: str, name: str) -> bytes:
        return re.sub(rb"(?<=\d!)SALT", self._salt, bytes_of(words, self._kind(name)))

    def _turn(self) -> None:
        """Let the broker flush, and sort what came."""
        self._clock.advance(0)
        for name, peer in self._peers.items():
            self.unread[name] += peer.heard()

    def _kind(self, name: str) -> str:
        if self._language == "bridge" or self._language in (
            "webtalk",
            "webtalk-strict",
        ):
            return re.sub(r"^(one|other) | \d$", "", name)
        return "globes" if self._language.startswith("http") else self._language

    def _peer(self, name: str) -> Peer:
        if name not in self._peers:
            self._peers[name] = self._connect(self._kind(name))
            self.unread[name] = []
        return self._peers[name]

    def _connect(self, kind: str) -> Peer:
        # A number that no connection of the guard's has.
        number = 1000 + len(self._peers)
        if kind == "globes":
            if self._globes is None:
                self._globes = GlobesServer(
                    self._language, self._directory, self._broker, self._clock
                )
            return GlobesPeer(self._globes, number, self._clock)
        if kind == "machat":
            doors = machat.doors(machat.Section(), self._services)
            door = next(iter(doors))
            assert isinstance(door, LineDoor)
            return StreamPeer(LineFactory(self._guard, door))
        assert isinstance(self._private, FramedDoor)
        assert isinstance(self._public, WebSocketDoor)
        if kind == "webtalk-wire":
            return StreamPeer(FramedFactory(self._guard, self._private))

        def session(connection: Any) -> Session:
            if kind == "multichat":
                return multichat.Session(connection, self._broker, SECRET)
            if kind == "back-end":
                return self._private.new_session(connection)
            if kind == "browser":
                return self._public.new_session(connection)
            assert kind == "machat-ws", kind
            return machat.Session(connection, self._broker, "machat/")

        return MemoryPeer(number, session)


EXAMPLE_LINE = re.compile(r"(?:([\w -]+) )?(->|<-) (.+)")
ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def bytes_of(words: str, kind: str) -> bytes:
    """Return what an example writes. JSON, all there is of multichat, has its own."""
    if kind == "multichat":
        return words.encode()

    def unescaped(match: re.Match[bytes]) -> bytes:
        return ESCAPES.get(match[1]) or bytes.fromhex(match[1][1:].decode())

    return re.sub(rb"\\(x[0-9a-f]{2}|[nrt])", unescaped, words.encode())
