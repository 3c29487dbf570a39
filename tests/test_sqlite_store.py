# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The store in a file of SQLite: the contract, and what is its own."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase, TestCase

from chatmux.errors import ConfigError, StoreError
from chatmux.store.database import Database
from chatmux.store.sql import SQLStore
from tests.store_contract import PLAIN, StoreContract, at_once, plain


class SQLiteCase(TestCase):
    timeout = 60

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.file = self.directory / "chatmux.sqlite"

    def make_store(self) -> SQLStore:
        return SQLStore(f"sqlite:///{self.file}", reactor)

    def beside(self) -> sqlite3.Connection:
        """Return a connection of the test's own."""
        connection = sqlite3.connect(self.file, timeout=0, isolation_level=None)
        self.addCleanup(connection.close)
        return connection


class SQLiteStoreTests(SQLiteCase, StoreContract):
    async def test_what_is_answered_is_on_disk(self) -> None:
        store = await self.open_store()
        pragmas = await store._transact(
            lambda connection: [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("journal_mode", "synchronous", "busy_timeout")
            ]
        )
        self.assertEqual(pragmas, ["wal", 2, 10_000])

    async def test_nobody_else_reads_the_files(self) -> None:
        self.file = self.directory / "new" / "chatmux.sqlite"
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        store = await self.open_store()
        await store.add_room(PLAIN)
        names = {path.name for path in self.file.parent.iterdir()}
        expected = {"chatmux.sqlite", "chatmux.sqlite-wal", "chatmux.sqlite-shm"}
        self.assertEqual(names, expected)
        for path in self.file.parent.iterdir():
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600, path)
        self.assertEqual(stat.S_IMODE(self.file.parent.stat().st_mode), 0o700)

    async def test_a_file_that_is_there_keeps_its_mode(self) -> None:
        self.file.touch()
        self.file.chmod(0o640)
        self.directory.chmod(0o750)
        await self.open_store()
        self.assertEqual(stat.S_IMODE(self.file.stat().st_mode), 0o640)
        self.assertEqual(stat.S_IMODE(self.directory.stat().st_mode), 0o750)

    async def test_only_the_last_directory_is_made(self) -> None:
        self.file = self.directory / "a" / "b" / "chatmux.sqlite"
        error = await self.raises(ConfigError, self.make_store().open())
        self.assertEqual(
            str(error),
            "store: the database cannot be used:"
            f" {self.file.parent}: No such file or directory",
        )

    async def test_what_cannot_be_opened_is_one_line(self) -> None:
        for name, what in (
            ("directory", lambda: self.file.mkdir()),
            ("text", lambda: self.file.write_text("no database " * 100)),
        ):
            self.file = self.directory / name
            what()
            error = await self.raises(ConfigError, self.make_store().open())
            self.assertEqual(error.path, "store")
            self.assertRegex(str(error), r"\Astore: the database cannot be used: .+\Z")

    async def test_the_file_is_found_from_any_directory(self) -> None:
        here = Path.cwd()
        self.addCleanup(os.chdir, here)
        os.chdir(self.directory)
        store = SQLStore("sqlite:///relative.sqlite", reactor)
        os.chdir(here)
        await store.open()
        await store.close()
        self.assertEqual(
            [path.name for path in self.directory.iterdir()], ["relative.sqlite"]
        )

    async def test_a_path_may_have_any_characters(self) -> None:
        self.file = self.directory / "a b#c%41&d;'\"@:e.sqlite"
        store = await self.open_store()
        await store.add_room(PLAIN)
        await store.close()
        self.assertEqual(list(self.directory.iterdir()), [self.file])

    async def test_a_close_leaves_one_file_and_no_thread(self) -> None:
        before = set(threading.enumerate())
        store = await self.open_store()
        await at_once(store.add_room(plain(f"{number}")) for number in range(10))
        self.assertEqual(len(set(threading.enumerate()) - before), 1)
        await store.close()
        self.assertEqual(set(threading.enumerate()) - before, set())
        self.assertEqual(list(self.directory.iterdir()), [self.file])

    def test_what_is_prepared_gets_over_a_fork(self) -> None:
        before = set(threading.enumerate())
        store = self.make_store()
        store.prepare()
        self.assertEqual(set(threading.enumerate()) - before, set())
        # SQLite's other files are there while a connection is.
        self.assertEqual(list(self.directory.iterdir()), [self.file])

    async def test_an_opening_that_fails_leaves_no_thread(self) -> None:
        before = set(threading.enumerate())
        self.file.write_text("no database " * 100)
        await self.raises(ConfigError, self.make_store().open())
        self.assertEqual(set(threading.enumerate()) - before, set())

    async def test_an_error_is_logged_once_and_without_values(self) -> None:
        store = await self.open_store()
        await store.add_room(plain("the title"))
        other = self.beside()
        other.execute("ALTER TABLE chatmux_room RENAME TO elsewhere")
        with capturedLogs() as events:
            error = await self.raises(StoreError, store.add_room(plain("a secret")))
        lines = [formatEvent(event) for event in events]
        self.assertEqual(
            lines, ["the store failed: OperationalError SQLITE_ERROR"], events
        )
        self.assertEqual(str(error), "OperationalError SQLITE_ERROR")
        self.assertIs(error.__context__, None)
        other.execute("ALTER TABLE elsewhere RENAME TO chatmux_room")
        self.assertEqual((await store.add_room(plain("a secret"))).id, 2)

    async def test_a_full_disk_is_an_error_and_passes(self) -> None:
        store = await self.open_store()
        limit = "PRAGMA max_page_count = 1"
        await store._transact(lambda c: c.exec_driver_sql(limit).close())
        big = plain("x" * 100_000)
        error = await self.raises(StoreError, store.add_room(big))
        self.assertIn("SQLITE_FULL", str(error))
        # The connection was thrown away, and the limit with it.
        self.assertEqual((await store.add_room(big)).id, 1)

    async def test_it_waits_for_another_process(self) -> None:
        store = await self.open_store()
        other = self.beside()
        other.execute("BEGIN IMMEDIATE")
        adding = Deferred.fromCoroutine(store.add_room(PLAIN))
        await deferLater(reactor, 0.1)
        self.assertFalse(adding.called)
        other.execute("ROLLBACK")
        self.assertEqual((await adding).id, 1)

    async def test_the_first_opening_waits_for_another_process_too(self) -> None:
        other = self.beside()
        other.execute("CREATE TABLE t (a)")
        # Of all locks the one at which SQLite does not wait to change the journal.
        other.execute("BEGIN IMMEDIATE")
        store = self.make_store()
        self.addCleanup(store.close)
        opening = Deferred.fromCoroutine(store.open())
        await deferLater(reactor, 0.1)
        self.assertFalse(opening.called)
        other.execute("ROLLBACK")
        await opening

    async def test_a_process_that_forgets_the_close_ends(self) -> None:
        program = (
            "import sys\n"
            "from twisted.internet import reactor\n"
            "from twisted.internet.defer import Deferred\n"
            "from chatmux.store.sql import SQLStore\n"
            "opening = Deferred.fromCoroutine(SQLStore(sys.argv[1], reactor).open())\n"
            "opening.addBoth(lambda result: (print(result), reactor.stop()))\n"
            "reactor.run()\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, f"sqlite:///{self.file}"],
            capture_output=True,
            timeout=30,
        )
        self.assertEqual((done.returncode, done.stdout), (0, b"None\n"), done.stderr)


