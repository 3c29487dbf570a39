# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Peers that send without an end, that do not read, and that vanish."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator

from websockets.sync.client import connect

from tests.attack import (
    MIB,
    PLACES,
    WEBSOCKETS,
    AttackTestCase,
    LateError,
    Target,
    close_code,
    closed_with,
    frames_of,
    read_all,
)
from tests.websocket_doubles import CLOSE, PING, PONG, TEXT, masked

SECONDS = 1.0
LIMITS = {"closing-seconds": SECONDS, "stall-seconds": SECONDS}
FLOOD = 32 * MIB


def pour(raw: socket.socket, data: bytes, most: int) -> None:
    """Send the same over and over, until it is that much or the connection is cut."""
    # The rest of what a cut connection has sent is nobody's.
    with contextlib.suppress(OSError):
        for _ in range(most // len(data)):
            raw.sendall(data)


class EndlessTests(AttackTestCase):
    """Row 3, and what is like it over lines and frames."""

    def pour_everywhere(self, target: Target) -> None:
        for name, place in PLACES.items():
            begin = b"GET / HTTP/1.1\r\nX: "
            if place.path is None:
                begin = b'{"name":"' if name == "machat" else b""
            raw = target.connect(name)
            raw.sendall(begin)
            before = target.cpu_seconds
            pour(raw, b"9" * 65_536, FLOOD)
            came = read_all(raw)
            raw.close()
            self.used[name] = target.cpu_seconds - before
            self.said[name] = came

    def setUp(self) -> None:
        self.used: dict[str, float] = {}
        self.said: dict[str, bytes] = {}

    def assert_refused(self) -> None:
        for name in "multichat", "mychat", "public":
            self.assertTrue(self.said[name].startswith(b"HTTP/1.1 431 "), name)
        self.assertTrue(self.said["globes"].startswith(b"HTTP/1.1 431 "))
        self.assertTrue(self.said["machat"].startswith(b"error: no JSON in the hello"))
        self.assertIn(b"[error] Invalid Frame: [ brace", self.said["private"])

    def test_a_beginning_without_end_is_cut_at_its_limit(self) -> None:
        """And costs next to nothing: nobody is there but the attacker."""
        target = self.target(limits=LIMITS)
        before = target.most_rss
        self.pour_everywhere(target)
        for name, used in self.used.items():
            self.assertLess(used, 0.1, name)
        self.assertLess(target.most_rss - before, 2 * MIB)

    def test_nobody_notices(self) -> None:
        for tls in False, True:
            self.survives(self.pour_everywhere, tls=tls, limits=LIMITS)


class FragmentTests(AttackTestCase):
    """Row 9, in number."""

    def attack(self, target: Target) -> None:
        flood = masked(TEXT, b"x", fin=False) + masked(0, b"x", fin=False) * 60_000
        peers = [target.enter(name, f"many {name}") for name in WEBSOCKETS]
        before = target.most_rss
        for raw in peers:
            with contextlib.suppress(OSError):
                raw.sendall(flood)
            self.assertEqual(closed_with(raw), 1008)
        self.assertLess(target.most_rss - before, 2 * MIB)

    def test_sixty_thousand_of_one_byte(self) -> None:
        for tls in False, True:
            self.survives(self.attack, tls=tls, limits=LIMITS)


class ControlTests(AttackTestCase):
    """Row 10."""

    def rounds(self, seconds: float) -> Iterator[None]:
        """Yield a hundred times a second."""
        begun = time.monotonic()
        for number in range(int(seconds * 100)):
            yield
            time.sleep(max(0, begun + number / 100 - time.monotonic()))

    def test_pings_whose_answers_are_not_read(self) -> None:
        """Tens of thousands a second, until it is cut off for reading nothing."""

        def attack(target: Target) -> None:
            pings = masked(PING, b"x" * 125) * 100
            for name in WEBSOCKETS:
                small = {"receive_bytes": 4096, "segment_bytes": 1460}
                raw = target.enter(name, f"pings {name}", **small)
                before = target.most_rss
                cut = False
                for _ in self.rounds(30):
                    try:
                        raw.sendall(pings * 3)
                    except OSError:
                        cut = True
                        break
                self.assertTrue(cut, name)
                self.assertLess(target.most_rss - before, 2 * MIB)

        self.survives(attack, limits=LIMITS)

    def test_pings_and_pongs_that_are_read(self) -> None:
        def attack(target: Target) -> None:
            for name in WEBSOCKETS:
                raw = target.enter(name, f"reads {name}")
                for _ in self.rounds(1):
                    raw.sendall((masked(PING, b"x") + masked(PONG)) * 50)
                raw.sendall(masked(CLOSE, b"\x03\xe8"))
                frames = list(frames_of(read_all(raw)))
                self.assertEqual(sum(one.opcode == PONG for one in frames), 5000)

        self.survives(attack, limits=LIMITS)

    def test_one_close_is_answered_and_no_more(self) -> None:
        def attack(target: Target) -> None:
            for name in WEBSOCKETS:
                raw = target.enter(name, f"closes {name}")
                pour(raw, masked(CLOSE, b"\x03\xe8bye") * 1000, 10 * MIB)
                closes = [
                    one for one in frames_of(read_all(raw)) if one.opcode == CLOSE
                ]
                self.assertLessEqual(len(closes), 1)

        self.survives(attack, limits=LIMITS)


class VanishedTests(AttackTestCase):
    """Row 11."""

    PINGS = {"ping-seconds": 0.5, "pong-seconds": 0.5}

    def attack(self, target: Target) -> None:
        scheme = "wss" if target.context else "ws"
        observer = connect(
            f"{scheme}://127.0.0.1:{target.port['globes']}/chats/1/ws",
            ssl=target.context,
            proxy=None,
            max_queue=None,
        )
        self.addCleanup(observer.close)
        stopped = {name: target.enter(name, f"{name}-gone") for name in WEBSOCKETS}
        began = time.monotonic()
        for name, raw in stopped.items():
            # It reads, and answers nothing, as far as the server can see.
            self.assertEqual(close_code(read_all(raw)), 1008, name)
        if time.monotonic() - began > 3:
            raise LateError("they were found late")
        # Their names are free.
        for name in "mychat", "globes":
            target.enter(name, f"{name}-gone").close()
        told = []
        end = time.monotonic() + 1
        while time.monotonic() < end:
            # The healthy peer never stops.
            event = json.loads(observer.recv(5))
            if event["event_type"] != "send":
                told.append((event["event_type"], event["name"]))
        for name in stopped:
            shown = "webtalk 1" if name == "public" else f"{name}-gone"
            times = 2 if name in ("mychat", "globes") else 1
            for kind in "join", "leave":
                self.assertEqual(told.count((kind, shown)), times, (told, name))

    def test_pings_find_it_and_all_is_given_back(self) -> None:
        self.survives(self.attack, tls=True, limits={**LIMITS, **self.PINGS})
