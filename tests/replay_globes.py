# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Globes for the replay of examples: its door, over a store in a file, with a clock.

Requests come to the door as the transport hands them over, and answers are shown as
the pages write them: ``STATUS [HEADER: VALUE] BODY``.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar, cast

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from chatmux.door import Answer, HTTPDoor, Request, Upgrade
from chatmux.interfaces import Broker, Services
from chatmux.passwords import Argon2Passwords
from chatmux.protocols import globes
from chatmux.settings import Secret
from chatmux.store.sql import SQLStore

ADMIN_TOKEN = Secret("of-the-admin")
VARIANTS = {
    "http-open": {"open_public_rooms": True},
    "http-conceal": {"conceal_hidden_rooms": True},
}
"""What the section has where an example's language says so."""

REQUEST_LINE = re.compile(
    r"(GET|POST|PUT|DELETE) (/\S*)((?: \[[^]]+\])*)(?: (.+))?", re.DOTALL
)
"""``METHOD PATH [HEADER: VALUE] BODY``."""

_SHOWN = ("Allow", "Retry-After", "Sec-WebSocket-Protocol")
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
_TOKEN = r"[\w-]+\.[\w-]+\.[\w-]+"
_WAIT_SECONDS = 30

_T = TypeVar("_T")


class Pump:
    """The part of a reactor that threads know: does what they hand over, if asked."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], object]] = SimpleQueue()

    def callFromThread(self, call: Callable[..., object], *args: Any) -> None:
        self._calls.put(partial(call, *args))

    def wait(self, awaited: Awaitable[_T]) -> _T:
        """Return what a coroutine returns that waits for threads."""

        async def wait() -> _T:
            return await awaited

        results: list[Any] = []
        Deferred.fromCoroutine(wait()).addBoth(results.append)
        while not results:
            self._calls.get(timeout=_WAIT_SECONDS)()
        if isinstance(results[0], Failure):
            results[0].raiseException()
        return cast(_T, results[0])


class GlobesServer:
    """The door, and what stands behind it.

    Args:
        language: Of the example.
        directory: Where the store's file goes.
        broker: Shared with the other protocols.
        clock: Tells both times.
    """

    def __init__(
        self, language: str, directory: Path, broker: Broker, clock: Clock
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._pump = Pump()
        self._store = SQLStore(f"sqlite:///{directory / 'chatmux.db'}", self._pump)
        self._pump.wait(self._store.open())
        self._passwords = Argon2Passwords(self._pump, passes=1, memory_kib=8)
        services = Services(
            broker,
            clock,
            lambda: 1_800_000_000 + clock.seconds(),
            self._store,
            self._passwords,
            cast("Callable[[], AbstractAsyncContextManager[object]]", DeferredLock),
        )
        section = globes.Section(
            admin_token=ADMIN_TOKEN, **cast(Any, VARIANTS.get(language, {}))
        )
        door = next(iter(globes.doors(section, services)))
        assert isinstance(door, HTTPDoor)
        self._door = door
        self._pump.wait(door.prepare())

    def respond(self, request: Request) -> str:
        """Return the answer to a request, as the pages write it."""
        return _shown(self._pump.wait(self._door.respond(request)))

    def upgrade(self, request: Request) -> tuple[Upgrade | None, str]:
        """Return the leave for a WebSocket, if there is one, and the answer."""
        decision = self._door.upgrade(request)
        if isinstance(decision, Answer):
            return None, _shown(decision)
        headers: tuple[tuple[str, str], ...] = ()
        if decision.subprotocol is not None:
            headers = (("Sec-WebSocket-Protocol", decision.subprotocol),)
        return decision, _shown(Answer(101, b"", headers))

    def close(self) -> None:
        """End its threads."""
        self._pump.wait(self._passwords.close())
        self._pump.wait(self._store.close())


def request_of(words: str) -> Request | None:
    """Return the request that a line of an example is, None if it is none."""
    match = REQUEST_LINE.fullmatch(words)
    if match is None:
        return None
    method, path, headers, body = match.groups("")
    pairs = [header.partition(": ") for header in re.findall(r"\[(.+?)\]", headers)]
    named = {name.lower(): value for name, _, value in pairs}
    path, _, query = path.partition("?")
    return Request(method, path, query, named, body.encode(), "192.0.2.1")


class Placeholders:
    """What examples write instead of what differs in every run.

    ``TIME`` is any time, ``ID`` any number, and a word that begins with ``TOKEN`` a
    token: that of the last answer which gave one by this word.
    """

    def __init__(self) -> None:
        self._tokens: dict[str, str] = {}

    def filled(self, words: str) -> str:
        """Return what a client sends."""
        return re.sub(r"\bTOKEN\w*", lambda match: self._tokens[match[0]], words)

    def matches(self, words: str, came: str) -> bool:
        """Say whether an answer or event is as it should be."""
        pattern = re.escape(words)
        pattern = re.sub(r"\bTIME\b", lambda match: _TIME, pattern)
        pattern = re.sub(r"\bID\b", r"\\d+", pattern)
        given = re.search(r'(?<="token":")TOKEN\w*', pattern)
        if given is not None:
            pattern = pattern.replace(given[0], f"(?P<token>{_TOKEN})", 1)
        match = re.fullmatch(self.filled(pattern), came, re.DOTALL)
        if match is not None and given is not None:
            self._tokens[given[0]] = match["token"]
        return match is not None


def _shown(answer: Answer) -> str:
    headers = [f"[{name}: {value}]" for name, value in answer.headers if name in _SHOWN]
    body = answer.body.decode().replace("\n", "\\n")
    return " ".join(filter(None, (str(answer.status), *headers, body)))
