# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The client's side of each protocol: how to join, and how a message is written.

A new protocol is one entry in ``WIRES``: a function that opens a connection, a
function that writes a message, and who hears it. Nothing here measures.

    multichat   -> {"action":"register","client-name":N,"secret-key":S}
                <- {"action":"register-ack"}
                -> {"action":"client-message","content":TEXT}
    machat      -> {"name":N,"room":R} LF, then lines
    machat-ws   the same as text messages on /mychat
    globes      -> {"event_type":"join","name":N}  <- the same, with more in it
                -> {"event_type":"send","name":N,"msg":TEXT}, all on /chats/1/ws
    webtalk     -> 00009[newuser]  <- 000nn[ok] ID!SALT  on the back-end's port, for
                -> ID!SALT  as the first message of a receiver on /webtalk
                -> 000nn[shout] 1!TEXT  <- 00017[ok] message sent  of a sender
    bridged     receivers in turn as in multichat, machat, machat-ws, globes and
                webtalk; senders as in webtalk
    nats        <- INFO ...  -> CONNECT {} PING  <- PONG  -> PUB bench SIZE
    redis       -> SUBSCRIBE bench, PUBLISH bench TEXT
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

_TOPIC = b"bench"
_CONNECT_SECONDS = 10.0
_MASK = b"\x12\x34\x56\x78"
_TEXT_FRAME = 0x81
_LENGTH_DIGITS = 5


class Hears(Enum):
    """Which connections a message is carried to."""

    RECEIVERS = "receivers"  # senders have not subscribed
    OTHERS = "others"  # everybody but the sending connection
    EVERYONE = "everyone"  # the sender too

    def deliveries(self, receivers: int, senders: int) -> int:
        """Return how many deliveries one message makes."""
        if self is Hears.RECEIVERS:
            return receivers
        return receivers + senders - (self is Hears.OTHERS)


@dataclass(frozen=True, slots=True)
class Door:
    """Where a server listens for one protocol.

    Attributes:
        wire: Its name in ``WIRES``.
        port: Where clients come in; receivers alone, with a ``back_end_port``.
        path: Of a WebSocket.
        secret: What a client shows, if it has to.
        room: What everybody joins, if there are rooms.
        back_end_port: Where senders come in, if that is another port.
        parts: The doors of receivers, if they come in by several.
        source: The address that clients come from, if that matters.
    """

    wire: str
    port: int
    path: str = "/"
    secret: str = "password"
    room: str = "bench"
    back_end_port: int = 0
    parts: tuple[Door, ...] = ()
    source: str = ""

    def ports(self) -> set[int]:
        """Return all ports that have to be open before anybody comes."""
        own = {self.port, self.back_end_port} if self.back_end_port else {self.port}
        return own.union(*(part.ports() for part in self.parts))


@dataclass(frozen=True, slots=True)
class Wire:
    """One protocol as a client speaks it.

    Attributes:
        connect: Opens a connection under a name and leaves it able to send; the
            flag says whether the connection is a receiver.
        message: Writes one text as the bytes that a sender of that name sends.
        hears: Whom the server carries a message to.
    """

    connect: Callable[[Door, str, bool], socket.socket]
    message: Callable[[str, bytes], bytes]
    hears: Hears


