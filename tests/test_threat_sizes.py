# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Row 5: what is longer than it may be, on every door of a process; and the limits."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from chatmux.protocols import globes, machat, multichat, webtalk
from chatmux.settings import Limits, Secret
from tests.attack import MIB, WEBSOCKETS, AttackTestCase, Target, closed_with, read_all
from tests.pulse import SECRET
from tests.websocket_doubles import PING, TEXT, masked

LIMITS = {"closing-seconds": 1, "stall-seconds": 1}
TEBIBYTE = 1 << 40


class DefaultTests(SynchronousTestCase):
    """Where a configuration says nothing, and where the table's figures stand."""

    def test_the_times_and_sizes_are_those_of_the_table(self) -> None:
        limits = Limits()
        self.assertEqual(limits.opening_seconds, 10)
        self.assertEqual(limits.frame_seconds, 10)
        self.assertEqual(limits.message_seconds, 30)
        self.assertEqual(limits.ping_seconds + limits.pong_seconds, 40)
        self.assertEqual(limits.stall_seconds, 10)
        self.assertEqual(limits.closing_seconds, 5)
        self.assertEqual(limits.header_bytes, 16 * 1024)
        self.assertEqual(limits.fragments, 1024)
        self.assertEqual(limits.log_bytes, 4 * MIB)
        self.assertEqual(multichat.OPENING_BYTES, 16 * 1024)
        self.assertEqual(
            multichat.Section(secret_key=Secret(SECRET)).message_bytes, MIB
        )
        self.assertEqual(machat.HELLO_BYTES, 16 * 1024)
        self.assertEqual(machat.LINE_BYTES, 65_535)
        self.assertEqual(machat.Section().message_bytes, MIB)
        self.assertEqual(globes.Section().body_bytes, 64 * 1024)
        self.assertEqual(globes.Section().event_bytes, 64 * 1024)
        self.assertEqual(webtalk.LONGEST_FRAME, 99_999)
        self.assertEqual(webtalk.LOGIN_BYTES, 1024)


def padded(value: dict[str, str], length: int) -> bytes:
    """Return JSON of so many bytes."""
    text = json.dumps(value).encode()
    return b" " * (length - len(text)) + text


REGISTER = {"action": "register", "client-name": "x", "secret-key": SECRET}
FIRST: dict[str, tuple[int, dict[str, str]]] = {
    # mychat's hello is a stream of messages, and may be so long together.
    "multichat": (16 * 1024, REGISTER),
    "mychat": (16 * 1024, {"name": "x", "room": "sizes"}),
    "globes": (64 * 1024, {"event_type": "join", "name": "x"}),
}
LATER: dict[str, tuple[int, dict[str, str]]] = {
    "multichat": (MIB, {"action": "client-message", "content": "x"}),
    "mychat": (MIB, {}),
    "globes": (64 * 1024, {"event_type": "send", "name": "x", "msg": "x"}),
    # What a browser says after the login is of no effect.
    "public": (MIB, {}),
}


class WebSocketSizeTests(AttackTestCase):
    def is_alive(self, raw: socket.socket) -> bool:
        """Say whether a ping is answered behind all that was sent."""
        raw.sendall(masked(PING, b"\0alive"))
        came = b""
        with contextlib.suppress(OSError):
            while part := raw.recv(1 << 16):
                came += part
                if b"\0alive" in came:
                    return True
        return False

    def refused(self, raw: socket.socket, data: bytes) -> int | None:
        """Send what is too much; return the code of the close."""
        with contextlib.suppress(OSError):
            raw.sendall(data)
        return closed_with(raw)

    def first(self, target: Target) -> None:
        for name, (limit, value) in FIRST.items():
            for length in limit - 1, limit:
                raw = target.upgrade(name)
                raw.sendall(masked(TEXT, padded(value, length)))
                self.assertTrue(self.is_alive(raw), (name, length))
                raw.close()
            for length in limit + 1, 10 * limit:
                data = masked(TEXT, padded(value, length))
                code = self.refused(target.upgrade(name), data)
                # MaChat says so in a line, and closes as it does for a bad hello.
                expected = 1008 if name == "mychat" else 1009
                self.assertEqual(code, expected, (name, length))
        salted = masked(TEXT, target.ticket().rjust(1024, b"0"))
        raw = target.upgrade("public")
        raw.sendall(salted)
        self.assertTrue(self.is_alive(raw))
        for length in 1025, 10 * 1024:
            salted = masked(TEXT, target.ticket().rjust(length, b"0"))
            self.assertEqual(self.refused(target.upgrade("public"), salted), 1009)

    def later(self, target: Target) -> None:
        for name, (limit, value) in LATER.items():
            raw = target.enter(name, f"sizes {name}")
            for length in limit - 1, limit:
                # MaChat's is many lines.
                lines = (b"x" * 60_000 + b"\n") * 20
                data = padded(value, length) if value else lines[:length]
                raw.sendall(masked(TEXT, data))
                self.assertTrue(self.is_alive(raw), (name, length))
            raw.close()
            for length in limit + 1, 10 * limit:
                raw = target.enter(name, f"sizes {name} {length}")
                code = self.refused(raw, masked(TEXT, b" " * length))
                self.assertEqual(code, 1009, (name, length))

    def declared(self, target: Target) -> None:
        """A frame that says it will be long is refused before it comes."""
        for name in WEBSOCKETS:
            for how_long in TEBIBYTE, (1 << 63) - 1:
                head = b"\x81\xff" + how_long.to_bytes(8, "big") + b"mask" + b"x"
                for raw in target.upgrade(name), target.enter(name, f"{name} declares"):
                    self.assertEqual(self.refused(raw, head), 1009, name)

    def test_messages_at_their_limits_pass_and_longer_ones_do_not(self) -> None:
        for tls in False, True:
            target = self.target(tls, limits=LIMITS)
            before = target.most_rss
            self.first(target)
            self.later(target)
            self.declared(target)
            # A message of a mebibyte that is taken is in memory a few times.
            self.assertLess(target.most_rss - before, 16 * MIB)
            self.assertNotIn("Traceback", target.log)

    def test_nobody_notices_what_is_refused(self) -> None:
        self.survives(self.declared, limits=LIMITS)


