# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""An error of ours in any door's session ends one connection, and nothing else."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from chatmux.config import build
from chatmux.node import SECTIONS, Node
from chatmux.protocols import globes, machat, multichat
from chatmux.protocols.globes.api import API
from chatmux.protocols.globes.session import Session as GlobesSession
from chatmux.protocols.webtalk.control import ControlSession
from chatmux.protocols.webtalk.login import LoginSession
from tests.attack import CONFIG, PLACES, Target, close_code, read_all
from tests.server import waiting
from tests.websocket_doubles import TEXT, masked

INTERNAL = 1011
FAILED = b"HTTP/1.1 500 "
GET = b"GET /chats HTTP/1.1\r\nHost: h\r\n\r\n"


class Here(Target):
    """The clients of a node in this process."""

    def __init__(self, node: Node) -> None:
        self.certificate = ""
        self.context = None
        self._open: list[socket.socket] = []
        self.port = {
            name: node.addresses[place.key][1] for name, place in PLACES.items()
        }

    def kill(self) -> None:
        self.hang_up()


class FaultError(Exception):
    """What is not expected of a session."""


class FaultTests(TestCase):
    timeout = 60

    async def start(self, owner: Any, name: str) -> None:
        """Serve, with a method that raises while it is `armed`, which counts down."""
        self.armed = 0
        original = getattr(owner, name)

        def step(*arguments: Any, **keys: Any) -> Any:
            if self.armed:
                self.armed -= 1
                raise FaultError("a secret of the stack")
            return original(*arguments, **keys)

        self.patch(owner, name, step)
        store = f"sqlite:///{Path(self.mktemp()).absolute()}"
        # These clients take no part in a close.
        config = {**CONFIG, "store": store, "limits": {"closing-seconds": 0.1}}
        self.node = Node(build(config, SECTIONS), reactor)
        self.node.prepare()
        await self.node.listen()
        self.node.startService()
        self.addCleanup(self.end_it, self.node)
        await self.node.opened
        self.here = Here(self.node)
        self.addCleanup(self.here.hang_up)

    async def end_it(self, node: Node) -> None:
        if node.running:
            await node.stopService()

    async def one_falls(
        self, owner: Any, name: str, act: Callable[[], bytes]
    ) -> tuple[bytes, list[str]]:
        """Return what somebody hears to the end who runs into a fault, and the log.

        Args:
            owner: Of a method.
            name: Of the method, which raises once.
            act: Does, in a thread, what calls it; arms it before.
        """
        await self.start(owner, name)
        heard = await deferToThread(self._one_falls, act)
        await self.node.stopService()
        return heard, [str(failure.value) for failure in self.flushLoggedErrors()]

    def _one_falls(self, act: Callable[[], bytes]) -> bytes:
        ann = self.here.enter("machat", "ann")
        bob = self.here.enter("multichat", "bob")
        self.talk(ann, bob, b"before")
        heard = act()
        for _ in waiting():
            if self.node.guard.counts["failed"]:
                break
        self.assertEqual(self.node.guard.counts["failed"], 1)
        self.assertEqual(self.armed, 0)
        # The others notice nothing, and whoever comes is let in.
        self.talk(ann, bob, b"after")
        for place in PLACES:
            self.here.enter(place, f"new at {place}")
        self.talk(ann, bob, b"in the end")
        self.here.hang_up()
        return heard

    def talk(self, ann: socket.socket, bob: socket.socket, words: bytes) -> None:
        ann.sendall(words + b"\n")
        for one in ann, bob:
            heard = b""
            while words not in heard:
                part = one.recv(1000)
                self.assertNotEqual(part, b"", "the healthy one is cut off")
                heard += part

    def arm(self, times: int = 1) -> None:
        self.armed = times

    def message(self, place: str, words: bytes) -> Callable[[], bytes]:
        """Come in, and say something that is not borne."""

        def act() -> bytes:
            raw = self.here.enter(place, "eve")
            self.arm()
            framed = PLACES[place].path is not None
            raw.sendall(masked(TEXT, words) if framed else words)
            return read_all(raw)

        return act

    def first(self, place: str, words: bytes) -> Callable[[], bytes]:
        """Say as the first thing something that is not borne."""

        def act() -> bytes:
            framed = PLACES[place].path is not None
            raw = self.here.upgrade(place) if framed else self.here.connect(place)
            self.arm()
            raw.sendall(masked(TEXT, words) if framed else words)
            return read_all(raw)

        return act

    def end(self, place: str, shutdown: bool = False) -> Callable[[], bytes]:
        """Come in, and go in a way that is not borne."""

        def act() -> bytes:
            raw = self.here.enter(place, "eve")
            if place == "private":
                raw.sendall(b"00012[newchannel]")
                raw.recv(100)
            elif place == "machat":
                raw.sendall(b"here\n")
                raw.recv(100)
            self.arm()
            if shutdown:
                raw.shutdown(socket.SHUT_WR)
                return read_all(raw)
            raw.close()
            return b""

        return act

    async def test_each_message_of_each_websocket(self) -> None:
        packet = b'{"action":"client-message","content":"hi"}'
        event = b'{"event_type":"send","name":"eve","msg":"hi"}'
        for owner, name, act in (
            (multichat.Session, "received", self.first("multichat", b"{}")),
            (multichat.Session, "received", self.message("multichat", packet)),
            (machat.Session, "received", self.first("mychat", b"{}")),
            (machat.Session, "received", self.message("mychat", b"hi")),
            (machat.Session, "line", self.message("mychat", b"hi\nho\n")),
            (GlobesSession, "received", self.first("globes", b"{}")),
            (GlobesSession, "received", self.message("globes", event)),
            (GlobesSession, "_send", self.message("globes", event)),
            (LoginSession, "received", self.first("public", b"1!2")),
            (LoginSession, "received", self.message("public", b"hi")),
        ):
            heard, log = await self.one_falls(owner, name, act)
            self.assertEqual(close_code(heard), INTERNAL, f"{owner} {name}")
            self.assertNotIn(b"secret", heard)
            self.assertEqual(log, ["a secret of the stack"], f"{owner} {name}")

    async def test_each_step_over_tcp(self) -> None:
        too_long = b"x" * 65_536
        for owner, name, act in (
            (machat.Session, "opening", self.first("machat", b"{")),
            (machat.Session, "line", self.message("machat", b"hi\n")),
            (machat.Session, "line_too_long", self.message("machat", too_long)),
            (machat.Session, "ended", self.end("machat", shutdown=True)),
            (ControlSession, "received", self.first("private", b"00009[newuser]")),
            (ControlSession, "bad_length", self.first("private", b"12x45")),
            (ControlSession, "ended", self.end("private", shutdown=True)),
        ):
            heard, log = await self.one_falls(owner, name, act)
            self.assertNotIn(b"secret", heard)
            self.assertEqual(log, ["a secret of the stack"], f"{owner} {name}")

    async def test_each_end(self) -> None:
        for owner, place in (
            (multichat.Session, "multichat"),
            (machat.Session, "machat"),
            (machat.Session, "mychat"),
            (GlobesSession, "globes"),
            (ControlSession, "private"),
            (LoginSession, "public"),
        ):
            _, log = await self.one_falls(owner, "closed", self.end(place))
            self.assertEqual(log, ["a secret of the stack"], place)

    async def test_a_request_and_a_handshake_are_answered_by_500(self) -> None:
        def request() -> bytes:
            raw = self.here.connect("globes")
            self.arm()
            raw.sendall(GET)
            heard = raw.recv(1000)
            # The connection can be used for another one.
            raw.sendall(GET)
            self.assertIn(b"HTTP/1.1 200 ", raw.recv(1000))
            return heard

        def shake_hands() -> bytes:
            raw = self.here.connect("globes")
            # The short way asks first, and leaves what is wrong to the long one.
            self.arm(2)
            raw.sendall(self.here.handshake("globes"))
            return raw.recv(1000)

        heard, log = await self.one_falls(API, "respond", request)
        self.assertTrue(heard.startswith(FAILED), heard)
        self.assertNotIn(b"secret", heard)
        self.assertEqual(log, ["a secret of the stack"])
        for name in "respond", "upgrade":
            act = shake_hands if name == "upgrade" else request
            heard, log = await self.one_falls(globes.Globes, name, act)
            self.assertTrue(heard.startswith(FAILED), heard)
            self.assertNotIn(b"secret", heard)
            self.assertEqual(log, ["a secret of the stack"])

    async def test_a_session_that_cannot_be_made(self) -> None:
        for owner, place in (
            (multichat.Session, "multichat"),
            (machat.Session, "machat"),
            (machat.Session, "mychat"),
            (GlobesSession, "globes"),
            (ControlSession, "private"),
            (LoginSession, "public"),
        ):

            def act(place: str = place) -> bytes:
                self.arm()
                if PLACES[place].path is None:
                    return read_all(self.here.connect(place))
                return read_all(self.here.upgrade(place))

            heard, log = await self.one_falls(owner, "__init__", act)
            self.assertEqual(log, ["a secret of the stack"], place)
            if PLACES[place].path is not None:
                self.assertEqual(close_code(heard), INTERNAL, place)
