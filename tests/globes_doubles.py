# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Globes on a real store and a real broker, without sockets: time is a `Clock`.

Passwords alone are a double, which counts, and can be held up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from chatmux.broker.local import LocalBroker
from chatmux.door import Answer, Request, Upgrade
from chatmux.errors import BusyError
from chatmux.interfaces import Passwords, Services, Session
from chatmux.model import Close, Room
from chatmux.protocols.globes import Globes, Section
from chatmux.protocols.globes.rooms import LiveRoom
from chatmux.protocols.globes.session import Session as GlobesSession
from chatmux.protocols.globes.tokens import Tokens
from chatmux.settings import Secret
from chatmux.store.sql import SQLStore
from tests.doubles import MemoryConnection

START = 1_800_000_000.25
STARTED = "2027-01-15T08:00:00.250000Z"
KEY = "the canary of the tests, of 32 bytes"
ADMIN = "the-admin's-canary"
HERE = "192.0.2.1"
PASSWORD = "correct horse"

ROOM = Room(7, "den", "", "private", "a hash", 3, False, 0, 0)
"""One with a password, for what needs no store."""


class OpenPasswords:
    """Hashes that hide nothing."""

    def __init__(self) -> None:
        self.hashed: list[str] = []
        self.verified: list[str] = []
        self.busy = False
        self.held = False
        self._waiting: list[Deferred[None]] = []

    async def hash(self, password: str) -> str:
        self.hashed.append(password)
        await self._work()
        return f"{len(self.hashed)}${password}"

    async def verify(self, hash: str | None, password: str) -> bool:
        self.verified.append(password)
        await self._work()
        return hash is not None and hash.partition("$")[2] == password

    def let_go(self) -> None:
        """End what was asked for since `held` was set."""
        self.held = False
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)

    async def _work(self) -> None:
        if self.busy:
            raise BusyError("too much waits already")
        if self.held:
            one: Deferred[None] = Deferred()
            self._waiting.append(one)
            await one


def a_line(message: bytes) -> bytes:
    """Frame JSON."""
    return message + b"\n"


class Peer:
    """A WebSocket's client, and its session driven as the transport does it."""

    def __init__(
        self, new_session: Callable[[MemoryConnection], Session], clock: Clock
    ) -> None:
        self.connection = MemoryConnection(a_line)
        self.session = new_session(self.connection)
        self._clock = clock

    def say(self, event_type: str, name: str = "", **fields: Any) -> None:
        event = {"event_type": event_type, "name": name, **fields}
        self.session.received(json.dumps(event).encode(), False)

    def lines(self) -> list[bytes]:
        """Return what was heard since the last call."""
        self._clock.advance(0)
        return self.connection.take().splitlines()

    def hear(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines()]

    def words(self) -> list[tuple[str, str, str]]:
        """Return what was heard, but no more than type, name and message of each."""
        return [(e["event_type"], e["name"], e["msg"]) for e in self.hear()]

    def lose(self) -> None:
        """End the connection."""
        self.session.closed()

    @property
    def closed_for(self) -> Close | None:
        return self.connection.closed_for


def new_lock() -> AbstractAsyncContextManager[object]:
    return cast("AbstractAsyncContextManager[object]", DeferredLock())


def said(answer: Answer) -> Any:
    """Return the JSON of an answer."""
    assert ("Content-Type", "application/json") in answer.headers, answer
    return json.loads(answer.body)


def fault(answer: Answer) -> tuple[int, int, str]:
    """Return the status, the code and the field of an answer that says what is wrong.

    All bodies of that kind are of one form.
    """
    told = said(answer)
    error = told["error"]
    assert told == {"status": False, "error": error}, told
    assert list(error) == ["code", "error", "field"][: len(error)], told
    assert len(error) >= 2, told
    return answer.status, error["code"], error.get("field", "")


