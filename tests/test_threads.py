# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Work on threads of its own."""

from __future__ import annotations

import contextlib
import gc
import threading
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import TestCase

from chatmux.errors import BusyError
from chatmux.threads import Threads


def less(number: int, *, by: int) -> int:
    return number - by


class ThreadsTests(TestCase):
    timeout = 30

    def make(self, count: int = 1, waiting: int | None = None) -> Threads:
        threads = Threads(reactor, "test", count, waiting)
        self.addCleanup(threads.close)
        return threads

    def gate(self) -> threading.Event:
        """Return something for work to wait for; open at the end of the test."""
        gate = threading.Event()
        self.addCleanup(gate.set)
        return gate

    async def test_work_is_done_elsewhere_and_its_result_comes_here(self) -> None:
        threads = self.make()
        here = threading.get_ident()
        there = await threads.run(threading.get_ident)
        self.assertNotEqual(there, here)
        self.assertEqual(threading.get_ident(), here)
        self.assertEqual(await threads.run(less, 5, by=2), 3)

    async def test_what_work_raises_comes_here(self) -> None:
        threads = self.make()
        with self.assertRaises(KeyError):
            await threads.run(dict[str, int]().__getitem__, "missing")
        self.assertEqual(await threads.run(lambda: 1), 1)

    async def test_work_leaves_nothing_to_the_garbage_collector(self) -> None:
        threads = self.make()
        await threads.run(less, 5, by=2)
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        for number in range(20):
            await threads.run(less, number, by=2)
            with contextlib.suppress(ZeroDivisionError):
                await threads.run(divmod, number, 0)
        # The last one may be on its way.
        self.assertLess(gc.collect(), 20)

    async def test_there_are_so_many_threads_and_no_more(self) -> None:
        threads = self.make(2)
        both = threading.Barrier(2)
        # Neither ends without the other.
        jobs = [threads.run(both.wait, 10) for _ in range(6)]
        for job in jobs:
            await job
        names = {thread.name for thread in threading.enumerate()}
        self.assertEqual(len([name for name in names if "-test-" in name]), 2)

    async def test_so_much_may_wait_and_no_more(self) -> None:
        threads, gate = self.make(2, waiting=3), self.gate()
        jobs = [threads.run(gate.wait) for _ in range(5)]
        ran: list[int] = []
        self.assertRaises(BusyError, threads.run, ran.append, 1)
        gate.set()
        for job in jobs:
            await job
        await threads.run(ran.append, 2)
        self.assertEqual(ran, [2])

    async def test_what_is_done_makes_room_for_one(self) -> None:
        threads, first, second = self.make(waiting=1), self.gate(), self.gate()
        jobs = [threads.run(first.wait), threads.run(second.wait)]
        first.set()
        await jobs[0]
        jobs.append(threads.run(second.wait))
        self.assertRaises(BusyError, threads.run, second.wait)
        second.set()
        for job in jobs:
            await job

    async def test_work_that_nobody_waits_for_still_counts(self) -> None:
        threads, gate = self.make(waiting=0), self.gate()
        job = threads.run(gate.wait)
        job.cancel()
        with self.assertRaises(CancelledError):
            await job
        self.assertRaises(BusyError, threads.run, gate.wait)
        gate.set()
        await threads.idle()
        self.assertTrue(await threads.run(gate.wait))

    async def test_a_close_waits_for_all_and_takes_no_more(self) -> None:
        threads, gate = self.make(), self.gate()
        done: list[int] = []
        jobs: list[Deferred[Any]] = [threads.run(gate.wait)]
        jobs.append(threads.run(done.append, 1))
        closing = [Deferred.fromCoroutine(threads.close()) for _ in range(2)]
        self.assertRaises(BusyError, threads.run, done.append, 2)
        self.assertFalse(any(one.called for one in closing))
        gate.set()
        for one in closing:
            await one
        self.assertEqual(done, [1])
        for job in jobs:
            await job
        names = {thread.name for thread in threading.enumerate()}
        self.assertEqual([name for name in names if "-test-" in name], [])

    async def test_results_are_here_before_a_close_ends(self) -> None:
        threads, gate = self.make(), self.gate()
        told: list[str] = []

        async def tell(job: Deferred[bool], name: str) -> None:
            await job
            told.append(name)

        jobs = [
            Deferred.fromCoroutine(tell(threads.run(gate.wait), name)) for name in "abc"
        ]
        failing = threads.run(dict[str, int]().__getitem__, "missing")
        failing.addErrback(lambda failure: told.append(str(failure.value)))
        closing = Deferred.fromCoroutine(threads.close())
        closing.addCallback(lambda _: told.append("closed"))
        gate.set()
        await closing
        self.assertEqual(told, ["a", "b", "c", "'missing'", "closed"])
        for job in jobs:
            await job

    async def test_what_is_to_be_last_is_done_on_a_thread_after_all_else(self) -> None:
        threads, gate = self.make(2), self.gate()
        done: list[str] = []
        names: list[str] = []

        def last() -> None:
            done.append("last")
            names.append(threading.current_thread().name)

        def work(name: str) -> None:
            gate.wait()
            done.append(name)

        jobs = [threads.run(work, name) for name in "abcd"]
        closing = Deferred.fromCoroutine(threads.close(last))
        self.assertFalse(closing.called)
        gate.set()
        await closing
        self.assertEqual((sorted(done[:4]), done[4:]), (list("abcd"), ["last"]))
        self.assertIn("-test-", names[0])
        self.assertTrue(all(job.called for job in jobs))
        self.assertRaises(BusyError, threads.run, gate.wait)

    async def test_a_last_without_work_before_it_and_one_that_fails(self) -> None:
        def fail() -> None:
            raise KeyError

        done: list[str] = []
        await self.make().close(lambda: done.append("last"))
        self.assertEqual(done, ["last"])
        for _ in range(2):
            with self.assertRaises(KeyError):
                await Threads(reactor, "test", 1).close(fail)
            names = {thread.name for thread in threading.enumerate()}
            self.assertEqual([name for name in names if "-test-" in name], [])

    async def test_whoever_gives_a_close_up_may_close_again(self) -> None:
        threads, gate = self.make(), self.gate()
        job = threads.run(gate.wait)
        closing = Deferred.fromCoroutine(threads.close())
        closing.cancel()
        with self.assertRaises(CancelledError):
            await closing
        gate.set()
        await job
        await threads.close()
        names = {thread.name for thread in threading.enumerate()}
        self.assertEqual([name for name in names if "-test-" in name], [])

    async def test_no_thread_starts_before_there_is_work(self) -> None:
        before = threading.active_count()
        threads = self.make()
        self.assertEqual(threading.active_count(), before)
        await threads.run(lambda: None)
        self.assertEqual(threading.active_count(), before + 1)