class StreamSizeTests(AttackTestCase):
    """Lines and frames."""

    def said(self, raw: socket.socket, data: bytes) -> bytes:
        with contextlib.suppress(OSError):
            raw.sendall(data)
        return read_all(raw)

    def lines(self, target: Target) -> None:
        for length in 65_534, 65_535:
            raw = target.connect("machat")
            raw.sendall(b'{"name":"x","room":"sizes"}\n' + b"y" * length + b"\n")
            raw.shutdown(socket.SHUT_WR)
            self.assertEqual(read_all(raw), b"x:" + b"y" * length + b"\n")
        too_long = b"error: a line is longer than 65535 bytes\n"
        for length in 65_536, 655_360, 10 * MIB:
            raw = target.connect("machat")
            hello = b'{"name":"x","room":"sizes"}\n'
            came = self.said(raw, hello + b"y" * length + b"\n")
            # Of a connection that is cut with bytes unread, the last words may be lost.
            self.assertIn(came, (too_long, b""))
        hello = padded({"name": "x", "room": "sizes"}, 16 * 1024)
        raw = target.connect("machat")
        raw.sendall(hello + b"\nhi\n")
        self.assertEqual(raw.recv(100), b"x:hi\n")
        came = self.said(target.connect("machat"), b" " + hello + b"\n")
        self.assertEqual(came[:27], b"error: no JSON in the hello")

    def frames(self, target: Target) -> None:
        longest = b"[store] k!" + b"v" * 99_989
        raw = target.connect("private")
        raw.sendall(b"%05d%s" % (len(longest), longest))
        self.assertEqual(raw.recv(100), b"00013[ok] stored k")
        # With what stands before it in the answer, no five digits could tell its size.
        raw.sendall(b"00012[retrieve] k")
        came = b""
        while len(came) < 5 + 99_989 + 5:
            came += raw.recv(1 << 17)
        self.assertEqual(came[:15], b"99994[ok] vvvvv")
        key = b"[store] " + b"k" * 99_990 + b"!"
        raw.sendall(b"%05d%s" % (len(key), key))
        refusal = b"[error] the answer is longer than 99999 bytes"
        self.assertEqual(raw.recv(1 << 17), b"%05d%s" % (len(refusal), refusal))
        # It is still in step.
        raw.sendall(b"00007[dance]")
        self.assertEqual(raw.recv(1 << 17), b"00030[error] Invalid command: dance")

    def unknown(self, target: Target) -> None:
        """Whoever has not shown the secret may send no long frame."""
        raw = target.connect("private")
        came = self.said(raw, b"99999" + b"[auth] " * 9)
        self.assertIn(b"[error] Invalid Frame Size: 99999", came)
        for digits in b"-0001", b"+0009", b" 0009", b"1_000", b"0x010", b"\xd9\xa1  9":
            came = self.said(target.connect("private"), digits + b"x" * 20)
            self.assertIn(b"[error] Invalid Frame Size: ", came, digits)

    def bodies(self, target: Target) -> None:
        head = (
            "POST /chats HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: "
        )
        for length, status in self.lengths():
            raw = target.connect("globes")
            wish = {"title": f"t{length}", "visibility": "public"}
            body = padded(wish, min(length, 640 * 1024))
            came = self.said(raw, f"{head}{length}\r\n\r\n".encode() + body)
            self.assertEqual(came[9:12], b"%d" % status, length)

    def lengths(self) -> Iterator[tuple[int, int]]:
        limit = 64 * 1024
        yield from ((limit - 1, 201), (limit, 201))
        yield from ((limit + 1, 413), (10 * limit, 413), (TEBIBYTE, 413))

    def test_at_their_limits_they_pass_and_longer_ones_do_not(self) -> None:
        for tls in False, True:
            target = self.target(tls, limits=LIMITS)
            before = target.most_rss
            if not tls:
                # TLS has no half-closing.
                self.lines(target)
            self.frames(target)
            self.bodies(target)
            self.assertLess(target.most_rss - before, 8 * MIB)
            self.assertNotIn("Traceback", target.log)
            guarded = self.target(tls, limits=LIMITS, webtalk={"secret": "x" * 20})
            self.unknown(guarded)
