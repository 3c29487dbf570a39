# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Writing to one socket, on Twisted's own TCP transport over a socket pair."""

from __future__ import annotations

from typing import Any

from twisted.internet import tcp
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from chatmux.model import Close
from chatmux.settings import Limits
from chatmux.transports.connection import SocketConnection
from chatmux.transports.guard import Guard
from tests.doubles import bracketed
from tests.transport_doubles import MemorySubscription, Transport, Wire

MUCH = b"".join(b"%07d\n" % number for number in range(128 * 1024))
"""1 MiB in which each place is known: more than a socket takes."""


class Closable(SocketConnection):
    """Completes the connection: its close is an abort."""

    __slots__ = ()

    def close(self, why: Close) -> None:
        self.why = why
        self.abort()


class Tunnel(tcp.Server):
    """Has a socket, but what is written has to pass through `write`."""

    def write(self, data: bytes) -> None:
        super().write(data.swapcase())


class ConnectionTestCase(SynchronousTestCase):
    kind: type[tcp.Server] = tcp.Server

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.guard = Guard(self.reactor, Limits(opening_seconds=0, stall_seconds=8))
        self.wire = Wire(Protocol(), self.reactor, self.kind)
        self.addCleanup(self.wire.close)
        self.connection = Closable(
            self.guard, "test.tcp", self.wire.transport, bracketed
        )


class DirectTests(ConnectionTestCase):
    def test_a_write_is_with_the_kernel_at_once(self) -> None:
        self.connection.write(b"hello")
        self.assertFalse(self.wire.writing)
        self.assertEqual(self.wire.hear(), b"hello")

    def test_send_frames_the_message(self) -> None:
        self.connection.send(b"hello")
        self.assertEqual(self.wire.hear(), b"<hello>")

    def test_what_the_kernel_does_not_take_is_left_to_twisted_in_order(self) -> None:
        self.connection.write(MUCH)
        self.assertTrue(self.wire.writing)
        unsent = self.connection.unsent()
        self.assertGreater(unsent, 0)
        self.assertLess(unsent, len(MUCH))
        self.assertEqual(self.wire.hear_all(), MUCH)
        self.assertEqual(self.connection.unsent(), 0)

    def test_nothing_overtakes_what_twisted_has_buffered(self) -> None:
        self.connection.write(MUCH)
        first = self.wire.hear()
        # The kernel has room now, but Twisted was not told yet.
        self.connection.write(b"the end")
        self.assertEqual(self.wire.hear(), b"")
        self.assertEqual(first + self.wire.hear_all(), MUCH + b"the end")

    def test_what_waits_is_counted_exactly(self) -> None:
        self.connection.write(MUCH)
        heard = len(self.wire.hear())
        for _ in range(3):
            self.assertEqual(self.connection.unsent(), len(MUCH) - heard)
            self.wire.turn()
            heard += len(self.wire.hear())

    def test_nothing_overtakes_what_twisted_has_begun_to_send(self) -> None:
        self.connection.write(MUCH)
        heard = self.wire.hear()
        self.wire.turn()
        heard += self.wire.hear()
        self.assertTrue(self.wire.writing)
        self.connection.write(b"the end")
        self.assertEqual(heard + self.wire.hear_all(), MUCH + b"the end")

    def test_it_writes_directly_again_when_the_buffer_is_empty(self) -> None:
        self.connection.write(MUCH)
        self.wire.hear_all()
        self.connection.write(b"again")
        self.assertFalse(self.wire.writing)
        self.assertEqual(self.wire.hear(), b"again")

    def test_a_full_socket_leaves_all_to_twisted(self) -> None:
        send = self.wire.transport.socket.send
        with self.assertRaises(BlockingIOError):
            while True:
                send(b"." * 1024)
        self.connection.write(b"hello")
        self.assertEqual(self.connection.unsent(), 5)
        self.assertEqual(self.wire.hear_all().lstrip(b"."), b"hello")

    def test_a_write_to_a_broken_socket_does_not_raise(self) -> None:
        self.wire.far.close()
        self.connection.write(b"hello")
        self.wire.turn()
        self.assertFalse(self.wire.transport.connected)
        self.connection.write(b"hello")

    def test_nothing_is_written_after_shut(self) -> None:
        self.connection.write(b"before")
        self.connection.shut()
        self.connection.write(b"after")
        self.connection.send(b"after")
        self.assertEqual(self.wire.hear_all(), b"before")

    def test_what_twisted_has_buffered_still_goes_out_after_shut(self) -> None:
        self.connection.write(MUCH)
        self.connection.shut()
        self.connection.write(b"after")
        self.assertEqual(self.wire.hear_all(), MUCH)

    def test_abort_loses_what_is_buffered(self) -> None:
        self.connection.write(MUCH)
        self.connection.abort()
        self.connection.write(b"after")
        self.wire.turn()
        self.assertFalse(self.wire.transport.connected)
        self.assertLess(len(self.wire.hear()), len(MUCH))

    def test_nothing_is_written_after_the_connection_is_lost(self) -> None:
        self.wire.end()
        self.assertFalse(self.wire.transport.connected)
        self.connection.write(b"hello")
        self.assertEqual(self.wire.hear(), b"")


