# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Values of the configuration that stand elsewhere.

Anywhere in the file, ``{"env": "NAME"}`` is the value of an environment variable, which
may also stand in a file ``.env`` beside the configuration, and ``{"file": "PATH"}`` is
what that file holds, without the newline at its end; it has to be one that other users
of the machine can neither read nor change.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence, Set
from pathlib import Path

from dotenv import dotenv_values

from chatmux.errors import ConfigError

READABLE_BY_OTHERS = 0o004
NOT_PRIVATE = READABLE_BY_OTHERS | 0o022
"""Bits of the mode. The group may read: so a service gets at files of root's."""


class Values:
    """Where such values come from.

    Args:
        directory: That of the configuration; paths are relative to it.
        environ: The environment, which goes before the file ``.env``.
    """

    private = True
    """Whether files have to be."""

    def __init__(self, directory: Path, environ: Mapping[str, str]) -> None:
        self._directory = directory
        self._environ = environ
        self._dotenv: Mapping[str, str | None] | None = None
        self._of_dotenv: set[str] = set()
        """Keys whose values stood there."""

    def resolve(self, raw: dict[str, object]) -> dict[str, object]:
        """Return a decoded file with all such values filled in.

        Raises:
            ConfigError: One is not to be had; names its key's path.
        """
        return {key: self._resolved(value, key) for key, value in raw.items()}

    def _resolved(self, value: object, path: str) -> object:
        match value:
            case {"env": str(name), **others} if not others:
                return self._known(name, path)
            case {"file": str(name), **others} if not others:
                return self._from_file(name, path)
            case dict():
                return {k: self._resolved(v, f"{path}.{k}") for k, v in value.items()}
            case list():
                return [self._resolved(v, f"{path}[{i}]") for i, v in enumerate(value)]
        return value

    def from_environment(self, name: str, path: str) -> str | None:
        """Return the value of an environment variable, None where there is none.

        Raises:
            ConfigError: The file ``.env`` cannot be read; begins with `path`.
        """
        found = self._environ.get(name)
        if found is None:
            if self._dotenv is None:
                self._dotenv = self._read_dotenv(path)
            found = self._dotenv.get(name)
            if found is not None:
                self._of_dotenv.add(path.lower())
        return found

    def warnings(self, secrets: Set[str]) -> tuple[str, ...]:
        """Say whether others can read the file ``.env``, with one of `secrets` in it.

        Args:
            secrets: Paths of keys, in lower case.
        """
        taken = sorted(self._of_dotenv & secrets)
        return written_where_others_read(self._directory / ".env", taken)

    def _known(self, name: str, path: str) -> str:
        found = self.from_environment(name, path)
        if found is None:
            raise ConfigError(path, f"there is no environment variable {name}")
        return found

    def _read_dotenv(self, path: str) -> Mapping[str, str | None]:
        file = self._directory / ".env"
        if not file.exists():
            return {}
        try:
            return dotenv_values(file, interpolate=False)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(path, f"{file} cannot be read: {error}") from None

    def _from_file(self, name: str, path: str) -> str:
        file = self._directory / name
        try:
            with file.open() as stream:
                mode = os.fstat(stream.fileno()).st_mode
                if self.private and mode & NOT_PRIVATE:
                    raise ConfigError(
                        path,
                        f"{file}: other users can read or change it: chmod 600 or 640"
                        ' (or "private-files": false)',
                    )
                return stream.read().removesuffix("\n")
        except OSError as error:
            raise ConfigError(path, f"{file}: {error.strerror}") from None
        except ValueError as error:
            # No UTF-8, or a path that no file can have.
            raise ConfigError(path, f"{name!r}: {error}") from None


def readable_by_others(file: str | Path) -> bool:
    """Say whether other users of the machine can read a file, if it is there."""
    try:
        return bool(os.stat(file).st_mode & READABLE_BY_OTHERS)
    except (OSError, ValueError):
        return False


def written_where_others_read(file: Path, keys: Sequence[str]) -> tuple[str, ...]:
    """Warn, if other users can read a file with these secrets in it."""
    if not keys or not readable_by_others(file):
        return ()
    return (f"{file}: other users can read it, with {', '.join(keys)} in it",)
