# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The operator's requests and their answers: values in, values out."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from chatmux.admin.api import MOST, NOTICE_LENGTH
from chatmux.admin.watch import AT_ONCE
from chatmux.model import Close, Member
from chatmux.protocols import machat
from tests.admin_doubles import APITestCase
from tests.doubles import MemoryConnection
from tests.test_guard import Guarded


class ListTests(APITestCase):
    def test_connections_the_youngest_first(self) -> None:
        self.peer("machat.tcp", "192.0.2.7:1", "machat/lounge", name="ann")
        second = self.peer("machat.ws", "192.0.2.8:2", "machat/b", name="bob")
        second.paused, second.unread = True, 7
        found = self.get("connections")
        self.assertEqual([one["number"] for one in found], [2, 1])
        self.assertEqual(
            found[0],
            {
                "number": 2,
                "door": "machat.ws",
                "peer": "192.0.2.8:2",
                "channels": [{"name": "machat/b", "as": "bob"}],
                "paused": True,
                "unsent": 7,
            },
        )
        self.assertEqual(found[1]["channels"], [{"name": "multichat", "as": "ann"}])

    def test_connections_are_chosen(self) -> None:
        self.peer("machat.tcp", "192.0.2.7:1", "machat/lounge", name="Ann")
        self.peer("machat.ws", "192.0.2.8:2", "machat/b", name="bob")
        self.peer("admin.address", "127.0.0.1:3")
        for query, numbers in {
            "": [2, 1],
            "?limit=1": [2],
            "?door=machat.tcp": [1],
            "?door=admin.address": [3],
            "?channel=machat/b": [2],
            "?channel=globes/1": [1],
            "?channel=nowhere": [],
            "?find=ANN": [1],
            "?find=machat%2Fb": [2],
            "?find=192.0.2.8": [2],
            "?find=machat.": [2, 1],
            "?find=2": [2, 1],
            "?door=machat.ws&find=ann": [],
        }.items():
            found = self.get(f"connections{query}")
            self.assertEqual([one["number"] for one in found], numbers, query)

    def test_channels_the_largest_first(self) -> None:
        for number in range(3):
            self.peer("machat.tcp", "x", "machat/lounge", name=f"a{number}")
        self.peer("machat.tcp", "x", "machat/b", name="bob")
        self.broker.publish("machat/b", "bob", "hi", origin="machat")
        lounge, other = self.get("channels")
        self.assertEqual(
            lounge,
            {
                "name": "multichat",
                "names": ["multichat", "machat/lounge", "globes/1"],
                "connections": 3,
                "members": 3,
                "messages": 0,
            },
        )
        self.assertEqual(other["names"], ["machat/b"])
        self.assertEqual(other["messages"], 1)
        self.assertEqual(self.get("channels?limit=1"), [lounge])

    def test_members_by_any_name_of_a_channel(self) -> None:
        self.clock.advance(5)
        self.broker._now = self.clock.seconds
        self.peer("machat.tcp", "x", "machat/lounge", name="ann")
        expected = [{"name": "ann", "origin": "machat", "since": 5.0}]
        self.assertEqual(self.get("members?channel=globes/1"), expected)
        self.assertEqual(self.get("members?channel=nowhere"), [])
        self.assertEqual(self.get("members?channel=globes/1&limit=0"), [])

    def test_limits_of_lists(self) -> None:
        for limit in "", "-1", "x", "1e3", "123456", "%D9%A1":
            answer = self.ask("GET", f"/api/channels?limit={limit}")
            self.assert_problem(answer, 400, "limit")
        for number in range(MOST + 2):
            self.broker.join(f"c{number}", Member("a", "machat", number + 1))
        self.assertEqual(len(self.get("channels")), 500)
        self.assertEqual(len(self.get("channels?limit=99999")), MOST)

    def test_refusals_the_latest_first(self) -> None:
        self.guard.turned_away("machat.tcp", "192.0.2.7:1", "full")
        bad = Guarded(self.guard, Close(1008, "wrong\n\x1b[2Jsecret"))
        self.guard.release(bad)
        first, second = self.get("refusals")
        self.assertEqual(first["code"], 1008)
        self.assertEqual(first["reason"], r"wrong\n\x1b[2Jsecret")
        self.assertEqual((second["door"], second["code"]), ("machat.tcp", 0))

    def test_samples_and_server(self) -> None:
        self.assertEqual(self.get("samples"), [])
        self.assertEqual(self.get("server"), {"version": "0"})


