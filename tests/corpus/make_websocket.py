# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""WebSocket streams for the four doors, and what becomes of them.

``door`` says which one. The bytes come behind a handshake, or with ``raw`` are all that
comes. With ``known``, the peer has said who it is before them. Unless they are
``unfinished``, a close frame with 1000 comes behind, and the outcome has the code of
the server's ``close``, and what was ``carried``. With ``unfinished`` the peer ends its
sending instead, and the server closes without a word. The outcome of a handshake that
is refused is its ``status``, null for no answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from tests.corpus.make_machat import BAD_UTF8

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
MESSAGE_BYTES = 1024 * 1024
FRAGMENTS = 1024
_MASK = b"\x37\xfa\x21\x3d"
_SENT_CODES = (*range(1000, 1004), *range(1007, 1012), 3000, 3999, 4000, 4999)
_NO_CODES = (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
_SHAKE = (
    "Host: 127.0.0.1",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
)

_LETTERS = "ab\xe4\u20ac\U0001f600 "

Entry = dict[str, Any]


def frame(
    opcode: int, payload: bytes = b"", fin: bool = True, rsv: int = 0, told: int = -1
) -> bytes:
    """Make a client's frame; `told` is a length that is not the payload's."""
    length = len(payload) if told < 0 else told
    if length < 126:
        head = bytes((0x80 | length,))
    elif length < 1 << 16:
        head = b"\xfe" + length.to_bytes(2, "big")
    else:
        head = b"\xff" + length.to_bytes(8, "big")
    body = bytes(byte ^ _MASK[at % 4] for at, byte in enumerate(payload))
    return bytes((fin << 7 | rsv << 4 | opcode,)) + head + _MASK + body


def _ends(name: str, data: bytes, close: int | None, *carried: str) -> Entry:
    outcome = {"close": close, "carried": list(carried)}
    return {"name": name, "door": "machat", "known": True, "bytes": data} | {
        "outcome": outcome
    }


def frames() -> Iterator[Entry]:
    """Return frames behind a hello of MaChat."""
    hi = frame(TEXT, b"hi")
    for rsv in range(1, 8):
        for opcode in (TEXT, BINARY, CLOSE, PING):
            data = hi + frame(opcode, b"", rsv=rsv) + hi
            yield _ends(f"reserved bits {rsv}, opcode {opcode}", data, 1002, "hi")
    for opcode in (*range(3, 8), *range(11, 16)):
        data = hi + frame(opcode, b"x") + hi
        yield _ends(f"opcode {opcode}", data, 1002, "hi")
    for opcode in (TEXT, BINARY, CLOSE, PING):
        yield _ends(f"not masked, opcode {opcode}", bytes((0x80 | opcode, 0)), 1002)
    for opcode in (CLOSE, PING, PONG):
        data = frame(opcode, b"", fin=False)
        yield _ends(f"a control frame in pieces, {opcode}", data, 1002)
        yield _ends(f"a long control frame, {opcode}", frame(opcode, b"x" * 126), 1002)
    yield _ends("more of nothing", frame(0, b"x") + hi, 1002)
    yield _ends("an end of nothing", hi + frame(0, b"x", fin=False), 1002, "hi")
    yield _ends("a message in another", frame(TEXT, b"x", fin=False) + hi, 1002)
    for bad in BAD_UTF8:
        yield _ends(
            f"{bad!r} in a text", hi + frame(TEXT, b"a" + bad + b"b"), 1007, "hi"
        )
        cut = frame(TEXT, bad[:1], fin=False) + frame(0, bad[1:] + b"b")
        yield _ends(f"{bad!r} over two frames", hi + cut, 1007, "hi")
    whole = frame(TEXT, b"\xc3", fin=False) + frame(0, b"\xa4")
    yield _ends("a character over two frames", whole, 1000, "\xe4")
    for length, form in ((0, 126), (125, 126), (0, 127), (65535, 127)):
        size = length.to_bytes(2 if form == 126 else 8, "big")
        head = bytes((0x81, 0x80 | form)) + size + _MASK
        yield _ends(f"the length {length} in a longer form", hi + head, 1002, "hi")
    for length in (1 << 63, (1 << 64) - 1):
        head = b"\x81\xff" + length.to_bytes(8, "big") + _MASK
        yield _ends(f"the length {length}", hi + head, 1002, "hi")
    for length in (MESSAGE_BYTES + 1, 10 * MESSAGE_BYTES, 1 << 40, (1 << 63) - 1):
        data = hi + frame(TEXT, told=length)
        yield _ends(f"a message of {length} bytes", data, 1009, "hi")
    many = frame(TEXT, b"x", fin=False) + frame(0, fin=False) * FRAGMENTS
    yield _ends("too many fragments", many, 1008)
    many = frame(TEXT, b"a", fin=False) + frame(0, fin=False) * 900 + frame(0, b"b")
    yield _ends("many fragments", many, 1000, "ab")
    for code in _SENT_CODES:
        data = hi + frame(CLOSE, code.to_bytes(2, "big") + b"bye") + hi
        yield _ends(f"a close with {code}", data, code, "hi")
    for code in _NO_CODES:
        data = frame(CLOSE, code.to_bytes(2, "big")) + hi
        yield _ends(f"a close with {code}", data, 1002)
    yield _ends("a close with one byte", frame(CLOSE, b"\x03") + hi, 1002)
    yield _ends("a reason that is not UTF-8", frame(CLOSE, b"\x03\xe8\xff"), 1007)
    for opcode in (PING, PONG):
        data = frame(TEXT, b"a", fin=False) + frame(opcode, b"p" * 125) + frame(0, b"b")
        yield _ends(f"opcode {opcode} within a message", data, 1000, "ab")
        yield _ends(f"many of opcode {opcode}", frame(opcode) * 500 + hi, 1000, "hi")
    yield _ends("empty messages", frame(TEXT) * 500 + hi, 1000, "hi")
    yield _ends("bytes that are no text", frame(BINARY, b"\xff\n"), 1000, "\ufffd")
    yield _ends("lines", frame(TEXT, b"a\nb\n\nc"), 1000, "a", "b", "", "c")
    # The first belongs to the hello.
    yield _ends("many lines", frame(TEXT, b"\n" * 300), 1000, *[""] * 299)


def unfinished() -> Iterator[Entry]:
    """Return what is not all there at the end of sending."""
    good = frame(TEXT, b"x" * 300)
    for end in range(1, 12):
        yield _ends(f"{end} bytes of a frame", good[:end], None)
    yield _ends("a message without its end", frame(TEXT, b"x", fin=False), None)
    yield _ends(
        "half a ping in a message", frame(TEXT, b"x", fin=False) + b"\x89", None
    )


def first_words() -> Iterator[Entry]:
    """Return what comes before a peer has said who it is, at every door."""
    for door, words, code in (
        ("multichat", frame(BINARY, b"{}"), 1003),
        ("multichat", frame(TEXT, b""), 1008),
        ("multichat", frame(TEXT, b"\0"), 1008),
        ("multichat", frame(TEXT, told=16 * 1024 + 1), 1009),
        ("multichat", frame(PING) * 20 + frame(TEXT, b"GET / HTTP/1.1"), 1008),
        ("machat", frame(TEXT, b"GET / HTTP/1.1"), 1008),
        ("machat", frame(TEXT, b"{}"), 1008),
        ("machat", frame(BINARY, b"\xff"), 1008),
        ("machat", frame(TEXT, told=MESSAGE_BYTES + 1), 1009),
        ("machat", frame(TEXT, b"{") + frame(TEXT, b"}"), 1008),
        ("globes", frame(BINARY, b"{}") + frame(TEXT, b"{}"), 1000),
        ("globes", frame(TEXT, b"\xff"), 1007),
        ("globes", frame(TEXT, told=64 * 1024 + 1), 1009),
        ("globes", frame(3), 1002),
        ("webtalk", frame(TEXT, b""), 1008),
        ("webtalk", frame(TEXT, b"hello"), 1008),
        ("webtalk", frame(TEXT, b"1!" + b"0" * 39), 1008),
        ("webtalk", frame(BINARY, b"1!"), 1008),
        ("webtalk", frame(TEXT, "\u0661!1".encode()), 1008),
        ("webtalk", frame(TEXT, told=1025), 1009),
    ):
        name = f"first at {door}, {words[:9].hex()}"
        outcome = {"close": code, "carried": []}
        yield {"name": name, "door": door, "bytes": words, "outcome": outcome}


def handshakes() -> Iterator[Entry]:
    """Return handshakes that are refused, each with a frame behind."""
    paths = {"multichat": "/", "machat": "/mychat", "globes": "/chats/1/ws"}
    for door, path in {**paths, "webtalk": "/webtalk"}.items():
        for name, lines, status in _handshakes(path):
            data = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
            data += frame(TEXT, b"hi")
            entry = {"name": f"{name}, {door}", "door": door, "raw": True}
            yield {**entry, "bytes": data, "outcome": {"status": status}}
        cut = f"GET {path} HTTP/1.1\r\nHost: h\r\nUpg".encode()
        entry = {"name": f"half a handshake, {door}", "door": door, "raw": True}
        yield {**entry, "bytes": cut, "outcome": {"status": None}}


def _handshakes(path: str) -> Iterator[tuple[str, tuple[str, ...], int]]:
    line = f"GET {path} HTTP/1.1"
    for at, header in enumerate(_SHAKE[:1] + _SHAKE[3:]):
        rest = [one for one in _SHAKE if one != header]
        yield f"a handshake without {header[:17]}", (line, *rest), 400
        if at:
            yield f"two of {header[:17]}", (line, *_SHAKE, header), 400
    yield "a bad key", (line, *_SHAKE[:3], "Sec-WebSocket-Key: x", _SHAKE[4]), 400
    yield "version 14", (line, *_SHAKE[:4], "Sec-WebSocket-Version: 14"), 400
    yield "version 1.3", (line, *_SHAKE[:4], "Sec-WebSocket-Version: 1.3"), 400


def mixed(random: Random) -> tuple[bytes, list[str]]:
    """Return good messages in any number of fragments, with pings, and their texts."""
    data, texts = b"", []
    for number in range(random.randint(1, 5)):
        text = f"{number} " + "".join(random.choices(_LETTERS, k=12)) + "."
        raw = text.encode()
        cuts = sorted(random.choices(range(len(raw) + 1), k=random.randint(0, 4)))
        for at, (start, end) in enumerate(
            zip([0, *cuts], [*cuts, len(raw)], strict=True)
        ):
            data += frame(0 if at else TEXT, raw[start:end], fin=at == len(cuts))
            data += frame(random.choice((PING, PONG)), b"x") * random.randint(0, 1)
        texts.append(text)
    return data, texts


def entries() -> list[Entry]:
    """Make all entries."""
    random = Random("websocket")
    made = [*frames(), *first_words(), *handshakes()]
    made += [{**entry, "unfinished": True} for entry in unfinished()]
    for number in range(20):
        data, texts = mixed(random)
        made.append(_ends(f"good ones in pieces, {number}", data, 1000, *texts))
    return made
