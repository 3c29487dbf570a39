# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What users write is never a command: to SQLite, to PostgreSQL, to anything else.

chatmux speaks to no Redis and to no other node yet; the tests of that say so, and are
to be replaced by better ones when it does.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.globes_server import ADMIN, CONFIG, PASSWORD, GlobesTestCase, Rest
from tests.postgres import cluster
from tests.server import Server
from tests.test_imports import imports, modules

HOSTILE = (
    "'; DROP TABLE room; --",
    "' OR '1'='1",
    "' OR 1=1 -- -",
    '" OR ""="',
    "') UNION SELECT value FROM secret --",
    "1; DELETE FROM room WHERE 1=1",
    "x'; UPDATE room SET visibility='public'; --",
    "admin'/*",
    "' AND (SELECT 1 FROM pg_sleep(9)) --",
    "';SELECT pg_terminate_backend(pid) FROM pg_stat_activity--",
    "'||(SELECT sqlite_version())||'",
    "$$; DROP TABLE room; $$",
    "\\'; DROP TABLE room; --",
    "%27%20OR%201=1",
    ":title",
    "%(title)s",
    "%s ?1 $1 {0} {title}",
    "{0.__class__.__mro__}",
    "`room`",
    "[room]",
    "\ufe58 \uff07 OR 1=1",
    "0x27 CHAR(39)",
    "{hash}tag",
    "FLUSHALL 'redis'",
    "*3 $3 SET $1 a",
)
WILDCARDS = (
    "%",
    "%%",
    "_",
    "__",
    "______",
    "Publi%",
    "P_blic Chat",
    "*",
    "?*",
    "[a-z]*",
)
"""What would be found if a title were compared as a pattern is."""

COMMANDS = ("\r\nFLUSHALL\r\n", "a\x00b", "a\nSET k v", "a\x1fb")
"""Of which none is a title."""


def inodes(directory: str) -> Iterator[str]:
    for number in os.listdir(directory):
        target = os.readlink(f"{directory}/{number}")
        if target.startswith("socket:["):
            yield target[8:-1]


class SQLTests(GlobesTestCase):
    def check(self, config: dict[str, Any]) -> None:
        directory = Path(self.mktemp())
        server = self.serve(config, directory)
        client = self.rest(server)
        private = client.add("vault", PASSWORD)
        expected = [client.ask("GET", "/chats/1").json["title"], "vault"]
        made = self.make(client)
        expected += made.values()
        self.assertEqual(self.titles(client), sorted(expected))
        for title in WILDCARDS:
            answer = client.ask("GET", f"/chats/{quote(title, safe='')}")
            self.assertEqual(answer.status, 404, title)
            taken = client.ask("DELETE", f"/chats/{quote(title)}", token=ADMIN)
            self.assertEqual(taken.status, 404, title)
        for title in COMMANDS:
            wish = {"title": title, "visibility": "public"}
            answer = client.ask("POST", "/chats", wish)
            self.assertEqual(answer.fault, (400, 105, "title"), title)
        for title in HOSTILE[:3]:
            # A password is compared by its hash, and a name goes into a token.
            login = {"name": title, "secret": title}
            answer = client.ask("POST", f"/chats/{private}/token", login)
            self.assertIn(answer.status, (401, 429))
        self.assertEqual(server.stop(), 0)
        self.assertNotIn("Traceback", server.log)
        # It is all there, as it was, when it is read from the store.
        server = self.serve(config, directory)
        client = self.rest(server)
        self.assertEqual(self.titles(client), sorted(expected))
        changed = min(made)
        change = {"title": f"{made[changed]}2", "visibility": "public"}
        answer = client.ask("PUT", f"/chats/{changed}", change, ADMIN)
        self.assertEqual(answer.status, 200)
        expected.remove(made.pop(changed))
        expected.append(change["title"])
        for number, title in list(made.items())[::4]:
            gone = client.ask("DELETE", f"/chats/{quote(title, safe='')}", token=ADMIN)
            self.assertEqual(gone.status, 200, title)
            expected.remove(title)
            self.assertEqual(self.titles(client), sorted(expected), number)
        self.assertEqual(server.stop(), 0)

    def make(self, client: Rest) -> dict[int, str]:
        """Make a room for each text; return the titles by the ids."""
        made: dict[int, str] = {}
        for text in HOSTILE:
            number = client.add(text, description=text)
            found = client.ask("GET", f"/chats/{quote(text, safe='')}").json
            self.assertEqual(
                (found["id"], found["title"], found["description"]),
                (number, text, text),
            )
            made[number] = text
        return made

    def titles(self, client: Rest) -> list[str]:
        return sorted(room["title"] for room in client.ask("GET", "/chats").json)

    def test_sqlite_is_told_no_command(self) -> None:
        self.check(CONFIG)

    def test_postgresql_is_told_no_command(self) -> None:
        own = cluster()
        self.check({**CONFIG, "store": own.url(own.empty_database())})

    def test_no_statement_is_put_together_from_texts(self) -> None:
        """What is executed is an expression, or a text that stands there whole."""
        looked_at = 0
        for room, path, tree in modules():
            if room != "store":
                continue
            self.assertNotIn("sqlalchemy.text", set(imports(tree)), path)
            for node in ast.walk(tree):
                if not isinstance(node, ast.Call):
                    continue
                if not ast.unparse(node.func).endswith(("execute", "executescript")):
                    continue
                looked_at += 1
                for argument in ast.walk(node.args[0]):
                    self.assertNotIsInstance(argument, (ast.JoinedStr, ast.Mod))
        self.assertGreater(looked_at, 5)


class NodeTests(GlobesTestCase):
    def test_nothing_speaks_to_redis(self) -> None:
        for _, path, tree in modules():
            for name in imports(tree):
                first = name.partition(".")[0]
                self.assertNotIn("redis", first.lower(), path)
                self.assertNotIn(first, {"nats", "kombu", "pika", "zmq"}, path)

    def test_no_connection_is_opened_and_no_port_but_those_of_the_doors(self) -> None:
        server = self.serve(
            {
                **CONFIG,
                "machat": {"tcp": "127.0.0.1:0", "ws": "127.0.0.1:0"},
                "multichat": {"host": "127.0.0.1:0", "secret-key": "a good one"},
                "webtalk": {"private": "127.0.0.1:0", "public": "127.0.0.1:0"},
            }
        )
        doors = server.ports(
            *("machat.tcp", "machat.ws", "multichat.host", "globes.address"),
            *("webtalk.private", "webtalk.public"),
        )
        self.assertEqual(self.sockets(server), sorted(doors))
        self.assertEqual(server.stop(), 0)

    def sockets(self, server: Server) -> list[int]:
        """Return the ports that a server listens at; fail where it is connected."""
        process = f"/proc/{server.process.pid}"
        own = set(inodes(f"{process}/fd"))
        ports = []
        for kind in "tcp", "tcp6", "udp", "udp6":
            for line in Path(f"{process}/net/{kind}").read_text().splitlines()[1:]:
                _, local, remote, state, *rest = line.split()
                if rest[5] in own:
                    self.assertEqual((kind, state), ("tcp", "0A"), remote)
                    ports.append(int(local.partition(":")[2], 16))
        return sorted(ports)
