# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Row 12: one of each kind stops reading in a room of a hundred; nobody else loses."""

from __future__ import annotations

import contextlib
import re
import selectors
import socket
import threading
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from tests.attack import MIB, PLACES, AttackTestCase, LateError, Target, close_code

STALL_SECONDS = 2.0
LATE_SECONDS = 1.6 * STALL_SECONDS
"""When one has been told, since it has taken nothing, and is not cut yet."""
LIMITS = {"closing-seconds": 5, "stall-seconds": STALL_SECONDS}
READERS = tuple(name for name in PLACES if name != "private")
MEMBERS = 100
PER_SECOND = 500
TEXT = b"x" * 800
SMALL = {"receive_bytes": 64 * 1024, "segment_bytes": 1460}
"""Of a stopped reader's connection: the kernel takes little for it, as on a network."""
FOUND_SECONDS = 20
_NUMBER = re.compile(rb"#(\d+)#")


class Members:
    """All who read, by a thread of their own; what came is looked at in the end."""

    def __init__(self, sockets: list[socket.socket]) -> None:
        self._came: dict[socket.socket, list[bytes]] = {raw: [] for raw in sockets}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        with selectors.DefaultSelector() as selector:
            for one, parts in self._came.items():
                selector.register(one, selectors.EVENT_READ, parts)
            while not self._over.is_set():
                for key, _ in selector.select(0.1):
                    raw: Any = key.fileobj
                    try:
                        part = raw.recv(1 << 18)
                    except OSError:
                        part = b""
                    if not part:
                        selector.unregister(raw)
                    key.data.append(part)
                # Leaves the cores to the server and to its healthy peer.
                time.sleep(0.04)

    def have(self, last: int) -> bool:
        """Say whether all have what was sent last."""
        mark = b"#%d#" % last
        return all(mark in b"".join(parts[-3:]) for parts in self._came.values())

    def numbers(self) -> list[list[int]]:
        """Return what each was sent, by number."""
        whole = (b"".join(parts) for parts in self._came.values())
        return [[int(one) for one in _NUMBER.findall(came)] for came in whole]

    def end(self) -> None:
        self._over.set()
        self._thread.join()


class Flood:
    """Says something so many times a second, by a thread of its own."""

    def __init__(self, sender: socket.socket) -> None:
        self.said = 0
        self._sender = sender
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def _send(self) -> None:
        begun = time.monotonic()
        for number in count():
            if self._over.wait(max(0, begun + number / PER_SECOND - time.monotonic())):
                break
            try:
                self._sender.sendall(b"#%d#%s\n" % (number, TEXT))
            except OSError:
                # Cut, which is seen by what it has heard.
                break
            self.said += 1

    def end(self) -> None:
        self._over.set()
        self._thread.join()


def waiting_bytes(raw: socket.socket) -> int:
    """Return how much the server's kernel has that this client has not taken.

    Of a connection that has been cut it has nothing.
    """
    try:
        places = raw.getsockname(), raw.getpeername()
    except OSError:
        return 0
    ours, theirs = (f":{place[1]:04X}" for place in places)
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1].endswith(theirs) and fields[2].endswith(ours):
            return int(fields[4].partition(":")[0], 16)
    return 0


class UnreadTests(AttackTestCase):
    def attack(self, target: Target) -> None:
        sender = target.enter("machat", "sender")
        members = [
            target.enter(READERS[number % len(READERS)], f"reads {number}")
            for number in range(MEMBERS - 1 - len(READERS))
        ]
        stopped = {
            name: target.enter(name, f"stopped {name}", **SMALL) for name in READERS
        }
        # What it is sent itself, the sender reads as well.
        reading, flood = Members([*members, sender]), Flood(sender)
        most, before = [0], target.rss
        try:
            self.read_late(stopped, lambda: most.append(target.rss))
            flood.end()
            self.wait(lambda: reading.have(flood.said - 1))
        finally:
            flood.end()
            reading.end()
        everything = list(range(flood.said))
        for number, had in enumerate(reading.numbers()):
            # Said in short: to show where such lists differ takes minutes.
            words = f"member {number} has {len(had)} of {flood.said}"
            if had != everything and len(had) < flood.said:
                # Cut, as the machine let nobody read for so long?
                self.assertTrue(had == everything[: len(had)], words)
                raise LateError(words)
            self.assertTrue(had == everything, words)
        self.assertLess(max(most) - before, 5 * MIB)
        # One of each, and nobody else.
        self.wait(lambda: target.log.count("too slow: ") >= len(stopped))
        for name in READERS:
            lines = re.findall(
                rf"\({re.escape(PLACES[name].key)}, .*too slow: ", target.log
            )
            self.assertEqual(len(lines), 1, name)

    def read_late(
        self, stopped: dict[str, socket.socket], look: Callable[[], None]
    ) -> None:
        """Read again what each is left, when it must have been told why it is closed.

        That is some time after the kernel has taken the last for it; after twice that
        time it is cut.
        """
        left = dict(stopped)
        seen = dict.fromkeys(stopped, (0, 0.0))

        def all_read() -> bool:
            look()
            for name, raw in list(left.items()):
                bytes_there, since = waiting_bytes(raw), time.monotonic()
                before, at = seen[name]
                if bytes_there == before:
                    since = at
                seen[name] = bytes_there, since
                # One that is cut is not told, and what there was is gone.
                was_cut = before > bytes_there == 0
                if was_cut or (bytes_there and time.monotonic() - since > LATE_SECONDS):
                    self.read_again(name, left.pop(name))
            return not left

        self.wait(all_read)

    def read_again(self, name: str, raw: socket.socket) -> None:
        """See that a WebSocket is told why; over TCP there are no words for it."""
        came = b""
        with contextlib.suppress(ConnectionResetError):
            while part := raw.recv(1 << 16):
                came += part
                if b"too slow: " in came[-200:]:
                    break
        raw.close()
        if PLACES[name].path is None:
            self.assertNotIn(b"too slow", came)
            return
        if b"too slow: " not in came[-200:]:
            raise LateError(f"{name} was not told why: {came[-200:]!r}")
        self.assertTrue(came.endswith(b"too slow: messages were not read in time"))
        code = close_code(came[came.rindex(b"\x88") :])
        self.assertEqual(code, 1008, name)

    def wait(self, done: Callable[[], bool], pause: float = 0.05) -> None:
        end = time.monotonic() + FOUND_SECONDS
        while not done():
            if time.monotonic() > end:
                raise LateError("it takes too long")
            time.sleep(pause)

    def test_nobody_else_loses_anything(self) -> None:
        self.survives(self.attack, limits=LIMITS)
