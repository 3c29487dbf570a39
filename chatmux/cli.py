# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The ``chatmux`` command: what ``twistd`` does, for those who do not know twistd."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from twisted.application.twist._twist import Twist

from chatmux import __version__


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; exits with its status."""
    parser = argparse.ArgumentParser(
        prog="chatmux", description="One server, four chat protocols."
    )
    parser.add_argument("--version", action="version", version=f"chatmux {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    run = verbs.add_parser("run", help="serve in the foreground")
    check = verbs.add_parser("check", help="say whether a configuration is good")
    for verb in (run, check):
        verb.add_argument("--config", "-c", metavar="FILE", help="the configuration")
    given = parser.parse_args(sys.argv[1:] if arguments is None else arguments)
    twist = ["twist", "--log-format=text", "chatmux"]
    if given.config is not None:
        twist += ["--config", given.config]
    if given.verb == "check":
        twist.append("--check")
    Twist.main(twist)
