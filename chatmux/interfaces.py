# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The contracts between the rooms of the house.

Protocols, transports and the broker know each other only by what stands here. All
calls are made on the reactor's thread, and are synchronous but for those of `Store` and
`Passwords`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from chatmux.model import Asset, Close, Member, Present, Publication, Room

Encoding: TypeAlias = Callable[[Publication], Sequence[bytes]]
"""Make the messages by which one wire form tells of a publication.

Pure: equal publications give equal messages; never raises. Most give one message, a
line protocol one for each line, and none where the form has no word for it. Encodings
are compared by equality, so hand over a module's function, not a new lambda.
"""

Framing: TypeAlias = Callable[[bytes], bytes]
"""Make the bytes on the wire of one message. Pure, and the same for every peer."""


class Delayed(Protocol):
    """What `Clock.callLater` returns."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """The part of a reactor that tells time. Twisted's ``IReactorTime``."""

    def seconds(self) -> float: ...

    def callLater(
        self, delay: float, callable: Callable[..., Any], *args: object
    ) -> Delayed: ...


class Subscription(Protocol):
    """One connection's place on one channel, as its connection sees it."""

    def pause(self) -> None:
        """Take note that the connection cannot take more; `resume` will follow."""

    def resume(self) -> None:
        """Write what was published since `pause`, and go on."""

    def reframe(self) -> None:
        """Take note that `Connection.framing` has changed."""


class Connection(Protocol):
    """The message-oriented face of one socket."""

    @property
    def number(self) -> int:
        """Identity of the connection, from `Broker.new_number`."""

    @property
    def framing(self) -> Framing:
        """How this peer's messages are framed."""

    @property
    def paused(self) -> bool:
        """True while the peer does not take what was written already.

        The broker does not write to a paused connection.
        """

    @property
    def keeps_order(self) -> bool:
        """True where the order matters of what is written to it and to others like it.

        Of peers, each sees its own alone.
        """

    @property
    def subscriptions(self) -> set[Subscription]:
        """Kept by the broker; the connection tells each when it pauses and resumes."""

    def write(self, chunk: bytes) -> None:
        """Write framed bytes. After `close` they are dropped."""

    def send(self, message: bytes) -> None:
        """Frame one message and write it, behind all that was written before."""

    def close(self, why: Close) -> None:
        """Flush what was written and end the connection; a second call does nothing.

        `Session.closed` follows in a later reactor turn.
        """

    def opened(self) -> None:
        """Take note that the peer has said who it is: the deadline for that ends."""

    def answer_in(self, binary: bool) -> None:
        """Frame messages as binary or as text from now on, where there is a choice."""

    def give_way(self, go_on: Callable[[], None]) -> None:
        """Call `go_on` in the next reactor turn; nothing is received before.

        For a session that was sent more at once than a turn should be spent on.
        """

    def charge(self, deliveries: int) -> bool:
        """Count a message of the peer, and what it makes others be sent.

        Args:
            deliveries: In bytes, as `Broker.publish` returns it.

        Returns:
            False where that is more than the peer may send: close with `TOO_FAST`.
        """

    def ignored(self, why: str) -> None:
        """Count, and log at debug, a message of the peer that was of no effect."""

    def missed(self, count: int) -> None:
        """Count, and log, messages for the peer that were dropped before it came."""


class Session(Protocol):
    """One peer's conversation in one protocol.

    Takes whole messages in, decides, publishes. May raise `PeerError` from any call
    but `closed`; the transport then closes the connection with what it carries.
    """

    def received(self, message: bytes, binary: bool) -> None:
        """Take one message: a WebSocket message's payload, UTF-8 unless `binary`."""

    def closed(self) -> None:
        """Leave everything: the connection is lost, or was closed. The last call."""


class LineSession(Session, Protocol):
    """A session that can also be held over lines on a byte stream."""

    def opening(self, data: bytes) -> bytes | None:
        """Take bytes until the opening, which need not be a line, is complete.

        Returns None to be called again with more, else what followed the opening.
        """

    def line(self, line: bytes) -> None:
        """Take a line that followed the opening, without its newline."""

    def line_too_long(self) -> None:
        """Raise `PeerError`: a line is longer than the door's ``line_bytes``."""

    def opening_too_late(self) -> None:
        """Raise `PeerError`: the opening was not complete in time."""

    def ended(self, rest: bytes) -> None:
        """The peer has ended its sending, in the middle of a line if `rest`: close."""


