# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Refusals of Globes to who does not read them: no memory is taken for them."""

from __future__ import annotations

import json
import os
import re
import socket
from pathlib import Path

from chatmux.protocols.globes.events import refusal
from chatmux.text import NAME_LENGTH
from tests.globes_doubles import RoomCase
from tests.globes_server import GlobesTestCase
from tests.server import DEADLINE_SECONDS, Server

MIB = 1 << 20
LONG = "x" * 60_000
WIDE = "\U0001f600" * NAME_LENGTH


class RefusalTests(RoomCase):
    def test_nothing_is_written_while_the_peer_does_not_read(self) -> None:
        ann, eve = self.joined("ann"), self.peer()
        eve.lines()
        eve.connection.fill()
        for kind, name, why in (
            ("send", "eve", "join first"),
            ("leave", "eve", "join first"),
            ("join", "ann", "the name ann is taken"),
            ("join", "a:b", "the name must not have a colon in it"),
        ):
            eve.say(kind, name, msg="hi")
            self.assertEqual(eve.lines(), [])
            # It is counted, and logged at debug, all the same.
            self.assertEqual(eve.connection.ignored_for, [why])
            eve.connection.ignored_for.clear()
        self.assertEqual(ann.lines(), [])

    def test_whoever_reads_on_is_answered_again(self) -> None:
        eve = self.peer()
        eve.connection.fill()
        eve.say("send", "eve", msg="hi")
        eve.connection.read()
        self.assertEqual(eve.lines(), [])
        eve.say("send", "eve", msg="hi")
        self.assert_refused(eve, "eve", "join first")
        self.assertEqual(eve.connection.ignored_for, ["join first"])

    def test_what_is_allowed_is_done_all_the_same(self) -> None:
        ann, eve = self.joined("ann"), self.joined("eve")
        ann.lines()
        eve.connection.fill()
        eve.say("send", "eve", msg="hi")
        self.assertEqual(ann.words(), [("send", "eve", "hi")])

    def test_a_name_that_is_told_again_is_cut(self) -> None:
        for name in LONG, WIDE, "a" * NAME_LENGTH + "b", "a:" + LONG:
            eve = self.peer()
            eve.say("send", name, msg=LONG)
            self.assert_refused(eve, name[:NAME_LENGTH], "join first")
            eve.say("join", name)
            [told] = eve.hear()
            self.assertEqual(told["name"], name[:NAME_LENGTH])
        self.assertLess(len(refusal(WIDE, 1 << 53, f"the name {WIDE} is taken")), 2300)


class MemoryTests(GlobesTestCase):
    """A server, and a client that sends and never reads."""

    def flood(self, server: Server, events: list[dict[str, str]]) -> float:
        """Send events that are refused; return by how much the server grew at most."""
        (port,) = server.ports("globes.address")
        client = socket.socket()
        self.addCleanup(client.close)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(DEADLINE_SECONDS)
        client.connect(("127.0.0.1", port))
        client.sendall(
            b"GET /chats/1/ws HTTP/1.1\r\nHost: chat.example\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        self.assertIn(b" 101 ", client.recv(20))
        before = memory(server, "VmRSS")
        for event in events:
            client.sendall(frame(json.dumps(event, ensure_ascii=False).encode()))
        # What was sent is read when another is answered, and this one still open.
        self.assertEqual(self.rest(server).ask("GET", "/chats/1").status, 200)
        client.sendall(frame(b"{}"))
        return (memory(server, "VmHWM") - before) / MIB

    def test_long_events_that_are_refused(self) -> None:
        server = self.serve()
        sent = [
            {"event_type": "send", "name": LONG, "msg": "x"},
            {"event_type": "join", "name": LONG, "color": "red"},
            {"event_type": "leave", "name": LONG},
        ]
        self.assertLess(self.flood(server, sent * 200), 6)
        self.assertNotIn("Traceback", server.log)

    def test_many_events_that_are_refused(self) -> None:
        server = self.serve()
        sent = [{"event_type": "send", "name": WIDE, "msg": "x"}]
        self.assertLess(self.flood(server, sent * 20_000), 6)
        self.assertNotIn("Traceback", server.log)


def frame(payload: bytes) -> bytes:
    """Make a text frame, masked with zeros."""
    size = len(payload)
    if size < 126:
        head = bytes([0x81, 0x80 | size])
    else:
        head = b"\x81\xfe" + size.to_bytes(2, "big")
    return head + bytes(4) + payload


def memory(server: Server, which: str) -> int:
    """Return how many bytes of memory a server has, as Linux counts them."""
    told = Path(f"/proc/{server.process.pid}/status").read_text()
    found = re.search(rf"{which}:\s+(\d+) kB", told)
    assert found is not None, os.uname()
    return int(found[1]) * 1024
