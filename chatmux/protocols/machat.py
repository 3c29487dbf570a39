# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
r"""MaChat: rooms over plain TCP lines and over WebSocket.

``->`` is what a client sends, ``<-`` what it is sent::

    -> {"name":NAME,"room":ROOM}     once, first; a newline after it may be missing
    -> TEXT\n                        a message
    <- NAME:TEXT\n                   a message of anybody in the room, oneself included

NAME is not empty, not "error", has at most 255 characters and no colon and no control
character in it; nobody else in the room may hold one that looks the same: that differs
only in case, Unicode form, invisible characters or the script of like letters. ROOM may
be empty or left out: the room "". Names and rooms keep their case. Nobody is told who
comes and goes.

Over TCP the hello ends where its JSON object ends, however TCP cuts it; one line break
directly behind it belongs to it. A line ends with ``\n``; one ``\r`` before it is
dropped. An empty line is a message. An unfinished line is a message at the end of
sending, after which the server closes.

Over WebSocket (path ``/mychat``) the hello is read from the stream of messages in the
same way. A message is one or more lines, the last newline may be missing; an empty one
is ignored. Each line comes as a message of its own, newline included, and binary if
the client's last message was binary.

Bytes that are no UTF-8 become U+FFFD. Control characters but the tab reach nobody; a
``\r`` inside a line becomes a blank. A text of another protocol comes as one line for
each of its own (of more than 200, the last are one), every one with its sender's name,
in which line breaks, control characters and colons have become ``_``. Where a member
holds that name, it is ``NAME (PROTOCOL)``.

What is refused gets one line that says why, then the close (1008 over WebSocket)::

    <- error: no JSON in the hello: ...       nor wrong types, nor over 16 KiB
    <- error: the name NAME is taken
    <- error: the name must not be empty      nor break another rule for names
    <- error: no hello in time                                   (lines only)
    <- error: a line is longer than 65535 bytes                             (1009)
    <- error: too much was sent
    <- error: there are too many here                                       (1013)

The channel of a room is ``machat/ROOM``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from chatmux.door import LineDoor, Refusal, WebSocketDoor
from chatmux.errors import (
    ChannelFullError,
    LockedError,
    NameTakenError,
    PeerError,
    TextError,
)
from chatmux.interfaces import Connection, Entrance, Entry, Services, Subscription
from chatmux.model import FULL, LOCKED, NORMAL, TOO_FAST, Close, Member, Publication
from chatmux.protocols import foreign, jsontext
from chatmux.protocols.gohttp import upgrade_refusal
from chatmux.settings import HTTPPath, MessageBytes, Settings
from chatmux.text import (
    likeness,
    likeness_of_speaker,
    name_fault,
    plain_lines,
    plain_text,
)

NAME = "machat"
HELLO_BYTES = 16 * 1024
LINE_BYTES = 65_535
LINES_A_TURN = 2000
REFUSAL = "error"
"""What a refusal begins with, and therefore nobody's name."""


class Hello(msgspec.Struct):
    name: str | None = None
    room: str | None = None


_decoder = msgspec.json.Decoder(Hello)


def encode(publication: Publication) -> list[bytes]:
    """Make the lines of what was said, each with its sender's name and newline."""
    if foreign.is_event(publication):
        return []
    if publication.origin == NAME:
        return [f"{publication.name}:{publication.text}\n".encode()]
    name = foreign.sender(publication)
    if likeness_of_speaker(name) == REFUSAL:
        name += "_"
    return [f"{name}:{line}\n".encode() for line in plain_lines(publication.text)]


