# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Plain handshakes are read by us, as Autobahn would; all others by Autobahn."""

from __future__ import annotations

import re
from collections.abc import Sequence
from time import process_time
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from chatmux.transports.guard import Guard
from chatmux.transports.handshake import accept_bytes, plain_handshake
from chatmux.transports.websocket_factory import WebSocketFactory
from tests.long_way import LongWayFactory, Server
from tests.profiles import examples
from tests.transport_doubles import Sessions, Wire
from tests.websocket_doubles import (
    ACCEPTED,
    HANDSHAKE,
    PING,
    TEXT,
    masked,
    websocket_door,
)

PLAIN = HANDSHAKE.removesuffix(b"\r\n")
"""As `plain_handshake` gets it."""

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="

TARGETS = (
    *("/", "/any", "/star", "/sub", "/sub/", "/sub/x", "/fails", "/%2e/", "/a%zz"),
    *("/?a=b", "/?a=b;c?d", "/any?", "/?#", "/#", "/#x", "/any#x", "/any/#", "/a;b"),
    *("/any;x=y", "/any/x;y?z", "/;", "//any", "//h/any", "///any", "/any//x", "/[x"),
    *("/]?[", "/a:b", "/a@b", "/?%", '/"', "/\\", "/^`{|}~", "/\xe9", "any", "*", ""),
    *("http://h/any", "http://h", "http://[x/", "h:80", "ws://h/any?x", "/any any"),
)
HOSTS = (
    *("", "h", "h:", "h:1", "h:99999", "h:100000", "h:x", "H.example:6780", "h h"),
    *("[::1]", "[::1]:80", "[::1", "::1", "u@h", "h/x", "h:-1", "h:1:2", "[x]:1"),
)
ORIGINS = (
    *("null", "Null", "", "file:///x", "http://", "http://h", "http://h:1", "h"),
    *("HTTP://H", "http://h:1/", "http://h/x", "http://h?x", "http://u@h", "http://h:"),
    *("http://h:65535", "http://h:65536", "http://h:99999", "http://h:00001"),
    *("http://h:-1", "http://h:x", "http://[::1]", "http://[::1", "http://[x]:1"),
    *("ftp://h", "https://ok.example", "https://OK.example:443", "http://\xe9", "//h"),
    *("http://H.example:6780", "chrome-extension://x", "http://h http://i", "http:/h"),
)
PROTOCOLS = (
    *("", ",", "a", "a,b", " a , b ", "a,a", "a, A", "a,,b", "a,", ",,", "a\tb,c"),
    *("none", "none,a", "\xe9", "b, a, none", '"a"'),
)
EXTENSIONS = (
    *("", "x", "x-webkit-deflate-frame", "permessage-deflate", "a;b=c;b, d", ";"),
    *("permessage-deflate; client_max_window_bits, permessage-deflate", "%&, ,=;"),
)
VALUES: dict[str, tuple[str, Sequence[str]]] = {
    "Host": ("h:1", HOSTS),
    "Upgrade": ("websocket", ("WebSocket", "h2c", "h2c, websocket", "web socket", "")),
    "Connection": (
        "Upgrade",
        (
            "keep-alive, UPGRADE",
            "close",
            "up grade",
            "Upgrade,",
            ",upgrade ,x",
            "",
            "u",
        ),
    ),
    "Sec-WebSocket-Version": ("13", ("12", "8", "0", "013", "+13", "1 3", "x", "")),
    "Sec-WebSocket-Key": (
        KEY.decode(),
        (KEY.decode()[:-1], "a" * 24, "=" * 24, KEY.decode().replace("h", "-"), ""),
    ),
    "Origin": ("http://h:1", ORIGINS),
    "Sec-WebSocket-Protocol": ("a", PROTOCOLS),
    "X-Other": ("x", ("", ":", "a:b", "\xff", "x" * 3000, "Upgrade: h2c")),
}
"""By a header's name: what is right, and what may be otherwise."""

NEEDED = tuple(VALUES)[:5]
BLANKS = ("", " ", "\t", "  ", " \t ", "\xa0", "\x0b", "\x00", "\x1f", "\x85")


