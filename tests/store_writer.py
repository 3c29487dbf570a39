# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""A program that writes to a store as fast as it can, until it is killed.

Forks a writer for each line that it reads, so that what is slow, the imports, is done
once. Arguments: the store's URL, and a file for the journal: a line for each step of a
room's life before it is asked for, and one after it was answered.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred

from chatmux.model import Room
from chatmux.store.sql import SQLStore

AT_ONCE = 3


class Writer:
    """Lets rooms live: added, changed, and every other one removed."""

    def __init__(self, store: SQLStore, journal: int, turn: str) -> None:
        self._store = store
        self._journal = journal
        self._turn = turn

    def _write(self, *entry: object) -> None:
        # At once, and the system keeps it, whatever becomes of this process.
        os.write(self._journal, json.dumps(entry).encode() + b"\n")

    async def live(self, number: int) -> None:
        count = 0
        while True:
            count += 1
            title = f"{self._turn}/{number}/{count}"
            self._write("asked", title, "added")
            room = await self._store.add_room(
                Room(0, title, "added", "public", "", 0, False, 0, 0)
            )
            self._write("answered", title, "added", room.id)
            self._write("asked", title, "changed")
            await self._store.replace_room(room, replace(room, description="changed"))
            self._write("answered", title, "changed", room.id)
            if count % 2:
                self._write("asked", title, "removed")
                await self._store.remove_room(room.id)
                self._write("answered", title, "removed", room.id)


def write(url: str, journal: int, turn: str) -> None:
    """Open the store and write, for ever."""
    from twisted.internet import reactor as the_reactor

    reactor: Any = the_reactor

    async def run() -> None:
        store = SQLStore(url, reactor)
        await store.open()
        writer = Writer(store, journal, turn)
        for number in range(AT_ONCE):
            Deferred.fromCoroutine(writer.live(number)).addErrback(failed)

    def failed(failure: Any) -> None:
        failure.printTraceback(sys.stderr)
        os._exit(1)

    Deferred.fromCoroutine(run()).addErrback(failed)
    reactor.run()


def main() -> None:
    url, path = sys.argv[1:]
    journal = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            write(url, journal, line.strip())
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
