# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""``python -m tests.compliance``: the Autobahn|Testsuite against the listeners.

Ends with 0 if each listener has done in each case what it should, with 1 if not, and
with 3 if there is no CPython 2.7 to run the suite, unless that is ``--optional``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet.task import react
from twisted.internet.threads import deferToThread

from tests.certificates import make_files
from tests.compliance import suite
from tests.compliance.echo import listen, names
from tests.compliance.judge import judge

NO_PYTHON = 3


async def check(reactor: Any, program: Path, options: Any, directory: Path) -> int:
    """Call each listener; return how many are at fault."""
    bad = 0
    files = make_files(directory / "tls")
    for tls in (None, files):
        if (tls is None and options.tls) or (tls is not None and options.plain):
            continue
        wide = not options.own_limits
        for one, listener in listen(reactor, options.only.__contains__, tls, wide):
            place = directory / one.name.replace(", ", "-")
            index = await deferToThread(suite.run, program, one.name, one.url, place)
            await listener.stop()
            verdict = judge(index, one.name, one.message_bytes, one.fragments)
            print(f"{one.name}: {verdict}", flush=True)
            for fault in verdict.faults[:20]:
                print(f"    {fault}")
            bad += bool(verdict.faults)
    return bad


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.compliance", description=__doc__
    )
    add = parser.add_argument
    add("--only", default="", help=f"of {','.join(names())}")
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--plain", action="store_true", help="without TLS only")
    kinds.add_argument("--tls", action="store_true", help="over TLS only")
    add(
        "--own-limits",
        action="store_true",
        help="of messages and fragments, too: longer ones have to be refused",
    )
    add("--optional", action="store_true", help="go on where there is no 2.7")
    options = parser.parse_args(arguments)
    options.only = options.only.split(",") if options.only else names()
    unknown = set(options.only).difference(names())
    if unknown:
        # Of none there would be none at fault.
        parser.error(f"no such listener: {', '.join(sorted(unknown))}")
    return options


def main(arguments: Sequence[str]) -> int:
    """Check, and return the exit status."""
    options = parse(arguments)
    python = suite.find_python()
    if python is None:
        print(f"***** {suite.NONE_FOUND} *****", file=sys.stderr, flush=True)
        return 0 if options.optional else NO_PYTHON
    program = suite.install(python)
    bad: list[int] = []

    async def checked(reactor: Any) -> None:
        with TemporaryDirectory(prefix="chatmux-compliance-") as directory:
            bad.append(await check(reactor, program, options, Path(directory)))

    try:
        react(checked)
    except SystemExit as end:
        if end.code:
            return 1
    return int(not bad or bad[0] > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
