# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Attacks on a server in a process of its own, while a healthy peer is watched.

The attacker is the test; the server is one process, and another is the healthy pair
(`tests.pulse`), whose messages go from multichat to MaChat and back while the attack
runs. It must lose nothing, and wait less than 50 ms for 99 of 100.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from twisted.trial.unittest import SynchronousTestCase

from tests.certificates import client_context, make_files
from tests.pulse import SECRET
from tests.server import DEADLINE_SECONDS, Server
from tests.websocket_doubles import CLOSE, PING, TEXT, Frame, masked

MIB = 1 << 20
PULSE_SECONDS = 0.05
"""What 99 of 100 messages of the healthy peer may take."""
ATTEMPTS = 3
"""How often an attack is repeated in which the healthy peer waits longer: others may
stop all of this for a while."""

CONFIG: dict[str, Any] = {
    "multichat": {"host": "127.0.0.1:0", "secret-key": SECRET},
    "machat": {"tcp": "127.0.0.1:0", "ws": "127.0.0.1:0"},
    "globes": {"address": "127.0.0.1:0"},
    "webtalk": {"private": "127.0.0.1:0", "public": "127.0.0.1:0"},
    "bridges": [["multichat", "machat/lounge", "globes/1", "webtalk/1"]],
    "store": "sqlite:///rooms.db",
}


class Place(NamedTuple):
    """Where peers come in.

    Attributes:
        key: Of its address in the configuration.
        path: Of its WebSocket, where it has one.
    """

    key: str
    path: str | None = None


PLACES = {
    "multichat": Place("multichat.host", "/"),
    "machat": Place("machat.tcp"),
    "mychat": Place("machat.ws", "/mychat"),
    "globes": Place("globes.address", "/chats/1/ws"),
    "private": Place("webtalk.private"),
    "public": Place("webtalk.public", "/webtalk"),
}
WEBSOCKETS = tuple(name for name, place in PLACES.items() if place.path is not None)


