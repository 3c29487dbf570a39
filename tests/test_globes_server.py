# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Globes on real sockets: bytes by hand, and WebSockets by the package websockets."""

from __future__ import annotations

import json
import re
import socket
from typing import Any

from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.globes_server import CONFIG, GLOBES, PASSWORD, GlobesTestCase, Member
from tests.server import DEADLINE_SECONDS

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
HOST = "Host: x\r\n"


class BytesTests(GlobesTestCase):
    def test_pieces_and_a_connection_that_is_kept(self) -> None:
        (port,) = self.serve().ports("globes.address")
        client = socket.create_connection(("127.0.0.1", port), DEADLINE_SECONDS)
        self.addCleanup(client.close)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = client.makefile("rb")
        self.addCleanup(reader.close)

        def hear() -> tuple[str, bytes]:
            first = reader.readline().decode()
            length = 0
            while line := reader.readline().strip():
                name, _, value = line.partition(b": ")
                if name == b"Content-Length":
                    length = int(value)
            return first[9:12], reader.read(length)

        for title in "One", "Two":
            wish = json.dumps({"title": title, "visibility": "public"})
            request = f"POST /chats HTTP/1.1\r\n{HOST}Content-Length: {len(wish)}\r\n"
            for byte in f"{request}\r\n{wish}".encode():
                client.sendall(bytes((byte,)))
            status, body = hear()
            self.assertEqual(status, "201")
            self.assertEqual(json.loads(body)["title"], title)
        # Asked at once, answered in order.
        paths = ["/chats/One", "/chats/9", "/chats/Two"] * 20
        requests = [f"GET {path} HTTP/1.1\r\n{HOST}\r\n" for path in paths]
        client.sendall("".join(requests).encode())
        answers = [hear() for _ in paths]
        self.assertEqual([status for status, _ in answers], ["200", "404", "200"] * 20)
        self.assertEqual(
            [json.loads(body).get("id") for _, body in answers], [2, None, 3] * 20
        )


