# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The files of the page, served as they lie here: no build, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType

from chatmux.model import Asset

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""What is served of this directory; all else is not."""


def load() -> Mapping[str, Asset]:
    """Read all files, by their paths below this directory. Blocks."""
    found: dict[str, Asset] = {}
    _gather(files(__name__), "", found)
    return MappingProxyType(found)


def _gather(directory: Traversable, path: str, found: dict[str, Asset]) -> None:
    for entry in directory.iterdir():
        name = path + entry.name
        if entry.is_dir():
            _gather(entry, f"{name}/", found)
            continue
        content_type = _TYPES.get(name[name.rfind(".") :])
        if content_type is not None:
            body = entry.read_bytes()
            tag = f'"{sha256(body).hexdigest()[:32]}"'
            found[name] = Asset(body, content_type, tag)
