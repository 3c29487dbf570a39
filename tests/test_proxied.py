# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Doors behind a proxy that says by a PROXY header for whom it speaks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatmux.door import Door
from chatmux.errors import ConfigError
from chatmux.proxies import Proxies
from chatmux.settings import Limits
from chatmux.transports.guard import Guard
from chatmux.transports.listener import Listener
from tests.certificates import client_context, make_files
from tests.http_doubles import Client
from tests.test_proxy_header import LINE, binary
from tests.test_tls import SECRET, TLSCaller
from tests.transport_doubles import PEER, MemorySession, Sessions, Wire, line_door
from tests.websocket_doubles import ACCEPTED, HANDSHAKE, websocket_door

PROXY = PEER.host
CLIENT = "192.0.2.9"
ADDRESS = "haproxy:tcp:0:interface=127.0.0.1"


class ProxiedTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.begin()

    def begin(self, *trusted: str, **limits: Any) -> None:
        """Begin anew with these proxies and limits."""
        self.guard = Guard(
            self.reactor, Limits(**limits), proxies=Proxies(trusted or (PROXY,))
        )
        self.sessions = Sessions()
        self.door: Door = line_door(self.sessions, address=ADDRESS, full=b"full\n")
        self._factory: Any = None

    @property
    def factory(self) -> Any:
        """What the listener of the door would bind."""
        if self._factory is None:
            self._factory = Listener(self.reactor, self.guard, [self.door])._factory
        return self._factory

    def connect(self) -> Client:
        wire = Wire(self.factory.buildProtocol(PEER), self.reactor)
        self.addCleanup(wire.close)
        return Client(wire)

    def call(self, header: bytes = LINE) -> Client:
        """Connect, and say for whom."""
        client = self.connect()
        client.say(header)
        return client

    def session(self, client: Client) -> MemorySession:
        """Say hello; return the session that has heard it."""
        client.say(b"ann!hello\n")
        session = self.sessions[-1]
        self.assertEqual(session.opening_bytes, b"ann")
        self.assertEqual(session.lines, [b"hello"])
        return session


class HeaderTests(ProxiedTestCase):
    def peer_of(self, header: bytes) -> str:
        connection: Any = self.session(self.call(header)).connection
        peer: str = connection.peer
        return peer

    def test_the_clients_address_is_the_peers(self) -> None:
        self.assertEqual(self.peer_of(LINE), "192.0.2.9:56324")
        self.assertEqual(self.peer_of(binary("192.0.2.9", 5)), "192.0.2.9:5")
        self.assertEqual(self.peer_of(binary("2001:db8::1", 5)), "2001:db8::1:5")

    def test_without_one_it_is_the_proxys(self) -> None:
        for header in b"PROXY UNKNOWN\r\n", binary(None), binary(CLIENT, command=0x20):
            self.assertEqual(self.peer_of(header), f"{PROXY}:{PEER.port}")

    def test_what_is_written_still_goes_straight_to_the_kernel(self) -> None:
        client = self.call()
        connection: Any = self.session(client).connection
        self.assertIsNotNone(connection._direct)
        connection.send(b"welcome\n")
        self.assertEqual(client.wire.hear(), b"welcome\n")

    def test_it_may_come_in_one_piece_with_the_rest(self) -> None:
        client = self.call(LINE + b"ann!hello\nmore\n")
        self.assertEqual(self.sessions[0].lines, [b"hello", b"more"])
        client.say(b"again\n")
        self.assertEqual(self.sessions[0].lines[-1], b"again")

    def test_it_may_come_byte_by_byte(self) -> None:
        for header in LINE, binary("2001:db8::1", more=b"\x03\x00\x01x"):
            client = self.connect()
            for byte in header:
                self.assertEqual(len(self.guard.connections), 0)
                self.assertEqual(self.guard.unknown, 1)
                client.say(bytes((byte,)))
            self.assertEqual(self.guard.unknown, 0)
            self.session(client)
            client.wire.close()

    def test_the_end_is_the_sessions(self) -> None:
        client = self.call()
        session = self.session(client)
        client.wire.close()
        self.assertEqual(session.ends, 1)
        self.assertEqual(self.guard.connections, set())
        self.assertEqual(len(self.guard._of_address), 0)

    def test_a_websocket(self) -> None:
        self.door = websocket_door(self.sessions, address=ADDRESS)
        forged = HANDSHAKE + b"X-Forwarded-For: 198.51.100.9\r\n\r\n"
        client = self.call(LINE + forged)
        self.assertTrue(client.read().startswith(ACCEPTED))
        connection: Any = self.sessions[0].connection
        # The client's own word is a stranger's.
        self.assertEqual(connection.peer, "192.0.2.9:56324")

    def test_only_the_first_header_is_one(self) -> None:
        client = self.call(LINE + LINE + b"!x\n")
        self.assertEqual(self.sessions[-1].opening_bytes, LINE)
        client.wire.close()


