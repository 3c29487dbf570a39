# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Names and lines: what nobody may pass for, and what no text can do."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatmux.text import fold, name_fault, plain_lines, plain_name, plain_text

texts = st.text(st.characters(exclude_categories=["Cs"]))


class NameTests(SynchronousTestCase):
    def test_names_that_read_alike_fold_to_one(self) -> None:
        for names in (
            ("Bob", "bob", "BOB", " bob", "bob "),
            ("Ångström", "A\u030angstro\u0308m", "ångström", "\u212bngström"),
            ("straße", "STRASSE", "strasse"),
            ("ｂｏｂ", "bob"),
            ("Kelvin", "\u212aelvin"),
        ):
            self.assertEqual(len({fold(name) for name in names}), 1, names)

    def test_names_that_do_not_read_alike_stay_apart(self) -> None:
        names = ["bob", "rob", "bob2", "b ob", "боб"]
        self.assertEqual(len({fold(name) for name in names}), len(names))

    def test_good_names_have_no_fault(self) -> None:
        for name in "bob", "a b", "李雷", "👩‍👩‍👧", "O'Neil", "<b>", "x" * 255:
            self.assertIsNone(name_fault(name), name)

    def test_names_that_could_forge_have_a_fault(self) -> None:
        self.assertIsNotNone(name_fault("x" * 256))
        for name in (
            "",
            " ",
            "a:b",
            "a\nb",
            "\x1b[2J",
            "a\x85b",
            "a\u2028b",
            "\u202eb",
        ):
            self.assertIsNotNone(name_fault(name), repr(name))

    @given(texts)
    def test_a_plain_name_has_no_fault(self, name: str) -> None:
        plain = plain_name(name)
        self.assertIsNone(name_fault(plain))
        if name_fault(name) is None:
            self.assertEqual(plain, name)

    @given(texts)
    def test_a_fold_is_its_own_fold(self, name: str) -> None:
        self.assertEqual(fold(fold(name)), fold(name))


class TextTests(SynchronousTestCase):
    @given(texts)
    def test_lines_have_no_breaks_and_no_controls_but_the_tab(self, text: str) -> None:
        lines = plain_lines(text)
        self.assertTrue(lines)
        for line in lines:
            self.assertTrue(len(line.splitlines()) <= 1)
            for character in line:
                control = unicodedata.category(character) == "Cc"
                self.assertTrue(character == "\t" or not control, repr(line))

    @given(texts)
    def test_what_may_stay_stays(self, text: str) -> None:
        kept = [c for c in text if c == "\t" or unicodedata.category(c) != "Cc"]
        kept = [c for c in kept if c not in "\u2028\u2029"]
        self.assertEqual("".join(plain_lines(text)), "".join(kept))

    def test_a_text_is_cut_at_every_kind_of_line_break(self) -> None:
        for mark in "\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028":
            self.assertEqual(plain_lines(f"a{mark}b"), ["a", "b"], repr(mark))

    def test_an_empty_text_is_one_line(self) -> None:
        self.assertEqual(plain_lines(""), [""])

    def test_a_carriage_return_inside_a_line_is_a_blank(self) -> None:
        self.assertEqual(plain_text("one\rtwo\x1b[2J\tthree"), "one two[2J\tthree")
