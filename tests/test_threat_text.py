# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Rows 6 and 7: hostile JSON and hostile text at every door of a process."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import time

from tests.attack import PLACES, AttackTestCase, Target, closed_with
from tests.postgres import cluster
from tests.pulse import SECRET
from tests.websocket_doubles import PING, TEXT, masked

LIMITS = {"closing-seconds": 1}
READERS = tuple(name for name in PLACES if name != "private")


def hostile() -> list[bytes]:
    """List what is no JSON of use, most of it a trap of some parser."""
    numbers = b"NaN", b"Infinity", b"-Infinity", b"1e999", b"9" * 10_000, b"01", b"+1"
    return [
        *(b'{"name":%s}' % number for number in numbers),
        *(b'{"event_type":%s,"action":%s}' % (number, number) for number in numbers),
        b"[" * 100_000,
        b'{"a":' * 20_000,
        b'{"name":' + b"[" * 9000 + b"]" * 9000 + b"}",
        b'{"name":' + b"[" * 9000 + b'"\\ud800"' + b"]" * 9000 + b"}",
        b"\xef\xbb\xbf{}",
        '{"name":"x"}'.encode("utf-16"),
        '{"name":"x"}'.encode("utf-32"),
        b'{"name":"\t"}',
        b'{"name":"\x00"}',
        b'{"name":"x"}'[:-1] + b',{"name":"y"}',
        b"{'name':'x'}",
        b'{"name":"x",}',
        b'{"name":"\\x41"}',
        b'{"name":"\\ud800',
        b'{"name":["x"]}',
        b'{"name":{"name":"x"}}',
        b"null",
        b"true",
        b'"name"',
        b"[]",
        b"",
        b" ",
        b"{",
        b"}",
        b"\x00",
        b'{"name":' + b'"\\u0000' * 3,
    ]


def is_text(data: bytes) -> bool:
    with contextlib.suppress(UnicodeDecodeError):
        data.decode()
        return True
    return False


class JSONTests(AttackTestCase):
    def first(self, target: Target) -> None:
        """Before anything else; as Globes ignores it, that is looked at behind it."""
        for data in hostile():
            for name in "multichat", "mychat":
                raw = target.upgrade(name)
                raw.sendall(masked(TEXT, data) + masked(TEXT, b"}"))
                expected = (1008, 1009) if is_text(data) else (1007, 1008)
                self.assertIn(closed_with(raw), expected, (name, data[:40]))
            raw = target.connect("machat")
            raw.sendall(data + b"}\n")
            came = raw.recv(1 << 16)
            self.assertTrue(came.startswith(b"error: "), (data[:40], came))
            raw.close()

    def later(self, target: Target) -> None:
        multichat = target.enter("multichat", "hostile")
        listener = target.enter("globes", "hostile too")
        for data in hostile():
            if is_text(data) and len(data) < 64 * 1024:
                for raw in multichat, listener:
                    raw.sendall(masked(TEXT, data))
        for raw in multichat, listener:
            raw.sendall(masked(PING, b"\0still"))
            came = b""
            while b"\0still" not in came:
                part = raw.recv(1 << 16)
                self.assertNotEqual(part, b"")
                came += part

    def requests(self, target: Target) -> None:
        raw = target.connect("globes")
        for data in hostile():
            if len(data) > 64 * 1024:
                continue
            for path, expected in (
                ("POST /chats", (400,)),
                # Of a public room nobody needs one.
                ("POST /chats/1/token", (200,)),
                ("PUT /chats/1", (400, 403)),
            ):
                head = f"{path} HTTP/1.1\r\nHost: h\r\nContent-Length: {len(data)}"
                raw.sendall(f"{head}\r\n\r\n".encode() + data)
                answer = raw.recv(1 << 16)
                self.assertIn(int(answer[9:12]), expected, (path, data[:40]))

    def attack(self, target: Target) -> None:
        self.first(target)
        self.later(target)
        self.requests(target)
        self.assertNotIn("1011", target.log)

    def test_all_of_it_is_refused_or_ignored(self) -> None:
        # Of JSON that does not end, the end is waited for as long as that.
        self.survives(self.attack, limits={**LIMITS, "opening-seconds": 2})


TEXTS = (
    r"\ud800",
    r"\udfff\ud800",
    r"\u0000",
    r"\u2028\u2029",
    r"\u202e\u2066",
    r"\ufdd0\uffff",
    r"\u001b]0;x\u0007",
    "\u2028\u0085",
)
"""In JSON, as they are written there."""
BYTES = (
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\xc0\x80",
    b"\xf4\x90\x80\x80",
    b"a\x00b",
    "\u2028\u2029".encode(),
    b"\xe2\x80",
)
"""As they are, where there is no JSON."""


class Follower:
    """Somebody in the room who waits for words."""

    def __init__(self, raw: socket.socket) -> None:
        self.raw = raw
        self.came = b""

    def read(self) -> None:
        part = self.raw.recv(1 << 16)
        if not part:
            raise AssertionError(f"cut off after {self.came[-100:]!r}")
        self.came += part


