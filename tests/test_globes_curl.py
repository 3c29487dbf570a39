# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The REST API of Globes by curl, byte for byte as the original answers."""

from __future__ import annotations

import base64
import json
import re
from urllib.parse import quote

from tests.globes_server import ADMIN, PASSWORD, GlobesTestCase, curl

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
TIMES = f'"createdAt":"{TIME}","updatedAt":"{TIME}"'
ROOM_ERROR = '{"status":false,"error":{"code":%d,"error":"Room error: %s"%s}}'


def field(name: str) -> str:
    return f',"field":"{name}"'


class CurlTests(GlobesTestCase):
    def setUp(self) -> None:
        self.server = self.serve()
        (port,) = self.server.ports("globes.address")
        self.url = f"http://127.0.0.1:{port}"

    def assert_answer(
        self, status: int, pattern: str, path: str, *arguments: str
    ) -> str:
        answer = curl(*arguments, self.url + path)
        body = answer.body.decode()
        self.assertEqual(answer.status, status, body)
        self.assertRegex(body, rf"\A(?:{pattern})\Z")
        self.assertEqual(answer.headers["content-type"], "application/json")
        self.assertEqual(answer.names, ["Content-Type", "Date", "Content-Length"])
        return body

    def assert_fault(self, status: int, body: str, path: str, *arguments: str) -> None:
        self.assert_answer(status, re.escape(body), path, *arguments)

    def post(self, **wish: str) -> tuple[str, str]:
        return "-d", json.dumps(wish)

    def put(self, **wish: str) -> tuple[str, ...]:
        return "-X", "PUT", *self.post(**wish)

    def test_the_life_of_a_public_room(self) -> None:
        admin = ("-H", f"Authorization: Bearer {ADMIN}")
        room = rf'{{"title":"My Room","description":"d","visibility":"public",{TIMES},'
        made = self.assert_answer(
            201,
            room + r'"id":2,"users":\[\]}',
            "/chats",
            *self.post(title="My Room", description="d", visibility="Public"),
        )
        for path in "/chats/2", "/chats/02", "/chats/My%20Room", "/chats/mY%20rOOM":
            self.assert_answer(200, re.escape(made), path)
        self.assert_answer(200, rf"\[{{.*}},{re.escape(made)}\]", "/chats")
        # Nobody needs a token, so there is none.
        for path, arguments in (
            ("/chats/2/token", self.post(name="ann", secret="x")),
            ("/chats/2/token/renew", ()),
        ):
            self.assert_answer(200, '{"status":true}', path, *arguments)
        changed = self.put(title="Other", visibility="public")
        self.assert_fault(
            403,
            '{"status":false,"error":{"code":403,"error":"Token error: Invalid token",'
            '"field":"token"}}',
            "/chats/2",
            *changed,
        )
        told = self.assert_answer(
            200,
            rf'{{"title":"Other","visibility":"public",{TIMES},"id":2,"users":\[\]}}',
            "/chats/2",
            *admin,
            *changed,
        )
        made_at, changed_at = re.findall(TIME, told)
        self.assertEqual([made_at] * 2, re.findall(TIME, made))
        self.assertGreater(changed_at, made_at)
        self.assert_fault(
            404,
            ROOM_ERROR % (101, "Room not found", field("My Room")),
            "/chats/My%20Room",
        )
        self.assert_answer(
            200, '{"status":true}', "/chats/oTHER", *admin, "-X", "DELETE"
        )
        for path in "/chats/2", "/chats/Other":
            self.assertEqual(curl(self.url + path).fault[:2], (404, 101))
        self.assert_answer(
            201, r'.*"id":3,.*', "/chats", *self.post(title="New", visibility="public")
        )

    def test_the_life_of_private_and_hidden_rooms(self) -> None:
        for number, visibility in (2, "private"), (3, "hidden"):
            title = f"Secret {visibility}"
            path = f"/chats/{number}"
            made = self.assert_answer(
                201,
                rf'{{"title":"{title}","visibility":"{visibility}",{TIMES},'
                rf'"id":{number},"users":\[\]}}',
                "/chats",
                *self.post(
                    title=title, visibility=visibility.upper(), password=PASSWORD
                ),
            )
            self.assert_answer(200, re.escape(made), path)
            self.assert_answer(200, re.escape(made), f"/chats/{quote(title.lower())}")
            listed = curl(f"{self.url}/chats").body
            self.assertEqual(made.encode() in listed, visibility == "private")
            token_pattern = (
                rf'{{"status":true,"name":"ann","room_id":{number},'
                r'"token":"([\w-]+\.[\w-]+\.[\w-]+)"}'
            )
            for body in (
                self.post(name="ann", secret="wrong"),
                self.post(name="ann"),
                self.post(secret="", name="ann"),
                ("-d", "no JSON"),
            ):
                answer = curl(f"{self.url}{path}/token", *body)
                self.assertEqual(answer.fault, (401, 304, "secret"))
            answer = curl(f"{self.url}{path}/token", *self.post(secret=PASSWORD))
            self.assertEqual(answer.fault, (400, 303, "name"))
            told = self.assert_answer(
                201,
                token_pattern,
                f"{path}/token",
                *self.post(name="ann", secret=PASSWORD),
            )
            token = json.loads(told)["token"]
            head, claims, _ = (
                base64.urlsafe_b64decode(part + "==") for part in token.split(".")
            )
            self.assertEqual(json.loads(head), {"alg": "HS256", "typ": "JWT"})
            read = json.loads(claims)
            self.assertEqual(list(read)[:3], ["username", "room_id", "exp"])
            self.assertEqual((read["username"], read["room_id"]), ("ann", number))
            self.assertEqual(read["exp"], read["iat"] + 3600)
            for shown in (
                f"Authorization: Bearer {token}",
                f"Authorization: Token {token}",
                f"Authorization: {token}",
                f"Sec-WebSocket-Protocol: {token}",
            ):
                self.assert_answer(
                    201, token_pattern, f"{path}/token/renew", "-H", shown
                )
            for arguments in (
                ("-X", "DELETE"),
                ("-X", "DELETE", "-H", f"Authorization: Bearer {ADMIN}"),
                ("-X", "DELETE", "-H", f"Authorization: Bearer {token[:-6]}AAAAAA"),
                self.put(title="Mine", visibility="public"),
            ):
                answer = curl(self.url + path, *arguments)
                self.assertEqual(answer.fault, (403, 403, "token"))
            owner = ("-H", f"Authorization: Bearer {token}")
            self.assert_answer(
                200,
                rf'{{"title":"Ours","description":"new","visibility":"private",{TIMES},'
                rf'"id":{number},"users":\[\]}}',
                path,
                *owner,
                *self.put(title="Ours", description="new", visibility="private"),
            )
            self.assert_answer(200, '{"status":true}', path, *owner, "-X", "DELETE")
        self.assertEqual(self.server.stop(), 0)
        self.assertNotIn("Traceback", self.server.log)
        for secret in (PASSWORD, ADMIN, token):
            self.assertNotIn(secret, self.server.log)

    def test_errors_are_the_originals(self) -> None:
        taken = self.post(title="PUBLIC CHAT", visibility="public")
        short = self.post(title="t", visibility="public")
        digits = self.post(title="123", visibility="public")
        nowhere = self.post(title="tt", visibility="nowhere")
        weak = self.post(title="tt", visibility="private", password="1234567")
        both = self.post(title="tt", visibility="public", password="12345678")
        long = self.post(title="tt", description="x" * 71, visibility="public")
        for body, code, words, name in (
            (taken, 102, "Duplicate room", "title"),
            (short, 105, "Invalid content", "title"),
            (digits, 105, "Invalid content", "title"),
            (long, 105, "Invalid content", "description"),
            (nowhere, 105, "Invalid content", "visibility"),
            (both, 105, "Invalid content", "visibility"),
            (weak, 105, "Invalid content", "password"),
            (("-d", "no JSON"), 103, "Invalid JSON", None),
            (("-d", ""), 103, "Invalid JSON", None),
            (("-d", '{"title":1}'), 103, "Invalid JSON", None),
            (("-d", "[]"), 103, "Invalid JSON", None),
            (("-d", "[" * 60_000), 103, "Invalid JSON", None),
        ):
            expected = ROOM_ERROR % (code, words, "" if name is None else field(name))
            self.assert_fault(400, expected, "/chats", *body)
        for path in "/chats/7", "/chats/no%20such", "/chats/7/ws", "/chats/0_1":
            answer = curl(self.url + path)
            key = path.split("/")[2].replace("%20", " ")
            self.assertEqual(answer.fault, (404, 101, key))
        for path in "/chats/", "/chats/1/", "/chats/1/ws/", "/favicon.ico":
            answer = curl(self.url + path)
            self.assertEqual(answer.status, 404)
            self.assertEqual(answer.body, b"404 page not found\n")
        for method, path in ("PATCH", "/chats/1"), ("PUT", "/chats"):
            answer = curl("-X", method, self.url + path)
            self.assertEqual((answer.status, answer.body), (405, b""))
        answer = curl(f"{self.url}/chats/1/ws")
        self.assertEqual(answer.status, 400)
        self.assertEqual(
            answer.body,
            b'Bad Request\n{"status":false,"error":{"code":301,'
            b'"error":"Could not establish session"}}',
        )
        self.assertEqual(answer.headers["content-type"], "text/plain; charset=utf-8")

    def test_bodies_of_all_kinds(self) -> None:
        wish = json.dumps({"title": "Chunked", "visibility": "public"}).encode()
        stdin = ("--data-binary", "@-")
        chunked = (*stdin, "-H", "Transfer-Encoding: chunked")
        answer = curl(*chunked, f"{self.url}/chats", data=wish)
        self.assertEqual(answer.status, 201)
        room = {"title": "Longest", "visibility": "public"}
        for size, status in (64 * 1024, 201), (64 * 1024 + 1, 413):
            body = json.dumps(room).encode().ljust(size)
            for way in stdin, chunked, (*chunked, "-H", "Expect: 100-continue"):
                answer = curl(*way, f"{self.url}/chats", data=body)
                self.assertEqual(answer.status, status)
                if status == 201:
                    room["title"] += "!"
                    body = json.dumps(room).encode().ljust(size)
                else:
                    self.assertEqual(answer.fault, (413, 413, None))
