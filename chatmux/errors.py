# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What can go wrong, named after the side that is guilty."""

from __future__ import annotations

from chatmux.model import Close, Member


class ChatmuxError(Exception):
    """Whatever chatmux raises on purpose."""


class ConfigError(ChatmuxError):
    """The operator's configuration cannot be used.

    Prints as ``path: what is wrong``, where path is the key's, dots between levels.
    """

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path


class ListenError(ConfigError):
    """An address of the configuration cannot be listened on."""


class UnreachableError(ConfigError):
    """The store of the configuration cannot be reached now; later it may be."""


class PeerError(ChatmuxError):
    """The peer broke its protocol's rules and its connection has to end."""

    def __init__(self, close: Close) -> None:
        super().__init__(close.reason)
        self.close = close


class TextError(ChatmuxError):
    """Bytes from a peer are not the JSON text that they should be."""


class TitleTakenError(ChatmuxError):
    """There is a room with the title, or one that reads like it."""


class IdTakenError(ChatmuxError):
    """There is a room with the id, or there was one."""


class StoreError(ChatmuxError):
    """The store cannot be read or written now; what was asked for may not be done."""


class BusyError(ChatmuxError):
    """Too much of the kind waits already; nothing was begun."""


class LockedError(ChatmuxError):
    """A channel is not for whoever asks, or not with what they show."""


class ChannelFullError(ChatmuxError):
    """A channel has as many subscribers as it may have."""


class NameTakenError(ChatmuxError):
    """Somebody on the channel already holds the name, or one that reads like it."""

    def __init__(self, holder: Member) -> None:
        super().__init__(f"the name {holder.name} is taken")
        self.holder = holder
