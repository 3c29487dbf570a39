# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The end of a node that has a store: at any time, and in time."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any

from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.task import deferLater
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import TestCase

from chatmux.config import build
from chatmux.errors import UnreachableError
from chatmux.node import SECTIONS, Node
from chatmux.store import database
from tests.test_embed import Client, can_be_bound

reactor: Any = global_reactor
POST = (
    b"POST /chats HTTP/1.1\r\nHost: x\r\nContent-Length: 39\r\n\r\n"
    b'{"title":"den","visibility":"public"}\r\n'
)


class StopCase(TestCase):
    timeout = 60

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.file = self.directory / "rooms.db"
        self.threads = set(threading.enumerate())
        self.addCleanup(self.assert_no_thread)

    def assert_no_thread(self) -> None:
        self.assertEqual(set(threading.enumerate()) - self.threads, set())

    async def make(self, drain_seconds: float = 10, *, opened: bool = True) -> Node:
        raw = {
            "globes": {"address": "127.0.0.1:0"},
            "store": f"sqlite:///{self.file}",
            "drain-seconds": drain_seconds,
        }
        node = Node(build(raw, SECTIONS), reactor)
        await node.listen()
        self.port = node.addresses["globes.address"][1]
        node.startService()
        if opened:
            await node.opened
        return node

    def beside(self) -> sqlite3.Connection:
        """Return a connection of somebody who does not let go of the database."""
        connection = sqlite3.connect(self.file, timeout=0, isolation_level=None)
        self.addCleanup(connection.close)
        connection.execute("BEGIN IMMEDIATE")
        return connection

    async def client(self) -> Client:
        """Return one that has sent a request for a new room, and has no answer."""
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self.port)
        client: Client = await connectProtocol(endpoint, Client())
        client.transport.write(POST)
        await deferLater(reactor, 0.1)
        self.assertEqual(client.received, b"")
        return client

    def titles(self) -> list[str]:
        with sqlite3.connect(self.file) as connection:
            found = connection.execute("SELECT title FROM chatmux_room ORDER BY id")
            titles = [title for (title,) in found]
        connection.close()
        return titles


class OpeningTests(StopCase):
    async def test_a_stop_in_the_first_moment(self) -> None:
        node = await self.make(opened=False)
        await node.stopService()
        self.assertTrue(node.opened.called)
        self.assertTrue(can_be_bound(self.port))
        self.assert_no_thread()
        self.assertEqual(list(self.directory.iterdir()), [self.file])

    async def test_a_stop_while_the_opening_waits_for_others(self) -> None:
        node = await self.make()
        await node.stopService()
        other = self.beside()
        node = await self.make(opened=False)
        await deferLater(reactor, 0.1)
        stopping = node.stopService()
        await deferLater(reactor, 0.1)
        self.assertFalse(node.opened.called)
        other.execute("ROLLBACK")
        await stopping
        self.assertTrue(can_be_bound(self.port))
        self.assert_no_thread()

    async def test_a_stop_of_an_opening_that_fails(self) -> None:
        node = await self.make()
        await node.stopService()
        self.patch(database, "LOCK_SECONDS", 0.2)
        self.beside()
        node = await self.make(opened=False)
        stopping = node.stopService()
        with self.assertRaises(UnreachableError):
            await node.opened
        await stopping
        self.assertTrue(can_be_bound(self.port))
        self.assert_no_thread()

    async def test_whoever_came_meanwhile_is_let_go(self) -> None:
        node = await self.make()
        await node.stopService()
        other = self.beside()
        node = await self.make(opened=False)
        client = await self.client()
        stopping = node.stopService()
        other.execute("ROLLBACK")
        await stopping
        await client.ended


class HangingStoreTests(StopCase):
    """The stop while somebody else holds the database."""

    async def stop(self, node: Node) -> tuple[float, list[str]]:
        """Return how many seconds a stop takes, and what it warns of."""
        began = reactor.seconds()
        with capturedLogs() as events:
            await node.stopService()
        warnings = [
            formatEvent(event) for event in events if event["log_level"] > LogLevel.info
        ]
        return reactor.seconds() - began, warnings

    def end_it_later(self, node: Node, other: sqlite3.Connection) -> None:
        """Let the store end after the test as it would have."""
        store: Any = node._store
        threads = store._threads
        assert threads is not None

        def end() -> Deferred[None]:
            if other.in_transaction:
                other.execute("ROLLBACK")
            return Deferred.fromCoroutine(threads.close(store._database.dispose))

        self.addCleanup(end)

    async def test_it_ends_in_time_with_one_warning(self) -> None:
        for drain_seconds, most in (0, 1.5), (2, 3.5):
            self.file = self.directory / f"{drain_seconds}.db"
            node = await self.make(drain_seconds)
            other = self.beside()
            self.end_it_later(node, other)
            client = await self.client()
            seconds, warnings = await self.stop(node)
            self.assertLess(seconds, most)
            self.assertEqual(
                warnings,
                [
                    "cutting 1 connections",
                    "the store is not done: it is left as it is",
                ],
            )
            self.assertEqual(await client.ended, b"")
            self.assertTrue(can_be_bound(self.port))
            # What was begun is not lost as long as the program goes on.
            other.execute("ROLLBACK")
            while "den" not in self.titles():
                await deferLater(reactor, 0.05)

    async def test_without_a_connection_one_line_is_all(self) -> None:
        node = await self.make(1)
        self.end_it_later(node, self.beside())
        client = await self.client()
        client.transport.abortConnection()
        await client.ended
        await deferLater(reactor, 0.1)
        seconds, warnings = await self.stop(node)
        self.assertGreater(seconds, 0.9)
        self.assertLess(seconds, 2)
        self.assertEqual(warnings, ["the store is not done: it is left as it is"])

    async def test_an_answer_that_comes_in_time_is_given(self) -> None:
        node = await self.make()
        other = self.beside()
        client = await self.client()
        reactor.callLater(0.3, other.execute, "ROLLBACK")
        seconds, warnings = await self.stop(node)
        self.assertLess(seconds, 5)
        self.assertEqual(warnings, [])
        self.assertIn(b"HTTP/1.1 201 Created", await client.ended)
        self.assert_no_thread()

    async def test_what_nobody_waits_for_any_more_is_done_if_there_is_time(
        self,
    ) -> None:
        node = await self.make()
        other = self.beside()
        client = await self.client()
        client.transport.abortConnection()
        await client.ended
        reactor.callLater(0.3, other.execute, "ROLLBACK")
        seconds, warnings = await self.stop(node)
        self.assertLess(seconds, 5)
        self.assertEqual(warnings, [])
        self.assertEqual(self.titles(), ["Public Chat", "den"])
        self.assert_no_thread()
