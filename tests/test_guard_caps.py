# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""How many connections there may be, in all and of one address."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatmux.proxies import Proxies
from chatmux.settings import Limits
from chatmux.transports.guard import SPARED, Guard
from tests.http_doubles import HTTPTestCase, UpgradeTestCase, handshake
from tests.test_guard import Guarded
from tests.transport_doubles import PEER
from tests.websocket_doubles import WebSocketTestCase

ANN, BOB = "192.0.2.1", "192.0.2.2"
FULL = "there are as many connections as there may be"
ADDRESS_FULL = "its address has as many connections as it may have"
OWN = ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "local")


def guard_of(most: int | None = None, *trusted: str, of_one: int = 20_000) -> Guard:
    limits = Limits(max_connections=most, max_connections_per_address=of_one)
    return Guard(Clock(), limits, proxies=Proxies(trusted))


class TotalTests(SynchronousTestCase):
    def test_there_is_room_for_so_many(self) -> None:
        guard = guard_of(2)
        for host in OWN[0], ANN:
            self.assertIsNone(guard.why_not(host))
            Guarded(guard, host=host)
        for host in *OWN, ANN, BOB:
            self.assertEqual(guard.why_not(host), FULL)

    def test_one_that_ends_gives_its_place_back(self) -> None:
        guard = guard_of(1)
        connection = Guarded(guard)
        guard.release(connection)
        self.assertIsNone(guard.why_not(ANN))

    def test_what_the_node_has_found_out_goes_first(self) -> None:
        guard = Guard(Clock(), Limits(max_connections=9), max_connections=1)
        Guarded(guard)
        self.assertEqual(guard.why_not(ANN), FULL)

    def test_who_is_behind_a_proxy_and_unknown_has_a_place(self) -> None:
        guard = guard_of(2)
        guard.unknown = 2
        self.assertEqual(guard.why_not(ANN), FULL)

    def test_the_operators_door_has_some_places_more(self) -> None:
        guard = guard_of(1)
        Guarded(guard)
        guard.spared = "admin.address"
        for _ in range(SPARED):
            self.assertIsNone(guard.why_not(ANN, "admin.address"))
            self.assertEqual(guard.why_not(ANN, "machat.tcp"), FULL)
            Guarded(guard)
        self.assertEqual(guard.why_not(ANN, "admin.address"), FULL)

    def test_without_a_limit_there_is_room(self) -> None:
        guard = guard_of(None)
        for _ in range(100):
            Guarded(guard, host="127.0.0.1")
        self.assertIsNone(guard.why_not("127.0.0.1"))


class AddressTests(SynchronousTestCase):
    def test_one_address_may_have_so_many(self) -> None:
        guard = guard_of(of_one=2)
        first = Guarded(guard, host=ANN)
        self.assertIsNone(guard.why_not(ANN))
        Guarded(guard, host=ANN)
        self.assertEqual(guard.why_not(ANN), ADDRESS_FULL)
        self.assertEqual(guard.why_not(f"::ffff:{ANN}"), ADDRESS_FULL)
        self.assertIsNone(guard.why_not(BOB))
        guard.release(first)
        self.assertIsNone(guard.why_not(ANN))

    def test_a_network_of_ipv6_is_one_address(self) -> None:
        guard = guard_of(of_one=2)
        for host in "2001:db8::1", "2001:db8::ffff:2":
            Guarded(guard, host=host)
        self.assertEqual(guard.why_not("2001:db8::3"), ADDRESS_FULL)
        self.assertIsNone(guard.why_not("2001:db8:0:1::3"))

    def test_this_machine_and_proxies_may_have_any_number(self) -> None:
        guard = guard_of(None, "10.0.0.0/8", of_one=1)
        for host in *OWN, "10.1.2.3":
            for _ in range(3):
                Guarded(guard, host=host)
            self.assertIsNone(guard.why_not(host), host)

    def test_0_is_any_number(self) -> None:
        guard = guard_of(of_one=0)
        for _ in range(10):
            Guarded(guard, host=ANN)
        self.assertIsNone(guard.why_not(ANN))

    def test_by_default_ten_thousand_pass(self) -> None:
        guard = Guard(Clock())
        for _ in range(10_000):
            self.assertIsNone(guard.why_not(ANN))
            Guarded(guard, host=ANN)
        self.assertIsNone(guard.why_not(ANN))
        for connection in list(guard.connections):
            guard.release(connection)
        # Of those who are gone nothing is kept.
        self.assertEqual(len(guard._of_address), 0)