class Session:
    """A member's conversation, over lines or over messages.

    Args:
        channel_prefix: What the channel's name begins with, before the room's.
        line_bytes: Longest line.
    """

    __slots__ = (
        "_behind_hello",
        "_channel_prefix",
        "_connection",
        "_entrance",
        "_entry",
        "_hello",
        "_line_bytes",
        "_name",
        "_subscription",
    )

    _entry: Entry
    """Behind the hello."""

    def __init__(
        self,
        connection: Connection,
        entrance: Entrance,
        channel_prefix: str,
        line_bytes: int = LINE_BYTES,
    ) -> None:
        self._connection = connection
        self._line_bytes = line_bytes
        self._entrance = entrance
        self._channel_prefix = channel_prefix
        self._hello: jsontext.ObjectScanner | None = jsontext.ObjectScanner(HELLO_BYTES)
        self._behind_hello = False
        """True until the first line is seen, which may be the hello's own break."""
        self._subscription: Subscription | None = None

    def opening(self, data: bytes) -> bytes | None:
        assert self._hello is not None
        try:
            found = self._hello.feed(data)
            if found is None:
                return None
            hello = jsontext.decode(found[0], _decoder)
        except TextError as error:
            raise self._refusal(f"no JSON in the hello: {error}") from None
        self._hello = None
        self._behind_hello = True
        self._join(hello.name or "", hello.room or "")
        return found[1]

    def line(self, line: bytes) -> None:
        if line.endswith(b"\r"):
            line = line[:-1]
        if self._behind_hello:
            self._behind_hello = False
            if not line:
                return
        deliveries = self._entry.publish(
            self._name,
            plain_text(line.decode(errors="replace")),
            origin=NAME,
            source=self._connection.number,
        )
        if not self._connection.charge(deliveries):
            raise self._refusal(TOO_FAST.reason)

    def line_too_long(self) -> None:
        why = f"a line is longer than {self._line_bytes} bytes"
        raise self._refusal(why, 1009)

    def opening_too_late(self) -> None:
        raise self._refusal("no hello in time")

    def ended(self, rest: bytes) -> None:
        if self._hello is not None:
            raise self._refusal("no JSON in the hello: it is not complete")
        if rest:
            self.line(rest)
        self._leave()
        self._connection.close(NORMAL)

    def received(self, message: bytes, binary: bool) -> None:
        self._connection.answer_in(binary)
        if self._hello is not None:
            rest = self.opening(message)
            if not rest:
                return
            message = rest
        elif not message:
            return
        lines = message.split(b"\n")
        if not lines[-1]:
            lines.pop()
        self._hand_on(lines, 0)

    def closed(self) -> None:
        self._leave()

    def _hand_on(self, lines: list[bytes], start: int) -> None:
        """Take as many lines of a message as a turn has time for."""
        stop = start + LINES_A_TURN
        for line in lines[start:stop]:
            if len(line) > self._line_bytes:
                self.line_too_long()
            self.line(line)
        if stop < len(lines):
            self._connection.give_way(lambda: self._hand_on(lines, stop))

    def _join(self, name: str, room: str) -> None:
        fault = name_fault(name)
        if fault is None and likeness(name) == REFUSAL:
            fault = f'must not be "{name}"'
        if fault is not None:
            raise self._refusal(f"the name {fault}")
        self._name = name
        try:
            self._entry = self._entrance.enter(self._channel_prefix + room, NAME)
            self._entry.join(Member(name, NAME, self._connection.number))
        except ChannelFullError:
            raise self._refusal(FULL.reason, FULL.code) from None
        except LockedError:
            raise self._refusal(LOCKED.reason, LOCKED.code) from None
        except NameTakenError as error:
            raise self._refusal(str(error)) from None
        self._connection.opened()
        self._subscription = self._entry.subscribe(self._connection, encode)

    def _leave(self) -> None:
        if self._subscription is not None:
            self._entrance.unsubscribe(self._subscription)
            self._subscription = None
            self._entry.leave(self._connection.number)

    def _refusal(self, why: str, code: int = 1008) -> PeerError:
        # The line goes behind everything that the peer is owed.
        self._leave()
        self._connection.send(f"{REFUSAL}: {why}\n".encode())
        return PeerError(Close(code, why))


class Section(Settings, frozen=True, kw_only=True):
    """The section ``machat`` of the configuration.

    Attributes:
        tcp: Where to listen for lines: ``host:port``, or a Twisted endpoint
            description; null for nowhere.
        ws: Where to listen for WebSockets; null for nowhere.
        ws_path: The HTTP path of the WebSocket.
        share_rooms: Whether both have the same rooms; else those of the WebSocket are
            channels of their own, ``machat-ws/ROOM``.
        origins: Web pages of these origins may connect, besides those of the own
            host; ``*`` for any.
        line_bytes: The longest line.
        message_bytes: The longest WebSocket message, of any number of lines.
    """

    tcp: str | None = "127.0.0.1:8989"
    ws: str | None = "127.0.0.1:8099"
    ws_path: HTTPPath = "/mychat"
    share_rooms: bool = True
    origins: tuple[str, ...] = ()
    line_bytes: MessageBytes = LINE_BYTES
    message_bytes: MessageBytes = 1 << 20


def doors(section: Section, services: Services) -> Iterable[LineDoor | WebSocketDoor]:
    """List the door for lines and the one for WebSockets."""

    def new_line_session(connection: Connection) -> Session:
        return Session(connection, services.broker, "machat/", section.line_bytes)

    def new_message_session(connection: Connection) -> Session:
        prefix = "machat/" if section.share_rooms else "machat-ws/"
        return Session(connection, services.broker, prefix, section.line_bytes)

    if section.tcp is not None:
        yield LineDoor(
            protocol=NAME,
            key="machat.tcp",
            address=section.tcp,
            new_session=new_line_session,
            line_bytes=section.line_bytes,
            full=f"{REFUSAL}: {FULL.reason}\n".encode(),
        )
    if section.ws is not None:
        yield WebSocketDoor(
            protocol=NAME,
            key="machat.ws",
            address=section.ws,
            path=section.ws_path,
            new_session=new_message_session,
            refuse=refuse,
            origins=section.origins,
            opening_bytes=section.message_bytes,
            message_bytes=section.message_bytes,
        )


def bridge_fault(names: Sequence[str]) -> str | None:
    """Say why these channels of MaChat cannot be in one bridge, or None."""
    for name in names:
        if not name.startswith(("machat/", "machat-ws/")):
            return f"{name} is no room of MaChat, as machat/lounge is"
    return None


def refuse(status: int, reason: str) -> Refusal:
    """Refuse a handshake as the original does, its spelling included."""
    if status == 404:
        return upgrade_refusal(status)
    more = f"Error occured while trying to upgrade websocket: {reason}"
    return upgrade_refusal(status, more)
