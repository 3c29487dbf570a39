# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The PROXY protocol's headers, versions 1 and 2."""

from __future__ import annotations

import socket

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatmux.transports.proxy_header import (
    LONGEST_BYTES,
    ProxyHeader,
    ProxyHeaderError,
    read_proxy_header,
)

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
LINE = b"PROXY TCP4 192.0.2.9 198.51.100.1 56324 443\r\n"
ANN = ProxyHeader("192.0.2.9", 56324, len(LINE))


def binary(
    host: str | None, port: int = 56324, *, command: int = 0x21, more: bytes = b""
) -> bytes:
    """Make a header of version 2; None for one without an address."""
    if host is None:
        family, body = 0, b""
    else:
        kind = socket.AF_INET6 if ":" in host else socket.AF_INET
        family = 0x21 if ":" in host else 0x11
        packed = socket.inet_pton(kind, host)
        body = packed + packed + port.to_bytes(2, "big") + (443).to_bytes(2, "big")
    body += more
    head = bytes((command, family)) + len(body).to_bytes(2, "big")
    return SIGNATURE + head + body


HEADERS = (
    LINE,
    b"PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n",
    b"PROXY UNKNOWN\r\n",
    b"PROXY UNKNOWN ffff:: 1 whatever\r\n",
    binary("192.0.2.9"),
    binary("2001:db8::1", more=b"\x03\x00\x04abcd"),
    binary(None),
    binary("192.0.2.9", command=0x20),
)


class HeaderTestCase(SynchronousTestCase):
    def assert_none(self, *wrong: bytes) -> None:
        for data in wrong:
            with self.assertRaises(ProxyHeaderError, msg=data):
                read_proxy_header(data)


class LineTests(HeaderTestCase):
    def test_ipv4(self) -> None:
        self.assertEqual(read_proxy_header(LINE), ANN)

    def test_ipv6(self) -> None:
        header = read_proxy_header(b"PROXY TCP6 2001:DB8:0::1 ::1 65535 0\r\n")
        self.assertEqual(header, ProxyHeader("2001:db8::1", 65535, 38))

    def test_ipv4_is_itself_also_in_ipv6(self) -> None:
        header = read_proxy_header(b"PROXY TCP6 ::ffff:192.0.2.9 ::1 1 2\r\n")
        assert header is not None
        self.assertEqual(header.host, "192.0.2.9")

    def test_unknown_is_the_proxy_itself(self) -> None:
        for line in b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN ::1 ::1 1 2\r\n":
            self.assertEqual(read_proxy_header(line), ProxyHeader(None, 0, len(line)))

    def test_what_follows_is_not_part_of_it(self) -> None:
        for rest in b"\r\n", b"GET /", LINE, bytes(100_000):
            self.assertEqual(read_proxy_header(LINE + rest), ANN)

    def test_the_longest(self) -> None:
        begun = b"PROXY UNKNOWN "
        longest = begun + b"x" * (105 - len(begun)) + b"\r\n"
        self.assertEqual(read_proxy_header(longest), ProxyHeader(None, 0, 107))
        self.assertIsNone(read_proxy_header(longest[:-1]))
        self.assert_none(longest.replace(b"\r", b"x\r"), begun + b"x" * 100)

    def test_what_is_none(self) -> None:
        self.assert_none(
            b"GET / HTTP/1.1\r\n",
            b"\x16\x03\x01\x02\x00",
            b"PROXZ",
            b"proxy TCP4",
            b"\r\nX",
            b"PROXY\r\n",
            b"PROXY TCP5 192.0.2.9 198.51.100.1 1 2\r\n",
            b"PROXY TCP4 192.0.2.9 198.51.100.1 1\r\n",
            b"PROXY TCP4 192.0.2.9 198.51.100.1 1 2 3\r\n",
            b"PROXY TCP4  192.0.2.9 198.51.100.1 1 2\r\n",
            b"PROXY TCP4 192.0.2 198.51.100.1 1 2\r\n",
            b"PROXY TCP4 \xff\xfe 198.51.100.1 1 2\r\n",
            b"PROXY TCP4 192.0.2.9 198.51.100.1 65536 2\r\n",
            b"PROXY TCP4 192.0.2.9 198.51.100.1 -1 2\r\n",
            b"PROXY TCP4 192.0.2.9 198.51.100.1 1 2\n\r\n",
            b"PROXY UNKNOWN \x00\r\n",
        )


