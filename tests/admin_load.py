# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""People who talk, by every protocol, for pictures of the operator's page."""

from __future__ import annotations

import asyncio
import json
import math
import random
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from websockets.asyncio.client import connect

ROOMS = ("lounge", "lounge", "lounge", "help", "help", "music", "berlin", "films")
_NAMES = """
    ann bob cara dana emil finn gina hugo ines jan kira leo mia nils ola pia quinn rosa
    sven tom uma vera will xenia yann zoe
"""
NAMES = _NAMES.split()
_WORDS = "hello good morning who has seen the new film it was great see you later"
WORDS = _WORDS.split()


class Crowd(threading.Thread):
    """Some dozens of clients, in a thread of their own.

    Args:
        ports: Of the server, by the keys of its doors.
        secret: multichat's.
    """

    def __init__(self, ports: dict[str, int], secret: str) -> None:
        super().__init__(daemon=True)
        self._ports = ports
        self._secret = secret
        self._random = random.Random(1)
        self._over = threading.Event()

    def run(self) -> None:
        asyncio.run(self._run())

    def end(self) -> None:
        """Have all go away."""
        self._over.set()
        self.join()

    async def _run(self) -> None:
        people: list[Coroutine[Any, Any, None]] = [
            self._stranger(),
            self._webtalk(),
            *(self._multichat(name) for name in ("game", "irc", "matrix")),
            *(self._lines(f"{NAMES[n % 26]}{n}", ROOMS[n % 8]) for n in range(48)),
            *(self._machat(f"web-{NAMES[n]}", ROOMS[n % 8]) for n in range(14)),
            *(self._globes(NAMES[n]) for n in range(20)),
        ]
        tasks = [asyncio.create_task(one) for one in people]
        await asyncio.to_thread(self._over.wait)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _said(self) -> str:
        return " ".join(self._random.choices(WORDS, k=self._random.randint(2, 9)))

    async def _talk(self, say: Callable[[], Awaitable[object]], pause: float) -> None:
        await asyncio.sleep(self._random.random() * 8)
        while True:
            tide = 1 + 0.7 * math.sin(time.monotonic() / 7)
            await asyncio.sleep(self._random.expovariate(tide / pause))
            await say()

    async def _lines(self, name: str, room: str) -> None:
        await asyncio.sleep(self._random.random() * 30)
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self._ports["machat.tcp"]
        )
        writer.write(json.dumps({"name": name, "room": room}).encode() + b"\n")

        async def say() -> None:
            writer.write(self._said().encode() + b"\n")
            await writer.drain()

        async def hear() -> None:
            while await reader.read(65536):
                pass

        await asyncio.gather(self._talk(say, 2), hear())

    async def _over_websocket(
        self,
        url: str,
        first: str,
        wrap: Callable[[str], str],
        pause: float,
        **more: Any,
    ) -> None:
        await asyncio.sleep(self._random.random() * 30)
        async with connect(url, proxy=None, compression=None, **more) as socket:
            await socket.send(first)

            async def hear() -> None:
                async for _ in socket:
                    pass

            talking = self._talk(lambda: socket.send(wrap(self._said())), pause)
            await asyncio.gather(talking, hear())

    async def _machat(self, name: str, room: str) -> None:
        port = self._ports["machat.ws"]
        url, hello = f"ws://127.0.0.1:{port}/mychat", {"name": name, "room": room}
        await self._over_websocket(url, json.dumps(hello), str, 3)

    async def _multichat(self, name: str) -> None:
        hello = {"action": "register", "client-name": name, "secret-key": self._secret}

        def wrap(text: str) -> str:
            return json.dumps({"action": "client-message", "content": text})

        url = f"ws://127.0.0.1:{self._ports['multichat.host']}/"
        await self._over_websocket(url, json.dumps(hello), wrap, 1)

    async def _globes(self, name: str) -> None:
        def event(kind: str, text: str = "") -> str:
            return json.dumps({"event_type": kind, "name": name, "msg": text})

        url = f"ws://127.0.0.1:{self._ports['globes.address']}/chats/1/ws"
        await self._over_websocket(url, event("join"), lambda t: event("send", t), 3)

    async def _webtalk(self) -> None:
        """A back-end with some users, to whom it tells the score."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self._ports["webtalk.private"]
        )

        async def command(words: str) -> str:
            writer.write(b"%05d" % len(words.encode()) + words.encode())
            length = int(await reader.readexactly(5))
            return (await reader.readexactly(length)).decode()

        users = [await command("[newuser]") for _ in range(9)]
        url = f"ws://127.0.0.1:{self._ports['webtalk.public']}/webtalk"
        tasks = [
            asyncio.create_task(
                self._over_websocket(
                    url, user.removeprefix("[ok] "), str, 1e6, origin="http://localhost"
                )
            )
            for user in users
        ]
        try:
            while True:
                await asyncio.sleep(2)
                await command(f"[shout]1]{self._random.randint(1, 9)} : 2")
        finally:
            for task in tasks:
                task.cancel()

    async def _stranger(self) -> None:
        """One who is refused, again and again."""
        url = f"ws://127.0.0.1:{self._ports['multichat.host']}/"
        port = self._ports["machat.tcp"]
        while True:
            await asyncio.sleep(self._random.uniform(1, 6))
            wrong = {"action": "register", "client-name": "eve", "secret-key": "guess"}
            async with connect(url, proxy=None) as socket:
                await socket.send(json.dumps(wrong))
                await socket.wait_closed()
            await asyncio.sleep(self._random.uniform(1, 6))
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(
                self._random.choice((b"GET / HTTP/1.1\r\n", b'{"name":"a:b"}\n'))
            )
            await reader.read()
            writer.close()
