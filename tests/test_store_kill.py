# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What was answered is there, when the process is killed at any time."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.server import waiting

KILLS = 50
LIFE = ("", "added", "changed", "removed")
"""What becomes of a room, by the number of steps that were done."""


class Journal:
    """What the writers have asked for and were answered.

    Attributes:
        asked: By title, how many steps of `LIFE`.
        answered: Likewise.
        ids: By title, of what was answered.
    """

    def __init__(self, path: Path) -> None:
        self.asked: dict[str, int] = {}
        self.answered: dict[str, int] = {}
        self.ids: dict[str, int] = {}
        for line in path.read_bytes().splitlines():
            what, title, step, *room_id = json.loads(line)
            if what == "asked":
                self.asked[title] = LIFE.index(step)
            else:
                self.answered[title] = LIFE.index(step)
                (self.ids[title],) = room_id


class KillTests(SynchronousTestCase):
    def setUp(self) -> None:
        directory = Path(self.mktemp()).absolute()
        directory.mkdir()
        self.file = directory / "chatmux.sqlite"
        self.journal = directory / "journal"
        self.journal.touch()
        self.program = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.store_writer"),
                *(f"sqlite:///{self.file}", str(self.journal)),
            ],
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self.addCleanup(self.end)

    def end(self) -> None:
        assert self.program.stdin is not None
        assert self.program.stdout is not None
        self.program.stdin.close()
        self.program.wait(10)
        self.program.stdout.close()

    def kill_one(self, turn: int, seconds: float) -> None:
        """Let a writer write for about `seconds`, and kill it."""
        assert self.program.stdin is not None
        assert self.program.stdout is not None
        before = self.journal.stat().st_size
        self.program.stdin.write(b"%d\n" % turn)
        pid = int(self.program.stdout.readline())
        for _ in waiting():
            if self.journal.stat().st_size > before:
                break
        time.sleep(seconds)
        os.kill(pid, signal.SIGKILL)
        status = int(self.program.stdout.readline())
        self.assertEqual(status, -signal.SIGKILL, "the writer ended by itself")

    def look(self) -> int:
        """Compare the database to the journal; return how many steps were answered."""
        connection = sqlite3.connect(self.file)
        try:
            (sound,) = connection.execute("PRAGMA integrity_check").fetchone()
            self.assertEqual(sound, "ok")
            query = "SELECT title, id, description FROM chatmux_room"
            rooms = {title: rest for title, *rest in connection.execute(query)}
            (last,) = connection.execute("SELECT * FROM chatmux_room_counter")
        finally:
            connection.close()
        journal = Journal(self.journal)
        self.assertLessEqual(rooms.keys(), journal.asked.keys())
        for title, asked in journal.asked.items():
            answered = journal.answered.get(title, 0)
            room_id, found = rooms.get(title, (None, ""))
            possible = {LIFE[step].replace("removed", "") for step in (answered, asked)}
            self.assertIn(found, possible, title)
            if found and answered:
                self.assertEqual(room_id, journal.ids[title], title)
        given = sorted(journal.ids.values())
        self.assertEqual(len(given), len(set(given)), "an id has come back")
        self.assertGreaterEqual(last[0], max(given, default=0))
        return sum(journal.answered.values())

    def test_what_was_answered_outlives_a_kill(self) -> None:
        seed = random.randrange(1 << 32)
        chance = random.Random(seed)
        answered = 0
        try:
            for turn in range(KILLS):
                self.kill_one(turn, chance.random() * 0.1)
                answered = self.look()
        except AssertionError:
            print(f"seed {seed}", file=sys.stderr)
            raise
        # Otherwise it was tried on nothing.
        self.assertGreater(answered, KILLS)
