# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""webtalk's private port: ``[store]``, ``[retrieve]`` and ``[clear]``."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.webtalk_doubles import Webtalk


class StoreTests(SynchronousTestCase):
    def test_keys_and_values_are_kept_as_they_are(self) -> None:
        webtalk = Webtalk()
        everything = bytes(range(256))
        key = everything.replace(b"!", b"")
        self.assertEqual(
            webtalk.say(
                b"[store] " + key + b"!" + everything,
                b"[retrieve] " + key,
                b"[clear] " + key,
                b"[retrieve] " + key,
            ),
            [
                b"[ok] stored " + key,
                b"[ok] " + everything,
                b"[ok] cleared " + key,
                b"[ok] ",
            ],
        )

    @given(st.binary(max_size=40), st.binary(max_size=40))
    def test_any_value_comes_back(self, key: bytes, value: bytes) -> None:
        key = key.replace(b"!", b"?")
        webtalk = Webtalk()
        webtalk.say(b"[store] other!x", b"[store] %s!%s" % (key, value))
        self.assertEqual(webtalk.say(b"[retrieve] " + key), [b"[ok] " + value])

    def test_an_empty_key_is_a_key(self) -> None:
        webtalk = Webtalk()
        self.assertEqual(
            webtalk.say(
                b"[store] !v",
                b"[retrieve] ",
                b"[retrieve]",
                b"[clear]",
                b"[retrieve]",
            ),
            [b"[ok] stored ", b"[ok] v", b"[ok] v", b"[ok] cleared ", b"[ok] "],
        )

    def test_a_value_may_be_empty_and_may_hold_separators(self) -> None:
        webtalk = Webtalk()
        self.assertEqual(
            webtalk.say(b"[store] k!a!b", b"[retrieve] k", b"[store] k!"),
            [b"[ok] stored k", b"[ok] a!b", b"[ok] stored k"],
        )
        self.assertEqual(webtalk.say(b"[retrieve] k"), [b"[ok] "])

    def test_a_key_cannot_hold_a_separator(self) -> None:
        webtalk = Webtalk()
        webtalk.say(b"[store] a!b!c")
        self.assertEqual(
            webtalk.say(b"[retrieve] a!b", b"[retrieve] a"), [b"[ok] ", b"[ok] b!c"]
        )

    def test_all_back_ends_have_one_store(self) -> None:
        webtalk = Webtalk()
        webtalk.say(b"[store] k!v", b"")
        self.assertEqual(webtalk.new_backend().say(b"[retrieve] k"), [b"[ok] v"])

    def test_the_number_of_keys_is_bounded(self) -> None:
        webtalk = Webtalk(max_keys=2)
        self.assertEqual(
            webtalk.say(
                b"[store] a!1",
                b"[store] b!1",
                b"[store] c!1",
                b"[store] a!2",
                b"[retrieve] c",
                b"[clear] x",
                b"[store] c!2",
                b"[clear] b",
                b"[store] c!3",
                b"[retrieve] a",
                b"[retrieve] c",
            ),
            [
                b"[ok] stored a",
                b"[ok] stored b",
                b"[error] the store is full",
                b"[ok] stored a",
                b"[ok] ",
                b"[ok] cleared x",
                b"[error] the store is full",
                b"[ok] cleared b",
                b"[ok] stored c",
                b"[ok] 2",
                b"[ok] 3",
            ],
        )

    def test_the_bytes_of_keys_and_values_are_bounded_together(self) -> None:
        webtalk = Webtalk(max_store_bytes=10)
        self.assertEqual(
            webtalk.say(
                b"[store] abc!1234567",
                b"[store] !",
                b"[store] x!",
                b"[store] abc!12345678",
                b"[retrieve] abc",
                b"[store] abc!1234",
                b"[store] x!12",
                b"[store] y!",
                b"[clear] abc",
                b"[store] x!123456789",
                b"[store] x!1234567890",
                b"[retrieve] x",
            ),
            [
                b"[ok] stored abc",
                b"[ok] stored ",
                b"[error] the store is full",
                b"[error] the store is full",
                b"[ok] 1234567",
                b"[ok] stored abc",
                b"[ok] stored x",
                b"[error] the store is full",
                b"[ok] cleared abc",
                b"[ok] stored x",
                b"[error] the store is full",
                b"[ok] 123456789",
            ],
        )

    def test_storing_and_clearing_for_ever_fills_nothing(self) -> None:
        webtalk = Webtalk(max_keys=1, max_store_bytes=10)
        for number in range(1000):
            self.assertEqual(
                webtalk.say(b"[store] %d!12345" % number, b"[clear] %d" % number),
                [b"[ok] stored %d" % number, b"[ok] cleared %d" % number],
            )
