# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What can be wrong with a request, as the original numbers it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

import msgspec

from chatmux.door import Answer

JSON = (("Content-Type", "application/json"),)
PLAIN = (
    ("Content-Type", "text/plain; charset=utf-8"),
    ("X-Content-Type-Options", "nosniff"),
)

NO_PAGE = Answer(404, b"404 page not found\n", PLAIN)


class FaultError(Exception):
    """A request cannot be done. Raised to be answered.

    Args:
        status: Of HTTP.
        code: The original's own.
        words: Its words for the code.
        field: What of the request is at fault; empty for none.
        headers: Of the answer.
        before: What stands before the JSON.
    """

    def __init__(
        self,
        status: int,
        code: int,
        words: str,
        field: str = "",
        headers: tuple[tuple[str, str], ...] = JSON,
        before: bytes = b"",
    ) -> None:
        super().__init__(words)
        error = {"code": code, "error": words, "field": field}
        if not field:
            del error["field"]
        body = msgspec.json.encode({"status": False, "error": error})
        self.answer = Answer(status, before + body, headers)


def not_found(key: str) -> FaultError:
    """There is no such room; `key` is what was asked for."""
    return FaultError(404, 101, "Room error: Room not found", key)


def duplicate() -> FaultError:
    """The title is another room's."""
    return FaultError(400, 102, "Room error: Duplicate room", "title")


def no_json() -> FaultError:
    """The body is not the JSON that it should be."""
    return FaultError(400, 103, "Room error: Invalid JSON")


def content(field: str) -> FaultError:
    """A field of a room is not as it has to be."""
    return FaultError(400, 105, "Room error: Invalid content", field)


def no_session() -> FaultError:
    """A WebSocket's address was asked for without a handshake."""
    return FaultError(
        400, 301, "Could not establish session", before=b"Bad Request\n", headers=PLAIN
    )


def no_name() -> FaultError:
    """The password is right, but a name is missing."""
    return FaultError(400, 303, "Invalid JSON", "name")


def unauthorized() -> FaultError:
    """The password is wrong or missing."""
    return FaultError(401, 304, "Unauthorized operation", "secret")


def too_many_tries(seconds: int) -> FaultError:
    """There were too many wrong passwords; `seconds` until the next is looked at."""
    retry = (*JSON, ("Retry-After", str(seconds)))
    return FaultError(429, 304, "Unauthorized operation", "secret", retry)


def too_many_guesses(seconds: int) -> FaultError:
    """Too many wrong admin tokens; `seconds` until the next is looked at."""
    retry = (*JSON, ("Retry-After", str(seconds)))
    return FaultError(429, 403, "Token error: Invalid token", "token", retry)


def bad_token() -> FaultError:
    """The token is missing, wrong, another room's or no longer good."""
    return FaultError(403, 403, "Token error: Invalid token", "token")


def default_room() -> FaultError:
    """The default room is to be deleted."""
    return FaultError(403, 403, "Room error: The default room stays", "id")


def busy() -> FaultError:
    """What is needed to answer cannot be had now."""
    retry = (*JSON, ("Retry-After", "1"))
    return FaultError(503, 503, "Server error: Try again later", "", retry)


def too_many_rooms(seconds: int) -> FaultError:
    """One address has made too many rooms; `seconds` until it may make more."""
    retry = (*JSON, ("Retry-After", str(seconds)))
    return FaultError(429, 429, "Room error: Too many new rooms", "", retry)


def no_room() -> FaultError:
    """There are as many rooms as there may be."""
    retry = (*JSON, ("Retry-After", "60"))
    return FaultError(503, 503, "Room error: Too many rooms", "", retry)


def too_large() -> FaultError:
    """The body is longer than it may be."""
    return FaultError(413, 413, "Room error: Body too large")


def failed() -> FaultError:
    """Something went wrong here."""
    return FaultError(500, 500, "Server error: Internal error")


def no_method(allowed: Iterable[str]) -> Answer:
    """The path has other methods."""
    return Answer(405, b"", (("Allow", ", ".join(allowed)),))


def refuse(status: int, reason: str) -> Answer:
    """Refuse what is no request, or a handshake of an unwelcome origin."""
    if status == HTTPStatus.BAD_REQUEST:
        return no_session().answer
    words = f"{HTTPStatus(status).phrase}\n"
    return Answer(status, words.encode(), PLAIN)
