# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""An HTTP door, and a client of it on a socket pair, for the tests of HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from chatmux.door import Answer, HTTPDoor, Request, Upgrade
from chatmux.model import Room
from chatmux.settings import Limits
from chatmux.transports.guard import Guard
from chatmux.transports.http import HTTPFactory
from tests.transport_doubles import MemorySession, Sessions, Wire
from tests.websocket_doubles import ACCEPTED, HANDSHAKE, Frame, frames

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


def get(path: str, *headers: str, version: str = "1.1") -> bytes:
    lines = [f"GET {path} HTTP/{version}", "Host: h", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def post(path: str, body: bytes) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def chunked(path: str, *chunks: bytes) -> bytes:
    head = f"PUT {path} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    parts = [b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (*chunks, b"")]
    return head.encode() + b"".join(parts)


TOO_LARGE = Answer(413, b"too large", (("X-Door", "yes"),))
FAILED = Answer(500, b"failed", (("X-Door", "yes"),))


def refuse(status: int, reason: str) -> Answer:
    return Answer(status, reason.encode(), (("X-Door", "yes"),))


class Heard(NamedTuple):
    """An answer as it was on the wire."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def closes(self) -> bool:
        return ("Connection", "close") in self.headers


def heard(data: bytes, *, head: bool = False) -> Iterator[Heard]:
    """Cut a stream into answers; every byte has to be one of an answer."""
    while data:
        top, mark, data = data.partition(b"\r\n\r\n")
        first, *lines = top.decode("latin-1").split("\r\n")
        version, status, _ = first.split(" ", 2)
        if version != "HTTP/1.1" or not mark:
            raise AssertionError(f"no answer: {top!r}")
        pairs = [line.partition(": ")[::2] for line in lines]
        length = 0 if head else int(dict(pairs).get("Content-Length", 0))
        body, data = data[:length], data[length:]
        if len(body) != length:
            raise AssertionError(f"{length} bytes were announced: {body!r}")
        yield Heard(int(status), pairs, body)


class Server:
    """What a door does: notes requests, and answers with their paths, or by steps."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.steps: dict[str, Callable[[Request], Answer | Deferred[Answer]]] = {}
        self.decide: Callable[[Request], Upgrade | Answer] = lambda request: Upgrade(
            self.sessions.make
        )
        self.handshakes: list[Request] = []
        self.sessions = Sessions()

    def check(self, rooms: Sequence[Room]) -> None: ...

    async def prepare(self) -> None: ...

    async def respond(self, request: Request) -> Answer:
        self.requests.append(request)
        step = self.steps.get(request.path)
        if step is None:
            return Answer(200, request.path.encode())
        answer = step(request)
        return await answer if isinstance(answer, Deferred) else answer

    def upgrade(self, request: Request) -> Upgrade | Answer:
        self.handshakes.append(request)
        return self.decide(request)

    def door(self, **changes: Any) -> HTTPDoor:
        fields: dict[str, Any] = {
            "protocol": "test",
            "key": "test.http",
            "address": "127.0.0.1:0",
            "check": self.check,
            "prepare": self.prepare,
            "respond": self.respond,
            "upgrade": self.upgrade,
            "too_large": TOO_LARGE,
            "failed": FAILED,
            "refuse": refuse,
            "body_bytes": 1000,
            "message_bytes": 500,
        }
        return HTTPDoor(**(fields | changes))

    def later(self, path: str) -> Deferred[Answer]:
        """Return what the answer to a path will be taken from."""
        answer: Deferred[Answer] = Deferred()
        self.steps[path] = lambda request: answer
        return answer


class Client:
    """A peer on a socket pair. Nothing of the server runs but while it is called."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    def say(self, data: bytes) -> None:
        self.wire.say(data)

    def read(self) -> bytes:
        """Return all that the server says, as it says it."""
        return self.wire.hear_all()

    def hear(self, *, head: bool = False) -> list[Heard]:
        """Return the answers since the last call."""
        return list(heard(self.read(), head=head))

    def ask(self, data: bytes) -> Heard:
        """Return the one answer to a request."""
        self.say(data)
        (answer,) = self.hear(head=data.startswith(b"HEAD"))
        return answer

    @property
    def ended(self) -> bool:
        """Whether the server has ended its sending, all of which was heard."""
        self.wire.turn()
        try:
            return self.wire.far.recv(1) == b""
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True

    @property
    def lost(self) -> bool:
        """Whether the server has closed its socket."""
        self.wire.turn()
        return not self.wire.transport.connected


class HTTPTestCase(SynchronousTestCase):
    """Has a door, whose limits are small."""

    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.guard = Guard(self.reactor, Limits())
        self.server = Server()
        self.factory = HTTPFactory(self.guard, self.server.door())

    def connect(self) -> Client:
        protocol = self.factory.buildProtocol(None)
        wire = Wire(protocol, self.reactor)
        self.addCleanup(wire.close)
        return Client(wire)

    def assert_nothing_is_left(self) -> None:
        self.assertEqual(self.guard.connections, set())
        self.guard.stop()
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class LimitTestCase(HTTPTestCase):
    def limit(self, **changes: Any) -> None:
        """Begin anew with limits that are not the usual ones."""
        self.guard = Guard(self.reactor, Limits(**changes))
        self.factory = HTTPFactory(self.guard, self.server.door())

    def trickle(self, client: Client, data: bytes, seconds: float) -> None:
        """Say something byte by byte, in all the time there is."""
        for byte in data:
            self.reactor.advance(seconds / len(data))
            client.say(bytes((byte,)))

    def assert_refused(self, client: Client, status: int) -> None:
        (answer,) = client.hear()
        self.assertEqual(answer.status, status)
        self.assertTrue(answer.closes)
        self.assertEqual(answer.headers[0], ("X-Door", "yes"))
        self.assertTrue(client.ended)

    def assert_counted(self, **counts: int) -> None:
        """Close all, and see what was counted, besides the answers."""
        for connection in list(self.guard.connections):
            connection.abort()
        self.reactor.advance(0)
        found = {
            key.replace(" ", "_"): count
            for key, count in self.guard.counts.items()
            if not key.startswith("answered ")
        }
        self.assertEqual(found, counts)
        self.assert_nothing_is_left()


OFFER = b"Sec-WebSocket-Protocol: chat.v2, chat.v1\r\n"


def handshake(*headers: bytes, path: bytes = b"/") -> bytes:
    """Return a whole handshake."""
    request = HANDSHAKE.replace(b"GET /", b"GET " + path, 1)
    return request + b"".join(header + b"\r\n" for header in headers) + b"\r\n"


class UpgradeTestCase(HTTPTestCase):
    """Shakes hands."""

    def begin(self, **changes: object) -> None:
        """Begin anew with a door that is not the usual one."""
        self.factory = HTTPFactory(self.guard, self.server.door(**changes))

    def open(self, behind: bytes = b"") -> tuple[Client, MemorySession]:
        """Shake hands, with frames behind the handshake in the same segment."""
        client = self.connect()
        client.say(handshake() + behind)
        answer = client.read()
        self.assertEqual(answer[: len(ACCEPTED)], ACCEPTED)
        self.said = list(frames(answer[len(ACCEPTED) :]))
        return client, self.server.sessions[-1]

    def hear(self, client: Client) -> list[Frame]:
        return list(frames(client.read()))

    def answers(self, request: bytes) -> list[Heard]:
        """Return what is said to a request on a connection of its own."""
        client = self.connect()
        client.say(request)
        return client.hear()
