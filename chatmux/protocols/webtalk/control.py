# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The private port: a back-end says what is to be done."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import NoReturn

from chatmux.errors import PeerError
from chatmux.interfaces import Connection
from chatmux.logtext import field
from chatmux.model import NORMAL, Close
from chatmux.protocols.webtalk.commands import (
    LONGEST_FRAME,
    BraceError,
    CommandError,
    split_command,
    split_data,
    to_channel_id,
    to_user_id,
)
from chatmux.protocols.webtalk.hub import (
    Hub,
    QueueFullError,
    TooManyError,
    UnknownChannelError,
    UnknownUserError,
)
from chatmux.protocols.webtalk.variables import StoreFullError, Variables
from chatmux.settings import Secret

_OK = b"[ok] "
_ERROR = b"[error] "
_LENGTH_DIGITS = 5
_TOO_LONG = f"the answer is longer than {LONGEST_FRAME} bytes".encode()


class ControlSession:
    """A back-end's conversation.

    Args:
        connection: Takes the answers.
        hub: Does what concerns users and channels.
        variables: Those of ``[store]``.
        secret: What has to be shown first, if anything.
        strict: Whether ids that nobody has are errors.
    """

    __slots__ = ("_connection", "_hub", "_known", "_secret", "_strict", "_variables")

    def __init__(
        self,
        connection: Connection,
        hub: Hub,
        variables: Variables,
        *,
        secret: Secret | None = None,
        strict: bool = False,
    ) -> None:
        self._connection = connection
        self._hub = hub
        self._variables = variables
        self._secret = secret
        self._strict = strict
        self._known = secret is None
        if self._known:
            connection.opened()

    def received(self, message: bytes, binary: bool) -> None:
        if not message:
            self._connection.send(_OK + b"goodbye")
            self._connection.close(NORMAL)
            return
        try:
            command, data = split_command(message)
        except BraceError as error:
            self._refuse(f"Invalid Frame: {error} brace not found")
        if command == b"auth" and self._secret is not None:
            answer = self._authenticate(data, self._secret)
        elif not self._known:
            self._refuse("[auth] SECRET first")
        else:
            answer = self._answer(command, data)
        self._connection.send(answer)

    def bad_length(self, length: bytes) -> None:
        words = field(length.decode("ascii", errors="backslashreplace"))
        self._refuse(f"Invalid Frame Size: {words}, five ASCII digits were expected")

    def frame_too_long(self, length: int) -> None:
        self._refuse(f"Invalid Frame Size: {length}, too long", 1009)

    def frame_too_late(self) -> None:
        self._refuse("Error reading Frame: not complete in time")

    def opening_too_late(self) -> None:
        self._refuse("[auth] SECRET first, and in time")

    def ended(self, rest: bytes) -> None:
        if not rest:
            words = "Invalid Frame: EOF"
        elif len(rest) < _LENGTH_DIGITS:
            words = f"Insufficient Frame Size: {len(rest)}"
        else:
            words = "Error reading Frame: EOF"
        self._connection.send(_ERROR + words.encode())
        self._connection.close(NORMAL)

    def closed(self) -> None:
        """Nothing to leave: users and channels are nobody's in particular."""

    def _authenticate(self, data: bytes, secret: Secret) -> bytes:
        if not hmac.compare_digest(data, secret.encode()):
            self._refuse("wrong secret")
        if not self._known:
            self._known = True
            self._connection.opened()
        return _OK + b"authenticated"

    def _refuse(self, words: str, code: int = 1008) -> NoReturn:
        self._connection.send(_ERROR + words.encode())
        raise PeerError(Close(code, words))

    def _answer(self, command: bytes, data: bytes) -> bytes:
        try:
            run = _COMMANDS.get(command)
            if run is None:
                raise CommandError(b"Invalid command: " + command)
            answer = _OK + run(self, data)
        except CommandError as error:
            answer = _ERROR + error.words
        except TooManyError as error:
            answer = _ERROR + f"too many {error}".encode()
        if len(answer) > LONGEST_FRAME:
            return _ERROR + _TOO_LONG
        return answer

    def _for_ids(self, step: Callable[..., None], *arguments: int | str) -> None:
        """Do what may concern ids that nobody has."""
        try:
            step(*arguments)
        except UnknownUserError as error:
            if self._strict:
                raise CommandError(f"Unknown User: {error}".encode()) from None
        except UnknownChannelError as error:
            if self._strict:
                raise CommandError(f"Unknown Channel: {error}".encode()) from None

    def _new_user(self, data: bytes) -> bytes:
        user = self._hub.new_user()
        return b"%d!%s" % (user.id, user.salt)

    def _kill_user(self, data: bytes) -> bytes:
        self._for_ids(self._hub.kill_user, to_user_id(data))
        return b"user killed"

    def _whisper(self, data: bytes) -> bytes:
        digits, message = split_data(data, "User")
        user_id, text = to_user_id(digits), message.decode(errors="replace")
        try:
            self._for_ids(self._hub.whisper, user_id, text)
        except QueueFullError:
            words = f"User {user_id}: too much is waiting already"
            raise CommandError(words.encode()) from None
        return b"message sent"

    def _new_channel(self, data: bytes) -> bytes:
        return b"%d" % self._hub.new_channel()

    def _kill_channel(self, data: bytes) -> bytes:
        self._for_ids(self._hub.kill_channel, to_channel_id(data))
        return b"channel killed"

    def _shout(self, data: bytes) -> bytes:
        digits, message = split_data(data, "Channel")
        channel_id, text = to_channel_id(digits), message.decode(errors="replace")
        self._for_ids(self._hub.shout, channel_id, text)
        return b"message sent"

    def _join(self, data: bytes) -> bytes:
        self._for_ids(self._hub.join, *_channel_and_user(data))
        return b"user joined"

    def _leave(self, data: bytes) -> bytes:
        self._for_ids(self._hub.leave, *_channel_and_user(data))
        return b"user leaved"

    def _store(self, data: bytes) -> bytes:
        key, value = split_data(data, "Data")
        answer = _told(b"stored ", key)
        try:
            self._variables.store(key, value)
        except StoreFullError:
            raise CommandError(b"the store is full") from None
        return answer

    def _retrieve(self, data: bytes) -> bytes:
        return self._variables.retrieve(data)

    def _clear(self, data: bytes) -> bytes:
        answer = _told(b"cleared ", data)
        self._variables.clear(data)
        return answer


_COMMANDS: dict[bytes, Callable[[ControlSession, bytes], bytes]] = {
    b"newuser": ControlSession._new_user,
    b"killuser": ControlSession._kill_user,
    b"whisper": ControlSession._whisper,
    b"newchannel": ControlSession._new_channel,
    b"killchannel": ControlSession._kill_channel,
    b"shout": ControlSession._shout,
    b"join": ControlSession._join,
    b"leave": ControlSession._leave,
    b"store": ControlSession._store,
    b"retrieve": ControlSession._retrieve,
    b"clear": ControlSession._clear,
}


def _told(words: bytes, key: bytes) -> bytes:
    """Return an answer with a key, before anything is done that it could not tell."""
    answer = words + key
    if len(_OK + answer) > LONGEST_FRAME:
        raise CommandError(_TOO_LONG)
    return answer


def _channel_and_user(data: bytes) -> tuple[int, int]:
    channel, user = split_data(data, "Channel/User")
    return to_channel_id(channel), to_user_id(user)
