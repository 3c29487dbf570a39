# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""A program that measures how long messages take to those who are in a room.

``python -m tests.globes_pulse GLOBES_PORT MACHAT_PORT`` talks in room 1, 100 times a
second, until its standard input ends; to be heard by another WebSocket and, in a room
of MaChat called lounge, over TCP. Each line of the input is the name of what follows.
Prints by these names, as JSON, how many seconds each message took to each of the two.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import defaultdict

from websockets.asyncio.client import ClientConnection, connect

INTERVAL_SECONDS = 0.01
END = "end"


class Pulse:
    """What was measured; all clocks are one."""

    def __init__(self) -> None:
        self.phase = ""
        self.over = False
        self.sent = 0
        self.taken: dict[str, list[float]] = defaultdict(list)

    async def read_phases(self) -> None:
        """Follow the input."""
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            self.phase = line.strip()
            print(self.phase, flush=True)
        self.over = True

    def heard(self, text: str) -> bool:
        """Measure a message; say whether it is the last."""
        phase, _, began = text.partition(" ")
        if phase != END:
            self.taken[phase].append(time.perf_counter() - float(began))
        return phase == END

    async def talk(self, speaker: connect) -> None:
        async with speaker as socket:

            async def say(text: str) -> None:
                event = {"event_type": "send", "name": "pulse", "msg": text}
                await socket.send(json.dumps(event))

            await socket.send('{"event_type":"join","name":"pulse"}')
            while json.loads(await socket.recv())["name"] != "pulse":
                pass
            # What it says comes back, and would be in the way of the close.
            reading = asyncio.create_task(drain(socket))
            due = time.perf_counter()
            while not self.over:
                # When it should have been sent: a pause of this program is a delay.
                await say(f"{self.phase} {due}")
                self.sent += 1
                due += INTERVAL_SECONDS
                await asyncio.sleep(due - time.perf_counter())
            await say(f"{END} 0")
        await reading

    async def listen(self, listener: connect) -> None:
        async with listener as socket:
            async for message in socket:
                event = json.loads(message)
                if event["event_type"] == "send" and self.heard(event["msg"]):
                    return

    async def listen_to_lines(self, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b'{"name":"lines","room":"lounge"}\n')
        while not self.heard((await reader.readline()).decode().removeprefix("pulse:")):
            pass
        writer.close()
        await writer.wait_closed()


async def drain(socket: ClientConnection) -> None:
    """Read to the end."""
    async for _ in socket:
        pass


async def main(globes: str, machat: str) -> None:
    """Measure, and print."""
    pulse = Pulse()
    url = f"ws://127.0.0.1:{globes}/chats/1/ws"
    talker, listener = (connect(url, proxy=None, compression=None) for _ in "ab")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(pulse.listen(listener))
        tasks.create_task(pulse.listen_to_lines(int(machat)))
        # Until both are there; who comes later is not told what was said.
        await asyncio.sleep(0.3)
        tasks.create_task(pulse.talk(talker))
        tasks.create_task(pulse.read_phases())
    pulse.taken["sent"] = [pulse.sent]
    print(json.dumps(pulse.taken))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