class WebSocketTests(GlobesTestCase):
    def setUp(self) -> None:
        self.server = self.serve()
        (self.port,) = self.server.ports("globes.address")
        self.client = self.rest(self.port)

    def assert_refused(self, room: int | str, code: int, **options: object) -> None:
        url = f"ws://127.0.0.1:{self.port}/chats/{room}/ws"
        refused = self.assertRaises(
            InvalidStatus, connect, url, proxy=None, compression=None, **options
        )
        answer = refused.response
        self.assertEqual(answer.status_code, code)
        expected = {403: 403, 404: 101}[code]
        self.assertEqual(json.loads(answer.body)["error"]["code"], expected)

    def test_the_handshake_is_the_originals(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as raw:
            raw.sendall(
                f"GET /chats/public%20chat/ws HTTP/1.1\r\n{HOST}"
                "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
                "Sec-WebSocket-Version: 13\r\nOrigin: http://anywhere.example\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
            )
            self.assertEqual(
                raw.recv(1000),
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
            )

    def test_a_public_room_byte_for_byte(self) -> None:
        watch, ann = self.member(self.port, 1), self.member(self.port, "public%20CHAT")
        for said, told in (
            (
                '{"event_type":"join","name":"Ann","color":"red","secret":"s"}',
                '{"event_type":"join","name":"Ann","room_id":1,"color":"red",'
                '"msg":"Ann entered the room.","time":"TIME"}',
            ),
            (
                '{"EVENT_TYPE":"send","Name":"ANN","msg":"<hi> größe\\u0007"}',
                '{"event_type":"send","name":"Ann","room_id":1,'
                '"msg":"<hi> größe\\u0007","time":"TIME"}',
            ),
            (
                '{"event_type":"send","name":"Ann","color":"blue","msg":"bye"}',
                '{"event_type":"send","name":"Ann","room_id":1,"color":"blue",'
                '"msg":"bye","time":"TIME"}',
            ),
            (
                '{"event_type":"leave","name":"Ann"}',
                '{"event_type":"leave","name":"Ann","room_id":1,"color":"red",'
                '"msg":"Ann has left the room.","time":"TIME"}',
            ),
        ):
            ann.socket.send(said)
            for one in ann, watch:
                heard = one.socket.recv(DEADLINE_SECONDS)
                assert isinstance(heard, str)
                self.assertEqual(re.sub(f'"{TIME}"', '"TIME"', heard), told)

    def test_a_private_room(self) -> None:
        room = self.client.add("Private", PASSWORD)
        tokens = {name: self.client.token(room, name) for name in ("ann", "Bob")}
        elsewhere = self.client.token(self.client.add("Other", PASSWORD), "ann")
        for options in (
            {},
            {"subprotocols": ["chat"]},
            {"subprotocols": [elsewhere]},
            {"additional_headers": {"Authorization": f"Bearer {elsewhere}"}},
            {"additional_headers": {"Authorization": f"Bearer {tokens['ann']}x"}},
        ):
            self.assert_refused(room, 403, **options)
        self.assert_refused(99, 404)
        ann = self.member(self.port, room, tokens["ann"])
        header = {"Authorization": f"Bearer {tokens['Bob']}"}
        bob = self.member(self.port, "PRIVATE", additional_headers=header)
        # The name is the token's, whatever the event has.
        ann.say("join", "Bob")
        bob.say("join", "x")
        both = [("join", name, f"{name} entered the room.") for name in ("ann", "Bob")]
        for one in ann, bob:
            self.assertEqual(sorted(one.heard(2)), sorted(both, key=str))
        users = self.client.ask("GET", f"/chats/{room}").json["users"]
        self.assertEqual({user["username"] for user in users}, {"ann", "Bob"})
        ann.say("send", "ann", msg="hello")
        for one in ann, bob:
            self.assertEqual(one.heard(1), [("send", "ann", "hello")])
        bob.say("send", "ann", msg="forged")
        refused = bob.hear()
        self.assertEqual(refused["event_type"], "error")
        self.assertEqual(refused["code"], 202)
        again = self.member(self.port, room, tokens["ann"])
        again.say("join", "ann")
        self.assertEqual(again.hear()["code"], 202)
        bob.say("send", "bob", msg="right")
        bob.socket.close()
        rest = [("send", "Bob", "right"), ("leave", "Bob", "Bob has left the room.")]
        for one in ann, again:
            self.assertEqual(one.heard(2), rest)

    def test_what_ends_a_private_rooms_sockets(self) -> None:
        room = self.client.add("Private", PASSWORD)
        for method, wish, reason in (
            (
                "PUT",
                {"title": "Private", "visibility": "hidden", "password": PASSWORD},
                "the room has a new password",
            ),
            ("DELETE", None, "the room was deleted"),
        ):
            token = self.client.token(room, "ann")
            ann = self.member(self.port, room, token, "ann")
            answer = self.client.ask(method, f"/chats/{room}", wish, token)
            self.assertEqual(answer.status, 200)
            self.assertEqual(ann.end(), (1008, reason))
            code = 404 if method == "DELETE" else 403
            self.assert_refused(room, code, subprotocols=[token])

    def test_long_events(self) -> None:
        ann, bob = self.member(self.port, 1, name="ann"), self.member(self.port, 1)
        event = {"event_type": "send", "name": "ann", "msg": ""}
        room = 64 * 1024 - len(json.dumps(event))
        ann.say("send", "ann", msg="x" * room)
        self.assertEqual(len(bob.hear()["msg"]), room)
        ann.say("send", "ann", msg="x" * (room + 1))
        self.assertEqual(ann.end()[0], 1009)
        self.assertEqual(bob.hear()["event_type"], "leave")

    def test_origins_of_a_list_only(self) -> None:
        origins: Any = ["https://chat.example"]
        config = {**CONFIG, "globes": {**GLOBES, "origins": origins}}
        (self.port,) = self.serve(config).ports("globes.address")
        url = f"ws://127.0.0.1:{self.port}/chats/1/ws"
        strangers: Any = "https://evil.example", "null"
        for origin in strangers:
            with self.assertRaises(InvalidStatus) as caught:
                connect(url, proxy=None, origin=origin)
            self.assertEqual(caught.exception.response.status_code, 403)
        with connect(url, proxy=None, origin=origins[0]) as client:
            member = Member(client)
            member.say("join", "ann")
            self.assertEqual(member.hear()["name"], "ann")
