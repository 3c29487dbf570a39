# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""HTTP answers as they are on the wire. Pure functions, but for the time of day."""

from __future__ import annotations

from email.utils import formatdate
from http import HTTPStatus

from chatmux.door import Answer

_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_BODILESS = frozenset((204, 304))


def answer_bytes(answer: Answer, *, head: bool, last: bool) -> bytes:
    """Make the bytes of an answer.

    Args:
        answer: Of any status; where that has no body, its body is left out.
        head: Whether HEAD was asked: the body is counted and not sent.
        last: Whether the connection is closed behind it.

    Raises:
        ValueError: A header cannot be written: it would be two, or is not Latin-1.
    """
    status, body = answer.status, answer.body
    lines = [
        f"HTTP/1.1 {status} {_PHRASES.get(status, '')}",
        *(f"{name}: {value}" for name, value in answer.headers),
        f"Date: {formatdate(usegmt=True)}",
    ]
    if status < 200 or status in _BODILESS:
        body = b""
    else:
        lines.append(f"Content-Length: {len(body)}")
    if last:
        lines.append("Connection: close")
    text = "\r\n".join(lines)
    if not len(lines) - 1 == text.count("\r") == text.count("\n"):
        raise ValueError("a line break in a header")
    return text.encode("latin-1") + b"\r\n\r\n" + (b"" if head else body)
