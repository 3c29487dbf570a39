# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Writing to one socket: straight to the kernel when it can be, paused when it must.

`SocketConnection` is what the broker and the sessions see of a connection, and the
push producer that Twisted pauses when the kernel takes no more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.interfaces import IPushProducer
from twisted.protocols.policies import ProtocolWrapper
from zope.interface import implementer

from chatmux.errors import PeerError
from chatmux.interfaces import Delayed, Framing, Subscription
from chatmux.model import INTERNAL_ERROR, TOO_FAST, TOO_SLOW, Close
from chatmux.proxies import UNIX
from chatmux.transports.guard import Guard
from chatmux.transports.meter import Meter

PLAIN = (tcp.Server, unix.Server)
"""Transports whose socket takes the bytes as they are. Exact types: a TLS transport
has a socket, too, and what is written to that would leave unencrypted."""


@implementer(IPushProducer)
class SocketConnection:
    """See `chatmux.interfaces.Connection`; the kinds of transport complete it.

    Args:
        guard: Watches over all connections of the node.
        door: What the connection came in by, for the log: a key of the configuration.
        transport: Twisted's.
        framing: The framing to begin with.
    """

    __slots__ = (
        "__weakref__",
        "_direct",
        "_guard",
        "_turn",
        "_writable",
        "counted",
        "door",
        "framing",
        "host",
        "is_lost",
        "meter",
        "number",
        "paused",
        "subscriptions",
        "transport",
        "why",
    )

    keeps_order = False

    def __init__(
        self, guard: Guard, door: str, transport: Any, framing: Framing
    ) -> None:
        self._guard = guard
        self.door = door
        self.transport = transport
        self.framing: Framing = framing
        self.paused = False
        self.subscriptions: set[Subscription] = set()
        self.why: Close | None = None
        """Why this side closed the connection."""
        self.is_lost = False
        self._writable = True
        self._turn: Delayed | None = None
        self._direct = transport.socket.send if type(transport) in PLAIN else None
        self.host: str = getattr(transport.getPeer(), "host", UNIX)
        self.counted: str | None = None
        self.meter: Meter | None = None
        self.number = guard.admit(self)
        transport.registerProducer(self, True)

    @property
    def peer(self) -> str:
        """The peer's address, for the log; behind a proxy, without a port."""
        address = self.transport.getPeer()
        if getattr(address, "host", UNIX) != self.host:
            return self.host
        return UNIX if self.host == UNIX else f"{self.host}:{address.port}"

    def speaks_for(self, forwarded: str | None) -> bool:
        """Take note of the client that a proxy speaks for, if that is trusted.

        Args:
            forwarded: The header ``X-Forwarded-For``.

        Returns:
            Whether the client's address may have one more connection.
        """
        proxies = self._guard.proxies
        if not proxies:
            return True
        peer: str = getattr(self.transport.getPeer(), "host", UNIX)
        client = proxies.client_of(peer, forwarded)
        if client == self.host and self.counted is not None:
            return True
        return self._guard.speaks_for(self, client)

    def write(self, chunk: bytes) -> None:
        """Write framed bytes.

        This runs once for each delivery. Twisted's own write costs a buffer append and
        two changes to the poll; when it has nothing buffered, the kernel is asked at
        once, and only what it did not take is left to Twisted.
        """
        if not self._writable:
            return
        transport = self.transport
        send = self._direct
        if send is None or transport._tempDataLen or transport.dataBuffer:
            transport.write(chunk)
            return
        try:
            sent = send(chunk)
        except OSError:
            # Full, or broken: Twisted's write finds out which.
            sent = 0
        if sent != len(chunk):
            transport.write(chunk[sent:])

    def send(self, message: bytes) -> None:
        self.write(self.framing(message))

    def opened(self) -> None:
        self._guard.openings.discard(self)

    def answer_in(self, binary: bool) -> None:
        """Nothing to choose, unless a kind of transport has two framings."""

    def charge(self, deliveries: int) -> bool:
        meter = self.meter
        return meter is None or meter.take(deliveries, self._guard.clock.seconds())

    def ignored(self, why: str) -> None:
        self._guard.ignored(self, why)
        if not self.charge(0):
            self.close(TOO_FAST)

    def missed(self, count: int) -> None:
        self._guard.missed(self, count)

    def close(self, why: Close) -> None:
        raise NotImplementedError

    def abort(self) -> None:
        """Cut the connection, and lose what was not sent."""
        self.shut()
        self.transport.abortConnection()

    def shut(self) -> None:
        """Write nothing any more; what Twisted has buffered still goes out."""
        self._writable = False

    def opening_expired(self) -> None:
        """Close, as nothing was said in time. Called by the guard."""
        raise NotImplementedError

    def stalled(self) -> None:
        """Close, as the peer takes no byte. Called by the guard."""
        if self.why is None:
            self.close(TOO_SLOW)
        else:
            self.abort()

    def attempt(self, step: Callable[..., None], *arguments: object) -> None:
        """Call a step of the session; what it raises closes this connection alone."""
        try:
            step(*arguments)
        except PeerError as error:
            self.close(error.close)
        except Exception:
            self._guard.failed(self, "raised")
            self.close(INTERNAL_ERROR)

    @property
    def waiting_its_turn(self) -> bool:
        """True from `give_way` until what it was given is called."""
        return self._turn is not None

    def give_way(self, go_on: Callable[[], None]) -> None:
        """Read nothing more, and call `go_on` in the next reactor turn.

        For a peer that has sent more messages at once than a turn should be spent
        on: everybody else comes first.
        """
        self.stop_reading()
        self._turn = self._guard.clock.callLater(0, self._take_turn, go_on)

    def _take_turn(self, go_on: Callable[[], None]) -> None:
        self._turn = None
        self.read_on()
        self.attempt(go_on)

    def stop_reading(self) -> None:
        """Read nothing more until `read_on`, where there can be anything to read."""
        if not (self.is_lost or self.transport.disconnecting):
            self.transport.pauseProducing()

    def read_on(self) -> None:
        """Read again, where there can be anything to read."""
        if not (self.is_lost or self.transport.disconnecting):
            self.transport.resumeProducing()

    def lost(self) -> None:
        """Take note that the connection is lost. Called by the protocol."""
        self.is_lost = True
        self.shut()
        if isinstance(self.transport, ProtocolWrapper):
            # TLS holds its producer on, which makes a cycle.
            self.transport.unregisterProducer()  # type: ignore[no-untyped-call]

    def unsent(self) -> int:
        """Return how many bytes Twisted has buffered for the socket."""
        raw = self._raw()
        if not isinstance(raw, PLAIN):
            return 0
        return len(raw.dataBuffer) - raw.offset + raw._tempDataLen

    def watch_the_end(self) -> None:
        """See to it that a close comes to its end.

        Twisted waits until the peer has taken all, and over TLS for its part.
        """
        if self._direct is None or self.unsent():
            self._guard.stalls.watch(self)

    def _raw(self) -> Any:
        """Return the transport of the socket itself."""
        raw = self.transport
        while isinstance(raw, ProtocolWrapper):
            raw = raw.transport
        return raw

    def pauseProducing(self) -> None:
        """Take note that the transport is full. Called by Twisted."""
        self.paused = True
        if not self.is_lost:
            self._guard.paused.add(self)
        self._guard.stalls.watch(self)
        for subscription in tuple(self.subscriptions):
            subscription.pause()

    def resumeProducing(self) -> None:
        """Take note that the transport has sent all. Called by Twisted."""
        self.paused = False
        self._guard.paused.discard(self)
        self._guard.stalls.forget(self)
        if getattr(self._raw(), "disconnecting", False):
            # Over TLS the peer has ended, and Twisted waits for its producer to go.
            self.transport.unregisterProducer()
        for subscription in tuple(self.subscriptions):
            subscription.resume()

    def stopProducing(self) -> None:
        """Take note that the connection is lost. Called by Twisted."""
        self.shut()
