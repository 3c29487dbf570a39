# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Peers that take their time: every deadline holds whatever comes meanwhile."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tests.attack import (
    PLACES,
    WEBSOCKETS,
    AttackTestCase,
    LateError,
    Target,
    close_code,
    read_all,
)
from tests.websocket_doubles import PING, PONG, TEXT, masked

SECONDS = 1.0
"""What the deadlines of these servers are."""
LATE_SECONDS = 1.0
"""How much later a busy machine may be."""
TOLD = SECONDS + LATE_SECONDS
"""When whoever is told by words, or not at all, is gone."""
TOLD_BY_A_CLOSE = TOLD + SECONDS
"""When whoever takes no part in the close of a WebSocket is."""
LIMITS = {
    "opening-seconds": SECONDS,
    "message-seconds": SECONDS,
    "frame-seconds": SECONDS,
    "closing-seconds": SECONDS,
    "stall-seconds": SECONDS,
}
WITH_SECRET = {"secret": "canary of the back-end"}


class Slow:
    """A peer that sends something every now and then.

    Args:
        raw: Its socket, on which the deadline runs already.
        drip: What it sends, until it is cut off.
    """

    def __init__(self, raw: socket.socket, drip: Iterator[bytes]) -> None:
        self.began = time.monotonic()
        raw.setblocking(False)
        self.raw = raw
        self.drip = drip
        self.came = b""
        self.seconds: float | None = None
        """How long it was there; None while it is."""

    def send(self) -> None:
        piece = next(self.drip)
        # That it was cut off is seen by reading.
        with contextlib.suppress(OSError):
            self.raw.sendall(piece)

    def read(self) -> None:
        try:
            part = self.raw.recv(1 << 16)
        except (BlockingIOError, ssl.SSLWantReadError):
            # Of TLS itself.
            return
        except OSError:
            part = b""
        self.came += part
        if not part:
            self.seconds = time.monotonic() - self.began


def bytes_of(data: bytes) -> Iterator[bytes]:
    """Yield one byte after the other, and then the last one for ever."""
    for place in range(len(data)):
        yield data[place : place + 1]
    while True:
        yield data[-1:]


def over_and_over(*pieces: bytes) -> Iterator[bytes]:
    while True:
        yield from pieces


class SlownessTestCase(AttackTestCase):
    def outlast(
        self,
        peers: Iterable[Slow],
        *,
        interval: float = 0.2,
        at_least: float = SECONDS / 2,
        at_most: float = TOLD,
    ) -> list[Slow]:
        """Let all of them drip, and see that each is cut off when its time is over."""
        peers = list(peers)
        here = {peer.raw: peer for peer in peers}
        end = time.monotonic() + at_most + 1
        due = time.monotonic()
        while here:
            if time.monotonic() > end:
                raise LateError(f"{len(here)} of {len(peers)} are still there")
            readable, _, _ = select.select(list(here), [], [], 0.05)
            for raw in readable:
                here[raw].read()
            if time.monotonic() >= due:
                due += interval
                for peer in here.values():
                    peer.send()
            here = {raw: peer for raw, peer in here.items() if peer.seconds is None}
        for peer in peers:
            assert peer.seconds is not None
            self.assertGreater(peer.seconds, at_least, peer.came)
            if peer.seconds > at_most:
                raise LateError(f"one stayed for {peer.seconds} s")
        return peers

    def cut(self, made: Callable[[Target], Iterable[Slow]], **options: Any) -> None:
        """Attack with slow peers, each of which is cut off."""
        self.survives(lambda target: self.outlast(made(target)), **options)


