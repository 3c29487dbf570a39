# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""One of many stops reading: nobody else notices, on real sockets."""

from __future__ import annotations

import json
import resource
import statistics
from typing import Any

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from chatmux.embed import serve
from chatmux.node import Node

reactor: Any = global_reactor
ROUND = 8
TEXT = "x" * 4000


class Reader(Protocol):
    """A MaChat member that counts the bytes it is sent."""

    transport: Any
    received = 0
    tail = b""
    waiting: tuple[int, Deferred[None]] | None = None

    def dataReceived(self, data: bytes) -> None:
        self.received += len(data)
        self.tail = (self.tail + data)[-100:]
        if self.waiting is not None and self.received >= self.waiting[0]:
            (_, waiting), self.waiting = self.waiting, None
            waiting.callback(None)

    def has(self, total: int) -> Deferred[None]:
        """Fire when `total` bytes have come."""
        waiting: Deferred[None] = Deferred()
        if self.received >= total:
            waiting.callback(None)
        else:
            self.waiting = total, waiting
        return waiting


class SlowReaderTests(TestCase):
    timeout = 120

    def setUp(self) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))

    async def serve(self, protocol: str, **settings: Any) -> Node:
        node = await serve(reactor, protocol, **settings)
        self.addCleanup(node.stopService)
        return node

    async def member(self, node: Node, name: str) -> Reader:
        endpoint = TCP4ClientEndpoint(reactor, *node.addresses["machat.tcp"])
        reader: Reader = await connectProtocol(endpoint, Reader())
        self.addCleanup(self.leave, reader)
        reader.transport.write(json.dumps({"name": name}).encode() + b"\n")
        return reader

    def leave(self, reader: Reader) -> None:
        reader.transport.abortConnection()

    async def test_a_thousand_others_miss_nothing_and_wait_no_longer(self) -> None:
        node = await self.serve("machat", tcp="127.0.0.1:0", ws=None)
        readers = [await self.member(node, str(number)) for number in range(1000)]
        sender, slow, others = readers[0], readers[-1], readers[:-1]
        while len(node.broker.members("machat/")) < 1000:
            await deferLater(reactor, 0.01)
        line = f"0:{TEXT}\n".encode()
        before: list[float] = []
        during: list[float] = []
        for number in range(2 * ROUND):
            if number == ROUND:
                await slow.has(ROUND * 10 * len(line))
                slow.transport.pauseProducing()
            began = reactor.seconds()
            sender.transport.write(f"{TEXT}\n".encode() * 10)
            total = (number + 1) * 10 * len(line)
            await gatherResults([reader.has(total) for reader in others])
            (before if number < ROUND else during).append(reactor.seconds() - began)
        whole = 2 * ROUND * 10 * len(line)
        self.assertEqual({reader.received for reader in others}, {whole})
        self.assertTrue(slow.received < whole)
        # Generous, since a busy machine can stop all of this for a while.
        self.assertTrue(
            statistics.median(during) < 2 * statistics.median(before) + 0.1,
            (before, during),
        )
        slow.transport.resumeProducing()
        await slow.has(whole)
        self.assertEqual(slow.received, whole)
        self.assertEqual(node.guard.counts["too slow"], 0)

    async def flood_until_closed(self, node: Node, sender: Reader) -> None:
        """Write until somebody is closed as too slow, at most 64 MiB."""
        lines = f"{TEXT}\n".encode() * 64
        echo = len(lines) + 64 * len("a:")
        for _ in range(256):
            if any(connection.why for connection in node.guard.connections):
                return
            if node.guard.counts["too slow"]:
                return
            before = sender.received
            sender.transport.write(lines)
            await sender.has(before + echo)

    async def test_whoever_the_log_moves_past_is_closed_and_counted(self) -> None:
        node = await self.serve("machat", tcp="127.0.0.1:0", ws=None)
        sender, other, slow = [await self.member(node, name) for name in "abc"]
        while len(node.broker.members("machat/")) < 3:
            await deferLater(reactor, 0.01)
        slow.transport.pauseProducing()
        await self.flood_until_closed(node, sender)
        self.assertEqual(node.guard.counts["too slow"], 1)
        await other.has(sender.received)
        self.assertEqual(other.tail, sender.tail)
        self.assertEqual([m.name for m in node.broker.members("machat/")], ["a", "b"])

    async def test_over_websocket_it_is_told_why_when_it_reads_again(self) -> None:
        rooms = await self.serve("machat", tcp="127.0.0.1:0", ws=None)
        sender = await self.member(rooms, "a")
        web = await serve(reactor, "machat", rooms.broker, tcp=None, ws="127.0.0.1:0")
        self.addCleanup(web.stopService)
        closed: Deferred[tuple[int, str]] = Deferred()

        class Slow(WebSocketClientProtocol):
            def onOpen(self) -> None:
                self.sendMessage(b'{"name":"slow"}')

            def onClose(self, wasClean: bool, code: int, reason: str) -> None:
                closed.callback((code, reason))

        host, port = web.addresses["machat.ws"]
        factory: Any = WebSocketClientFactory(
            f"ws://{host}:{port}/mychat", reactor=reactor
        )
        factory.protocol = Slow
        slow: Any = await TCP4ClientEndpoint(reactor, host, port).connect(factory)
        while len(rooms.broker.members("machat/")) < 2:
            await deferLater(reactor, 0.01)
        slow.transport.pauseProducing()
        await self.flood_until_closed(web, sender)
        slow.transport.resumeProducing()
        self.assertEqual(
            await closed, (1008, "too slow: messages were not read in time")
        )
        while web.guard.connections:
            await deferLater(reactor, 0.01)
        self.assertEqual(web.guard.counts["too slow"], 1)
