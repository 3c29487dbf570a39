# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""HTTP requests for Globes, and the statuses of the answers, in their order.

The peer ends its sending behind the bytes, and the server closes when it has answered.
A request that is refused is the last; one that is not all there gets no answer. Each
stands alone, before a good request, which must not be answered then, and behind one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

GOOD = b"GET /chats/1 HTTP/1.1\r\nHost: h\r\n\r\n"
BODY_BYTES = 64 * 1024

REQUEST_LINES = (
    *(
        "GET",
        "GET ",
        "GET /chats/1",
        "GET /chats/1 ",
        "GET  /chats/1 HTTP/1.1",
        "GET\t/ ",
    ),
    *("GET /chats/1  HTTP/1.1", "GET /chats/1 HTTP/1.1 ", " GET /chats/1 HTTP/1.1"),
    *("GET\t/chats/1\tHTTP/1.1", "GET /chats/1 HTTP/1.2", "GET /chats/1 HTTP/2.0"),
    *("GET /chats/1 HTTP/0.9", "GET /chats/1 HTTP/11", "GET /chats/1 http/1.1"),
    *("GET /chats/1 HTTP/1.1x", "GET /chats/1 HTTP/ 1.1", "GET /chats/1 HTTPS/1.1"),
    *(
        "GET /chats/1 HTTP/1.01",
        "GET http://h/chats/1 HTTP/1.1",
        "GET chats/1 HTTP/1.1",
    ),
    *(
        "GET * HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "CONNECT h:80 HTTP/1.1",
        "GET h:80 HTTP/1.1",
    ),
    *("GET /cha ts/1 HTTP/1.1", "GET /chats/1#x HTTP/1.1", "GET /chats/\xff HTTP/1.1"),
    *("GET /chats/1\0 HTTP/1.1", "GET /chats/1\r HTTP/1.1", "GET /chats/1\n HTTP/1.1"),
    *(
        "GET /chats/1\x7f HTTP/1.1",
        "GET /chats/1\x0b HTTP/1.1",
        "GET \\chats\\1 HTTP/1.1",
    ),
    *("G(T /chats/1 HTTP/1.1", "G\xe4T /chats/1 HTTP/1.1", "G\0T /chats/1 HTTP/1.1"),
    *(
        "GET /chats/1 HTTP/1.1\rHost: h",
        "GET /chats/1 HTTP/1.1\nHost: h",
        "{}",
        "\0",
        "x",
    ),
)
HEADERS = (
    *(
        "X",
        "X x",
        ": x",
        " X: x",
        "\tX: x",
        "X : x",
        "X\t: x",
        "X\0: x",
        "X\r: x",
        "X\n: x",
    ),
    *(f"X{one}X: x" for one in '()<>@,;\\"/[]?={} '),
    *(
        "X\xe4: x",
        "X\x7f: x",
        "X: \0",
        "X: \x01",
        "X: a\rb",
        "X: a\nb",
        "X: \x7f",
        "X: \x1b[",
    ),
    *(
        "X: a\r",
        "X: a\n",
        "X: a\x0bb",
        "X: a\x0cb",
        "X: a\r\n b",
        "X: a\r\n\tb",
        "X: a\r\n ",
    ),
    *("Host: other", "host: h", "HOST: h", "Host:", "Host : h", " Host: h"),
)
HOSTS = (
    "h h",
    "h/x",
    "h\\x",
    "h#x",
    "h?x",
    "a,b",
    "user@h",
    "<h>",
    '"h"',
    "h\xe4",
    "{h}",
)
LENGTHS = (
    *(
        "+5",
        "-5",
        "0x5",
        "5 5",
        "5,5",
        "5, 5",
        "5;",
        "",
        " ",
        "5.0",
        "1_0",
        "5e0",
        "a",
        "'5'",
    ),
    *(
        "\xb2",
        "5\t5",
        "5\0",
        "9" * 21,
        "00000000000000000000005",
        "5\r",
        "Infinity",
        "--5",
    ),
)
ENCODINGS = (
    *("gzip", "identity", "chunked, chunked", "chunked, identity", "gzip, chunked", ""),
    *(
        "xchunked",
        "chunkedx",
        "chunked;q=1",
        '"chunked"',
        "chunked\x0b",
        "chunked\0",
        ",",
    ),
    *(
        "chunked,",
        ",chunked",
        "chunked\r",
        "c hunked",
        "cow",
        "chunked\n",
        "\x0bchunked",
    ),
)
CHUNKS = (
    *(
        b"x\r\n",
        b"-1\r\na\r\n",
        b"+1\r\na\r\n",
        b"0x1\r\na\r\n",
        b" 1\r\na\r\n",
        b"1_0\r\n",
    ),
    *(
        b"\r\n\r\n",
        b"g\r\n",
        b"1\r\naa\r\n",
        b"1\r\na0\r\n\r\n",
        b"1\r\na\r0",
        b"1\r\na\nx",
    ),
    *(b"\xb2\r\na\r\n", b"1\0\r\na\r\n", b"\0\r\n", b"1,1\r\naa\r\n"),
)