class ActTests(APITestCase):
    def test_a_connection_is_closed(self) -> None:
        one = self.peer("machat.tcp", "192.0.2.7:1")
        told = self.post(f"connections/{one.number}/close", reason=" be\u202e gone ")
        self.assertEqual(told, {"closed": 1})
        self.assertEqual(one.why, Close(1000, "be gone"))
        self.assertEqual(
            self.notes,
            [
                "the operator (192.0.2.1) closed connection 1 (machat.tcp,"
                " 192.0.2.7:1): be gone"
            ],
        )

    def test_without_a_reason_there_is_one(self) -> None:
        one = self.peer("machat.tcp", "192.0.2.7:1")
        self.post(f"connections/{one.number}/close")
        self.assertEqual(one.why, Close(1000, "closed by the operator"))

    def test_a_reason_has_to_fit(self) -> None:
        one = self.peer("machat.tcp", "192.0.2.7:1")
        path = f"/api/connections/{one.number}/close"
        answer = self.ask("POST", path, {"reason": "é" * 62})
        self.assert_problem(answer, 400, "123 bytes")
        self.assertIsNone(one.why)

    def test_a_channel_is_closed_by_any_name(self) -> None:
        there = [self.peer("x", "x", "machat/lounge", name=f"a{n}") for n in range(2)]
        other = self.peer("x", "x", "machat/b", name="bob")
        told = self.post("channels/close", channel="globes/1", reason="over")
        self.assertEqual(told, {"closed": 2})
        self.assertEqual([one.why for one in there], [Close(1000, "over")] * 2)
        self.assertIsNone(other.why)
        self.assertEqual(len(self.notes), 1)

    def test_very_many_are_looked_at_and_closed_in_several_turns(self) -> None:
        there = [self.peer("x", "x", "machat/b") for _ in range(2 * AT_ONCE + 1)]
        self.assertEqual(self.get("connections?find=nobody"), [])
        self.assertEqual(self.turns, 2)
        self.assertEqual(self.get("connections?door=x&limit=1")[0]["number"], 501)
        self.assertEqual(self.turns, 2)
        told = self.post("channels/close", channel="machat/b")
        self.assertEqual(told, {"closed": len(there)})
        self.assertEqual(self.turns, 4)
        self.assertTrue(all(one.why for one in there))

    def test_who_has_gone_meanwhile_is_not_closed(self) -> None:
        there = [self.peer("x", "x", "machat/b") for _ in range(AT_ONCE + 2)]

        async def give_way() -> None:
            for one in there:
                if one.why is None:
                    self.guard.release(one)  # type: ignore[arg-type]

        self.give_way = give_way  # type: ignore[method-assign]
        self.door = self.make()
        told = self.post("channels/close", channel="machat/b")
        self.assertEqual(told, {"closed": AT_ONCE})

    def test_whoever_has_no_peer_is_not_closed(self) -> None:
        self.broker.subscribe("webtalk/1", MemoryConnection(), machat.encode)
        answer = self.ask("POST", "/api/channels/close", {"channel": "webtalk/1"})
        self.assert_problem(answer, 404, "nobody")

    def test_what_is_not_there(self) -> None:
        close = "/api/connections/7/close"
        self.assert_problem(self.ask("POST", close, {}), 404, "no such connection")
        nowhere = {"channel": "nowhere", "text": "hi"}
        self.assert_problem(self.ask("POST", "/api/notice", nowhere), 404, "nobody")
        self.assert_problem(self.ask("POST", "/api/notice", {"text": "x"}), 404, "")
        self.assert_problem(self.ask("GET", "/api/"), 404, "path")
        self.assert_problem(
            self.ask("POST", f"/api/connections/{'9' * 19}/close"), 404, ""
        )
        self.assertEqual(self.notes, [])

    def test_methods(self) -> None:
        answer = self.ask("GET", "/api/notice")
        self.assert_problem(answer, 405, "method")
        self.assertIn(("Allow", "POST"), answer.headers)
        self.assertEqual(self.ask("HEAD", "/api/server").status, 200)
        self.assertEqual(self.ask("DELETE", "/api/server").status, 405)

    def test_bodies_that_are_none(self) -> None:
        one = self.peer("machat.tcp", "192.0.2.7:1", "machat/b", name="ann")
        for body in (
            b"",
            b"[]",
            b"{",
            b'{"text": 1}',
            b'{"text": "\\ud800"}',
            b'{"text": "\xff"}',
            b'{"text": "x", "more": 1}',
            b"[" * 10_000,
            b'{"text": " \\n\\u0007 "}',
            json.dumps({"text": "x" * (NOTICE_LENGTH + 1)}).encode(),
        ):
            answer = self.ask("POST", "/api/notice", body)
            self.assert_problem(answer, 400, "")
        self.clock.advance(0)
        self.assertEqual(one.written, b"")

    def test_a_body_has_to_be_declared_as_json(self) -> None:
        for kind in "", "text/plain", "application/x-www-form-urlencoded":
            answer = self.ask("POST", "/api/notice", b'{"text":"x"}', content_type=kind)
            self.assert_problem(answer, 415, "application/json")
        kind = "Application/JSON ; charset=utf-8"
        answer = self.ask("POST", "/api/notice", b'{"text":"x"}', content_type=kind)
        self.assertEqual(answer.status, 404)

    @given(st.binary(max_size=60))
    def test_no_body_is_an_error_of_ours(self, body: bytes) -> None:
        for path in "notice", "channels/close", "connections/1/close":
            answer = self.ask("POST", f"/api/{path}", body)
            self.assertIn(answer.status, (400, 404))