class Target(Server):
    """A server with all protocols, bridged.

    Args:
        directory: Its own.
        tls: Whether it speaks TLS everywhere.
        sections: What its configuration has more in these sections, or other values.
    """

    host = "127.0.0.1"
    """Where peers find it."""

    def __init__(self, directory: Path, tls: bool = False, **sections: Any) -> None:
        config = dict(CONFIG)
        self.certificate = ""
        self.context: ssl.SSLContext | None = None
        """For clients; None where it speaks no TLS."""
        if tls:
            files = make_files(directory / "tls")
            self.certificate = str(Path(files.certfile).absolute())
            self.context = client_context(files)
            pair = {
                "certfile": self.certificate,
                "keyfile": str(Path(files.keyfile).absolute()),
            }
            # MaChat has no keys for TLS, and its two addresses must not be the same.
            words = [f"certKey={pair['certfile']}", f"privateKey={pair['keyfile']}"]
            tcp, ws = (
                ":".join(("ssl:0:interface=127.0.0.1", *order))
                for order in (words, words[::-1])
            )
            for section, settings in (
                ("multichat", {"wss": pair}),
                ("machat", {"tcp": tcp, "ws": ws}),
                ("globes", pair),
                ("webtalk", {"private-tls": pair, "wss": pair}),
            ):
                config[section] = {**config[section], **settings}
        for name, section in sections.items():
            old = config.get(name)
            config[name] = {**old, **section} if isinstance(old, dict) else section
        super().__init__(directory, config)
        keys = [place.key for place in PLACES.values()]
        self.port = dict(zip(PLACES, self.ports(*keys), strict=True))
        self._open: list[socket.socket] = []

    def connect(
        self, place: str, *, receive_bytes: int = 0, segment_bytes: int = 0
    ) -> socket.socket:
        """Connect to one of `PLACES`, with TLS where it has that.

        Args:
            place: Its name.
            receive_bytes: How much the kernel takes for who does not read; 0 for its
                own choice.
            segment_bytes: The largest segment of TCP, on which it depends how much the
                server's kernel takes; 0 for its own choice.
        """
        raw = socket.socket()
        self._open.append(raw)
        raw.settimeout(DEADLINE_SECONDS)
        if receive_bytes:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        if segment_bytes:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment_bytes)
        raw.connect((self.host, self.port[place]))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.context is not None:
            raw = self.context.wrap_socket(raw, server_hostname="127.0.0.1")
            self._open[-1] = raw
        return raw

    def handshake(self, place: str, *headers: str) -> bytes:
        """Return the request for a WebSocket, whole."""
        lines = (
            f"GET {PLACES[place].path} HTTP/1.1",
            f"Host: 127.0.0.1:{self.port[place]}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
            *headers,
        )
        return "\r\n".join((*lines, "", "")).encode()

    def upgrade(self, place: str, *headers: str, **options: Any) -> socket.socket:
        """Connect and shake hands; return the socket behind the answer."""
        raw = self.connect(place, **options)
        raw.sendall(self.handshake(place, *headers))
        answer = b""
        while b"\r\n\r\n" not in answer:
            # One at a time: what follows is left where it is.
            part = raw.recv(1)
            if not part:
                break
            answer += part
        if not answer.startswith(b"HTTP/1.1 101 "):
            raise AssertionError(f"no WebSocket: {answer!r}")
        return raw

    def enter(self, place: str, name: str, **options: Any) -> socket.socket:
        """Connect and say who it is, in the channel that is bridged.

        A user of webtalk is made through the private port. The private port itself
        needs no word.
        """
        if PLACES[place].path is not None:
            raw = self.upgrade(place, **options)
            raw.sendall(masked(TEXT, self.opening(place, name)))
            # When the answer to the ping is there, all before it is done.
            raw.sendall(masked(PING, b"\0in"))
            received = b""
            while b"\0in" not in received:
                received += raw.recv(1 << 16)
            return raw
        raw = self.connect(place, **options)
        raw.sendall(self.opening(place, name))
        return raw

    def opening(self, place: str, name: str) -> bytes:
        """Return what a peer says first to be let in, framed where it is TCP."""
        if place == "multichat":
            words = {"action": "register", "client-name": name, "secret-key": SECRET}
        elif place == "globes":
            words = {"event_type": "join", "name": name}
        elif place in ("machat", "mychat"):
            words = {"name": name, "room": "lounge"}
        elif place == "public":
            return self.ticket()
        else:
            return b""
        return json.dumps(words).encode() + b"\n" * (place == "machat")

    def ticket(self) -> bytes:
        """Make a user of webtalk; return its ``ID!SALT``."""
        raw = self.connect("private")
        raw.sendall(b"00009[newuser]")
        answer = raw.recv(5)
        ticket = raw.recv(int(answer)).removeprefix(b"[ok] ")
        raw.close()
        return ticket

    @property
    def rss(self) -> int:
        """Return the bytes of memory that it has."""
        return self._status("VmRSS")

    @property
    def most_rss(self) -> int:
        """Return the most that it has had."""
        return self._status("VmHWM")

    def _status(self, name: str) -> int:
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = (line for line in text.splitlines() if line.startswith(f"{name}:"))
        return int(line.split()[1]) * 1024

    @property
    def cpu_seconds(self) -> float:
        """Return the time that it has worked."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def descriptors(self) -> int:
        """Return how many files and sockets it has open."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def hang_up(self) -> None:
        """Close all connections that were made here."""
        for raw in self._open:
            raw.close()
        self._open.clear()

    def kill(self) -> None:
        self.hang_up()
        super().kill()


class Measured(NamedTuple):
    """What the healthy peer has seen."""

    sent: int
    lost: int
    seconds: dict[str, list[float]]

    def late(self, phase: str = "attack") -> float:
        """Return what 99 of 100 took at most."""
        return statistics.quantiles(self.seconds[phase], n=100)[98]

    def median(self, phase: str = "attack") -> float:
        return statistics.median(self.seconds[phase])


class Pulse:
    """The healthy pair, in a process of its own.

    Args:
        speaker: A door of `tests.pulse` and its port.
        echo: Another.
        certificate: To trust.
    """

    def __init__(self, speaker: str, echo: str, certificate: str = "") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.pulse", speaker, echo, certificate],
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def begin(self, phase: str) -> None:
        """Call by this name what is sent from now on."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(f"{phase}\n")
            self.process.stdin.flush()
        if self.process.stdout.readline().strip() != phase:
            raise AssertionError("the healthy peer has been cut off")

    def end(self) -> Measured:
        """End it and return what it has seen."""
        told, _ = self.process.communicate(timeout=DEADLINE_SECONDS)
        if self.process.returncode:
            raise AssertionError("the healthy peer has been cut off")
        measured = json.loads(told)
        seconds: dict[str, list[float]] = measured["taken"]
        lost = measured["sent"] - sum(map(len, seconds.values()))
        return Measured(measured["sent"], lost, seconds)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


class LateError(AssertionError):
    """Something took longer than it should, perhaps by the machine's fault."""


