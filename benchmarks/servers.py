# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The servers under test, as child processes on free loopback ports.

A new server is one entry in ``SYSTEMS``: a function that returns how it is started,
or ``None`` where it is not installed. Nothing here sends a message.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.wire import Door

_ROOT = Path(__file__).resolve().parent.parent
_SEARCH_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin"))
_START_SECONDS = 15.0
_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.02


class StartError(Exception):
    """A server that is installed did not start; the text says why."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How a server is started, and the doors that are open when it is ready."""

    command: list[str]
    doors: tuple[Door, ...]


@dataclass(frozen=True, slots=True)
class Running:
    """A server that accepts connections on all its doors."""

    name: str
    pid: int
    doors: tuple[Door, ...]

    def door(self, wire: str) -> Door:
        """Return the one for a protocol."""
        return next(door for door in self.doors if door.wire == wire)


Start = Callable[[Path], Launch | None]
"""Says how a server is started that may keep its files in a directory."""


@contextmanager
def running(name: str, start: Start | None = None) -> Iterator[Running | None]:
    """Run a server for the time of the block.

    Args:
        name: Of the server; of one in ``SYSTEMS``, without `start`.
        start: Says how it is started.

    Yields:
        The server, or ``None`` where it is not installed.

    Raises:
        StartError: It is installed and did not start.
    """
    with TemporaryDirectory(prefix="chatmux-bench-") as directory:
        launch = (start or SYSTEMS[name])(Path(directory))
        if launch is None:
            yield None
            return
        log = Path(directory, "output.log")
        path = os.pathsep.join((str(_ROOT), os.environ.get("PYTHONPATH", "")))
        with log.open("wb") as output:
            process = subprocess.Popen(
                launch.command,
                cwd=directory,
                env={**os.environ, "PYTHONPATH": path.rstrip(os.pathsep)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            for port in chain.from_iterable(door.ports() for door in launch.doors):
                if not _opens(port, process):
                    tail = log.read_text(errors="replace")[-2000:]
                    raise StartError(f"{name} did not start\n{tail}")
            yield Running(name, process.pid, launch.doors)
        finally:
            _stop(process)


def free_ports(count: int) -> list[int]:
    """Return different loopback ports on which nothing listens just now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


def _opens(port: int, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        time.sleep(_POLL_SECONDS)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _installed(program: str) -> str | None:
    return shutil.which(program, path=_SEARCH_PATH)


def _chatmux(directory: Path, *, bridged: bool = False) -> Launch | None:
    beside = Path(sys.executable).with_name("twistd")
    twistd = str(beside) if beside.exists() else _installed("twistd")
    if twistd is None:
        return None
    multichat, tcp, websocket, globes, private, public = free_ports(6)
    secret = "password"
    bridge = ["multichat", "machat/bench", "globes/1", "webtalk/1"]
    config = {
        "multichat": {
            "host": f"127.0.0.1:{multichat}",
            "ws-path": "/",
            "secret-key": secret,
        },
        "machat": {"tcp": f"127.0.0.1:{tcp}", "ws": f"127.0.0.1:{websocket}"},
        "globes": {"address": f"127.0.0.1:{globes}"},
        "webtalk": {
            "private": f"127.0.0.1:{private}",
            "public": f"127.0.0.1:{public}",
            # The users of a run are killed when the next one makes its first, or all
            # that it sends would be kept for them, too.
            "absent-seconds": 0.001,
        },
        "store": "sqlite:///rooms.db",
        "bridges": [bridge] if bridged else [],
    }
    path = directory / "config.json"
    path.write_text(json.dumps(config))
    doors: tuple[Door, ...] = (
        Door("multichat", multichat, secret=secret),
        Door("machat", tcp),
        Door("machat-ws", websocket, path="/mychat"),
        Door("globes", globes, path="/chats/1/ws"),
        Door("webtalk", public, path="/webtalk", back_end_port=private),
    )
    if bridged:
        doors = (replace(doors[-1], wire="bridged", parts=doors),)
    command = [twistd, "-n", "--pidfile=", "chatmux", "--config", str(path)]
    return Launch(command, doors)


def _naive(directory: Path) -> Launch:
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "benchmarks.naive", str(port)]
    return Launch(command, (Door("multichat", port),))


def _bare(directory: Path) -> Launch:
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "benchmarks.bare", str(port)]
    return Launch(command, (Door("machat", port),))


def _node(directory: Path) -> Launch | None:
    node = _installed("node")
    script = Path(__file__).with_name("naive_ws.js")
    if node is None:
        return None
    test = [node, "-e", "require('ws')"]
    tested = subprocess.run(test, cwd=script.parent, capture_output=True, check=False)
    if tested.returncode:
        return None
    (port,) = free_ports(1)
    return Launch([node, str(script), str(port)], (Door("multichat", port),))


def _redis(directory: Path) -> Launch | None:
    program = _installed("redis-server")
    if program is None:
        return None
    (port,) = free_ports(1)
    options = ["--bind", "127.0.0.1", "--port", str(port), "--save", ""]
    return Launch([program, *options], (Door("redis", port),))


def _nats(directory: Path) -> Launch | None:
    program = _installed("nats-server")
    if program is None:
        return None
    (port,) = free_ports(1)
    return Launch([program, "-a", "127.0.0.1", "-p", str(port)], (Door("nats", port),))


SYSTEMS: dict[str, Start] = {
    "chatmux": _chatmux,
    "chatmux bridged": partial(_chatmux, bridged=True),
    "naive Autobahn": _naive,
    "bare send": _bare,
    "node ws": _node,
    "nats-server": _nats,
    "redis-server": _redis,
}
