# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The tables, as the code uses them now.

How a database comes to have them stands in `chatmux.store.migrations`; a test holds
the two to each other.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

METADATA = MetaData()

VERSION = Table(
    "chatmux_version",
    METADATA,
    Column("version", Integer, nullable=False),
)
"""One row."""

ROOM = Table(
    "chatmux_room",
    METADATA,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("title", Text, nullable=False),
    # A digest of what titles that read alike share, because PostgreSQL's indices do
    # not take texts of any length.
    Column("title_key", Text, nullable=False, unique=True),
    Column("description", Text, nullable=False),
    Column("visibility", Text, nullable=False),
    Column("password", Text, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("concealed", Boolean, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
)

COUNTER = Table(
    "chatmux_room_counter",
    METADATA,
    Column("last", BigInteger, nullable=False),
)
"""One row: all ids up to ``last`` were given. Whoever writes locks it first.

A counter of our own: SQLite's AUTOINCREMENT goes on behind the highest id there ever
was, PostgreSQL's sequences do not heed ids given otherwise; and an id that is asked for
may be any.
"""

REMOVED = Table(
    "chatmux_removed_room",
    METADATA,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
)
"""Ids above the counter whose rooms are gone."""

SECRET = Table(
    "chatmux_secret",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
