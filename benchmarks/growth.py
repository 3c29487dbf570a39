# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""``python -m benchmarks growth``: more receivers, more rooms."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from math import nan
from pathlib import Path
from statistics import median

from benchmarks.chart import Panel, line_chart
from benchmarks.crowd import Crowd, affordable
from benchmarks.generator import Plan, measure, raise_descriptor_limit
from benchmarks.options import Options, parser
from benchmarks.report import table
from benchmarks.rounds import say, wait_until_quiet
from benchmarks.servers import Running, running
from benchmarks.variants import PATIENT, chatmux
from benchmarks.wire import Door, dial

TITLE = "Growth"
TEXT = """\
A window of 64 messages of 64 bytes, one room that talks. On the left it has more and
more receivers; on the right there are more and more other rooms: of MaChat with one
idle member each, or of Globes with nobody in them. The time is the server's
processor's."""

_RECEIVERS = (10, 30, 100, 300, 1_000, 3_000, 10_000)
_ROOMS = (1, 10, 100, 1_000, 10_000)
_IN_THE_ROOM = (10, 100)
_PIPELINED = 50

Costs = dict[str, dict[int, list[float]]]
"""The server's microseconds for a message in each run, by line and number."""


class Growth:
    """The runs, and whether one of them lost a message."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.receivers: Costs = {}
        self.rooms: Costs = {}
        self.lost = 0

    def with_receivers(self, server: Running, wires: Sequence[str]) -> None:
        """Load one room of each size."""
        for count in _RECEIVERS:
            if count > affordable(count):
                say(f"{count} receivers: more than the limit of descriptors")
                break
            for wire in wires:
                say(f"{count} receivers, {wire}")
                self._run(server, server.door(wire), count, self.receivers, wire, count)

    def with_rooms(self, server: Running, wire: str) -> None:
        """Load one room beside more and more others."""
        door = server.door(wire)
        made = 1
        with Crowd() as crowd:
            for count in _ROOMS:
                if wire != "globes" and count > affordable(count):
                    say(f"{count} rooms: more than the limit of descriptors")
                    break
                say(f"{count} rooms, {wire}")
                if wire == "globes":
                    make_rooms(door.port, made, count)
                else:
                    crowd.join([door], count - made, alone=True)
                made = count
                wait_until_quiet(server.pid)
                for receivers in _IN_THE_ROOM:
                    name = f"{wire}, {receivers} receivers"
                    self._run(server, door, receivers, self.rooms, name, count)

    def _run(
        self,
        server: Running,
        door: Door,
        receivers: int,
        costs: Costs,
        name: str,
        number: int,
    ) -> None:
        seconds = self._seconds
        plan = Plan(door=door, receivers=receivers, seconds=seconds, pid=server.pid)
        figures = measure(plan)
        wait_until_quiet(server.pid)
        self.lost += figures.lost
        cost = figures.cpu_us_per_delivery * receivers
        costs.setdefault(name, {}).setdefault(number, []).append(cost)


def make_rooms(port: int, first: int, last: int) -> None:
    """Make Globes' rooms over one connection, and look at each answer.

    Raises:
        ConnectionError: One was not made.
    """
    with dial(port) as sock:
        stream = sock.makefile("rb")
        for start in range(first, last, _PIPELINED):
            numbers = range(start, min(start + _PIPELINED, last))
            for number in numbers:
                room = {"title": f"room {number}", "visibility": "public"}
                body = json.dumps(room)
                sock.sendall(
                    f"POST /chats HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
                )
            for _ in numbers:
                status = stream.readline()
                length = 0
                while line := stream.readline().strip():
                    name, _, value = line.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                answer = stream.read(length)
                if b" 201 " not in status:
                    raise ConnectionError(f"no room: {status!r} {answer!r}")


def chart(growth: Growth) -> str:
    """Return both charts, as SVG."""
    left = {
        wire: [(n, n / median(runs) * 1e6) for n, runs in costs.items()]
        for wire, costs in growth.receivers.items()
    }
    right = {
        name: [(n, median(runs)) for n, runs in costs.items()]
        for name, costs in growth.rooms.items()
    }
    panels = [Panel("Deliveries a second of processor time", "receivers", left)]
    panels.append(Panel("Processor time of a message, µs", "rooms", right))
    return line_chart(panels)


def tables(growth: Growth) -> str:
    """Return both as tables."""
    rows = [
        [
            wire,
            f"{count:,}",
            f"{count / median(runs) * 1e6:,.0f}",
            f"{median(runs):,.1f}",
        ]
        for wire, costs in growth.receivers.items()
        for count, runs in costs.items()
    ]
    header = ["protocol", "receivers", "deliveries a CPU second", "CPU µs a message"]
    receivers = table(header, rows, words=1)
    numbers = [f"{count:,} rooms" for count in _ROOMS]
    rows = [
        [name, *(f"{median(costs.get(count, [nan])):.1f}" for count in _ROOMS)]
        for name, costs in growth.rooms.items()
    ]
    rooms = table(["CPU µs a message", *numbers], rows, words=1)
    return f"{receivers}\n\n{rooms}"


def main(arguments: list[str]) -> int:
    """Measure, print the tables, and draw the chart."""
    made = parser("growth", __doc__, seconds=1.0, rounds=1)
    made.add_argument("--chart", type=Path, metavar="FILE", help="draw it there (SVG)")
    options: Options = made.parse_args(arguments, Options())
    raise_descriptor_limit()
    growth = Growth(options.seconds)
    for number in range(options.rounds):
        say(f"round {number + 1}")
        with ExitStack() as stack:
            start = chatmux(changes=PATIENT)
            server = stack.enter_context(running("chatmux", start))
            if server is None:
                return 1
            growth.with_receivers(server, ("machat", "multichat"))
            growth.with_rooms(server, "machat")
            growth.with_rooms(server, "globes")
    text = f"{TEXT}\n\n{tables(growth)}"
    if options.chart:
        options.chart.write_text(chart(growth))
        text = f"![Growth]({options.chart.name})\n\n{text}"
    options.tell(TITLE, text)
    return int(bool(growth.lost))
