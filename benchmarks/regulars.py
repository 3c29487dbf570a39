# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Those who stay: they talk steadily, and check all that is said.

Whoever says something numbers it from 1 on (``~NAME-NUMBER~``). So each of those who
listen can tell by itself what was lost, came twice or too early.
"""

from __future__ import annotations

import re
import select
import socket
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from benchmarks.visits import marker
from benchmarks.wire import WIRES, Door

_MARKER = re.compile(rb"~(\w+)-(\d+)~")
_LONGEST_MARKER = 40
_PING = b"\x89\x00"
_PONG = b"\x8a\x80\x12\x34\x56\x78"
_READ_BYTES = 256 * 1024
_TURN_SECONDS = 0.02
_DRAIN_SECONDS = 10.0


@dataclass(slots=True)
class Hearing:
    """What one of them has heard."""

    last: dict[bytes, int] = field(default_factory=dict)
    """The newest number of each sender."""
    lost: int = 0
    twice: int = 0
    """Also what came after a later one."""
    rest: bytes = b""

    def heard(self, data: bytes) -> None:
        """Take what has come, cut anywhere."""
        data = self.rest + data
        end, last = 0, self.last
        for found in _MARKER.finditer(data):
            sender, number, end = found[1], int(found[2]), found.end()
            before = last.get(sender, 0)
            if number <= before:
                self.twice += 1
                continue
            self.lost += number - before - 1
            last[sender] = number
        self.rest = data[max(end, len(data) - _LONGEST_MARKER) :]

    def missing(self, said: Mapping[str, int]) -> int:
        """Return how many of the last that was said has not come."""
        return sum(
            number - self.last.get(sender.encode(), 0)
            for sender, number in said.items()
        )


class Regulars:
    """Some who listen by each door, and one by each who talks.

    Args:
        doors: Of one channel.
        listeners: By each of them.
    """

    def __init__(self, doors: Sequence[Door], listeners: int) -> None:
        self.hearings: dict[int, Hearing] = {}
        self.ended = 0
        self.said: Counter[str] = Counter()
        self._sockets: dict[int, socket.socket] = {}
        self._websockets: set[int] = set()
        self._speakers: list[tuple[str, Door, socket.socket]] = []
        self._epoll = select.epoll()
        for door in doors:
            for number in range(listeners):
                sock = self._add(door, f"r{number}", receives=True)
                self.hearings[sock.fileno()] = Hearing()
            name = f"s{len(self._speakers)}"
            sock = self._add(door, name, receives=door.wire != "webtalk")
            self._speakers.append((name, door, sock))

    def close(self) -> None:
        self._epoll.close()
        for sock in self._sockets.values():
            sock.close()

    def _add(self, door: Door, name: str, *, receives: bool) -> socket.socket:
        sock = WIRES[door.wire].connect(door, f"{name}of{door.wire}", receives)
        sock.setblocking(False)
        self._sockets[sock.fileno()] = sock
        self._epoll.register(sock.fileno(), select.EPOLLIN)
        if door.wire != "machat" and receives:
            self._websockets.add(sock.fileno())
        return sock

    def speak(self) -> None:
        """Say one message by each door."""
        for name, door, sock in self._speakers:
            self.said[name] += 1
            text = marker(name, self.said[name]).encode()
            sock.setblocking(True)
            with suppress(ConnectionError):
                message = WIRES[door.wire].message(f"{name}of{door.wire}", text)
                sock.sendall(message)
            sock.setblocking(False)

    def listen(self, seconds: float) -> None:
        """Take what comes in that time, and answer pings."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for number, _ in self._epoll.poll(min(left, _TURN_SECONDS)):
                self._read(number)

    def _read(self, number: int) -> None:
        try:
            data = self._sockets[number].recv(_READ_BYTES)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            self.ended += 1
            self._epoll.unregister(number)
            return
        if number in self.hearings:
            self.hearings[number].heard(data)
        if number in self._websockets and _PING in data:
            with suppress(OSError):
                self._sockets[number].sendall(_PONG)

    def settle(self, said: Mapping[str, int]) -> tuple[int, int]:
        """Wait, not for ever, for the last of all that was said.

        Returns:
            How many messages were lost, and how many came twice or too late, of all
            listeners together; a connection that has ended is a loss of one more.
        """
        said = {**said, **self.said}
        end = time.monotonic() + _DRAIN_SECONDS
        hearings = self.hearings.values()
        while time.monotonic() < end and any(one.missing(said) for one in hearings):
            self.listen(_TURN_SECONDS)
        # What is too much may come a little later.
        self.listen(10 * _TURN_SECONDS)
        lost = sum(one.lost + one.missing(said) for one in hearings)
        return lost + self.ended, sum(one.twice for one in hearings)
