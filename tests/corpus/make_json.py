# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""JSON texts for every entrance that JSON has, and what becomes of them at each.

In a text ``FIELDS`` stands for what the entrance needs besides one field, whose key is
``KEY``. The outcome has a word for each entrance:

====================  ================================================================
``multichat first``   ``ack``, or the code of the close
``multichat later``   what is carried, or null: ignored
``machat hello``      ``joined``, or ``error``, a line before the close
``globes body``       status and code of the answer
``globes event``      what is carried; null: ignored; ``true``: an error event
====================  ================================================================

A known key with a value of a wrong type refuses the whole, though it be repeated, and
so do two different actions; where keys may be in any case, only the last one counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random
from typing import Any

from tests.corpus.make_machat import BAD_UTF8, CONTROLS, joins, strict
from tests.pulse import SECRET

FIELDS = {
    "multichat first": (
        f'"action":"register","secret-key":"{SECRET}"',
        "client-name",
    ),
    "multichat later": ('"action":"client-message"', "content"),
    "machat hello": ('"room":"lounge"', "name"),
    "globes body": ('"visibility":"public"', "title"),
    "globes event": ('"event_type":"send","name":"NAME"', "msg"),
}
_SURROGATE = re.compile("[\ud800-\udfff]")
_BAD = "no JSON"
_NO_UTF8 = "no UTF-8"


def filled(text: bytes, entrance: str) -> bytes:
    """Return a text as it is sent at an entrance."""
    fields, key = FIELDS[entrance]
    return text.replace(b"FIELDS", fields.encode()).replace(b"KEY", key.encode())


def _object(text: bytes, any_case: bool) -> dict[str, Any] | str:
    """Read an object, or say which kind of none it is."""
    try:
        found = strict(text, None if any_case else _last)
    except UnicodeDecodeError:
        return _NO_UTF8
    except (ValueError, RecursionError):
        return _BAD
    if not isinstance(found, dict):
        return _BAD
    pairs = {_mended(key): value for key, value in found.items()}
    return {key.lower(): pairs[key] for key in pairs} if any_case else pairs