class RoomCase(SynchronousTestCase):
    """A room that is public for who comes without a name of a token."""

    def setUp(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.clock = Clock()
        self.broker = LocalBroker(self.clock, now=lambda: START + self.clock.seconds())
        self.room = LiveRoom(ROOM, new_lock())

    def peer(self, username: str | None = None, seconds: float | None = None) -> Peer:
        def new_session(connection: MemoryConnection) -> Session:
            entry = self.broker.enter(self.room.channel, "globes")
            return GlobesSession(
                connection, self.broker, entry, self.room, username, self.clock, seconds
            )

        return Peer(new_session, self.clock)

    def joined(self, name: str) -> Peer:
        """Return somebody who has joined, and has heard what came of it."""
        peer = self.peer()
        peer.say("join", name)
        self.assertEqual(peer.words()[-1], ("join", name, f"{name} entered the room."))
        return peer

    def names(self) -> list[str]:
        return [member.name for member in self.broker.members(self.room.channel)]

    def assert_refused(self, peer: Peer, name: str, why: str) -> None:
        """Check that a refusal is all that was heard."""
        expected = {
            "event_type": "error",
            "name": name,
            "room_id": 7,
            "code": 202,
            "msg": why,
        }
        self.assertEqual(peer.hear(), [expected])


class GlobesCase(TestCase):
    """A server for each test.

    Has to be begun by `start`, which takes what is not to be as usual.
    """

    timeout = 60

    async def start(
        self,
        *,
        bridges: Sequence[Sequence[str]] = (),
        again: bool = False,
        passwords: Passwords | None = None,
        **section: Any,
    ) -> None:
        """Begin to serve.

        Args:
            bridges: Of the broker.
            again: Whether with the store that there was, as after a restart.
            passwords: In the place of the double.
            section: What the configuration says.
        """
        self.clock = Clock()
        self.broker = LocalBroker(self.clock, bridges=bridges, now=self.now)
        if not again:
            self.file = Path(self.mktemp()).absolute()
            self.store = SQLStore(f"sqlite:///{self.file}", reactor)
            await self.store.open()
            self.addCleanup(self.store.close)
        self.passwords = OpenPasswords()
        services = Services(
            self.broker,
            self.clock,
            self.now,
            self.store,
            passwords or self.passwords,
            new_lock,
        )
        settings = {"secret_key": Secret(KEY), "admin_token": Secret(ADMIN), **section}
        self.globes = Globes(Section(**settings), services)
        await self.globes.prepare()
        self.tokens = Tokens(KEY.encode(), self.now, 7 * 24 * 3600)

    def now(self) -> float:
        return START + self.clock.seconds()

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        token: str | None = None,
        host: str = HERE,
        **headers: str,
    ) -> Request:
        """Make a request; a `body` that is not bytes is sent as JSON."""
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        if body is None:
            body = b""
        elif not isinstance(body, bytes):
            body = json.dumps(body).encode()
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return Request(method, path, "", headers, body, host)

    async def ask(self, method: str, path: str, *args: Any, **kwargs: Any) -> Answer:
        """Send a request, as `request` takes it. No answer ever has a password."""
        request = self.request(method, path, *args, **kwargs)
        answer = await self.globes.respond(request)
        if path != "/openapi.json":
            body = answer.body.replace(b'"field":"password"', b"")
            self.assertNotIn(b"password", body)
        return answer

    async def faults(self, method: str, *args: Any, **kw: Any) -> tuple[int, int, str]:
        """Send a request that cannot be done, and return the answer's `fault`."""
        return fault(await self.ask(method, *args, **kw))

    def begin(self, *args: Any, **kwargs: Any) -> Deferred[Answer]:
        """Send a request, and do not wait for its answer."""
        return Deferred.fromCoroutine(self.ask(*args, **kwargs))

    async def add(
        self,
        title: str,
        visibility: str = "public",
        password: str | None = None,
        **more: Any,
    ) -> int:
        """Make a room, and return its id."""
        if password is None and visibility != "public":
            password = PASSWORD
        wish = {"title": title, "visibility": visibility, **more}
        if password is not None:
            wish["password"] = password
        answer = await self.ask("POST", "/chats", wish)
        self.assertEqual(answer.status, 201, answer.body)
        number: int = said(answer)["id"]
        return number

    async def login(
        self, key: int | str, name: str = "ann", secret: str = PASSWORD
    ) -> str:
        """Return a token."""
        answer = await self.ask_token(key, name, secret)
        self.assertEqual(answer.status, 201, answer.body)
        token: str = said(answer)["token"]
        return token

    async def ask_token(
        self, key: int | str, name: str = "ann", secret: str = PASSWORD, **more: str
    ) -> Answer:
        path = f"/chats/{quote(str(key), safe='')}/token"
        return await self.ask("POST", path, {"name": name, "secret": secret}, **more)

    async def kept(self, room_id: int) -> Room:
        """Return what the store has of a room."""
        [room] = [room for room in await self.store.rooms() if room.id == room_id]
        return room

    def open(self, key: int | str, token: str | None = None, **headers: str) -> Peer:
        """Open a WebSocket that is not refused."""
        upgrade = self.upgrade(key, token, **headers)
        assert isinstance(upgrade, Upgrade), upgrade
        return Peer(upgrade.new_session, self.clock)

    def upgrade(
        self, key: int | str, token: str | None = None, **headers: str
    ) -> Upgrade | Answer:
        path = f"/chats/{quote(str(key), safe='')}/ws"
        return self.globes.upgrade(self.request("GET", path, token=token, **headers))
