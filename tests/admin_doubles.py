# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The operator's API without sockets: a door, a guard and a broker."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatmux.admin.door import WRONG_TOKENS, admin_door
from chatmux.admin.sampler import Sampler
from chatmux.admin.section import Section
from chatmux.admin.watch import Watch
from chatmux.broker.local import LocalBroker
from chatmux.door import Answer, HTTPDoor, Request, Upgrade
from chatmux.model import Asset, Close, Member
from chatmux.protocols import machat, multichat
from chatmux.settings import Limits
from chatmux.transports.guard import Guard
from chatmux.tries import Tries
from tests.doubles import MemoryConnection
from tests.globes_doubles import new_lock

TOKEN = "correct-horse-battery"
HOST = "127.0.0.1:8090"
PAGE = {"/": Asset(b"<!DOCTYPE html>", "text/html", '"1"')}


class Peer(MemoryConnection):
    """A connection that broker and guard both know."""

    def __init__(self, guard: Guard, door: str, peer: str) -> None:
        super().__init__()
        self.door = door
        self.peer = peer
        self.host = peer.partition(":")[0]
        self.counted: str | None = None
        self.meter = None
        self.why: Close | None = None
        self.number = guard.admit(self)  # type: ignore[arg-type]

    def unsent(self) -> int:
        return self.unread

    def close(self, why: Close) -> None:
        super().close(why)
        self.why = why


class APITestCase(SynchronousTestCase):
    """Has a door, a guard and a broker, and nobody at any socket."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.broker = LocalBroker(
            self.clock, bridges=[("multichat", "machat/lounge", "globes/1")]
        )
        self.guard = Guard(
            self.clock, Limits(), new_number=self.broker.new_number, max_connections=99
        )
        self.notes: list[str] = []
        self.door = self.make()

    def make(self, **section: Any) -> HTTPDoor:
        self.about: dict[str, object] = {"version": "0"}
        self.turns = 0
        watch = Watch(
            self.guard, self.broker, self.about, self.give_way, lambda: 1 << 20
        )
        self.sampler = Sampler(self.clock, self.clock.seconds, watch.totals)
        tries = Tries(WRONG_TOKENS, self.clock.seconds, new_lock)
        settings = Section(**section)
        note = self.notes.append
        return admin_door(settings, watch, self.sampler, PAGE, tries, note)

    async def give_way(self) -> None:
        self.turns += 1

    def request(
        self, method: str, path: str, body: Any, headers: dict[str, str]
    ) -> Request:
        path, _, query = path.partition("?")
        written = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"host": HOST}
        if body is None:
            written = b""
        else:
            given["content-type"] = "application/json"
        return Request(method, path, query, {**given, **headers}, written, "192.0.2.1")

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = self.request(method, path, body, named)
        coming: Any = self.door.respond(request)
        answer: Answer = self.successResultOf(Deferred.fromCoroutine(coming))
        return answer

    def get(self, path: str, **headers: str) -> Any:
        answer = self.ask("GET", f"/api/{path}", **headers)
        self.assertEqual(answer.status, 200, answer.body)
        return json.loads(answer.body)

    def post(self, path: str, **body: Any) -> Any:
        answer = self.ask("POST", f"/api/{path}", body)
        self.assertEqual(answer.status, 200, answer.body)
        return json.loads(answer.body)

    def assert_problem(self, answer: Answer | Upgrade, status: int, words: str) -> None:
        assert isinstance(answer, Answer)
        self.assertEqual(answer.status, status, answer.body)
        self.assertIn(words, json.loads(answer.body)["error"])
        self.assertIn(("X-Content-Type-Options", "nosniff"), answer.headers)

    def peer(self, door: str, peer: str, *channels: str, name: str = "") -> Peer:
        one = Peer(self.guard, door, peer)
        for channel in channels:
            if name:
                origin = channel.partition("/")[0]
                owns = origin != "multichat"
                self.broker.join(channel, Member(name, origin, one.number, owns))
            encoding = multichat.encode if channel == "multichat" else machat.encode
            self.broker.subscribe(channel, one, encoding)
        return one
