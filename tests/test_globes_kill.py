# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What the REST API has answered is there after the server is killed at any time."""

from __future__ import annotations

import os
import random
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPException
from pathlib import Path
from threading import Thread

from tests.globes_server import CONFIG, GLOBES, GlobesTestCase, Rest

KILLS = int(os.environ.get("CHATMUX_KILLS", "10"))
WRITERS = 4
OPEN = {**CONFIG, "globes": {**GLOBES, "open-public-rooms": True}}

State = tuple[int, str] | None
"""The id and the description of a room; None where there is none."""


class Writer:
    """Makes, changes and deletes rooms on a connection of its own.

    Attributes:
        answered: By title, what became of the room.
        asked: What may have become of one, where there was no answer.
        fault: What should not have been answered.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._count = 0
        self.answered: dict[str, State] = {}
        self.asked: tuple[str, str | None] | None = None
        self.fault: object = None

    def write(self, client: Rest) -> None:
        """Go on until there is no server."""
        try:
            for title, description, method, path, status in self._steps():
                self.asked = title, description
                wish = {"title": title, "visibility": "public"}
                wish["description"] = description or ""
                answer = client.ask(method, path, wish)
                self.asked = None
                if answer.status != status:
                    self.fault = answer.body
                    return
                self.answered[title] = (
                    None if description is None else (answer.json["id"], description)
                )
        except (OSError, HTTPException):
            pass
        finally:
            client.close()

    def _steps(self) -> Iterator[tuple[str, str | None, str, str, int]]:
        while True:
            self._count += 1
            title = f"{self._number} of {self._count}"
            yield title, "added", "POST", "/chats", 201
            yield title, "changed", "PUT", f"/chats/{title.replace(' ', '%20')}", 200
            if self._count % 2:
                room = self.answered[title]
                assert room is not None
                yield title, None, "DELETE", f"/chats/{room[0]}", 200


class KillTests(GlobesTestCase):
    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.writers = [Writer(number) for number in range(WRITERS)]
        self.ids: dict[int, str] = {}

    def kill_one(self, seconds: float) -> None:
        """Let the writers write for about `seconds`, and kill the server."""
        server = self.serve(OPEN, self.directory)
        self.look(self.rest(server))
        threads = [
            Thread(target=writer.write, args=(self.rest(server),))
            for writer in self.writers
        ]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        server.kill()
        for thread in threads:
            thread.join()
        self.assertEqual([writer.fault for writer in self.writers], [None] * WRITERS)
        with closing(sqlite3.connect(self.directory / "rooms.db")) as database:
            (sound,) = database.execute("PRAGMA integrity_check").fetchone()
        self.assertEqual(sound, "ok")

    def look(self, client: Rest) -> None:
        """Compare the rooms to what was answered, and take note of the others."""
        rooms: dict[str, State] = {
            room["title"]: (room["id"], room.get("description", ""))
            for room in client.ask("GET", "/chats").json
            if room["id"] != 1
        }
        for writer in self.writers:
            if writer.asked is not None:
                title, description = writer.asked
                found = rooms.get(title)
                before = writer.answered.get(title)
                possible = {before and before[1], description}
                self.assertIn(found and found[1], possible, title)
                if found is not None and before is not None:
                    self.assertEqual(found[0], before[0])
                writer.answered[title] = found
                writer.asked = None
        expected = {
            title: state
            for writer in self.writers
            for title, state in writer.answered.items()
        }
        there = {title: state for title, state in expected.items() if state is not None}
        self.assertEqual(rooms, there)
        for title, (number, _) in there.items():
            self.assertEqual(self.ids.setdefault(number, title), title)

    def test_what_was_answered_outlives_a_kill(self) -> None:
        seed = random.randrange(1 << 32)
        chance = random.Random(seed)
        try:
            for _ in range(KILLS):
                self.kill_one(0.02 + chance.random() * 0.2)
            server = self.serve(OPEN, self.directory)
            self.look(self.rest(server))
        except AssertionError:
            print(f"seed {seed}", file=sys.stderr)
            raise
        # Otherwise it was tried on nothing.
        self.assertGreater(sum(len(w.answered) for w in self.writers), 3 * KILLS)
