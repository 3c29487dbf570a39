# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What may be said of a room in Globes, and how one is told."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatmux.model import Present, Room
from chatmux.protocols.globes.content import (
    Content,
    Login,
    Wish,
    beginning,
    check,
    read_login,
    read_wish,
    whole,
)
from chatmux.protocols.globes.faults import FaultError
from chatmux.text import fold, plain_text
from tests.globes_doubles import ROOM, fault

OPEN_ROOM = replace(ROOM, visibility="public", password="")
GOOD = {"title": "den", "description": "d", "visibility": "private"}

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
fields = st.sampled_from(
    ["title", "description", "visibility", "password", "name", "secret", "Title", ""]
)
likely = st.sampled_from(["public", "Private", "hidden", "den", "p" * 8, "", None])
bodies = (
    st.dictionaries(fields, likely | anything).map(lambda d: json.dumps(d).encode())
    | st.binary()
    | anything.map(lambda value: json.dumps(value).encode())
)


def checked(
    old: Room | None = None, may_have_password: bool = True, **wish: str | None
) -> Content:
    return check(Wish(**{**GOOD, "password": "p" * 8, **wish}), old, may_have_password)


class Case(SynchronousTestCase):
    def faulty(
        self,
        old: Room | None = None,
        may_have_password: bool = True,
        **wish: str | None,
    ) -> str | None:
        """Return the field that cannot be as it is, None if all can."""
        try:
            checked(old, may_have_password, **wish)
        except FaultError as error:
            status, code, field = fault(error.answer)
            self.assertEqual((status, code), (400, 105))
            return field
        return None


class ReadingTests(Case):
    def test_all_may_be_left_out(self) -> None:
        for body in b"{}", b' {"other":1} ', b'{"title":null,"password":null}':
            self.assertEqual(read_wish(body), Wish())
            self.assertEqual(read_login(body), Login())

    def test_what_is_no_json_is_a_fault(self) -> None:
        for body in (
            b"",
            b"{",
            b"[]",
            b"null",
            b'"den"',
            b"7",
            b"{}{}",
            b"{'title':'den'}",
            b'{"title":7}',
            b'{"title":["den"]}',
            b'{"title":"den","description":{}}',
            b'{"password":false}',
            b'{"title":NaN}',
            b'{"x":NaN}',
            b'\xef\xbb\xbf{"title":"den"}',
            b'{"title":"\t"}',
            b'{"title":"\xff"}',
            b"[" * 30_000,
            b'{"a":' * 10_000,
        ):
            error = self.assertRaises(FaultError, read_wish, body)
            self.assertEqual(fault(error.answer), (400, 103, ""), body[:30])
            self.assertEqual(
                error.answer.body,
                b'{"status":false,"error":{"code":103,"error":"Room error: Invalid '
                b'JSON"}}',
            )

    def test_a_request_for_a_token_that_is_no_json_says_nothing(self) -> None:
        for body in b"", b"x", b"[]", b'{"name":7,"secret":"s"}', b"[" * 30_000:
            self.assertEqual(read_login(body), Login(), body[:30])

    def test_the_last_of_a_key_counts(self) -> None:
        self.assertEqual(read_wish(b'{"title":"a","title":"b"}').title, "b")

    def test_keys_are_known_in_any_case(self) -> None:
        body = b'{"Title":"a","VISIBILITY":"public","title":"b","Password":null}'
        self.assertEqual(read_wish(body), Wish(title="b", visibility="public"))
        self.assertEqual(read_wish(b'{"title":"a","TITLE":"b"}').title, "b")
        self.assertEqual(read_login(b'{"NAME":"a","Secret":"b"}'), Login("a", "b"))

    def test_half_a_surrogate_is_a_replacement_character(self) -> None:
        self.assertEqual(read_wish(rb'{"title":"\ud800x"}').title, "\ufffdx")

    @given(bodies, st.sampled_from([None, ROOM, OPEN_ROOM]), st.booleans())
    @example(b'{"title":"\\ud800a","visibility":"public"}', None, True)
    def test_no_body_does_more_than_be_refused(
        self, body: bytes, old: Room | None, may_have_password: bool
    ) -> None:
        read_login(body)
        try:
            content = check(read_wish(body), old, may_have_password)
        except FaultError as error:
            self.assertEqual(error.answer.status, 400)
            return
        self.assertTrue(2 <= len(content.title.encode()) <= 70)
        self.assertLessEqual(len(content.description.encode()), 70)
        self.assertIn(content.visibility, ("public", "private", "hidden"))
        if content.password is not None:
            self.assertNotEqual(content.visibility, "public")
            self.assertTrue(8 <= len(content.password.encode()) <= 1024)
        if not may_have_password:
            self.assertEqual(content.visibility, "public")