class TextTests(AttackTestCase):
    def send(self, target: Target, door: str, raw: socket.socket, text: bytes) -> None:
        """Say a text, which is escaped already where the door speaks JSON."""
        if door == "multichat":
            words = b'{"action":"client-message","content":"%s"}' % text
            raw.sendall(masked(TEXT, words))
        elif door == "globes":
            words = b'{"event_type":"send","name":"says globes","msg":"%s"}' % text
            raw.sendall(masked(TEXT, words))
        elif door == "mychat":
            raw.sendall(masked(TEXT, text + b"\n"))
        elif door == "machat":
            raw.sendall(text + b"\n")
        else:
            command = b"[shout] 1!" + text
            raw.sendall(b"%05d%s" % (len(command), command))

    def attack(self, target: Target) -> None:
        followers = {
            name: Follower(target.enter(name, f"hears {name}")) for name in READERS
        }
        for door in (name for name in PLACES if name != "public"):
            raw = target.enter(door, f"says {door}")
            with_json = door in ("multichat", "globes")
            texts = [text.encode() for text in TEXTS] if with_json else list(BYTES)
            for number, text in enumerate(texts):
                if door == "mychat" and not is_text(text):
                    continue
                self.send(target, door, raw, b"hostile" + text)
                last = b"%s follows %d;" % (door.encode(), number)
                self.send(target, door, raw, last)
                own = door if door == "multichat" else ""
                self.follow({k: v for k, v in followers.items() if k != own}, last)
            raw.close()
        for name, follower in followers.items():
            if name != "machat":
                # What a WebSocket client is sent has to be UTF-8.
                continue
            lines = follower.came.decode().split("\n")
            for line in lines:
                self.assertFalse(set(line) & set("\0\x1b\x07\u0085\u2028\u2029"), line)

    def follow(self, followers: dict[str, Follower], last: bytes) -> None:
        end = time.monotonic() + 10
        while missing := [f for f in followers.values() if last not in f.came]:
            self.assertLess(time.monotonic(), end, (last, len(missing)))
            readable, _, _ = select.select([f.raw for f in missing], [], [], 0.1)
            for follower in missing:
                if follower.raw in readable:
                    follower.read()

    def test_the_next_message_of_its_sender_reaches_everybody(self) -> None:
        self.survives(self.attack, limits=LIMITS)

    def test_what_is_no_utf8_ends_a_websocket_and_nobody_elses(self) -> None:
        def attack(target: Target) -> None:
            for name in "multichat", "mychat", "globes", "public":
                raw = target.enter(name, f"bytes {name}")
                raw.sendall(masked(TEXT, b'{"name":"\xed\xa0\x80"}'))
                self.assertEqual(closed_with(raw), 1007, name)

        self.survives(attack, limits=LIMITS)

    def keep(self, target: Target) -> list[str]:
        """Make rooms of all texts; return the titles that the server tells then."""
        raw = target.connect("globes")
        for number, text in enumerate(TEXTS):
            wish = '{"title":"t%d%s","description":"d%s","visibility":"public"}'
            body = (wish % (number, text, text)).encode()
            good = b'{"title":"follows %d","visibility":"public"}' % number
            for sent, statuses in (body, (201, 400)), (good, (201,)):
                head = f"POST /chats HTTP/1.1\r\nHost: h\r\nContent-Length: {len(sent)}"
                raw.sendall(f"{head}\r\n\r\n".encode() + sent)
                self.assertIn(int(raw.recv(1 << 16)[9:12]), statuses, sent)
        raw.sendall(b"GET /chats HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        came = b""
        while part := raw.recv(1 << 16):
            came += part
        rooms = json.loads(came.partition(b"\r\n\r\n")[2])
        for room in rooms:
            for text in room["title"], room.get("description", ""):
                self.assertFalse(set(text) & set("\0\x1b\x07"), text)
        titles = [str(room["title"]) for room in rooms]
        self.assertIn("t0\ufffd", titles)
        for number in range(len(TEXTS)):
            self.assertIn(f"follows {number}", titles)
        self.assertNotIn("Traceback", target.log)
        self.assertNotIn(SECRET, target.log)
        return titles

    def test_titles_and_names_of_it_are_kept_as_text(self) -> None:
        """In SQLite; what is kept comes back, and the list can be read."""
        self.keep(self.target(limits=LIMITS))

    def test_so_they_are_by_postgresql(self) -> None:
        """Which takes neither a half surrogate nor a NUL."""
        database = cluster().empty_database()
        store = cluster().url(database)
        target = self.target(limits=LIMITS, store=store)
        told = self.keep(target)
        rows = cluster().execute("SELECT title FROM chatmux_room", database)
        self.assertLessEqual(set(told), {title for (title,) in rows})
        target.kill()
        # And it is there for the next one.
        again = self.target(limits=LIMITS, store=store)
        raw = again.connect("globes")
        raw.sendall(b"GET /chats HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        came = b""
        while part := raw.recv(1 << 16):
            came += part
        rooms = json.loads(came.partition(b"\r\n\r\n")[2])
        self.assertEqual([room["title"] for room in rooms], told)
