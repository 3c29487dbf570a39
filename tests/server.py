# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The server as its users run it: twistd in a process of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from unittest import SkipTest

DEADLINE_SECONDS = 30
"""For what a healthy server does at once; generous, for slow machines."""

BINARIES = Path(sys.executable).parent


class Server:
    """A running server. Ports that the configuration has as 0 are found in its log.

    Args:
        directory: Where its configuration and its log go.
        config: As the file has it; None to give no configuration.
        command: What to run before ``--config``.
        environ: What to add to the environment.
    """

    def __init__(
        self,
        directory: Path,
        config: Any = None,
        command: tuple[str, ...] = ("twistd", "-n", "--pidfile=", "chatmux"),
        environ: dict[str, str] | None = None,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.log_file = directory / "log"
        arguments = [str(BINARIES / command[0]), *command[1:]]
        if config is not None:
            (directory / "config.json").write_text(json.dumps(config))
            arguments += ["--config", "config.json"]
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                arguments,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environ or {})},
            )

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def ports(self, *keys: str) -> tuple[int, ...]:
        """Wait until the server listens for `keys`; return their ports."""
        found: dict[str, int] = {}
        for _ in waiting():
            for port, named in re.findall(r"listening on \S+:(\d+) \((.*)\)", self.log):
                found |= dict.fromkeys(named.split(", "), int(port))
            if all(key in found for key in keys):
                return tuple(found[key] for key in keys)
            if self.process.poll() is not None:
                break
        raise AssertionError(f"the server does not listen:\n{self.log}")

    def wait(self) -> int:
        """Return the exit status of a server that ends by itself."""
        return self.process.wait(DEADLINE_SECONDS)

    def stop(self) -> int:
        """Send SIGTERM; return the exit status."""
        self.process.terminate()
        return self.wait()

    def kill(self) -> None:
        """End it, whatever it does; for clean-ups."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def waiting() -> Any:
    """Yield until the deadline, with a short pause after each."""
    end = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < end:
        yield
        time.sleep(0.02)


def program(name: str, package: str) -> str:
    """Return the path of a program that a test uses.

    Where it is missing the test is skipped, with a word on how to get it; with
    CHATMUX_REQUIRE_SERVICES=1 it fails.
    """
    path = shutil.which(name)
    if path is not None:
        return path
    words = f"{name} is not here: install the package {package}"
    if os.environ.get("CHATMUX_REQUIRE_SERVICES") == "1":
        raise AssertionError(words)
    raise SkipTest(words)
