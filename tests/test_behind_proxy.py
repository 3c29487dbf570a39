# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""A server behind a proxy over HTTP: whom it speaks for, at every door."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

from tests.attack import PLACES, WEBSOCKETS, AttackTestCase, Target
from tests.globes_server import ADMIN, PASSWORD, Answered
from tests.server import DEADLINE_SECONDS, waiting

ANN, BOB = "192.0.2.9", "2001:db8::9"
LONG = ("Cookie: a=b", "Cookie: c=d")
"""What no plain handshake has: Autobahn reads it."""
DEBUG: dict[str, Any] = {"log-level": "debug"}
TRUSTED: dict[str, Any] = {"trusted-proxies": ["127.0.0.1"]}


class Proxy:
    """Passes on what clients send, with their address behind their first header.

    Args:
        port: The server's.
        address: That it says they have.
    """

    def __init__(self, port: int, address: str) -> None:
        self._line = f"\r\nX-Forwarded-For: {address}".encode()
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._server_port))
            self._sockets += [client, server]
            first = client.recv(1 << 16)
            header, end, rest = first.partition(b"\r\n\r\n")
            server.sendall(header + self._line + end + rest)
            for one, other in (client, server), (server, client):
                threading.Thread(target=_pass_on, args=(one, other)).start()

    def close(self) -> None:
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(1 << 16):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)


def forwarded(address: str) -> str:
    return f"X-Forwarded-For: {address}"


class WebSocketTests(AttackTestCase):
    def status(self, target: Target, place: str, *headers: str) -> int:
        """Shake hands; return the answer's status. The connection stays."""
        raw = target.connect(place)
        raw.sendall(target.handshake(place, *headers))
        return int(raw.recv(1 << 16).split()[1])

    def logged(self, target: Target, pattern: str) -> None:
        """Wait for a line in the log."""
        for _ in waiting():
            if re.search(pattern, target.log):
                return
        self.fail(f"no line with {pattern!r}:\n{target.log}")

    def test_a_proxys_word_is_in_the_log_and_counts(self) -> None:
        target = self.target(
            **TRUSTED,
            **DEBUG,
            limits={"max-connections-per-address": 1},
        )
        before = target.descriptors
        for place in WEBSOCKETS:
            key = re.escape(PLACES[place].key)
            for more in (), LONG:
                with self.subTest(place, more=more):
                    ann = forwarded(f"203.0.113.1, {ANN}"), *more
                    self.assertEqual(self.status(target, place, *ann), 101)
                    # The same way, and the other.
                    for others in (), LONG:
                        again = forwarded(ANN), *others
                        self.assertEqual(self.status(target, place, *again), 503)
                    bob = forwarded(BOB), *more
                    self.assertEqual(self.status(target, place, *bob), 101)
                    # The proxy's own are not counted.
                    for _ in range(2):
                        self.assertEqual(self.status(target, place, *more), 101)
                    self.all_gone(target, before)
            self.logged(target, rf"\({key}, {ANN}\) ended")
            self.logged(target, rf"\({key}, {BOB}\) ended")
        self.assertNotIn("203.0.113.1", target.log)
        self.assertNotIn("Traceback", target.log)

    def all_gone(self, target: Target, before: int) -> None:
        """Hang up, and wait until the server has noticed that there is nobody."""
        target.hang_up()
        for _ in waiting():
            if target.descriptors <= before:
                return
        self.fail("connections stay")

    def test_a_strangers_word_does_not(self) -> None:
        others: dict[str, Any] = {"trusted-proxies": ["192.0.2.1", "local"]}
        for trusted in others, {}:
            target = self.target(
                **trusted,
                **DEBUG,
                limits={"max-connections-per-address": 1},
            )
            for place in WEBSOCKETS:
                for more in (), LONG:
                    for _ in range(2):
                        headers = forwarded(ANN), *more
                        self.assertEqual(self.status(target, place, *headers), 101)
            target.hang_up()
            for place in WEBSOCKETS:
                key = re.escape(PLACES[place].key)
                self.logged(target, rf"\({key}, 127\.0\.0\.1:\d+\) ended")
            self.assertNotIn(ANN, target.log)
            target.kill()

    def test_through_a_real_proxy(self) -> None:
        target = self.target(**TRUSTED, **DEBUG)
        proxy = Proxy(target.port["mychat"], ANN)
        self.addCleanup(proxy.close)
        target.port["mychat"] = proxy.port
        raw = target.upgrade("mychat", "X-Forwarded-For: 198.51.100.1")
        raw.close()
        self.logged(target, rf"\(machat\.ws, {ANN}\)")
        self.assertNotIn("198.51.100.1", target.log)


class RestTests(AttackTestCase):
    """One connection of a proxy, and the requests of many on it."""

    def serve(self, **config: Any) -> None:
        globes = {"admin-token": ADMIN, "wrong-passwords": 2, "new-rooms-per-hour": 2}
        self.target_ = self.target(globes={**globes, **config}, **TRUSTED)
        self.connection = HTTPConnection(
            "127.0.0.1", self.target_.port["globes"], timeout=DEADLINE_SECONDS
        )
        self.addCleanup(self.connection.close)

    def ask(
        self, client: str | None, method: str, path: str, body: Any = None, **more: str
    ) -> Answered:
        headers = dict(more)
        if client is not None:
            headers["X-Forwarded-For"] = client
        data = None if body is None else json.dumps(body)
        self.connection.request(method, path, data, headers)
        answer = self.connection.getresponse()
        return Answered(answer.status, answer.getheaders(), answer.read())

    def statuses(self, client: str | None, *asked: Any, **more: str) -> Iterator[int]:
        for _ in range(3):
            yield self.ask(client, *asked, **more).status

    def test_each_client_has_wrong_passwords_of_its_own(self) -> None:
        self.serve()
        den = {"title": "den", "visibility": "private", "password": PASSWORD}
        self.assertEqual(self.ask(None, "POST", "/chats", den).status, 201)
        wrong = {"name": "ann", "secret": "open onions"}
        asked = "POST", "/chats/den/token", wrong
        self.assertEqual([*self.statuses(ANN, *asked)], [401, 401, 429])
        self.assertEqual([*self.statuses(BOB, *asked)], [401, 401, 429])
        right = {"name": "ann", "secret": PASSWORD}
        answer = self.ask("192.0.2.10", "POST", "/chats/den/token", right)
        self.assertEqual(answer.status, 201)
        lines = [line for line in self.target_.log.splitlines() if "answered" in line]
        for client in ANN, BOB:
            told = [line for line in lines if f"(globes.address, {client})" in line]
            self.assertEqual(len(told), 3, lines)

    def test_and_new_rooms(self) -> None:
        self.serve()
        count = 0
        for client in ANN, BOB:
            seen = []
            for _ in range(3):
                count += 1
                wish = {"title": f"room {count}", "visibility": "public"}
                seen.append(self.ask(client, "POST", "/chats", wish).status)
            self.assertEqual(seen, [201, 201, 429])

    def test_and_wrong_admin_tokens(self) -> None:
        self.serve()
        wish = {"title": "hall", "visibility": "public"}
        self.ask(None, "POST", "/chats", wish)
        asked = "PUT", "/chats/hall", wish
        wrong = {"Authorization": "Bearer wrong"}
        self.assertEqual([*self.statuses(ANN, *asked, **wrong)], [403, 403, 429])
        right = {"Authorization": f"Bearer {ADMIN}"}
        self.assertEqual(self.ask(ANN, *asked, **right).status, 429)
        self.assertEqual(self.ask(BOB, *asked, **right).status, 200)
