# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""How a message is shown by a protocol that it did not come in by. Pure."""

from __future__ import annotations

from chatmux.model import Publication
from chatmux.text import plain_name


def is_event(publication: Publication) -> bool:
    """Say whether the sender came or went, and said nothing."""
    return publication.ext is not None and "event" in publication.ext


def sender(publication: Publication) -> str:
    """Return the sender's name, fit to stand before ``:`` and not a member's own."""
    if publication.ext and "shown" in publication.ext:
        return publication.ext["shown"]
    return plain_name(publication.name)
