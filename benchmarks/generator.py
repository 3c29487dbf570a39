# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The load generator: a closed loop of messages through one server.

It keeps a window of messages in flight, or sends at a fixed rate, counts what arrives
at every connection and measures how long it took. One process, one epoll, and no
Python work per delivery: reads are large and counted as a whole, so that the server
is the bottleneck and not its measurement.

It knows nothing of how servers are started.
"""

from __future__ import annotations

import gc
import os
import resource
import select
import socket
import time
from array import array
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from math import ceil

from benchmarks.marker import MarkerCount, marker
from benchmarks.wire import WIRES, Door

_NS = 1_000_000_000
_EVENTS_A_TURN = 512
_BURST_MESSAGES = 256
_TURN_SECONDS = 0.001
# A slow server with a large window writes nothing for seconds, and yet loses nothing.
_SILENT_NS = 5 * _NS
_MAX_DRAIN_NS = 60 * _NS
_PROBE_NS = _NS // 2
_PROBES = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send to whom.

    ``rate`` is messages a second, in all; 0 is as fast as the window allows. ``pid``
    is the server's process, whose processor time is charged; 0 charges none.
    """

    door: Door
    receivers: int = 100
    senders: int = 4
    text_bytes: int = 64
    window: int = 64
    seconds: float = 1.5
    rate: float = 0.0
    pid: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run measured."""

    deliveries_per_second: float
    p50_ms: float
    p99_ms: float
    lost: int
    cpu_us_per_delivery: float


@dataclass(slots=True)
class _Sender:
    name: str
    sock: socket.socket
    unsent: bytes = field(default=b"")

    def flush(self) -> None:
        if not self.unsent:
            return
        with suppress(BlockingIOError):
            self.unsent = self.unsent[self.sock.send(self.unsent) :]


def measure(
    plan: Plan, during: AbstractContextManager[object] | None = None
) -> Figures:
    """Connect, check that everybody hears, load the server, and say how it did.

    Args:
        plan: The load.
        during: Entered when everybody hears, left when the last message has come.

    Raises:
        OSError: The server refused a connection, or not all receivers hear.
    """
    raise_descriptor_limit()
    load = _Load(plan)
    gc.collect()
    gc.disable()
    try:
        load.connect()
        load.probe()
        with during or nullcontext():
            return load.run()
    finally:
        gc.enable()
        load.close()


def raise_descriptor_limit() -> None:
    """Let this process open as many sockets as its hard limit allows."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used; 0 for process 0."""
    if not pid:
        return 0.0
    with open(f"/proc/{pid}/stat", "rb") as stat:
        fields = stat.read().rpartition(b")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def percentile_ms(samples: array[int], share: float) -> float:
    """Return a percentile of **sorted** samples in nanoseconds; 0 if there are none."""
    if not samples:
        return 0.0
    return samples[int(share * (len(samples) - 1))] / 1e6


class _Load:
    """The sockets of one run and the loop that drives them."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._wire = WIRES[plan.door.wire]
        self._per_message = self._wire.hears.deliveries(plan.receivers, plan.senders)
        self._origin_ns = time.monotonic_ns()
        self._markers = MarkerCount()
        self._last_ns = 0
        self._epoll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._senders: list[_Sender] = []

    def connect(self) -> None:
        plan = self._plan
        names = [(f"r{i}", True) for i in range(plan.receivers)]
        names += [(f"s{i}", False) for i in range(plan.senders)]
        for name, receives in names:
            sock = self._wire.connect(plan.door, name, receives)
            self._sockets[sock.fileno()] = sock
            if not receives:
                self._senders.append(_Sender(name, sock))
        for number, sock in self._sockets.items():
            sock.setblocking(False)
            self._epoll.register(number, select.EPOLLIN)

    def close(self) -> None:
        self._epoll.close()
        for sock in self._sockets.values():
            sock.close()

    def probe(self) -> None:
        """Send single messages until one has arrived everywhere, then forget them."""
        for _ in range(_PROBES):
            self._markers.reset()
            self._last_ns = self._now()
            self._send(1)
            while self._now() - self._last_ns < _PROBE_NS:
                self._turn(_TURN_SECONDS)
                if self._markers.count == self._per_message:
                    return
        count = self._markers.count
        raise OSError(f"a message reached {count} of {self._per_message} connections")

    def run(self) -> Figures:
        plan, markers, now = self._plan, self._markers, self._now
        per_message = self._per_message
        markers.reset()
        cpu_before = cpu_seconds(plan.pid)
        start = self._last_ns = now()
        end = start + int(plan.seconds * _NS)
        sent = 0
        while (time_ns := now()) < end:
            wanted = ceil(plan.window - sent + markers.count / per_message)
            if plan.rate:
                due = int((time_ns - start) / _NS * plan.rate) + 1
                wanted = min(wanted, due - sent)
            if wanted > 0:
                sent += self._send(min(wanted, _BURST_MESSAGES))
            for sender in self._senders:
                sender.flush()
            self._turn(_TURN_SECONDS)
        while markers.count < sent * per_message and self._may_drain(end):
            for sender in self._senders:
                sender.flush()
            self._turn(_TURN_SECONDS)
        cpu = cpu_seconds(plan.pid) - cpu_before
        samples = array("q", sorted(markers.samples))
        return Figures(
            deliveries_per_second=markers.count * _NS / max(1, self._last_ns - start),
            p50_ms=percentile_ms(samples, 0.5),
            p99_ms=percentile_ms(samples, 0.99),
            lost=sent * per_message - markers.count,
            cpu_us_per_delivery=cpu * 1e6 / max(1, markers.count),
        )

    def _now(self) -> int:
        return time.monotonic_ns() - self._origin_ns

    def _may_drain(self, end: int) -> bool:
        now = self._now()
        return now - self._last_ns < _SILENT_NS and now - end < _MAX_DRAIN_NS

    def _send(self, wanted: int) -> int:
        """Send up to ``wanted`` messages, shared among the senders that have room.

        Optimisation: what leaves at one instant carries one time, so a sender's part
        of the burst is one message repeated.
        """
        text = marker(self._now(), self._plan.text_bytes)
        share, extra = divmod(wanted, len(self._senders))
        sent = 0
        for sender in self._senders:
            count = share + (extra > 0)
            extra -= 1
            if count and not sender.unsent:
                sender.unsent = self._wire.message(sender.name, text) * count
                sender.flush()
                sent += count
        self._senders.append(self._senders.pop(0))
        return sent

    def _turn(self, seconds: float) -> None:
        """Wait for bytes and count them, once on each socket that has some."""
        sockets, took, space = self._sockets, self._markers.took, self._markers.space
        now, origin = time.monotonic_ns, self._origin_ns
        for number, _ in self._epoll.poll(seconds, _EVENTS_A_TURN):
            try:
                length = sockets[number].recv_into(space)
            except BlockingIOError:
                continue
            except ConnectionError:
                length = 0
            if not length:
                self._epoll.unregister(number)
                continue
            self._last_ns = time_ns = now() - origin
            took(number, length, time_ns)
