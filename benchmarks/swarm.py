# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The clients of a soak, in processes of their own: those who come and go, and those
who stay."""

from __future__ import annotations

import multiprocessing
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.generator import raise_descriptor_limit
from benchmarks.regulars import Regulars
from benchmarks.visits import VISITS, Host, Visit
from benchmarks.wire import Door

_PROCESSES = 2
_LISTENERS = 2
"""By each door."""
_WIRES = 5
_AT_ONCE = 32
"""Visitors of one process."""
_SPEAK_SECONDS = 0.1
_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Heard:
    """What those who stay have to say at the end."""

    said: int
    lost: int
    twice: int


class Swarm:
    """All clients, for the time of a block.

    Args:
        doors: Of one channel.
        kinds: Of visits, in turns.
    """

    def __init__(self, doors: Sequence[Door], kinds: Sequence[str]) -> None:
        self._said: dict[str, int] = {}
        self._stay = _Child(_stay, doors)
        self._stay.answer()
        by_wire = {door.wire: door for door in doors}
        self._visitors = [
            _Child(_come_and_go, Host(f"v{number}", by_wire), kinds)
            for number in range(_PROCESSES)
        ]

    @staticmethod
    def listeners() -> int:
        return _WIRES * (_LISTENERS + 1)

    def __enter__(self) -> Swarm:
        return self

    def __exit__(self, *reason: object) -> None:
        for child in (self._stay, *self._visitors):
            child.end()

    def visit(
        self,
        *,
        visits: int = 0,
        seconds: float = 0.0,
        each_second: Callable[[], None] = lambda: None,
    ) -> int:
        """Have them come and go, so often or so long; return how often they did.

        Raises:
            ConnectionError: The server has not done as they asked.
        """
        self._stay.tell("speak")
        for child in self._visitors:
            child.tell((visits // _PROCESSES, seconds))
        total = 0
        waiting = list(self._visitors)
        while waiting:
            each_second()
            second = time.monotonic() + 1
            while waiting and (left := second - time.monotonic()) > 0:
                if waiting[0].has_answered(left):
                    name, said, done = waiting.pop(0).answer()
                    self._said[name] = said
                    total += done
        return total

    def hush(self) -> Heard:
        """Have those who stay be silent, and tell what they have heard up to here."""
        self._stay.tell(("settle", self._said))
        said, lost, twice = self._stay.answer()
        return Heard(said + sum(self._said.values()), lost, twice)


class _Child:
    """A process, and the way to it."""

    def __init__(self, work: Callable[..., None], *arguments: object) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=work, args=(other, *arguments))
        self._process.start()
        other.close()

    def tell(self, what: object) -> None:
        self._pipe.send(what)

    def has_answered(self, seconds: float) -> bool:
        return self._pipe.poll(seconds)

    def answer(self) -> Any:
        answer = self._pipe.recv()
        if isinstance(answer, Exception):
            raise ConnectionError(str(answer))
        return answer

    def end(self) -> None:
        with suppress(OSError):
            self._pipe.send(None)
        self._pipe.close()
        self._process.join(_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _stay(pipe: Connection, doors: Sequence[Door]) -> None:
    raise_descriptor_limit()
    regulars = Regulars(doors, _LISTENERS)
    pipe.send("ready")
    speaking = False
    due = 0.0
    try:
        while True:
            regulars.listen(_SPEAK_SECONDS / 2)
            if speaking and time.monotonic() >= due:
                due = time.monotonic() + _SPEAK_SECONDS
                regulars.speak()
            if not pipe.poll():
                continue
            match pipe.recv():
                case "speak":
                    speaking = True
                case ("settle", said):
                    speaking = False
                    lost, twice = regulars.settle(said)
                    pipe.send((regulars.said.total(), lost, twice))
                case _:
                    return
    finally:
        regulars.close()


def _come_and_go(pipe: Connection, host: Host, kinds: Sequence[str]) -> None:
    number = 0
    while (task := pipe.recv()) is not None:
        visits, seconds = task
        end = time.monotonic() + seconds
        first = number
        present: deque[Visit] = deque()
        try:
            while number - first < visits if visits else time.monotonic() < end:
                turn, index = divmod(number, len(kinds))
                present.append(VISITS[kinds[index]](host, number, turn))
                number += 1
                if len(present) > _AT_ONCE:
                    present.popleft().go()
            while present:
                present.popleft().go()
        except Exception:
            pipe.send(ConnectionError(traceback.format_exc()))
            return
        pipe.send((host.name, host.said, number - first))
