# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The entrance of JSON: it takes what the standard has, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from chatmux.errors import TextError
from chatmux.protocols import jsontext
from fuzz.pieces import cut
from tests.corpus import load
from tests.corpus.make_json import FIELDS, filled
from tests.corpus.make_machat import strict


class Fields(msgspec.Struct):
    """Some that every text may have."""

    name: str | None = None
    content: str | None = None


_decoder = msgspec.json.Decoder(Fields)
_any = msgspec.json.Decoder()


def seeds() -> Iterable[bytes]:
    for number, entry in enumerate(load("json")):
        for entrance in FIELDS:
            yield bytes((number % 256,)) + filled(entry["bytes"], entrance)


def once(data: bytes) -> None:
    stream, pieces = cut(data)
    _decode(stream)
    whole, in_pieces = _scan([stream]), _scan(pieces)
    if whole != in_pieces:
        raise AssertionError(f"in pieces {in_pieces!r}, whole {whole!r}")


def _decode(stream: bytes) -> None:
    for read in (
        lambda: jsontext.decode(stream, _decoder),
        lambda: jsontext.decode_in_any_case(stream, Fields),
    ):
        try:
            found = read()
        except TextError:
            continue
        for text in (found.name, found.content):
            # Whoever has it can send it on.
            (text or "").encode()
    try:
        jsontext.decode(stream, _any)
    except TextError as error:
        is_json = None if "recursion" in str(error).lower() else False
    else:
        is_json = True
    if is_json not in (None, _is_json(stream)):
        raise AssertionError(f"JSON or not: {is_json} and {not is_json}")


def _is_json(stream: bytes) -> bool:
    try:
        strict(stream)
    except (ValueError, RecursionError):
        return False
    return True


def _scan(pieces: list[bytes]) -> tuple[bytes, bytes] | str | None:
    """Return what is found, or what is wrong, or None."""
    scanner = jsontext.ObjectScanner(200)
    for number, piece in enumerate(pieces):
        try:
            found = scanner.feed(piece)
        except TextError:
            return "refused"
        if found is not None:
            return found[0], found[1] + b"".join(pieces[number + 1 :])
    return None