class CheckingTests(Case):
    def test_what_is_good_is_returned(self) -> None:
        self.assertEqual(checked(), Content("den", "d", "private", "p" * 8))
        self.assertEqual(
            checked(visibility="public", password=None),
            Content("den", "d", "public", None),
        )

    def test_the_first_fault_is_told(self) -> None:
        faults = {"title": "x", "description": "x" * 71, "visibility": "x"}
        wish: dict[str, Any] = {**faults, "password": "x"}
        order = []
        for field in "title", "description", "visibility", "password":
            order.append(self.faulty(**wish))
            wish[field] = {**GOOD, "password": "p" * 8}[field]
        self.assertEqual(order, ["title", "description", "visibility", "password"])
        self.assertIsNone(self.faulty(**wish))

    def test_lengths_are_in_bytes(self) -> None:
        for title, good in (
            ("", False),
            ("x", False),
            ("\u00e9", True),
            ("xx", True),
            ("x" * 70, True),
            ("x" * 71, False),
            ("\u00e9" * 35, True),
            ("\u00e9" * 35 + "x", False),
            ("\U0001f600" * 17 + "xx", True),
            ("\U0001f600" * 18, False),
        ):
            self.assertEqual(self.faulty(title=title), None if good else "title", title)
        for text, good in (
            ("", True),
            ("x" * 70, True),
            ("x" * 71, False),
            ("\u00e9" * 35, True),
            ("\u00e9" * 36, False),
        ):
            found = self.faulty(description=text)
            self.assertEqual(found, None if good else "description", text)
        for text, good in (
            ("", False),
            ("x" * 7, False),
            ("x" * 8, True),
            ("\u00e9" * 4, True),
            ("x" * 1024, True),
            ("x" * 1025, False),
            ("\u00e9" * 512, True),
            ("\u00e9" * 513, False),
        ):
            found = self.faulty(password=text)
            self.assertEqual(found, None if good else "password", text)

    def test_what_is_left_out_is_empty(self) -> None:
        self.assertEqual(self.faulty(title=None), "title")
        self.assertIsNone(self.faulty(description=None))
        self.assertEqual(checked(description=None).description, "")
        self.assertEqual(self.faulty(visibility=None), "visibility")
        self.assertEqual(self.faulty(visibility=""), "visibility")
        self.assertEqual(self.faulty(password=None), "password")

    def test_numbers_are_no_titles(self) -> None:
        for title in (
            "12",
            "007",
            "0" * 70,
            " 12",
            "12\u00a0",
            "\u0661\u0662",
            "\u0967\u0968",
            "\uff11\uff12",
            "1\uff12",
            "\u00b2\u00b3",
            "\u2460\u2461",
            "\U0001d7ce\U0001d7cf",
            "  ",
            "\u3000",
        ):
            self.assertEqual(self.faulty(title=title), "title", ascii(title))
        for title in "1a", "-1", "+1", "1.5", "0x1", "1_0", "1 2", "\u2164", "\u4e00":
            self.assertIsNone(self.faulty(title=title), ascii(title))

    @given(st.text(st.characters(categories=["Nd", "No", "Zs"]), min_size=1))
    def test_no_title_can_be_taken_for_an_id(self, title: str) -> None:
        try:
            int(title)
        except ValueError:
            return
        self.assertEqual(self.faulty(title=title), "title")

    def test_control_characters_are_in_no_title(self) -> None:
        for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x200F, 0x202E):
            self.assertEqual(self.faulty(title=f"a{chr(code)}b"), "title", hex(code))
        for title in "a b", "\u00fcber", "\U0001f600", "a/b", "..", "<b>", "a&b", "'\"":
            self.assertIsNone(self.faulty(title=title))

    def test_a_null_is_nowhere(self) -> None:
        self.assertEqual(self.faulty(description="a\0b"), "description")
        self.assertEqual(self.faulty(password="a\0b" * 3), "password")
        self.assertIsNone(self.faulty(description="two\nlines"))

    def test_the_case_of_the_visibility_does_not_matter(self) -> None:
        for text in "private", "PRIVATE", "Private":
            self.assertEqual(checked(visibility=text).visibility, "private")
        for text in "privat", "private ", "1", "open", "publ\u0130c":
            self.assertEqual(self.faulty(visibility=text), "visibility", text)

    def test_a_public_room_has_no_password(self) -> None:
        self.assertEqual(self.faulty(visibility="public"), "visibility")
        self.assertEqual(self.faulty(visibility="public", password="x"), "visibility")
        self.assertIsNone(self.faulty(visibility="public", password=""))

    def test_a_room_keeps_its_password_unless_another_is_given(self) -> None:
        for visibility in "private", "hidden":
            for left_out in None, "":
                found = checked(ROOM, visibility=visibility, password=left_out)
                self.assertIsNone(found.password)
                found_fault = self.faulty(
                    OPEN_ROOM, visibility=visibility, password=left_out
                )
                self.assertEqual(found_fault, "password")
            self.assertEqual(checked(ROOM, visibility=visibility).password, "p" * 8)
            found_fault = self.faulty(ROOM, visibility=visibility, password="short")
            self.assertEqual(found_fault, "password")

    def test_a_room_of_a_bridge_is_public(self) -> None:
        for visibility in "private", "hidden":
            for password in "p" * 8, "short", None:
                wish: dict[str, Any] = {"visibility": visibility, "password": password}
                self.assertEqual(self.faulty(OPEN_ROOM, False, **wish), "visibility")
        self.assertIsNone(
            self.faulty(OPEN_ROOM, False, visibility="public", password=None)
        )

    @given(st.text())
    def test_a_title_that_passes_is_found_by_what_it_folds_to(self, title: str) -> None:
        try:
            found = checked(title=title)
        except FaultError:
            return
        self.assertEqual(found.title, title)
        self.assertEqual(plain_text(title), title)
        self.assertTrue(fold(title))