class LineAndFrameTests(SlownessTestCase):
    """Row 1."""

    def both(self, target: Target, count: int) -> Iterator[Slow]:
        for _ in range(count):
            yield Slow(target.connect("machat"), bytes_of(b'{"name":"slow", "' * 9))
            yield Slow(target.connect("private"), bytes_of(b"00099[auth] " * 9))
        # They never send anything.
        yield Slow(target.connect("machat"), over_and_over(b""))
        yield Slow(target.connect("private"), over_and_over(b""))

    def test_five_hundred_that_send_a_byte_now_and_then(self) -> None:
        self.cut(
            lambda target: self.both(target, 250), limits=LIMITS, webtalk=WITH_SECRET
        )

    def test_so_it_is_over_tls(self) -> None:
        def made(target: Target) -> Iterator[Slow]:
            yield from self.both(target, 10)
            for name in PLACES:
                # In the midst of TLS's own hello.
                raw = socket.create_connection(("127.0.0.1", target.port[name]))
                self.addCleanup(raw.close)
                yield Slow(raw, bytes_of(b"\x16\x03\x01\x02\x00\x01"))

        self.cut(made, tls=True, limits=LIMITS, webtalk=WITH_SECRET)

    def test_a_frame_of_a_back_end_has_its_time_and_silence_none(self) -> None:
        def attack(target: Target) -> None:
            silent = target.connect("private")
            frames = b"00014[newchannel]  00099", b"00014[newchannel]  0"
            peers = []
            for begun in frames * 20:
                raw = target.connect("private")
                raw.sendall(begun)
                peers.append(Slow(raw, bytes_of(b"9")))
            for peer in self.outlast(peers):
                self.assertIn(b"[ok] ", peer.came)
                self.assertIn(b"Error reading Frame: not complete in time", peer.came)
            silent.sendall(b"00000")
            self.assertEqual(read_all(silent), b"00012[ok] goodbye")

        self.survives(attack, limits=LIMITS)

    def test_whoever_has_come_in_may_be_as_slow_as_it_likes(self) -> None:
        def attack(target: Target) -> None:
            raw = target.enter("machat", "slow")
            for byte in b"hello\n" * 2:
                time.sleep(0.2)
                raw.sendall(bytes((byte,)))
            came = b""
            while came.count(b"slow:hello\n") < 2:
                part = raw.recv(1 << 16)
                self.assertNotEqual(part, b"")
                came += part

        self.survives(attack, limits=LIMITS)


class RequestTests(SlownessTestCase):
    """Row 2."""

    HEAD = b"POST /chats HTTP/1.1\r\nHost: h\r\nContent-Length: 900\r\n"

    def requests(self, target: Target) -> Iterator[Slow]:
        drips = bytes_of(self.HEAD), bytes_of(self.HEAD + b"\r\n" + b"{")
        for drip in drips * 5:
            yield Slow(target.connect("globes"), drip)
        for _ in range(5):
            # In the body, and in the second request of a connection.
            raw = target.connect("globes")
            raw.sendall(self.HEAD + b"\r\n")
            yield Slow(raw, bytes_of(b"{"))
            raw = target.connect("globes")
            raw.sendall(b"GET /chats/1 HTTP/1.1\r\nHost: h\r\n\r\n")
            self.assertIn(b" 200 ", raw.recv(1 << 16))
            raw.sendall(self.HEAD)
            yield Slow(raw, bytes_of(b"X: y"))

    def handshakes(self, target: Target) -> Iterator[Slow]:
        for name in WEBSOCKETS:
            head = target.handshake(name)
            for _ in range(5):
                yield Slow(target.connect(name), bytes_of(head[:40]))
                raw = target.connect(name)
                raw.sendall(head[:-2])
                yield Slow(raw, bytes_of(b"X: y"))

    def attack(self, target: Target) -> None:
        self.outlast(self.handshakes(target))
        for peer in self.outlast(self.requests(target), at_most=TOLD_BY_A_CLOSE):
            self.assertIn(b"HTTP/1.1 408 ", peer.came)

    def test_headers_and_bodies_that_drip(self) -> None:
        self.survives(self.attack, limits=LIMITS)

    def test_so_it_is_over_tls(self) -> None:
        self.survives(self.attack, tls=True, limits=LIMITS)


