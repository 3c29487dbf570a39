# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""From an HTTP connection to a WebSocket, and how that is refused."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from twisted.logger import capturedLogs, formatEvent

from chatmux.door import Request, Upgrade
from chatmux.interfaces import Connection
from chatmux.model import GOING_AWAY
from chatmux.settings import Limits
from chatmux.transports.guard import Guard
from tests.http_doubles import (
    GET,
    OFFER,
    Client,
    UpgradeTestCase,
    handshake,
    heard,
)
from tests.transport_doubles import PEER, MemorySession, Wire
from tests.websocket_doubles import (
    ACCEPTED,
    BINARY,
    CLOSE,
    HANDSHAKE,
    PING,
    PONG,
    TEXT,
    Frame,
    close_frame,
    frames,
    masked,
)


class AcceptingTests(UpgradeTestCase):
    def test_the_door_sees_the_request(self) -> None:
        self.connect().say(handshake(b"X-A: b", path=b"/rooms/7/ws?token=x"))
        (request,) = self.server.handshakes
        self.assertEqual((request.path, request.query), ("/rooms/7/ws", "token=x"))
        self.assertEqual((request.headers["x-a"], request.host), ("b", PEER.host))
        self.assertEqual(self.server.requests, [])

    def test_messages_pass_both_ways(self) -> None:
        client, session = self.open()
        client.say(
            masked(TEXT, b"hello") + masked(BINARY, b"\xff") + masked(PING, b"p")
        )
        self.assertEqual(session.messages, [(b"hello", False), (b"\xff", True)])
        session.connection.send(b"yes")
        self.assertEqual(self.hear(client), [Frame(PONG, b"p"), Frame(TEXT, b"yes")])

    def test_what_came_with_the_handshake_is_not_lost(self) -> None:
        frame = masked(TEXT, b"hello")
        client, session = self.open(masked(PING) + frame + frame[:3])
        self.assertEqual(self.said, [Frame(PONG, b"")])
        client.say(frame[3:])
        self.assertEqual(session.messages, [(b"hello", False)] * 2)

    def test_byte_by_byte(self) -> None:
        client = self.connect()
        for byte in handshake() + masked(TEXT, b"hello"):
            client.say(bytes((byte,)))
        self.assertEqual(client.read(), ACCEPTED)
        self.assertEqual(self.server.sessions[0].messages, [(b"hello", False)])

    def test_after_other_requests_of_the_connection(self) -> None:
        client = self.connect()
        client.ask(GET)
        client.say(GET + handshake() + masked(TEXT, b"hello"))
        data = client.read()
        start = data.index(b"HTTP/1.1 101")
        self.assertEqual([one.status for one in heard(data[:start])], [200])
        self.assertEqual(data[start:], ACCEPTED)
        self.assertEqual(self.server.sessions[0].messages, [(b"hello", False)])
        self.reactor.advance(11)
        # The deadline is the session's, not one of HTTP.
        self.assertEqual(next(frames(client.read())).opcode, CLOSE)

    def test_a_subprotocol_is_confirmed(self) -> None:
        def decide(request: Request) -> Upgrade:
            return Upgrade(self.server.sessions.make, "chat.v1")

        self.server.decide = decide
        client = self.connect()
        client.say(HANDSHAKE + OFFER + b"\r\n")
        confirmed = b"Upgrade\r\nSec-WebSocket-Protocol: chat.v1\r\n"
        self.assertEqual(client.read(), ACCEPTED.replace(b"Upgrade\r\n", confirmed, 1))

    def test_none_is_confirmed_where_the_door_chose_none(self) -> None:
        client = self.connect()
        client.say(HANDSHAKE + OFFER + b"\r\n")
        self.assertEqual(client.read(), ACCEPTED)

    def test_each_handshake_gets_the_session_it_was_granted(self) -> None:
        made: list[str] = []

        def decide(request: Request) -> Upgrade:
            def make(connection: Connection) -> MemorySession:
                made.append(request.path)
                return self.server.sessions.make(connection)

            return Upgrade(make)

        self.server.decide = decide
        for path in b"/a", b"/b":
            self.connect().say(handshake(path=path))
        self.assertEqual(made, ["/a", "/b"])

    def test_words_of_any_case_and_lists_are_understood(self) -> None:
        request = (
            b"GET / HTTP/1.1\r\nsec-websocket-version: 13\r\n"
            b"connection: keep-alive, UPGRADE\r\nUPGRADE: h2c, WebSocket\r\n"
            b"SEC-WEBSOCKET-KEY: dGhlIHNhbXBsZSBub25jZQ==\r\nhost: h\r\n\r\n"
        )
        client = self.connect()
        client.say(request)
        self.assertEqual(client.read(), ACCEPTED)

    def test_no_extension_is_agreed_to(self) -> None:
        client = self.connect()
        client.say(handshake(b"Sec-WebSocket-Extensions: permessage-deflate"))
        self.assertEqual(client.read(), ACCEPTED)

    def test_an_exception_at_the_beginning_closes_with_1011(self) -> None:
        def make(connection: Connection) -> MemorySession:
            raise ZeroDivisionError

        self.server.decide = lambda request: Upgrade(make)
        client = self.connect()
        client.say(handshake())
        (frame,) = frames(client.read()[len(ACCEPTED) :])
        self.assertEqual(frame, close_frame(1011, b"internal error"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class IdentityTests(UpgradeTestCase):
    def test_it_is_one_connection_under_the_websockets_number(self) -> None:
        with capturedLogs() as logs:
            client, session = self.open()
            (connection,) = self.guard.connections
            self.assertIs(connection, session.connection)
            self.assertEqual(connection.door, "test.http")
            self.assertEqual(connection.peer, f"{PEER.host}:{PEER.port}")
            client.say(masked(0x3))
            client.wire.end()
        self.assertTrue(client.lost)
        self.assertEqual(self.guard.counts["accepted"], 1)
        lines = [formatEvent(event) or "" for event in logs]
        self.assertEqual(len(lines), 1)
        self.assertTrue(
            lines[0].startswith(
                f"connection {connection.number} (test.http, {PEER.host}:4711) "
                "closed, 1002: "
            ),
            lines,
        )
        self.assertEqual(session.ends, 1)
        self.assert_nothing_is_left()

    def test_messages_go_straight_to_the_kernel(self) -> None:
        client, session = self.open()
        session.connection.send(b"hello")
        self.assertEqual(list(frames(client.wire.hear())), [Frame(TEXT, b"hello")])

    def test_it_is_told_of_a_full_transport(self) -> None:
        client, session = self.open()
        session.connection.opened()
        session.connection.send(b"x" * 400_000)
        self.assertTrue(session.connection.paused)
        client.read()
        self.assertFalse(session.connection.paused)

    def test_one_that_takes_nothing_is_cut(self) -> None:
        client, session = self.open()
        session.connection.opened()
        session.connection.send(b"x" * 400_000)
        for _ in range(30):
            self.reactor.advance(1)
        self.assertTrue(client.lost)
        self.assertEqual(self.guard.counts["too slow"], 1)
        self.assert_nothing_is_left()

    def test_it_has_the_times_of_a_websocket(self) -> None:
        client, session = self.open()
        session.connection.opened()
        self.reactor.advance(25)
        self.assertEqual(self.hear(client), [Frame(PING, b"")])
        self.reactor.advance(15)
        (frame,) = self.hear(client)
        self.assertEqual(frame.payload[:2], b"\x03\xf0")

    def test_who_says_nothing_after_the_handshake_is_closed(self) -> None:
        client = self.connect()
        self.reactor.advance(9)
        client.say(handshake())
        self.reactor.advance(9)
        self.assertEqual(client.read(), ACCEPTED)
        self.reactor.advance(1)
        (frame,) = self.hear(client)
        self.assertEqual(frame, close_frame(1008, b"nothing was said in time"))

    def test_messages_may_be_so_long_and_no_longer(self) -> None:
        for opened in False, True:
            client, session = self.open()
            if opened:
                session.connection.opened()
            client.say(masked(TEXT, b"x" * 500) + masked(TEXT, b"x" * 501))
            self.assertEqual([len(one) for one, _ in session.messages], [500])
            (frame,) = self.hear(client)
            self.assertEqual(frame.payload[:2], b"\x03\xf1")

    def test_it_is_drained_as_a_websocket(self) -> None:
        client, session = self.open()
        for connection in list(self.guard.connections):
            connection.close(GOING_AWAY)
        emptied = self.guard.emptied()
        (frame,) = self.hear(client)
        self.assertEqual(frame, close_frame(1001, b"the server is shutting down"))
        client.say(masked(CLOSE, b"\x03\xe9"))
        self.assertTrue(client.lost)
        self.assertIsNone(self.successResultOf(emptied))
        self.assertEqual(session.ends, 1)

    def test_the_guard_is_never_empty_in_between(self) -> None:
        client = self.connect()
        emptied = self.guard.emptied()
        client.say(handshake())
        self.assertNoResult(emptied)
        client.wire.close()
        self.assertIsNone(self.successResultOf(emptied))

    def test_nothing_of_it_is_left(self) -> None:
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        protocol = self.factory.buildProtocol(None)
        client = Client(Wire(protocol, self.reactor))
        freed: list[weakref.ref[Any]] = [weakref.ref(protocol)]
        freed += [weakref.ref(protocol.connection)]
        del protocol
        client.say(GET + handshake() + masked(TEXT, b"hello"))
        # Of the HTTP side, already now.
        self.assertEqual([one() for one in freed], [None] * 2)
        websocket = client.wire.transport.protocol
        freed += [weakref.ref(websocket), weakref.ref(websocket.connection)]
        freed += [weakref.ref(client.wire.transport)]
        del websocket
        client.wire.close()
        del client.wire.transport
        self.server.sessions.clear()
        self.assertEqual([one() for one in freed], [None] * 5)
        self.assert_nothing_is_left()


class LimitTests(UpgradeTestCase):
    def test_so_many_headers_and_no_more(self) -> None:
        # Five of them are the handshake's own.
        for count, status in (95, b"101"), (96, b"431"):
            client = self.connect()
            client.say(handshake(*[b"X-%d: y" % n for n in range(count)]))
            self.assertEqual(client.wire.hear().split()[1], status)

    def test_a_long_header_is_none_to_the_websocket(self) -> None:
        """It is held to its limit once, and not passed on."""
        client = self.connect()
        client.say(handshake(b"X: " + b"x" * 16_000) + masked(TEXT, b"x" * 500) * 100)
        self.assertEqual(client.read(), ACCEPTED)
        self.assertEqual(len(self.server.sessions[0].messages), 100)

    def test_limits_that_are_none(self) -> None:
        self.guard = Guard(self.reactor, Limits(opening_seconds=0, idle_seconds=0))
        self.begin()
        client, _ = self.open()
        self.reactor.advance(20)
        self.assertEqual(client.read(), b"")
