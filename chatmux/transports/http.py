# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""HTTP/1.1 connections: requests are answered in their order, until the connection is
lost or handed to a WebSocket."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableProtocol,
    IProtocolNegotiationFactory,
)
from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from chatmux.door import Answer, HTTPDoor, Request, Upgrade
from chatmux.proxies import FORWARDED
from chatmux.transports.guard import Guard
from chatmux.transports.handshake import plain_handshake
from chatmux.transports.http_answer import answer_bytes
from chatmux.transports.http_channel import HEADERS, RequestChannel
from chatmux.transports.http_connection import HTTPConnection, Patience
from chatmux.transports.http_request import IncomingRequest
from chatmux.transports.http_upgrade import (
    UpgradeFactory,
    decide,
    handshake_bytes,
    is_handshake,
    names_websocket,
)
from chatmux.transports.websocket import WebSocketProtocol

_HAS_BODY = frozenset(("content-length", "expect", "transfer-encoding"))
"""Headers of which a handshake may have some, but not a plain one."""
_REQUESTS_A_TURN = 16
"""Of one peer, that it has sent without waiting for the answers."""
_TURN_SECONDS = 0.002
"""For one peer; an answer that was begun is finished."""
_READ_AHEAD = 16 * 1024
"""So much is read behind a request while it is being answered."""