class SpokenForTests(SynchronousTestCase):
    """A connection of a proxy turns out to be a client's."""

    def setUp(self) -> None:
        self.guard = guard_of(None, "10.0.0.1", of_one=1)

    def proxied(self, host: str) -> tuple[Guarded, bool]:
        connection = Guarded(self.guard, host="10.0.0.1")
        return connection, self.guard.speaks_for(connection, host)

    def test_it_counts_as_the_clients(self) -> None:
        connection, has_room = self.proxied(ANN)
        self.assertTrue(has_room)
        self.assertEqual(connection.host, ANN)
        self.assertEqual(self.guard.why_not(ANN), ADDRESS_FULL)
        self.assertIsNone(self.guard.why_not(BOB))
        self.guard.release(connection)
        self.assertIsNone(self.guard.why_not(ANN))

    def test_one_too_many_is_told_so_and_not_counted(self) -> None:
        first, _ = self.proxied(ANN)
        second, has_room = self.proxied(ANN)
        self.assertFalse(has_room)
        # It stays known whose it is, for the log.
        self.assertEqual(second.host, ANN)
        self.guard.release(first)
        self.assertTrue(self.proxied(ANN)[1])

    def test_one_too_many_stays_it_however_often_it_is_asked(self) -> None:
        self.proxied(ANN)
        second, _ = self.proxied(ANN)
        for _ in range(3):
            self.assertFalse(self.guard.speaks_for(second, ANN))
        self.guard.release(second)

    def test_it_may_become_anothers(self) -> None:
        connection, _ = self.proxied(ANN)
        self.assertTrue(self.guard.speaks_for(connection, BOB))
        self.assertIsNone(self.guard.why_not(ANN))
        self.assertEqual(self.guard.why_not(BOB), ADDRESS_FULL)
        self.assertTrue(self.guard.speaks_for(connection, "10.0.0.1"))
        self.assertIsNone(self.guard.why_not(BOB))

    def test_it_is_held_to_the_clients_rates(self) -> None:
        connection = Guarded(self.guard, host="10.0.0.1")
        self.assertIsNone(connection.meter)
        self.guard.speaks_for(connection, ANN)
        self.assertIsNotNone(connection.meter)
        self.guard.speaks_for(connection, "127.0.0.1")
        self.assertIsNone(connection.meter)


class EveryEndTests(WebSocketTestCase):
    """However a WebSocket ends, its place is free again."""

    def setUp(self) -> None:
        super().setUp()
        self.guard.max_connections = 1
        self.guard.limits = Limits(max_connections_per_address=1)

    def assert_free_after(self, *, opened: bool) -> None:
        peer, _ = self.opened() if opened else self.open()
        self.assertEqual(self.guard.why_not(PEER.host), FULL)
        peer.lose()
        self.assertIsNone(self.guard.why_not(PEER.host))

    def test_after_the_opening(self) -> None:
        self.assert_free_after(opened=True)

    def test_before_the_opening(self) -> None:
        self.assert_free_after(opened=False)


class HTTPTests(HTTPTestCase):
    def test_in_the_middle_of_a_header(self) -> None:
        self.guard.limits = Limits(max_connections_per_address=1)
        client = self.connect()
        client.say(b"GET / HT")
        self.assertEqual(self.guard.why_not(PEER.host), ADDRESS_FULL)
        client.wire.close()
        self.assertIsNone(self.guard.why_not(PEER.host))


class UpgradedTests(UpgradeTestCase):
    def test_who_goes_on_as_a_websocket_has_one_place(self) -> None:
        self.guard.limits = Limits(max_connections_per_address=2)
        for more in b"", b"Cookie: a=b\r\nCookie: c=d\r\n":
            client = self.connect()
            request = (
                b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
                + more
                + b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            client.say(request)
            self.assertIn(b" 101 ", client.read())
            self.assertEqual(len(self.guard.connections), 1)
            self.assertIsNone(self.guard.why_not(PEER.host))
            client.wire.close()
            self.assertEqual(self.guard.counts["accepted"], 1)
            self.guard.counts.clear()
            self.assertEqual(len(self.guard._of_address), 0)

    def test_one_too_many_behind_a_proxy_is_refused_on_both_ways(self) -> None:
        self.guard.limits = Limits(max_connections_per_address=1)
        self.guard.proxies = Proxies([PEER.host])
        plain = f"X-Forwarded-For: {ANN}".encode()
        ways = (plain,), (plain, b"Cookie: a=b", b"Cookie: c=d")
        first = self.connect()
        first.say(handshake(plain))
        self.assertIn(b" 101 ", first.read())
        for headers in ways:
            (answer,) = self.answers(handshake(*headers))
            self.assertEqual(answer.status, 503)
        first.wire.close()
        for headers in ways:
            client = self.connect()
            client.say(handshake(*headers))
            self.assertIn(b" 101 ", client.read())
            client.wire.close()
