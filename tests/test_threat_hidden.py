# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""A concealed room cannot be told from none: not by bytes, steps, time or numbers."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from chatmux.door import Answer
from tests.globes_doubles import GlobesCase
from tests.globes_server import CONFIG, GLOBES, PASSWORD, GlobesTestCase

CONCEAL = {**CONFIG, "globes": {**GLOBES, "conceal-hidden-rooms": True}}
ROUTES = (
    ("GET", "/chats/{}", None),
    ("PUT", "/chats/{}", {"title": "x" * 9, "visibility": "public"}),
    ("PUT", "/chats/{}", b"no json"),
    ("DELETE", "/chats/{}", None),
    ("POST", "/chats/{}/token", {"name": "ann", "secret": "wrong"}),
    ("POST", "/chats/{}/token", {"name": "ann"}),
    ("POST", "/chats/{}/token", b"no json"),
    ("GET", "/chats/{}/token/renew", None),
    ("GET", "/chats/{}/ws", None),
)
CHEAP = "Rooms.conceals"
"""Compares two attributes of a room: what is done more for one that is there."""
ROUNDS = 400
SAMPLES = 5
T = 4.5


def welch(one: list[float], other: list[float]) -> float:
    """Return Welch's t of two samples, without the slowest of each.

    Those are the machine's.
    """
    kept = [sorted(sample)[: len(sample) * 3 // 4] for sample in (one, other)]
    means = [statistics.fmean(sample) for sample in kept]
    spread = sum(statistics.variance(sample) / len(sample) for sample in kept)
    return (means[0] - means[1]) / float(spread**0.5)


class StepTests(GlobesCase):
    async def steps(self, act: Callable[[], Any]) -> tuple[Answer, list[str]]:
        """Return an answer, and all functions that were called for it."""
        called: list[str] = []

        def note(frame: FrameType, event: str, argument: object) -> None:
            code = frame.f_code
            if event == "call" and "/chatmux/" in code.co_filename:
                called.append(code.co_qualname)

        sys.setprofile(note)
        try:
            answer = await act()
        finally:
            sys.setprofile(None)
        assert isinstance(answer, Answer)
        return answer, [name for name in called if name != CHEAP]

    async def test_each_step_is_the_same_for_a_concealed_room_and_none(self) -> None:
        await self.start(conceal_hidden_rooms=True)
        room = await self.add("the den", "hidden")
        for there, absent in (str(room), str(room ^ 1)), ("the den", "the pit"):
            for method, path, body in ROUTES:
                for token in None, "garbage":
                    found = []
                    for key in there, absent, there:
                        request = self.request(method, path.format(key), body, token)
                        respond = self.globes.respond
                        found.append(await self.steps(lambda: respond(request)))  # noqa: B023
                    # What was asked for is repeated.
                    bodies = [
                        answer.body.replace(key.encode(), b"KEY")
                        for (answer, _), key in zip(
                            found, (there, absent), strict=False
                        )
                    ]
                    self.assertEqual(bodies[0], bodies[1], path)
                    statuses = {(one.status, one.headers) for one, _ in found}
                    self.assertEqual(len(statuses), 1, path)
                    self.assertEqual(found[2][1], found[1][1], f"{method} {path}")

    async def test_one_hash_is_computed_for_either(self) -> None:
        await self.start(conceal_hidden_rooms=True)
        room = await self.add("the den", "hidden")
        for key in room, room ^ 1, "the den", "the pit":
            before = len(self.passwords.verified)
            answer = await self.ask_token(key, secret="wrong")
            self.assertEqual(answer.status, 404)
            self.assertEqual(len(self.passwords.verified), before + 1, key)


class EnumerationTests(GlobesTestCase):
    def test_no_number_and_no_word_finds_one(self) -> None:
        server = self.serve(CONCEAL)
        client = self.rest(server)
        room = client.add("the den", PASSWORD, visibility="hidden")
        open_room = client.add("open")
        # Nobody comes upon the number of one by counting.
        self.assertGreater(room, 1 << 40)
        self.assertLess(room, 1 << 53)
        self.assertEqual(open_room, 2)
        for number in range(3, 1001):
            answer = client.ask("GET", f"/chats/{number}")
            self.assertEqual(answer.fault, (404, 101, f"{number}"))
        listed = client.ask("GET", "/chats").body
        for word in b"the den", str(room).encode():
            self.assertNotIn(word, listed)
        self.assertNotIn("the den", server.log)
        self.assertNotIn(str(room), server.log)

    def test_it_takes_as_long_as_none(self) -> None:
        """Tried again, as a busy machine can make a difference, but not each time."""
        server = self.serve(CONCEAL)
        client = self.rest(server)
        room = client.add("the den", PASSWORD, visibility="hidden")
        pairs = [(str(room), str(room ^ 1)), ("the%20den", "the%20pit")]
        for there, absent in pairs:
            found = []
            for _ in range(SAMPLES):
                taken: dict[str, list[float]] = {there: [], absent: []}
                for number in range(2 * ROUNDS):
                    key = (there, absent)[number % 2]
                    began = time.perf_counter()
                    client.ask("GET", f"/chats/{key}")
                    taken[key].append(time.perf_counter() - began)
                found.append(abs(welch(taken[there], taken[absent])))
                if found[-1] < T:
                    break
            else:
                self.fail(f"{there}: t = {found}")
