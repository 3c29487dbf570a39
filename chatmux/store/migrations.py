# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""How a database gets the tables of `chatmux.store.schema`.

Numbered steps that never change once they were released: a new version of the schema
is a new step at the end. They are plain SQL and use nothing of `schema`, which changes.
All that are missing run in one transaction, in which both databases can undo what was
done to tables.

Not Alembic: it does not lock either, needs the same care for SQLite's transactions, and
writes no step for us that is worth its three further packages; five tables do not
branch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, inspect

from chatmux.errors import ConfigError

LOCK = 0x63686174_6D757800
"""Number of PostgreSQL's advisory lock for this: "chatmux" in ASCII."""


def _first(connection: Connection) -> None:
    binary = "BYTEA" if connection.dialect.name == "postgresql" else "BLOB"
    for statement in (
        """CREATE TABLE chatmux_room (
            id BIGINT NOT NULL PRIMARY KEY,
            title TEXT NOT NULL,
            title_key TEXT NOT NULL UNIQUE,
            description TEXT NOT NULL,
            visibility TEXT NOT NULL,
            password TEXT NOT NULL,
            generation BIGINT NOT NULL,
            concealed BOOLEAN NOT NULL,
            created BIGINT NOT NULL,
            updated BIGINT NOT NULL
        )""",
        "CREATE TABLE chatmux_room_counter (last BIGINT NOT NULL)",
        "INSERT INTO chatmux_room_counter (last) VALUES (0)",
        "CREATE TABLE chatmux_removed_room (id BIGINT NOT NULL PRIMARY KEY)",
        f"""CREATE TABLE chatmux_secret (
            name TEXT NOT NULL PRIMARY KEY,
            value {binary} NOT NULL
        )""",
    ):
        connection.exec_driver_sql(statement)


Step = Callable[[Connection], None]

STEPS: Sequence[Step] = (_first,)
"""The step at index n makes version n + 1 of version n."""


def migrate(connection: Connection, steps: Sequence[Step] = STEPS) -> None:
    """Bring the schema up to the last of `steps`, within the caller's transaction.

    Nodes that come at the same time wait for each other, if the transaction of SQLite
    has begun as one that writes.

    Raises:
        ConfigError: A newer chatmux was here before.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
    # Asked and not `IF NOT EXISTS`, for which PostgreSQL wants the right to create even
    # where there is nothing left to do.
    if not inspect(connection).has_table("chatmux_version"):
        connection.exec_driver_sql(
            "CREATE TABLE chatmux_version (version INTEGER NOT NULL)"
        )
        connection.exec_driver_sql("INSERT INTO chatmux_version (version) VALUES (0)")
    found = connection.exec_driver_sql("SELECT version FROM chatmux_version")
    version = found.scalar_one()
    if version > len(steps):
        raise ConfigError(
            "store",
            f"the database was changed by a newer chatmux: its version is {version},"
            f" this chatmux knows up to {len(steps)}",
        )
    for step in steps[version:]:
        step(connection)
    if version < len(steps):
        connection.exec_driver_sql(
            f"UPDATE chatmux_version SET version = {len(steps):d}"
        )
