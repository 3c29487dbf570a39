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
    """Where a server listens for one protocol."""

    wire: str
    port: int
    path: str = "/"
    secret: str = "password"
    room: str = "bench"


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


def _dial(door: Door) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", door.port), _CONNECT_SECONDS)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _read_until(sock: socket.socket, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        piece = sock.recv(4096)
        if not piece:
            raise ConnectionError(f"the server hung up after {data!r}")
        data += piece
    return data


def _dial_websocket(door: Door) -> socket.socket:
    sock = _dial(door)
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
    sock = _dial_websocket(door)
    register = {"action": "register", "client-name": name, "secret-key": door.secret}
    sock.sendall(text_frame(json.dumps(register).encode()))
    _read_until(sock, b"}")
    return sock


def _multichat_message(name: str, text: bytes) -> bytes:
    return text_frame(b'{"action":"client-message","content":"%b"}' % text)


def _machat_hello(door: Door, name: str) -> bytes:
    return json.dumps({"name": name, "room": door.room}).encode()


def _machat_connect(door: Door, name: str, receives: bool) -> socket.socket:
    sock = _dial(door)
    sock.sendall(_machat_hello(door, name) + b"\n")
    return sock


def _machat_message(name: str, text: bytes) -> bytes:
    return text + b"\n"


def _machat_ws_connect(door: Door, name: str, receives: bool) -> socket.socket:
    sock = _dial_websocket(door)
    sock.sendall(text_frame(_machat_hello(door, name)))
    return sock


def _machat_ws_message(name: str, text: bytes) -> bytes:
    return text_frame(text + b"\n")


def _nats_connect(door: Door, name: str, receives: bool) -> socket.socket:
    sock = _dial(door)
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
    sock = _dial(door)
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
    "nats": Wire(_nats_connect, _nats_message, Hears.RECEIVERS),
    "redis": Wire(_redis_connect, _redis_message, Hears.RECEIVERS),
}
