# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""HTTP refusals as Go's standard and WebSocket libraries word them.

multichat and MaChat were written on those; their clients may show or match the text.
"""

from __future__ import annotations

from http import HTTPStatus

from chatmux.door import Refusal

_ERROR_HEADERS = (
    ("Content-Type", "text/plain; charset=utf-8"),
    ("X-Content-Type-Options", "nosniff"),
)


def upgrade_refusal(status: int, more: str = "") -> Refusal:
    """Refuse to upgrade a connection to WebSocket.

    Args:
        status: The HTTP status; 404 is what is said of a path that is not served.
        more: What the body goes on with after the status' words and a newline.
    """
    if status == HTTPStatus.NOT_FOUND:
        return Refusal(status, b"404 page not found\n", _ERROR_HEADERS)
    body = f"{HTTPStatus(status).phrase}\n{more}"
    headers = (*_ERROR_HEADERS, ("Sec-Websocket-Version", "13"))
    return Refusal(status, body.encode(), headers)
