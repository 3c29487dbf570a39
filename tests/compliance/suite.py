# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The suite's program, which is for CPython 2.7: where it is, and how it is run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

VARIABLE = "CHATMUX_PYTHON27"
NONE_FOUND = (
    "NOT TESTED: the Autobahn|Testsuite needs CPython 2.7, and there is none in PATH, "
    f"among pyenv's versions or in {VARIABLE}"
)
_ROOT = Path(__file__).resolve().parent.parent.parent
_PLACE = _ROOT / ".venv-27"
_SUITE = "autobahntestsuite==25.10.1"
_MOST_SECONDS = 600
_ASK = "from platform import *; print(python_implementation() + python_version())"


def candidates(environ: dict[str, str]) -> Iterator[str]:
    """Yield what may be a Python 2.7."""
    found = shutil.which("python2.7", path=environ.get("PATH"))
    if found is not None:
        yield found
    home = environ.get("PYENV_ROOT") or str(Path(environ.get("HOME", "/"), ".pyenv"))
    for one in sorted(Path(home, "versions").glob("2.7*/bin/python2.7"), reverse=True):
        yield str(one)
    if environ.get(VARIABLE):
        yield environ[VARIABLE]


def find_python(environ: dict[str, str] | None = None) -> str | None:
    """Return the first that is one: pyenv's stand-ins often do not run."""
    for one in candidates(dict(os.environ) if environ is None else environ):
        try:
            asked = subprocess.run(
                [one, "-c", _ASK], capture_output=True, text=True, check=False
            )
        except OSError:
            continue
        if asked.stdout.startswith("CPython2.7."):
            return one
    return None


def install(python: str) -> Path:
    """Make the environment, if it is not there, and return the program.

    Raises:
        subprocess.CalledProcessError: It cannot be installed.
    """
    program = _PLACE / "suite" / "bin" / "wstest"
    ready = _PLACE / "ready"
    if ready.exists():
        return program
    shutil.rmtree(_PLACE, ignore_errors=True)
    made, suite = _PLACE / "virtualenv", _PLACE / "suite"
    pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in (
        [sys.executable, "-m", "venv", str(made)],
        # The last that can make one for 2.7.
        [str(made / "bin" / "python"), *pip, "virtualenv<20.22"],
        [str(made / "bin" / "virtualenv"), "--quiet", "-p", python, str(suite)],
        [str(suite / "bin" / "python"), "-W", "ignore", *pip, _SUITE],
    ):
        subprocess.run(command, check=True)
    ready.touch()
    return program


def run(program: Path, agent: str, url: str, directory: Path) -> dict[str, Any]:
    """Run the suite, and return its report; an empty one if there is none."""
    directory.mkdir(parents=True, exist_ok=True)
    spec = {
        "outdir": str(directory),
        "servers": [{"agent": agent, "url": url}],
        "cases": ["*"],
        "exclude-cases": ["12.*", "13.*"],
        "exclude-agent-cases": {},
    }
    (directory / "spec.json").write_text(json.dumps(spec))
    with (directory / "output").open("wb") as output:
        subprocess.run(
            [str(program), "-m", "fuzzingclient", "-s", str(directory / "spec.json")],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=directory,
            timeout=_MOST_SECONDS,
            check=False,
        )
    try:
        index: dict[str, Any] = json.loads((directory / "index.json").read_text())
    except FileNotFoundError:
        return {}
    return index
