# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The ways in which a connection can end, for the tests of what is left of it then."""

from __future__ import annotations

import contextlib
import gc
import socket
import ssl
import struct
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar

from twisted.internet.testing import MemoryReactorClock
from twisted.protocols.policies import ProtocolWrapper
from twisted.trial.unittest import SynchronousTestCase

from chatmux.model import GOING_AWAY
from chatmux.settings import Limits
from chatmux.transports.guard import Guard
from chatmux.transports.tls import TLSFactory, tls_context
from tests.certificates import client_context, make_files
from tests.http_doubles import GET
from tests.test_tls import TLSCaller
from tests.transport_doubles import PEER, Sessions, Wire

_LINGER = struct.pack("ii", 1, 0)


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Return both ends of a TCP connection, which can be reset."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        far = socket.create_connection(listening.getsockname())
        return listening.accept()[0], far


class TCPWire(Wire):
    pair = staticmethod(tcp_pair)


class PlainCaller:
    """What `TLSCaller` is, in the clear."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    def shake_hands(self) -> None: ...

    def say(self, data: bytes) -> None:
        self.wire.say(data)
        self.hear()

    def hear(self) -> bytes:
        try:
            return self.wire.hear_all()
        except ConnectionResetError:
            return b""

    def end(self) -> None:
        self.wire.end()


Caller = PlainCaller | TLSCaller


class FreedTestCase(SynchronousTestCase):
    """The ends; subclasses have the kinds of transport, and what is said before."""

    said: ClassVar[dict[str, tuple[bytes, ...]]] = {}

    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.guard = Guard(self.reactor, Limits())
        self.sessions = Sessions()
        self.files = make_files(Path(self.mktemp()))
        self.plain = self.make_factory()
        self.tls = self.over_tls(self.plain)
        self.trust = client_context(self.files)
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)

    def make_factory(self) -> Any:
        raise NotImplementedError

    def over_tls(self, factory: Any) -> Any:
        context: Any = tls_context(self.files, "test")
        return TLSFactory(context, False, factory, self.reactor)

    # What is alive

    def alive(self, wire: Wire) -> Iterable[Any]:
        """Yield all that belongs to a connection just now."""
        layer = wire.transport
        yield layer
        protocol = getattr(layer, "protocol", None)
        while isinstance(protocol, ProtocolWrapper):
            yield protocol
            protocol = protocol.wrappedProtocol
        if protocol is not None:
            yield protocol
            yield from filter(None, [getattr(protocol, "connection", None)])
        yield from self.sessions

    def note(self, wire: Wire) -> None:
        self.noted += [weakref.ref(one) for one in self.alive(wire)]

    def assert_freed(self, where: object) -> None:
        # Trial keeps them, and they keep what has raised.
        self.flushLoggedErrors(ValueError)
        left = [type(one()).__name__ for one in self.noted if one() is not None]
        self.assertEqual((where, left), (where, []))
        self.assertEqual(self.guard.connections, set(), where)

    # The ends

    def turns(self, wire: Wire, seconds: int = 0) -> None:
        for _ in range(max(4, seconds)):
            self.reactor.advance(1 if seconds else 0)
            if wire.transport.connected:
                wire.turn()

    def end_orderly(self, caller: Caller) -> None:
        caller.hear()
        with contextlib.suppress(ssl.SSLError):
            # Where what is ended has ended meanwhile.
            caller.end()
            caller.hear()
        caller.wire.far.close()
        self.turns(caller.wire)

    def end_without_a_word(self, caller: Caller) -> None:
        caller.wire.far.close()
        self.turns(caller.wire)

    def end_by_a_reset(self, caller: Caller) -> None:
        far = caller.wire.far
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
        far.close()
        self.turns(caller.wire)

    def close_all(self) -> None:
        for connection in list(self.guard.connections):
            connection.close(GOING_AWAY)

    def abort_all(self) -> None:
        for connection in list(self.guard.connections):
            connection.abort()

    def end_as_the_server_closes(self, caller: Caller) -> None:
        self.close_all()
        self.turns(caller.wire)
        if caller.wire.transport.connected:
            self.end_orderly(caller)

    def end_as_the_server_closes_and_is_not_heard(self, caller: Caller) -> None:
        self.close_all()
        self.turns(caller.wire, 60)

    def end_as_the_server_aborts(self, caller: Caller) -> None:
        self.abort_all()
        self.turns(caller.wire)
        if caller.wire.transport.connected:
            # There is no connection yet, as the proxy has not said whose it is.
            self.end_by_a_reset(caller)

    def end_as_time_runs_out(self, caller: Caller) -> None:
        self.turns(caller.wire, 60)
        if caller.wire.transport.connected:
            # It may be silent for ever.
            self.end_by_a_reset(caller)

    ENDS: ClassVar[list[Callable[[Any, Caller], None]]] = [
        end_orderly,
        end_without_a_word,
        end_by_a_reset,
        end_as_the_server_closes,
        end_as_the_server_closes_and_is_not_heard,
        end_as_the_server_aborts,
        end_as_time_runs_out,
    ]

    # The tests

    def call(self, tls: bool) -> Caller:
        factory = self.tls if tls else self.plain
        wire = TCPWire(factory.buildProtocol(PEER), self.reactor)
        self.addCleanup(wire.far.close)
        self.noted: list[weakref.ref[Any]] = []
        self.note(wire)
        return TLSCaller(wire, self.trust) if tls else PlainCaller(wire)

    def finish(self, caller: Caller, end: Callable[[Any, Caller], None]) -> None:
        self.note(caller.wire)
        if caller.wire.transport.connected:
            end(self, caller)
        self.assertFalse(caller.wire.transport.connected)
        del caller.wire.transport
        self.sessions.clear()

    def check(self, tls: bool) -> None:
        for where, said in self.said.items():
            for end in self.ENDS:
                caller = self.call(tls)
                caller.shake_hands()
                for part in said:
                    if caller.wire.transport.connected:
                        caller.say(part)
                        self.note(caller.wire)
                self.finish(caller, end)
                self.assert_freed((where, end.__name__))
        self.guard.stop()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def check_in_the_handshake(self) -> None:
        for said in b"", b"\x16\x03\x01", b"hello", GET:
            for end in self.ENDS[1:]:
                caller = self.call(True)
                if said:
                    caller.wire.say(said)
                self.finish(caller, end)
                self.assert_freed((said, end.__name__))