class TunnelTests(ConnectionTestCase):
    kind = Tunnel

    def test_a_transport_that_changes_the_bytes_is_not_bypassed(self) -> None:
        self.connection.write(b"hello")
        self.assertEqual(self.wire.hear_all(), b"HELLO")


class PauseTests(ConnectionTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.one, self.two = MemorySubscription(), MemorySubscription()
        self.connection.subscriptions |= {self.one, self.two}

    def told(self) -> tuple[list[str], list[str]]:
        return self.one.told, self.two.told

    def test_a_little_does_not_pause(self) -> None:
        self.connection.write(b"hello")
        self.assertFalse(self.connection.paused)
        self.assertEqual(self.told(), ([], []))

    def test_pause_and_resume_reach_all_subscriptions(self) -> None:
        self.connection.write(MUCH)
        self.assertTrue(self.connection.paused)
        self.assertEqual(self.told(), (["pause"], ["pause"]))
        self.assertEqual(self.guard.paused, {self.connection})
        self.wire.hear_all()
        self.assertFalse(self.connection.paused)
        self.assertEqual(self.guard.paused, set())
        self.assertEqual(self.told(), (["pause", "resume"], ["pause", "resume"]))

    def test_a_subscription_may_go_while_it_is_told(self) -> None:
        subscriptions = self.connection.subscriptions

        class Leaving(MemorySubscription):
            def pause(self) -> None:
                subscriptions.clear()

        subscriptions.add(Leaving())
        self.connection.write(MUCH)
        self.assertEqual(subscriptions, set())

    def test_a_paused_connection_that_takes_nothing_is_closed_as_too_slow(self) -> None:
        self.connection.write(MUCH)
        for _ in range(4):
            self.reactor.advance(1.9)
        self.assertIsNone(self.connection.why)
        for _ in range(2):
            self.reactor.advance(1.9)
        why = self.connection.why
        assert why is not None
        self.assertEqual(why.code, 1008)
        self.assertIn("too slow", why.reason)

    def test_a_connection_that_is_closed_already_is_cut_when_it_stalls(self) -> None:
        self.connection.write(MUCH)
        self.connection.why = Close(1001, "")
        for _ in range(6):
            self.reactor.advance(2)
        self.assertFalse(self.wire.transport.connected)

    def test_a_resumed_connection_is_not_watched(self) -> None:
        self.connection.write(MUCH)
        self.wire.hear_all()
        for _ in range(20):
            self.reactor.advance(1)
        self.assertIsNone(self.connection.why)
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class PeerTests(SynchronousTestCase):
    def make(self, transport: Any) -> Closable:
        return Closable(Guard(MemoryReactorClock()), "test.tcp", transport, bracketed)

    def test_the_peer_is_host_and_port(self) -> None:
        self.assertEqual(self.make(Transport()).peer, "192.0.2.7:4711")

    def test_a_peer_without_a_host_is_local(self) -> None:
        transport = Transport()
        transport.peerAddr = object()
        self.assertEqual(self.make(transport).peer, "local")

    def test_a_transport_without_a_socket_is_written_to(self) -> None:
        transport = Transport()
        connection = self.make(transport)
        connection.write(b"hello")
        self.assertEqual(transport.take(), b"hello")
        self.assertEqual(connection.unsent(), 0)

    def test_it_is_a_push_producer(self) -> None:
        transport = Transport()
        connection = self.make(transport)
        self.assertIs(transport.producer, connection)
        self.assertTrue(transport.streaming)
