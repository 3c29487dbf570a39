# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Who sends too much, or makes others be sent too much, is closed; nobody else is."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from chatmux.broker.local import LocalBroker
from chatmux.door import WebSocketDoor
from chatmux.model import TOO_FAST
from chatmux.protocols import machat, multichat, webtalk
from chatmux.settings import Limits, Secret
from chatmux.transports.framed import FramedFactory
from chatmux.transports.guard import Guard
from chatmux.transports.lines import LineFactory
from chatmux.transports.websocket_factory import WebSocketFactory
from tests.attack import WEBSOCKETS, AttackTestCase, closed_with, read_all
from tests.doubles import MemoryConnection, services
from tests.http_doubles import GET, Client, LimitTestCase
from tests.transport_doubles import Wire
from tests.websocket_doubles import BINARY, CLOSE, PING, PONG, TEXT, Peer, masked

BURST = 10
"""What a second's 1 is at once."""
REGISTER = json.dumps(
    {"action": "register", "client-name": "ann", "secret-key": "canary"}
).encode()
TOO_MUCH = (TOO_FAST.code, TOO_FAST.reason.encode())
HELLO = b'{"name":"ann","room":"hall"}'


def said(text: str) -> bytes:
    return json.dumps({"action": "client-message", "content": text}).encode()


def joined(messages: Iterable[bytes]) -> bytes:
    return b"".join(masked(TEXT, message) for message in messages)


class RateCase(SynchronousTestCase):
    """Protocols and the broker, on transports in memory whose peers are not local."""

    def setUp(self) -> None:
        self.begin()

    def begin(self, **limits: Any) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.guard = Guard(self.reactor, Limits(**limits))
        self.broker = LocalBroker(self.reactor)
        self.services = services(self.broker, self.reactor)

    def multichat(self) -> Peer:
        """Return a client that has registered."""
        section = multichat.Section(secret_key=Secret("canary"))
        factory = WebSocketFactory(
            self.guard, list(multichat.doors(section, self.services))
        )
        peer = Peer(factory).open()
        peer.send(TEXT, REGISTER)
        peer.hear()
        return peer

    def listeners(self, count: int) -> list[MemoryConnection]:
        found = [MemoryConnection() for _ in range(count)]
        for one in found:
            self.broker.subscribe("multichat", one, machat.encode)
        return found

    def close_of(self, peer: Peer) -> tuple[int, bytes] | None:
        """Return code and reason of the close frame that a peer has heard last."""
        found = None
        for frame in peer.hear():
            if frame.opcode == CLOSE:
                found = int.from_bytes(frame.payload[:2], "big"), frame.payload[2:]
        return found