class BinaryTests(HeaderTestCase):
    def test_addresses(self) -> None:
        for host in "192.0.2.9", "2001:db8::1":
            data = binary(host)
            expected = ProxyHeader(host, 56324, len(data))
            self.assertEqual(read_proxy_header(data + b"rest"), expected)

    def test_ipv4_is_itself_also_in_ipv6(self) -> None:
        header = read_proxy_header(binary("::ffff:192.0.2.9"))
        assert header is not None
        self.assertEqual(header.host, "192.0.2.9")

    def test_extensions_are_passed_over(self) -> None:
        data = binary("192.0.2.9", more=b"\x01\x00\x02h2")
        self.assertEqual(
            read_proxy_header(data), ProxyHeader("192.0.2.9", 56324, len(data))
        )

    def test_local_and_unknown_families_are_the_proxy_itself(self) -> None:
        unix = SIGNATURE + b"\x21\x31\x00\xd8" + b"/run/x.sock".ljust(216, b"\x00")
        for data in binary("192.0.2.9", command=0x20), binary(None), unix:
            self.assertEqual(
                read_proxy_header(data + b"rest"), ProxyHeader(None, 0, len(data))
            )

    def test_the_longest(self) -> None:
        room = LONGEST_BYTES - len(binary("192.0.2.9"))
        data = binary("192.0.2.9", more=bytes(room))
        self.assertEqual(len(data), LONGEST_BYTES)
        header = read_proxy_header(data)
        assert header is not None
        self.assertEqual(header.length, LONGEST_BYTES)
        # Not waited for.
        self.assert_none(binary("192.0.2.9", more=bytes(room + 1))[:16])

    def test_what_is_none(self) -> None:
        good = binary("192.0.2.9")
        short = good[:15] + b"\x0b" + good[16:27]
        self.assert_none(
            binary("192.0.2.9", command=0x11),
            binary("192.0.2.9", command=0x31),
            binary("192.0.2.9", command=0x22),
            short,
            SIGNATURE[:-1] + b"X" + good[12:],
        )


class AnyBytesTests(HeaderTestCase):
    @given(st.sampled_from(HEADERS), st.binary(max_size=40))
    def test_a_header_is_found_when_its_last_byte_is_there(
        self, header: bytes, rest: bytes
    ) -> None:
        whole = read_proxy_header(header)
        assert whole is not None
        self.assertEqual(whole.length, len(header))
        for end in range(len(header)):
            self.assertIsNone(read_proxy_header(header[:end]), end)
        self.assertEqual(read_proxy_header(header + rest), whole)

    @given(
        st.one_of(
            st.binary(max_size=400),
            st.binary(max_size=300).map(lambda tail: SIGNATURE + tail),
            st.binary(max_size=300).map(lambda tail: SIGNATURE + b"\x21\x11" + tail),
            st.binary(max_size=120).map(lambda tail: b"PROXY TCP4 " + tail),
            st.text(
                st.sampled_from("PROXYTCUNKW46 0123456789.:\r\n%"), max_size=120
            ).map(lambda text: b"PROXY " + text.encode()),
        )
    )
    @example(b"")
    @example(b"\r")
    @example(b"PROXY TCP6 fe80::1%\r ::1 1 2\r\n")
    def test_it_says_the_same_however_it_comes(self, data: bytes) -> None:
        found: list[ProxyHeader | str | None] = []
        for end in range(len(data) + 1):
            try:
                found.append(read_proxy_header(data[:end]))
            except ProxyHeaderError as error:
                found.append(str(error))
        said = [one for one in found if one is not None]
        # Once it has been said what it is, more bytes make it nothing else.
        if isinstance(said[0] if said else "", ProxyHeader):
            self.assertEqual(set(said), {said[0]})
        self.assertTrue(all(isinstance(one, type(said[0])) for one in said))
        # And nobody is waited for without an end.
        self.assertTrue(said or len(data) < LONGEST_BYTES)
