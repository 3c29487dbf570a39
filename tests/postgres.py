# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""A PostgreSQL server of the tests' own, in a temporary directory.

Listens on a Unix socket there and nowhere else, so nobody else's server is in the way.
"""

from __future__ import annotations

import atexit
import functools
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from tests.server import DEADLINE_SECONDS, program, waiting

PASSWORD = "s3cret/of:the@server"
QUOTED_PASSWORD = "s3cret%2Fof%3Athe%40server"


@functools.cache
def cluster() -> Cluster:
    """Return the server of this run, started for the first who asks.

    Skips the test, or fails, where PostgreSQL is not installed.
    """
    own = Cluster()
    atexit.register(own.remove)
    own.start()
    return own


class Cluster:
    """A server and its data."""

    def __init__(self) -> None:
        self._binaries = _binaries()
        self._directory = Path(tempfile.mkdtemp(prefix="chatmux-postgres-"))
        self._numbers = itertools.count(1)
        self._shared: str | None = None
        self._process: subprocess.Popen[bytes] | None = None
        # The programs refuse to run as root.
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:
            shutil.chown(self._directory, "postgres", "postgres")
            self._user = {"user": "postgres", "group": "postgres", "extra_groups": []}
        secret = self._directory / "password"
        secret.write_text(PASSWORD)
        self._run(
            "initdb",
            *("--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"),
            *("--username=chatmux", "--auth=scram-sha-256", f"--pwfile={secret}"),
            str(self._directory / "data"),
        )

    def _run(self, name: str, *arguments: str) -> None:
        subprocess.run(
            [self._binaries / name, *arguments],
            cwd=self._directory,
            stdout=subprocess.DEVNULL,
            check=True,
            **self._user,
        )

    def start(self) -> None:
        """Start the server, unless it runs; wait until it takes connections."""
        if self._process is not None:
            return
        options = {
            "unix_socket_directories": self._directory,
            "listen_addresses": "",
            # The machine does not fail while the tests run.
            "fsync": "off",
        }
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._binaries / "postgres",
                    *("-D", self._directory / "data"),
                    *(f"--{name}={value}" for name, value in options.items()),
                ],
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self._user,
            )
        for _ in waiting():
            try:
                self.execute("SELECT 1")
                return
            except psycopg.OperationalError:
                if self._process.poll() is not None:
                    break
        raise AssertionError((self._directory / "log").read_text())

    def stop(self) -> None:
        """Stop the server; its data stay. What is connected is cut."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(DEADLINE_SECONDS)
            self._process = None

    def remove(self) -> None:
        """End the server, whatever it does, and remove all of it."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(DEADLINE_SECONDS)
        shutil.rmtree(self._directory)

    def execute(self, statement: str, database: str = "postgres") -> Sequence[Any]:
        """Run a statement from outside of the code under test; return its rows."""
        with psycopg.connect(
            host=str(self._directory),
            user="chatmux",
            password=PASSWORD,
            dbname=database,
            autocommit=True,
        ) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def empty_database(self) -> str:
        """Return the name of a database with nothing in it, and empty it first.

        The same one each time, as to make one takes half a second.
        """
        if self._shared is None:
            self._shared = self.new_database()
        self.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public", self._shared)
        return self._shared

    def new_database(self, options: str = "") -> str:
        """Return the name of a new, empty database."""
        name = f"test{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} {options}")
        return name

    def url(self, database: str, password: str = QUOTED_PASSWORD) -> str:
        """Return the URL that a store is configured with."""
        where = f"chatmux:{password}@/{database}?host={self._directory}"
        return f"postgresql+psycopg://{where}"


def _binaries() -> Path:
    # Debian has them outside of the path, for each version.
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/postgres"),
        key=lambda path: int(path.parts[-3]),
    )
    return (found[-1] if found else Path(program("postgres", "postgresql"))).parent
