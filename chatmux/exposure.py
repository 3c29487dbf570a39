# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Is a secret safe where a door stands? Pure functions, asked before the start."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from chatmux.address import behind_proxy, is_local
from chatmux.door import Door, HTTPDoor
from chatmux.errors import ConfigError
from chatmux.settings import Secret, Settings

EXAMPLE_SECRETS = frozenset(
    Secret(text)
    for text in (
        "change-me",
        "password",
        "secret",
        "my_secret",
        "your secret key",
        "my_secret_random_key_>_than_24_characters",
    )
)
"""What stands in examples, ours and the originals'."""


def exposures(
    name: str, section: Settings, doors: Iterable[Door], require_tls: bool
) -> list[str]:
    """Say which secrets of a protocol travel in the clear, by their keys' paths.

    Args:
        name: The protocol's section.
        section: Its settings.
        doors: Where its peers come in, and which secrets are asked for there.
        require_tls: Whether that is an error.

    Raises:
        ConfigError: A secret is an example's while others can reach a door, or
            travels in the clear though it must not.
    """
    reachable = [door for door in doors if not is_local(door.address)]
    exposed = []
    for field in msgspec.structs.fields(type(section)):
        value = getattr(section, field.name)
        public = [door for door in reachable if field.name in door.secrets]
        public += [door for door in reachable if field.name in _keys_of(door)]
        if not isinstance(value, Secret) or not public:
            continue
        in_the_clear = [
            door.key
            for door in public
            if field.name in door.secrets and not _is_encrypted(door)
        ]
        path = f"{name}.{field.encode_name}"
        if value in EXAMPLE_SECRETS:
            raise ConfigError(
                path,
                f"is an example's, and others can reach {public[0].key}"
                f" ({public[0].address}): choose a secret of your own",
            )
        if in_the_clear:
            if require_tls:
                raise ConfigError(
                    in_the_clear[0], f"without TLS {path} travels in the clear"
                )
            exposed.append(path)
    return [_warning(path) for path in exposed] + [
        _of_others(door, require_tls) for door in reachable if _carries_in_clear(door)
    ]


def _warning(what: str) -> str:
    return f"{what} travels in the clear: others can reach it without TLS"


def _of_others(door: Door, require_tls: bool) -> str:
    assert isinstance(door, HTTPDoor)
    if require_tls:
        raise ConfigError(door.key, f"without TLS {door.carries} travel in the clear")
    return f"{door.key}: {door.carries} travel in the clear: it is without TLS"


def _carries_in_clear(door: Door) -> bool:
    return isinstance(door, HTTPDoor) and bool(door.carries) and not _is_encrypted(door)


def _keys_of(door: Door) -> tuple[str, ...]:
    return door.keys if isinstance(door, HTTPDoor) else ()


def _is_encrypted(door: Door) -> bool:
    """Say whether a door has TLS, or is for a proxy on this machine to care for."""
    at = behind_proxy(door.address)
    if at is not None and is_local(at):
        return True
    return door.tls is not None or (at or door.address).startswith("ssl:")
