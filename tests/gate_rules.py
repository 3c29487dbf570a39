# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Who may do what, at every door, in every kind of room, with whatever is shown.

Written from what the pages of the protocols promise; `tests/test_gate_matrix.py` holds
a server to it.
"""

from __future__ import annotations

from collections.abc import Iterator

OPERATIONS = (
    "hear",
    "speak",
    "be seen",
    "see who is there",
    "change",
    "delete",
    # To read what was said before belongs here, as soon as any protocol can.
)
DOORS = {
    "multichat": ("hear", "speak", "be seen"),
    "machat tcp": ("hear", "speak", "be seen"),
    "machat ws": ("hear", "speak", "be seen"),
    "globes ws": ("hear", "speak", "be seen"),
    "globes rest": ("see who is there", "change", "delete"),
    "webtalk browser": ("hear", "speak", "be seen"),
    "webtalk back-end": ("speak",),
}
"""And what could be done there at all."""

KINDS = ("public", "private", "hidden", "bridged", "deleted", "absent")
LOCKED = ("private", "hidden", "concealed")
GONE = ("deleted", "absent")

CREDENTIALS = (
    "none",
    "wrong password",
    "the password",
    "right token",
    "expired token",
    "another room's token",
    "old password's token",
    "token of another key",
    "token without a signature",
    "admin token",
    "multichat's secret",
    "user's salt",
    "back-end's secret",
)

PASSWORD = "open sesame"
WRONG = "battery staple"
SECRET = "the relays' canary"
BACK_END = "the back-end's canary"
KEY = "the canary of the matrix, of 32 bytes and more"
LOUNGE = "lounge"
ABSENT = 999
HOLDER = "holder"
END = "that is all"


def may(door: str, kind: str, credential: str, operation: str) -> bool:
    """Say whether this should be possible."""
    if kind in GONE or operation not in DOORS[door]:
        return False
    has_token = credential == "right token"
    match door:
        case "globes rest" if operation == "see who is there":
            # Whoever knows of a room may look at it.
            return kind != "concealed" or has_token
        case "globes rest":
            return has_token if kind in LOCKED else credential == "admin token"
        case "globes ws":
            return has_token or kind not in LOCKED
    # The others are in a room if a bridge leads there, and have their own secrets.
    if kind != "bridged":
        return False
    match door:
        case "multichat":
            return credential == "multichat's secret"
        case "webtalk browser":
            return credential == "user's salt" and operation != "speak"
        case "webtalk back-end":
            return credential == "back-end's secret"
    return True


def odd_names(number: int, title: str) -> Iterator[str]:
    """List rooms of MaChat that somebody could take for a room of Globes."""
    alike = title.replace("e", "\u0435").replace("a", "\u0430")
    wide = "".join(chr(ord(c) + 0xFEE0) if c != " " else c for c in title)
    for name in str(number), title, title.upper(), alike, wide, title + "\u200b":
        yield name
    for name in f"globes/{number}", f"../globes/{number}", f"machat/../globes/{number}":
        yield name
    for name in f"\0globes/{number}", f"globes/{number}\0", f"globes/{number}\r\n":
        yield name
    yield from ("__proto__", "../x", "", "multichat", f"{LOUNGE}/", "LOUNGE")
