# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Too many connections, rooms and users, too much to deliver: said so, and no more."""

from __future__ import annotations

import contextlib
import json
import resource
import socket
import threading
import time
from typing import Any

from tests.attack import (
    MIB,
    PLACES,
    AttackTestCase,
    LateError,
    Target,
    close_code,
    read_all,
)
from tests.globes_server import PASSWORD, Rest
from tests.websocket_doubles import TEXT, masked
from tests.webtalk_backend import BackEnd

MOST = 60
SPIN = 0.05
"""Of a core: what a server may work that has nothing to do."""


class ConnectionTests(AttackTestCase):
    """Row 42."""

    def test_one_too_many_is_told_so_at_every_door(self) -> None:
        self.survives(self.too_many, limits={"max-connections": MOST})

    def too_many(self, target: Target) -> None:
        held = [target.connect("machat") for _ in range(MOST - 2)]
        time.sleep(0.2)
        for _ in range(20):
            for place, words in PLACES.items():
                try:
                    raw = target.connect(place)
                    if words.path is not None:
                        raw.sendall(target.handshake(place))
                    came = read_all(raw)
                except OSError:
                    continue
                if words.path is not None:
                    self.assertTrue(came.startswith(b"HTTP/1.1 503 "), (place, came))
                else:
                    self.assertIn(b"error", came, place)
        for raw in held:
            raw.close()
        time.sleep(0.2)
        # There is room again.
        for place in PLACES:
            target.enter(place, f"again {place}")

    def test_without_descriptors_nobody_is_served_and_nothing_spins(self) -> None:
        for _ in range(3):
            try:
                self.without_descriptors()
                return
            except LateError as error:
                late = error
        raise late

    def without_descriptors(self) -> None:
        target = self.target()
        member = target.enter("machat", "ann")
        limit = target.descriptors + 50
        resource.prlimit(target.process.pid, resource.RLIMIT_NOFILE, (limit, limit))
        crowd: list[socket.socket] = []
        for _ in range(120):
            for place in PLACES:
                raw = socket.socket()
                raw.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    raw.connect(("127.0.0.1", target.port[place]))
                crowd.append(raw)
        time.sleep(0.5)
        before, began = target.cpu_seconds, time.monotonic()
        time.sleep(1.5)
        share = (target.cpu_seconds - before) / (time.monotonic() - began)
        # Who is in goes on as if nothing were.
        member.sendall(b"still here\n")
        self.assertEqual(member.recv(100), b"ann:still here\n")
        for raw in crowd:
            raw.close()
        target.enter("machat", "bob").sendall(b"in\n")
        self.assertEqual(member.recv(100), b"bob:in\n")
        self.assertNotIn("Traceback", target.log)
        target.kill()
        if share > SPIN:
            raise LateError(f"{share:.3f} of a core for nothing")


class RoomTests(AttackTestCase):
    """Row 42."""

    def test_rooms_have_an_end(self) -> None:
        target = self.target(globes={"max-rooms": 20})
        client = Rest(target.port["globes"])
        self.addCleanup(client.close)
        statuses = [
            client.ask("POST", "/chats", {"title": f"r{n}x", "visibility": "public"})
            for n in range(25)
        ]
        made = [answer.status for answer in statuses].count(201)
        self.assertEqual(made, 19)
        for answer in statuses[19:]:
            self.assertIn(answer.status, (429, 503))
        # And a password is not even hashed.
        wish = {"title": "late", "visibility": "private", "password": PASSWORD}
        self.assertIn(client.ask("POST", "/chats", wish).status, (429, 503))

    def test_users_and_channels_of_webtalk_have_an_end(self) -> None:
        target = self.target(webtalk={"max-users": 10, "max-channels": 5})
        back_end = BackEnd(target.port["private"])
        self.addCleanup(back_end.close)
        for command, most, word in (
            (b"[newuser]", 10, b"users"),
            (b"[newchannel]", 5, b"channels"),
        ):
            answers = [back_end.do(command) for _ in range(most + 3)]
            self.assertEqual(answers[-1], b"[error] too many " + word)
            refused = [one.startswith(b"[error]") for one in answers]
            self.assertIn(refused.index(True), (most, most - 1))
            self.assertTrue(all(refused[refused.index(True) :]))

    def test_rooms_that_nobody_stays_in_leave_nothing(self) -> None:
        """Rooms of MaChat are gone with who is in them."""
        target = self.target()
        before = 0
        for rounds in range(2):
            for number in range(600):
                raw = target.connect("machat")
                hello = b'{"name":"a","room":"%d%s"}' % (rounds, b"%d" % number * 1000)
                raw.sendall(hello + b"\nx\n")
                raw.recv(10)
                raw.close()
            before = before or target.rss
        self.assertLess(target.rss - before, 2 * MIB)


class AmplificationTests(AttackTestCase):
    """Row 43."""

    second = 20_000
    text = "x" * 6_000

    def test_who_makes_others_be_sent_too_much_is_closed(self) -> None:
        limits = {"delivered-per-second": self.second, "closing-seconds": 1}
        more: dict[str, Any] = {"trusted-proxies": ["127.0.0.1"]}
        self.survives(self.attack, limits=limits, **more)

    def attack(self, target: Target) -> None:
        self.codes: list[int | None] = []
        crowd = [target.enter("machat", f"member {number}") for number in range(20)]
        for place, packet in (
            ("multichat", {"action": "client-message", "content": self.text}),
            ("globes", {"event_type": "send", "name": "loud", "msg": self.text}),
            ("mychat", None),
        ):
            # From elsewhere: this machine's own are not held to it.
            raw = target.upgrade(place, "X-Forwarded-For: 203.0.113.5")
            raw.sendall(masked(TEXT, target.opening(place, "loud")))
            words = self.text if packet is None else json.dumps(packet)
            message = masked(TEXT, words.encode())
            heard = threading.Thread(target=lambda raw=raw: self.hear(raw))
            heard.start()
            with contextlib.suppress(OSError):
                for _ in range(100):
                    raw.sendall(message)
                    time.sleep(0.01)
            heard.join()
            self.assertEqual(self.codes.pop(), 1008, place)
            raw.close()
        for raw in crowd:
            raw.close()

    def hear(self, raw: socket.socket) -> None:
        self.codes.append(close_code(read_all(raw)))
