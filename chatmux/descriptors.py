# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""How many connections the process has file descriptors for."""

from __future__ import annotations

import resource

_LEAST_SPARE = 64
"""For listeners, the store, the log, threads, and those who are turned away."""
_MOST = 1 << 20


def raise_limit() -> None:
    """Let the process have as many descriptors as it may give itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def limit() -> int:
    """Return how many descriptors the process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if soft == resource.RLIM_INFINITY else min(soft, _MOST)


def room_for_connections() -> int:
    """Return how many connections fit, with some descriptors spared for all else."""
    most = limit()
    return max(1, most - max(_LEAST_SPARE, most // 20))
