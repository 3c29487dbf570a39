# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Autobahn's WebSocket protocol with the ways cut short that everybody takes.

A plain handshake and whole messages of one frame are read here; whatever is special or
at fault goes the long way through Autobahn, which knows all of RFC 6455. What a
connection begins with stands in the class and not in each connection.
"""

from __future__ import annotations

from collections import deque
from functools import cached_property
from typing import Any

from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.wamp.types import TransportDetails
from autobahn.websocket.protocol import TrafficStats
from autobahn.websocket.types import ConnectionDeny, ConnectionRequest
from autobahn.websocket.utf8validator import Utf8Validator

from chatmux.interfaces import Session
from chatmux.transports.connection import SocketConnection
from chatmux.transports.frames import is_binary, whole_message
from chatmux.transports.guard import Guard
from chatmux.transports.handshake import Handshake, accept_bytes, plain_handshake

_TURN_SECONDS = 0.002
"""For one peer. A time as well as a number, since some messages cost a hundred times
more than others."""


class _Unheard:
    """Stands in for the Deferreds that Autobahn fires, and nobody waits for."""

    def callback(self, result: object) -> None:
        """Nobody hears."""


class LeanWebSocketProtocol(WebSocketServerProtocol):
    """What `WebSocketProtocol` is built on. Overrides keep Autobahn's names."""

    transport: Any
    guard: Guard
    connection: SocketConnection
    maxMessagePayloadSize: int
    session: Session | None = None

    is_open: Any = _Unheard()
    is_closed: Any = _Unheard()
    _transport_details = TransportDetails()

    websocket_version = 13
    """The only one that is accepted."""

    # What Autobahn sets in each connection as it is made, to begin with.
    _perMessageCompress = None
    trackedTimings: Any = None
    trafficStats = TrafficStats()  # type: ignore[no-untyped-call]
    state = WebSocketServerProtocol.STATE_CONNECTING
    send_state = WebSocketServerProtocol.SEND_STATE_GROUND
    data = b""
    send_queue: Any = deque()
    triggered = False
    inside_message = False
    current_frame: Any = None
    wasMaxFramePayloadSizeExceeded = False
    wasMaxMessagePayloadSizeExceeded = False
    closedByMe = False
    failedByMe = False
    droppedByMe = False
    wasClean = False
    wasNotCleanReason: Any = None
    wasServerConnectionDropTimeout = False
    wasOpenHandshakeTimeout = False
    wasCloseHandshakeTimeout = False
    wasServingFlashSocketPolicyFile = False
    localCloseCode = None
    localCloseReason = None
    remoteCloseCode = None
    remoteCloseReason = None
    openHandshakeTimeoutCall = None
    closeHandshakeTimeoutCall: Any = None
    autoPingTimeoutCall = None
    autoPingPending = None
    autoPingPendingCall = None
    autoPingPendingSeq = 0
    autoPingPendingSent = None

    def __init__(self) -> None:
        """Nothing: Autobahn's makes two Deferreds and details for WAMP."""

    def _connectionLost(self, reason: object) -> None:
        """Only the state: of Autobahn's timers none runs, and `onClose` tells nobody.

        Autobahn's makes the arguments of many a debug line.
        """
        self.state = self.STATE_CLOSED

    @cached_property
    def utf8validator(self) -> Any:  # type: ignore[override]
        """Made for who needs it: most messages are read the short way."""
        return Utf8Validator()  # type: ignore[no-untyped-call]

    def processHandshake(self) -> None:
        """Read a plain handshake, or have Autobahn read it."""
        end = self.data.find(b"\r\n\r\n")
        plain = plain_handshake(self.data[:end]) if end >= 0 else None
        if plain is None:
            super().processHandshake()
            return
        self.http_request_path = plain.path
        self.data = self.data[end + 4 :]
        try:
            subprotocol = self.onConnect(plain)
        except ConnectionDeny as denial:
            self.failHandshake(str(denial.reason), denial.code)
            return
        except Exception as error:
            self.failHandshake(f"Internal server error: {error}", 500)
            return
        self.accept(plain.key, subprotocol)

    def onConnect(self, request: ConnectionRequest | Handshake) -> str | None:
        """Choose the subprotocol. May raise `ConnectionDeny`."""
        raise NotImplementedError

    def accept(self, key: str, subprotocol: str | None) -> None:
        """Answer a handshake, and be open."""
        self.connection.write(accept_bytes(key, subprotocol))
        self.websocket_protocol_in_use = subprotocol
        self.state = self.STATE_OPEN
        self.onOpen()
        if self.data:
            self.consumeData()

    def take_whole_messages(self, most: int) -> int:
        """Hand on messages that Autobahn would hand on as they are.

        Returns:
            How many, at most `most`; that many, too, when the time of a turn is over.
        """
        if self.state != self.STATE_OPEN or self.inside_message or self.session is None:
            return 0
        data, start, taken = self.data, 0, 0
        # Not there twice while a session takes a message.
        self.data = b""
        attempt, received = self.connection.attempt, self.session.received
        seconds = self.guard.clock.seconds
        until = seconds() + _TURN_SECONDS
        while taken < most:
            found = whole_message(data, start, self.maxMessagePayloadSize)
            if found is None:
                break
            payload, end = found
            attempt(received, payload, is_binary(data[start]))
            start = end
            taken += 1
            if self.state != self.STATE_OPEN or self.connection.waiting_its_turn:
                break
            if seconds() > until:
                taken = most
        self.data = data[start:]
        return taken
