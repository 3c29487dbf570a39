# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Reaching a SQL database by its URL, and what differs between SQLite and PostgreSQL.

Blocks, so it belongs on a thread. Must never show the URL's password, nor a value of a
row: what a database says of an error may hold either.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from chatmux.errors import ConfigError, StoreError, UnreachableError
from chatmux.store.migrations import migrate

KEY = "store"
"""Of the configuration, for its errors."""

POSTGRES_THREADS = 4
LOCK_SECONDS = 10
STATEMENT_SECONDS = 30

_SQLITE = "sqlite:///"
_FORMS = "should be sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"

_POSTGRES_OPTIONS = {
    "client_encoding": "utf8",
    "connect_timeout": 5,
    # Of a server that is gone without a word, within 20 seconds or so.
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    # Statements prepared by psycopg get lost behind a pooler like PgBouncer.
    "prepare_threshold": None,
}

_POSTGRES_BEGIN = f"""SELECT
    set_config('lock_timeout', '{LOCK_SECONDS}s', true),
    set_config('statement_timeout', '{STATEMENT_SECONDS}s', true),
    set_config('idle_in_transaction_session_timeout', '{STATEMENT_SECONDS}s', true),
    set_config('synchronous_commit', CASE current_setting('synchronous_commit')
        WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true)"""
"""For the transaction alone, so that it holds behind a pooler too. A server may be set
up to acknowledge what is not on disk yet, which is not for us."""

_T = TypeVar("_T")


class Database:
    """A database that is configured. Reached as needed; to be disposed of at the end.

    Args:
        text: The URL.

    Raises:
        ConfigError: It is none of a database that can be used here.
    """

    threads: int
    """How many may use it at once."""

    def __init__(self, text: str) -> None:
        try:
            text.encode()
            url = make_url(text)
        except (SQLAlchemyError, ValueError):
            raise ConfigError(KEY, _FORMS) from None
        if "\0" in text:
            raise ConfigError(KEY, "has a NUL in it")
        self._url = url
        self._path: Path | None = None
        if url.drivername == "sqlite":
            self._path = _path(text)
            self.threads = 1
            self._reached = _sqlite(self._path)
        elif url.drivername in ("postgresql", "postgresql+psycopg"):
            if text.count("@") > 1:
                # What follows the first would be taken for the host, and be shown.
                raise ConfigError(KEY, "has more than one @: write %40 in a password")
            self.threads = POSTGRES_THREADS
            self._reached = _postgres(url.set(drivername="postgresql+psycopg"))
        else:
            raise ConfigError(KEY, _FORMS)

    def prepare(self) -> None:
        """Reach the database for the first time, and bring its schema up.

        Raises:
            UnreachableError: A server cannot be reached, or lets nobody in; others do
                not let go of a file.
            ConfigError: It cannot be used.
        """
        unreachable = False
        try:
            if self._path is not None:
                _make_file(self._path)
            with self._reached.begin() as connection:
                _check_encoding(connection)
                migrate(connection)
            return
        except OSError as error:
            why = f"{error.filename}: {error.strerror}"
        except SQLAlchemyError as error:
            why = self._own_words(error)
            unreachable = isinstance(error, OperationalError) and (
                self._path is None or _is_busy(error.orig)
            )
        # Outside of the `except`, so that nobody is shown what came before.
        if unreachable:
            raise UnreachableError(KEY, f"the database cannot be reached: {why}")
        raise ConfigError(KEY, f"the database cannot be used: {why}")

    def transact(self, work: Callable[[Connection], _T]) -> _T:
        """Call `work` within a transaction; return when it is on disk.

        If anything raises, nothing was done; but after `StoreError` it may have been.
        """
        try:
            with self._reached.connect() as connection:
                try:
                    with connection.begin():
                        return work(connection)
                except SQLAlchemyError:
                    connection.invalidate()
                    raise
        except SQLAlchemyError as error:
            why = self._code(error)
        raise StoreError(why)

    def dispose(self) -> None:
        """Close what is open. The next call opens it again."""
        self._reached.dispose()

    def _own_words(self, error: SQLAlchemyError) -> str:
        """Return what the database says of `error`, on one line."""
        said = error.orig if isinstance(error, DBAPIError) else None
        words = " ".join(str(said or type(error).__name__).split())
        for hidden in (self._url.password, self._url.query.get("password")):
            if hidden and str(hidden) in words:
                return type(said).__name__
        return words

    def _code(self, error: SQLAlchemyError) -> str:
        """Return the kind of `error`, without the values that it may be about."""
        said = error.orig if isinstance(error, DBAPIError) else None
        code = getattr(said, "sqlite_errorname", None) or getattr(
            said, "sqlstate", None
        )
        if said is not None and code is None:
            # The driver's own, about the connection.
            return self._own_words(error)
        return f"{type(said or error).__name__} {code or ''}".rstrip()


