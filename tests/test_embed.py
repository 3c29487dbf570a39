# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Serving inside another program: on the test's own reactor, on real sockets."""

from __future__ import annotations

import json
import socket
import sqlite3
import threading
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from chatmux.embed import serve
from chatmux.errors import ConfigError, ListenError, UnreachableError
from chatmux.node import Node
from chatmux.store import database

ANYWHERE = "127.0.0.1:0"


class Client(Protocol):
    """Sends some bytes, and keeps what comes until the connection ends."""

    transport: Any

    def __init__(self) -> None:
        self.received = b""
        self.ended: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.ended.callback(self.received)


async def ask(node: Node, method: str, path: str, body: object = None) -> Any:
    """Send a request on a connection of its own; return the answer's JSON."""
    data = b"" if body is None else json.dumps(body).encode()
    endpoint = TCP4ClientEndpoint(reactor, *node.addresses["globes.address"])
    client = await connectProtocol(endpoint, Client())
    client.transport.write(
        f"{method} {path} HTTP/1.1\r\nHost: chat.example\r\nConnection: close\r\n"
        f"Content-Length: {len(data)}\r\n\r\n".encode()
        + data
    )
    received: bytes = await client.ended
    return json.loads(received.partition(b"\r\n\r\n")[2])


def can_be_bound(port: int) -> bool:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


class EmbedCase(TestCase):
    """Every test leaves as many threads as there were."""

    timeout = 60

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.url = f"sqlite:///{self.directory}/rooms.db"
        before = set(threading.enumerate())
        self.addCleanup(
            lambda: self.assertEqual(set(threading.enumerate()) - before, set())
        )

    async def serve(self, *args: Any, **settings: Any) -> Node:
        node = await serve(reactor, *args, **settings)
        self.addCleanup(node.stopService)
        return node


class ServingTests(EmbedCase):
    async def test_globes_answers_and_keeps_its_rooms(self) -> None:
        node = await serve(reactor, "globes", store=self.url, address=ANYWHERE)
        port = node.addresses["globes.address"][1]
        wish = {"title": "den", "visibility": "private", "password": "correct horse"}
        made = await ask(node, "POST", "/chats", wish)
        self.assertEqual((made["id"], made["title"]), (2, "den"))
        await node.stopService()
        self.assertTrue(can_be_bound(port))
        self.assertEqual([p.name for p in self.directory.iterdir()], ["rooms.db"])
        node = await self.serve("globes", store=self.url, address=ANYWHERE)
        listed = await ask(node, "GET", "/chats")
        self.assertEqual([room["title"] for room in listed], ["Public Chat", "den"])
        login = {"name": "ann", "secret": "correct horse"}
        told = await ask(node, "POST", "/chats/den/token", login)
        self.assertEqual((told["status"], told["name"]), (True, "ann"))

    async def test_two_share_a_broker(self) -> None:
        lines = await self.serve(
            "machat", bridges=(("machat/den", "globes/1"),), tcp=ANYWHERE, ws=None
        )
        rooms = await self.serve(
            "globes", lines.broker, store=self.url, address=ANYWHERE
        )
        endpoint = TCP4ClientEndpoint(reactor, *lines.addresses["machat.tcp"])
        client = await connectProtocol(endpoint, Client())
        client.transport.write(b'{"name":"bob","room":"den"}\n')
        while not (users := (await ask(rooms, "GET", "/chats/1"))["users"]):
            pass
        self.assertEqual([user["username"] for user in users], ["bob"])
        await rooms.stopService()
        self.assertFalse(client.ended.called)
        client.transport.loseConnection()
        await client.ended


