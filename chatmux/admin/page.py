# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The operator's page: which of the files for browsers it is made of. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from chatmux.door import Answer, Request
from chatmux.model import Asset

SECURITY = (
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        " img-src 'self' data:; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
)
"""The headers of everything that a browser shows or runs."""

_FOLDER = "/web/"
_SHARED = ("base.css", "chat/dom.js", "icon.svg")
"""What it has in common with the page for people."""

Page: TypeAlias = Mapping[str, Asset]
"""Its files, by the paths of their addresses."""


def page_of(assets: Mapping[str, Asset]) -> Page:
    """Choose the page's files of all that there are for browsers."""
    own = {
        _FOLDER + path: asset
        for path, asset in assets.items()
        if path in _SHARED or path.startswith("admin/")
    }
    index = own.pop(f"{_FOLDER}admin/index.html", None)
    return own if index is None else {"/": index, **own}


def answer_with(asset: Asset, request: Request) -> Answer:
    """Answer with a file, unless the browser has it already."""
    # Asked for every time, so that no page is made of files of two versions.
    headers = (("ETag", asset.tag), ("Cache-Control", "no-cache"), *SECURITY)
    known = request.headers.get("if-none-match", "").split(",")
    if asset.tag in [one.strip().removeprefix("W/") for one in known]:
        return Answer(304, b"", headers)
    return Answer(200, asset.body, (("Content-Type", asset.content_type), *headers))
