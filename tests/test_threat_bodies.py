# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Bodies of requests that are too long, packed, or not what they are said to be."""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import select
import socket
import ssl
from pathlib import Path

from tests.attack import MIB, AttackTestCase, Target, read_all

LIMITS = {"opening-seconds": 2, "closing-seconds": 1, "idle-seconds": 0.5}
PIECE = b"x" * (1 << 16)
MULTIPART = (
    b"--b\r\nContent-Disposition: form-data; name=file; filename=f\r\n"
    b"Content-Type: application/octet-stream\r\n\r\n"
)
WISH = b'{"title":"%s","visibility":"public"}'


def head(*lines: str, path: str = "/chats") -> bytes:
    return "\r\n".join((f"POST {path} HTTP/1.1", "Host: h", *lines, "", "")).encode()


def statuses(came: bytes) -> list[int]:
    """Return the statuses of the answers that came."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", came)]


class BodyTests(AttackTestCase):
    """Row 45."""

    def test_nobody_notices(self) -> None:
        self.survives(self.attack, limits=LIMITS)

    def test_so_it_is_over_tls(self) -> None:
        # A body of 50 MB takes a busy machine a while.
        limits = {**LIMITS, "opening-seconds": 4}
        self.survives(self.attack, tls=True, limits=limits)

    def attack(self, target: Target) -> None:
        # What the first request of all takes is not the attack's.
        self.say(target, head("Content-Length: 2"), [b"{}"])
        before = target.most_rss
        files = self.files(target)
        for request, pieces, expected in (
            (head("Content-Length: 300000000"), [PIECE] * 4600, 413),
            (
                head(
                    "Content-Type: multipart/form-data; boundary=b",
                    "Content-Length: 52428800",
                ),
                [MULTIPART, *[PIECE] * 800],
                413,
            ),
            (
                head("Transfer-Encoding: chunked"),
                [b"10000\r\n" + PIECE + b"\r\n"] * 800,
                413,
            ),
            (
                head(
                    "Content-Type: application/x-www-form-urlencoded",
                    "Content-Length: 7",
                ),
                [b"title=a"],
                400,
            ),
            (
                head("Transfer-Encoding: chunked"),
                [b"ffffffffffffffff\r\n", *[PIECE] * 8],
                413,
            ),
            (head("Content-Length: -1"), [], 400),
            (head("Content-Length: 1e3"), [], 400),
            (head("Content-Length: 5", "Content-Length: 6"), [b"{}"], 400),
            (head("Transfer-Encoding: chunked"), [b"xyz\r\n{}\r\n"], 400),
            # Of a body that never comes whole.
            (head("Content-Length: 500"), [b'{"title":"'], 408),
        ):
            came = self.say(target, request, pieces)
            self.assertEqual(statuses(came), [expected], request)
        packed = gzip.compress(bytes(64 * MIB), 9)
        bomb = head("Content-Encoding: gzip", f"Content-Length: {len(packed)}")
        came = self.say(target, bomb, [packed])
        self.assertIn(statuses(came), ([400], [413]))
        small = gzip.compress(WISH % b"packed")
        bomb = head("Content-Encoding: gzip", f"Content-Length: {len(small)}")
        # It is not unpacked, and so no JSON.
        self.assertEqual(statuses(self.say(target, bomb, [small])), [400])
        self.assertLess(target.most_rss - before, 2 * MIB)
        self.assertEqual(self.files(target), files)

    def test_what_is_behind_a_body_is_not_of_it(self) -> None:
        target = self.target()
        wish = WISH % b"exact"
        raw = target.connect("globes")
        raw.sendall(head(f"Content-Length: {len(wish)}") + wish)
        raw.sendall(head("Content-Length: 3") + b"{}x")
        raw.shutdown(socket.SHUT_WR)
        self.assertEqual(statuses(read_all(raw)), [201, 400])

    def say(self, target: Target, request: bytes, pieces: list[bytes]) -> bytes:
        """Send until something is heard, as a client does; return all that is."""
        raw, came = target.connect("globes"), b""
        with contextlib.suppress(OSError):
            raw.sendall(request)
            for piece in pieces:
                came = self.heard(raw)
                if came:
                    break
                raw.sendall(piece)
        came += read_all(raw)
        raw.close()
        return came

    def heard(self, raw: socket.socket) -> bytes:
        """Return what has come; of what is only TLS's own, nothing."""
        if not select.select([raw], [], [], 0)[0]:
            return b""
        seconds = raw.gettimeout()
        raw.settimeout(0)
        try:
            return raw.recv(1 << 16)
        except (BlockingIOError, ssl.SSLWantReadError):
            return b""
        finally:
            raw.settimeout(seconds)

    def files(self, target: Target) -> tuple[set[str], int]:
        """Return the files that the server has made, and how many it has open."""
        here = {path.name for path in Path(target.log_file).parent.iterdir()}
        opened = [
            os.readlink(f"/proc/{target.process.pid}/fd/{number}")
            for number in os.listdir(f"/proc/{target.process.pid}/fd")
        ]
        return here, sum(name.startswith("/tmp") for name in opened)