def text_frame(payload: bytes) -> bytes:
    """Return a masked WebSocket text frame (RFC 6455, section 5.2)."""
    size = len(payload)
    if size < 126:
        head = bytes((_TEXT_FRAME, 0x80 | size))
    elif size < 1 << 16:
        head = bytes((_TEXT_FRAME, 0x80 | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((_TEXT_FRAME, 0x80 | 127)) + size.to_bytes(8, "big")
    key = (_MASK * (size // 4 + 1))[:size]
    masked = int.from_bytes(payload, "little") ^ int.from_bytes(key, "little")
    return head + _MASK + masked.to_bytes(size, "little")


def dial(port: int, source: str = "") -> socket.socket:
    """Open a connection on which small writes leave at once."""
    own = (source, 0) if source else None
    sock = socket.create_connection(("127.0.0.1", port), _CONNECT_SECONDS, own)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _read_until(sock: socket.socket, end: bytes) -> bytes:
    # What others say may have come behind it already.
    data = b""
    while end not in data:
        piece = sock.recv(4096)
        if not piece:
            raise ConnectionError(f"the server hung up after {data!r}")
        data += piece
    return data


def dial_websocket(door: Door) -> socket.socket:
    """Open a WebSocket, and say nothing."""
    sock = dial(door.port, door.source)
    sock.sendall(
        f"GET {door.path} HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{door.port}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    answer = _read_until(sock, b"\r\n\r\n")
    if not answer.startswith(b"HTTP/1.1 101"):
        raise ConnectionError(f"the server refused the handshake: {answer!r}")
    return sock


def _multichat_connect(door: Door, name: str, receives: bool) -> socket.socket:
    sock = dial_websocket(door)
    register = {"action": "register", "client-name": name, "secret-key": door.secret}
    sock.sendall(text_frame(json.dumps(register).encode()))
    _read_until(sock, b"}")
    return sock


def _multichat_message(name: str, text: bytes) -> bytes:
    return text_frame(b'{"action":"client-message","content":"%b"}' % text)


def _machat_hello(door: Door, name: str) -> bytes:
    return json.dumps({"name": name, "room": door.room}).encode()


def _machat_connect(door: Door, name: str, receives: bool) -> socket.socket:
    sock = dial(door.port, door.source)
    sock.sendall(_machat_hello(door, name) + b"\n")
    return sock


def _machat_message(name: str, text: bytes) -> bytes:
    return text + b"\n"


def _machat_ws_connect(door: Door, name: str, receives: bool) -> socket.socket:
    sock = dial_websocket(door)
    sock.sendall(text_frame(_machat_hello(door, name)))
    return sock


def _machat_ws_message(name: str, text: bytes) -> bytes:
    return text_frame(text + b"\n")


def _globes_connect(door: Door, name: str, receives: bool) -> socket.socket:
    sock = dial_websocket(door)
    join = {"event_type": "join", "name": name}
    sock.sendall(text_frame(json.dumps(join).encode()))
    _read_until(sock, b"}")
    return sock


def _globes_message(name: str, text: bytes) -> bytes:
    event = b'{"event_type":"send","name":"%b","msg":"%b"}' % (name.encode(), text)
    return text_frame(event)


def _webtalk_frame(command: bytes) -> bytes:
    return b"%0*d%b" % (_LENGTH_DIGITS, len(command), command)


def _webtalk_connect(door: Door, name: str, receives: bool) -> socket.socket:
    if not receives:
        return dial(door.back_end_port, door.source)
    user = webtalk_user(door.back_end_port)
    sock = dial_websocket(door)
    sock.sendall(text_frame(user))
    return sock


def webtalk_user(back_end_port: int) -> bytes:
    """Make a new user, and return what its browser says to log in."""
    with dial(back_end_port) as back_end:
        back_end.sendall(_webtalk_frame(b"[newuser]") + _webtalk_frame(b""))
        answers = _read_until(back_end, b"goodbye")
    answer = answers[_LENGTH_DIGITS:][: int(answers[:_LENGTH_DIGITS])]
    return answer.removeprefix(b"[ok] ")


def _webtalk_message(name: str, text: bytes) -> bytes:
    return _webtalk_frame(b"[shout] 1!" + text)


def _bridged_connect(door: Door, name: str, receives: bool) -> socket.socket:
    if not receives:
        return _webtalk_connect(door, name, receives)
    part = door.parts[int(name[1:]) % len(door.parts)]
    return WIRES[part.wire].connect(part, name, receives)


def _nats_connect(door: Door, name: str, receives: bool) -> socket.socket:
    sock = dial(door.port, door.source)
    _read_until(sock, b"\r\n")
    subscribe = b"SUB %b 1\r\n" % _TOPIC if receives else b""
    sock.sendall(b'CONNECT {"verbose":false}\r\n' + subscribe + b"PING\r\n")
    _read_until(sock, b"PONG\r\n")
    return sock


def _nats_message(name: str, text: bytes) -> bytes:
    return b"PUB %b %d\r\n%b\r\n" % (_TOPIC, len(text), text)


def _redis_command(*words: bytes) -> bytes:
    parts = [b"*%d\r\n" % len(words)]
    parts += [b"$%d\r\n%b\r\n" % (len(word), word) for word in words]
    return b"".join(parts)


def _redis_connect(door: Door, name: str, receives: bool) -> socket.socket:
    sock = dial(door.port, door.source)
    if receives:
        sock.sendall(_redis_command(b"SUBSCRIBE", _TOPIC))
        _read_until(sock, b":1\r\n")
    return sock


def _redis_message(name: str, text: bytes) -> bytes:
    return _redis_command(b"PUBLISH", _TOPIC, text)


WIRES: dict[str, Wire] = {
    "multichat": Wire(_multichat_connect, _multichat_message, Hears.OTHERS),
    "machat": Wire(_machat_connect, _machat_message, Hears.EVERYONE),
    "machat-ws": Wire(_machat_ws_connect, _machat_ws_message, Hears.EVERYONE),
    "globes": Wire(_globes_connect, _globes_message, Hears.EVERYONE),
    "webtalk": Wire(_webtalk_connect, _webtalk_message, Hears.RECEIVERS),
    "bridged": Wire(_bridged_connect, _webtalk_message, Hears.RECEIVERS),
    "nats": Wire(_nats_connect, _nats_message, Hears.RECEIVERS),
    "redis": Wire(_redis_connect, _redis_message, Hears.RECEIVERS),
}
