# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Print the oldest versions that setup.cfg allows, as constraints for pip."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator
from pathlib import Path

SETUP = Path(__file__).parent.parent / "setup.cfg"


def constraints(setup: Path = SETUP) -> Iterator[str]:
    """Yield ``name==version`` for each package that the server itself may need.

    Raises:
        ValueError: A line says something else than the oldest version.
    """
    config = configparser.ConfigParser()
    config.read(setup)
    lines = config["options"]["install_requires"].splitlines()
    lines += config["options.extras_require"]["postgres"].splitlines()
    for line in filter(None, lines):
        match = re.fullmatch(r"([\w.-]+)(?:\[.*\])? >= ([\d.]+)", line)
        if match is None:
            raise ValueError(f"no oldest version: {line}")
        yield f"{match[1]}=={match[2]}"


if __name__ == "__main__":
    print("\n".join(constraints()))
