# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Are the packages new enough that chatmux stands on? Asked before the start.

An installer sees to it, until somebody installs another version by hand, and with it a
hole that was closed since. The floors stand in one place, the distribution's own
metadata (``install_requires`` in ``setup.cfg``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import metadata

from chatmux.errors import ConfigError

_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)\s*>=\s*([0-9.]+)")
_VERSION = re.compile(r"([0-9]+(?:\.[0-9]+)*)(\.?(?:a|b|rc|dev)[0-9]*)?")


def check_floors() -> None:
    """Refuse to go on with a package that is too old.

    Where chatmux runs from a directory, and nothing was installed, nothing is known.

    Raises:
        ConfigError: One is older than its floor, or is not there; names it.
    """
    for name, floor in floors():
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            raise ConfigError(
                name, f"is not installed: {floor} or newer is needed"
            ) from None
        if _order(found) < _order(floor):
            raise ConfigError(name, f"{found} is installed: {floor} or newer is needed")


def floors() -> Iterator[tuple[str, str]]:
    """List the packages that are needed, each with its oldest version."""
    try:
        requirements = metadata.requires("chatmux")
    except metadata.PackageNotFoundError:
        return
    for requirement in requirements or ():
        # Those of extras have a condition behind a semicolon.
        match = _REQUIREMENT.fullmatch(requirement)
        if match is not None:
            yield match[1], match[2]


def _order(version: str) -> tuple[tuple[int, ...], bool]:
    """Return what versions are compared by; one before a release is less than it."""
    match = _VERSION.match(version)
    if match is None:
        return (), False
    parts = [int(part) for part in match[1].split(".")]
    while parts and not parts[-1]:
        parts.pop()
    return tuple(parts), match[2] is None
