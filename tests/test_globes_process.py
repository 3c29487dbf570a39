# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The process that serves Globes: what it keeps, what it refuses, how it ends."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

import jwt
from websockets.exceptions import InvalidStatus

from tests.globes_server import CONFIG, GLOBES, PASSWORD, GlobesTestCase
from tests.server import DEADLINE_SECONDS, waiting

KEY = "an environment's canary, of 40 bytes...."


def with_globes(**settings: Any) -> dict[str, Any]:
    """Return a configuration with these keys in the section, dashes as underscores."""
    own = {name.replace("_", "-"): value for name, value in settings.items()}
    return {**CONFIG, "globes": {**GLOBES, **own}}


class RestartTests(GlobesTestCase):
    def test_rooms_passwords_and_tokens_outlive_it(self) -> None:
        directory = Path(self.mktemp())
        server = self.serve(directory=directory)
        client = self.rest(server)
        private = client.add("Private", PASSWORD, description="größe")
        client.add("Hidden", PASSWORD, visibility="hidden")
        gone = client.add("Gone", PASSWORD)
        first, other = (client.token(private, name) for name in ("ann", "bob"))
        stale = client.token(gone, "ann")
        client.ask("DELETE", f"/chats/{gone}", token=stale)
        wish = {"title": "Private", "visibility": "private", "password": PASSWORD * 2}
        self.assertEqual(
            client.ask("PUT", f"/chats/{private}", wish, first).status, 200
        )
        token = client.token(private, "ann", PASSWORD * 2)
        paths = "/chats", "/chats/Hidden", "/chats/1", "/chats/private"
        before = [client.ask("GET", path).json for path in paths]
        self.assertEqual(server.stop(), 0)

        server = self.serve(directory=directory)
        (port,) = server.ports("globes.address")
        client = self.rest(port)
        self.assertEqual([client.ask("GET", path).json for path in paths], before)
        self.assertEqual(client.ask("GET", f"/chats/{gone}").status, 404)
        member = self.member(port, private, token, "ann")
        renew = f"/chats/{private}/token/renew"
        self.assertEqual(client.ask("GET", renew, token=token).status, 201)
        for old in first, other, stale:
            self.assertEqual(client.ask("GET", renew, token=old).status, 403)
        login = {"name": "ann", "secret": PASSWORD}
        refused = client.ask("POST", f"/chats/{private}/token", login)
        self.assertEqual(refused.status, 401)
        client.token("hidden", "ann")
        self.assertGreater(client.add("Next"), gone)
        member.socket.close()
        self.assertEqual(server.stop(), 0)
        self.assertNotIn("Traceback", server.log)
        self.assertNotIn(token, server.log)

    def test_the_key_of_the_environment(self) -> None:
        """From the variable, from `.env`, the variable first, the section before all.

        With none of them it is that of the store, which stays as it was.
        """
        directory = Path(self.mktemp())
        directory.mkdir()
        other = "x" * 32
        told: list[tuple[str | None, str]] = []
        for config, variable, file, key in (
            (CONFIG, None, None, None),
            (CONFIG, KEY, None, KEY),
            (CONFIG, None, KEY, KEY),
            (CONFIG, KEY, other, KEY),
            (with_globes(secret_key=KEY), other, other, KEY),
            (CONFIG, None, other, other),
            (CONFIG, None, None, None),
        ):
            dotenv = "" if file is None else f'SECRET_KEY="{file}"\n'
            (directory / ".env").write_text(dotenv)
            environ = {} if variable is None else {"SECRET_KEY": variable}
            server = self.serve(config, directory, environ)
            client = self.rest(server)
            if not told:
                client.add("Private", PASSWORD)
            token = client.token(2, "ann")
            if key is not None:
                jwt.decode(token, key, ["HS256"])
            told.append((key, token))
            renew = "/chats/2/token/renew"
            for made_with, one in told:
                status = 201 if made_with == key else 403
                self.assertEqual(client.ask("GET", renew, token=one).status, status)
            self.assertEqual(server.stop(), 0)
            self.assertNotIn(KEY, server.log)


