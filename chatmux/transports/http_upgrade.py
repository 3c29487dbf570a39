# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""From an HTTP request to a WebSocket: which ask for one, and who goes on with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from autobahn.websocket.types import ConnectionRequest
from twisted.protocols.policies import ProtocolWrapper

from chatmux.door import Answer, HTTPDoor, Refusal, Request, Upgrade, WebSocketDoor
from chatmux.transports.guard import Guard
from chatmux.transports.handshake import Handshake
from chatmux.transports.http_request import tokens
from chatmux.transports.upgrade import origin_is_welcome
from chatmux.transports.websocket import WebSocketProtocol
from chatmux.transports.websocket_factory import WebSocketFactory

_PASSED_ON = (
    "host",
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-protocol",
)
"""What Autobahn has to see. The Origin is judged here, and no extension is accepted."""


def names_websocket(request: Request) -> bool:
    """Say whether the client speaks of a WebSocket, in whatever way."""
    return "upgrade" in request.headers and (
        "websocket" in tokens(request.headers, "upgrade")
    )


def is_handshake(request: Request) -> bool:
    """Say whether a request that names a WebSocket asks for one rightly.

    Whether the key and the version are fit is for Autobahn.
    """
    return (
        request.method == "GET"
        and not request.body
        and "transfer-encoding" not in request.headers
        and "upgrade" in tokens(request.headers, "connection")
        and "sec-websocket-version" in request.headers
    )


def decide(door: HTTPDoor, request: Request) -> Upgrade | Answer:
    """Grant a handshake, or refuse it.

    Raises:
        Exception: What the door raises, or it confirms what was not offered.
    """
    headers = request.headers
    if not origin_is_welcome(headers.get("origin"), headers["host"], door.origins):
        return door.refuse(403, "this origin is not welcome")
    decision = door.upgrade(request)
    if isinstance(decision, Upgrade) and decision.subprotocol is not None:
        offered = headers.get("sec-websocket-protocol", "").split(",")
        if decision.subprotocol not in [one.strip() for one in offered]:
            raise ValueError(f"{decision.subprotocol!r} was not offered")
    return decision


class UpgradedProtocol(WebSocketProtocol):
    """A WebSocket that began as an HTTP request. Overrides keep Autobahn's names."""

    granted: Upgrade

    def onConnect(self, request: ConnectionRequest | Handshake) -> str | None:
        self.door = replace(self.doors[0], new_session=self.granted.new_session)
        self.maxMessagePayloadSize = self.door.opening_bytes
        return self.granted.subprotocol


class UpgradeFactory(WebSocketFactory):
    """Makes the WebSockets of an HTTP door.

    Args:
        guard: Watches over all connections of the node.
        door: That the requests come in by.
    """

    kind = UpgradedProtocol

    def __init__(self, guard: Guard, door: HTTPDoor) -> None:
        super().__init__(guard, [_websocket_door(door)])

    def take_over(self, transport: Any, granted: Upgrade) -> WebSocketProtocol:
        """Make a transport that of a WebSocket, which has still to see its handshake.

        Args:
            transport: Twisted's, without a producer.
            granted: The door's leave.
        """
        protocol: Any = self.buildProtocol(None)
        protocol.granted = granted
        if isinstance(transport, ProtocolWrapper):
            transport.wrappedProtocol = protocol
        else:
            transport.protocol = protocol
        protocol.makeConnection(transport)
        made: WebSocketProtocol = protocol
        return made


def handshake_bytes(request: Request) -> bytes:
    """Return the request as Autobahn parses it, and no more of it than it needs."""
    lines = ["GET / HTTP/1.1", "Upgrade: websocket", "Connection: Upgrade"]
    for name in _PASSED_ON:
        value = request.headers.get(name)
        if value is not None:
            lines.append(f"{name}: {value}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def _websocket_door(door: HTTPDoor) -> WebSocketDoor:
    """Make the door of the WebSockets; what each one is granted is put in its place."""

    def refuse(status: int, reason: str) -> Refusal:
        answer = door.refuse(status, reason)
        return Refusal(answer.status, answer.body, answer.headers)

    return WebSocketDoor(
        protocol=door.protocol,
        key=door.key,
        address=door.address,
        path="/",
        new_session=_nobody,
        refuse=refuse,
        opening_bytes=door.message_bytes,
        message_bytes=door.message_bytes,
    )


def _nobody(connection: object) -> Any:
    raise NotImplementedError
