# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What browsers are sent. Pure functions."""

from __future__ import annotations

from chatmux.model import Publication
from chatmux.protocols import foreign

NAME = "webtalk"


def encode(publication: Publication) -> tuple[bytes, ...]:
    """Make the message of what was said: a back-end's text as it is."""
    if foreign.is_event(publication):
        return ()
    if publication.origin == NAME:
        return (publication.text.encode(),)
    return (f"{foreign.sender(publication)}:{publication.text}".encode(),)