class MessageTests(RateCase):
    def test_who_sends_too_fast_is_closed_and_nobody_else(self) -> None:
        self.begin(messages_per_second=1)
        fast, healthy = self.multichat(), self.multichat()
        (listener,) = self.listeners(1)
        fast.say(joined(said(f"fast {n}") for n in range(100)))
        healthy.say(joined(said(f"healthy {n}") for n in range(5)))
        self.reactor.advance(0)
        self.assertEqual(self.close_of(fast), TOO_MUCH)
        lines = listener.written.decode().splitlines()
        expected = [f"ann:fast {n}" for n in range(BURST + 1)]
        expected += [f"ann:healthy {n}" for n in range(5)]
        self.assertEqual(lines, expected)
        self.assertIsNone(self.close_of(healthy))

    def test_who_keeps_to_it_stays(self) -> None:
        self.begin(messages_per_second=1, ping_seconds=0)
        peer = self.multichat()
        for _ in range(10):
            peer.say(joined([said("hello")] * BURST))
            self.reactor.advance(BURST)
        self.assertIsNone(self.close_of(peer))

    def test_what_is_ignored_counts_too(self) -> None:
        self.begin(messages_per_second=1)
        for opcode, message in (BINARY, b"x"), (TEXT, b"no JSON"), (TEXT, REGISTER):
            peer = self.multichat()
            for _ in range(BURST):
                peer.send(opcode, message)
            self.assertIsNone(self.close_of(peer))
            peer.send(opcode, message)
            self.assertEqual(self.close_of(peer), TOO_MUCH)

    def test_so_do_pings(self) -> None:
        self.begin(messages_per_second=1)
        peer = self.multichat()
        peer.say(masked(PING, b"x") * 100)
        self.reactor.advance(0)
        pongs = [frame for frame in peer.hear() if frame.opcode == PONG]
        self.assertEqual(len(pongs), BURST)

    def test_this_machine_is_not_held_to_it(self) -> None:
        self.begin(messages_per_second=1, delivered_per_second=1)
        peer = self.multichat()
        self.guard.speaks_for(peer.protocol.connection, "127.0.0.1")
        self.listeners(3)
        peer.say(joined([said("hello")] * 300))
        self.reactor.advance(0)
        self.assertIsNone(self.close_of(peer))

    def test_0_is_any_number(self) -> None:
        self.begin(messages_per_second=0, delivered_per_second=0)
        peer = self.multichat()
        self.listeners(3)
        peer.say(joined([said("hello")] * 300))
        self.assertIsNone(self.close_of(peer))

    def test_machat_says_it_in_a_line_first(self) -> None:
        self.begin(messages_per_second=1)
        line_door, websocket_door = machat.doors(machat.Section(), self.services)
        factory: Any = LineFactory(self.guard, line_door)  # type: ignore[arg-type]
        wire = Wire(factory.buildProtocol(None), self.reactor)
        self.addCleanup(wire.close)
        wire.say(HELLO + b"\n" + b"x\n" * 100)
        self.reactor.advance(0)
        heard = Client(wire).read()
        expected = b"ann:x\n" * (BURST + 1) + b"error: too much was sent\n"
        self.assertEqual(heard, expected)
        self.assertTrue(Client(wire).ended)
        wire.close()

        assert isinstance(websocket_door, WebSocketDoor)
        peer = Peer(WebSocketFactory(self.guard, [websocket_door]))
        handshake = b"GET /mychat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
        handshake += b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        peer.say(handshake + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        self.assertIn(b" 101 ", peer.transport.take())
        # Lines count, not messages.
        peer.say(masked(TEXT, HELLO) + masked(TEXT, b"x\n" * 100))
        self.reactor.advance(0)
        *_, words, close = peer.hear()
        self.assertEqual(words.payload, b"error: too much was sent\n")
        self.assertEqual(close.payload[:2], TOO_FAST.code.to_bytes(2, "big"))

    def test_webtalks_private_port_is_not_held_to_it(self) -> None:
        self.begin(messages_per_second=1, delivered_per_second=1)
        private, _ = webtalk.doors(webtalk.Section(), self.services)
        factory: Any = FramedFactory(self.guard, private)  # type: ignore[arg-type]
        wire = Wire(factory.buildProtocol(None), self.reactor)
        self.addCleanup(wire.close)
        wire.say(b"00009[newuser]" * 200)
        client = Client(wire)
        self.assertEqual(client.read().count(b"[ok] "), 200)
        self.assertFalse(client.lost)
        self.guard.stop()


class DeliveryTests(RateCase):
    def test_one_who_floods_five_thousand_is_closed(self) -> None:
        peer = self.multichat()
        crowd = self.listeners(5000)
        text = "x" * 64 * 1024
        count = 0
        while self.close_of(peer) is None:
            self.assertLess(count, 100)
            count += 1
            peer.send(TEXT, said(text))
        self.assertEqual(count, 10 * (2 << 30) // (5001 * len(text)) + 1)
        self.reactor.advance(0)
        # What was accepted is everybody's.
        for one in crowd[0], crowd[-1]:
            self.assertEqual(one.written.count(b"ann:"), count)
            self.assertIsNone(one.closed_for)

    def test_a_burst_of_large_messages_passes(self) -> None:
        peer = self.multichat()
        crowd = self.listeners(100)
        peer.say(joined([said("x" * 100_000)] * 150))
        for _ in range(1000):
            self.reactor.advance(0)
        self.assertIsNone(self.close_of(peer))
        for one in crowd:
            self.assertEqual(len(one.written), 150 * (100_000 + len("ann:\n")))

    def test_it_is_counted_for_each_who_gets_it(self) -> None:
        self.begin(delivered_per_second=100)
        self.listeners(9)
        peer = self.multichat()
        for _ in range(10):
            # Ten times ten bytes, with the name; one's own place counts as well.
            peer.send(TEXT, said("x" * 7))
        self.assertIsNone(self.close_of(peer))
        peer.send(TEXT, said("x"))
        self.assertEqual(self.close_of(peer), TOO_MUCH)


class RequestTests(LimitTestCase):
    def test_requests_are_messages(self) -> None:
        self.limit(messages_per_second=1)
        client = self.connect()
        client.say(GET * 30)
        for _ in range(30):
            self.reactor.advance(0)
        answers = client.hear()
        self.assertEqual([one.status for one in answers], [200] * BURST + [429])
        self.assertTrue(answers[-1].closes)
        self.assertTrue(client.ended)


class ServedTests(AttackTestCase):
    """Every WebSocket door, and MaChat's lines, with a proxy in front."""

    def test_who_sends_too_fast_is_closed_and_nobody_else(self) -> None:
        trusted: dict[str, Any] = {"trusted-proxies": ["127.0.0.1"]}
        target = self.target(
            **trusted,
            limits={"messages-per-second": 2},
            machat={"tcp": "haproxy:tcp:0:interface=127.0.0.1"},
        )
        watcher = target.upgrade("multichat")
        watcher.sendall(masked(TEXT, target.opening("multichat", "watcher")))
        talk = {
            "multichat": said("hello"),
            "mychat": b"hello",
            "globes": b'{"event_type":"send","name":"globes","msg":"hello"}',
            "public": b"nothing",
        }
        for place in WEBSOCKETS:
            raw = target.upgrade(place, "X-Forwarded-For: 192.0.2.9")
            raw.sendall(masked(TEXT, target.opening(place, place)))
            raw.sendall(masked(TEXT, talk[place]) * 100)
            self.assertEqual(closed_with(raw), 1008, place)
        raw = target.connect("machat")
        raw.sendall(b"PROXY TCP4 192.0.2.9 192.0.2.1 1 2\r\n" + HELLO + b"x\n" * 100)
        self.assertTrue(read_all(raw).endswith(b"\nerror: too much was sent\n"))
        # Those of this machine, which are as fast, are not closed; and they hear all.
        other = target.upgrade("mychat")
        other.sendall(masked(TEXT, target.opening("mychat", "other")))
        other.sendall(masked(TEXT, b"line") * 200 + masked(TEXT, b"last"))
        heard = b""
        while b'"content":"last"' not in heard:
            heard += watcher.recv(1 << 16)
        self.assertEqual(heard.count(b'"content":"line"'), 200)
        for name in "multichat", "mychat", "globes":
            own = b'"source-client-name":"%b","content":"hello"' % name.encode()
            # Of Globes, the join counts.
            self.assertEqual(heard.count(own), 21 - (name == "globes"), name)
        told = target.log.count("closed, 1008: too much was sent")
        self.assertEqual(told, len(WEBSOCKETS) + 1)

    def test_comings_and_goings_and_what_is_refused_count_too(self) -> None:
        trusted: dict[str, Any] = {"trusted-proxies": ["127.0.0.1"]}
        target = self.target(**trusted, limits={"messages-per-second": 2})
        come, go, say = (
            b'{"event_type":"%b","name":"ann","msg":"hello"}' % kind
            for kind in (b"join", b"leave", b"send")
        )
        for words in [come, go], [come], [say], [go]:
            raw = target.upgrade("globes", "X-Forwarded-For: 192.0.2.9")
            raw.sendall(joined(words * 100))
            self.assertEqual(closed_with(raw), 1008, words)