def _post(*headers: str, body: bytes = b"", version: str = "1.1") -> bytes:
    lines = (f"POST /chats/1/token HTTP/{version}", "Host: h", *headers)
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def _get(path: str, *headers: str, host: str = "Host: h") -> bytes:
    lines = (f"GET {path} HTTP/1.1", host, *headers)
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def refused() -> Iterator[tuple[str, bytes, int]]:
    """Return what is refused, with its status."""
    for line in REQUEST_LINES:
        request = line.encode("latin-1") + b"\r\nHost: h\r\n\r\n"
        yield f"the line {line!r}", request, 400
    for header in HEADERS:
        yield f"the header {header!r}", _get("/chats/1", header), 400
    for host in HOSTS:
        yield f"the host {host!r}", _get("/chats/1", host=f"Host: {host}"), 400
    yield "no host", b"GET /chats/1 HTTP/1.1\r\n\r\n", 400
    for length in LENGTHS:
        yield f"the length {length!r}", _post(f"Content-Length: {length}"), 400
    for more in ("5", "6", "0", "05"):
        two = _post("Content-Length: 5", f"Content-Length: {more}", body=b"01234")
        yield f"the lengths 5 and {more}", two, 400
    for coding in ENCODINGS:
        coded = _post(f"Transfer-Encoding: {coding}", body=b"0\r\n\r\n")
        yield f"the coding {coding!r}", coded, 400
    both = ("Content-Length: 5", "Transfer-Encoding: chunked")
    yield "a length and chunks", _post(*both, body=b"0\r\n\r\n"), 400
    yield "chunks and a length", _post(*both[::-1], body=b"0\r\n\r\n"), 400
    yield "two codings", _post(both[1], both[1], body=b"0\r\n\r\n"), 400
    yield "chunks in HTTP/1.0", _post(both[1], body=b"0\r\n\r\n", version="1.0"), 400
    for chunk in CHUNKS:
        yield (
            f"the chunk {chunk[:20]!r}",
            _post(both[1], body=chunk + b"0\r\n\r\n"),
            400,
        )
    for size in (BODY_BYTES + 1, 10**12, 10**20 - 1):
        yield f"a body of {size} bytes", _post(f"Content-Length: {size}"), 413
    large = b"%x\r\n%b\r\n0\r\n\r\n" % (BODY_BYTES + 1, b"a" * (BODY_BYTES + 1))
    yield "a chunk that is too large", _post(both[1], body=large), 413
    yield "a header without end", b"GET /chats/1 HTTP/1.1\r\nX: " + b"x" * 20_000, 431
    yield "a line without end", b"GET /" + b"x" * 20_000, 431
    yield "many headers", _get("/chats/1", *("X: x" for _ in range(200))), 431
    yield "long headers", _get("/chats/1", *("X: " + "x" * 500 for _ in range(50))), 431


def unfinished() -> Iterator[tuple[str, bytes]]:
    """Return requests that are not all there."""
    for end in range(1, len(GOOD), 2):
        yield f"{end} bytes of a request", GOOD[:end]
    yield "four of five bytes of a body", _post("Content-Length: 5", body=b"0123")
    for body in (
        b"",
        b"5",
        b"5\r\n",
        b"5\r\n0123",
        b"0",
        b"0\r\n",
        b"f" * 40 + b"\r\n",
    ):
        coded = _post("Transfer-Encoding: chunked", body=body)
        yield f"chunks that end with {body!r}", coded


