# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Sends the corpus over real sockets, a few connections at a time."""

from __future__ import annotations

import selectors
import socket
import time
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import pairwise
from random import Random

from tests.attack import frames_of
from tests.websocket_doubles import CLOSE, Frame

WAYS = ("whole", "byte by byte", "in random pieces")
AT_ONCE = 2
"""No more, since it is not faster, and what is sent at once is a delay for the healthy:
this is about what is malformed, and not about how much there is."""
HANG_SECONDS = 1.0
PAUSE_SECONDS = 0.0003
"""After each exchange, so that this, and what is done for it, never takes both cores
of a small machine from the healthy."""
_LONG_BYTES = 2048


def cut(data: bytes, way: str, random: Random) -> list[bytes]:
    """Cut what is sent; of what is long only both ends byte by byte."""
    if way == "whole" or not data:
        return [data]
    places: Iterable[int] = range(1, len(data))
    if way == "byte by byte" and len(data) > _LONG_BYTES:
        places = (*range(1, 200), *range(len(data) - 200, len(data)))
    elif way == "in random pieces":
        places = sorted(
            {random.randrange(len(data)) for _ in range(random.randint(1, 9))}
        )
    cuts = [0, *places, len(data)]
    return [data[start:end] for start, end in pairwise(cuts)]


class Exchange:
    """One connection: what is sent on it, and all that comes.

    Args:
        port: Where to.
        pieces: Each is sent by itself.
        waits: Whether the server closes the WebSocket by itself, so that our sending is
            not ended before that.

    Attributes:
        came: What the server has sent.
        seconds: From the last byte sent until the server has closed; None where it has
            not within `HANG_SECONDS`.
    """

    def __init__(self, port: int, pieces: list[bytes], waits: bool = False) -> None:
        self.port = port
        self.pieces = deque(piece for piece in pieces if piece)
        self.waits = waits
        self.came = bytearray()
        self.seconds: float | None = None
        self.sent_at = 0.0
        self.socket = socket.socket()

    def begin(self) -> None:
        self.socket.connect(("127.0.0.1", self.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self._all_is_sent()

    @property
    def wanted(self) -> int:
        """Return the events that matter."""
        write = selectors.EVENT_WRITE if self.pieces else 0
        return selectors.EVENT_READ | write

    def send(self) -> None:
        piece = self.pieces.popleft()
        try:
            count = self.socket.send(piece)
        except BlockingIOError:
            count = 0
        except OSError:
            # Closed by the server; what it has said is still to be read.
            self.pieces.clear()
            self.sent_at = time.monotonic()
            return
        if count < len(piece):
            self.pieces.appendleft(piece[count:])
        self._all_is_sent()

    def receive(self) -> bool:
        """Take what has come; say whether it was the last."""
        try:
            part = self.socket.recv(1 << 16)
        except BlockingIOError:
            return False
        except OSError:
            part = b""
        self.came += part
        if part and self.waits and self.close_code() is not None:
            self.pieces.clear()
            self.waits = False
            self._all_is_sent()
        if part:
            return False
        self.pieces.clear()
        self.seconds = time.monotonic() - (self.sent_at or time.monotonic())
        return True

    def end(self) -> None:
        self.socket.close()

    def _all_is_sent(self) -> None:
        if self.pieces:
            return
        self.sent_at = self.sent_at or time.monotonic()
        if not self.waits:
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:
                return

    # What came on a WebSocket

    @property
    def status(self) -> int | None:
        """Return the status of the first answer, None if there is none."""
        return int(self.came.split(b" ", 2)[1]) if self.came else None

    def frames(self) -> Iterator[Frame]:
        """Return the frames behind the handshake."""
        _, _, behind = self.came.partition(b"\r\n\r\n")
        return frames_of(bytes(behind))

    def close_code(self) -> int | None:
        """Return the code of the server's close frame, if one has come."""
        if not self.came.startswith(b"HTTP/1.1 101 "):
            return None
        for frame in self.frames():
            if frame.opcode == CLOSE:
                return int.from_bytes(frame.payload[:2], "big")
        return None


def run(exchanges: Iterable[Exchange], at_once: int = AT_ONCE) -> None:
    """Do all exchanges, so many at a time."""
    selector = selectors.DefaultSelector()
    waiting, busy = deque(exchanges), set[Exchange]()
    while waiting or busy:
        while waiting and len(busy) < at_once:
            exchange = waiting.popleft()
            exchange.begin()
            busy.add(exchange)
            selector.register(exchange.socket, exchange.wanted, exchange)
        for key, events in selector.select(0.05):
            exchange = key.data
            wanted = exchange.wanted
            if events & selectors.EVENT_WRITE and exchange.pieces:
                exchange.send()
            if events & selectors.EVENT_READ and exchange.receive():
                _end(exchange, selector, busy)
            elif exchange.wanted != wanted:
                selector.modify(exchange.socket, exchange.wanted, exchange)
        now = time.monotonic()
        for exchange in [one for one in busy if not one.pieces]:
            if now - exchange.sent_at > HANG_SECONDS:
                _end(exchange, selector, busy)
    selector.close()


def _end(
    exchange: Exchange, selector: selectors.BaseSelector, busy: set[Exchange]
) -> None:
    selector.unregister(exchange.socket)
    exchange.end()
    busy.discard(exchange)
    time.sleep(PAUSE_SECONDS)
