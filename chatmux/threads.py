# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Work that would hold the reactor up, on threads of its own.

Knows nothing of the work. Whoever has a kind of work has its own `Threads`, so that
one kind does not wait behind another, nor the reactor's name look-ups behind either.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import Any, ParamSpec, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from chatmux.errors import BusyError

_P = ParamSpec("_P")
_T = TypeVar("_T")


class _Thread(Thread):
    """Does not keep the process: one that ends by an error, without `close`, would
    wait for ever for threads that wait for work."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs, daemon=True)


class _Pool(ThreadPool):
    threadFactory = _Thread

    def callInThreadWithCallback(
        self, onResult: Any, func: Callable[..., Any], *args: Any, **kw: Any
    ) -> None:
        # Twisted's own makes a function for each piece of work that knows itself: a
        # cycle, which only the garbage collector would free.
        if not self.joined:
            self._team.do(partial(_do, onResult, partial(func, *args, **kw)))


def _do(on_result: Callable[[bool, Any], object], work: Callable[[], Any]) -> None:
    """Work, and tell what came of it."""
    try:
        result = work()
    except BaseException:
        # Held by no variable here: its traceback has this frame.
        on_result(False, Failure())  # type: ignore[no-untyped-call]
    else:
        on_result(True, result)


class Threads:
    """A few threads. They start with the first work, so a fork before is harmless.

    Args:
        reactor: Gets the results, on its thread.
        name: For whoever looks at the process's threads.
        count: How many, at most.
        waiting: How much work may wait while all are busy; None for any.
    """

    def __init__(
        self, reactor: Any, name: str, count: int, waiting: int | None = None
    ) -> None:
        self._reactor = reactor
        self._pool = _Pool(0, count, name)
        self._pool.start()
        self._most = None if waiting is None else count + waiting
        self._jobs = 0
        self._closed = False
        self._idle: list[Deferred[None]] = []

    def run(
        self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> Deferred[_T]:
        """Call `work` on a thread; fire with what it returns or raises.

        What was begun cannot be cancelled, and counts until it is done.

        Raises:
            BusyError: Too much waits, or `close` was called.
        """
        if self._closed or (self._most is not None and self._jobs >= self._most):
            raise BusyError("too much waits already")
        self._jobs += 1
        told: Deferred[_T] = Deferred()

        def ended(well: bool, result: Any) -> None:
            self._reactor.callFromThread(self._ended, told, well, result)

        self._pool.callInThreadWithCallback(ended, work, *args, **kwargs)
        return told

    def _ended(self, told: Deferred[Any], well: bool, result: Any) -> None:
        # Not counted by the Deferred: whoever cancels that does not end the work.
        self._jobs -= 1
        if well:
            told.callback(result)
        else:
            told.errback(result)
        if not self._jobs:
            idle, self._idle = self._idle, []
            for waiting in idle:
                waiting.callback(None)

    async def idle(self) -> None:
        """Wait until all work is done."""
        if self._jobs:
            waiting: Deferred[None] = Deferred()
            self._idle.append(waiting)
            await waiting

    async def close(self, last: Callable[[], None] | None = None) -> None:
        """Take no more work, wait until all is done, and end the threads.

        Args:
            last: To be done on a thread after all else.
        """
        self._closed = True
        await self.idle()
        try:
            if last is not None:
                await deferToThreadPool(self._reactor, self._pool, last)
        finally:
            if not self._pool.joined:
                # Waits for threads that have nothing left to do: it holds nobody up.
                self._pool.stop()