@implementer(IHalfCloseableProtocol)
class HTTPProtocol(RequestChannel):
    """One HTTP connection, until it is lost or goes on as a WebSocket."""

    def __init__(
        self, guard: Guard, door: HTTPDoor, patience: Patience, upgrades: UpgradeFactory
    ) -> None:
        super().__init__(guard, door)
        self._patience = patience
        self._upgrades = upgrades
        self._answered = 0
        """Requests since it has given way to others."""
        self._until = 0.0
        """When it has to do so in any case."""
        self._waits = False
        """Whether an answer is waited for, which is nobody's turn."""
        self._between = False
        """Whether a request was answered, and the next one is not waited for yet."""
        self._is_new = True
        """Whether nothing has come yet."""
        self._idle = False
        """Whether nothing of the next request is here."""
        self._ended = False
        """Whether the peer has ended its sending."""
        self._gone = False
        """Whether the connection is lost, or another's."""

    # The connection

    def connectionMade(self) -> None:
        # Instead of Twisted's, which begins a timeout that every byte extends.
        door, patience = self._door, self._patience
        self.connection = HTTPConnection(self._guard, door.key, self, patience)

    def dataReceived(self, data: bytes) -> None:
        connection = self.connection
        if connection.why is not None:
            return
        self._begin_turn()
        if self._idle:
            self._idle = False
            self._patience.idle.discard(connection)
            self._patience.requests.add(connection)
        elif self._is_new:
            self._is_new = False
            if self._take_plain_handshake(data):
                return
        super().dataReceived(data)  # type: ignore[no-untyped-call]
        if self.paused and len(self._buffer) > _READ_AHEAD:
            self.transport.pauseProducing()

    def readConnectionLost(self) -> None:
        self._ended = True
        if self.connection.why is not None and not self.answering:
            self.transport.loseConnection()
        else:
            self._end_if_all_is_answered()

    def writeConnectionLost(self) -> None:
        """Nothing to do: the reading ends by itself, or in time."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        connection = self.connection
        connection.lost()
        self._let_go()
        self._guard.release(connection)

    def _let_go(self) -> None:
        """Drop whatever holds this protocol: no cycle is left."""
        self._gone = True
        self._patience.forget(self.connection)
        self._transferDecoder = None
        del self.connection

    # Answering

    def take(self, incoming: IncomingRequest) -> None:
        connection, forwarded = self.connection, incoming.headers.get(FORWARDED)
        has_room = connection.speaks_for(forwarded)
        request = incoming.whole(connection.host)
        if not has_room:
            self._answer_last(request, 503, "too many connections")
            return
        if not connection.charge(0):
            self._answer_last(request, 429, "too many requests")
            return
        if names_websocket(request):
            if incoming.is_http_1_1 and is_handshake(request):
                self._shake_hands(request)
                return
            # What else may come is perhaps not meant for HTTP.
            self.persistent = False
        answered = Deferred.fromCoroutine(self._respond(request))
        self._waits = not answered.called

    def _answer_last(self, request: Request, status: int, reason: str) -> None:
        self.persistent = False
        self._answer(request, self._door.refuse(status, reason))

    async def _respond(self, request: Request) -> None:
        connection = self.connection
        try:
            answer = await self._door.respond(request)
        except Exception:
            self._guard.failed(connection, "raised")
            answer = self._door.failed
        if not self._gone:
            self._answer(request, answer)

    def _shake_hands(self, request: Request) -> None:
        try:
            decision = decide(self._door, request)
        except Exception:
            self._guard.failed(self.connection, "raised")
            decision = self._door.failed
        if isinstance(decision, Upgrade):
            behind = self.clearLineBuffer()  # type: ignore[no-untyped-call]
            websocket = self._hand_over(decision)
            websocket.dataReceived(handshake_bytes(request) + behind)
            return
        if self._buffer:
            # Meant for a WebSocket, and never to be taken for a request.
            self.persistent = False
        self._answer(request, decision)

    def _take_plain_handshake(self, data: bytes) -> bool:
        """Take a connection's first bytes, where they are a handshake that is granted.

        The short way of most who come here. All else goes the long one.
        """
        end = data.find(b"\r\n\r\n", 0, self._guard.limits.header_bytes)
        plain = plain_handshake(data[:end]) if end >= 0 else None
        if plain is None or len(plain.headers) > HEADERS:
            return False
        if not _HAS_BODY.isdisjoint(plain.headers):
            return False
        if not self.connection.speaks_for(plain.headers.get(FORWARDED)):
            return False
        host = self.connection.host
        request = Request("GET", plain.path, plain.query, plain.headers, b"", host)
        try:
            decision = decide(self._door, request)
        except Exception:
            return False
        if not isinstance(decision, Upgrade):
            return False
        websocket = self._hand_over(decision)
        websocket.accept(plain.key, websocket.onConnect(plain))
        if end + 4 < len(data):
            websocket.dataReceived(data[end + 4 :])
        return True

    def _hand_over(self, granted: Upgrade) -> WebSocketProtocol:
        connection = self.connection
        self.transport.unregisterProducer()
        self._let_go()
        websocket = self._upgrades.take_over(self.transport, granted)
        self._guard.replaced(connection)
        if websocket.connection.host != connection.host:
            self._guard.speaks_for(websocket.connection, connection.host)
        return websocket

    def _answer(self, request: Request, answer: Answer) -> None:
        connection = self.connection
        last = not self.persistent or connection.why is not None
        head = request.method == "HEAD"
        try:
            data = answer_bytes(answer, head=head, last=last)
        except ValueError:
            self._guard.failed(connection, "has an answer that cannot be written")
            data = answer_bytes(self._door.failed, head=head, last=last)
        if not self._patience.has_room(connection, len(data)):
            answer = self._door.refuse(503, "too much is not read")
            data = answer_bytes(answer, head=head, last=last)
        if self._waits:
            self._waits = False
            self._begin_turn()
        connection.write(data)
        if connection.paused:
            self._patience.wrote(connection, len(data))
        words = f"{request.method} {request.path}"
        self._guard.answered(connection, words, answer.status)
        self.next_request()
        if last:
            connection.end()
            return
        self._answered += 1
        self._between = True
        self.go_on()

    def go_on(self) -> None:
        if self._gone:
            return
        connection = self.connection
        if self.answering or connection.why is not None:
            return
        if connection.paused or connection.waiting_its_turn:
            return
        if self._buffer and (
            self._answered >= _REQUESTS_A_TURN
            or self._guard.clock.seconds() > self._until
        ):
            connection.give_way(self._go_on_in_turn)
            return
        self.paused = False
        self.transport.resumeProducing()
        if self._between:
            self._between = False
            if self._buffer:
                self._patience.requests.add(connection)
            else:
                self._idle = True
                self._patience.idle.add(connection)
        super().dataReceived(b"")  # type: ignore[no-untyped-call]
        self._end_if_all_is_answered()

    def _begin_turn(self) -> None:
        self._answered = 0
        self._until = self._guard.clock.seconds() + _TURN_SECONDS

    def _go_on_in_turn(self) -> None:
        self._begin_turn()
        self.go_on()

    def _end_if_all_is_answered(self) -> None:
        """Close where the peer has ended its sending and waits for no answer."""
        busy = self.paused or self._busyReceiving
        if self._ended and not self._gone and not busy:
            self.connection.end()


@implementer(IProtocolNegotiationFactory)
class HTTPFactory(ServerFactory):
    """Makes an `HTTPProtocol` for each connection of a door.

    Not Twisted's own, which has a log of accesses, a timer for that log's time of day
    and a wrapper for HTTP/2.
    """

    noisy = False

    def __init__(self, guard: Guard, door: HTTPDoor) -> None:
        self._guard = guard
        self._door = door
        self._patience = Patience(guard, door.request_seconds)
        self._upgrades = UpgradeFactory(guard, door)

    def buildProtocol(self, addr: IAddress | None) -> HTTPProtocol:
        guard, door = self._guard, self._door
        protocol = HTTPProtocol(guard, door, self._patience, self._upgrades)
        protocol.factory = self
        return protocol

    def acceptableProtocols(self) -> list[bytes]:
        # Without, Twisted refuses who offers protocols over TLS, as browsers do.
        return [b"http/1.1"]
