# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The back-end's own keys and values: ``[store]``, ``[retrieve]``, ``[clear]``."""

from __future__ import annotations


class StoreFullError(Exception):
    """There is no room for a value; nothing has changed."""


class Variables:
    """Values by key, any bytes, lost with the process.

    Args:
        max_keys: How many there may be.
        max_bytes: How much keys and values may take together.
    """

    def __init__(self, max_keys: int, max_bytes: int) -> None:
        self._max_keys = max_keys
        self._max_bytes = max_bytes
        self._values: dict[bytes, bytes] = {}
        self._bytes = 0

    def store(self, key: bytes, value: bytes) -> None:
        """Set a value, in the place of an older one. Raises `StoreFullError`."""
        old = self._values.get(key)
        more = len(value) - len(old) if old is not None else len(key) + len(value)
        if old is None and len(self._values) >= self._max_keys:
            raise StoreFullError
        if self._bytes + more > self._max_bytes:
            raise StoreFullError
        self._values[key] = value
        self._bytes += more

    def retrieve(self, key: bytes) -> bytes:
        """Return the key's value, empty if it has none."""
        return self._values.get(key, b"")

    def clear(self, key: bytes) -> None:
        """Forget a key, if there is one."""
        value = self._values.pop(key, None)
        if value is not None:
            self._bytes -= len(key) + len(value)
