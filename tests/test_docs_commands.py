# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The commands of the documents that a reader is to type, run as they stand."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

from chatmux.protocols import globes
from tests.documents import PROTOCOL_PAGES, ROOT, fenced
from tests.globes_server import CONFIG, PASSWORD, GlobesTestCase
from tests.server import BINARIES, DEADLINE_SECONDS, program, waiting

OPERATIONS = ROOT / "docs/operations.md"
ADDRESS = "127.0.0.1:8080"


def commands(page: Path, word: str) -> list[str]:
    """Return the lines of a page's blocks without a language that begin with `word`."""
    blocks = [text for language, text in fenced(page) if not language]
    lines = [line for text in blocks for line in text.splitlines()]
    return [line for line in lines if re.match(rf"{word}\b", line)]


class FirstStepsTests(GlobesTestCase):
    """What the README and the page of Globes begin with."""

    pages = (ROOT / "README.md", PROTOCOL_PAGES["globes"])

    def setUp(self) -> None:
        super().setUp()
        self.port = self.serve().ports("globes.address")[0]

    def here(self, command: str) -> str:
        """Return a command that goes to this server instead of one with defaults."""
        self.assertEqual(globes.Section().address, ADDRESS)
        self.assertIn(ADDRESS, command)
        return command.replace(ADDRESS, f"127.0.0.1:{self.port}")

    def test_curl(self) -> None:
        curl = program("curl", "curl")
        for page in self.pages:
            (command,) = commands(page, "curl")
            words = [
                curl,
                "--silent",
                "--noproxy",
                "*",
                *self.here(command).split()[1:],
            ]
            (room,) = json.loads(subprocess.check_output(words))
            self.assertEqual(room["title"], "Public Chat")

    def test_websockets(self) -> None:
        for page in self.pages:
            (block,) = [text for _, text in fenced(page) if "/websockets ws:" in text]
            _, _, block = block.partition(".venv/bin/websockets ")
            url, *events = block.splitlines()
            directory = Path(self.mktemp())
            directory.mkdir()
            printed = directory / "printed"
            client = subprocess.Popen(
                [str(BINARIES / "websockets"), self.here(url)],
                stdin=subprocess.PIPE,
                stdout=printed.open("wb"),
                env={**os.environ, "NO_PROXY": "*"},
                text=True,
            )
            self.addCleanup(client.wait)
            self.addCleanup(client.kill)
            assert client.stdin is not None
            self.addCleanup(client.stdin.close)
            for event in events:
                said = json.loads(event)
                client.stdin.write(event + "\n")
                client.stdin.flush()
                told = (
                    f'< {{"event_type":"{said["event_type"]}","name":"{said["name"]}"'
                )
                for _ in waiting():
                    if told in printed.read_text():
                        break
                else:
                    self.fail(f"{event}: {printed.read_text()}")
            # Both pages use room 1, and one of them a name of the other.
            client.stdin.close()
            self.assertEqual(client.wait(DEADLINE_SECONDS), 0)


class OperationsTests(GlobesTestCase):
    """What is done to the store of a server that runs."""

    def statement(self, word: str) -> list[str]:
        """Return the words of a command with `word`, for the store of the test."""
        found = [line for line in commands(OPERATIONS, "sqlite3") if word in line]
        self.assertEqual(len(found), 1)
        where = "/var/lib/chatmux/chatmux.db"
        match = re.fullmatch(rf'sqlite3 {where} "(.+)"', found[0])
        assert match is not None
        return [program("sqlite3", "sqlite3"), "rooms.db", match[1]]

    def test_the_backup_of_a_server_that_runs(self) -> None:
        directory = Path(self.mktemp())
        server = self.serve(directory=directory)
        rest = self.rest(server)
        rest.add("Tea")
        words = self.statement(".backup")
        words[2] = words[2].replace("/var/backups/chatmux.db", "copy.db")
        subprocess.run(words, cwd=directory, check=True)
        rest.add("Coffee")
        config = {**CONFIG, "store": "sqlite:///copy.db"}
        self.assertEqual(server.stop(), 0)
        copy = self.rest(self.serve(config, directory))
        titles = [room["title"] for room in copy.ask("GET", "/chats").json]
        self.assertEqual(titles, ["Public Chat", "Tea"])

    def test_a_new_key_of_the_tokens(self) -> None:
        directory = Path(self.mktemp())
        server = self.serve(directory=directory)
        rest = self.rest(server)
        room = rest.add("Tea", PASSWORD)
        token = rest.token(room, "ann")
        path = f"/chats/{room}/token/renew"
        self.assertEqual(rest.ask("GET", path, token=token).status, 201)
        self.assertEqual(server.stop(), 0)
        subprocess.run(self.statement("DELETE"), cwd=directory, check=True)
        again = self.rest(self.serve(directory=directory))
        self.assertEqual(again.ask("GET", path, token=token).status, 403)
        again.token(room, "ann")
