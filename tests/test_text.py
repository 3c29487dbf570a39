# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Names and lines: what nobody may pass for, and what no text can do."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatmux.text import (
    MOST_LINES,
    NAME_LENGTH,
    fold,
    likeness,
    likeness_of_speaker,
    name_fault,
    plain_lines,
    plain_name,
    plain_text,
)

BREAKS_AND_BIDI = "\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"

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

    def test_names_that_look_alike_have_one_likeness(self) -> None:
        for names in (
            ("bob", "b\u200bob", "bob\u2060", "\ufeffbob", "bo\u00adb"),
            ("bob", "b\u043eb", "\u0412\u041e\u0412", "b\u03bfb", "Bob"),
            ("a b", "a  b", "a\u00a0b", "a\u2003 b"),
            ("\U0001f600", "\U0001f600\ufe0f"),
            ("error", "\u0435rror", "\uff45rror"),
        ):
            self.assertEqual(len({likeness(name) for name in names}), 1, names)

    def test_names_that_do_not_look_alike_stay_apart(self) -> None:
        names = ["bob", "rob", "b ob", "\u0431\u043e\u0431", "b\u00f6b", "\u738b"]
        self.assertEqual(len({likeness(name) for name in names}), len(names))

    def test_a_name_with_nothing_to_see_is_none(self) -> None:
        for name in "\u200b", "\u3164", "\ufe0f \u2060", "\u00ad":
            self.assertEqual(name_fault(name), "must not be empty", repr(name))
            self.assertEqual(plain_name(name), "_")

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
    def test_a_likeness_is_its_own_and_the_same_for_one_fold(self, name: str) -> None:
        self.assertEqual(likeness(likeness(name)), likeness(name))
        self.assertEqual(likeness(fold(name)), likeness(name))

    @given(texts)
    def test_a_fold_is_its_own_fold(self, name: str) -> None:
        self.assertEqual(fold(fold(name)), fold(name))

    def test_a_speakers_name_takes_its_time_once(self) -> None:
        # Two milliseconds, and it may stand before thousands of messages.
        name = "\ufdfa" * NAME_LENGTH
        for look in likeness_of_speaker, plain_name:
            look.cache_clear()
            found = {look(name) for _ in range(1000)}
            self.assertEqual(len(found), 1)
            self.assertEqual(look.cache_info().misses, 1)
        self.assertEqual(likeness_of_speaker(name), likeness(name))


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
        kept = [c for c in kept if c not in BREAKS_AND_BIDI]
        self.assertEqual("".join(plain_lines(text)), "".join(kept))

    def test_a_text_is_cut_at_every_kind_of_line_break(self) -> None:
        for mark in "\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028":
            self.assertEqual(plain_lines(f"a{mark}b"), ["a", "b"], repr(mark))

    def test_bidi_overrides_are_in_no_line_and_marks_stay(self) -> None:
        text = "a\u202eb\u2066c\u2069\u200fd"
        self.assertEqual(plain_text(text), "abc\u200fd")
        self.assertEqual(plain_lines(text), ["abc\u200fd"])

    def test_of_very_many_lines_the_last_are_one(self) -> None:
        lines = plain_lines("a\n" * 100_000)
        self.assertEqual(len(lines), MOST_LINES)
        self.assertEqual(lines[0], "a")
        self.assertEqual(len(lines[-1]), 2 * (100_000 - MOST_LINES + 1) - 1)
        self.assertEqual(len(plain_lines("a\n" * MOST_LINES)), MOST_LINES)

    def test_an_empty_text_is_one_line(self) -> None:
        self.assertEqual(plain_lines(""), [""])

    def test_a_carriage_return_inside_a_line_is_a_blank(self) -> None:
        self.assertEqual(plain_text("one\rtwo\x1b[2J\tthree"), "one two[2J\tthree")