def _path(text: str) -> Path:
    # Not by SQLAlchemy, whose versions differ in what they make of a %.
    form, file = text[: len(_SQLITE)], text[len(_SQLITE) :]
    if form != _SQLITE or file in ("", ":memory:") or "?" in file:
        raise ConfigError(KEY, "should be sqlite:///FILE, without anything else")
    # Found again from any directory that the process changes to.
    return Path(os.path.realpath(file))


def _make_file(path: Path) -> None:
    """Make a file for nobody else, as it will hold hashes and keys.

    SQLite gives the files that it makes beside it the same mode.
    """
    path.parent.mkdir(0o700, exist_ok=True)
    try:
        # Only a new file is ever opened here: the closing of any descriptor of a
        # file ends the locks that SQLite has on it in this process.
        made = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return
    os.close(made)
    directory = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _sqlite(path: Path) -> Engine:
    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode=rw",
            uri=True,
            timeout=LOCK_SECONDS,
            # No transactions of the driver's own making: it begins them late, and
            # none for a change of tables.
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            _make_durable(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    reached = create_engine(
        URL.create("sqlite", database=str(path)),
        creator=connect,
        hide_parameters=True,
        pool_size=1,
        max_overflow=0,
    )
    # As one that writes from the start: it then waits for others, while one that
    # begins to write later fails.
    _at_begin(reached, "BEGIN IMMEDIATE")
    return reached


def _make_durable(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA synchronous = FULL")
    mode = _write_ahead(connection)
    (level,) = connection.execute("PRAGMA synchronous").fetchone()
    if (mode, level) != ("wal", 2):
        raise sqlite3.OperationalError(
            f"it does not keep what it is told: {mode}, synchronous={level}"
        )


def _write_ahead(connection: sqlite3.Connection) -> str:
    """Ask for the write-ahead log, which stays; return the journal that there is."""
    end = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            # SQLite does not wait for others by itself here.
            if not _is_busy(error) or time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return str(mode)


def _is_busy(error: BaseException | None) -> bool:
    """Say whether it is for others, who hold a file of SQLite."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF == sqlite3.SQLITE_BUSY


def _postgres(url: URL) -> Engine:
    own = {
        key: value for key, value in _POSTGRES_OPTIONS.items() if key not in url.query
    }
    try:
        reached = create_engine(
            url,
            connect_args=own,
            hide_parameters=True,
            isolation_level="READ COMMITTED",
            pool_size=POSTGRES_THREADS,
            max_overflow=0,
            pool_pre_ping=True,
        )
    except ImportError:
        raise ConfigError(
            KEY, "PostgreSQL needs a driver: pip install chatmux[postgres]"
        ) from None
    _at_begin(reached, _POSTGRES_BEGIN)
    return reached


def _at_begin(reached: Engine, statement: str) -> None:
    def begin(connection: Any) -> None:
        connection.exec_driver_sql(statement)

    event.listen(reached, "begin", begin)


def _check_encoding(connection: Connection) -> None:
    if connection.dialect.name != "postgresql":
        return
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding != "UTF8":
        raise ConfigError(KEY, f"the database's encoding is {encoding}, not UTF8")
