# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The doors for WebSockets as the protocols have them, but that they echo.

Class, options, limits and listener are the ones that are served; only what makes a
session is another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

from chatmux.door import Door, HTTPDoor, Request, Upgrade, WebSocketDoor
from chatmux.interfaces import Connection, Store
from chatmux.protocols import globes, machat, multichat, webtalk
from chatmux.settings import Limits, Secret, TLSFiles
from chatmux.transports.guard import Guard
from chatmux.transports.listener import Listener
from tests.doubles import services

LONGEST_BYTES = 16 << 20
"""Of the suite's messages."""
WIDE = Limits(fragments=1 << 20)
"""It has messages of 65,536 fragments."""


class Echo:
    """Says what it hears, as text or binary as it was."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        connection.opened()

    def received(self, message: bytes, binary: bool) -> None:
        self._connection.answer_in(binary)
        self._connection.send(message)

    def closed(self) -> None: ...


def _upgrade(request: Request) -> Upgrade:
    return Upgrade(Echo)


def _doors() -> Iterator[Door]:
    anywhere = "127.0.0.1:0"
    # Nobody comes as far as to the store.
    own = replace(services(), store=cast("Store", object()))
    secret = Secret("a secret of nobody's at all, but long enough")
    yield from multichat.doors(multichat.Section(host=anywhere, secret_key=secret), own)
    yield from machat.doors(machat.Section(tcp=None, ws=anywhere), own)
    yield from globes.doors(globes.Section(address=anywhere), own)
    yield from webtalk.doors(webtalk.Section(public=anywhere), own)


@dataclass(frozen=True, slots=True)
class Echoing:
    """A listener that can be called.

    Attributes:
        name: Of its door, and whether it is one over TLS.
        url: Where it is.
        message_bytes: The longest message that it takes.
        fragments: The most that a message may have.
    """

    name: str
    url: str
    message_bytes: int
    fragments: int


def echoing(door: Door, wide: bool) -> WebSocketDoor | HTTPDoor | None:
    """Return the door with an echo behind it; None for one without WebSockets."""
    changes: dict[str, Any] = {"message_bytes": LONGEST_BYTES} if wide else {}
    if isinstance(door, WebSocketDoor):
        if wide:
            changes["opening_bytes"] = LONGEST_BYTES
        return replace(door, new_session=Echo, **changes)
    if isinstance(door, HTTPDoor):
        return replace(door, upgrade=_upgrade, **changes)
    return None


def names() -> list[str]:
    """Return the names of the doors."""
    return [door.key for door in _doors() if echoing(door, True) is not None]


def listen(
    reactor: Any, only: Callable[[str], bool], tls: TLSFiles | None, wide: bool
) -> Iterator[tuple[Echoing, Listener]]:
    """Open a listener for each of the doors."""
    for plain in _doors():
        door = echoing(plain, wide)
        if door is None or not only(door.key):
            continue
        door = replace(door, tls=tls, tls_key=f"{door.key}.tls")
        limits = WIDE if wide else Limits()
        guard = Guard(reactor, limits)
        listener = Listener(reactor, guard, [door])
        listener.listen()
        where = listener.host_and_port
        assert where is not None
        path = door.path if isinstance(door, WebSocketDoor) else "/chats/1/ws"
        url = f"{'wss' if tls else 'ws'}://127.0.0.1:{where[1]}{path}"
        name = f"{door.key}, {'TLS' if tls else 'plain'}"
        yield Echoing(name, url, door.message_bytes, limits.fragments), listener
