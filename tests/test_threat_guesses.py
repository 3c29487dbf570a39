# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Row 23: guessing of the secrets that cost no hash; tests.test_globes_tries of others.

They are too long to be guessed, so nobody is kept waiting for his wrong guesses, and
nobody can keep those out who know the secret by guessing in their name.
"""

from __future__ import annotations

import json
import socket
import time
from typing import Any

from chatmux.logdamper import LINES, WINDOW_SECONDS
from tests.attack import AttackTestCase, LateError, Target, close_code, read_all
from tests.pulse import SECRET
from tests.websocket_doubles import CLOSE, TEXT, masked

TRIES = 1000
AT_ONCE = 10
ADDRESSES = 100
BACK_END = "canary of the back-end, which is long"
IN_SECONDS = 0.25
"""For who knows the secret, from the connecting on."""
SECTIONS: dict[str, Any] = {
    "trusted-proxies": ["127.0.0.1"],
    "limits": {"closing-seconds": 1},
}


class GuessTests(AttackTestCase):
    def tries(self, target: Target, door: str, addresses: int) -> None:
        """Guess wrongly from so many addresses; and rightly now and then."""
        for start in range(0, TRIES, AT_ONCE):
            guessing = [
                self.guess(target, door, number, f"192.0.2.{number % addresses}")
                for number in range(start, start + AT_ONCE)
            ]
            if start % (TRIES // 4) == 0:
                began = time.monotonic()
                self.come_in(target, door, f"192.0.2.{start % addresses}")
                if time.monotonic() - began > IN_SECONDS:
                    raise LateError(f"{door}: the right one waits")
            for raw in guessing:
                came = read_all(raw)
                raw.close()
                if door == "private":
                    self.assertEqual(came, b"00020[error] wrong secret")
                else:
                    self.assertEqual(close_code(came.partition(b"\r\n\r\n")[2]), 1008)

    def guess(
        self, target: Target, door: str, number: int, address: str
    ) -> socket.socket:
        """Show something of the right length, and take part in the close."""
        raw = target.connect(door)
        if door == "private":
            wrong = f"{number}".rjust(len(BACK_END), "x")
            raw.sendall(self.auth(wrong))
            return raw
        if door == "multichat":
            wrong = f"{number}".rjust(len(SECRET), "x")
            packet = self.register("guesses", wrong)
        else:
            packet = b"%s!%039d" % (self.user, number)
        head = target.handshake(door, f"X-Forwarded-For: {address}")
        raw.sendall(head + masked(TEXT, packet) + masked(CLOSE, b"\x03\xf0"))
        return raw

    def come_in(self, target: Target, door: str, address: str) -> None:
        """Show what is right, from an address of those who guess."""
        forwarded = f"X-Forwarded-For: {address}"
        if door == "private":
            raw = target.connect(door)
            raw.sendall(self.auth(BACK_END))
            self.assertEqual(raw.recv(100), b"00018[ok] authenticated")
        elif door == "multichat":
            raw = target.upgrade(door, forwarded)
            raw.sendall(masked(TEXT, self.register("knows", SECRET)))
            self.assertIn(b"register-ack", raw.recv(100))
        else:
            raw = target.upgrade(door, forwarded)
            raw.sendall(masked(TEXT, self.ticket))
            self.do(target, b"[whisper] %s!hello" % self.user)
            self.assertEqual(raw.recv(100), b"\x81\x05hello")
        raw.close()

    def register(self, name: str, secret: str) -> bytes:
        words = {"action": "register", "client-name": name, "secret-key": secret}
        return json.dumps(words).encode()

    def auth(self, secret: str) -> bytes:
        frame = f"[auth] {secret}".encode()
        return b"%05d%s" % (len(frame), frame)

    def do(self, target: Target, command: bytes) -> bytes:
        """Do something as the back-end that knows."""
        raw = target.connect("private")
        raw.sendall(self.auth(BACK_END) + b"%05d%s00000" % (len(command), command))
        answers = read_all(raw)
        raw.close()
        return answers[len(b"00018[ok] authenticated") + 5 :].partition(b"00012[ok]")[0]

    def attack(self, target: Target) -> None:
        self.ticket = self.do(target, b"[newuser]").removeprefix(b"[ok] ")
        self.user = self.ticket.partition(b"!")[0]
        self.do(target, b"[leave] 1!" + self.user)
        began = time.monotonic()
        doors = "multichat", "private", "public"
        for door in doors:
            for addresses in 1, ADDRESSES:
                self.tries(target, door, addresses)
        windows = (time.monotonic() - began) // WINDOW_SECONDS + 2
        closed = target.log.count("closed, 1008: ")
        self.assertGreater(closed, 0)
        self.assertLessEqual(closed, LINES * len(doors) * windows)

    def test_wrong_ones_are_closed_and_the_right_one_comes_in(self) -> None:
        webtalk = {"secret": BACK_END}
        self.survives(self.attack, webtalk=webtalk, **SECTIONS)
