# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Whatever ends a connection, reference counting alone frees all of it.

Each kind of transport, plain and over TLS, is led to each of the places where a
connection can be, and ended there in each of the ways of `tests.freed`.
"""

from __future__ import annotations

from typing import Any

from chatmux.door import Answer
from chatmux.proxies import Proxies
from chatmux.settings import Limits
from chatmux.transports.framed import FramedFactory
from chatmux.transports.guard import Guard
from chatmux.transports.http import HTTPFactory
from chatmux.transports.lines import LineFactory
from chatmux.transports.listener import Listener
from chatmux.transports.proxied import ProxiedFactory
from chatmux.transports.tls import TLSTransport
from chatmux.transports.websocket_factory import WebSocketFactory
from tests.framed_doubles import framed
from tests.freed import Caller, FreedTestCase
from tests.http_doubles import GET, Server, chunked, handshake, post
from tests.transport_doubles import PEER, framed_door, line_door
from tests.websocket_doubles import (
    CLOSE,
    HANDSHAKE,
    PING,
    TEXT,
    masked,
    websocket_door,
)


class LineTests(FreedTestCase):
    said = {
        "nothing said": (),
        "half the opening": (b"an",),
        "open": (b"ann!",),
        "lines": (b"ann!one\n", b"two\n"),
        "half a line": (b"ann!one\ntw",),
        "lines that wait for their turn": (b"ann!" + b"\n" * 3000,),
        "refused": (b"ann!", b"x" * 100 + b"\n"),
    }

    def make_factory(self) -> Any:
        return LineFactory(self.guard, line_door(self.sessions))

    def test_lines(self) -> None:
        self.check(False)

    def test_lines_over_tls(self) -> None:
        self.check(True)

    def test_a_listener_has_the_tls_that_is_tested_here(self) -> None:
        door = line_door(self.sessions, tls=self.files, tls_key="test")
        listener = Listener(self.reactor, self.guard, [door])
        self.assertIs(type(listener._factory.buildProtocol(None)), TLSTransport)

    def test_in_the_handshake_of_tls(self) -> None:
        self.check_in_the_handshake()


PROXIED = b"PROXY TCP4 198.51.100.1 192.0.2.2 4711 80\r\n"


class ProxiedTestCase(FreedTestCase):
    """Behind a proxy that says in a line of its own who the peer is."""

    def make_factory(self) -> Any:
        self.guard = Guard(self.reactor, Limits(), proxies=Proxies([PEER.host]))
        return self.behind_a_proxy(self.make_line_factory())

    def make_line_factory(self) -> Any:
        return LineFactory(self.guard, line_door(self.sessions))

    def behind_a_proxy(self, factory: Any) -> Any:
        return ProxiedFactory(self.guard, factory, "test")

    def check(self, tls: bool) -> None:
        super().check(tls)
        self.assertEqual(self.guard.unknown, 0)


class ProxiedLineTests(ProxiedTestCase):
    said = {
        "nothing said": (),
        "half of the proxy's line": (PROXIED[:9],),
        "no line of a proxy's": (b"ann!\r\n",),
        **{where: (PROXIED, *said) for where, said in LineTests.said.items()},
    }

    def test_lines_behind_a_proxy(self) -> None:
        self.check(False)


class ProxiedTLSTests(ProxiedTestCase):
    """The proxy's line comes before TLS begins."""

    said = LineTests.said

    def over_tls(self, factory: Any) -> Any:
        return self.behind_a_proxy(super().over_tls(self.make_line_factory()))

    def call(self, tls: bool) -> Caller:
        caller = super().call(tls)
        caller.wire.say(PROXIED)
        return caller

    def test_lines_over_tls_behind_a_proxy(self) -> None:
        self.check(True)

    def test_in_the_handshake_of_tls(self) -> None:
        self.check_in_the_handshake()


