# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What two readers could take for two different requests is refused, and ends."""

from __future__ import annotations

from chatmux.door import Answer
from tests.http_doubles import HTTPTestCase

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"


def post(*headers: bytes, body: bytes = b"", version: bytes = b"1.1") -> bytes:
    """Return a request that has Host and some headers more."""
    lines = [b"POST / HTTP/" + version, b"Host: h", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


LENGTHS = {
    "length and chunked": post(
        b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"
    ),
    "chunked and length": post(
        b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n"
    ),
    "two lengths": post(b"Content-Length: 5", b"Content-Length: 6", body=b"hello"),
    "one length twice": post(b"Content-Length: 5", b"Content-Length: 5", body=b"hello"),
    "a list of lengths": post(b"Content-Length: 5, 5", body=b"hello"),
    "a signed length": post(b"Content-Length: +5", body=b"hello"),
    "a negative length": post(b"Content-Length: -5", body=b"hello"),
    "a hexadecimal length": post(b"Content-Length: 0x5", body=b"hello"),
    "a length with an underscore": post(b"Content-Length: 1_0", body=b"hello12345"),
    "a length in other digits": post(b"Content-Length: \xb2", body=b"he"),
    "an empty length": post(b"Content-Length:"),
    "a length with a space in it": post(b"Content-Length: 1 0", body=b"hello12345"),
    "a length that Python does not take": post(b"Content-Length: " + b"9" * 5000),
}

ENCODINGS = {
    "identity": post(b"Transfer-Encoding: identity"),
    "gzip": post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"),
    "chunked, identity": post(b"Transfer-Encoding: chunked, identity"),
    "chunked twice": post(
        b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"
    ),
    "chunked and identity": post(
        b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=b"0\r\n\r\n"
    ),
    "xchunked": post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"),
    "chunked with a tab in it": post(b"Transfer-Encoding: \x0bchunked"),
    "chunked in quotes": post(b'Transfer-Encoding: "chunked"', body=b"0\r\n\r\n"),
    "an empty encoding": post(b"Transfer-Encoding:", body=b"0\r\n\r\n"),
    "chunked in 1.0": post(
        b"Transfer-Encoding: chunked", body=b"0\r\n\r\n", version=b"1.0"
    ),
}

CHUNKED = post(b"Transfer-Encoding: chunked")

CHUNKS = {
    "a size with a sign": CHUNKED + b"+5\r\nhello\r\n0\r\n\r\n",
    "a size with 0x": CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n",
    "a size with a space": CHUNKED + b"5 \r\nhello\r\n0\r\n\r\n",
    "a size with an underscore": CHUNKED + b"0_5\r\nhello\r\n0\r\n\r\n",
    "an empty size": CHUNKED + b"\r\nhello\r\n0\r\n\r\n",
    "a size ended by a line feed": CHUNKED + b"5\nhello\r\n0\r\n\r\n",
    "a chunk longer than its size": CHUNKED + b"5\r\nhello!\r\n0\r\n\r\n",
    "a line feed in an extension": CHUNKED + b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "an endless extension": CHUNKED + b"5;" + b"a" * 2000 + b"\r\nhello\r\n0\r\n\r\n",
}

HEADERS = {
    "a folded header": post(b"X-A: b", b" Content-Length: 5", body=b"hello"),
    "a folded first header": b"GET / HTTP/1.1\r\n Host: h\r\nHost: h\r\n\r\n",
    "a tab before a header": post(b"\tTransfer-Encoding: chunked"),
    "a space before the colon": post(b"Content-Length : 5", body=b"hello"),
    "a tab before the colon": post(b"Transfer-Encoding\t: chunked"),
    "no colon": post(b"Content-Length 5", body=b"hello"),
    "no name": post(b": 5"),
    "a name that is no token": post(b"Content/Length: 5", body=b"hello"),
    "a NUL in a name": post(b"Content-Length\x00: 5", body=b"hello"),
    "a NUL in a value": post(b"X-A: b\x00c"),
    "a carriage return in a value": post(b"X-A: b\rContent-Length: 5", body=b"hello"),
    "a line feed in a value": post(b"X-A: b\nContent-Length: 5", body=b"hello"),
    "a vertical tab behind a value": post(b"X-A: b\x0b"),
    "two Hosts": post(b"Host: other"),
    "one Host twice": post(b"Host: h"),
    "no Host": b"GET / HTTP/1.1\r\nX-A: b\r\n\r\n",
    "no header at all": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts in one": b"GET / HTTP/1.1\r\nHost: h, other\r\n\r\n",
    "a Host with a path": b"GET / HTTP/1.1\r\nHost: h/x\r\n\r\n",
    "a Host with a user": b"GET / HTTP/1.1\r\nHost: a@h\r\n\r\n",
}

REQUEST_LINES = {
    name: line + b"\r\nHost: h\r\n\r\n"
    for name, line in {
        "an absolute URI": b"GET http://other/ HTTP/1.1",
        "an authority": b"CONNECT other:443 HTTP/1.1",
        "an asterisk": b"OPTIONS * HTTP/1.1",
        "a fragment": b"GET /#x HTTP/1.1",
        "no slash": b"GET x HTTP/1.1",
        "no URI": b"GET HTTP/1.1",
        "an empty URI": b"GET  HTTP/1.1",
        "HTTP/0.9": b"GET /",
        "HTTP/2": b"GET / HTTP/2.0",
        "HTTP/1.2": b"GET / HTTP/1.2",
        "a version in lower case": b"GET / http/1.1",
        "another protocol": b"GET / ICY/1.1",
        "two spaces": b"GET /  HTTP/1.1",
        "a tab": b"GET\t/\tHTTP/1.1",
        "a space at the end": b"GET / HTTP/1.1 ",
        "a space at the beginning": b" GET / HTTP/1.1",
        "a method that is no token": b"G(T / HTTP/1.1",
        "a NUL": b"GET /\x00 HTTP/1.1",
        "a carriage return": b"GET /\r HTTP/1.1",
        "a line feed": b"GET /x HTTP/1.1\nX: HTTP/1.1",
        "UTF-8": b"GET /\xc3\xa9 HTTP/1.1",
        "two lines before it": b"\r\n\r\nGET / HTTP/1.1",
        "TLS": b"\x16\x03\x01\x02\x00",
        "HTTP/2's preface": b"PRI * HTTP/2.0",
    }.items()
}

CORPUS = LENGTHS | ENCODINGS | CHUNKS | HEADERS | REQUEST_LINES


class SmugglingTests(HTTPTestCase):
    def assert_refused(self, name: str, request: bytes, step: int) -> None:
        client = self.connect()
        stream = request + SMUGGLED
        for start in range(0, len(stream), step):
            client.say(stream[start : start + step])
        answers = client.hear()
        self.assertEqual([one.status for one in answers], [400], name)
        self.assertTrue(answers[0].closes, name)
        self.assertEqual(answers[0].headers[0], ("X-Door", "yes"), name)
        self.assertTrue(client.ended, name)
        self.assertEqual(self.server.requests, [], name)
        # Whatever is said from now on is for nobody.
        client.say(SMUGGLED)
        self.assertEqual(client.read(), b"", name)
        client.wire.end()
        self.assertTrue(client.lost, name)

    def test_the_corpus_is_refused_with_400_and_the_close(self) -> None:
        for name, request in CORPUS.items():
            self.assert_refused(name, request, 1 << 16)
        self.assertEqual(self.guard.counts["closed 1002"], len(CORPUS))
        self.assert_nothing_is_left()

    def test_and_so_it_is_byte_by_byte(self) -> None:
        for name, request in CORPUS.items():
            if len(request) < 500:
                self.assert_refused(name, request, 1)

    def test_what_is_near_to_it_is_served(self) -> None:
        """The corpus fails for what is wrong with it, and for nothing else."""
        chunks = b"5;a=b\r\nhello\r\n0\r\n\r\n"
        for request in (
            post(b"Content-Length: 5", body=b"hello"),
            post(b"content-length:005\t", body=b"hello"),
            post(b"Transfer-Encoding: chunked", body=chunks),
            post(b"transfer-encoding:\tCHUNKED ", body=chunks),
            post(
                b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\nA: b\r\n\r\n"
            ),
            b"\r\n" + post(b"Content-Length: 5", body=b"hello"),
            b"POST / HTTP/1.1\r\nHost:\r\nContent-Length: 5\r\n\r\nhello",
            post(b"Content-Length: 5", b"X-A: \xe9\tb!", body=b"hello"),
        ):
            client = self.connect()
            client.say(request + SMUGGLED)
            self.assertEqual([one.status for one in client.hear()], [200, 200], request)
            first, second = self.server.requests[-2:]
            self.assertEqual((first.body, second.path), (b"hello", "/smuggled"))

    def test_a_refusal_comes_behind_the_answers_that_are_owed(self) -> None:
        owed = self.server.later("/later")
        client = self.connect()
        later = b"GET /later HTTP/1.1\r\nHost: h\r\n\r\n"
        client.say(later + REQUEST_LINES["HTTP/2"] + SMUGGLED)
        self.assertEqual(client.read(), b"")
        owed.callback(Answer(201))
        self.assertEqual([one.status for one in client.hear()], [201, 400])
        self.assertTrue(client.ended)
