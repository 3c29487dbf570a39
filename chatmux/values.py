# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Values of the configuration that stand elsewhere.

Anywhere in the file, ``{"env": "NAME"}`` is the value of an environment variable, which
may also stand in a file ``.env`` beside the configuration, and ``{"file": "PATH"}`` is
what that file holds, without the newline at its end.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

from chatmux.errors import ConfigError


class Values:
    """Where such values come from.

    Args:
        directory: That of the configuration; paths are relative to it.
        environ: The environment, which goes before the file ``.env``.
    """

    def __init__(self, directory: Path, environ: Mapping[str, str]) -> None:
        self._directory = directory
        self._environ = environ
        self._dotenv: Mapping[str, str | None] | None = None

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
        return found

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
            return file.read_text().removesuffix("\n")
        except OSError as error:
            raise ConfigError(path, f"{file}: {error.strerror}") from None
        except ValueError as error:
            # No UTF-8, or a path that no file can have.
            raise ConfigError(path, f"{name!r}: {error}") from None
