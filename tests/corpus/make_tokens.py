# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Tokens for a protected room of Globes, and the status of their renewal.

A token is told by what it is made of, as all is right with it but one thing: its
``header`` and ``claims``, in which ``ROOM``, ``GEN``, ``NOW`` and ``EXP`` stand for
what the server has; what it is ``signed`` with; and the ``form`` in which header,
claims and signature are put together, ``H.C.S``. `assembled` does that.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from typing import Any

KEY = b"the key of the corpus, 32 bytes."
HEADER = '{"alg":"HS256","typ":"JWT"}'
CLAIMS = '{"username":"ann","room_id":ROOM,"exp":EXP,"iat":NOW,"auth":NOW,"gen":GEN}'
CLAIM_NAMES = ("username", "room_id", "exp", "iat", "auth", "gen")
SIGNATURES = {
    "the key": (KEY, "sha256"),
    "another key": (b"another key of at least 32 bytes", "sha256"),
    "an empty key": (b"", "sha256"),
    "the key, SHA-384": (KEY, "sha384"),
    "the key, SHA-512": (KEY, "sha512"),
    "the key, SHA-1": (KEY, "sha1"),
    "the original's key": (b"my_secret_random_key_>_than_24_characters", "sha256"),
}


def assembled(entry: dict[str, Any], known: dict[str, int]) -> str:
    """Return an entry's token, for a server of which `known` is known."""
    claims: str = entry["claims"]
    for word, value in known.items():
        claims = claims.replace(word, str(value))
    parts = [_encoded(one.encode("latin-1")) for one in (entry["header"], claims)]
    signature = ""
    if entry["signed"] in SIGNATURES:
        key, digest = SIGNATURES[entry["signed"]]
        signature = _encoded(hmac.digest(key, ".".join(parts).encode(), digest))
    letters = dict(zip("HCS", (*parts, signature), strict=True))
    return "".join(letters.get(one, one) for one in entry["form"])


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _token(
    name: str,
    status: int = 403,
    header: str = HEADER,
    claims: str = CLAIMS,
    signed: str = "the key",
    form: str = "H.C.S",
) -> dict[str, Any]:
    made = {"name": name, "header": header, "claims": claims, "signed": signed}
    return {**made, "form": form, "outcome": status}


VALUES = (
    *(
        "null",
        "true",
        "false",
        "[]",
        "{}",
        '""',
        "[1]",
        '{"a":1}',
        "1.5",
        "-1.5",
        "1e400",
    ),
    *(
        "NaN",
        "Infinity",
        '"1"',
        "1.0",
        "[EXP]",
        '"EXP"',
        "EXP.0",
        "-0.0",
        "1e3",
        "[null]",
    ),
)
ALGORITHMS = (
    *("none", "None", "NONE", "nOnE", "", "HS384", "HS512", "RS256", "ES256", "PS256"),
    *("EdDSA", "hs256", "HS256 ", " HS256", "HS1", "HMAC", "A256KW", "dir", "HS256\0"),
)
HEADERS = (
    *(
        "{}",
        "[]",
        "null",
        '"HS256"',
        "1",
        "",
        "{",
        "}",
        '{"alg":',
        '{"typ":"JWT"}',
        "\xff",
    ),
    *(
        '{"alg":null}',
        '{"alg":1}',
        '{"alg":["HS256"]}',
        '{"alg":{"x":1}}',
        '{"alg":true}',
    ),
    *('{"alg":"HS256","crit":["x"],"x":1}', '{"alg":"HS256","kid":1}', "[" * 900),
    *('{"alg":"HS256","crit":["exp"]}', '{"alg":HS256}'),
)
FORMS = (
    *("", ".", "..", "...", "H", "H.", "H.C", "H.C.", "H..S", ".C.S", "..S", "H.C.S."),
    *(
        "H.C.S.S",
        "H.C.S.S.S",
        ".H.C.S",
        "C.H.S",
        "S.C.H",
        "H.C.H",
        "H.C.C",
        "HCS",
        "H,C,S",
    ),
    *("H.C.S!", "H.C.!S", "H!.C.S", "H.C!.S", "H.C.Sx", "H.C.xS", "xH.C.S", "H.xC.S"),
    *(
        "H.C.S~",
        "H.C.S\xe4",
        "\xe4H.C.S",
        "H.C.%53",
        "H%2eC%2eS",
        "H:C:S",
        "H.C.*",
        "*",
    ),
)
BAD_CLAIMS = (
    *(
        "",
        "{",
        "}",
        "[]",
        "null",
        '"ann"',
        "1",
        "{}",
        "[" * 900,
        "{" * 900,
        "\xff",
        "\0",
    ),
    *(CLAIMS[:-1], CLAIMS + "x", CLAIMS + CLAIMS, f"[{CLAIMS}]"),
    *(CLAIMS.replace('"', "'"), CLAIMS[:-1] + ",}", CLAIMS.replace("ann", "a\xff")),
)