CHANGES = ("method", "version", "gap", "target", "end", "odd", "missing", "bytes")


@st.composite
def header_lines(draw: st.DrawFn, name: str, changed: bool) -> str:
    usual, others = VALUES[name]
    value = draw(st.sampled_from(others)) if changed else usual
    cased = draw(st.sampled_from((name, name.lower(), name.upper(), name.swapcase())))
    blanks = st.sampled_from(BLANKS if changed else BLANKS[:5])
    before = draw(st.sampled_from(("", "", "", " ", "x", "\xe9"))) if changed else ""
    return f"{cased}{before}:{draw(blanks)}{value}{draw(blanks)}"


@st.composite
def handshakes(draw: st.DrawFn) -> bytes:
    """Make a handshake, right but for up to three faults or rarities."""
    changes = draw(st.lists(st.sampled_from((*CHANGES, *VALUES)), max_size=3))

    def pick(change: str, usual: str, *others: str) -> str:
        return draw(st.sampled_from(others)) if change in changes else usual

    method = pick("method", "GET", "get", "POST", "HEAD", "", "GE T")
    version = pick("version", "HTTP/1.1", "HTTP/1.0", "HTTP/2", "http/1.1", "", "x")
    gap = pick("gap", " ", "  ", "\t", "", "\xa0")
    path = draw(st.sampled_from(("/any", "/star", "/sub/x", "/fails", "/", "/?a=b")))
    target = pick("target", path, *TARGETS)
    names = [*NEEDED, *draw(st.sets(st.sampled_from(tuple(VALUES)[5:])))]
    # Those that are twice there are changed, one by one, or not.
    names += [name for name in changes if name in VALUES and draw(st.booleans())]
    if "missing" in changes:
        names.remove(draw(st.sampled_from(NEEDED)))
    lines = [
        draw(header_lines(name, name in changes and draw(st.booleans())))
        for name in draw(st.permutations(names))
    ]
    if "odd" in changes:
        lines.append(draw(st.sampled_from(("", ":", " x", "x", "Host", ": h", " a:b"))))
    end = pick("end", "\r\n", "\n", "\r", "\r\r\n", "\x85")
    first = f"{method}{gap}{target} {version}"
    request = bytearray(end.join([first, *lines]).encode("latin-1"))
    if "bytes" in changes:
        place = draw(st.integers(0, len(request)))
        width = draw(st.integers(0, 1))
        request[place : place + width] = draw(st.binary(max_size=2))
    # Behind the changes, as it alone is not to be at fault: that is known to differ.
    for offered in draw(st.lists(st.sampled_from(EXTENSIONS), max_size=2)):
        request += f"\r\nSec-WebSocket-Extensions: {offered}".encode()
    return bytes(request)


def choose(offered: Sequence[str]) -> str | None:
    return next((one for one in offered if one != "none"), None)


def fail(offered: Sequence[str]) -> str | None:
    raise ZeroDivisionError("of the door")


def outcome(kind: type[WebSocketFactory], *parts: bytes) -> dict[str, Any]:
    """Return what comes of a request."""
    sessions = Sessions()
    doors = [
        websocket_door(sessions, "/any", key="test.any"),
        websocket_door(sessions, "/star", key="test.star", origins=("*",)),
        websocket_door(sessions, "/sub/", key="test.sub", subprotocol=choose),
        websocket_door(sessions, "/fails", key="test.fails", subprotocol=fail),
        websocket_door(sessions, "/", key="t", origins=("https://ok.example/",)),
    ]
    server = Server(kind, *doors)
    raised = None
    try:
        for part in parts:
            server.say(part)
    except Exception as error:
        raised = repr(error)
    server.hear()
    server.said = re.sub(rb"\r\nDate: [^\r]*", b"", server.said)
    state = server.state(sessions) | {"raised": raised}
    server.peer.lose()
    return state


