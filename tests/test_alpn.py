# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Browsers and curl offer protocols in the TLS handshake, and get HTTP/1.1."""

from __future__ import annotations

from typing import Any

from chatmux.transports.framed import FramedFactory
from chatmux.transports.http import HTTPFactory
from chatmux.transports.tls import TLSFactory, tls_context
from chatmux.transports.websocket_factory import WebSocketFactory
from tests.certificates import client_context
from tests.http_doubles import GET, Server, heard
from tests.test_tls import TLSCaller, TLSTestCase
from tests.transport_doubles import Wire, framed_door
from tests.websocket_doubles import ACCEPTED, HANDSHAKE, websocket_door


class NegotiationTests(TLSTestCase):
    def offer(self, factory: Any, *protocols: str) -> TLSCaller:
        """Shake hands as one who speaks `protocols`; check what was agreed on."""
        options: Any = tls_context(self.files, "test")
        tls: Any = TLSFactory(options, False, factory, self.reactor)
        wire = Wire(tls.buildProtocol(None), self.reactor)
        self.addCleanup(wire.close)
        context = client_context(self.files)
        if protocols:
            context.set_alpn_protocols(list(protocols))
        caller = TLSCaller(wire, context)
        caller.shake_hands()
        agreed = "http/1.1" if protocols else None
        self.assertEqual(caller._tls.selected_alpn_protocol(), agreed)
        return caller

    def test_what_lines_and_frames_are_called_does_not_matter(self) -> None:
        options: Any = tls_context(self.files, "test", negotiates=False)
        factory: Any = FramedFactory(self.guard, framed_door(self.sessions))
        tls: Any = TLSFactory(options, False, factory, self.reactor)
        for offered in ["webtalk"], ["h2", "http/1.1"], None:
            wire = Wire(tls.buildProtocol(None), self.reactor)
            self.addCleanup(wire.close)
            context = client_context(self.files)
            if offered is not None:
                context.set_alpn_protocols(offered)
            caller = TLSCaller(wire, context)
            caller.shake_hands()
            self.assertIsNone(caller._tls.selected_alpn_protocol())
        self.assertEqual(len(self.sessions), 3)

    def test_http(self) -> None:
        for offered in ("http/1.1",), ("h2", "http/1.1"), ():
            caller = self.offer(HTTPFactory(self.guard, Server().door()), *offered)
            caller.say(GET)
            self.assertEqual([one.status for one in heard(caller.hear())], [200])

    def test_websockets(self) -> None:
        door = websocket_door(self.sessions)
        for offered in ("http/1.1",), ("h2", "http/1.1"), ():
            caller = self.offer(WebSocketFactory(self.guard, [door]), *offered)
            caller.say(HANDSHAKE + b"\r\n")
            self.assertEqual(caller.hear(), ACCEPTED)