class RefusalTests(ProxiedTestCase):
    def assert_cut(self, client: Client, why: str, logs: Sequence[Any]) -> None:
        client.wire.turn()
        self.assertTrue(client.lost)
        lines = [f"{event['log_level'].name} {formatEvent(event)}" for event in logs]
        self.assertEqual(lines, [f"info {PROXY} (test.tcp) was turned away: {why}"])
        self.assertEqual(self.guard.counts["turned away"], 1)
        self.assertEqual(self.guard.unknown, 0)
        self.assertEqual(self.sessions, [])

    def test_who_is_no_trusted_proxy_is_cut(self) -> None:
        self.begin("192.0.2.8", "local")
        with capturedLogs() as logs:
            client = self.call(LINE + b"ann!hello\n")
        self.assert_cut(client, "it is no trusted proxy", logs)

    def test_junk_is_cut(self) -> None:
        for junk in (
            b"ann!hello\n",
            b"GET / HTTP/1.1\r\n\r\n",
            binary(CLIENT, command=1),
        ):
            self.begin()
            client = self.connect()
            with capturedLogs() as logs:
                client.say(junk)
                (line,) = [formatEvent(event) for event in logs]
            self.assertIn("was turned away", line)
            self.assertIn("PROXY header", line)
            self.assertTrue(client.lost)
            self.assertEqual(self.guard.unknown, 0)

    def test_it_has_to_come_in_time(self) -> None:
        client = self.connect()
        with capturedLogs() as logs:
            for byte in LINE[:9]:
                self.reactor.advance(1)
                client.say(bytes((byte,)))
            self.assertFalse(client.lost)
            self.reactor.advance(1.1)
            self.assert_cut(client, "no PROXY header in time", logs)

    def test_the_opening_has_its_time_behind_it(self) -> None:
        client = self.connect()
        self.reactor.advance(9)
        client.say(LINE)
        self.reactor.advance(9)
        self.assertFalse(client.ended)
        self.reactor.advance(1)
        self.assertEqual(client.read(), b"error: too late\n")

    def test_who_goes_before_it_leaves_nothing(self) -> None:
        client = self.call(LINE[:5])
        client.wire.end()
        client.wire.close()
        self.assertEqual(self.guard.unknown, 0)
        self.guard.stop()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_who_waits_when_the_listener_stops_is_cut(self) -> None:
        client = self.call(LINE[:5])
        self.factory.doStart()
        self.factory.doStop()
        self.assertTrue(client.lost)
        self.assertEqual(self.guard.unknown, 0)

    def test_where_it_is_full_a_proxy_is_cut_at_once(self) -> None:
        self.begin(max_connections=2)
        self.call()
        # Of whom nothing is known yet has a place, too.
        self.connect()
        client = self.connect()
        self.assertTrue(client.lost)
        self.assertEqual(self.guard.counts["turned away"], 1)

    def test_one_too_many_of_an_address_is_told_so(self) -> None:
        self.begin(max_connections_per_address=1)
        first = self.call()
        second = self.call()
        self.assertEqual(second.read(), b"full\n")
        self.assertTrue(second.ended)
        self.session(self.call(LINE.replace(b"192.0.2.9", b"192.0.2.10")))
        # The proxy's own are not held to it.
        for _ in range(3):
            self.session(self.call(b"PROXY UNKNOWN\r\n"))
        first.wire.close()
        self.session(self.call())

    def test_it_needs_trusted_proxies(self) -> None:
        self.guard.proxies = Proxies()
        with self.assertRaises(ConfigError) as raised:
            Listener(self.reactor, self.guard, [self.door])
        self.assertIn("trusted-proxies", str(raised.exception))
        self.assertTrue(str(raised.exception).startswith("test.tcp: "))


class TLSTests(ProxiedTestCase):
    def test_tls_begins_behind_the_header(self) -> None:
        files = make_files(Path(self.mktemp()))
        for header in LINE, binary("2001:db8::1"):
            self.begin()
            self.door = line_door(
                self.sessions, address=ADDRESS, tls=files, tls_key="test"
            )
            client = self.call(header)
            caller = TLSCaller(client.wire, client_context(files))
            caller.shake_hands()
            caller.say(b"ann!hello\n")
            session = self.sessions[0]
            connection: Any = session.connection
            self.assertEqual(session.lines, [b"hello"])
            # The socket itself would let it leave in the clear.
            self.assertIsNone(connection._direct)
            self.assertIn(connection.host, ("192.0.2.9", "2001:db8::1"))
            connection.send(SECRET)
            self.assertEqual(caller.hear(), SECRET)
            self.assertNotIn(SECRET, caller.raw)
            client.wire.close()
            self.assertEqual(session.ends, 1)
            self.assertEqual(self.guard.connections, set())

    def test_one_too_many_is_only_closed(self) -> None:
        files = make_files(Path(self.mktemp()))
        self.begin(max_connections_per_address=1)
        self.door = line_door(
            self.sessions, address=ADDRESS, tls=files, tls_key="test", full=b"full\n"
        )
        self.call()
        client = self.call()
        self.assertEqual(client.read(), b"")
        self.assertTrue(client.lost)
