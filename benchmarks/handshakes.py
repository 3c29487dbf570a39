# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""``python -m benchmarks handshakes``: WebSockets opened, one after another.

``upgrade`` is a connection, a handshake, its answer, and the end; ``login`` has what
the protocol asks of a newcomer as well, up to the server's word on it.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from statistics import median

from benchmarks.generator import cpu_seconds
from benchmarks.options import Options, parser
from benchmarks.report import table
from benchmarks.rounds import say, wait_until_quiet
from benchmarks.servers import Running, running
from benchmarks.variants import PATIENT, chatmux
from benchmarks.wire import Door, text_frame, webtalk_user

TITLE = "Handshakes, one after another"
TEXT = """\
One connection at a time from one client in another process: dialled, used, closed by
the client. `upgrade` is the WebSocket handshake alone, `login` has the protocol's own
as well: multichat's register and its ack; MaChat's hello, a line, and its echo;
Globes' join and its event; webtalk's login, and the pong to a ping after it. The time
is the server's and the client's together, as they take turns; the processor's time is
each one's own."""

_PING = b"\x89\x80\x12\x34\x56\x78"
_PONG = b"\x8a\x00"
_BATCH = 50
_WARM_UP = 200

Step = tuple[bytes, bytes]
"""What is sent, and what the answer has in it."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What one run measured."""

    per_second: float
    per_server_cpu_second: float
    server_us: float
    client_us: float


def upgrade(door: Door) -> Step:
    """Return a browser's handshake with a door."""
    request = (
        f"GET {door.path} HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{door.port}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n"
    )
    return request.encode(), b"\r\n\r\n"


def logins(door: Door) -> Iterator[Step]:
    """Yield what newcomers say after the upgrade, each under a name of its own."""
    user = webtalk_user(door.back_end_port) if door.wire == "webtalk" else b""
    for number in count():
        match door.wire:
            case "multichat":
                register = {"action": "register", "client-name": f"c{number}"}
                yield _said({**register, "secret-key": door.secret}), b"register-ack"
            case "globes":
                join = {"event_type": "join", "name": f"c{number}"}
                yield _said(join), f'"c{number} entered'.encode()
            case "machat-ws":
                hello = {"name": f"c{number}", "room": door.room}
                line = text_frame(b"hi\n")
                yield _said(hello) + line, f"c{number}:hi\n".encode()
            case "webtalk":
                yield text_frame(user) + _PING, _PONG


def _said(packet: dict[str, str]) -> bytes:
    return text_frame(json.dumps(packet).encode())


def dance(port: int, steps: list[Step]) -> None:
    """Open a connection, take the steps, close it.

    Raises:
        ConnectionError: The server hung up.
    """
    with socket.socket() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(10)
        sock.connect(("127.0.0.1", port))
        for said, awaited in steps:
            sock.send(said)
            answer = b""
            while awaited not in answer:
                piece = sock.recv(4096)
                if not piece:
                    raise ConnectionError(f"the server hung up after {answer!r}")
                answer += piece


def rate(server: Running, door: Door, login: bool, seconds: float) -> Rate:
    """Take handshakes one after another for a while."""
    first = upgrade(door)
    words = logins(door)
    steps: Callable[[], list[Step]] = (
        (lambda: [first, next(words)]) if login else (lambda: [first])
    )
    for _ in range(_WARM_UP):
        dance(door.port, steps())
    wait_until_quiet(server.pid)
    done = 0
    server_before, client_before = cpu_seconds(server.pid), time.process_time()
    start = now = time.monotonic()
    while now - start < seconds:
        for _ in range(_BATCH):
            dance(door.port, steps())
        done += _BATCH
        now = time.monotonic()
    client = time.process_time() - client_before
    wait_until_quiet(server.pid)
    used = cpu_seconds(server.pid) - server_before
    return Rate(
        per_second=done / (now - start),
        per_server_cpu_second=done / max(used, 0.01),
        server_us=used / done * 1e6,
        client_us=client / done * 1e6,
    )


def rates_table(found: dict[tuple[str, str, str], list[Rate]]) -> str:
    """Return the table of the medians."""
    header = [
        "system",
        "protocol",
        "what",
        "per second",
        "per CPU second of the server",
    ]
    header += ["server µs", "client µs"]
    rows = []
    for (system, wire, what), runs in found.items():
        row = [system, wire, what]
        row.append(f"{median(run.per_second for run in runs):,.0f}")
        row.append(f"{median(run.per_server_cpu_second for run in runs):,.0f}")
        row.append(f"{median(run.server_us for run in runs):,.0f}")
        row.append(f"{median(run.client_us for run in runs):,.0f}")
        rows.append(row)
    return table(header, rows, words=3)


def main(arguments: list[str]) -> int:
    """Measure, and print the table."""
    options: Options = parser("handshakes", __doc__, seconds=1.5).parse_args(
        arguments, Options()
    )
    found: dict[tuple[str, str, str], list[Rate]] = {}
    with ExitStack() as stack:
        ours = chatmux(changes=PATIENT)
        systems = {"chatmux": ours, "naive Autobahn": None, "node ws": None}
        servers = [
            stack.enter_context(running(name, start)) for name, start in systems.items()
        ]
        for number in range(options.rounds):
            say(f"round {number + 1}")
            for server in servers:
                for door in server.doors if server else ():
                    if server is None or door.wire == "machat":
                        continue
                    for login in (False, True):
                        key = server.name, door.wire, "login" if login else "upgrade"
                        one = rate(server, door, login, options.seconds)
                        found.setdefault(key, []).append(one)
    options.tell(TITLE, f"{TEXT}\n\n{rates_table(found)}")
    return 0