class OpeningTests(SlownessTestCase):
    """Row 4."""

    MUTE = tuple(name for name in WEBSOCKETS if name != "globes")
    """Where one has to say who it is; a connection of a room is one that listens."""

    def peers(self, target: Target) -> Iterator[Slow]:
        half = masked(TEXT, b'{"name":' + b" " * 90)
        for name in self.MUTE:
            yield Slow(target.upgrade(name), over_and_over(b""))
            yield Slow(target.upgrade(name), over_and_over(masked(PING, b"here")))
            yield Slow(target.upgrade(name), over_and_over(masked(PONG)))
            yield Slow(target.upgrade(name), bytes_of(half[:90]))
            first = target.upgrade(name)
            first.sendall(masked(TEXT, b" ", fin=False))
            yield Slow(first, over_and_over(masked(0, b" ", fin=False)))

    def attack(self, target: Target) -> None:
        listener = target.upgrade("globes")
        for peer in self.outlast(self.peers(target), at_most=TOLD_BY_A_CLOSE):
            self.assertEqual(close_code(peer.came), 1008)
        listener.sendall(masked(PING, b"still here"))
        came = b""
        while b"still here" not in came:
            part = listener.recv(1 << 16)
            self.assertNotEqual(part, b"")
            came += part

    def test_neither_pings_nor_halves_make_it_longer(self) -> None:
        self.survives(self.attack, limits=LIMITS)

    def test_so_it_is_over_tls(self) -> None:
        self.survives(self.attack, tls=True, limits=LIMITS)


class MessageTests(SlownessTestCase):
    """Row 9, in time."""

    def test_a_message_has_its_time_whatever_drips(self) -> None:
        def made(target: Target) -> Iterator[Slow]:
            for name in WEBSOCKETS:
                for drip in (
                    over_and_over(masked(0, b"x", fin=False)),
                    over_and_over(masked(0, b"x", fin=False), masked(PING)),
                ):
                    raw = target.enter(name, f"{name} {id(drip)}")
                    raw.sendall(masked(TEXT, b"x", fin=False))
                    yield Slow(raw, drip)

        def attack(target: Target) -> None:
            for peer in self.outlast(made(target), at_most=TOLD_BY_A_CLOSE):
                self.assertEqual(close_code(peer.came), 1008)

        self.survives(attack, limits={**LIMITS, "opening-seconds": 10})


class CloseTests(SlownessTestCase):
    """Row 13."""

    def refused(self, target: Target) -> Iterator[Slow]:
        """Those who are closed and take no part in it; each but Globes' by refusal."""
        for name in WEBSOCKETS:
            raw = target.upgrade(name)
            # A reserved opcode.
            raw.sendall(masked(3, b""))
            yield Slow(raw, over_and_over(masked(PING)))
            raw = target.upgrade(name)
            raw.sendall(masked(3, b""))
            yield Slow(raw, over_and_over(b""))

    def test_who_does_not_answer_a_close_is_cut(self) -> None:
        for tls in False, True:
            self.cut(self.refused, tls=tls, limits=LIMITS)

    def test_who_reads_nothing_of_it_is_cut_too(self) -> None:
        """The close stands behind more than the kernel takes."""

        def attack(target: Target) -> None:
            key = b"k" * 10
            maker = target.connect("private")
            value = b"[store] " + key + b"!" + b"v" * 90_000
            maker.sendall(b"%05d%s" % (len(value), value))
            maker.recv(1 << 10)
            raw = target.connect("private", receive_bytes=4096)
            wish = b"[retrieve] " + key
            raw.sendall(b"%05d%s" % (len(wish), wish) * 200 + b"00000")
            end = time.monotonic() + TOLD_BY_A_CLOSE
            while "too slow" not in target.log:
                if time.monotonic() > end:
                    raise LateError("it is still there")
                time.sleep(0.05)

        self.survives(attack, limits=LIMITS)
