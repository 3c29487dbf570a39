# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The entrance for JSON, and finding where a value ends in a stream."""

from __future__ import annotations

import contextlib
import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatmux.errors import TextError
from chatmux.protocols.jsontext import ObjectScanner, decode, decode_in_any_case


class Greeting(msgspec.Struct):
    name: str | None = None
    age: int | None = None


decoder = msgspec.json.Decoder(Greeting)
anything = msgspec.json.Decoder()

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
objects = st.dictionaries(st.text(), values)

FRAGMENTS = (
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b" ", b"\xff", b"\xed\xa0\x80"),
    *(b'"name"', b'"NAME"', b'"Age"', b'"\\ud800"', b'"\\u0000"', b"{}", b"[" * 2000),
    *(b"null", b"true", b"7", b"-0", b"1e999", b"9" * 30, b"9" * 5000, b"NaN", b".5"),
)
"""Of which JSON is made, and what is almost JSON."""


class DecodeTests(SynchronousTestCase):
    def test_good_objects(self) -> None:
        for text, name in (
            (b'{"name":"bob"}', "bob"),
            (b' { "name" : "bob" } ', "bob"),
            (b'{"name":"a","name":"b"}', "b"),
            (b'{"name":"bob","unknown":[{}]}', "bob"),
            (b'{"name":null}', None),
            (b"{}", None),
            ('{"name":"ü\u2028"}'.encode(), "ü\u2028"),
            (b'{"name":"\\ud83d\\ude00"}', "😀"),
        ):
            self.assertEqual(decode(text, decoder).name, name, text)

    def test_a_half_surrogate_becomes_a_replacement_character(self) -> None:
        for text, name in (
            (b'{"name":"a\\ud800b"}', "a\ufffdb"),
            (b'{"name":"\\uDC00\\uD800"}', "\ufffd\ufffd"),
            (b'{"name":"\\ud800\\ud83d\\ude00"}', "\ufffd😀"),
            (b'{"other":"\\ud800","name":"bob"}', "bob"),
        ):
            self.assertEqual(decode(text, decoder).name, name, text)

    def test_what_is_no_json_or_another_type_is_refused(self) -> None:
        for text in (
            b"",
            b"{",
            b"[]",
            b'"name"',
            b'{"name":1}',
            b'{"age":NaN}',
            b'{"age":1e999}',
            b'{"name":"a\tb"}',
            b'{"name":"bob"}{}',
            b"\xef\xbb\xbf{}",
            '{"name":"bob"}'.encode("utf-16"),
            b'{"name":"\xff"}',
            b'{"name":"\xed\xa0\x80"}',
            b'{"name":"\\ud800","age":NaN}',
            b'{"name":"\\ud800"',
            b'{"age":"\\ud800"}',
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b'{"a":"\\ud800","b":' + b"[" * 100_000,
        ):
            self.assertRaises(TextError, decode, text, decoder)

    def test_what_is_passed_over_has_to_be_utf8_too(self) -> None:
        for text in b'{"x":"\xff"}', b'{"\xc3":1}', b'{"x":["\xed\xa0\x80"]}':
            self.assertRaises(TextError, decode, text, anything)

    @given(st.binary())
    def test_nothing_but_a_text_error_comes_of_any_bytes(self, data: bytes) -> None:
        with contextlib.suppress(TextError):
            decode(data, decoder)

    @given(st.lists(st.integers(0xD800, 0xDFFF) | st.integers(0x20, 0x7E), max_size=8))
    def test_no_surrogate_passes(self, points: list[int]) -> None:
        text = "".join(f"\\u{point:04x}" for point in points)
        name = decode(b'{"name":"%s"}' % text.encode(), decoder).name
        assert name is not None
        name.encode()


