# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Makes the WebSocket protocols of one address, with Autobahn's options set."""

from __future__ import annotations

from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.interfaces import IAddress, IProtocolNegotiationFactory
from zope.interface import implementer

from chatmux.door import WebSocketDoor
from chatmux.transports.guard import Guard
from chatmux.transports.heartbeat import Heartbeat
from chatmux.transports.websocket import WebSocketProtocol


@implementer(IProtocolNegotiationFactory)
class WebSocketFactory(WebSocketServerFactory):
    """Serves the WebSocket doors of one address, told apart by their paths.

    Args:
        guard: Watches over all connections of the node.
        doors: At least one; no two with the same path.
    """

    noisy = False
    kind: type[WebSocketProtocol] = WebSocketProtocol
    """What is made."""

    def __init__(self, guard: Guard, doors: list[WebSocketDoor]) -> None:
        super().__init__(server="", reactor=guard.clock)  # type: ignore[no-untyped-call]
        # Autobahn's batches its timers by the global reactor.
        self._batched_timer = _Timer(guard)
        attributes: dict[str, Any] = {
            option: getattr(self, option)
            for option in WebSocketServerProtocol.CONFIG_ATTRS
        }
        attributes |= {
            # A function in a class would become a method.
            "perMessageCompressionAccept": staticmethod(_no_compression),
            "webStatus": False,
            # Drafts have the page's origin in a header that is not looked at.
            "versions": [13],
            "failByDrop": False,
            "echoCloseCodeReason": True,
            # The guard's deadline for the opening covers the handshake.
            "openHandshakeTimeout": 0,
            "closeHandshakeTimeout": guard.limits.closing_seconds,
            "log": QuietLog(guard),
            "guard": guard,
            "doors": doors,
            "heartbeat": Heartbeat(guard),
        }
        # What all connections of the factory share stands in their class: nothing of
        # it is copied to each, as Autobahn does it, or pretty-printed for its log.
        self._protocol: type[WebSocketProtocol] = type(
            "BoundWebSocketProtocol", (self.kind,), attributes
        )

    def buildProtocol(self, addr: IAddress | None) -> WebSocketProtocol:
        protocol = self._protocol()
        protocol.factory = self
        return protocol

    def acceptableProtocols(self) -> list[bytes]:
        # Without, Twisted refuses who offers protocols over TLS, as browsers do.
        return [b"http/1.1"]


class QuietLog:
    """Stands in for Autobahn's log, whose lines the guard's replace."""

    @staticmethod
    def debug(*arguments: object, **fields: object) -> None:
        """Drop: made for every read and write."""

    info = warn = debug

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def error(self, form: str, **fields: object) -> None:
        self._guard.log.error(form, **fields)


class _Timer:
    """What Autobahn asks for delayed calls: the clock that was handed in."""

    def __init__(self, guard: Guard) -> None:
        self.call_later = guard.clock.callLater


def _no_compression(offers: object) -> None:
    """Accept no offer: deflate costs 100 KB for a connection."""
