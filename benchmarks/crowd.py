# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Many connections at once, and whether each of them is served."""

from __future__ import annotations

import resource
import select
import socket
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from benchmarks.wire import WIRES, Door, dial_websocket

_READ_BYTES = 64 * 1024
_EVENTS_A_TURN = 512
_TOO_MUCH_SECONDS = 0.2
_PING = b"\x89\x84\x00\x00\x00\x00seen"
_PONG = b"\x8a\x04seen"
_OTHER_DESCRIPTORS = 300


def affordable(connections: int) -> int:
    """Return how many of them a process here may hold, beside its other files."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY:
        return connections
    return min(connections, hard - _OTHER_DESCRIPTORS)


@dataclass(frozen=True, slots=True)
class Heard:
    """How often each connection has heard something, and when the last one did."""

    counts: Counter[int]
    """By descriptors; those alone that did."""
    seconds: float


class Crowd:
    """Connections that are held open for the time of a block."""

    def __init__(self) -> None:
        self.sockets: list[tuple[Door, socket.socket]] = []

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *reason: object) -> None:
        for _, sock in self.sockets:
            sock.close()

    def join(self, doors: Sequence[Door], count: int, *, alone: bool = False) -> None:
        """Add receivers, by the doors in turn, and `alone` in a room for each.

        Raises:
            OSError: The server refuses one.
        """
        first = len(self.sockets)
        for number in range(first, first + count):
            door = doors[number % len(doors)]
            if alone:
                door = replace(door, room=f"room {number}")
            if door.wire == "globes":
                # Hears all the same; the join of each would be told to all.
                sock = dial_websocket(door)
            else:
                sock = WIRES[door.wire].connect(door, f"m{number}", True)
            self.sockets.append((door, sock))

    def hear(self, text: bytes, seconds: float) -> Heard:
        """Wait until all have heard a text, and a little more for what is too much."""
        return _listen((sock for _, sock in self.sockets), text, seconds)

    def pongs(self, seconds: float) -> int:
        """Ping by all WebSockets, and count those that are answered."""
        websockets = [sock for door, sock in self.sockets if door.wire != "machat"]
        for sock in websockets:
            with suppress(ConnectionError):
                sock.sendall(_PING)
        return len(_listen(websockets, _PONG, seconds).counts)

    def ends(self, seconds: float) -> int:
        """End the sending of lines, and count where the server ends too."""
        lines = [sock for door, sock in self.sockets if door.wire == "machat"]
        for sock in lines:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_WR)
        return len(_listen(lines, b"", seconds).counts)

    def leave(self, wire: str) -> None:
        """Close those that came in by a protocol."""
        for door, sock in self.sockets:
            if door.wire == wire:
                sock.close()
        self.sockets = [(d, sock) for d, sock in self.sockets if d.wire != wire]


def _listen(sockets: Iterable[socket.socket], text: bytes, seconds: float) -> Heard:
    """Count a text by descriptors; if it is empty, the ends of the streams."""
    counts: Counter[int] = Counter()
    streams = {sock.fileno(): sock for sock in sockets}
    rests = dict.fromkeys(streams, b"")
    kept = max(0, len(text) - 1)
    start = last = time.monotonic()
    deadline = start + seconds
    with select.epoll() as epoll:
        for number, sock in streams.items():
            sock.setblocking(False)
            epoll.register(number, select.EPOLLIN)
        while events := epoll.poll(
            max(0.0, deadline - time.monotonic()), _EVENTS_A_TURN
        ):
            for number, _ in events:
                data = _read(streams[number])
                if data is None:
                    continue
                if not data:
                    epoll.unregister(number)
                data = rests[number] + data
                found = data.count(text) if text else not data
                if found:
                    counts[number] += found
                    last = time.monotonic()
                rests[number] = data[len(data) - kept :] if len(data) > kept else data
            if len(counts) == len(streams):
                deadline = min(deadline, last + _TOO_MUCH_SECONDS)
    return Heard(counts, last - start)


def _read(sock: socket.socket) -> bytes | None:
    """Return what has come, nothing at the end, and None if it was no news."""
    try:
        return sock.recv(_READ_BYTES)
    except BlockingIOError:
        return None
    except ConnectionError:
        return b""