class RefusalTests(EmbedCase):
    async def refused(
        self, kind: type[Exception], protocol: str = "globes", **settings: Any
    ) -> str:
        """Return why something cannot be served; nothing of it is left."""
        port = free_port()
        settings.setdefault("address", f"127.0.0.1:{port}")
        threads = set(threading.enumerate())
        with self.assertRaises(kind) as caught:
            await serve(reactor, protocol, **settings)
        self.assertIs(type(caught.exception), kind)
        self.assertEqual(set(threading.enumerate()) - threads, set())
        self.assertTrue(can_be_bound(port))
        return str(caught.exception)

    async def test_a_directory_that_is_not_there(self) -> None:
        missing = self.directory / "a"
        words = await self.refused(ConfigError, store=f"sqlite:///{missing}/b/c.db")
        self.assertEqual(
            words,
            f"store: the database cannot be used: {missing}/b: No such file or"
            " directory",
        )

    async def test_what_is_no_database(self) -> None:
        (self.directory / "rooms.db").write_text("no database " * 100)
        words = await self.refused(ConfigError, store=self.url)
        self.assertEqual(
            words, "store: the database cannot be used: file is not a database"
        )

    async def test_a_database_of_a_newer_chatmux(self) -> None:
        node = await serve(reactor, "globes", store=self.url, address=ANYWHERE)
        await node.stopService()
        with sqlite3.connect(self.directory / "rooms.db") as connection:
            connection.execute("UPDATE chatmux_version SET version = 99")
        connection.close()
        words = await self.refused(ConfigError, store=self.url)
        self.assertIn("the database was changed by a newer chatmux", words)

    async def test_a_room_of_a_bridge_with_a_password(self) -> None:
        node = await serve(reactor, "globes", store=self.url, address=ANYWHERE)
        wish = {"title": "den", "visibility": "private", "password": "correct horse"}
        await ask(node, "POST", "/chats", wish)
        await node.stopService()
        words = await self.refused(
            ConfigError, store=self.url, bridges=(("globes/2", "machat/lounge"),)
        )
        self.assertEqual(
            words,
            "bridges: globes/2 is a private room with a password, around which a"
            " bridge would lead",
        )
        # By itself it can be served.
        await self.serve("globes", store=self.url, address=ANYWHERE)

    async def test_a_database_that_others_do_not_let_go_of(self) -> None:
        self.patch(database, "LOCK_SECONDS", 0.1)
        node = await serve(reactor, "globes", store=self.url, address=ANYWHERE)
        await node.stopService()
        other = sqlite3.connect(self.directory / "rooms.db", isolation_level=None)
        self.addCleanup(other.close)
        other.execute("BEGIN IMMEDIATE")
        words = await self.refused(UnreachableError, store=self.url)
        self.assertEqual(
            words, "store: the database cannot be reached: database is locked"
        )
        other.execute("ROLLBACK")
        await self.serve("globes", store=self.url, address=ANYWHERE)

    async def test_no_store(self) -> None:
        words = await self.refused(ConfigError)
        self.assertEqual(words, "store: is missing, and globes needs it")
        words = await self.refused(ConfigError, store="sqlite://")
        self.assertIn("store: should be sqlite:///FILE", words)

    async def test_an_address_that_is_taken(self) -> None:
        node = await self.serve("globes", store=self.url, address=ANYWHERE)
        host, port = node.addresses["globes.address"]
        words = await self.refused(
            ListenError, store=self.url, address=f"{host}:{port}"
        )
        self.assertEqual(
            words,
            f"globes.address: cannot listen on 127.0.0.1:{port}: Address already in"
            " use",
        )
        # The other is none the worse for it.
        await ask(node, "GET", "/chats")

    async def test_what_does_not_exist(self) -> None:
        for protocol, settings, words in (
            ("irc", {}, "irc: there is no such protocol"),
            ("globes", {"colour": "red"}, "globes.colour: there is no such key"),
            ("globes", {"secret_key": "short"}, "globes.secret-key: has less than 32"),
        ):
            found = await self.refused(
                ConfigError, protocol, store=self.url, **settings
            )
            self.assertIn(words, found)
        self.assertEqual(list(self.directory.iterdir()), [])