def tokens() -> Iterator[dict[str, Any]]:
    """Return all tokens."""
    yield _token("a good one", 201)
    yield _token("without a type", 201, header='{"alg":"HS256"}')
    for signed in (*SIGNATURES, "nothing"):
        if signed != "the key":
            yield _token(f"signed with {signed}", signed=signed)
    for algorithm in ALGORITHMS:
        header = f'{{"alg":"{algorithm}","typ":"JWT"}}'.replace("\0", "\\u0000")
        for signed in ("the key", "nothing"):
            yield _token(f"{algorithm!r}, {signed}", header=header, signed=signed)
        if algorithm in ("HS384", "HS512"):
            signed = f"the key, SHA-{algorithm[2:]}"
            yield _token(f"{algorithm} as it should be", header=header, signed=signed)
    for more in (
        '"jwk":{"kty":"oct","k":""}',
        '"kid":"../../dev/null"',
        '"x5u":"http://h"',
    ):
        header = f'{{"alg":"HS256",{more}}}'
        yield _token(
            f"a key in the header, {more}", header=header, signed="an empty key"
        )
    for header in HEADERS:
        yield _token(f"the header {header[:40]}", header=header)
    for claim in CLAIM_NAMES:
        yield _token(f"no {claim}", claims=_without(claim))
        for value in VALUES:
            if claim == "iat" or (claim, value[:1]) == ("username", '"'):
                continue  # Nothing hangs on when it was made.
            claims = _without(claim)[:-1] + f',"{claim}":{value}}}'
            yield _token(f"{claim} is {value}", claims=claims)
    for claim, value in (
        *(("exp", "NOW"), ("exp", "0"), ("exp", "-1"), ("exp", "-" + "9" * 30)),
        *(("room_id", "1"), ("room_id", "-1"), ("room_id", "ROOM0"), ("gen", "0")),
        *(("gen", "GEN0"), ("gen", "-GEN"), ("room_id", "9" * 30), ("gen", "9" * 30)),
    ):
        claims = _without(claim)[:-1] + f',"{claim}":{value}}}'
        yield _token(f"{claim} is {value[:9]}, a number", claims=claims)
    for claims in BAD_CLAIMS:
        yield _token(f"the claims {claims[:60]}", claims=claims)
    for form in FORMS:
        yield _token(f"put together as {form}", form=form)
    long = CLAIMS[:-1] + f',"x":"{"x" * 6000}"}}'
    yield _token("a long one", claims=long)


def _without(claim: str) -> str:
    """Return good claims without one of them."""
    pairs = CLAIMS[1:-1].split(",")
    return (
        "{" + ",".join(one for one in pairs if not one.startswith(f'"{claim}"')) + "}"
    )


def entries() -> list[dict[str, Any]]:
    """Make all entries."""
    return list(tokens())