class URLTests(SynchronousTestCase):
    def test_a_url_has_to_be_one_of_two_forms(self) -> None:
        for text in (
            "",
            "chatmux.sqlite",
            "mysql://u:pw@h/d",
            "sqlite+aiosqlite:///x",
            "postgresql+psycopg2://u:pw@h/d",
            "postgresql://u:pw@h:port/d",
            "nope://u:pw@h/d",
            "sqlite:///\ud800",
        ):
            error = self.assertRaises(ConfigError, Database, text)
            self.assertEqual(
                str(error),
                "store: should be sqlite:///FILE or"
                " postgresql+psycopg://USER:PASSWORD@HOST/DATABASE",
            )

    def test_a_file_of_sqlite_is_a_file_and_no_more(self) -> None:
        for text in (
            "sqlite://",
            "sqlite:///",
            "sqlite:///:memory:",
            "sqlite://host/file",
            "sqlite:///file?mode=ro",
            "sqlite:///file::memory:?uri=true",
        ):
            error = self.assertRaises(ConfigError, Database, text)
            self.assertEqual(
                str(error), "store: should be sqlite:///FILE, without anything else"
            )

    def test_a_nul_is_refused(self) -> None:
        for text in "sqlite:///a\0b", "postgresql+psycopg://u:pw@h/a\0b":
            error = self.assertRaises(ConfigError, Database, text)
            self.assertEqual(str(error), "store: has a NUL in it")

    def test_psycopg_is_asked_for_by_postgresql_alone(self) -> None:
        program = (
            "import sys\n"
            "sys.modules['psycopg'] = None\n"
            "from chatmux.errors import ConfigError\n"
            "from chatmux.store.sql import SQLStore\n"
            "SQLStore('sqlite:///' + sys.argv[1], None).prepare()\n"
            "try:\n"
            "    SQLStore('postgresql+psycopg://u:pw@h/d', None)\n"
            "except ConfigError as error:\n"
            "    print(error.path, error, sep='|')\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, self.mktemp()], capture_output=True
        )
        self.assertEqual(
            done.stdout,
            b"store|store: PostgreSQL needs a driver: pip install chatmux[postgres]\n",
            done.stderr,
        )
