# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Hellos and lines for MaChat over TCP, and what becomes of them.

Every connection ends its sending behind the bytes, and is closed by the server. The
outcome says whether an ``error`` line comes before that, and what was ``carried`` to
the room under the name: each line, with U+FFFD for what is no UTF-8.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

HELLO_BYTES = 16 * 1024
LINE_BYTES = 65_535
HELLO = b'{"name":"NAME","room":"lounge"}'

BAD_UTF8 = (
    *(b"\x80", b"\xbf", b"\xc0\x80", b"\xc1\xbf", b"\xc3", b"\xc3(", b"\xe2\x82"),
    *(b"\xe2(\xa1", b"\xe0\x80\xaf", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xf0\x9f\x98"),
    *(b"\xf0\x80\x80\xaf", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xf8\x88"),
    *(b"\xfe", b"\xff", b"\xff\xfe", b"\xed\xa0\xbd\xed\xb8\x80", b"\xfc\x80\x80\x80"),
)
CONTROLS = (
    *(one for one in range(0x20) if one != 0x0A),
    *range(0x7F, 0xA0),
    *(0x61C, 0x200E, 0x200F, 0x2028, 0x2029),
    *(0x202A, 0x202B, 0x202C, 0x202D, 0x202E, 0x2066, 0x2067, 0x2068, 0x2069),
)
"""Control characters, separators of lines and directions of writing."""
OTHERS_WORDS = (
    *(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b"POST / HTTP/1.1\r\nHost: h\r\n\r\n"),
    *(b"OPTIONS * HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    *(
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"EHLO example.org\r\n",
        b"USER ann\r\n",
        b"NICK a\r\n",
    ),
    *(
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x05\x01\x00",
        b"\x04\x01\x00P",
    ),
    *(
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
        b"\r\n\r\n\x00\r\nQUIT\n",
        b"00009[newuser]",
    ),
    *(
        b"*1\r\n$4\r\nPING\r\n",
        b"\x00\x00\x00\x08\x04\xd2\x16/",
        b"<?xml version='1.0'?>",
    ),
)


def scanned(stream: bytes) -> int | None:
    """Return where the object that begins a stream ends, by brackets and quotes."""
    depth, in_string, escaped = 0, False, False
    for at, byte in enumerate(stream):
        if in_string:
            in_string = escaped or byte != ord('"')
            escaped = not escaped and byte == ord("\\")
        elif byte == ord('"'):
            in_string = True
        elif byte in b"{[":
            depth += 1
        elif byte in b"}]":
            depth -= 1
            if depth == 0:
                return at + 1
    return None


def name_is_good(name: str) -> bool:
    """Say whether a name may be held."""
    harmless = not any(chr(one) in name for one in (0x0A, ord(":"), *CONTROLS))
    return bool(name.strip()) and harmless and name.strip().lower() != "error"


def strict(text: bytes, of_pairs: Any = None) -> Any:
    """Read JSON as the standard has it, objects by `of_pairs`.

    Raises:
        ValueError, RecursionError: It is no JSON.
    """

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    return json.loads(text.decode(), parse_constant=refuse, object_pairs_hook=of_pairs)


def joins(stream: bytes) -> int | None:
    """Return where the hello ends that a stream begins with, None if it is refused."""
    blanks = len(stream) - len(stream.lstrip(b" \t\r\n"))
    if stream[blanks : blanks + 1] != b"{":
        return None
    end = scanned(stream)
    if end is None or end > HELLO_BYTES:
        return None
    try:
        pairs = strict(stream[:end], list)
    except (ValueError, RecursionError):
        return None
    known = [value for key, value in pairs if key in ("name", "room")]
    if not all(isinstance(value, str | None) for value in known):
        return None
    return end if name_is_good(dict(pairs).get("name") or "") else None


def outcome(stream: bytes) -> dict[str, Any]:
    """Return what is to become of a stream."""
    end = joins(stream)
    if end is None:
        return {"error": True, "carried": []}
    *lines, rest = stream[end:].split(b"\n")
    lines += [rest] if rest else []
    carried: list[str] = []
    for number, line in enumerate(lines):
        if len(line) > LINE_BYTES:
            return {"error": True, "carried": carried}
        line = line.removesuffix(b"\r")
        if line or number:
            text = line.decode(errors="replace")
            carried.append(text if len(text) < 300 else f"*{len(text)}")
    return {"error": False, "carried": carried}


def hellos() -> Iterator[tuple[str, bytes]]:
    """Return first words, with their names."""
    yield "nothing at all", b""
    for words in OTHERS_WORDS:
        yield f"words of another protocol, {words[:20]!r}", words
        yield f"{words[:20]!r} behind a blank", b"\n" + words + HELLO + b"\nhi\n"
    for end in range(len(HELLO)):
        yield f"{end} bytes of a hello", HELLO[:end]
    for one in CONTROLS:
        escaped = f'{{"name":"NAME\\u{one:04x}","room":"lounge"}}\nhi\n'
        yield f"U+{one:04X} in the name", escaped.encode()
    for bad in BAD_UTF8:
        yield f"{bad!r} in the name", b'{"name":"NAME%b","room":"lounge"}\nhi\n' % bad
    for text in (
        *(f'{{"name":{one},"room":"lounge"}}' for one in WRONG_TYPES),
        *(f'{{"name":"NAME","room":{one}}}' for one in WRONG_TYPES[1:]),
        *(f'{{"name":"{one}","room":"lounge"}}' for one in BAD_NAMES),
        *(
            "{}",
            "{} ",
            "[]",
            "null",
            "0",
            '"NAME"',
            "tru",
            "{",
            "}",
            "{]",
            "[}",
            "{{}}",
        ),
        *(
            '[{"name":"NAME"}]',
            '{"name" "NAME"}',
            '{"name":"NAME",}',
            "{'name':'NAME'}",
        ),
        *('{"name":"NAME"]', '{name:"NAME"}', '{"name":"NAME";"room":"lounge"}'),
        *('{"name":"NAME"/**/}', '{"name":"NAME" "room":"lounge"}', '{"name":"NAME"}}'),
        *(
            '{"room":"lounge"}',
            '{"NAME":"name"}',
            '{"name":"NAME","room":"lounge","x":}',
        ),
    ):
        if '"room":"lounge"' in text or joins(text.encode()) is None:
            yield f"the hello {text}", text.encode() + b"\nhi\n"
    blank = HELLO[:-1].ljust(HELLO_BYTES - 1) + b"}"
    yield "a hello of the longest size", blank + b"hi\n"
    yield "a hello that is one byte too long", b" " + blank + b"hi\n"
    yield "blanks for a hello", b" " * HELLO_BYTES * 2
    yield "a hello without end", b'{"name":"' + b"n" * HELLO_BYTES * 2
    yield "a hello of braces", b"{" * HELLO_BYTES
    yield "a hello of nested lists", b'{"name":' + b"[" * 9000 + b"]" * 9000 + b"}"
    yield "two hellos", HELLO + HELLO + b"\nhi\n"
    yield "a hello and a brace", HELLO + b"}\n"


WRONG_TYPES = (
    *(
        "null",
        "1",
        "-1",
        "1.5",
        "true",
        "false",
        "[]",
        "{}",
        '["NAME"]',
        "NaN",
        "1e999",
    ),
    *('{"name":"NAME"}', "Infinity", "'NAME'", "NAME", "01", "+1", ".5", "1.", "0x1"),
)
BAD_NAMES = (
    *("", " ", "\t", "error", "ERROR", " Error ", ":", "NAME:", "a:NAME", "NAME\n"),
    *(
        "\\",
        "\\x41NAME",
        "\\u12",
        "\\uD8",
        "\\u00zzNAME",
        "\\ud800\\u",
        "\\NAME",
        "\\u",
    ),
)


def lines() -> Iterator[tuple[str, bytes]]:
    """Return what follows a hello, with names."""
    for one in CONTROLS:
        text = f"a{chr(one)}b\n".encode()
        yield f"U+{one:04X} in a line", text
    for bad in BAD_UTF8:
        yield f"{bad!r} in a line", b"a" + bad + b"b\nnext\n"
        yield f"{bad!r} at the end of a line", b"a" + bad + b"\n"
        yield f"{bad!r} at the end of sending", b"a\nb" + bad
    for text in (
        *(b"", b"\n", b"\r\n", b"\n\n", b"\r\n\r\n", b"\r", b"\r\r\n", b"\n\r", b"\na"),
        *(
            b"\ra",
            b"a",
            b"a\r",
            b"a\r\n",
            b"a\r\r\n",
            b"a\rb\n",
            b"a\n\nb",
            b"\0\n",
            b"\0",
        ),
        *(
            b"NAME:hi\n",
            b"ann: I quit\n",
            b"error: no\n",
            b"\x1b]0;t\x07\n",
            b"\x1b[2J\n",
        ),
        *(b"\x9b2J\n", b"%s%n\n", b"{0.__class__}\n", b"[ok] \n", b"00009[newuser]\n"),
        *(
            b"{}\n",
            HELLO + b"\n",
            b"</script>\n",
            b"a\nb\nc\nd",
            b" \n",
            b"\t\n",
            b" a \n",
        ),
    ):
        yield f"the lines {text!r}", text
    for size in (LINE_BYTES - 1, LINE_BYTES, LINE_BYTES + 1, 10 * LINE_BYTES):
        yield f"a line of {size} bytes", b"before\n" + b"a" * size + b"\nbehind\n"
        yield f"{size} bytes without a newline", b"a" * size
    yield "empty lines without end", b"\nfirst\n" + b"\n" * 2000
    yield "blanks and newlines", b"a\n" + b" \n" * 500


def changed(random: Random) -> bytes:
    """Return good words with a few bytes changed."""
    words = bytearray(HELLO + b"\nhello, world\r\nsecond line\nthird")
    name = words.index(b"NAME")
    for _ in range(random.randint(1, 4)):
        at = random.choice([*range(name), *range(name + 4, len(words))])
        words[at] = random.choice(b'"{}[]\\:,\n\r \0\xff\xc3a1')
    return bytes(words)


def entries() -> list[dict[str, Any]]:
    """Make all entries."""
    random = Random("machat")
    named = list(hellos())
    named += [(name, HELLO + b"\n" + text) for name, text in lines()]
    for number in range(60):
        words = changed(random)
        # What is well-formed in another room is none of this corpus.
        if joins(words) is None or b'"room":"lounge"' in words:
            named.append((f"changed at random, {number}", words))
    return [
        {"name": name, "bytes": words, "outcome": outcome(words)}
        for name, words in named
    ]
