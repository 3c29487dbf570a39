# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""How databases get their tables: SQLite and PostgreSQL alike."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, inspect
from twisted.trial.unittest import SynchronousTestCase

from chatmux.errors import ConfigError, StoreError
from chatmux.store.database import Database
from chatmux.store.migrations import STEPS, migrate
from chatmux.store.schema import METADATA, SECRET
from tests.postgres import cluster

Column = tuple[str, str, bool]


def columns_of(connection: Connection) -> dict[str, list[Column]]:
    """Return name, type and nullability of all columns of all tables."""
    found = inspect(connection)
    return {
        table: [
            (column["name"], str(column["type"]), bool(column["nullable"]))
            for column in found.get_columns(table)
        ]
        for table in found.get_table_names()
    }


def keys_of(connection: Connection) -> dict[str, tuple[Any, Any]]:
    """Return primary key and unique columns of all tables."""
    found = inspect(connection)
    return {
        table: (
            found.get_pk_constraint(table)["constrained_columns"],
            [one["column_names"] for one in found.get_unique_constraints(table)],
        )
        for table in found.get_table_names()
    }


def version_of(connection: Connection) -> int:
    found = connection.exec_driver_sql("SELECT version FROM chatmux_version")
    version: int = found.scalar_one()
    return version


def one_more(connection: Connection) -> None:
    connection.exec_driver_sql("ALTER TABLE chatmux_room ADD COLUMN topic TEXT")
    connection.exec_driver_sql("UPDATE chatmux_secret SET name = 'changed'")


def broken(connection: Connection) -> None:
    connection.exec_driver_sql("CREATE TABLE chatmux_half (a TEXT)")
    connection.exec_driver_sql("INSERT INTO chatmux_half (nothing) VALUES (1)")


class MigrationContract:
    """The tests. `reach` opens the test's database, the same each time."""

    assertEqual: Any
    assertRaises: Any
    addCleanup: Any

    def reach(self) -> Database:
        raise NotImplementedError

    def state(self) -> tuple[Any, ...]:
        """Return what there is of tables and versions."""
        return self.reach().transact(
            lambda connection: (
                columns_of(connection),
                keys_of(connection),
                version_of(connection),
                connection.exec_driver_sql("SELECT * FROM chatmux_secret").all(),
            )
        )

    def keep_a_secret(self) -> None:
        self.reach().transact(
            lambda c: c.execute(insert(SECRET).values(name="kept", value=b"")).close()
        )

    def test_a_new_database_gets_what_the_code_uses(self) -> None:
        database = self.reach()
        database.prepare()
        columns, keys, version, _ = self.state()
        self.assertEqual(version, len(STEPS))

        # Made again by SQLAlchemy, and not by the steps.
        def anew(connection: Connection) -> None:
            for table in columns:
                connection.exec_driver_sql(f"DROP TABLE {table}")
            METADATA.create_all(connection)

        database.transact(anew)
        expected = database.transact(lambda c: (columns_of(c), keys_of(c)))
        self.assertEqual(columns, expected[0])
        self.assertEqual(keys, expected[1])

    def test_a_second_time_changes_nothing(self) -> None:
        self.reach().prepare()
        self.keep_a_secret()
        before = self.state()
        self.reach().prepare()
        self.assertEqual(self.state(), before)

    def test_what_is_missing_is_done_once(self) -> None:
        self.reach().prepare()
        self.keep_a_secret()
        done: list[int] = []

        def step(number: int) -> Callable[[Connection], None]:
            return lambda connection: done.append(number)

        steps = [*STEPS, one_more, step(2)]
        self.reach().transact(lambda c: migrate(c, steps))
        columns, _, version, secrets = self.state()
        self.assertEqual(columns["chatmux_room"][-1], ("topic", "TEXT", True))
        self.assertEqual(secrets, [("changed", b"")])
        self.assertEqual(version, len(steps))
        self.reach().transact(lambda c: migrate(c, [*steps, step(3)]))
        self.assertEqual(done, [2, 3])

    def test_a_newer_database_is_refused_and_left_alone(self) -> None:
        self.reach().prepare()
        self.reach().transact(lambda c: migrate(c, [*STEPS, one_more]))
        before = self.state()
        error = self.assertRaises(ConfigError, self.reach().prepare)
        self.assertEqual(
            str(error),
            "store: the database was changed by a newer chatmux: its version is"
            f" {len(STEPS) + 1}, this chatmux knows up to {len(STEPS)}",
        )
        self.assertEqual(self.state(), before)

    def test_an_upgrade_is_done_as_a_whole_or_not_at_all(self) -> None:
        self.reach().prepare()
        self.keep_a_secret()
        before = self.state()
        steps = [*STEPS, one_more, broken]
        self.assertRaises(
            StoreError, self.reach().transact, lambda c: migrate(c, steps)
        )
        self.assertEqual(self.state(), before)

    def test_a_first_time_that_fails_leaves_nothing(self) -> None:
        self.assertRaises(
            StoreError, self.reach().transact, lambda c: migrate(c, [*STEPS, broken])
        )
        tables = self.reach().transact(lambda c: inspect(c).get_table_names())
        self.assertEqual(tables, [])

    def test_nodes_that_come_at_once_wait_for_each_other(self) -> None:
        count = 8
        barrier = threading.Barrier(count)
        failed: list[Exception] = []

        def node() -> None:
            database = self.reach()
            barrier.wait()
            try:
                database.prepare()
            except Exception as error:
                failed.append(error)

        threads = [threading.Thread(target=node) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failed, [])
        self.assertEqual(self.state()[2], len(STEPS))


class SQLiteMigrationTests(SynchronousTestCase, MigrationContract):
    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        (self.directory / "chatmux.sqlite").touch()

    def reach(self) -> Database:
        database = Database(f"sqlite:///{self.directory}/chatmux.sqlite")
        self.addCleanup(database.dispose)
        return database


class PostgresMigrationTests(SynchronousTestCase, MigrationContract):
    def setUp(self) -> None:
        self.name = cluster().empty_database()

    def reach(self) -> Database:
        database = Database(cluster().url(self.name))
        self.addCleanup(database.dispose)
        return database
