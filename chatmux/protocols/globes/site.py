# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The page for people: its files, and the addresses that lead to it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

import msgspec

from chatmux.door import Answer, Request
from chatmux.model import Asset
from chatmux.protocols.globes import faults
from chatmux.protocols.globes.faults import JSON

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

PAGE = "index.html"
_FOLDER = "/web/"
_OLD = re.compile("/chats/([^/]+)/(?:entrance|chatbox)")
"""Where the original had its pages."""


class Site:
    """Answers for the page.

    Args:
        assets: Its files, by their paths; without any there is no page.
        event_bytes: The longest event that a client may send, which the page asks for.
    """

    def __init__(self, assets: Mapping[str, Asset], event_bytes: int) -> None:
        self._assets = assets
        limits = msgspec.json.encode({"event_bytes": event_bytes})
        revalidated = ("Cache-Control", "no-cache")
        self._limits = Answer(200, limits, (*JSON, revalidated, *SECURITY))

    def respond(self, request: Request) -> Answer | None:
        """Answer a request; None where it is for something else."""
        answer = self._answer(request)
        if answer is not None and request.method != "GET":
            return faults.no_method(["GET"])
        return answer

    def _answer(self, request: Request) -> Answer | None:
        if PAGE not in self._assets:
            return None
        path = request.path
        old = _OLD.fullmatch(path)
        if old is not None:
            room = quote(unquote(old[1]), safe="")
            return Answer(302, b"", (("Location", f"/#/room/{room}"), *SECURITY))
        if path == f"{_FOLDER}limits.json":
            return self._limits
        name = PAGE if path == "/" else path.removeprefix(_FOLDER)
        asset = self._assets.get(name)
        if asset is None or (name == path and path != "/"):
            return None
        return _file(asset, request.headers.get("if-none-match", ""))


def _file(asset: Asset, known: str) -> Answer:
    """Answer with a file, unless the browser has it already."""
    # Asked for every time, so that no page is made of files of two versions.
    headers = (("ETag", asset.tag), ("Cache-Control", "no-cache"), *SECURITY)
    tags = [one.strip().removeprefix("W/") for one in known.split(",")]
    if asset.tag in tags or "*" in tags:
        return Answer(304, b"", headers)
    return Answer(200, asset.body, (("Content-Type", asset.content_type), *headers))
