# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Frames over TLS, which has no half-closing and looks at certificates first."""

from __future__ import annotations

from typing import Any

from chatmux.interfaces import Connection
from chatmux.model import NORMAL
from chatmux.transports.framed import FramedFactory
from chatmux.transports.lines import LineFactory
from tests.framed_doubles import Answering, framed
from tests.test_tls import TLSCaller, TLSTestCase
from tests.transport_doubles import MemorySession, framed_door, line_door

NUMBERS = [b"%05d" % number for number in range(3000)]


class FramedTLSTests(TLSTestCase):
    length = 0

    def make(self, connection: Connection) -> MemorySession:
        session = Answering(connection, self.sessions.steps)
        session.length = self.length
        connection.opened()
        connection.send(b"welcome")
        self.sessions.append(session)
        return session

    def call(self) -> TLSCaller:
        door = framed_door(self.sessions, new_session=self.make)
        return self.connect(FramedFactory(self.guard, door))

    def bodies(self) -> list[bytes]:
        return [message for message, _ in self.sessions[0].messages]

    def test_nobody_comes_in_before_the_end_of_the_handshake(self) -> None:
        caller = self.call()
        self.assertEqual(self.sessions, [])
        caller.shake_hands()
        self.assertEqual(len(self.sessions), 1)
        self.assertEqual(caller.hear(), framed(b"welcome"))
        caller.say(framed(b"one", b"two"))
        self.assertEqual(caller.hear(), framed(b"ONE", b"TWO"))

    def test_nor_over_lines(self) -> None:
        caller = self.connect(LineFactory(self.guard, line_door(self.sessions)))
        self.assertEqual(self.sessions, [])
        caller.shake_hands()
        self.assertEqual(len(self.sessions), 1)

    def test_who_never_shakes_hands_does_not_stay(self) -> None:
        for said in b"", b"\x16\x03\x01":
            caller = self.call()
            caller.wire.say(said)
            for _ in range(10):
                self.assertTrue(caller.wire.transport.connected)
                self.reactor.advance(1)
                caller.wire.turn()
            self.assertFalse(caller.wire.transport.connected)
        self.assertEqual(self.sessions, [])
        self.assertEqual(self.guard.counts["closed 1008"], 2)

    def test_who_has_shaken_hands_may_be_silent_for_ever(self) -> None:
        caller = self.call()
        caller.shake_hands()
        caller.hear()
        self.reactor.advance(1000)
        caller.say(framed(b"one"))
        self.assertEqual(caller.hear(), framed(b"ONE"))

    def test_a_close_is_told_behind_the_answers(self) -> None:
        caller = self.call()
        caller.shake_hands()
        self.sessions.steps[b"quit"] = lambda connection: connection.close(NORMAL)
        caller.say(framed(b"one", b"quit"))
        self.assertEqual(caller.hear(), framed(b"welcome", b"ONE"))
        self.assertTrue(caller.is_told_the_end())

    def test_who_says_all_and_goes_is_handed_on_completely(self) -> None:
        for orderly in True, False:
            caller = self.call()
            caller.shake_hands()
            caller.say_unheard(framed(*NUMBERS) + b"00003tw", last=orderly)
            caller.wire.close()
            self.reactor.advance(0)
            self.assertEqual(self.bodies(), NUMBERS)
            self.assertEqual(self.sessions[0].ends, 1)
            self.assertIsNone(self.sessions[0].rest)
            self.assertEqual(self.guard.connections, set())
            self.sessions.clear()

    def test_who_does_not_read_is_not_heard_any_further(self) -> None:
        self.length = 900
        caller = self.call()
        caller.shake_hands()
        caller.say_unheard(framed(*NUMBERS))
        self.assertLess(len(self.bodies()), len(NUMBERS))
        connection: Any = self.sessions[0].connection
        self.assertTrue(connection.paused)
        self.assertLess(connection.unsent(), 4 * 64 * 1024)
        expected = framed(b"welcome", *(one.ljust(900, b".") for one in NUMBERS))
        heard = b""
        while len(heard) < len(expected):
            part = caller.hear()
            self.assertNotEqual(part, b"")
            heard += part
        self.assertEqual(heard, expected)
        self.assertEqual(self.bodies(), NUMBERS)
