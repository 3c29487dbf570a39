# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The public WebSocket: a browser logs in, and listens."""

from __future__ import annotations

from chatmux.errors import PeerError
from chatmux.interfaces import Connection
from chatmux.model import Close
from chatmux.protocols.webtalk.hub import Hub
from chatmux.protocols.webtalk.ids import IdError, parse_id
from chatmux.protocols.webtalk.users import User

NO_LOGIN = Close(1008, "the first message should be ID!SALT")
WRONG_LOGIN = Close(1008, "no such user, or not the right salt")


class LoginSession:
    """A browser's conversation."""

    __slots__ = ("_connection", "_hub", "_user")

    def __init__(self, connection: Connection, hub: Hub) -> None:
        self._connection = connection
        self._hub = hub
        self._user: User | None = None

    def received(self, message: bytes, binary: bool) -> None:
        if self._user is not None:
            self._connection.ignored("a browser has nothing to say after the login")
            return
        digits, separator, salt = message.partition(b"!")
        if not separator:
            raise PeerError(NO_LOGIN)
        try:
            user_id = parse_id(digits)
        except IdError:
            raise PeerError(NO_LOGIN) from None
        self._user = self._hub.login(user_id, salt, self._connection)
        if self._user is None:
            raise PeerError(WRONG_LOGIN)
        self._connection.opened()

    def closed(self) -> None:
        if self._user is not None:
            self._hub.logout(self._user, self._connection)
