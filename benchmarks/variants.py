# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""chatmux as `benchmarks.servers` starts it, with other values or another command."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.servers import SYSTEMS, Launch, Start

PATIENT = {"limits": {"ping-seconds": 600}, "webtalk": {"absent-seconds": 600}}
"""For clients that answer no ping and stay for long, and for users who come back. The
list of who is to be pinged is kept all the same."""


def chatmux(
    *,
    bridged: bool = False,
    changes: Mapping[str, Mapping[str, Any]] | None = None,
    command: Callable[[Sequence[str]], list[str]] = list,
) -> Start:
    """Return how to start it.

    Args:
        bridged: All protocols in one channel, and one door for all.
        changes: Keys of sections of the configuration, with other values.
        command: Changes the command line.
    """

    def start(directory: Path) -> Launch | None:
        launch = SYSTEMS["chatmux bridged" if bridged else "chatmux"](directory)
        if launch is None:
            return None
        path = directory / "config.json"
        config = json.loads(path.read_text())
        for section, keys in (changes or {}).items():
            config[section] = {**config.get(section, {}), **keys}
        path.write_text(json.dumps(config))
        return replace(launch, command=command(launch.command))

    return start
