# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""``python -m benchmarks memory``: what an idle connection takes, and ten thousand."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.crowd import Crowd, affordable
from benchmarks.generator import cpu_seconds, raise_descriptor_limit
from benchmarks.options import Options, parser
from benchmarks.report import table
from benchmarks.rounds import say, wait_until_quiet
from benchmarks.servers import Running, Start, running
from benchmarks.variants import PATIENT, chatmux
from benchmarks.wire import WIRES, Door

TITLE = "Idle connections"
TEXT = """\
What a server's resident memory grows by with each of {:,} connections that are open and
silent; after 200 others, so that what is made once is there. The kernel's part, the
buffers of the sockets, is not in it. Those of Globes listen and have not joined."""
MIXED_TITLE = "Connections of all protocols at once"
MIXED_TEXT = """\
One channel of all protocols: multichat, MaChat over TCP and over WebSocket, Globes and
webtalk have a fifth of the connections each. Globes' come last and do not join, as each
coming is told to every one of Globes'. All are opened, one after another; then messages
are sent, and each connection has to hear each of them once; at the end each one has to
answer: a WebSocket's ping, or MaChat's end of sending over TCP."""

_CONNECTIONS = 5_000
_MIXED = 10_000
_FIRST = 200
_MESSAGES = 5
_SECONDS = 20.0
_MARK = b"heard by all"


@dataclass(frozen=True, slots=True)
class Mixed:
    """What came of many connections at once."""

    opened: int
    opening_seconds: float
    opening_cpu_seconds: float
    memory_bytes: int
    hear_ms: Sequence[float]
    missed: int
    twice: int
    answered: int


def memory_bytes(pid: int) -> int:
    """Return the resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def idle_bytes(server: Running, door: Door, connections: int) -> float:
    """Return what one more connection takes."""
    with Crowd() as crowd:
        crowd.join([door], _FIRST)
        wait_until_quiet(server.pid)
        before = memory_bytes(server.pid)
        crowd.join([door], connections)
        wait_until_quiet(server.pid)
        return (memory_bytes(server.pid) - before) / connections


def mixed(server: Running, connections: int) -> Mixed:
    """Open many connections by all doors of the bridged server, and use them."""
    (door,) = server.doors
    with ExitStack() as stack:
        crowd = stack.enter_context(Crowd())
        before = memory_bytes(server.pid)
        start, used = time.monotonic(), cpu_seconds(server.pid)
        for part in sorted(door.parts, key=lambda part: part.wire == "globes"):
            crowd.join([part], connections // len(door.parts))
        connections = len(crowd.sockets)
        seconds = time.monotonic() - start
        wait_until_quiet(server.pid)
        used = cpu_seconds(server.pid) - used
        grown = memory_bytes(server.pid) - before
        wire = WIRES[door.wire]
        sender = stack.enter_context(wire.connect(door, "s0", False))
        missed = twice = 0
        times = []
        for number in range(_MESSAGES):
            text = b"%b %d." % (_MARK, number)
            sender.sendall(wire.message("s0", text))
            heard = crowd.hear(text, _SECONDS)
            times.append(heard.seconds * 1e3)
            missed += connections - len(heard.counts)
            twice += sum(count - 1 for count in heard.counts.values())
        answered = crowd.pongs(_SECONDS)
        crowd.leave("globes")
        wait_until_quiet(server.pid)
        answered += crowd.ends(_SECONDS)
        return Mixed(
            opened=connections,
            opening_seconds=seconds,
            opening_cpu_seconds=used,
            memory_bytes=grown,
            hear_ms=times,
            missed=missed,
            twice=twice,
            answered=answered,
        )


def mixed_table(found: Mixed) -> str:
    """Return what came of it, as a table."""
    rows = [
        ["connections", f"{found.opened:,}"],
        ["opened in", f"{found.opening_seconds:.1f} s"],
        ["of it the server's processor", f"{found.opening_cpu_seconds:.1f} s"],
        ["memory", f"{found.memory_bytes / 2**20:.0f} MiB"],
        ["a connection", f"{found.memory_bytes / 2**10 / found.opened:.1f} KiB"],
        [
            f"until all have heard one of {len(found.hear_ms)} messages",
            f"{min(found.hear_ms):.0f} to {max(found.hear_ms):.0f} ms",
        ],
        ["not heard", str(found.missed)],
        ["heard twice", str(found.twice)],
        ["answered at the end", f"{found.answered:,}"],
    ]
    return table(["what", "how much"], rows, words=1)


def main(arguments: list[str]) -> int:
    """Measure, and print both tables."""
    made = parser("memory", __doc__)
    made.add_argument("--connections", type=int, default=_CONNECTIONS)
    made.add_argument("--mixed", type=int, default=_MIXED)
    options: Options = made.parse_args(arguments, Options())
    raise_descriptor_limit()
    systems: dict[str, Start | None] = {
        "chatmux": chatmux(changes=PATIENT),
        "naive Autobahn": None,
        "node ws": None,
    }
    rows = []
    for name, start in systems.items():
        wires = _wires(name, start)
        for wire in wires:
            # A process of its own: what one door's connections leave is not reused.
            with running(name, start) as server:
                assert server is not None
                door = server.door(wire)
                say(f"{name}, {wire}")
                taken = idle_bytes(server, door, options.connections)
            rows.append([name, wire, f"{taken / 1024:.1f}"])
    taken_table = table(["system", "protocol", "KiB"], rows)
    text = TEXT.format(options.connections)
    options.tell(TITLE, f"{text}\n\n{taken_table}")
    say("all protocols mixed")
    with running("chatmux bridged", chatmux(bridged=True, changes=PATIENT)) as server:
        if server is None:
            return 1
        found = mixed(server, affordable(options.mixed))
    print()
    options.tell(MIXED_TITLE, f"{MIXED_TEXT}\n\n{mixed_table(found)}")
    return int(bool(found.missed or found.twice or found.answered != found.opened))


def _wires(name: str, start: Start | None) -> list[str]:
    with running(name, start) as server:
        return [door.wire for door in server.doors] if server else []
