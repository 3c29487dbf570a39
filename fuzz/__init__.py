# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Targets for fuzzing: what takes bytes from peers, without sockets and reactor.

Each module has a function ``once(data)`` that raises where something is wrong, and
``seeds()``, from the corpus of the tests. ``python -m fuzz TARGET`` runs one.
"""

from __future__ import annotations

TARGETS = ("webtalk", "machat", "json", "tokens", "http")