def _last(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the last value of each key, or one that is wrong."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key == "action" and found.get(key, value) != value:
            value = ()
        if isinstance(found.get(key), str | None):
            found[key] = value
    return found


def _mended(value: Any) -> Any:
    return _SURROGATE.sub("\ufffd", value) if isinstance(value, str) else value


def _strings(found: dict[str, Any], *keys: str) -> list[str] | None:
    """Return the values of keys, or None where one is neither string nor null."""
    values = [_mended(found.get(key)) for key in keys]
    if not all(value is None or isinstance(value, str) for value in values):
        return None
    return [value or "" for value in values]


def first(text: bytes) -> str | int:
    found = _object(text, any_case=False)
    if len(text) > 16 * 1024:
        return 1009
    if found == _NO_UTF8:
        return 1007
    if isinstance(found, str) or found.get("action") != "register":
        return 1008
    read = _strings(found, "client-name", "secret-key")
    return "ack" if read and read[0] and read[1] == SECRET else 1008


def later(text: bytes) -> str | int | None:
    found = _object(text, any_case=False)
    if found == _NO_UTF8:
        return 1007
    if isinstance(found, str) or found.get("action") != "client-message":
        return None
    read = _strings(found, "content")
    return (read and read[0]) or None


def hello(text: bytes) -> str:
    return "error" if joins(text) is None else "joined"


def body(text: bytes) -> list[int]:
    if len(text) > 64 * 1024:
        return [413, 413]
    found = _object(text, any_case=True)
    if isinstance(found, str):
        return [400, 103]
    read = _strings(found, "title", "description", "visibility", "password")
    if read is None:
        return [400, 103]
    title, description, visibility, password = read
    bad = any(chr(one) in title for one in (0x0A, *CONTROLS))
    if bad or not 2 <= len(title.encode()) <= 70 or title.strip().isdecimal():
        return [400, 105]
    if len(description.encode()) > 70 or visibility.lower() != "public" or password:
        return [400, 105]
    return [201, 0]


def event(text: bytes) -> str | int | bool | None:
    if len(text) > 64 * 1024:
        return 1009
    has_capitals = re.search(rb'"[a-z_]*[A-Z][A-Za-z_]*"\s*:', text) is not None
    found = _object(text, any_case=has_capitals)
    if found == _NO_UTF8:
        return 1007
    if isinstance(found, str):
        return None
    read = _strings(found, "event_type", "name", "color", "msg")
    if read is None or read[0] != "send" or not read[1] or not read[3]:
        return None
    return read[3] if read[1].strip().lower() == "name" else True


RULES = {
    "multichat first": first,
    "multichat later": later,
    "machat hello": hello,
    "globes body": body,
    "globes event": event,
}


def outcome(text: bytes) -> dict[str, Any]:
    """Return what is to become of a text at each entrance."""
    told: dict[str, Any] = {}
    for entrance, rule in RULES.items():
        is_to = rule(filled(text, entrance))
        if is_to in ([201, 0], "joined") and b"NAME" not in text:
            continue  # Whoever comes first would have the name.
        told[entrance] = is_to
    return told


GOOD = b'{FIELDS,"KEY":"NAME"}'


def texts() -> Iterator[tuple[str, bytes]]:
    """Return texts, with their names."""
    yield "a good one", GOOD
    for bad in BAD_UTF8:
        yield f"{bad!r} in a value", b'{FIELDS,"KEY":"NAME%b"}' % bad
        yield f"{bad!r} in a key", b'{FIELDS,"KEY":"NAME","x%b":1}' % bad
        yield (
            f"{bad!r} in what is passed over",
            b'{FIELDS,"KEY":"NAME","x":["%b"]}' % bad,
        )
        yield f"{bad!r} behind", GOOD + bad
    for one in CONTROLS:
        yield f"U+{one:04X} escaped", b'{FIELDS,"KEY":"NAME\\u%04x"}' % one
        if one < 0x20:
            yield f"U+{one:04X} as it is", b'{FIELDS,"KEY":"NAME%c"}' % one
        else:
            raw = chr(one).encode()
            yield f"U+{one:04X} as it is", b'{FIELDS,"KEY":"NAME%b"}' % raw
    for half in ("ud800", "udbff", "udc00", "udfff", "ud800\\ud800", "udc00\\ud800"):
        yield (
            f"half of a character, {half}",
            f'{{FIELDS,"KEY":"NAME\\{half}"}}'.encode(),
        )
        text = f'{{FIELDS,"KEY":"NAME","x\\{half}":"\\{half}"}}'
        yield f"{half} in what is passed over", text.encode()
    yield "two halves", b'{FIELDS,"KEY":"NAME\\ud83d\\ude00"}'
    for text in (*_VALUES, *_NUMBERS):
        yield f"the value {text}", b'{FIELDS,"KEY":%b}' % text.encode()
        yield (
            f"{text} for what is passed over",
            (b'{FIELDS,"KEY":"NAME","x":%b}' % text.encode()),
        )
    for escape in ("", "x41", "u", "u1", "u12", "u123", "u12g4", "U00000041", "0", "'"):
        text = f'{{FIELDS,"KEY":"NAME\\{escape}"}}'
        yield f"the escape {escape}", text.encode()
        text = f'{{FIELDS,"KEY":"NAME","x":["\\{escape}"]}}'
        yield f"the escape {escape} in what is passed over", text.encode()
    for text in _WHOLE:
        yield f"the text {text}", text.encode()
    for kind in ("utf-16", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
        yield f"in {kind}", '{"name":"NAME"}'.encode(kind)
    yield "a byte order mark", b"\xef\xbb\xbf" + GOOD
    yield "a byte order mark behind", GOOD + b"\xef\xbb\xbf"
    for depth in (5, 50):
        nested = b"[" * depth + b"]" * depth
        yield f"{depth} lists in each other", b'{FIELDS,"KEY":"NAME","x":%b}' % nested
        deep = b'{"y":' * depth + b"1" + b"}" * depth
        yield f"{depth} objects in each other", b'{FIELDS,"KEY":"NAME","x":%b}' % deep
    for depth in (5000, 100_000):
        yield f"{depth} lists that do not end", b"[" * depth
        yield f"{depth} lists for a value", b'{FIELDS,"KEY":' + b"[" * depth
        yield f"{depth} objects", b'{"KEY":' * (depth // 10)
    yield (
        "many keys",
        b'{FIELDS,"KEY":"NAME"%b}'
        % b"".join(b',"k%d":0' % number for number in range(500)),
    )


_VALUES = (
    *("null", "true", "false", "[]", "{}", '""', '["NAME"]', '{"KEY":"NAME"}', "nul"),
    *("True", "None", "undefined", "NAME", "'NAME'", '"NAME', 'NAME"', '"NAME""', "[}"),
    *('"a" "b"', '"a"+"b"', "[,]", "[1,]", "{,}", '{"a"}', '{"a":}', "{1:2}", "[1 2]"),
    *(
        '" "',
        '"error"',
        '":"',
        '"NAME:"',
        '"1"',
        '"\u0661\u0662"',
        "//",
        "/**/1",
        "`NAME`",
    ),
)
_NUMBERS = (
    *("0", "-0", "1", "-1", "1.5", "1e5", "1E+5", "123456789012345678901234567890"),
    *(
        "NaN",
        "-NaN",
        "Infinity",
        "-Infinity",
        "nan",
        "inf",
        "01",
        "+1",
        ".5",
        "1.",
        "1e",
    ),
    *("1e+", "-", "--1", "0x10", "1_000", "1,5", "00", "-01", "0e", "1.e5", "\uff11"),
)
_WHOLE = (
    *(
        "",
        " ",
        "\t\r\n",
        "null",
        "true",
        "0",
        '"NAME"',
        "[]",
        "{}",
        "NAME",
        "{",
        "}",
        '"',
    ),
    *("[{FIELDS}]", "{FIELDS}", "{FIELDS,}", "{,FIELDS}", "{FIELDS,,}", "FIELDS"),
    *('{FIELDS,"KEY":"NAME",}', '{FIELDS;"KEY":"NAME"}', '{FIELDS,"KEY"="NAME"}'),
    *('{FIELDS,"KEY":"NAME"', '{FIELDS,"KEY":"NAME', '{FIELDS,"KEY":', '{FIELDS,"KEY"'),
    *('{FIELDS,"KEY":"NAME"}}', '{FIELDS,"KEY":"NAME"}]', '{FIELDS,"KEY":"NAME"} x'),
    *('{FIELDS,"KEY":"NAME"}{}', '{FIELDS,"KEY":"NAME"} {FIELDS,"KEY":"NAME"}'),
    *(
        ' {FIELDS,"KEY":"NAME"}',
        '{FIELDS,"KEY":"NAME"} ',
        '\n{FIELDS,\n"KEY":"NAME"\n}',
    ),
    *(
        '\x0b{FIELDS,"KEY":"NAME"}',
        '\xa0{FIELDS,"KEY":"NAME"}',
        '{FIELDS,"KEY":"NAME"}\0',
    ),
    *(
        '\0{FIELDS,"KEY":"NAME"}',
        '{FIELDS,\0"KEY":"NAME"}',
        '{FIELDS,\x0c"KEY":"NAME"}',
    ),
    *("{FIELDS,KEY:NAME}", "{FIELDS,'KEY':'NAME'}", '{FIELDS,"KEY":"NAME","KEY":null}'),
    *('{FIELDS,"KEY":null,"KEY":"NAME"}', '{FIELDS,"KEY":1,"KEY":"NAME"}'),
    *('{FIELDS,"KEY":"NAME","KEY":1}', '{FIELDS,"KEY":"","KEY":"NAME"}'),
    *(
        '{FIELDS,"KEY":"NAME"}//',
        '{FIELDS,/**/"KEY":"NAME"}',
        '#\n{FIELDS,"KEY":"NAME"}',
    ),
    *(
        ')]}\'{FIELDS,"KEY":"NAME"}',
        '/{FIELDS,"KEY":"NAME"}',
        '({FIELDS,"KEY":"NAME"})',
    ),
    *('{"KEY":"NAME",FIELDS}', '{"KEY":"NAME"}', '{FIELDS,"\\u004bEY":"NAME"}'),
    *(
        '{FIELDS,FIELDS,"KEY":"NAME"}',
        '{FIELDS,"":"x","KEY":"NAME"}',
        "FIELDS}",
        "{FIELDS",
    ),
    *(
        '{"action":"dance",FIELDS,"KEY":"NAME"}',
        '{"event_type":"x",FIELDS,"KEY":"NAME"}',
    ),
    *('{"action":1,FIELDS,"KEY":"NAME"}', '{FIELDS,"KEY":"NAME","action":"dance"}'),
    *('{FIELDS,"KEY":"NAME","event_type":"SEND"}', '{FIELDS,"KEY":"NAME","name":1}'),
    *('{FIELDS,"KEY":"NAME","EVENT_TYPE":"dance"}', '{FIELDS,"KEY":"NAME","color":[]}'),
    *('{FIELDS,"KEY":"NAME","visibility":"x"}', '{FIELDS,"KEY":"NAME","VISIBILITY":1}'),
    *('{FIELDS,"KEY":"NAME","__proto__":{"x":1}}', '{FIELDS,"KEY":"NAME","room":[]}'),
)


def changed(random: Random) -> bytes:
    """Return a good text with a few bytes changed, but not its words."""
    pieces = re.split(
        rb"(FIELDS|KEY|NAME)", b'{FIELDS,"KEY":"NAME \\u00e9 x","y":[1,"z"]}'
    )
    for _ in range(random.randint(1, 3)):
        at = random.randrange(0, len(pieces), 2)
        piece = bytearray(pieces[at])
        where = random.randrange(len(piece) + 1)
        piece[where : where + random.randrange(2)] = random.choice(_CHANGES)
        pieces[at] = bytes(piece)
    return b"".join(pieces)


_CHANGES = (
    *(b"", b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b" ", b"\n", b"\0", b"1"),
    *(b"\xff", b"\xc3\xa9", b"\xc3", b"null", b"\\ud800", b"-", b".", b"e", b"//"),
)


def entries() -> list[dict[str, Any]]:
    """Make all entries."""
    random = Random("json")
    named = list(texts())
    named += [(f"changed at random, {n}", changed(random)) for n in range(120)]
    return [
        {"name": name, "bytes": text, "outcome": outcome(text)} for name, text in named
    ]
