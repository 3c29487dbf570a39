# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Row 11: a client that is stopped, and one behind a line that swallows everything."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from typing import Any

from tests.attack import PLACES, WEBSOCKETS, AttackTestCase, LateError, Target
from tests.namespaces import HERE, Networks
from tests.websocket_doubles import PONG, masked

PING_SECONDS = 1
PONG_SECONDS = 1
LATE_SECONDS = 1.5
"""How much later a busy machine may be."""
LIMITS = {
    "ping-seconds": PING_SECONDS,
    "pong-seconds": PONG_SECONDS,
    "closing-seconds": 1,
    "max-members": 24,
}
SECRET = "canary of the back-end"
CLIENT = """
import json, sys, threading
from websockets.sync.client import connect
for url, hello in json.loads(sys.argv[1]):
    peer = connect(url, proxy=None, max_queue=None)
    peer.send(hello)
    threading.Thread(target=lambda peer=peer: [None for _ in peer], daemon=True).start()
print("in", flush=True)
sys.stdin.read()
"""
"""A client that reads, and answers pings, as long as it is let."""


class Observer:
    """A listener of the room, that hears who comes and goes."""

    def __init__(self, target: Target) -> None:
        self._raw = target.upgrade("globes")
        self._buffer = b""
        self.told: list[tuple[str, str]] = []

    def hear(self, seconds: float) -> None:
        """Hear for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._raw.settimeout(left)
            try:
                self._buffer += self._raw.recv(1 << 16)
            except TimeoutError:
                return
            self._take()

    def _take(self) -> None:
        # Each of them is shorter than 64 KiB.
        while len(self._buffer) >= 4:
            length, start = self._buffer[1], 2
            if length == 126:
                length, start = int.from_bytes(self._buffer[2:4], "big"), 4
            if len(self._buffer) < start + length:
                return
            payload = self._buffer[start : start + length]
            self._buffer = self._buffer[start + length :]
            if not payload.startswith(b"{"):
                # A ping, which counts as answered by what follows.
                self._raw.sendall(masked(PONG, payload))
                continue
            event = json.loads(payload)
            if event["event_type"] in ("join", "leave"):
                self.told.append((event["event_type"], event["name"]))

    def wait(self, kind: str, names: set[str], seconds: float) -> float:
        """Hear until all these have been told; return how long that took."""
        began = time.monotonic()
        while not names <= {name for what, name in self.told if what == kind}:
            if time.monotonic() - began > seconds:
                raise LateError(f"{kind} of {names}: {self.told}")
            self.hear(0.05)
        return time.monotonic() - began


class GoneTestCase(AttackTestCase):
    def all_is_given_back(
        self, target: Target, observer: Observer, names: dict[str, str], began: float
    ) -> None:
        """See that they are found in time, told of once, and that others can come."""
        shown = set(names.values())
        left = began + PING_SECONDS + PONG_SECONDS + LATE_SECONDS - time.monotonic()
        observer.wait("leave", shown, left)
        # What they had is free: their places in the channel and their names.
        places = [place for place in names if place != "public"]
        for place in places:
            target.enter(place, names[place])
        self.assertEqual(self.fill(target), 0)
        again = {names[place] for place in places if place != "multichat"}
        observer.hear(0.5)
        for name in shown:
            self.assertEqual(observer.told.count(("leave", name)), 1, name)
        for name in again:
            self.assertEqual(observer.told.count(("join", name)), 2, name)

    def fill(self, target: Target) -> int:
        """Take all places that there are in the channel; return how many."""
        count = 0
        while True:
            raw = target.connect("machat")
            raw.sendall(target.opening("machat", f"filler {count}"))
            # What else comes is what the healthy say.
            if raw.recv(1 << 16).startswith(b"error: "):
                return count
            count += 1


class StoppedTests(GoneTestCase):
    def attack(self, target: Target) -> None:
        observer = Observer(target)
        names = {place: f"{place}-stopped" for place in WEBSOCKETS}
        ticket = target.ticket()
        user = ticket.partition(b"!")[0].decode()
        names["public"] = f"webtalk {user}"
        peers = [
            (
                f"ws://127.0.0.1:{target.port[place]}{PLACES[place].path}",
                (ticket if place == "public" else target.opening(place, name)).decode(),
            )
            for place, name in names.items()
        ]
        client = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", CLIENT, json.dumps(peers)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            assert client.stdout is not None
            self.assertEqual(client.stdout.readline(), b"in\n")
            observer.wait("join", set(names.values()), 5)
            # As long as it runs, it answers.
            observer.hear(PING_SECONDS + PONG_SECONDS + 0.5)
            self.assertNotIn("leave", [kind for kind, _ in observer.told])
            self.fill(target)
            client.send_signal(signal.SIGSTOP)
            self.all_is_given_back(target, observer, names, time.monotonic())
        finally:
            client.kill()
            client.communicate()

    def test_a_client_that_is_stopped_is_found_by_a_ping(self) -> None:
        self.survives(self.attack, limits=LIMITS)


class BlackHoleTests(GoneTestCase):
    """The same without a word from the other side's kernel."""

    def attack(self, target: Target) -> None:
        observer = Observer(target)
        places = [place for place in PLACES if place not in ("public", "private")]
        names = {place: f"{place}-swallowed" for place in places}

        def enter() -> list[socket.socket]:
            target.host = HERE
            made = [target.enter(place, name) for place, name in names.items()]
            back_end = target.connect("private")
            back_end.sendall(b"%05d[auth] %s" % (len(SECRET) + 7, SECRET.encode()))
            self.assertEqual(back_end.recv(100), b"00018[ok] authenticated")
            target.host = "127.0.0.1"
            return [*made, back_end]

        self.networks.there(enter)
        observer.wait("join", set(names.values()), 5)
        self.fill(target)
        self.networks.swallow()
        began = time.monotonic()
        self.all_is_given_back(target, observer, names, began)
        # To a back-end nothing was sent: it is the kernel that asks.
        ended = r"\(webtalk\.private, 192\.0\.2\.2:\d+\) ended"
        while not re.search(ended, target.log):
            if time.monotonic() > began + 10:
                raise LateError("the back-end is still there")
            time.sleep(0.05)

    def test_who_is_behind_it_is_found_at_every_door(self) -> None:
        sections: dict[str, Any] = {
            "limits": LIMITS,
            "log-level": "debug",
            "webtalk": {"private": "0.0.0.0:0", "secret": SECRET},
            "multichat": {"host": "0.0.0.0:0"},
            "machat": {"tcp": "0.0.0.0:0", "ws": "0.0.0.0:0"},
            "globes": {"address": "0.0.0.0:0"},
        }

        self.networks = Networks()
        self.addCleanup(self.networks.remove)
        self.networks.here(lambda: self.survives(self.attack, **sections))
