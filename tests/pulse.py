# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""A healthy pair of peers: a program that measures how long a message takes.

``python -m tests.pulse SPEAKER ECHO [CERTIFICATE]``, where each of the two is a door
and its port, such as ``multichat:1234`` and ``machat:1235``. The first says something
every 10 ms, the second says all of it once more, and what comes back to the first is
measured; until the standard input ends. Each line of the input is the name of what
follows. Prints as JSON how much was sent, and, by these names, how many seconds each
took.

The doors are those of `tests.attack.CONFIG`, on channels that are bridged.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

INTERVAL_SECONDS = 0.01
LATEST_SECONDS = 5
"""How long the last may take to come back."""
SECRET = "the canary of the healthy"


class Multichat:
    """A client of multichat."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def open(self, port: str, context: ssl.SSLContext | None) -> None:
        self.socket = await _connect(f"127.0.0.1:{port}/", context)
        register = {"action": "register", "client-name": self.name}
        await self.socket.send(json.dumps({**register, "secret-key": SECRET}))
        await self.socket.recv()

    async def say(self, text: str) -> None:
        await self.socket.send(
            json.dumps({"action": "client-message", "content": text})
        )

    async def hear(self) -> AsyncIterator[tuple[str, str]]:
        async for message in self.socket:
            event = json.loads(message)
            yield event["source-client-name"], event["content"]


class Globes:
    """A member of room 1."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def open(self, port: str, context: ssl.SSLContext | None) -> None:
        self.socket = await _connect(f"127.0.0.1:{port}/chats/1/ws", context)
        await self.socket.send(json.dumps({"event_type": "join", "name": self.name}))

    async def say(self, text: str) -> None:
        event = {"event_type": "send", "name": self.name, "msg": text}
        await self.socket.send(json.dumps(event))

    async def hear(self) -> AsyncIterator[tuple[str, str]]:
        async for message in self.socket:
            event = json.loads(message)
            if event["event_type"] == "send":
                yield event["name"], event["msg"]


class MaChat:
    """A member of the room lounge, over TCP."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def open(self, port: str, context: ssl.SSLContext | None) -> None:
        self.reader, self.writer = await asyncio.open_connection(
            "127.0.0.1", int(port), ssl=context, limit=1 << 20
        )
        hello = {"name": self.name, "room": "lounge"}
        self.writer.write(json.dumps(hello).encode() + b"\n")

    async def say(self, text: str) -> None:
        self.writer.write(f"{text}\n".encode())

    async def hear(self) -> AsyncIterator[tuple[str, str]]:
        async for line in self.reader:
            name, _, text = line.decode().removesuffix("\n").partition(":")
            yield name, text


KINDS: dict[str, Any] = {"multichat": Multichat, "globes": Globes, "machat": MaChat}


async def _connect(place: str, context: ssl.SSLContext | None) -> ClientConnection:
    scheme = "ws" if context is None else "wss"
    options: dict[str, Any] = {"proxy": None, "compression": None, "max_queue": None}
    return await connect(f"{scheme}://{place}", ssl=context, **options)


class Pulse:
    """What was measured; one clock for both ends."""

    def __init__(self, speaker: Any, echo: Any) -> None:
        self.speaker = speaker
        self.echo = echo
        self.phase = "opening"
        self.over = False
        self.sent = 0
        self.waiting: dict[int, tuple[str, float]] = {}
        self.taken: dict[str, list[float]] = defaultdict(list)
        self.opened = asyncio.Event()

    async def read_phases(self) -> None:
        """Follow the input."""
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            await self.opened.wait()
            self.phase = line.strip()
            print(self.phase, flush=True)
        self.over = True

    async def repeat(self) -> None:
        async for name, text in self.echo.hear():
            if name == "pulse":
                await self.echo.say(text)

    async def measure(self) -> None:
        async for name, text in self.speaker.hear():
            if name == "echo":
                self.opened.set()
                phase, since = self.waiting.pop(int(text), (None, 0.0))
                if phase is not None:
                    self.taken[phase].append(time.perf_counter() - since)

    async def talk(self) -> None:
        while not self.opened.is_set():
            # The two may not be there yet, which is not measured.
            await self.speaker.say("-1")
            await asyncio.sleep(0.05)
        due = time.perf_counter()
        while not self.over:
            # From here on, not from when it was due: that this program had to wait for
            # the processor is nothing that the server does.
            self.waiting[self.sent] = self.phase, time.perf_counter()
            await self.speaker.say(str(self.sent))
            self.sent += 1
            due += INTERVAL_SECONDS
            await asyncio.sleep(due - time.perf_counter())
        end = due + LATEST_SECONDS
        while self.waiting and time.perf_counter() < end:
            await asyncio.sleep(0.01)

    async def run(self) -> None:
        """Measure until the input ends; raise what ends an end of the pair."""
        listening = [asyncio.ensure_future(self.repeat())]
        listening.append(asyncio.ensure_future(self.measure()))
        following = asyncio.ensure_future(self.read_phases())
        talking = asyncio.ensure_future(self.talk())
        await asyncio.wait([*listening, talking], return_when="FIRST_COMPLETED")
        if not talking.done():
            raise ConnectionError("the server has closed one of the two")
        await talking
        for task in (*listening, following):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def main(speaker: str, echo: str, certificate: str = "") -> None:
    """Measure, and print."""
    context = ssl.create_default_context(cafile=certificate) if certificate else None
    ends = []
    for place, name in (speaker, "pulse"), (echo, "echo"):
        kind, _, port = place.partition(":")
        end = KINDS[kind](name)
        await end.open(port, context)
        ends.append(end)
    pulse = Pulse(*ends)
    await pulse.run()
    print(json.dumps({"sent": pulse.sent, "taken": pulse.taken}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
