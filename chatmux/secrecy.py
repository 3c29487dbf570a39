# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Which keys of the configuration are secrets, and who can read where they stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

import msgspec

from chatmux.settings import Secret, Settings, TLSFiles
from chatmux.values import readable_by_others, written_where_others_read

_STORE = "store"
"""Beside the sections: a URL, with a password in it perhaps."""


def secret_keys(sections: Mapping[str, type[Settings]]) -> frozenset[str]:
    """Return the paths of all keys that are secrets."""
    found = {
        f"{name}.{field.encode_name}"
        for name, section in sections.items()
        for field in msgspec.structs.fields(section)
        if Secret in (field.type, *get_args(field.type))
    }
    return frozenset((_STORE, *found))


def written_secrets(
    file: Path, raw: Mapping[str, object], sections: Mapping[str, type[Settings]]
) -> tuple[str, ...]:
    """Warn, if secrets stand in a configuration that other users can read.

    Args:
        file: The configuration.
        raw: It, as decoded.
        sections: The protocols'.
    """
    secrets = secret_keys(sections)
    written = [
        path
        for path, value in _values(raw)
        if path in secrets and isinstance(value, str)
        if path != _STORE or _has_password(value)
    ]
    return written_where_others_read(file, written)


def shared_keys(sections: Mapping[str, Settings]) -> Iterator[str]:
    """Warn of each private key of TLS that other users can read."""
    for name, section in sections.items():
        for path, keyfile in _keyfiles(section, name):
            if readable_by_others(keyfile):
                yield f"{path}: other users can read {keyfile}"


def _values(raw: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for name, value in raw.items():
        yield name.lower(), value
        if isinstance(value, dict):
            for key, inner in value.items():
                yield f"{name}.{key}".lower(), inner


def _has_password(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "@" in url
    return bool(parts.password) or "password=" in parts.query


def _keyfiles(section: Settings, path: str) -> Iterator[tuple[str, str]]:
    for field in msgspec.structs.fields(type(section)):
        value: Any = getattr(section, field.name)
        at = f"{path}.{field.encode_name}"
        if isinstance(value, TLSFiles):
            yield from _keyfiles(value, at)
        elif field.name == "keyfile" and isinstance(value, str):
            yield at, value
