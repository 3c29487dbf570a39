# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""How the process's garbage collector is set."""

from __future__ import annotations

import gc
import signal

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from chatmux.config import Config, Top
from chatmux.node import Node
from chatmux.protocols import machat
from chatmux.tap import GC_THRESHOLDS, Process


class CollectorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.addCleanup(gc.set_threshold, *gc.get_threshold())
        self.addCleanup(gc.unfreeze)
        for number in signal.SIGTERM, signal.SIGINT, signal.SIGHUP:
            self.addCleanup(signal.signal, number, signal.getsignal(number))

    def test_what_is_there_when_it_runs_is_left_alone_from_then_on(self) -> None:
        gc.unfreeze()
        reactor = MemoryReactorClock()
        node = Node(Config(Top(), {"machat": machat.Section()}), reactor)
        process = Process(node, reactor)
        process.startService()
        self.assertEqual(gc.get_freeze_count(), 0)
        for call, arguments, keywords in reactor.whenRunningHooks:
            call(*arguments, **keywords)
        self.assertGreater(gc.get_freeze_count(), 10_000)
        self.assertEqual(gc.get_threshold(), GC_THRESHOLDS)
        self.assertTrue(gc.isenabled())
        self.successResultOf(process.stopService())
