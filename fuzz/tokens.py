# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Tokens: whatever they are, rightly signed or not, they are good or a `TokenError`."""

from __future__ import annotations

from collections.abc import Iterable

from chatmux.protocols.globes.tokens import TokenError, Tokens
from tests.corpus import load
from tests.corpus.make_tokens import KEY, assembled

NOW = 1_800_000_000
KNOWN = {"ROOM": 7, "GEN": 3, "NOW": NOW, "EXP": NOW + 3600}
_tokens = Tokens(KEY, lambda: NOW, 7 * 24 * 3600)


def seeds() -> Iterable[bytes]:
    for entry in load("tokens"):
        yield b"\0" + assembled(entry, KNOWN).encode()
        claims = entry["claims"]
        for word, value in KNOWN.items():
            claims = claims.replace(word, str(value))
        yield b"\1" + f"{entry['header']}\n{claims}".encode("latin-1")


def once(data: bytes) -> None:
    if data[:1] == b"\1":
        # Behind the signature there is more to be reached.
        header, _, claims = data[1:].decode("latin-1").partition("\n")
        made = {"header": header, "claims": claims, "signed": "the key"}
        token = assembled({**made, "form": "H.C.S"}, {})
    else:
        token = data[1:].decode("latin-1")
    try:
        claims_read = _tokens.read(token)
    except TokenError:
        return
    numbers = (claims_read.room_id, claims_read.authenticated, claims_read.generation)
    if not all(type(number) is int for number in numbers):
        raise AssertionError(f"no numbers: {claims_read}")
    if type(claims_read.username) is not str or claims_read.expires <= NOW:
        raise AssertionError(f"not good: {claims_read}")