class PlainTests(SynchronousTestCase):
    def test_what_a_client_asks_for_is_read(self) -> None:
        read = plain_handshake(
            b"GET /a%20b/c:d?x=/;?y HTTP/1.1\r\nhOST:[::1]:80 \r\nX-Empty:\r\n"
            b"UPGRADE:  WebSocket\r\nConnection: keep-alive , Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nOrigin: https://a.example:8443\r\n"
            b"Sec-WebSocket-Key: " + KEY + b"\r\nSec-WebSocket-Protocol: a , b,"
        )
        assert read is not None
        self.assertEqual(read.path, "/a%20b/c:d")
        self.assertEqual(read.protocols, ["a", "b", ""])
        self.assertEqual(read.key, KEY.decode())
        self.assertEqual(read.headers["host"], "[::1]:80")
        self.assertEqual(read.headers["origin"], "https://a.example:8443")
        self.assertEqual(read.headers["x-empty"], "")

    def test_handshakes_of_browsers_and_programs_are_plain(self) -> None:
        for more in (
            b"",
            b"\r\nOrigin: http://chat.example:6780\r\nPragma: no-cache\r\n"
            b"User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nCookie: a=b; c=d\r\n"
            b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
            b"\r\nSec-WebSocket-Protocol: base64, binary",
        ):
            self.assertIsNotNone(plain_handshake(PLAIN + more), more)

    def test_what_is_at_fault_or_special_is_not(self) -> None:
        for old, new in (
            (b"GET", b"POST"),
            (b"GET", b"get"),
            (b"HTTP/1.1", b"HTTP/1.0"),
            (b"HTTP/1.1", b"HTTP/1.1 "),
            (b"GET / ", b"GET  / "),
            (b"GET / ", b"GET //h/ "),
            (b"GET / ", b"GET /;x "),
            (b"GET / ", b"GET /#x "),
            (b"GET / ", b"GET /?x#y "),
            (b"GET / ", b"GET http://h/ "),
            (b"GET / ", b"GET * "),
            (b"GET / ", b"GET /\xe9 "),
            (b"Host: chat.example:6780\r\n", b""),
            (b"chat.example:6780", b""),
            (b"Host:", b"Host: h\r\nHost:"),
            (b"Host:", b"hOST: h\r\nHost:"),
            (b"Host:", b"Host :"),
            (b"Host:", b"X\r\nHost:"),
            (b"Host:", b": x\r\nHost:"),
            (b"Host:", b"X: \x00\r\nHost:"),
            (b"Host:", b"X: \xe9\r\nHost:"),
            (b"Host:", b"X: a\nY: b\r\nHost:"),
            (b"Host:", b"X: a\r\n b\r\nHost:"),
            (b"Connection: Upgrade", b"Connection: up grade"),
            (b"Connection: Upgrade", b"Connection: close"),
            (b"Upgrade: websocket", b"Upgrade: h2c"),
            (b"Version: 13", b"Version: 8"),
            (b"ZQ==", b"ZQ="),
            (b"dGhl", b"d-hl"),
            (b"Host:", b"Origin: null\r\nHost:"),
            (b"Host:", b"Origin: http://h/\r\nHost:"),
            (b"Host:", b"Origin: http://h:65536\r\nHost:"),
            (b"Host:", b"Sec-WebSocket-Protocol: a, a\r\nHost:"),
        ):
            changed = PLAIN.replace(old, new, 1)
            self.assertNotEqual(changed, PLAIN)
            self.assertIsNone(plain_handshake(changed), new)

    def test_no_header_takes_long_to_be_found_not_plain(self) -> None:
        """A pattern that tries all ways to match would take a second."""
        for start, filling in (
            (PLAIN + b"\r\nX:", b" "),
            (PLAIN + b"\r\nX:", b"\t "),
            (PLAIN, b"\r\nX:"),
            (PLAIN + b"\r\n", b"X"),
            (b"GET /", b"/"),
            (b"GET /?", b"?"),
            (PLAIN + b"\r\nSec-WebSocket-Protocol:", b", "),
            (PLAIN + b"\r\nOrigin: http://", b"a."),
        ):
            header = start + filling * (16_000 // len(filling)) + b"\x00"
            before = process_time()
            self.assertIsNone(plain_handshake(header))
            self.assertLess(process_time() - before, 0.1, filling)

    def test_the_answer_names_what_was_chosen(self) -> None:
        self.assertEqual(accept_bytes(KEY.decode(), None), ACCEPTED)
        mark = b"Sec-WebSocket-Accept: "
        for chosen in "binary", "":
            line = b"Sec-WebSocket-Protocol: " + chosen.encode() + b"\r\n"
            expected = ACCEPTED.replace(mark, line + mark)
            self.assertEqual(accept_bytes(KEY.decode(), chosen), expected)


class BothWaysTests(SynchronousTestCase):
    def assert_same(self, *parts: bytes) -> dict[str, Any]:
        short = outcome(WebSocketFactory, *parts)
        self.assertEqual(short, outcome(LongWayFactory, *parts), parts)
        return short

    @settings(max_examples=examples(200), deadline=None)
    @given(handshakes(), st.booleans(), st.integers(0, 400))
    def test_any_handshake_is_answered_the_same(
        self, header: bytes, more: bool, cut: int
    ) -> None:
        frames = masked(TEXT, b"hello") * more
        request = header + b"\r\n\r\n" + frames
        state = self.assert_same(request[:cut], request[cut:])
        event(f"plain: {plain_handshake(header) is not None}")
        event(f"answer: {state['said'][9:12]!r}")

    def test_each_rarity_alone_is_answered_the_same(self) -> None:
        for target in TARGETS:
            header = PLAIN.replace(b" / ", f" {target} ".encode("latin-1"), 1)
            self.assert_same(header + b"\r\n\r\n")
        usual = {name: VALUES[name][0] for name in NEEDED}
        for name, (_, others) in VALUES.items():
            for other in others:
                for path in "/any", "/star", "/sub/", "/fails", "/":
                    lines = [
                        f"{key}: {one}" for key, one in (usual | {name: other}).items()
                    ]
                    request = "\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""])
                    self.assert_same(request.encode("latin-1"))

    def test_an_origin_of_the_own_host_with_an_impossible_port_is_refused(self) -> None:
        header = PLAIN.replace(b":6780", b":99999")
        state = self.assert_same(
            header + b"\r\nOrigin: http://chat.example:99999\r\n\r\n"
        )
        self.assertEqual(state["said"][9:12], b"403")

    def test_a_door_that_fails_to_choose_is_an_answer_of_500(self) -> None:
        header = PLAIN.replace(b" / ", b" /fails ", 1)
        state = self.assert_same(header + b"\r\n\r\n")
        self.assertEqual(state["said"][9:12], b"500")
        self.assertTrue(state["ending"])

    def test_offers_of_extensions_are_passed_over_and_not_judged(self) -> None:
        """Known to differ: none is accepted anyway, whatever is offered."""
        offer = b"\r\nSec-WebSocket-Extensions: permessage-deflate; x=y\r\n\r\n"
        said = outcome(WebSocketFactory, PLAIN + offer)["said"]
        self.assertEqual(said, ACCEPTED)
        said = outcome(LongWayFactory, PLAIN + offer)["said"]
        self.assertEqual(said[9:12], b"400")


class WireTests(SynchronousTestCase):
    def test_the_answer_is_written_in_the_turn_of_the_request(self) -> None:
        clock = MemoryReactorClock()
        factory = WebSocketFactory(Guard(clock), [websocket_door(Sessions())])
        wire = Wire(factory.buildProtocol(None), clock)
        self.addCleanup(wire.close)
        wire.far.send(PLAIN + b"\r\n\r\n" + masked(PING, b"behind"))
        wire.transport.doRead()
        self.assertEqual(wire.hear(), ACCEPTED)
        # Autobahn's answers still go by Twisted's buffer, and so behind.
        self.assertEqual(wire.hear_all(), b"\x8a\x06behind")

    def test_the_answer_stays_behind_what_twisted_has_buffered(self) -> None:
        clock = MemoryReactorClock()
        factory = WebSocketFactory(Guard(clock), [websocket_door(Sessions())])
        wire = Wire(factory.buildProtocol(None), clock)
        self.addCleanup(wire.close)
        wire.transport.write(b"before")
        wire.far.send(PLAIN + b"\r\n\r\n")
        wire.transport.doRead()
        self.assertEqual(wire.hear_all(), b"before" + ACCEPTED)