class StartingTests(GlobesTestCase):
    def assert_refused(
        self, config: Any, *words: str, status: int = 78, **options: Any
    ) -> None:
        server = self.serve(config, **options)
        self.assertEqual(server.wait(), status, server.log)
        lines = server.log.splitlines()
        self.assertEqual(len(lines), 1, server.log)
        for word in words:
            self.assertIn(word, lines[0])

    def test_keys_of_no_use(self) -> None:
        path = "chatmux: globes.secret-key: "
        self.assert_refused(CONFIG, path, "SECRET_KEY", environ={"SECRET_KEY": "short"})
        directory = Path(self.mktemp())
        directory.mkdir()
        (directory / ".env").write_text("SECRET_KEY=short\n")
        self.assert_refused(CONFIG, path, directory=directory)
        self.assert_refused(with_globes(secret_key="x" * 31), path)
        self.assert_refused(with_globes(secret_key=""), path)
        example = "my_secret_random_key_>_than_24_characters"
        public = with_globes(address="0.0.0.0:0", secret_key=example)
        self.assert_refused(public, path, "is an example's", "globes.address")

    def test_settings_of_no_use(self) -> None:
        for settings, words in (
            ({"keyfile": "key.pem"}, "globes.certfile: is missing"),
            ({"certfile": "cert.pem"}, "globes.keyfile: is missing"),
            ({"keyfile": "no.pem", "certfile": "no.pem"}, "globes.keyfile: no.pem: No"),
            ({"admin_token": "two words"}, "globes.admin-token: must be ASCII"),
            ({"admin_token": "größe"}, "globes.admin-token: must be ASCII"),
            ({"ReadTimeout": "soon"}, "globes.ReadTimeout: "),
            ({"wrong_passwords": 0}, "globes.wrong-passwords: "),
        ):
            self.assert_refused(with_globes(**settings), f"chatmux: {words}")

    def test_stores_of_no_use(self) -> None:
        for store in (
            "mysql://u:s3cret@h/d",
            "sqlite:////nowhere/to/be/found.db",
            "sqlite:///.",
            "rooms.db",
        ):
            self.assert_refused({**CONFIG, "store": store}, "chatmux: store: ")
        directory = Path(self.mktemp())
        directory.mkdir()
        (directory / "rooms.db").write_bytes(b"no database" * 1000)
        self.assert_refused(CONFIG, "chatmux: store: ", directory=directory)

    def test_a_database_that_is_not_there_is_not_the_configurations_fault(self) -> None:
        with socket.socket() as unheard:
            unheard.bind(("127.0.0.1", 0))
            port = unheard.getsockname()[1]
            store = f"postgresql+psycopg://u:s3cret@127.0.0.1:{port}/d"
            self.assert_refused(
                {**CONFIG, "store": store}, "chatmux: store: ", "refused", status=1
            )

    def test_a_bridge_to_a_room_with_a_password(self) -> None:
        directory = Path(self.mktemp())
        server = self.serve(directory=directory)
        client = self.rest(server)
        client.add("Private", PASSWORD)
        self.assertEqual(server.stop(), 0)
        config = {
            **CONFIG,
            "machat": {"tcp": "127.0.0.1:0", "ws": None},
            "bridges": [["globes/2", "machat/lounge"]],
        }
        self.assert_refused(
            config, "chatmux: bridges: globes/2 is a private", directory=directory
        )
        config["bridges"] = [["globes/title", "machat/lounge"]]
        self.assert_refused(config, "chatmux: bridges[0]: ", "globes/1 is")

    def test_the_originals_keys_are_taken(self) -> None:
        section = {
            "Address": "127.0.0.1:0",
            "ReadTimeout": 10,
            "WriteTimeout": 600,
            "Static": "public",
            "RedisURL": "",
        }
        server = self.serve({**CONFIG, "globes": section})
        self.rest(server).add("A room")
        self.assertEqual(server.stop(), 0)
        for key in "WriteTimeout", "Static", "RedisURL":
            self.assertEqual(server.log.count(f"globes.{key} has no effect"), 1)
        self.assertNotIn("ReadTimeout", server.log)

    def test_read_timeout_is_the_requests(self) -> None:
        config = {**with_globes(ReadTimeout=0.4), "limits": {"opening-seconds": 20}}
        (port,) = self.serve(config).ports("globes.address")
        head = b"POST /chats HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
        whole = b"GET /chats/1 HTTP/1.1\r\nHost: x\r\n\r\n"
        for before, begun in (
            (b"", head[:-2]),
            (b"", head + b"{"),
            (whole, head[:-2]),
            (whole, head + b"{"),
        ):
            with socket.create_connection(("127.0.0.1", port), DEADLINE_SECONDS) as raw:
                if before:
                    raw.sendall(before)
                    self.assertTrue(raw.recv(4096).startswith(b"HTTP/1.1 200 "))
                began = time.monotonic()
                raw.sendall(begun)
                self.assertTrue(raw.recv(4096).startswith(b"HTTP/1.1 408 "))
                self.assertTrue(0.3 < time.monotonic() - began < 10)


class StoppingTests(GlobesTestCase):
    def test_sockets_are_told_and_what_is_asked_is_answered(self) -> None:
        directory = Path(self.mktemp())
        server = self.serve(directory=directory)
        (port,) = server.ports("globes.address")
        client = self.rest(port)
        room = client.add("Private", PASSWORD)
        token = client.token(room, "ann")
        members = [self.member(port, 1, name="ann"), self.member(port, room, token)]
        askers = [self.rest(port) for _ in range(5)]
        for number, asker in enumerate(askers):
            asker.ask("GET", "/chats/1")
            title = f"At the end {number}"
            wish = {"title": title, "visibility": "private", "password": PASSWORD}
            asker.connection.request("POST", "/chats", json.dumps(wish))
        # When this is answered, the others have been read and wait for their hashes.
        client.ask("GET", "/chats/1")
        server.process.terminate()
        for member in members:
            self.assertEqual(member.end(), (1001, "the server is shutting down"))
        for asker in askers:
            answer = asker.connection.getresponse()
            self.assertEqual(answer.status, 201, answer.read())
        self.assertEqual(server.wait(), 0)
        self.assertIn("stopping, 8 connections", server.log)
        self.assertNotIn("cutting", server.log)
        self.assertNotIn("Traceback", server.log)
        client = self.rest(self.serve(directory=directory))
        for number in range(len(askers)):
            client.token(f"At%20the%20end%20{number}", "ann")

    def test_who_comes_during_it_is_not_let_in(self) -> None:
        server = self.serve()
        (port,) = server.ports("globes.address")
        client = self.rest(port)
        client.ask("GET", "/chats/1")
        askers = [self.rest(port) for _ in range(8)]
        for number, asker in enumerate(askers):
            wish = {"title": f"r{number}", "visibility": "hidden", "password": PASSWORD}
            asker.connection.request("POST", "/chats", json.dumps(wish))
        client.ask("GET", "/chats/1")
        server.process.terminate()
        for _ in waiting():
            if "stopping," in server.log:
                break
        with self.assertRaises((ConnectionRefusedError, InvalidStatus)):
            self.member(port, 1)
        self.assertEqual(server.wait(), 0)
