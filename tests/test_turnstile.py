# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Who is one too many is told so, and let go."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.protocol import ServerFactory
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatmux.settings import Limits
from chatmux.transports.guard import Guard
from chatmux.transports.lines import LineFactory
from chatmux.transports.turnstile import MOST_LINGERING, TurnedAway, Turnstile
from tests.http_doubles import Client
from tests.transport_doubles import PEER, Sessions, Wire, line_door

FAREWELL = b"error: there are too many here\n"


class TurnstileTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.guard = Guard(self.reactor, Limits(closing_seconds=5), max_connections=1)
        self.sessions = Sessions()
        self.turnstile = self.make()

    def make(self, farewell: bytes = FAREWELL) -> Any:
        factory: Any = LineFactory(self.guard, line_door(self.sessions))
        turnstile: Any = Turnstile(self.guard, factory, "test.tcp", lambda: farewell)
        turnstile.doStart()
        return turnstile

    def call(self, turnstile: Any = None) -> Client:
        protocol = (turnstile or self.turnstile).buildProtocol(PEER)
        wire = Wire(protocol, self.reactor)
        self.addCleanup(wire.close)
        return Client(wire)

    def is_in(self, client: Client) -> bool:
        return not isinstance(client.wire.transport.protocol, TurnedAway)


class TurnstileTests(TurnstileTestCase):
    def test_who_has_room_comes_in(self) -> None:
        client = self.call()
        client.say(b"ann!hello\n")
        self.assertEqual(self.sessions[0].lines, [b"hello"])
        self.assertEqual(self.guard.counts["turned away"], 0)

    def test_who_is_one_too_many_is_told_so(self) -> None:
        self.call()
        client = self.call()
        self.assertEqual(client.read(), FAREWELL)
        self.assertTrue(client.ended)
        client.wire.close()
        self.assertEqual(len(self.sessions), 1)
        self.assertEqual(len(self.guard.connections), 1)
        self.assertEqual(self.guard.counts["accepted"], 1)

    def test_a_place_is_given_back(self) -> None:
        first = self.call()
        self.assertFalse(self.is_in(self.call()))
        first.wire.close()
        self.assertTrue(self.is_in(self.call()))

    def test_who_sends_much_can_read_why(self) -> None:
        self.call()
        client = self.call()
        client.say(bytes(300_000))
        self.assertEqual(client.read(), FAREWELL)
        # Nothing that was sent is left unread, which would make a reset of the end.
        client.say(bytes(300_000))
        self.assertTrue(client.ended)
        self.assertFalse(client.lost)

    def test_who_goes_then_is_gone(self) -> None:
        self.call()
        client = self.call()
        client.wire.end()
        self.assertTrue(client.lost)
        self.assertEqual(self.guard.lingering, 0)

    def test_who_stays_is_cut(self) -> None:
        self.call()
        client = self.call()
        client.say(b"still here\n")
        self.reactor.advance(4.9)
        self.assertFalse(client.lost)
        self.reactor.advance(0.2)
        self.assertTrue(client.lost)
        self.assertEqual(self.guard.lingering, 0)

    def test_so_many_may_linger_at_all_doors_together(self) -> None:
        self.call()
        other = self.make()
        clients = [
            self.call(self.turnstile if number % 2 else other)
            for number in range(MOST_LINGERING + 10)
        ]
        self.assertEqual(self.guard.lingering, MOST_LINGERING)
        for number, client in enumerate(clients):
            self.assertEqual(client.read(), FAREWELL)
            self.assertEqual(client.lost, number >= MOST_LINGERING)
        clients[0].wire.close()
        self.assertFalse(self.call().lost)

    def test_without_words_it_is_cut_at_once(self) -> None:
        self.call()
        client = self.call(self.make(b""))
        self.assertEqual(client.read(), b"")
        self.assertTrue(client.lost)
        self.assertEqual(self.guard.lingering, 0)

    def test_nobody_lingers_when_the_listener_has_stopped(self) -> None:
        self.call()
        clients = [self.call() for _ in range(3)]
        self.turnstile.doStop()
        for client in clients:
            self.assertTrue(client.lost)
        self.guard.stop()
        self.reactor.advance(0)
        self.assertEqual(self.guard.lingering, 0)
        for connection in list(self.guard.connections):
            connection.abort()
        self.reactor.advance(0)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_it_starts_and_stops_the_doors_own(self) -> None:
        factory = ServerFactory()
        turnstile: Any = Turnstile(self.guard, factory, "test.tcp", lambda: b"")
        turnstile.doStart()
        self.assertEqual(factory.numPorts, 1)
        turnstile.doStop()
        self.assertEqual(factory.numPorts, 0)


class LogTests(TurnstileTestCase):
    def lines(self, addr: Any) -> list[str]:
        with capturedLogs() as logs:
            self.turnstile.buildProtocol(addr)
        return [f"{event['log_level'].name} {formatEvent(event)}" for event in logs]

    def test_who_is_turned_away_is_a_line(self) -> None:
        self.assertEqual(self.lines(PEER), [])
        self.call()
        why = "was turned away: there are as many connections as there may be"
        self.assertEqual(self.lines(PEER), [f"info 192.0.2.7:4711 (test.tcp) {why}"])
        self.assertEqual(
            self.lines(UNIXAddress(None)), [f"info local (test.tcp) {why}"]
        )
        self.assertEqual(self.guard.counts["turned away"], 2)

    def test_and_so_is_one_of_an_address_with_too_many(self) -> None:
        limits = Limits(max_connections_per_address=1)
        self.guard.max_connections, self.guard.limits = None, limits
        self.call()
        why = "its address has as many connections as it may have"
        self.assertEqual(
            self.lines(PEER),
            [f"info 192.0.2.7:4711 (test.tcp) was turned away: {why}"],
        )
