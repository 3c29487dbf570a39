# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""How many may be on one channel, how many users and channels webtalk may have, and how
long what they send may be."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatmux.broker.local import LocalBroker
from chatmux.config import build
from chatmux.door import LineDoor, WebSocketDoor
from chatmux.errors import ConfigError, PeerError
from chatmux.model import FULL, Close
from chatmux.node import SECTIONS
from chatmux.protocols import machat, multichat, webtalk
from chatmux.settings import Secret
from chatmux.text import NAME_LENGTH
from tests.doubles import MemoryConnection, services


def register(name: str) -> bytes:
    words = {"action": "register", "client-name": name, "secret-key": "canary"}
    return json.dumps(words).encode()


class MemberTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.broker = LocalBroker(
            self.clock, bridges=[("multichat", "machat/hall")], max_members=2
        )

    def multichat(self, name: str) -> tuple[MemoryConnection, Any]:
        section = multichat.Section(secret_key=Secret("canary"))
        (door,) = multichat.doors(section, services(self.broker, self.clock))
        connection = MemoryConnection()
        session = door.new_session(connection)
        session.received(register(name), False)
        return connection, session

    def machat(self, name: str, room: str = "hall") -> tuple[MemoryConnection, Any]:
        door, _ = machat.doors(machat.Section(), services(self.broker, self.clock))
        assert isinstance(door, LineDoor)
        connection = MemoryConnection()
        session = door.new_session(connection)
        session.opening(json.dumps({"name": name, "room": room}).encode())
        return connection, session

    def refused(self, enter: Any, *args: str) -> Close:
        with self.assertRaises(PeerError) as raised:
            enter(*args)
        close: Close = raised.exception.close
        return close

    def test_a_channel_has_so_many_across_its_bridge(self) -> None:
        _, session = self.multichat("ann")
        self.machat("bob")
        self.assertEqual(self.refused(self.multichat, "cat"), FULL)
        self.assertEqual(self.refused(self.machat, "dan").code, FULL.code)
        # Nobody is present who was not let in.
        self.assertEqual(len(self.broker.members("multichat")), 2)
        self.machat("dan", "elsewhere")
        session.closed()
        self.machat("dan")

    def test_machat_says_so_in_a_line(self) -> None:
        for name in "ann", "bob":
            self.machat(name)
        door, _ = machat.doors(machat.Section(), services(self.broker, self.clock))
        assert isinstance(door, LineDoor)
        connection = MemoryConnection()
        session = door.new_session(connection)
        with self.assertRaises(PeerError):
            session.opening(b'{"name":"cat","room":"hall"}')
        self.assertEqual(connection.written, b"error: there are too many here\n")
        self.assertFalse(connection.is_opened)
        session.closed()

    def test_a_name_of_multichat_has_its_length(self) -> None:
        self.multichat("x" * NAME_LENGTH)
        why = self.refused(self.multichat, "x" * (NAME_LENGTH + 1))
        self.assertEqual(why.code, 1008)
        self.assertIn("name", why.reason)


class WebtalkTests(SynchronousTestCase):
    def begin(self, **section: Any) -> None:
        clock = Clock()
        doors = webtalk.doors(
            webtalk.Section(**section), services(LocalBroker(clock), clock)
        )
        private, _ = doors
        self.connection = MemoryConnection()
        self.session = private.new_session(self.connection)

    def ask(self, command: bytes) -> bytes:
        self.session.received(command, True)
        return self.connection.take()

    def test_users(self) -> None:
        self.begin(max_users=2)
        for _ in range(2):
            self.assertTrue(self.ask(b"[newuser]").startswith(b"[ok] "))
        answer = self.ask(b"[newuser]")
        self.assertTrue(answer.startswith(b"[error] "), answer)
        self.assertIn(b"users", answer)
        self.ask(b"[killuser] 1")
        self.assertTrue(self.ask(b"[newuser]").startswith(b"[ok] "))

    def test_channels(self) -> None:
        # One of them is everybody's.
        self.begin(max_channels=3)
        for _ in range(2):
            self.assertTrue(self.ask(b"[newchannel]").startswith(b"[ok] "))
        answer = self.ask(b"[newchannel]")
        self.assertTrue(answer.startswith(b"[error] "), answer)
        self.assertIn(b"channels", answer)
        self.ask(b"[killchannel] 2")
        self.assertTrue(self.ask(b"[newchannel]").startswith(b"[ok] "))


class LengthTests(SynchronousTestCase):
    def test_what_is_configured_is_the_doors(self) -> None:
        section = machat.Section(line_bytes=100, message_bytes=200)
        lines, messages = machat.doors(section, services())
        assert isinstance(lines, LineDoor)
        assert isinstance(messages, WebSocketDoor)
        self.assertEqual((lines.line_bytes, messages.message_bytes), (100, 200))
        relay = multichat.Section(secret_key=Secret("canary"), message_bytes=100)
        (door,) = multichat.doors(relay, services())
        self.assertEqual(door.message_bytes, 100)

    def test_a_line_of_a_websocket_is_as_long_as_configured(self) -> None:
        _, door = machat.doors(machat.Section(line_bytes=100), services())
        connection = MemoryConnection()
        session: Any = door.new_session(connection)
        session.received(b'{"name":"ann","room":""}', False)
        session.received(b"x" * 100, False)
        with self.assertRaises(PeerError) as raised:
            session.received(b"x" * 101, False)
        self.assertEqual(raised.exception.close.code, 1009)
        self.assertEqual(
            connection.take().splitlines()[-1],
            b"error: a line is longer than 100 bytes",
        )

    def test_what_would_be_too_short_or_too_long_is_refused(self) -> None:
        for section, key in (
            ("machat", "line-bytes"),
            ("machat", "message-bytes"),
            ("multichat", "message-bytes"),
            ("globes", "body-bytes"),
            ("globes", "event-bytes"),
        ):
            for size in 63, (1 << 20) + 1:
                with self.assertRaises(ConfigError) as raised:
                    build({section: {"secret-key": "canary", key: size}}, SECTIONS)
                if "secret-key" in str(raised.exception):
                    with self.assertRaises(ConfigError) as raised:
                        build({section: {key: size}}, SECTIONS)
                self.assertIn(f"{section}.{key}", str(raised.exception))
