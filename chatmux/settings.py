# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What sections of the configuration are made of.

A protocol declares its section as a `Settings` with annotated fields and defaults;
`chatmux.config` reads one from the file. Attributes are snake_case, keys kebab-case.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

import msgspec

Seconds = Annotated[float, msgspec.Meta(ge=0)]
MessageBytes = Annotated[int, msgspec.Meta(ge=64, le=1 << 20)]
"""Not more than a quarter of what a slow reader may fall behind."""
HTTPPath = Annotated[str, msgspec.Meta(pattern="^/")]


class Settings(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename="kebab",
    forbid_unknown_fields=True,
):
    """Base of all sections."""

    environment: ClassVar[Mapping[str, str]] = {}
    """Variables of the environment, or of ``.env``, that are the values of keys which
    are left out; by the keys."""
    without_effect: ClassVar[tuple[str, ...]] = ()
    """Keys of the originals that are taken, and mean nothing here."""


class Secret:
    """A secret text that does not show in logs, tracebacks or ``repr``.

    Raises:
        ValueError: The text is empty, or cannot be written as UTF-8.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not text:
            raise ValueError("must not be empty")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError("must be UTF-8") from None
        self._text = text

    def __repr__(self) -> str:
        return "Secret(...)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def encode(self) -> bytes:
        """Return the secret as UTF-8. Compare with ``hmac.compare_digest``."""
        return self._text.encode()


class TLSFiles(Settings, frozen=True, kw_only=True):
    """Paths of PEM files for TLS.

    Attributes:
        keyfile: The server's private key.
        certfile: Its certificate, with the chain.
        client_cafile: Only clients with a certificate that one of these has signed
            come in; left out: clients need none.
    """

    keyfile: str
    certfile: str
    client_cafile: str | None = None


class Limits(Settings, frozen=True, kw_only=True):
    """The section ``limits``. Times are in seconds; 0 is no limit.

    Attributes:
        opening_seconds: From the accepting of a connection until its peer has said
            who it is; no byte and no ping extends it. Over HTTP, to the last byte of
            the first request, and from the first byte of each later one to its last.
        idle_seconds: From an HTTP answer to the next request on the connection.
        message_seconds: From the first byte of a WebSocket message to its last.
        frame_seconds: From the first byte of a frame on webtalk's private port to its
            last.
        ping_seconds: Between an answer to a WebSocket ping and the next ping.
        pong_seconds: For the answer to a ping.
        stall_seconds: A peer that takes no byte of what waits for it for so long is
            closed as too slow; up to a quarter more may pass.
        closing_seconds: For the peer's part in the close of a WebSocket, and for what
            it still sends of an HTTP request that was refused.
        header_bytes: Of an HTTP request or a WebSocket handshake, first line included.
        fragments: Of one WebSocket message.
        max_connections: How many there may be; left out: as many as the process has
            file descriptors for, but a twentieth.
        max_connections_per_address: Of one address, or network of IPv6 (/64). This
            machine's own, and proxies', are not held to it.
        max_members: How many connections one channel may have.
        messages_per_second: Of one connection, averaged over 10 seconds. Of this
            machine's own, none is held to it, as to the next.
        delivered_per_second: Bytes of text that one connection may make others be
            sent, counted for each of them, averaged over 10 seconds.
        log_bytes: How far, in text, a slow reader may fall behind on a channel before
            it is closed; at least 4 MiB, four of the largest message.
        logs_bytes: What is kept for slow readers of all channels together; with more,
            each may fall behind by 256 KiB only.
    """

    opening_seconds: Seconds = 10
    idle_seconds: Seconds = 60
    message_seconds: Seconds = 30
    frame_seconds: Seconds = 10
    ping_seconds: Seconds = 25
    pong_seconds: Seconds = 15
    stall_seconds: Seconds = 10
    closing_seconds: Seconds = 5
    header_bytes: Annotated[int, msgspec.Meta(ge=1024)] = 16 * 1024
    fragments: Annotated[int, msgspec.Meta(ge=1)] = 1024
    max_connections: Annotated[int, msgspec.Meta(ge=1)] | None = None
    max_connections_per_address: Annotated[int, msgspec.Meta(ge=0)] = 20_000
    max_members: Annotated[int, msgspec.Meta(ge=1)] = 100_000
    messages_per_second: Annotated[float, msgspec.Meta(ge=0)] = 100_000
    delivered_per_second: Annotated[float, msgspec.Meta(ge=0)] = 2 << 30
    log_bytes: Annotated[int, msgspec.Meta(ge=4 << 20)] = 4 << 20
    logs_bytes: Annotated[int, msgspec.Meta(ge=16 << 20)] = 256 << 20
