# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""WebSocket on Autobahn: the one base of every WebSocket listener.

Autobahn parses and checks what `lean` has not read; this module gives it limits,
deadlines, a way out for messages that does not pass through it, and mends what was
measured to be wrong with it (docs/architecture.md, "What Autobahn is kept from").
Overridden methods keep Autobahn's names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from autobahn.websocket.types import ConnectionDeny, ConnectionRequest
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from chatmux.door import WebSocketDoor
from chatmux.model import NO_OPENING, NORMAL, SILENT, TOO_FAST, Close
from chatmux.proxies import FORWARDED
from chatmux.transports.connection import SocketConnection
from chatmux.transports.frames import binary_frame, text_frame
from chatmux.transports.guard import Guard
from chatmux.transports.handshake import Handshake
from chatmux.transports.heartbeat import Heartbeat
from chatmux.transports.lean import LeanWebSocketProtocol
from chatmux.transports.upgrade import (
    host_is_one,
    origin_is_welcome,
    refusal_bytes,
    route,
)

_MESSAGE_TOO_LATE = Close(1008, "a message was not complete in time")
_TOO_MANY_FRAGMENTS = Close(1008, "too many fragments")
_HEADER_TOO_LONG = 431
_STEPS_A_TURN = 200
"""Of one peer, and Autobahn takes two for a frame; at 15 µs for a frame, others wait
2 ms. With 800, a flood of fragments over TLS cost a healthy peer 60 ms."""
_MESSAGES_A_TURN = 2000
"""Of one peer, of those that are read the short way."""


class WebSocketConnection(SocketConnection):
    """The connection of a `WebSocketProtocol`."""

    __slots__ = ("protocol",)

    def __init__(self, guard: Guard, key: str, protocol: WebSocketProtocol) -> None:
        self.protocol = protocol
        super().__init__(guard, key, protocol.transport, text_frame)

    def close(self, why: Close) -> None:
        if self.why is not None:
            return
        self.why = why
        self.shut()
        # Now, and not when the peer has done its part, which it may never do: until its
        # session has ended others think that it hears what they say.
        self._guard.clock.callLater(0, self.protocol.end_session)
        if self.protocol.state == WebSocketProtocol.STATE_OPEN:
            reason = why.reason.encode()[:123].decode(errors="ignore")
            self.protocol.sendCloseFrame(why.code, reason.encode(), isReply=False)
        else:
            # In its handshake, or with nothing left but what the peer does not take.
            self.protocol.dropConnection(abort=True)
            self.abort()

    def opened(self) -> None:
        super().opened()
        self.protocol.opened()

    def answer_in(self, binary: bool) -> None:
        framing = binary_frame if binary else text_frame
        if framing is not self.framing:
            self.framing = framing
            for subscription in self.subscriptions:
                subscription.reframe()

    def opening_expired(self) -> None:
        self.close(NO_OPENING)

    def give_way(self, go_on: Callable[[], None]) -> None:
        def then() -> None:
            if self.why is None:
                go_on()
            self.protocol.consume_more()

        super().give_way(then)

    def lost(self) -> None:
        super().lost()
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None

    def resumeProducing(self) -> None:
        super().resumeProducing()
        self.protocol.pay_pong()