class ShowingTests(Case):
    ROOM = replace(
        OPEN_ROOM,
        title="den",
        description="a <b> & \u00e9",
        created=1_800_000_000_250_000,
        updated=1_800_000_060_000_001,
    )

    def shown(self, room: Room, *members: Present) -> bytes:
        return whole(beginning(room), members)

    def test_a_room_is_told_as_recorded(self) -> None:
        ann = Present("ann", "globes", "red", 0.0, 1_800_000_001.5)
        self.assertEqual(
            self.shown(self.ROOM, ann, ann._replace(name="bob", color="")).decode(),
            '{"title":"den","description":"a <b> & \u00e9","visibility":"public",'
            '"createdAt":"2027-01-15T08:00:00.250000Z",'
            '"updatedAt":"2027-01-15T08:01:00.000001Z","id":7,"users":['
            '{"username":"ann","color":"red",'
            '"last_activity":"2027-01-15T08:00:01.500000Z"},'
            '{"username":"bob","color":"",'
            '"last_activity":"2027-01-15T08:00:01.500000Z"}]}',
        )

    def test_an_empty_description_is_left_out(self) -> None:
        self.assertEqual(
            self.shown(replace(self.ROOM, description="")),
            b'{"title":"den","visibility":"public",'
            b'"createdAt":"2027-01-15T08:00:00.250000Z",'
            b'"updatedAt":"2027-01-15T08:01:00.000001Z","id":7,"users":[]}',
        )

    def test_nothing_is_told_of_the_password(self) -> None:
        shown = self.shown(replace(ROOM, password="$argon2id$v=19$x", generation=3))
        self.assertNotIn(b"argon2", shown)
        self.assertNotIn(b"password", shown)
        keys = ["title", "visibility", "createdAt", "updatedAt", "id", "users"]
        self.assertEqual(list(json.loads(shown)), keys)

    @given(st.integers(0, 4_000_000_000_000_000))
    def test_no_microsecond_is_lost(self, at: int) -> None:
        told = json.loads(self.shown(replace(ROOM, created=at)))["createdAt"]
        self.assertEqual(told[-8:], f".{at % 1_000_000:06}Z")
