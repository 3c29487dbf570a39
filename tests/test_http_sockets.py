# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""HTTP through the listener, with clients that know nothing of chatmux."""

from __future__ import annotations

import http.client
import shutil
import subprocess
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThread
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from chatmux.door import Answer, Request, Upgrade
from chatmux.settings import TLSFiles
from chatmux.transports.listener import Listener
from tests.certificates import client_context, make_files
from tests.http_doubles import GET, Server
from tests.test_listener import ListenerTestCase
from tests.test_tls import SECRET


class SocketTestCase(ListenerTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.server = Server()
        self.sessions = self.server.sessions
        self.sessions.steps[b"hello"] = lambda connection: connection.send(SECRET)

    async def serve(self, **changes: Any) -> int:
        """Return the port."""
        listener = await self.listen(self.server.door(**changes))
        return self.port(listener)

    def port(self, listener: Listener) -> int:
        assert listener.host_and_port is not None
        return listener.host_and_port[1]


class HTTPClientTests(SocketTestCase):
    async def test_one_connection_many_requests(self) -> None:
        port = await self.serve()

        def talk() -> list[tuple[int, bytes, str | None]]:
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            answers = []
            for method, path, body in (
                ("GET", "/a", None),
                ("HEAD", "/b", None),
                ("POST", "/c", b"hello"),
                ("PUT", "/d", [b"he", b"llo"]),
                ("GET", "/e", None),
            ):
                chunked = isinstance(body, list)
                client.request(method, path, body, encode_chunked=chunked)
                answer = client.getresponse()
                length = answer.getheader("Content-Length")
                answers.append((answer.status, answer.read(), length))
            client.close()
            return answers

        answers = await deferToThread(talk)
        self.assertEqual([one[0] for one in answers], [200] * 5)
        self.assertEqual([one[1] for one in answers], [b"/a", b"", b"/c", b"/d", b"/e"])
        self.assertEqual([one[2] for one in answers], ["2"] * 5)
        bodies = [request.body for request in self.server.requests]
        self.assertEqual(bodies, [b"", b"", b"hello", b"hello", b""])
        self.assertEqual(self.guard.counts["accepted"], 1)

    async def test_who_sends_far_too_much_learns_it(self) -> None:
        """The answer is not lost to a reset while the client is still sending."""
        port = await self.serve()

        def talk() -> tuple[int, bytes]:
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            client.request("POST", "/", b"x" * 3_000_000)
            answer = client.getresponse()
            result = answer.status, answer.read()
            client.close()
            return result

        for _ in range(5):
            answer = await deferToThread(talk)
            self.assertEqual(answer, (413, b"too large"))

    async def test_curl(self) -> None:
        curl = shutil.which("curl")
        if curl is None:
            self.skipTest("no curl here")
        port = await self.serve()
        url = f"http://127.0.0.1:{port}"
        body = Path(self.mktemp())
        body.write_bytes(b"x" * 1000)

        def run(*arguments: str) -> str:
            return subprocess.run(
                [curl, "-sS", "--max-time", "10", *arguments],
                capture_output=True,
                check=True,
                text=True,
            ).stdout

        said = await deferToThread(run, f"{url}/a", f"{url}/b")
        self.assertEqual(said, "/a/b")
        self.assertEqual(self.guard.counts["accepted"], 1)
        said = await deferToThread(
            run, "--data-binary", f"@{body}", "-H", "Expect: 100-continue", f"{url}/c"
        )
        self.assertEqual(said, "/c")
        self.assertEqual(self.server.requests[-1].body, b"x" * 1000)
        said = await deferToThread(run, "-I", f"{url}/d")
        self.assertTrue(said.startswith("HTTP/1.1 200 OK\n"), said)
        self.assertIn("Content-Length: 2\n", said)


class WebSocketTests(SocketTestCase):
    def talk(self, uri: str, **options: Any) -> tuple[str | bytes, str | None, int]:
        offer = [Subprotocol("chat.v2"), Subprotocol("chat.v1")]
        with connect(uri, subprotocols=offer, proxy=None, **options) as client:
            client.send("hello")
            heard = client.recv()
        return heard, client.subprotocol, client.close_code or 0

    def decide(self, request: Request) -> Upgrade | Answer:
        return Upgrade(self.sessions.make, "chat.v1")

    async def test_with_a_subprotocol(self) -> None:
        self.server.decide = self.decide
        port = await self.serve()
        found = await deferToThread(self.talk, f"ws://127.0.0.1:{port}/ws")
        self.assertEqual(found, (SECRET.decode(), "chat.v1", 1000))

    async def test_over_tls_with_http_before_it(self) -> None:
        self.server.decide = self.decide
        files = make_files(Path(self.mktemp()))
        port = await self.serve(tls=files)

        def ask() -> tuple[int, bytes]:
            client = http.client.HTTPSConnection(
                "127.0.0.1", port, timeout=10, context=client_context(files)
            )
            client.request("GET", "/a")
            client.getresponse().read()
            client.request("POST", "/", b"x" * 3000)
            answer = client.getresponse()
            return answer.status, answer.read()

        self.assertEqual(await deferToThread(ask), (413, b"too large"))
        context = client_context(files)
        uri = f"wss://127.0.0.1:{port}/ws"
        found = await deferToThread(lambda: self.talk(uri, ssl=context))
        self.assertEqual(found, (SECRET.decode(), "chat.v1", 1000))

    async def test_plain_http_is_no_way_in(self) -> None:
        files: TLSFiles = make_files(Path(self.mktemp()))
        listener = await self.listen(self.server.door(tls=files))
        caller = await self.call(listener)
        caller.say(GET)
        await caller.lost
        self.assertNotIn(b"HTTP", caller.heard)
        self.assertEqual(self.server.requests, [])

    async def test_a_websocket_that_stayed_is_left_to_the_guard(self) -> None:
        """The check is trial's: no delayed call may be left in the reactor."""
        listener = await self.listen(self.server.door())
        caller = await self.call(listener)
        caller.say(GET)
        await caller.until(b"\r\n\r\n/")
        self.assertEqual(len(self.guard.connections), 1)
