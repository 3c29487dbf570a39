# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""A server that is full: each door says so in its own words, and nothing else stops."""

from __future__ import annotations

import json
import resource
import socket
import time
from pathlib import Path
from typing import Any

from twisted.internet import reactor as global_reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from chatmux.config import build
from chatmux.node import SECTIONS, Node
from chatmux.transports.turnstile import MOST_LINGERING
from tests.attack import PLACES, AttackTestCase, Target, read_all
from tests.server import BINARIES, Server, waiting

WORDS = b"there are too many here"
SPARED = 64
NARROW = 160
"""Descriptors that a server may have which is to run out of them."""


def member(port: int, name: str) -> socket.socket:
    """Come into a room of MaChat, and see that one is in."""
    raw = socket.create_connection(("127.0.0.1", port), 10)
    raw.sendall(json.dumps({"name": name, "room": "hall"}).encode() + b"\n")
    raw.sendall(name.encode() + b" is here\n")
    line = f"{name}:{name} is here\n".encode()
    came = b""
    while not came.endswith(line):
        part = raw.recv(1 << 16)
        if not part:
            raise AssertionError(came)
        came += part
    return raw


class FullTests(AttackTestCase):
    def fill(self, most: int, **options: Any) -> tuple[Target, list[socket.socket]]:
        """Return a server with so many members as it may have."""
        limits = {"max-connections": most, "closing-seconds": 1}
        target = self.target(limits=limits, **options)
        people = [target.enter("machat", f"member {n}") for n in range(most)]
        people[0].sendall(b"hello\n")
        self.assertEqual(people[0].recv(100), b"member 0:hello\n")
        return target, people

    def test_every_door_says_so(self) -> None:
        target, people = self.fill(2)
        for place, words in {
            "machat": b"error: " + WORDS + b"\n",
            "private": b"00031[error] " + WORDS,
        }.items():
            raw = target.connect(place)
            self.assertEqual(read_all(raw), words)
            raw.close()
        for place in "multichat", "mychat", "public", "globes":
            raw = target.connect(place)
            raw.sendall(target.handshake(place))
            head, _, body = read_all(raw).partition(b"\r\n\r\n")
            first, *headers = head.decode().split("\r\n")
            self.assertEqual(first, "HTTP/1.1 503 Service Unavailable", place)
            self.assertIn("Connection: close", headers)
            self.assertIn(f"Content-Length: {len(body)}", headers)
            raw.close()
        # Who is in goes on.
        people[0].sendall(b"still here\n")
        line = b"member 0:still here\n"
        self.assertTrue(people[1].recv(1000).endswith(line))
        for where in PLACES.values():
            self.assertRegex(
                target.log,
                rf"127\.0\.0\.1:\d+ \({where.key}\) was turned away: there are as many"
                " connections as there may be",
            )
        self.assertNotIn("Traceback", target.log)

    def test_a_place_is_given_back_however_it_was_lost(self) -> None:
        target, people = self.fill(1)
        people[0].close()
        for place in PLACES:
            with self.subTest(place):
                # In the middle of a handshake, a hello or a frame.
                begin = b"0" if place == "private" else b"{"
                self.comes_in(target, place, begin).close()
        raw = target.upgrade("globes")
        raw.close()
        self.comes_in(target, "machat", b"{").close()

    def comes_in(self, target: Target, place: str, begin: bytes) -> socket.socket:
        """Try until there is room: the end of another is noticed in a moment."""
        for _ in waiting():
            raw = target.connect(place)
            raw.sendall(begin)
            raw.settimeout(0.05)
            try:
                raw.recv(100)
            except TimeoutError:
                return raw
            except OSError:
                pass
            raw.close()
        raise AssertionError("there is no room")

    def test_who_sends_much_at_once_can_read_why(self) -> None:
        target, _ = self.fill(1)
        for place in "machat", "globes", "multichat":
            raw = target.connect(place)
            raw.settimeout(1)
            try:
                raw.sendall(bytes(1 << 20))
            except OSError as error:
                raise AssertionError(place) from error
            self.assertTrue(read_all(raw).startswith((b"error: ", b"HTTP/1.1 503 ")))
            raw.close()

    def test_who_does_not_go_is_cut(self) -> None:
        target, _ = self.fill(1)
        before = target.descriptors
        for raw in [target.connect("machat") for _ in range(40)]:
            self.assertEqual(raw.recv(100), b"error: " + WORDS + b"\n")
        self.assertEqual(target.descriptors, before + MOST_LINGERING)
        for _ in waiting():
            if target.descriptors == before:
                break
        self.assertEqual(target.descriptors, before)
        self.assertEqual(target.stop(), 0)

    def test_over_tls_it_is_only_closed(self) -> None:
        target = self.target(tls=True, limits={"max-connections": 1})
        target.context, context = None, target.context
        assert context is not None
        # One that never shakes hands has a place, too.
        first = target.connect("multichat")
        time.sleep(0.1)
        for place in PLACES:
            raw = target.connect(place)
            # The start of a handshake, which nobody answers.
            raw.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
            self.assertEqual(read_all(raw, 8), b"", place)
            raw.close()
        first.close()
        target.context = context
        target.enter("multichat", "ann").close()
        self.assertNotIn("Traceback", target.log)