class AttackTestCase(SynchronousTestCase):
    """Runs attacks."""

    def target(self, tls: bool = False, **sections: Any) -> Target:
        """Start a server, which is killed at the end."""
        target = Target(Path(self.mktemp()), tls, **sections)
        self.addCleanup(target.kill)
        return target

    def survives(
        self,
        attack: Callable[[Target], object],
        *,
        tls: bool = False,
        seconds: float = 1,
        **sections: Any,
    ) -> Measured:
        """Attack a server, and see that its healthy peer does not notice.

        Args:
            attack: Called with the server. Raises what is wrong; a `LateError` where
                a busy machine could be the cause.
            tls: Whether all of the server speaks TLS.
            seconds: How long the healthy peer is watched at least.
            sections: See `Target`.
        """
        for attempt in range(1, ATTEMPTS + 1):
            target = self.target(tls, **sections)
            try:
                return self._survives(target, attack, seconds)
            except LateError:
                if attempt == ATTEMPTS:
                    raise
            finally:
                target.kill()
        raise AssertionError("unreachable")

    def _survives(
        self, target: Target, attack: Callable[[Target], object], seconds: float
    ) -> Measured:
        pulse = Pulse(
            f"multichat:{target.port['multichat']}",
            f"machat:{target.port['machat']}",
            target.certificate,
        )
        self.addCleanup(pulse.kill)
        pulse.begin("attack")
        end = time.monotonic() + seconds
        attack(target)
        time.sleep(max(0, end - time.monotonic()))
        measured = pulse.end()
        self.assertEqual(measured.lost, 0)
        self.assertNotIn("Traceback", target.log)
        if measured.late() >= PULSE_SECONDS:
            raise LateError(f"the healthy peer: p99 {measured.late():.3f} s")
        return measured


def read_all(raw: socket.socket, seconds: float = DEADLINE_SECONDS) -> bytes:
    """Read to the end, a cut connection's too; fail if it does not come in time."""
    came = b""
    end = time.monotonic() + seconds
    while True:
        raw.settimeout(max(0.001, end - time.monotonic()))
        try:
            part = raw.recv(1 << 16)
        except TimeoutError:
            raise AssertionError(f"still open, after {came[-200:]!r}") from None
        except OSError:
            return came
        if not part:
            return came
        came += part


def close_code(came: bytes) -> int | None:
    """Return the code of the close frame that ends what a WebSocket has sent."""
    found = None
    for frame in frames_of(came):
        if frame.opcode == CLOSE:
            found = int.from_bytes(frame.payload[:2], "big")
    return found


def closed_with(raw: socket.socket) -> int | None:
    """Read to the close frame, and take no part in it; return its code."""
    came = b""
    code = None
    while code is None:
        try:
            part = raw.recv(1 << 16)
        except TimeoutError:
            raise AssertionError(f"still open, after {came[-200:]!r}") from None
        except OSError:
            break
        if not part:
            break
        came += part
        code = close_code(came)
    raw.close()
    return code


def frames_of(data: bytes) -> Iterator[Frame]:
    """Parse a server's frames, the last of which may have been cut off."""
    while len(data) >= 2:
        first, length, start = data[0], data[1], 2
        if length >= 126:
            start = 4 if length == 126 else 10
            length = int.from_bytes(data[2:start], "big")
        if len(data) < start + length:
            return
        yield Frame(first & 15, data[start : start + length], bool(first & 0x80))
        data = data[start + length :]


def is_open(raw: socket.socket) -> bool:
    """Say whether the other side has not ended a connection that is silent."""
    readable, _, _ = select.select([raw], [], [], 0)
    if not readable:
        return True
    try:
        return bool(raw.recv(1 << 16))
    except OSError:
        return False