def answered() -> Iterator[tuple[str, bytes, list[int]]]:
    """Return what looks odd and is answered, with the statuses."""
    yield "nothing at all", b"", []
    yield "a good one", GOOD, [200]
    yield "three in one", GOOD * 3, [200, 200, 200]
    yield "an empty line before it", b"\r\n" + GOOD, [200]
    yield "HTTP/1.0 without a host", b"GET /chats/1 HTTP/1.0\r\n\r\n" + GOOD, [200]
    yield "the last, as it says", _get("/chats/1", "Connection: close") + GOOD, [200]
    for path, status in (
        *(
            ("/", 200),
            ("//", 404),
            ("//chats/1", 404),
            ("/chats/", 404),
            ("/chats/1/", 404),
        ),
        *(
            ("/chats/../1", 404),
            ("/chats/..", 404),
            ("/chats/%2e%2e", 404),
            ("/%00", 404),
        ),
        *(
            ("/chats/%00", 404),
            ("/chats/1%00", 404),
            ("/chats/%ff", 404),
            ("/chats/%", 404),
        ),
        *(("/chats/1%0d%0aX:%20x", 404), ("/chats/%zz", 404), ("/chats/0x1", 404)),
        *(
            ("/chats/-1", 404),
            ("/chats/+1", 404),
            ("/chats/1_0", 404),
            ("/chats/1.0", 404),
        ),
        *(
            ("/chats/" + "9" * 400, 404),
            ("/chats/" + "x" * 9000, 404),
            ("/chats/0", 404),
        ),
        *(
            ("/chats/'%20OR%201=1--", 404),
            ("/chats/__proto__", 404),
            ("/chats/%2501", 404),
        ),
        *(
            ("/chats/001", 200),
            ("/chats/1?x=%00", 200),
            ("/chats/%31", 200),
            ("/CHATS", 404),
        ),
        *(("/chats/1?/../..", 200), ("/chats/1;x", 404), ("/chats/<script>", 404)),
        *(("/chats/{0.__class__}", 404), ("/chats/%25s", 404), ("/metrics", 404)),
    ):
        yield f"the path {path[:40]}", _get(path), [status]
    for method in (
        "get",
        "DANCE",
        "TRACE",
        "OPTIONS",
        "CONNECT",
        "PATCH",
        "PROPFIND",
        "M-1",
    ):
        line = f"{method} /chats/1 HTTP/1.1\r\nHost: h\r\n\r\n"
        yield f"the method {method}", line.encode(), [405]
    for header in ("X: \xe4\xff", "X:", "X:x", "X:\t x\t", "Upgrade: h2c", "Host2: x"):
        yield f"the header {header!r}", _get("/chats/1", header) + GOOD, [200, 200]
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "X-HTTP-Method-Override"):
        yield f"a {name}", _get("/chats/1", f"{name}: DELETE, 1.2.3.4"), [200]
    five = "Content-Length: 5"
    yield "a request in a body", _post(f"Content-Length: {len(GOOD)}", body=GOOD), [200]
    yield "zeros before a length", _post("Content-Length: 0005", body=b"01234"), [200]
    yield "more than a body", _post(five, body=b"01234" + GOOD), [200, 200]
    yield "rubbish behind a body", _post(five, body=b"01234\0\r\n"), [200, 400]
    yield (
        "the longest body",
        _post(f"Content-Length: {BODY_BYTES}") + b"{" * BODY_BYTES,
        [200],
    )
    yield (
        "a body that is told",
        _post(five, "Expect: 100-continue", body=b"01234"),
        [100, 200],
    )
    for chunks in (
        b"1;x=y\r\na\r\n",
        b"1\r\na\r\n" * 50,
        b"00001\r\na\r\n",
        b"A\r\n0123456789\r\n",
    ):
        coded = _post("Transfer-Encoding: chunked", body=chunks + b"0\r\n\r\n" + GOOD)
        yield f"the chunks {chunks[:12]!r}", coded, [200, 200]
    for headers in (
        ("Upgrade: websocket",),
        ("Upgrade: websocket", "Connection: Upgrade"),
        ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 12"),
        ("Upgrade: websocket, h2c", "Connection: x", "Sec-WebSocket-Version: 13"),
    ):
        # What is behind it could be meant for a WebSocket.
        shake = _get("/chats/1/ws", *headers)
        yield f"half a handshake, {', '.join(headers)}", shake + GOOD, [400]


def entries() -> list[dict[str, Any]]:
    """Make all entries."""
    made: list[tuple[str, bytes, list[int]]] = list(answered())
    for name, request, status in refused():
        made += [(f"{name}, then a good one", request + GOOD, [status])]
        if len(request) < 400:
            made += [(f"{name}, behind a good one", GOOD + request, [200, status])]
    for name, request in unfinished():
        made += [
            (name, request, []),
            (f"{name}, behind a good one", GOOD + request, [200]),
        ]
    return [
        {"name": name, "bytes": request, "outcome": statuses}
        for name, request, statuses in made
    ]