class StopTests(TestCase):
    timeout = 30

    async def test_a_node_that_stops_meanwhile_leaves_nobody_behind(self) -> None:
        reactor: Any = global_reactor
        limits = {"max-connections": 1, "closing-seconds": 60}
        tcp = "haproxy:tcp:0:interface=127.0.0.1"
        raw = {
            "machat": {"tcp": "127.0.0.1:0", "ws": None},
            "multichat": {"host": tcp, "secret-key": "x"},
            "limits": limits,
            "trusted-proxies": ["127.0.0.1"],
        }
        node = Node(build(raw, SECTIONS), reactor)
        await node.listen()
        node.startService()
        unknown = self.call(node, "multichat.host")
        await deferLater(reactor, 0.05)
        lingering = self.call(node, "machat.tcp")
        await deferLater(reactor, 0.05)
        self.assertEqual(lingering.recv(100), b"error: " + WORDS + b"\n")
        self.assertEqual((node.guard.unknown, node.guard.lingering), (1, 1))
        await node.stopService()
        await deferLater(reactor, 0.05)
        self.assertEqual((node.guard.unknown, node.guard.lingering), (0, 0))
        self.assertEqual(read_all(unknown), b"")
        # Whatever else is left, trial would find.

    def call(self, node: Node, key: str) -> socket.socket:
        raw = socket.create_connection(("127.0.0.1", node.addresses[key][1]), 10)
        self.addCleanup(raw.close)
        return raw


class DescriptorTests(AttackTestCase):
    def serve(self, descriptors: int, **config: Any) -> Server:
        limit = f'ulimit -n {descriptors}; exec "$0" "$@"'
        server = Server(
            Path(self.mktemp()),
            {"machat": {"tcp": "127.0.0.1:0", "ws": None}, **config},
            command=(
                *("/bin/bash", "-c", limit, str(BINARIES / "twistd")),
                *("-n", "--pidfile=", "chatmux"),
            ),
        )
        self.addCleanup(server.kill)
        return server

    def test_more_connections_than_fit_are_refused_at_the_start(self) -> None:
        limits = {"max-connections": 100}
        server = self.serve(NARROW, limits=limits)
        self.assertEqual(server.wait(), 78)
        self.assertIn("chatmux: limits.max-connections: 100 do not fit", server.log)
        self.assertIn(f"it is {NARROW - SPARED} at most", server.log)
        self.assertNotIn("Traceback", server.log)

    def test_at_the_limit_it_refuses_politely_and_does_not_spin(self) -> None:
        server = self.serve(NARROW)
        (port,) = server.ports("machat.tcp")
        people = [member(port, f"m{n}") for n in range(NARROW - SPARED)]
        for one in people:
            self.addCleanup(one.close)
        polite = self.refused(port, 150)
        # Who came in a flood may be cut without a word, but most are told.
        self.assertGreater(polite, 100)
        before, began = cpu_seconds(server), time.monotonic()
        # They wait, and try again now and then.
        for _ in range(10):
            self.assertEqual(self.refused(port, 4), 4)
            time.sleep(0.15)
        taken = (cpu_seconds(server) - before) / (time.monotonic() - began)
        self.assertLess(taken, 0.05)
        people[0].sendall(b"still here\n")
        for one in people[:3]:
            came = b""
            while not came.endswith(b"m0:still here\n"):
                came += one.recv(1 << 16)
        people.pop().close()
        for _ in waiting():
            try:
                self.addCleanup(member(port, "late").close)
                break
            except (AssertionError, OSError):
                continue
        else:
            self.fail("no place was given back")
        self.assertNotIn("Traceback", server.log)
        self.assertEqual(server.stop(), 0)

    def test_where_descriptors_run_out_all_the_same_it_goes_on(self) -> None:
        server = self.serve(NARROW)
        (port,) = server.ports("machat.tcp")
        first = member(port, "first")
        self.addCleanup(first.close)
        # As in another program, which has opened files of its own.
        used = len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))
        limits = used + 10, NARROW
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, limits)
        people = []
        for _ in range(60):
            people.append(socket.create_connection(("127.0.0.1", port), 10))
            self.addCleanup(people[-1].close)
        time.sleep(0.3)
        before, began = cpu_seconds(server), time.monotonic()
        for _ in range(10):
            with socket.create_connection(("127.0.0.1", port), 10) as raw:
                self.assertEqual(read_all(raw), b"")
            time.sleep(0.15)
        taken = (cpu_seconds(server) - before) / (time.monotonic() - began)
        self.assertLess(taken, 0.05)
        first.sendall(b"still here\n")
        self.assertEqual(first.recv(100), b"first:still here\n")
        for raw in people:
            raw.close()
        for _ in waiting():
            try:
                self.addCleanup(member(port, "late").close)
                break
            except (AssertionError, OSError):
                continue
        else:
            self.fail("no place was given back")
        self.assertIn("EMFILE recovery", server.log)
        self.assertNotIn("Traceback", server.log)
        self.assertLess(len(server.log.splitlines()), 250)

    def refused(self, port: int, count: int) -> int:
        """Let so many come at once; return how many were told why not."""
        comers = []
        for _ in range(count):
            raw = socket.create_connection(("127.0.0.1", port), 10)
            self.addCleanup(raw.close)
            comers.append(raw)
        polite = 0
        for raw in comers:
            raw.shutdown(socket.SHUT_WR)
            polite += read_all(raw) == b"error: " + WORDS + b"\n"
            raw.close()
        return polite


def cpu_seconds(server: Server) -> float:
    """Return the time that a server has worked."""
    stat = Path(f"/proc/{server.process.pid}/stat").read_text()
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
