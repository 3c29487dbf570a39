# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What a WebSocket connection begins with, and that it keeps it to itself."""

from __future__ import annotations

import gc
import weakref
from importlib.util import find_spec
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.xormasker import create_xor_masker  # type: ignore[attr-defined]
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SkipTest

from chatmux.transports.lean import LeanWebSocketProtocol
from tests.long_way import CUT, QUIT, REFUSE, STEPS, WAIT
from tests.websocket_doubles import (
    CLOSE,
    PING,
    PONG,
    TEXT,
    Frame,
    Peer,
    WebSocketTestCase,
    masked,
)


class SharedTests(WebSocketTestCase):
    """What stands in the class is nobody's own."""

    def test_connections_between_each_other_keep_their_own(self) -> None:
        before = dict(vars(LeanWebSocketProtocol))
        bad, bad_session = self.opened()
        good, good_session = self.opened()
        bad.send(TEXT, b"half", fin=False)
        good.send(TEXT, "é".encode()[:1], fin=False)
        bad.send(0, b"\xff")
        good.send(0, "é".encode()[1:])
        self.assertEqual(self.closed_for(bad), 1007)
        good.say(masked(TEXT, b"a") + masked(PING) + masked(TEXT, b"b")[:3])
        bad.send(CLOSE, b"\x03\xe8")
        bad.lose()
        good.say(masked(TEXT, b"b")[3:])
        self.assertEqual(bad_session.messages, [])
        self.assertEqual(
            good_session.messages,
            [("é".encode(), False), (b"a", False), (b"b", False)],
        )
        self.assertEqual(good.hear(), [Frame(PONG, b"")])
        self.assertEqual(dict(vars(LeanWebSocketProtocol)), before)
        self.assertEqual(LeanWebSocketProtocol.send_queue, type(before["send_queue"])())
        self.assertEqual(self.factory.countConnections, 0)

    def test_a_new_connection_has_nothing_but_its_factory(self) -> None:
        self.assertEqual(set(vars(self.factory.buildProtocol(None))), {"factory"})

    def test_whole_messages_and_a_close_in_their_midst_make_no_cycle(self) -> None:
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        self.sessions.steps |= STEPS
        for last in b"fine", QUIT, REFUSE, WAIT, CUT:
            peer, session = self.opened()
            peer.say(masked(TEXT, b"a") + masked(TEXT, last) + masked(TEXT, b"b"))
            protocol = weakref.ref(peer.protocol)
            connection = weakref.ref(peer.protocol.connection)
            del session
            self.clock.advance(0)
            peer.lose()
            del peer.protocol
            self.sessions.clear()
            self.assertIsNone(protocol(), last)
            self.assertIsNone(connection(), last)


CHOSEN = {
    *("perMessageCompressionAccept", "webStatus", "versions", "failByDrop"),
    *("echoCloseCodeReason", "openHandshakeTimeout", "closeHandshakeTimeout"),
}
"""Options that are ours: `WebSocketFactory`."""

OTHERWISE = {
    "_transport_details": "for WAMP",
    "peer": "only in Autobahn's log",
    "is_open": "a Deferred that nobody waits for",
    "is_closed": "likewise",
    "_valid_events": "of those that nobody listens to",
    "_results": "likewise",
    "trafficStats": "counted for all together, and nobody reads it",
    "utf8validator": "made when it is needed",
    "factory": "a connection's own",
    "transport": "a connection's own",
    "connected": "a connection's own",
}


class InitialStateTests(WebSocketTestCase):
    """Fails with a version of Autobahn whose connections begin with something else."""

    def autobahns(self) -> dict[str, Any]:
        factory = WebSocketServerFactory(reactor=self.clock)
        factory.protocol = WebSocketServerProtocol
        protocol: Any = factory.buildProtocol(None)
        protocol.makeConnection(StringTransport())
        self.addCleanup(protocol.openHandshakeTimeoutCall.cancel)
        protocol.openHandshakeTimeoutCall = None
        state: dict[str, Any] = vars(protocol)
        return state

    def test_connections_begin_as_autobahn_has_them_begin(self) -> None:
        ours = Peer(self.factory).protocol
        theirs = self.autobahns()
        self.assertEqual(OTHERWISE.keys() - theirs.keys(), set())
        for name, value in theirs.items():
            if name not in OTHERWISE and name not in CHOSEN:
                found = getattr(ours, name, "nothing")
                self.assertEqual((name, found), (name, value))

    def test_what_is_made_otherwise_is_of_the_same_kind(self) -> None:
        ours = Peer(self.factory).protocol
        theirs = self.autobahns()
        for name in "trafficStats", "utf8validator", "_transport_details":
            self.assertIs(type(getattr(ours, name)), type(theirs[name]), name)
        self.assertIsNot(ours.utf8validator, Peer(self.factory).protocol.utf8validator)

    def test_autobahns_native_helpers_are_in_use(self) -> None:
        if find_spec("autobahn.nvx._utf8validator") is None:
            raise SkipTest("there are none for this platform")
        validator = type(Peer(self.factory).protocol.utf8validator)
        for helper in validator, create_xor_masker:
            self.assertTrue(helper.__module__.startswith("autobahn.nvx"), helper)
