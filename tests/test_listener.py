# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Listening on real sockets of the loopback interface."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from chatmux.door import Door
from chatmux.errors import ConfigError, ListenError
from chatmux.settings import Limits
from chatmux.transports.guard import Guard
from chatmux.transports.listener import Listener
from tests.transport_doubles import Sessions, framed_door, line_door
from tests.websocket_doubles import (
    ACCEPTED,
    HANDSHAKE,
    PING,
    TEXT,
    masked,
    websocket_door,
)


class Caller(Protocol):
    """A client that waits for what it expects."""

    transport: Any

    def __init__(self) -> None:
        self.heard = b""
        self.lost: Deferred[None] = Deferred()
        self._awaited: tuple[bytes, Deferred[bytes]] | None = None

    def until(self, end: bytes) -> Deferred[bytes]:
        """Fire with all that was heard up to an end."""
        self._awaited = end, Deferred()
        result = self._awaited[1]
        self.dataReceived(b"")
        return result

    def say(self, data: bytes) -> None:
        self.transport.write(data)

    def hang_up(self) -> Deferred[None]:
        self.transport.loseConnection()
        return self.lost

    def dataReceived(self, data: bytes) -> None:
        self.heard += data
        if self._awaited is not None and self.heard.endswith(self._awaited[0]):
            heard, self.heard = self.heard, b""
            awaited, self._awaited = self._awaited[1], None
            awaited.callback(heard)

    def connectionLost(self, reason: Failure | None = None) -> None:
        self.lost.callback(None)


class ListenerTestCase(TestCase):
    def setUp(self) -> None:
        clock: Any = reactor
        self.guard = Guard(clock)
        self.sessions = Sessions()

    async def listen(self, *doors: Door) -> Listener:
        listener = Listener(reactor, self.guard, doors)
        await listener.listen()
        self.addCleanup(self.clean, listener)
        return listener

    def clean(self, listener: Listener) -> Deferred[None]:
        """Leave the reactor as it was."""

        async def finish() -> None:
            await listener.stop()
            for connection in list(self.guard.connections):
                connection.abort()
            await self.guard.emptied()
            self.guard.stop()

        return Deferred.fromCoroutine(finish())

    async def call(self, listener: Listener) -> Caller:
        assert listener.host_and_port is not None
        host, port = listener.host_and_port
        return await self.call_at(f"tcp:{host}:{port}")

    async def call_at(self, description: str) -> Caller:
        endpoint: Any = clientFromString(reactor, description)
        caller: Caller = await connectProtocol(endpoint, Caller())
        self.addCleanup(caller.hang_up)
        return caller

    async def assert_fails(self, doors: Sequence[Door]) -> str:
        """Return what is said of an address that cannot be listened on."""
        try:
            await self.listen(*doors)
        except ConfigError as error:
            return str(error)
        raise AssertionError("it listens")


class ListeningTests(ListenerTestCase):
    async def test_port_zero_is_a_free_one(self) -> None:
        listener = await self.listen(line_door(self.sessions))
        assert listener.host_and_port is not None
        host, port = listener.host_and_port
        self.assertEqual(host, "127.0.0.1")
        self.assertGreater(port, 0)
        self.assertEqual(str(listener), f"127.0.0.1:{port} (test.tcp)")
        caller = await self.call(listener)
        caller.say(b"ann!quit\n")
        self.sessions.steps[b"quit"] = lambda connection: connection.send(b"bye\n")
        self.assertEqual(await caller.until(b"\n"), b"bye\n")

    async def test_a_framed_door(self) -> None:
        listener = await self.listen(framed_door(self.sessions))
        self.assertIn("(test.private)", str(listener))
        caller = await self.call(listener)
        self.sessions.steps[b"hello"] = lambda connection: connection.send(b"bye")
        caller.say(b"00005hello")
        self.assertEqual(await caller.until(b"bye"), b"00003bye")

    async def test_doors_of_one_address_share_it(self) -> None:
        yours = Sessions()
        listener = await self.listen(
            websocket_door(self.sessions, "/mine"),
            websocket_door(yours, "/yours", key="test.yours"),
        )
        caller = await self.call(listener)
        caller.say(HANDSHAKE.replace(b"GET /", b"GET /yours") + b"\r\n")
        self.assertEqual(await caller.until(b"\r\n\r\n"), ACCEPTED)
        self.assertEqual((len(self.sessions), len(yours)), (0, 1))
        self.assertIn("(test.ws, test.yours)", str(listener))

    async def test_an_endpoint_description_is_an_address(self) -> None:
        listener = await self.listen(
            line_door(self.sessions, address="tcp:0:interface=127.0.0.1")
        )
        assert listener.host_and_port is not None
        self.assertEqual(listener.host_and_port[0], "127.0.0.1")

    async def test_an_ipv6_address_has_brackets(self) -> None:
        if not socket.has_ipv6:
            self.skipTest("no IPv6 here")
        try:
            with socket.socket(socket.AF_INET6) as probe:
                probe.bind(("::1", 0))
        except OSError:
            self.skipTest("no IPv6 loopback here")
        listener = await self.listen(line_door(self.sessions, address="[::1]:0"))
        assert listener.host_and_port is not None
        self.assertEqual(listener.host_and_port[0], "::1")

    async def test_a_unix_socket_is_an_address(self) -> None:
        path = str(Path(self.mktemp()).absolute())
        # Longer ones than the kernel takes are common where tests run.
        path = path if len(path) < 100 else f"/tmp/{Path(path).name}"
        listener = await self.listen(line_door(self.sessions, address=f"unix:{path}"))
        self.assertIsNone(listener.host_and_port)
        self.assertEqual(str(listener), f"unix:{path} (test.tcp)")
        self.sessions.steps[b"hello"] = lambda connection: connection.send(b"bye\n")
        caller = await self.call_at(f"unix:{path}")
        caller.say(b"ann!hello\n")
        self.assertEqual(await caller.until(b"\n"), b"bye\n")
        (connection,) = self.guard.connections
        self.assertEqual(connection.peer, "local")


