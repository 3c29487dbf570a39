# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Keys of what Globes is sent, in any case, as Go's decoder takes them."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatmux.errors import TextError
from chatmux.protocols.globes.events import Said, decode
from tests.globes_doubles import ADMIN, PASSWORD, GlobesCase, RoomCase, said

WHOLE = Said("send", "ann", "red", "hi")


def spellings(key: str) -> st.SearchStrategy[str]:
    """Return a key's ways to be written."""
    letters = [st.sampled_from([one.lower(), one.upper()]) for one in key]
    return st.tuples(*letters).map("".join)


class RestTests(GlobesCase):
    async def test_a_room_is_made_and_changed_by_any(self) -> None:
        await self.start()
        wish = (
            b'{"Title":"den","DESCRIPTION":"d","Visibility":"private",'
            b'"PassWord":"correct horse"}'
        )
        told = said(await self.ask("POST", "/chats", wish))
        self.assertEqual(
            (told["title"], told["description"], told["visibility"]),
            ("den", "d", "private"),
        )
        token = await self.login("den")
        wish = b'{"TITLE":"club","Visibility":"public"}'
        answer = await self.ask("PUT", "/chats/den", wish, token)
        self.assertEqual(said(answer)["title"], "club")
        answer = await self.ask(
            "POST", "/chats/1/token", b'{"NAME":"ann","Secret":"x"}'
        )
        self.assertEqual(answer.status, 200)

    async def test_a_password_is_shown_by_any(self) -> None:
        await self.start()
        await self.add("den", "private")
        login = f'{{"Name":"Ann","SECRET":"{PASSWORD}"}}'.encode()
        answer = await self.ask("POST", "/chats/den/token", login)
        self.assertEqual((answer.status, said(answer)["name"]), (201, "Ann"))

    async def test_of_a_repeated_key_the_last_counts(self) -> None:
        await self.start()
        for wish, title in (
            (b'{"Visibility":"public","Title":"aa","title":"bb"}', "bb"),
            (b'{"Visibility":"public","title":"aa","Title":"cc"}', "cc"),
            (b'{"Visibility":"public","title":"a","Title":"b","title":"dd"}', "dd"),
        ):
            answer = await self.ask("POST", "/chats", wish)
            self.assertEqual(said(answer)["title"], title)

    async def test_a_wrong_type_is_refused_in_any(self) -> None:
        await self.start()
        for wish in (
            b'{"Title":7,"Visibility":"public"}',
            b'{"title":"den","VISIBILITY":["public"]}',
            b'{"Title":{"title":"den"},"visibility":"public"}',
            b'{"Title":"den","visibility":"public","Password":false}',
        ):
            for method, path in ("POST", "/chats"), ("PUT", "/chats/1"):
                found = await self.faults(method, path, wish, ADMIN)
                self.assertEqual(found, (400, 103, ""), wish)
        await self.add("den", "private")
        for login in b'{"Name":"ann","Secret":7}', b'{"Name":7,"Secret":"x"}':
            found = await self.faults("POST", "/chats/den/token", login)
            self.assertEqual(found, (401, 304, "secret"))
        self.assertEqual(self.passwords.verified, [])


class EventTests(RoomCase):
    def hear(self, *messages: bytes) -> list[tuple[str, str, str]]:
        peer = self.peer()
        for message in messages:
            peer.session.received(message, False)
        return peer.words()

    def test_somebody_joins_talks_and_leaves_by_any(self) -> None:
        heard = self.hear(
            b'{"EVENT_TYPE":"join","Name":"ann"}',
            b'{"event_type":"send","name":"ann","Msg":"hi"}',
            b'{"Event_Type" : "send", "NAME" : "ann", "MSG" : "ho"}',
            b'{"Event_type":"leave","name":"ann"}',
        )
        self.assertEqual(
            heard,
            [
                ("join", "ann", "ann entered the room."),
                ("send", "ann", "hi"),
                ("send", "ann", "ho"),
                ("leave", "ann", "ann has left the room."),
            ],
        )

    def test_what_they_hold_is_in_no_other_case(self) -> None:
        self.assertEqual(self.hear(b'{"EVENT_TYPE":"JOIN","name":"ann"}'), [])
        self.assertEqual(self.names(), [])

    def test_a_text_that_looks_like_a_key_is_a_text(self) -> None:
        heard = self.hear(
            b'{"event_type":"join","name":"ann"}',
            rb'{"event_type":"send","name":"ann","msg":"{\"Name\":\"eve\"}"}',
        )
        self.assertEqual(heard[-1], ("send", "ann", '{"Name":"eve"}'))


class DecodingTests(SynchronousTestCase):
    @given(
        *(spellings(key) for key in ("event_type", "name", "color", "msg")),
        st.permutations(range(4)),
    )
    def test_any_spelling_in_any_order_is_read(
        self, kind: str, name: str, color: str, msg: str, order: list[int]
    ) -> None:
        pairs = (
            f'"{kind}":"send"',
            f'"{name}":"ann"',
            f'"{color}":"red"',
            f'"{msg}":"hi"',
        )
        text = ",".join(pairs[index] for index in order)
        self.assertEqual(decode(f"{{{text}}}".encode()), WHOLE)

    def test_the_last_counts_and_every_type_is_looked_at(self) -> None:
        begun = b'{"event_type":"send","name":"eve","color":"red","msg":"hi"'
        self.assertEqual(decode(begun + b',"Name":"ann"}'), WHOLE)
        self.assertEqual(decode(begun + b',"Name":"x","name":"ann"}'), WHOLE)
        self.assertEqual(decode(begun + b',"name":"ann","X":{"Name":1}}'), WHOLE)
        for more in b',"Name":1}', b',"MSG":["a"]}', b',"Color":{}}':
            self.assertRaises(TextError, decode, begun + more)

    @given(st.binary() | st.text().map(str.encode))
    def test_nothing_but_a_text_error_comes_of_any_bytes(self, data: bytes) -> None:
        for text in data, b'{"Name":' + data + b"}", b'{"A":"' + data + b'"}':
            with contextlib.suppress(TextError):
                decode(text)