class FrameTests(FreedTestCase):
    said = {
        "nothing said": (),
        "half a length": (b"00",),
        "frames": (framed(b"one"), framed(b"two")),
        "half a frame": (framed(b"one") + b"00003tw",),
        "frames that wait for their turn": (framed(*[b"x"] * 1500),),
        "refused": (b"xxxxx",),
        "too long": (b"00999",),
    }

    def make_factory(self) -> Any:
        return FramedFactory(self.guard, framed_door(self.sessions))

    def test_frames(self) -> None:
        self.check(False)

    def test_frames_over_tls(self) -> None:
        self.check(True)

    def test_in_the_handshake_of_tls(self) -> None:
        self.check_in_the_handshake()


FRAMES = {
    "open": (),
    "messages": (masked(TEXT, b"one") + masked(TEXT, b"two"), masked(TEXT, b"x")),
    "half a frame": (masked(TEXT, b"one")[:-1],),
    "half a message": (masked(TEXT, b"one", fin=False),),
    "a ping": (masked(PING, b"x"),),
    "messages that wait for their turn": (masked(TEXT, b"x") * 2500,),
    "closed by the peer": (masked(CLOSE, b"\x03\xe8"),),
    "refused, for its frame": (masked(TEXT, b"one", rsv=4),),
    "refused, for its text": (masked(TEXT, b"\xff"),),
    "refused, as too long": (masked(TEXT, b"x" * 2000),),
}
UPGRADED = handshake()


def behind_a_handshake() -> dict[str, tuple[bytes, ...]]:
    """Return what is said of WebSockets, and the same in one segment."""
    said = {where: (UPGRADED, *frames) for where, frames in FRAMES.items()}
    at_once = {f"{where}, at once": (b"".join(s),) for where, s in said.items()}
    return said | at_once


class WebSocketTests(FreedTestCase):
    said = {
        "nothing said": (),
        "half the handshake": (HANDSHAKE,),
        "refused, for its path": (UPGRADED.replace(b"/", b"/nowhere", 1),),
        "refused, as none": (b"x\r\n\r\n",),
        "refused, as too long": (b"x" * 20_000,),
        **behind_a_handshake(),
    }

    def make_factory(self) -> Any:
        door = websocket_door(self.sessions, opening_bytes=1000, message_bytes=1000)
        return WebSocketFactory(self.guard, [door])

    def test_websockets(self) -> None:
        self.check(False)

    def test_websockets_over_tls(self) -> None:
        self.check(True)

    def test_in_the_handshake_of_tls(self) -> None:
        self.check_in_the_handshake()


LAST = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


class HTTPTests(FreedTestCase):
    said = {
        "nothing said": (),
        "half a request": (GET[:-3],),
        "answered": (GET,),
        "half of the second request": (GET, GET[:7]),
        "many at once": (GET * 40,),
        "half a body": (post("/", b"x" * 99)[:-5],),
        "half a body in chunks": (chunked("/", b"xyz")[:-8],),
        "a body in chunks": (chunked("/", b"xyz", b"x" * 500),),
        "failed": (GET.replace(b"/", b"/fails", 1),),
        "the last one": (LAST,),
        "refused, as none": (b"x\r\n",),
        "refused, as too long": (post("/", b"x" * 2000),),
        "refused, for its header": (b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 200,),
        "a handshake refused": (handshake(path=b"/closed"),),
        "a handshake without a key": (
            UPGRADED.replace(b"Sec-WebSocket-Key", b"X-Key"),
        ),
        "a handshake behind a request": (GET, UPGRADED, masked(TEXT, b"x")),
        **behind_a_handshake(),
    }

    def make_factory(self) -> Any:
        server = Server()
        server.sessions = self.sessions
        granted = server.decide
        server.decide = lambda request: (
            Answer(403) if request.path == "/closed" else granted(request)
        )
        server.steps["/fails"] = lambda request: Answer(200, b"", (("X", "\r\n"),))
        return HTTPFactory(self.guard, server.door())

    def test_http(self) -> None:
        self.check(False)

    def test_http_over_tls(self) -> None:
        self.check(True)

    def test_in_the_handshake_of_tls(self) -> None:
        self.check_in_the_handshake()
