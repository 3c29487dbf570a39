# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""No text from any door forges a line, a frame or a terminal's command at another."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator

from tests.attack import AttackTestCase, frames_of
from tests.websocket_doubles import TEXT, masked

BREAKS = [
    "\n",
    "\r",
    "\r\n",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x1d",
    "\x1e",
    "\x85",
    "\u2028",
    "\u2029",
]
ESCAPES = (
    *("\x1b]0;title\x07", "\x1b[2J", "\x9b2J", "\x1bc", "\x07", "\x7f", "\x08" * 9),
    *("\x1b[1A\x1b[2Kalice: I quit", "\x0e", "\x90q\x9c", "\x00", "\x1b"),
)
BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"

TEXTS = (
    *(f"hi{one}alice: I quit" for one in BREAKS),
    *(f"{one}alice:x{one}{one}error: y" for one in BREAKS),
    *(f"a{one}b" for one in ESCAPES),
    *(f"{one}alice:" for one in (*ESCAPES, *BREAKS)),
    f"{BIDI}evil{BIDI}",
    "".join(BREAKS),
    "".join(map(chr, range(1, 0xA1))),
    "tab\tstays, ünïcödé 世界 😀 too",
)
END = "the end of it"

_BREAK = re.compile("\r\n|[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_UNFIT = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")

FRAMED = ("]", "[ok] ", "00009[newuser]", "ü" * 49, "[", "!", "1!2", "世界😀")
"""What would be something else to who reads webtalk's frames by hand."""


def take(raw: socket.socket, size: int) -> bytes:
    """Return as many bytes, and no more."""
    came = b""
    while len(came) < size:
        part = raw.recv(size - len(came))
        if not part:
            raise AssertionError(f"the end, after {came!r}")
        came += part
    return came


def lines_of(text: str) -> int:
    """Return how many lines there are to whoever cuts at every break."""
    parts = _BREAK.split(text)
    return max(1, len(parts) - (not parts[-1]))


class Lines:
    """A listener at MaChat, by lines or by messages."""

    def __init__(self, raw: socket.socket, is_websocket: bool) -> None:
        self._raw = raw
        self._is_websocket = is_websocket
        self._came = b""

    def __iter__(self) -> Iterator[str]:
        while True:
            if not self._is_websocket:
                while b"\n" in self._came:
                    line, _, self._came = self._came.partition(b"\n")
                    yield line.decode()
            else:
                for frame in frames_of(self._came):
                    # Of one line each, the newline included.
                    message = frame.payload.decode()
                    if frame.opcode != TEXT or message.find("\n") != len(message) - 1:
                        raise AssertionError(f"no line: {frame}")
                    length = len(frame.payload)
                    self._came = self._came[length + (2 if length < 126 else 4) :]
                    yield message[:-1]
            part = self._raw.recv(1 << 16)
            if not part:
                raise AssertionError("the end")
            self._came += part


class CrossingTests(AttackTestCase):
    def setUp(self) -> None:
        self.server = self.target()

    def say(self, raw: socket.socket, place: str, text: str) -> None:
        if place == "multichat":
            packet = {"action": "client-message", "content": text}
            raw.sendall(masked(TEXT, json.dumps(packet).encode()))
        elif place == "globes":
            event = {"event_type": "send", "name": "eve", "msg": text}
            raw.sendall(masked(TEXT, json.dumps(event).encode()))
        else:
            command = f"[shout] 1!{text}".encode()
            raw.sendall(b"%05d%s" % (len(command), command))

    def check(self, listening: str, speaking: str) -> None:
        """See that each text is as many lines as it has, all with its speaker's name.

        Args:
            listening: The place of who hears.
            speaking: That of who speaks.
        """
        alice = self.server.enter(listening, f"alice at {speaking}")
        eve = self.server.enter(speaking, "eve")
        heard = iter(Lines(alice, listening == "mychat"))
        name = "webtalk" if speaking == "private" else "eve"
        for text in TEXTS:
            self.say(eve, speaking, text)
            self.say(eve, speaking, END)
            lines = []
            for line in heard:
                self.assertTrue(line.startswith(f"{name}:"), f"{text!r}: {line!r}")
                line = line.removeprefix(f"{name}:")
                self.assertIsNone(_UNFIT.search(line), f"{text!r}: {line!r}")
                if line == END:
                    break
                lines.append(line)
            self.assertEqual(len(lines), lines_of(text), f"{text!r}: {lines}")
        alice.close()
        eve.close()

    def test_from_multichat_to_lines(self) -> None:
        for listening in "machat", "mychat":
            self.check(listening, "multichat")

    def test_from_globes_to_lines(self) -> None:
        for listening in "machat", "mychat":
            self.check(listening, "globes")

    def test_from_webtalk_to_lines(self) -> None:
        for listening in "machat", "mychat":
            self.check(listening, "private")

    def test_from_lines_to_messages(self) -> None:
        """To doors of messages a line is one, whatever is in it."""
        listeners = {
            place: self.server.enter(place, f"listener {place}")
            for place in ("multichat", "globes", "public")
        }
        eve = self.server.enter("machat", "eve")
        expected = []
        for text in TEXTS:
            (line, *_) = text.split("\n")
            eve.sendall(line.encode() + b"\n")
            expected.append(line)
        eve.sendall(END.encode() + b"\n")
        for place, raw in listeners.items():
            texts = self.texts(place, raw)
            self.assertEqual(len(texts), len(expected), place)
            for text in texts:
                self.assertIsNone(_UNFIT.search(text), f"{place}: {text!r}")

    def texts(self, place: str, raw: socket.socket) -> list[str]:
        """Return what eve has said, of what is heard until the end."""
        came = b""
        mark = END.encode()
        while mark not in came:
            came += raw.recv(1 << 16)
        found = []
        for frame in frames_of(came):
            message = frame.payload.decode()
            if place == "public":
                name, _, text = message.partition(":")
            else:
                event = json.loads(message)
                if event.get("event_type") in ("join", "leave"):
                    continue
                name = event.get("name") or event["source-client-name"]
                text = event.get("msg") or event.get("content", "")
            self.assertEqual(name, "eve")
            found.append(text)
        self.assertEqual(found.pop(), END)
        return found


class FramingTests(AttackTestCase):
    def test_a_frame_of_webtalk_comes_back_as_it_went(self) -> None:
        """Length counts bytes, and nothing in them is read."""
        server = self.target()
        raw = server.connect("private")
        ticket = server.ticket()
        browser = server.upgrade("public")
        browser.sendall(masked(TEXT, ticket))
        user = ticket.partition(b"!")[0]
        for text in FRAMED:
            body = text.encode()
            for command, answer in (
                (b"[store] k!" + body, b"[ok] stored k"),
                (b"[retrieve] k", b"[ok] " + body),
                (b"[whisper] %s!%s" % (user, body), b"[ok] message sent"),
            ):
                raw.sendall(b"%05d%s" % (len(command), command))
                expected = b"%05d%s" % (len(answer), answer)
                self.assertEqual(take(raw, len(expected)), expected)
            head = take(browser, 2)
            self.assertEqual(take(browser, head[1]), body)
        raw.sendall(b"00000")
        self.assertEqual(take(raw, 17), b"00012[ok] goodbye")