class WebSocketProtocol(LeanWebSocketProtocol):
    """One WebSocket connection, from the first byte of its handshake."""

    # Set by the factory in a class of its own, with Autobahn's options: there is
    # nothing to copy to each connection.
    CONFIG_ATTRS: list[str] = []
    guard: Guard
    doors: Sequence[WebSocketDoor]
    heartbeat: Heartbeat

    transport: Any
    connection: WebSocketConnection
    door: WebSocketDoor
    fragments = 0
    owed_pong: bytes | None = None

    def connectionMade(self) -> None:
        # Instead of Autobahn's, which collects details for WAMP at some cost.
        self.connection = WebSocketConnection(self.guard, self.doors[0].key, self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.connection.lost()
        self.heartbeat.forget(self)
        if self.closeHandshakeTimeoutCall is not None:
            self.closeHandshakeTimeoutCall.cancel()
            self.closeHandshakeTimeoutCall = None
        self._connectionLost(reason)
        self.end_session()
        self.guard.release(self.connection)
        # Holds this protocol, which makes a cycle, too.
        del self.connection

    def end_session(self) -> None:
        """Tell the session, once, that nobody is there any more."""
        session, self.session = self.session, None
        if session is not None:
            self.connection.attempt(session.closed)

    def dataReceived(self, data: bytes) -> None:
        if self.state == self.STATE_CONNECTING and self._header_is_too_long(data):
            self.failHandshake("the header is too long", _HEADER_TOO_LONG)
            return
        if self.state == self.STATE_CLOSED:
            # Over TLS the peer's end is waited for; what it still sends is nobody's.
            return
        self.data += data
        self.consumeData()
        self._note_what_is_begun()

    def consumeData(self) -> None:
        """Take frames, but no more than a turn has time for."""
        if self.connection.waiting_its_turn:
            return
        if self.state not in (self.STATE_OPEN, self.STATE_CLOSING):
            super().consumeData()
            return
        messages = _MESSAGES_A_TURN
        for _ in range(_STEPS_A_TURN):
            if self.current_frame is None:
                taken = self.take_whole_messages(messages)
                if taken:
                    self.heartbeat.message_ended(self)
                    messages -= taken
                if not self.data or self.state == self.STATE_CLOSED:
                    return
                if self.connection.waiting_its_turn:
                    return
                if not messages:
                    break
            if not self.processData() or self.state == self.STATE_CLOSED:
                return
            if self.connection.waiting_its_turn:
                return
        self.connection.give_way(_nothing)

    def consume_more(self) -> None:
        """Take what waited for the connection's turn."""
        self.consumeData()
        self._note_what_is_begun()

    def _note_what_is_begun(self) -> None:
        # Of a message that is not all here, the rest has to come in time.
        if self.state == self.STATE_OPEN:
            if self.inside_message or self.data:
                self.heartbeat.message_begun(self)
            else:
                self.heartbeat.message_ended(self)

    def _header_is_too_long(self, data: bytes) -> bool:
        longest = self.guard.limits.header_bytes
        if len(self.data) + len(data) <= longest:
            return False
        return b"\r\n\r\n" not in (self.data + data[: longest - len(self.data)])

    # The handshake

    def onConnect(self, request: ConnectionRequest | Handshake) -> str | None:
        door = route(request.path, self.doors)
        if door is None:
            raise _deny(404, "no such path")
        headers = request.headers
        if headers.get("sec-websocket-version") != "13":
            # Autobahn takes 1_3 for it.
            raise _deny(400, "the version is not 13")
        if not host_is_one(headers["host"]):
            raise _deny(400, "a malformed Host")
        if not origin_is_welcome(headers.get("origin"), headers["host"], door.origins):
            raise _deny(403, "this origin is not welcome")
        self._note_client(headers)
        self.door = door
        self.maxMessagePayloadSize = door.opening_bytes
        # Autobahn would take a choice that was not offered for an error of its own.
        chosen = door.subprotocol(request.protocols)
        return chosen if chosen in request.protocols else None

    def _note_client(self, headers: Mapping[str, str]) -> None:
        if not self.connection.speaks_for(headers.get(FORWARDED)):
            raise _deny(503, "its address has as many connections as it may have")

    def onOpen(self) -> None:
        if self.connection.door != self.door.key:
            self.guard.came_by(self.connection, self.door.key)
        self.connection.attempt(self._begin)
        self.heartbeat.alive(self)

    def _begin(self) -> None:
        self.session = self.door.new_session(self.connection)

    def opened(self) -> None:
        """Admit longer messages: the peer has said who it is."""
        self.maxMessagePayloadSize = self.door.message_bytes

    def failHandshake(
        self, reason: str, code: int = 400, responseHeaders: Any = None
    ) -> None:
        """Refuse with the answer of the door, and a log line of ours."""
        if reason.startswith("HTTP Origin header invalid"):
            code = 403
        path = getattr(self, "http_request_path", None)
        door = None if path is None else route(path, self.doors)
        refusal = refusal_bytes(door, path is not None, code, reason)
        self.connection.why = Close(1002, f"refused the handshake: {reason}")
        self.connection.shut()
        self.transport.write(refusal)
        self.wasNotCleanReason = reason
        self.dropConnection(abort=False)

    def sendData(self, data: bytes, sync: bool = False, chopsize: Any = None) -> None:
        # Autobahn's own evaluates the arguments of a debug line, 1 µs for each write.
        if self.state == self.STATE_CONNECTING:
            data = data.replace(b"Upgrade: WebSocket\r\n", b"Upgrade: websocket\r\n", 1)
        self.transport.write(data)

    # Messages

    def onMessageBegin(self, isBinary: bool) -> None:
        super().onMessageBegin(isBinary)
        self.fragments = 0

    def onMessageFrameBegin(self, length: int) -> None:
        self.fragments += 1
        if self.fragments > self.guard.limits.fragments:
            self.connection.close(_TOO_MANY_FRAGMENTS)
            self.failedByMe = True
        super().onMessageFrameBegin(length)

    def onMessageEnd(self) -> None:
        self.heartbeat.message_ended(self)
        # Autobahn's own makes a Deferred for each message, for listeners we have not.
        data, self.message_data = self.message_data, []
        if self.failedByMe or self.connection.why is not None or self.session is None:
            return
        payload = data[0] if len(data) == 1 else b"".join(data)
        self.connection.attempt(self.session.received, payload, self.message_is_binary)

    # Staying and going

    def onPing(self, payload: bytes) -> None:
        # A peer that does not read gets no queue of answers: RFC 6455, section 5.5.3,
        # lets the last one do for all.
        if not self.connection.charge(0):
            self.connection.close(TOO_FAST)
        elif self.connection.paused:
            self.owed_pong = payload
        else:
            self.sendPong(payload)  # type: ignore[no-untyped-call]

    def pay_pong(self) -> None:
        """Answer the last ping that came while the connection was paused."""
        payload, self.owed_pong = self.owed_pong, None
        if payload is not None:
            self.sendPong(payload)  # type: ignore[no-untyped-call]

    def onPong(self, payload: bytes) -> None:
        self.heartbeat.alive(self)

    def ping(self) -> bool:
        if self.state != self.STATE_OPEN:
            return False
        self.sendPing()
        return True

    def pong_expired(self) -> None:
        if self.connection.paused:
            # The ping stands behind what the peer has not taken yet; whether it takes
            # any of that, the stall watch knows.
            self.heartbeat.wait_again(self)
        else:
            self.connection.close(SILENT)

    def message_expired(self) -> None:
        self.connection.close(_MESSAGE_TOO_LATE)

    def _closeConnection(self, abort: bool = False) -> None:
        # Autobahn resets even after both sides have said all.
        abort = abort and not self.wasClean
        super()._closeConnection(abort)
        # Twisted waits until the peer has taken all, and its part in the end of TLS.
        if not abort:
            self.connection.watch_the_end()

    def sendCloseFrame(
        self,
        code: int | None = None,
        reasonUtf8: bytes | None = None,
        isReply: bool = False,
    ) -> None:
        """Say why, or answer with the peer's own code but not its words."""
        self.connection.shut()
        if isReply:
            reasonUtf8 = None
        elif self.connection.why is None:
            # Autobahn found the peer at fault.
            reason = (reasonUtf8 or b"").decode()
            self.connection.why = Close(code or NORMAL.code, reason)
        super().sendCloseFrame(code, reasonUtf8, isReply)


def _nothing() -> None:
    return None


def _deny(status: int, reason: str) -> ConnectionDeny:
    denial: ConnectionDeny = ConnectionDeny(status, reason)  # type: ignore[no-untyped-call]
    return denial