class FramedSession(Session, Protocol):
    """A session held over frames, each with its length before it, on a byte stream.

    `received` is handed what a frame holds, as binary. What is sent from within is
    written when all the frames of a reactor turn were handed on.
    """

    def bad_length(self, length: bytes) -> None:
        """Raise `PeerError`: the next frame's length is not written as it has to be."""

    def frame_too_long(self, length: int) -> None:
        """Raise `PeerError`: the next frame is longer than the door admits now."""

    def frame_too_late(self) -> None:
        """Raise `PeerError`: a frame was begun and not complete in time."""

    def opening_too_late(self) -> None:
        """Raise `PeerError`: the peer did not say in time who it is."""

    def ended(self, rest: bytes) -> None:
        """The peer has ended its sending, in the middle of a frame if `rest`: close.

        `rest` is what there is of the frame, its length's digits included.
        """


class Entry(Protocol):
    """Leave to be on a channel, from `Entrance.enter`; the methods are `Broker`'s."""

    def publish(
        self,
        name: str,
        text: str,
        *,
        origin: str,
        source: int = 0,
        ext: Mapping[str, str] | None = None,
    ) -> int: ...

    def subscribe(
        self,
        connection: Connection,
        encoding: Encoding,
        *,
        echo: bool = True,
        presence: bool = False,
    ) -> Subscription: ...

    def join(self, member: Member) -> None: ...

    def leave(self, source: int) -> None: ...

    def members(self) -> Sequence[Present]: ...


class Entrance(Protocol):
    """The broker as protocols see it: nobody is on a channel who was not let in."""

    def enter(self, channel: str, protocol: str, key: object = None) -> Entry:
        """Return what it takes to be on a channel.

        Args:
            channel: Any name of it, but one of the protocol's own: it begins with the
                protocol's name.
            protocol: Who asks.
            key: What is shown to open a lock.

        Raises:
            LockedError: It is another protocol's, or the key does not open it.
            ChannelFullError: It has as many subscribers as it may have.
        """

    def present(self, channel: str, protocol: str) -> Sequence[Present]:
        """List who is on a channel of the protocol's own, for those who may know.

        Raises:
            LockedError: It is another protocol's.
        """

    def lock(self, channel: str, opens: Callable[[object], bool]) -> None:
        """Let nobody enter, by whatever name and protocol, whose key does not open.

        Each name of a bridge has a lock of its own, a second one in the place of the
        first; whoever enters opens all. Who is in stays in.
        """

    def unlock(self, channel: str) -> None:
        """Take away the lock of this name, if there is one."""

    def unsubscribe(self, subscription: Subscription, *, rest: bool = True) -> None:
        """Carry nothing more. What was published before still arrives, if `rest`.

        Who has not read very much of that is closed with `TOO_SLOW` instead: a copy for
        each would take too much memory. Without `rest`: for a connection that ends
        anyhow, and from within a write to another one, as no transport does it: what is
        being written could come behind the rest.
        """

    def fence(self) -> None:
        """Carry what is published from now on after all that was published before.

        On whatever channels: for a session that owes its peers an order across them.
        Where very much waits behind fences it is carried at once.
        """

    def flush(self) -> None:
        """Carry now what was accepted, and not only at the end of the turn."""

    def is_bridged(self, channel: str) -> bool:
        """Say whether a bridge lists a channel by this name."""

    def new_number(self) -> int:
        """Return a number for a new connection: above 0, and never given before.

        Of the broker, since listeners that share one must not number alike.
        """


