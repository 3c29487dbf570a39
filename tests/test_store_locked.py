# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""A file of SQLite that others hold at the start: it may be tried again later."""

from __future__ import annotations

import contextlib
import io
import json
import sqlite3
from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from chatmux.errors import ConfigError, UnreachableError
from chatmux.store import database
from chatmux.store.sql import SQLStore
from chatmux.tap import Options, makeService

LOCKED = "store: the database cannot be reached: database is locked"


class LockedCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(database, "LOCK_SECONDS", 0.1)
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.file = self.directory / "rooms.db"

    def make_store(self) -> SQLStore:
        return SQLStore(f"sqlite:///{self.file}", reactor)

    def hold(self, how: str = "BEGIN IMMEDIATE") -> sqlite3.Connection:
        other = sqlite3.connect(self.file, timeout=0, isolation_level=None)
        self.addCleanup(other.close)
        other.execute(how)
        return other


class LockedTests(LockedCase):
    def test_one_that_was_used_before(self) -> None:
        self.make_store().prepare()
        for how in "BEGIN IMMEDIATE", "BEGIN EXCLUSIVE":
            other = self.hold(how)
            error = self.assertRaises(UnreachableError, self.make_store().prepare)
            self.assertEqual(str(error), LOCKED)
            self.assertIsNone(error.__context__)
            other.execute("ROLLBACK")
            other.close()
        self.assertEqual(list(self.make_store().prepare()), [])

    def test_one_that_is_new_and_has_no_log_yet(self) -> None:
        other = self.hold()
        error = self.assertRaises(UnreachableError, self.make_store().prepare)
        self.assertEqual(str(error), LOCKED)
        other.execute("ROLLBACK")
        self.make_store().prepare()

    def test_what_does_not_pass_is_of_no_use(self) -> None:
        (self.directory / "text").write_text("no database " * 100)
        (self.directory / "directory").mkdir()
        with sqlite3.connect(self.directory / "broken") as connection:
            connection.execute("CREATE TABLE chatmux_version (other TEXT)")
        connection.close()
        for name in "text", "directory", "broken", "a/b/c":
            self.file = self.directory / name
            error = self.assertRaises(ConfigError, self.make_store().prepare)
            self.assertNotIsInstance(error, UnreachableError)
            self.assertIn("store: the database cannot be used: ", str(error))


class OpeningTests(TestCase, LockedCase):
    async def test_opening_it_says_the_same(self) -> None:
        self.make_store().prepare()
        other = self.hold()
        with self.assertRaises(UnreachableError) as caught:
            await self.make_store().open()
        self.assertEqual(str(caught.exception), LOCKED)
        other.execute("ROLLBACK")
        store = self.make_store()
        await store.open()
        await store.close()


class StatusTests(LockedCase):
    def start(self) -> tuple[object, str]:
        """Begin to serve; return the exit status and what is said."""
        config = self.directory / "config.json"
        globes = {"address": "127.0.0.1:0"}
        store = f"sqlite:///{self.file}"
        config.write_text(json.dumps({"globes": globes, "store": store}))
        options = Options()
        options.parseOptions(["--config", str(config)])
        with contextlib.redirect_stderr(io.StringIO()) as told:
            error = self.assertRaises(SystemExit, makeService, options)
        return error.code, told.getvalue()

    def test_the_status_says_whether_trying_again_may_help(self) -> None:
        self.make_store().prepare()
        other = self.hold()
        self.assertEqual(self.start(), (1, f"chatmux: {LOCKED}\n"))
        other.execute("ROLLBACK")
        other.execute("UPDATE chatmux_version SET version = 99")
        status, words = self.start()
        self.assertEqual(status, 78)
        self.assertIn("the database was changed by a newer chatmux", words)
