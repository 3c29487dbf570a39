# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Passwords, by Argon2id.

Must never know whose they are, nor keep or log one. With the parameters of RFC 9106's
second recommendation (3 passes over 64 MiB), but in one lane instead of four: the cost
is the same for whoever guesses, and does not depend on how many cores are idle.

One thread: Argon2 lets Python's lock go, so on two cores one is left for the reactor,
and 64 MiB at a time is all that it takes.
"""

from __future__ import annotations

import base64
import os
import unicodedata
from contextlib import suppress
from typing import Any

from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import Argon2Error, InvalidHashError, VerifyMismatchError

from chatmux.threads import Threads

PASSES = 3
MEMORY_KIB = 64 * 1024
WAITING = 64

NORMALISED_LENGTH = 1024
"""Longest password, in characters, whose Unicode form does not matter.

Python's normalising takes time that grows with the square of a run of combining
characters (0.8 s for 32,000) and does not let its lock go meanwhile.
"""


class Argon2Passwords:
    """`chatmux.interfaces.Passwords`.

    Args:
        reactor: Gets the results.
        passes: As `memory_kib`, what a hash costs. Those made at a higher cost are
            not accepted; those at a lower one are, and cost less to verify.
        memory_kib: Likewise.
        threads: How many passwords are worked on at once.
        waiting: How many more may wait, before `BusyError`.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        passes: int = PASSES,
        memory_kib: int = MEMORY_KIB,
        threads: int = 1,
        waiting: int = WAITING,
    ) -> None:
        self._hasher = PasswordHasher(passes, memory_kib, 1, type=Type.ID)
        # Not made by hashing, which would take its time: nobody knows what it is of.
        cost = f"m={memory_kib},t={passes},p=1"
        self._nobodys = f"$argon2id$v=19${cost}${_random(16)}${_random(32)}"
        self._threads = Threads(reactor, "passwords", threads, waiting)

    async def hash(self, password: str) -> str:
        """See `Passwords.hash`. Takes any string."""
        return await self._threads.run(self._hash, password)

    async def verify(self, hash: str | None, password: str) -> bool:
        """See `Passwords.verify`. A damaged hash is one that nobody knows."""
        return await self._threads.run(self._verify, hash, password)

    async def close(self) -> None:
        """Take no more, do what waits, and end the threads."""
        await self._threads.close()

    def _hash(self, password: str) -> str:
        return self._hasher.hash(_plain(password))

    def _verify(self, hash: str | None, password: str) -> bool:
        plain = _plain(password)
        if hash is not None and self._affordable(hash):
            try:
                return self._hasher.verify(hash, plain)
            except VerifyMismatchError:
                return False
            except Argon2Error:
                # Found to be damaged before any work was done: do it below.
                pass
        with suppress(VerifyMismatchError):
            self._hasher.verify(self._nobodys, plain)
        return False

    def _affordable(self, hash: str) -> bool:
        try:
            found = extract_parameters(hash)
        except InvalidHashError:
            return False
        return (
            # Argon2 reads up to a NUL.
            hash.isascii()
            and hash.isprintable()
            and 0 < found.memory_cost <= self._hasher.memory_cost
            and 0 < found.time_cost <= self._hasher.time_cost
            and found.parallelism == 1
        )


def _plain(password: str) -> bytes:
    """Return the bytes to hash: the same however the user's keyboard composes."""
    if len(password) <= NORMALISED_LENGTH:
        password = unicodedata.normalize("NFC", password)
    return password.encode("utf-8", "surrogatepass")


def _random(size: int) -> str:
    return base64.b64encode(os.urandom(size)).rstrip(b"=").decode()