class AnyCaseTests(SynchronousTestCase):
    def test_keys_may_be_in_any_case(self) -> None:
        for text, name, age in (
            (b'{"name":"bob","age":7}', "bob", 7),
            (b'{"Name":"bob","AGE":7}', "bob", 7),
            (b'{"nAmE":"Bob","aGe":null}', "Bob", None),
            (b'{"NAME":"bob","Other":[{"name":1}]}', "bob", None),
            (b"{}", None, None),
            (b'{"N\\u0041ME":"bob"}', "bob", None),
            (b'{"Name":"a\\ud800b"}', "a\ufffdb", None),
            (b'{"\\ud800":1,"Name":"bob"}', "bob", None),
        ):
            found = decode_in_any_case(text, Greeting)
            self.assertEqual((found.name, found.age), (name, age), text)

    def test_of_a_repeated_key_the_last_counts(self) -> None:
        for text in (
            b'{"name":"a","Name":"z"}',
            b'{"Name":"a","name":"z"}',
            b'{"name":"a","name":"z"}',
            # Not where the first of its case stands.
            b'{"name":"a","Name":"b","name":"z"}',
            b'{"NAME":"a","name":"b","Name":"c","NAME":"z"}',
        ):
            self.assertEqual(decode_in_any_case(text, Greeting).name, "z", text)

    def test_what_is_no_object_or_another_type_is_refused(self) -> None:
        for text in (
            b"",
            b"null",
            b"[]",
            b'"name"',
            b'{"Name":1}',
            b'{"NAME":["bob"]}',
            b'{"Age":"7"}',
            b'{"Age":7.5}',
            b'{"Age":true}',
            b'{"Age":"\\ud800"}',
            b'{"Name":"bob"}{}',
            b'{"Name":NaN}',
            b'{"x":1e999}',
            b'{"x":' + b"1" * 5000 + b"}",
            b'{"x":"\\ud800","y":' + b"1" * 5000 + b"}",
            b"\xef\xbb\xbf{}",
            b'{"Name":"\xff"}',
            b'{"x":' * 100_000,
            b'{"\\ud800":' + b"[" * 100_000,
        ):
            self.assertRaises(TextError, decode_in_any_case, text, Greeting)

    @given(st.binary())
    def test_nothing_but_a_text_error_comes_of_any_bytes(self, data: bytes) -> None:
        with contextlib.suppress(TextError):
            decode_in_any_case(data, Greeting)

    @given(st.lists(st.sampled_from(FRAGMENTS)))
    def test_nor_of_what_is_almost_json(self, fragments: list[bytes]) -> None:
        with contextlib.suppress(TextError):
            decode_in_any_case(b"".join(fragments), Greeting)

    @given(st.lists(st.tuples(st.sampled_from(["name", "Name", "NAME"]), st.text())))
    def test_any_repetition_ends_with_its_last(
        self, pairs: list[tuple[str, str]]
    ) -> None:
        told = ",".join(f"{json.dumps(k)}:{json.dumps(v)}" for k, v in pairs)
        found = decode_in_any_case(f"{{{told}}}".encode(), Greeting)
        self.assertEqual(found.name, pairs[-1][1] if pairs else None)

    @given(objects)
    def test_any_object_is_read(self, value: dict[str, object]) -> None:
        others = {f"_{key}": one for key, one in value.items()}
        text = json.dumps(others | {"NAME": "bob"}).encode()
        self.assertEqual(decode_in_any_case(text, Greeting).name, "bob")


class ScannerTests(SynchronousTestCase):
    @given(objects, st.binary(max_size=20), st.data())
    def test_any_cutting_finds_the_same_end(
        self, value: dict[str, object], rest: bytes, data: st.DataObject
    ) -> None:
        text = json.dumps(value, ensure_ascii=data.draw(st.booleans())).encode(
            errors="surrogatepass"
        )
        stream = b" \r\n"[: data.draw(st.integers(0, 3))] + text + rest
        scanner = ObjectScanner(1 << 20)
        found, at = None, 0
        while found is None:
            step = data.draw(st.integers(1, len(stream)))
            found = scanner.feed(stream[at : at + step])
            at += step
        self.assertEqual(found[0].strip(), text)
        self.assertEqual(found[1] + stream[at:], rest)

    def test_what_is_no_object_is_refused_at_its_first_byte(self) -> None:
        for text in b"G", b"[", b'"', b"\x16\x03\x01", b" \n1", b"\x00", b"}":
            self.assertRaises(TextError, ObjectScanner(100).feed, text)

    def test_an_object_may_be_as_long_as_the_limit(self) -> None:
        text = b'{"a":"' + b"x" * 92 + b'"}'
        self.assertEqual(len(text), 100)
        self.assertEqual(ObjectScanner(100).feed(text + b"rest"), (text, b"rest"))
        self.assertRaises(TextError, ObjectScanner(99).feed, text)

    def test_an_endless_object_is_refused_at_the_limit(self) -> None:
        scanner = ObjectScanner(100)
        for byte in b'{"a":"' + b"x" * 94:
            self.assertIsNone(scanner.feed(bytes([byte])))
        self.assertRaises(TextError, scanner.feed, b"x")

    def test_endless_blanks_are_refused_at_the_limit(self) -> None:
        scanner = ObjectScanner(100)
        self.assertIsNone(scanner.feed(b" " * 100))
        self.assertRaises(TextError, scanner.feed, b" ")
