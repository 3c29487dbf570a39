# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The ids of users and channels, and the salts of users. Pure but for the chance."""

from __future__ import annotations

import secrets

LARGEST_ID = 2**64 - 1
_DIGITS = len(str(LARGEST_ID))
SALT_DIGITS = 39


class IdError(ValueError):
    """Bytes are no id; prints as the reason."""


def parse_id(digits: bytes) -> int:
    """Return the id that `digits` are.

    Stricter than ``int``, which takes signs, blanks, underscores and the digits of
    other scripts.

    Raises:
        IdError: They are not ASCII digits only, or too large.
    """
    if not digits.isdigit():
        raise IdError("an id is ASCII digits only")
    significant = digits.lstrip(b"0")
    if len(significant) > _DIGITS or int(significant or b"0") > LARGEST_ID:
        raise IdError(f"an id is at most {LARGEST_ID}")
    return int(significant or b"0")


def new_salt() -> bytes:
    """Return what nobody can guess, in as many digits as old login buffers hold."""
    return b"%0*d" % (SALT_DIGITS, secrets.randbelow(10**SALT_DIGITS))