class Broker(Entrance, Protocol):
    """Gives each publication its place in its channel's order and carries it.

    A channel exists while somebody is subscribed to it or present on it. Its name may
    be any string; names that a bridge lists stand for one and the same channel.

    Delivery promise: a subscriber whose connection stays open gets every publication
    that was accepted after its subscription, once, in the channel's one order. Whoever
    cannot be kept up with is closed with `TOO_SLOW`.
    """

    def publish(
        self,
        channel: str,
        name: str,
        text: str,
        *,
        origin: str,
        source: int = 0,
        ext: Mapping[str, str] | None = None,
    ) -> int:
        """Accept a message for all who are subscribed, to be carried soon.

        Args:
            channel: Any name of the channel. Nobody subscribed: nothing happens.
            name: The sender's name, as it is.
            text: Without surrogates.
            origin: The protocol's name.
            source: The sending connection's number, 0 for none.
            ext: What else some protocols know; see `Publication`.

        Returns:
            How many bytes are to be carried to all subscribers together, about.
        """

    def subscribe(
        self,
        channel: str,
        connection: Connection,
        encoding: Encoding,
        *,
        echo: bool = True,
        presence: bool = False,
    ) -> Subscription:
        """Carry what is published from now on to `connection`.

        Args:
            channel: Any name of the channel.
            connection: Not paused by more than what it was sent before.
            encoding: Makes the messages of this connection's wire form.
            echo: Whether the connection hears its own messages.
            presence: Whether it wants to know who comes and goes. While somebody on
                the channel does, that is published, and all encodings see it: those
                that have no word for it make no message.
        """

    def join(self, channel: str, member: Member) -> None:
        """Make a connection present on a channel; nothing where it is already.

        Whoever has several connections by a name that may be shared is one member, who
        comes with the first and goes with the last.

        Raises:
            NameTakenError: It is to own its name, and somebody there owns one with the
                same `chatmux.text.likeness`.
        """

    def leave(self, channel: str, source: int) -> None:
        """End the presence of the connection `source`; nothing where it has none."""

    def members(self, channel: str) -> Sequence[Present]:
        """List who is present, in the order of their coming."""


class Store(Protocol):
    """What outlives the process. Everything waits off the reactor's thread.

    What a call has done is on disk when it returns. Any may raise `StoreError`, after
    which it is not known whether it was done.
    """

    async def rooms(self) -> Sequence[Room]:
        """Return all rooms, in the order of their ids."""

    async def add_room(self, room: Room) -> Room:
        """Keep a new room; return it with its id.

        Args:
            room: With the id 0, to be given the next one, or one that it shall have.

        Raises:
            TitleTakenError: The title's `chatmux.text.fold` is another room's, and
                neither is concealed.
            IdTakenError: The id that it shall have is or was another room's.
        """

    async def replace_room(self, old: Room, new: Room) -> None:
        """Keep a room in the place of another with its id.

        Raises:
            TitleTakenError: As `add_room`.
            KeyError: The old one is not there, or not as it was any more.
        """

    async def remove_room(self, room_id: int) -> None:
        """Forget a room, if there is one, but never give its id again."""

    async def secret(self, name: str, make: Callable[[], bytes]) -> bytes:
        """Return the secret kept under a name; what `make` returns if there is none.

        Nodes that share a store get the same one, whoever comes first.
        """


class Passwords(Protocol):
    """Hashes passwords, off the reactor's thread."""

    async def hash(self, password: str) -> str:
        """Return a hash, salted. Raises `BusyError`."""

    async def verify(self, hash: str | None, password: str) -> bool:
        """Say whether a password is the one that was hashed.

        Costs the same for every hash; None stands for one that nobody knows. Raises
        `BusyError`.
        """


@dataclass(frozen=True, slots=True)
class Services:
    """What the node has for its protocols."""

    broker: Entrance
    clock: Clock
    """Does not jump."""
    now: Callable[[], float]
    """The time of day: seconds since the epoch."""
    store: Store | None
    """None where none is configured. Open from before the first connection is accepted
    until after the last has ended."""
    passwords: Passwords
    new_lock: Callable[[], AbstractAsyncContextManager[object]]
    """Make a lock that is held by one coroutine at a time, in the order of asking."""
    assets: Mapping[str, Asset] = field(default_factory=dict)
    """The files for browsers, by their paths; read before anybody is served."""
