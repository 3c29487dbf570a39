# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""How many connections fit into the descriptors of a process."""

from __future__ import annotations

import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

ASK = "from chatmux import descriptors as d; import resource as r;"


def ask(soft: str, hard: str, words: str) -> str:
    """Return what a process prints that has these limits."""
    # The hard one last, as the soft one may not be above it.
    limits = f"ulimit -Sn {soft}; ulimit -Hn {hard};"
    done = subprocess.run(
        ["bash", "-c", f'{limits} exec "$0" -c "$1"', sys.executable, ASK + words],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


class DescriptorTests(SynchronousTestCase):
    def test_some_are_spared(self) -> None:
        for soft, room in ("256", 192), ("1000", 936), ("1280", 1216), ("4000", 3800):
            found = ask(soft, "4000", "print(d.limit(), d.room_for_connections())")
            self.assertEqual(found, f"{soft} {room}")

    def test_there_is_room_for_one_at_least(self) -> None:
        self.assertEqual(ask("40", "40", "print(d.room_for_connections())"), "1")

    def test_the_soft_limit_is_raised_to_the_hard_one(self) -> None:
        words = "d.raise_limit(); print(d.limit(), r.getrlimit(r.RLIMIT_NOFILE))"
        self.assertEqual(ask("200", "300", words), "300 (300, 300)")

    def test_no_limit_is_a_large_one(self) -> None:
        words = (
            "d.resource.getrlimit = lambda of: (r.RLIM_INFINITY, r.RLIM_INFINITY);"
            "print(d.limit(), d.room_for_connections())"
        )
        self.assertEqual(
            ask("200", "300", words), f"{1 << 20} {(1 << 20) * 95 // 100 + 1}"
        )
