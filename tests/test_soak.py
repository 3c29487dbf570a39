# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""`make soak`: what it counts and how it judges, and a short one."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from benchmarks.census import Census, counted, kind_of
from benchmarks.regulars import Hearing
from benchmarks.soak import Soak, slope, soak_table
from benchmarks.visits import VISITS, Host, marker
from benchmarks.wire import Door
from chatmux.broker.channel import ChannelSubscription
from chatmux.protocols import machat, multichat
from chatmux.protocols.globes import session as globes
from chatmux.protocols.webtalk import control, login
from chatmux.transports.framed import FramedConnection
from chatmux.transports.http_connection import HTTPConnection
from chatmux.transports.stream import StreamConnection
from chatmux.transports.tls import TLSTransport
from chatmux.transports.websocket import WebSocketConnection
from tests.documents import ROOT

_MOST_SECONDS = 120


class HearingTests(SynchronousTestCase):
    def heard(self, *chunks: str) -> Hearing:
        hearing = Hearing()
        for chunk in chunks:
            hearing.heard(chunk.encode())
        return hearing

    def test_each_once_and_in_order(self) -> None:
        said = "".join(f"ann: {marker('a', n)}\n{marker('b', n)}" for n in (1, 2, 3))
        for size in 1, 2, 7, len(said):
            chunks = [said[at : at + size] for at in range(0, len(said), size)]
            hearing = self.heard(*chunks)
            self.assertEqual((hearing.lost, hearing.twice), (0, 0))
            self.assertEqual(hearing.last, {b"a": 3, b"b": 3})
            self.assertEqual(hearing.missing({"a": 3, "b": 3}), 0)

    def test_what_is_lost(self) -> None:
        hearing = self.heard(marker("a", 1), marker("a", 4), marker("b", 2))
        self.assertEqual((hearing.lost, hearing.twice), (3, 0))
        self.assertEqual(hearing.missing({"a": 6, "b": 2, "c": 1}), 3)

    def test_what_comes_twice_or_too_late(self) -> None:
        hearing = self.heard(marker("a", 1), marker("a", 1), marker("a", 3))
        hearing.heard(marker("a", 2).encode())
        self.assertEqual((hearing.lost, hearing.twice), (1, 2))


def soaked(**after: int) -> Soak:
    figures = {"bytes": 100 << 20, "connections": 5, "descriptors": 9, "timers": 2}
    return Soak(before=figures, after=figures | after)


class JudgeTests(SynchronousTestCase):
    def test_all_is_as_it_was(self) -> None:
        self.assertEqual(soaked().faults(), [])
        self.assertEqual(soaked(timers=0, bytes=105 << 20).faults(), [])

    def test_what_is_left(self) -> None:
        self.assertEqual(soaked(bytes=106 << 20).faults(), ["memory has grown"])
        self.assertEqual(soaked(connections=6).faults(), ["1 connections are left"])
        self.assertEqual(soaked(sessions=2).faults(), ["2 sessions are left"])
        self.assertEqual(soaked(timers=3).faults(), ["1 timers are left"])

    def test_what_was_lost(self) -> None:
        found = soaked()
        found.lost, found.twice = 3, 1
        self.assertEqual(
            found.faults(),
            ["3 messages were lost", "1 messages came twice or too late"],
        )

    def test_the_slope_is_that_of_the_last_half(self) -> None:
        rising = [(second, 7.0 + 2 * second) for second in range(10)]
        self.assertAlmostEqual(slope([(-9, 1e6), *rising[1:]]), 2)
        self.assertEqual(slope([(0, 5.0)]), 0)
        flat = [(0, 0.0), (1, 9.0), (2, 4.0), (3, 4.0)]
        self.assertEqual(slope(flat), 0)

    def test_the_table(self) -> None:
        found = soaked(connections=1_234)
        found.samples = [(0, 0), (1, 1 << 20), (2, 2 << 20), (3, 3 << 20)]
        found.visits, found.lost = 100_000, 7
        shown = soak_table(found)
        for cell in ("100.0 MiB", "1,234", "100,000", " 7 |", "3600.0 MiB/h"):
            self.assertIn(cell, shown)


class CensusTests(SynchronousTestCase):
    def test_what_is_counted(self) -> None:
        for kinds, name in (
            (
                (StreamConnection, FramedConnection, WebSocketConnection,
                 HTTPConnection),
                "connections",
            ),
            (
                (machat.Session, multichat.Session, globes.Session,
                 control.ControlSession, login.LoginSession),
                "sessions",
            ),
            ((TLSTransport, Protocol), "protocols"),
            ((ChannelSubscription,), "subscriptions"),
            ((dict, Clock, machat.Section, Door), None),
        ):  # fmt: skip
            for kind in kinds:
                self.assertEqual((kind, kind_of(kind)), (kind, name))

    def test_what_only_the_collector_would_free_counts(self) -> None:
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        census = Census(Clock(), Path(self.mktemp()))

        def protocols() -> int:
            census.count()
            found = counted(census._file)
            self.assertEqual(found["timers"], 0)
            self.assertGreater(found["descriptors"], 2)
            return found.get("protocols", 0)

        before = protocols()
        kept = Protocol()
        kept.transport = kept  # type: ignore[assignment]
        del kept
        self.assertEqual(protocols(), before + 1)
        census.collect()
        self.assertEqual(protocols(), before)
        self.assertGreater(counted(census._file)["garbage"], 0)


class ShortTests(SynchronousTestCase):
    def test_all_kinds_of_visits_leave_nothing(self) -> None:
        page = Path(self.mktemp()).absolute()
        # The machine may have much else to do: seconds are not what is measured.
        found = subprocess.run(
            [
                *(sys.executable, "-m", "benchmarks", "soak", "--connections", "700"),
                *("--warm-up", "1400", "--markdown", str(page)),
            ],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=_MOST_SECONDS,
            check=False,
        )
        self.assertEqual(found.returncode, 0, found.stderr[-2000:])
        self.assertIn("## Coming and going", page.read_text())
        self.assertRegex(found.stdout, r"visits +\| +700 \|")
        self.assertRegex(found.stdout, r"lost +\| +0 \|")

    def test_visitors_are_of_all_protocols(self) -> None:
        self.assertEqual(
            {name.split()[0].partition("-")[0] for name in VISITS},
            {"multichat", "machat", "globes", "webtalk"},
        )
        host = Host("v", {})
        self.assertEqual([host.next_text() for _ in "ab"], ["~v-1~", "~v-2~"])
