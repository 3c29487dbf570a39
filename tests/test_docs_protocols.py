# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The pages of the protocols: every example is replayed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from twisted.internet.protocol import connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from chatmux.broker.local import LocalBroker
from chatmux.door import FramedDoor, LineDoor, WebSocketDoor
from chatmux.errors import PeerError
from chatmux.interfaces import Session, Subscription
from chatmux.model import Close
from chatmux.node import SECTIONS
from chatmux.protocols import machat, multichat, webtalk
from chatmux.settings import Limits, Secret
from chatmux.transports.framed import FramedFactory
from chatmux.transports.guard import Guard
from chatmux.transports.lines import LineFactory
from tests.documents import (
    PROTOCOL_PAGES,
    fenced,
    section_of,
)
from tests.doubles import services

SECRET = Secret("correct horse")
BRIDGES = (("multichat", "machat/lounge", "webtalk/1"),)
END = b"\0"
"""Ends a message of a `MemoryPeer`; no protocol lets it through."""


def text_framing(message: bytes) -> bytes:
    return message + END


def binary_framing(message: bytes) -> bytes:
    return b"(binary) " + message + END


class MemoryPeer:
    """A WebSocket's peer, and the connection that its session sees."""

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


class Replay:
    """The clients of an example on one broker, and what they have not looked at.

    Args:
        language: Of the fenced block: the kind of all clients, or ``bridge``, where a
            client's name is its kind. What begins with ``webtalk`` has two kinds, told
            apart by the names.
    """

    def __init__(self, language: str) -> None:
        self._language = language
        self._salt = b""
        self._clock = Clock()
        self._guard = Guard(self._clock)
        self._broker = LocalBroker(self._clock, bridges=BRIDGES)
        self._services = services(self._broker, self._clock)
        section = webtalk.Section(strict=language == "webtalk-strict")
        self._private, self._public = webtalk.doors(section, self._services)
        self._peers: dict[str, MemoryPeer | StreamPeer] = {}
        self.unread: dict[str, list[bytes]] = {}

    def run(self, example: str) -> None:
        """Do what the lines say.

        Raises:
            AssertionError: Something else comes than an example says, or more.
        """
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
                if came is not None and words.endswith("1!SALT"):
                    self._salt = came[-39:]
                expected = self._bytes_of(words, name)
                assert came == expected, f"{line}: {came!r}"
        assert not any(self.unread.values()), f"{example}: {self.unread}"
        self._guard.stop()

    def _do(self, peer: MemoryPeer | StreamPeer, words: str, name: str) -> None:
        binary = words.startswith("(binary) ")
        if words == "(10 seconds pass)":
            self._clock.advance(10)
        elif words == "(end of sending)":
            assert isinstance(peer, StreamPeer)
            peer.end()
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
        return self._language

    def _peer(self, name: str) -> MemoryPeer | StreamPeer:
        if name not in self._peers:
            self._peers[name] = self._connect(self._kind(name))
            self.unread[name] = []
        return self._peers[name]

    def _connect(self, kind: str) -> MemoryPeer | StreamPeer:
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

        # Numbers that no connection of the guard's has.
        return MemoryPeer(1000 + len(self._peers), session)


EXAMPLE_LINE = re.compile(r"(?:([\w -]+) )?(->|<-) (.+)")
ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def bytes_of(words: str, kind: str) -> bytes:
    """Return what an example writes. JSON, all there is of multichat, has its own."""
    if kind == "multichat":
        return words.encode()

    def unescaped(match: re.Match[bytes]) -> bytes:
        return ESCAPES.get(match[1]) or bytes.fromhex(match[1][1:].decode())

    return re.sub(rb"\\(x[0-9a-f]{2}|[nrt])", unescaped, words.encode())


class ProtocolPageTests(SynchronousTestCase):
    def test_examples(self) -> None:
        replayed = dict.fromkeys(
            (
                *("multichat", "machat", "machat-ws", "bridge"),
                *("webtalk", "webtalk-strict", "webtalk-wire"),
            ),
            0,
        )
        for page in PROTOCOL_PAGES.values():
            for language, example in fenced(page):
                if language == "js":
                    continue
                Replay(language).run(example)
                replayed[language] += 1
        self.assertTrue(all(replayed.values()), replayed)

    def test_a_wrong_example_is_found(self) -> None:
        wrong = (
            '-> {"name":"ann"}\n-> hello\\n\n<- ann:hell\\n\n',
            '-> {"name":"ann"}\n-> hello\\n\n',
            '-> {"name":"ann"}\n<- ann:hello\\n\n',
            "ann: hello\n",
        )
        for example in wrong:
            with self.assertRaises(AssertionError):
                Replay("machat").run(example)

    def test_every_protocol_has_its_page(self) -> None:
        self.assertEqual(set(PROTOCOL_PAGES), set(SECTIONS))

    def test_limits(self) -> None:
        sizes = {
            "multichat": (multichat.OPENING_BYTES, multichat.MESSAGE_BYTES),
            "machat": (machat.HELLO_BYTES, machat.LINE_BYTES, machat.MESSAGE_BYTES),
            "webtalk": (
                webtalk.OPENING_BYTES,
                webtalk.LONGEST_FRAME,
                webtalk.LOGIN_BYTES,
            ),
        }
        for name, page in PROTOCOL_PAGES.items():
            table = section_of(page, "Limits")
            for size in sizes[name]:
                self.assertIn(f"{size:,} bytes", table)
            limits = Limits()
            for seconds in (limits.opening_seconds, limits.message_seconds):
                self.assertIn(f"| {seconds} s", table)
            self.assertIn(f"| {limits.fragments:,} |", table)
            ping = (
                f"{limits.pong_seconds} s; a ping comes every {limits.ping_seconds} s"
            )
            self.assertIn(ping, table)
            self.assertIn(f"{limits.stall_seconds} s without taking a byte", table)
            self.assertIn(f"{limits.log_bytes >> 20} MiB behind", table)