class SocketOptionTests(ListenerTestCase):
    async def test_accepted_sockets_have_no_delay_and_are_kept_alive(self) -> None:
        for make in line_door, framed_door, websocket_door:
            door = make(self.sessions)
            listener = await self.listen(door)
            caller = await self.call(listener)
            caller.say(HANDSHAKE + b"!\r\n\r\n")
            while not self.guard.connections:
                await _turn()
            (connection,) = self.guard.connections
            transport: Any = connection
            handle: socket.socket = transport.transport.socket
            for level, option in (
                (socket.IPPROTO_TCP, socket.TCP_NODELAY),
                (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
            ):
                self.assertNotEqual(handle.getsockopt(level, option), 0, option)
            if hasattr(socket, "TCP_KEEPIDLE"):
                idle = handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
                self.assertEqual(idle, 25)
            await self.clean(listener)

    async def test_times_beyond_what_the_kernel_takes_are_the_longest(self) -> None:
        self.guard.limits = Limits(ping_seconds=1e9, pong_seconds=1e9)
        listener = await self.listen(line_door(self.sessions))
        await self.clean(listener)


class RefusalTests(ListenerTestCase):
    async def test_a_busy_port(self) -> None:
        first = await self.listen(line_door(self.sessions))
        assert first.host_and_port is not None
        address = "{}:{}".format(*first.host_and_port)
        door = line_door(self.sessions, address=address)
        with self.assertRaises(ListenError):
            await Listener(reactor, self.guard, [door]).listen()
        self.assertEqual(
            await self.assert_fails([door]),
            f"test.tcp: cannot listen on {address}: Address already in use",
        )

    async def test_a_host_that_is_not_here(self) -> None:
        said = await self.assert_fails(
            [line_door(self.sessions, address="192.0.2.1:0")]
        )
        self.assertRegex(said, r"^test\.tcp: cannot listen on 192\.0\.2\.1:0: \w+")

    async def test_bad_endpoint_descriptions(self) -> None:
        for address in (
            "nonsense",
            "",
            "tcp:port=x",
            "tcp:",
            "ssl:0",
            "tcp:0:nosuch=1",
            "127.0.0.1:65536",
        ):
            said = await self.assert_fails([line_door(self.sessions, address=address)])
            self.assertTrue(said.startswith("test.tcp: "), said)
            self.assertIn(address, said)


class StopTests(ListenerTestCase):
    async def test_those_who_came_in_stay(self) -> None:
        listener = await self.listen(line_door(self.sessions))
        where = listener.host_and_port
        assert where is not None
        caller = await self.call(listener)
        self.sessions.steps[b"hello"] = lambda connection: connection.send(b"bye\n")
        caller.say(b"ann!hello\n")
        await caller.until(b"\n")
        await listener.stop()
        caller.say(b"hello\n")
        self.assertEqual(await caller.until(b"\n"), b"bye\n")
        with socket.socket() as late:
            self.assertNotEqual(late.connect_ex(where), 0)

    async def test_a_websocket_that_stayed_leaves_nothing_either(self) -> None:
        listener = await self.listen(websocket_door(self.sessions))
        caller = await self.call(listener)
        caller.say(HANDSHAKE + b"\r\n")
        await caller.until(b"\r\n\r\n")
        await listener.stop()
        # A ping, and half a message behind it.
        caller.say(masked(PING) + masked(TEXT, b"hello")[:7])
        self.assertEqual(await caller.until(b"\x8a\x00"), b"\x8a\x00")

    async def test_stopping_twice_does_nothing(self) -> None:
        listener = await self.listen(line_door(self.sessions))
        await listener.stop()
        await listener.stop()
        self.assertIsNone(listener.host_and_port)

    async def test_stopping_what_never_listened_does_nothing(self) -> None:
        await Listener(reactor, self.guard, [line_door(self.sessions)]).stop()

    async def test_nothing_is_left_of_websockets(self) -> None:
        """The check is trial's: no delayed call may be left in the reactor."""
        listener = await self.listen(websocket_door(self.sessions))
        caller = await self.call(listener)
        caller.say(HANDSHAKE + b"\r\n")
        self.assertEqual(await caller.until(b"\r\n\r\n"), ACCEPTED)
        self.assertEqual(len(self.guard.connections), 1)


def _turn() -> Deferred[None]:
    """Fire in a later turn of the reactor."""
    turn: Deferred[None] = Deferred()
    clock: Any = reactor
    clock.callLater(0, turn.callback, None)
    return turn
