# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
# mypy: allow-untyped-calls
"""The example clients, each a process of its own, against a node in this one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from chatmux.config import build
from chatmux.node import SECTIONS, Node
from tests.globes_server import PASSWORD, Rest

EXAMPLES = Path(__file__).parent.parent / "examples"
SECRET = "canary of the examples"
CONFIG = {
    "multichat": {"host": "127.0.0.1:0", "secret-key": SECRET},
    "machat": {"tcp": "127.0.0.1:0", "ws": "127.0.0.1:0"},
    "globes": {"address": "127.0.0.1:0"},
    "bridges": [["multichat", "machat/lounge", "globes/1"]],
}

reactor: Any = global_reactor


class Example(ProcessProtocol):
    """One run of an example, with pipes for its input and output."""

    transport: Any

    def __init__(
        self, test: TestCase, name: str, *arguments: str, **environ: str
    ) -> None:
        self.printed = b""
        self.complaint = b""
        self._exited: Deferred[int] = Deferred()
        self._running = True
        self._awaited: tuple[bytes, Deferred[None]] | None = None
        command = [sys.executable, str(EXAMPLES / name), *arguments]
        reactor.spawnProcess(self, sys.executable, command, env=environ)
        test.addCleanup(self._kill)

    def type(self, text: str) -> None:
        """Give it input."""
        self.transport.write(text.encode())

    def end(self) -> Deferred[int]:
        """End its input; fires with its exit status."""
        self.transport.closeStdin()
        return self._exited

    def prints(self, words: bytes) -> Deferred[None]:
        """Fire when it has printed `words`."""
        found: Deferred[None] = Deferred()
        self._awaited = words, found
        self._look()
        return found

    def outReceived(self, data: bytes) -> None:
        self.printed += data
        self._look()

    def errReceived(self, data: bytes) -> None:
        self.complaint += data

    def processEnded(self, reason: Any) -> None:
        self._running = False
        if self._awaited is not None:
            self._awaited[1].errback(AssertionError(self.complaint.decode()))
        self._exited.callback(reason.value.exitCode)

    def _look(self) -> None:
        if self._awaited is not None and self._awaited[0] in self.printed:
            found, self._awaited = self._awaited[1], None
            found.callback(None)

    def _kill(self) -> Deferred[int] | None:
        if not self._running:
            return None
        self.transport.signalProcess("KILL")
        return self._exited


class ExampleTests(TestCase):
    timeout = 60

    async def setUp(self) -> None:  # type: ignore[override]
        store = f"sqlite:///{Path(self.mktemp()).absolute()}"
        self.node = Node(build({**CONFIG, "store": store}, SECTIONS), reactor)
        await self.node.listen()
        self.node.startService()
        self.addCleanup(self.node.stopService)
        await self.node.opened

    def run_example(
        self, name: str, key: str, *arguments: str, **environ: str
    ) -> Example:
        host, port = self.node.addresses[key]
        address = "--address", f"{host}:{port}"
        return Example(self, name, *address, *arguments, **environ)

    def machat_tcp(self, *arguments: str) -> Example:
        return self.run_example("machat_tcp.py", "machat.tcp", *arguments)

    def machat_websocket(self, *arguments: str) -> Example:
        return self.run_example("machat_websocket.py", "machat.ws", *arguments)

    def multichat(self, *arguments: str, secret: str = SECRET) -> Example:
        where = "multichat_client.py", "multichat.host"
        return self.run_example(*where, *arguments, MULTICHAT_SECRET=secret)

    def globes(self, *arguments: str, password: str = "") -> Example:
        where = "globes_client.py", "globes.address"
        return self.run_example(*where, *arguments, GLOBES_PASSWORD=password)

    async def add_room(self, title: str) -> None:
        rest = Rest(self.node.addresses["globes.address"][1])
        self.addCleanup(rest.close)
        await deferToThread(rest.add, title, PASSWORD)

    async def check_own_lines(self, start: Callable[..., Example]) -> None:
        example = start("--client", "ann", "--room", "r", "--wait", "0")
        lines = [f"line {number}" for number in range(200)]
        example.type("\n".join(lines))
        self.assertEqual((await example.end(), example.complaint), (0, b""))
        heard = example.printed.decode().splitlines()
        self.assertEqual(heard, [f"ann:{line}" for line in lines])

    async def check_refused(self, example: Example, why: bytes) -> None:
        self.assertEqual(await example.end(), 1)
        self.assertIn(why, example.complaint)
        self.assertNotIn(b"Traceback", example.complaint)

    async def test_tcp_hears_its_own_lines_in_order(self) -> None:
        await self.check_own_lines(self.machat_tcp)

    async def test_websocket_hears_its_own_lines_in_order(self) -> None:
        await self.check_own_lines(self.machat_websocket)

    async def test_globes_hears_its_own_lines_in_order(self) -> None:
        example = self.globes("--client", "ann", "--wait", "0")
        lines = [f"line {number}" for number in range(200)]
        example.type("\n\n".join(lines))
        self.assertEqual((await example.end(), example.complaint), (0, b""))
        heard = example.printed.decode().splitlines()
        said = [f"ann: {line}" for line in lines]
        self.assertEqual(heard, ["* ann entered the room.", *said])

    async def test_globes_lists_rooms(self) -> None:
        await self.add_room("Tea & Talk")
        member = self.globes("--client", "ann")
        await member.prints(b"* ann entered")
        listing = self.globes()
        self.assertEqual(await listing.end(), 0)
        self.assertEqual(
            listing.printed, b"1: Public Chat (public) ann\n2: Tea & Talk (private)\n"
        )
        self.assertEqual(await member.end(), 0)

    async def test_globes_in_a_room_with_a_password(self) -> None:
        await self.add_room("Tea & Talk")
        room = "--room", "tea & talk", "--client"
        ann = self.globes(*room, "ann", password=PASSWORD)
        await ann.prints(b"* ann entered the room.\n")
        bob = self.globes(*room, "bob", "--wait", "0", password=PASSWORD)
        bob.type("hello")
        self.assertEqual((await bob.end(), bob.complaint), (0, b""))
        await ann.prints(b"bob entered the room.\nbob: hello\n* bob has left the room.")
        self.assertEqual(await ann.end(), 0)
        await self.check_refused(self.globes(*room, "eve"), b"403")
        wrong = self.globes(*room, "eve", password="wr0ng")
        await self.check_refused(wrong, b"401")

    async def test_globes_password_where_none_is_needed(self) -> None:
        example = self.globes("--client", "ann", "--wait", "0", password=PASSWORD)
        self.assertEqual((await example.end(), example.complaint), (0, b""))

    async def test_globes_talks_over_the_bridge(self) -> None:
        member = self.machat_tcp("--client", "ann", "--room", "lounge")
        member.type("I am here\n")
        await member.prints(b"ann:I am here\n")
        globes = self.globes("--client", "bob")
        globes.type("hello\n")
        await member.prints(b"bob:hello\n")
        member.type("hello bob\n")
        await globes.prints(b"ann: hello bob\n")
        self.assertEqual(await member.end(), 0)
        await globes.prints(b"* ann has left the room.\n")
        taken = self.globes("--client", "Bob")
        await self.check_refused(taken, b"the name bob is taken")
        self.assertEqual(await globes.end(), 0)

    async def test_two_talk_over_the_bridge(self) -> None:
        member = self.machat_tcp("--client", "ann", "--room", "lounge")
        member.type("I am here\n")
        await member.prints(b"ann:I am here\n")
        relay = self.multichat("--client", "bridge")
        relay.type("hello\nlounge\n")
        await member.prints(b"bridge:hello\nbridge:lounge\n")
        member.type("hello bridge\n")
        await relay.prints(b"[ann] hello bridge\n")
        self.assertEqual(await relay.end(), 0)
        self.assertEqual(await member.end(), 0)
        self.assertNotIn(b"lounge", relay.printed)

    async def test_all_lines_of_a_pipe_are_relayed(self) -> None:
        member = self.machat_websocket("--client", "ann", "--room", "lounge")
        member.type("here\n")
        await member.prints(b"ann:here\n")
        secret = Path(self.mktemp())
        secret.write_text(SECRET + "\n")
        options = "--secret-file", str(secret), "--wait", "0"
        relay = self.multichat("--client", "pipe", *options, secret="wr0ng")
        lines = [f"line {number}\n" for number in range(200)]
        relay.type("".join(lines))
        self.assertEqual(await relay.end(), 0)
        await member.prints(b"pipe:line 199\n")
        heard = "".join(f"pipe:{line}" for line in lines)
        self.assertEqual(member.printed.decode(), "ann:here\n" + heard)
        self.assertEqual(await member.end(), 0)

    async def test_a_line_without_an_end_is_said(self) -> None:
        for start in (self.machat_tcp, self.machat_websocket):
            example = start("--client", "ann")
            example.type("first\nlast")
            self.assertEqual(await example.end(), 0)
            self.assertEqual(example.printed, b"ann:first\nann:last\n")

    async def test_refusals(self) -> None:
        colon = b"the name must not have a colon in it"
        await self.check_refused(self.machat_tcp("--client", "a:b"), colon)
        await self.check_refused(self.machat_websocket("--client", "a:b"), colon)
        wrong = self.multichat("--client", "a", secret="wr0ng")
        await self.check_refused(wrong, b"wrong secret key")
        await self.check_refused(self.globes("--client", "a:b"), colon)
        nowhere = self.globes("--client", "a", "--room", "no/where")
        await self.check_refused(nowhere, b"404")

    async def test_refused_origin(self) -> None:
        evil = "--origin", "http://evil.example"
        await self.check_refused(self.machat_websocket("--client", "a", *evil), b"403")
        await self.check_refused(self.multichat("--client", "a", *evil), b"403")

    async def test_other_path(self) -> None:
        options = "--client", "a", "--path", "/below/root"
        self.assertEqual(await self.multichat(*options).end(), 0)

    async def test_multichat_without_a_secret(self) -> None:
        example = self.multichat("--client", "a", secret="")
        self.assertEqual(await example.end(), 2)
        self.assertIn(b"neither --secret-file nor MULTICHAT_SECRET", example.complaint)

    async def test_nobody_listens(self) -> None:
        address = "--address", "127.0.0.1:1"
        for name in ("machat_tcp.py", "machat_websocket.py", "globes_client.py"):
            example = Example(self, name, *address, "--client", "a")
            await self.check_refused(example, b"refused")
        options = "multichat_client.py", *address, "--client", "a"
        example = Example(self, *options, MULTICHAT_SECRET=SECRET)
        await self.check_refused(example, b"refused")
        listing = Example(self, "globes_client.py", *address)
        await self.check_refused(listing, b"refused")

    async def test_server_ends_the_conversation(self) -> None:
        members = [
            self.machat_tcp("--client", "t", "--room", "r"),
            self.machat_websocket("--client", "w", "--room", "r"),
            self.globes("--client", "g"),
        ]
        for member in members:
            member.type("here\n")
            await member.prints(b"here\n")
        await self.node.stopService()
        await self.check_refused(members[0], b"the server closed the connection")
        for member in members[1:]:
            await self.check_refused(member, b"the server is shutting down")
