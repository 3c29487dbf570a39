# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Wrong passwords: they hold up nobody's messages, and few of them are looked at."""

from __future__ import annotations

import json
import statistics
import time

from tests.attack import Pulse
from tests.globes_server import CONFIG, PASSWORD, Answered, GlobesTestCase, Rest

BRIDGED = {
    **CONFIG,
    "machat": {"tcp": "127.0.0.1:0", "ws": None},
    "bridges": [["globes/1", "machat/lounge"]],
}
WRONG = 50
ROOMS = 6
"""Over which they are spread, so that each is looked at."""


class PressureTests(GlobesTestCase):
    def try_all(self, port: int, rooms: list[int]) -> list[Answered]:
        """Show a wrong password on many connections at once."""
        clients = [self.rest(port) for _ in range(WRONG)]
        for client in clients:
            client.ask("GET", "/chats/1")
        for number, client in enumerate(clients):
            path = f"/chats/{rooms[number % len(rooms)]}/token"
            login = {"name": "eve", "secret": f"guess number {number}"}
            client.connection.request("POST", path, json.dumps(login))
        answers = []
        for client in clients:
            answer = client.connection.getresponse()
            answers.append(Answered(answer.status, answer.getheaders(), answer.read()))
        return answers

    def test_wrong_passwords_hold_up_nobody(self) -> None:
        server = self.serve(BRIDGED)
        port, lines = server.ports("globes.address", "machat.tcp")
        client = self.rest(port)
        rooms = [client.add(f"Room {number}", PASSWORD) for number in range(ROOMS)]
        pulse = Pulse(f"globes:{port}", f"machat:{lines}")
        self.addCleanup(pulse.kill)
        pulse.begin("quiet")
        time.sleep(1)
        pulse.begin("pressed")
        began = time.monotonic()
        answers = self.try_all(port, rooms)
        seconds = time.monotonic() - began
        pulse.begin("after")
        measured = pulse.end()
        self.assertEqual([one.status for one in answers], [401] * WRONG)
        # All were looked at, and it took them a while.
        self.assertGreater(seconds, 0.5)
        self.assertEqual(measured.lost, 0)
        self.assertGreater(len(measured.seconds["pressed"]), 0.5 * 100 * seconds)
        # On a quiet machine it is below 20; others may stop all of this for a while.
        self.assertLess(measured.median("pressed"), 0.02, measured)
        self.assertLess(measured.late("pressed"), 0.05, measured)


class LimitTests(GlobesTestCase):
    def setUp(self) -> None:
        self.server = self.serve()
        self.client = self.rest(self.server)
        self.rooms = [self.client.add(name, PASSWORD) for name in ("One", "Two")]

    def show(self, room: int | str, secret: str) -> tuple[Answered, float]:
        """Show a password; return the answer, and how many seconds it took."""
        began = time.perf_counter()
        login = {"name": "ann", "secret": secret}
        answer = self.client.ask("POST", f"/chats/{room}/token", login)
        return answer, time.perf_counter() - began

    def test_the_eleventh_in_a_minute_is_not_looked_at(self) -> None:
        room, other = self.rooms
        hashed, refused = [], []
        for number in range(10):
            answer, seconds = self.show(room, f"wrong {number}")
            self.assertEqual(answer.fault, (401, 304, "secret"))
            hashed.append(seconds)
        # Nor is a right one, or the same by the room's title.
        for number, secret in enumerate(["wrong", PASSWORD] * 5):
            answer, seconds = self.show(room if number % 4 else "oNE", secret)
            self.assertEqual(answer.fault, (429, 304, "secret"))
            self.assertTrue(0 < int(answer.headers["retry-after"]) <= 60)
            refused.append(seconds)
        self.assertLess(
            statistics.median(refused), statistics.median(hashed) / 4, (hashed, refused)
        )
        # What shows no password is no try; other rooms have their own count.
        self.assertEqual(self.show(room, "")[0].status, 401)
        self.assertEqual(self.show(other, PASSWORD)[0].status, 201)
        self.assertEqual(self.show(other, "wrong")[0].status, 401)
        self.assertEqual(self.server.stop(), 0)
        self.assertNotIn("wrong", self.server.log)

    def test_many_at_once_are_no_more(self) -> None:
        (port,) = self.server.ports("globes.address")
        clients = [Rest(port) for _ in range(30)]
        for client in clients:
            self.addCleanup(client.close)
            login = {"name": "eve", "secret": "wrong"}
            path = f"/chats/{self.rooms[0]}/token"
            client.connection.request("POST", path, json.dumps(login))
        statuses = [client.connection.getresponse().status for client in clients]
        self.assertEqual(sorted(statuses), [401] * 10 + [429] * 20)
