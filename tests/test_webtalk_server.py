# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""webtalk as its users run it: on real sockets, in a process of its own."""

from __future__ import annotations

import json
import re
import resource
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase
from websockets.sync.client import connect

from chatmux.transports.frames import text_frame
from tests.server import DEADLINE_SECONDS, Server
from tests.webtalk_backend import BackEnd

reactor: Any = global_reactor

CONFIG = {
    "webtalk": {"private": "127.0.0.1:0", "public": "127.0.0.1:0"},
    "machat": {"tcp": "127.0.0.1:0", "ws": None},
    "bridges": [["webtalk/1", "machat/lounge"]],
}

# What was sent to the original, and its answers; but for the salt, which is longer.
RECORDED = (
    (b"00009[newuser]", b"00046[ok] 1!SALT"),
    (b"00012[newchannel]", b"00006[ok] 2"),
    (b"00010[join] 2!1", b"00016[ok] user joined"),
    (b"00012[shout] 2!hi", b"00017[ok] message sent"),
    (b"00014[whisper] 1!hi", b"00017[ok] message sent"),
    (b"00011[leave] 2!1", b"00016[ok] user leaved"),
    (b"00011[store] k!v", b"00013[ok] stored k"),
    (b"00012[retrieve] k", b"00006[ok] v"),
    (b"00009[clear] k", b"00014[ok] cleared k"),
    (b"00012[retrieve] k", b"00005[ok] "),
    (b"00015[killchannel] 2", b"00019[ok] channel killed"),
    (b"00012[killuser] 1", b"00016[ok] user killed"),
    (b"00012[killuser] 1", b"00016[ok] user killed"),
    (b"00012[shout] 2!hi", b"00017[ok] message sent"),
    (b"00014[whisper] 1!hi", b"00017[ok] message sent"),
    (b"00007[dance]", b"00030[error] Invalid command: dance"),
    (b"00011[whisper] 1", b"00036[error] User separator not found (!)"),
    (b"00009[shout] 1", b"00039[error] Channel separator not found (!)"),
    (b"00008[join] 1", b"00044[error] Channel/User separator not found (!)"),
    (b"00009[store] k", b"00036[error] Data separator not found (!)"),
    (b"00000", b"00012[ok] goodbye"),
)


class ServerTestCase(SynchronousTestCase):
    def serve(self, config: Any = CONFIG) -> tuple[Server, BackEnd, int]:
        """Start a server; return it, a back-end of it and its public port."""
        server = Server(Path(self.mktemp()), config)
        self.addCleanup(server.kill)
        private, public = server.ports("webtalk.private", "webtalk.public")
        back_end = BackEnd(private)
        self.addCleanup(back_end.close)
        return server, back_end, public

    def browser(self, port: int, ticket: bytes) -> Any:
        browser = connect(f"ws://127.0.0.1:{port}/webtalk", proxy=None)
        self.addCleanup(browser.close)
        browser.send(ticket.decode())
        return browser


class RecordedTests(ServerTestCase):
    def test_the_originals_session_byte_for_byte(self) -> None:
        """All of it one by one, in one piece, and a byte at a time."""
        whole = b"".join(said for said, _ in RECORDED)
        ways = (
            [said for said, _ in RECORDED],
            [whole],
            [whole[place : place + 1] for place in range(len(whole))],
        )
        expected = b"".join(answer for _, answer in RECORDED)
        for pieces in ways:
            server, back_end, _ = self.serve()
            for piece in pieces:
                back_end.socket.sendall(piece)
            came = b""
            while part := back_end.socket.recv(1 << 16):
                came += part
            salted = re.sub(rb"(\[ok\] 1!)[0-9]{39}(?=00006)", rb"\1SALT", came)
            self.assertEqual(salted, expected)
            self.assertEqual(server.stop(), 0)
            self.assertNotIn("Traceback", server.log)

    def test_the_end_of_sending_is_answered(self) -> None:
        for rest, words in (
            (b"", b"Invalid Frame: EOF"),
            (b"000", b"Insufficient Frame Size: 3"),
            (b"00009[newu", b"Error reading Frame: EOF"),
        ):
            _, back_end, _ = self.serve()
            back_end.socket.sendall(b"00012[newchannel]" + rest)
            back_end.socket.shutdown(1)
            self.assertEqual(back_end.hear(), b"[ok] 2")
            self.assertEqual(back_end.hear(), b"[error] " + words)
            self.assertEqual(back_end.hear(), b"")


class ConversationTests(ServerTestCase):
    def test_a_whole_one(self) -> None:
        server, back_end, port = self.serve()
        ann, bob = (back_end.do(b"[newuser]").removeprefix(b"[ok] ") for _ in "ab")
        for number in range(5):
            back_end.say(b"[whisper] 1!w%d" % number, b"[shout] 1!s%d" % number)
        for _ in range(10):
            self.assertEqual(back_end.hear(), b"[ok] message sent")
        browser = self.browser(port, ann)
        expected = [f"{kind}{number}" for number in range(5) for kind in "ws"]
        self.assertEqual([browser.recv(10) for _ in expected], expected)
        other = self.browser(port, bob)
        self.assertEqual([other.recv(10) for _ in "01234"], expected[1::2])
        again = self.browser(port, ann)
        with self.assertRaises(Exception) as caught:
            browser.recv(10)
        self.assertIn("1000", str(caught.exception))
        back_end.do(b"[shout] 1!" + "größe \ufffd".encode() + b"\xff")
        self.assertEqual(again.recv(10), "größe \ufffd\ufffd")
        self.assertEqual(back_end.do(b"[killuser] 1"), b"[ok] user killed")
        with self.assertRaises(Exception) as caught:
            again.recv(10)
        self.assertIn("1000", str(caught.exception))
        self.assertEqual(server.stop(), 0)
        with self.assertRaises(Exception) as caught:
            other.recv(10), other.recv(10)
        self.assertIn("1001", str(caught.exception))
        for secret in (ann.split(b"!")[1].decode(), "größe"):
            self.assertNotIn(secret, server.log)

    def test_a_restart_forgets_all(self) -> None:
        server, back_end, port = self.serve()
        ticket = back_end.do(b"[newuser]").removeprefix(b"[ok] ")
        back_end.do(b"[store] k!v")
        server.stop()
        server, back_end, port = self.serve()
        self.assertEqual(back_end.do(b"[retrieve] k"), b"[ok] ")
        with self.assertRaises(Exception) as caught:
            self.browser(port, ticket).recv(10)
        self.assertIn("1008", str(caught.exception))
        self.assertEqual(back_end.do(b"[newchannel]"), b"[ok] 2")

    def test_the_secret_is_asked_for_and_not_told(self) -> None:
        section = {**CONFIG["webtalk"], "secret": "tell no canary"}  # type: ignore[dict-item]
        server, back_end, _ = self.serve({"webtalk": section})
        self.assertEqual(back_end.do(b"[newuser]"), b"[error] [auth] SECRET first")
        self.assertEqual(back_end.hear(), b"")
        (private,) = server.ports("webtalk.private")
        for secret, answer in (
            (b"tell anybody", b"[error] wrong secret"),
            (b"tell no canary", b"[ok] authenticated"),
        ):
            back_end = BackEnd(private)
            self.addCleanup(back_end.close)
            self.assertEqual(back_end.do(b"[auth] " + secret), answer)
        self.assertEqual(back_end.do(b"[newchannel]"), b"[ok] 2")
        server.stop()
        self.assertNotIn("tell no canary", server.log)
        self.assertIn("closed, 1008: wrong secret", server.log)


class Browser(Protocol):
    """Logs in, and compares what comes with what should.

    Args:
        ticket: ``ID!SALT``.
        expected: All that should come after the handshake.
    """

    transport: Any

    def __init__(self, ticket: bytes, expected: bytes) -> None:
        self._ticket = ticket
        self._expected = expected
        self._handshake = b""
        self.received = 0
        self.fault: bytes | None = None
        self.logged_in: Deferred[None] = Deferred()
        self.complete: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        self.transport.write(
            b"GET /webtalk HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )

    def dataReceived(self, data: bytes) -> None:
        if not self.logged_in.called:
            self._handshake += data
            if not self._handshake.endswith(b"\r\n\r\n"):
                return
            # Masked, as a client's frames are, with a key of zeros.
            header = bytes((0x81, 0x80 | len(self._ticket))) + bytes(4)
            self.transport.write(header + self._ticket)
            self.logged_in.callback(None)
            return
        start, self.received = self.received, self.received + len(data)
        if data != self._expected[start : self.received]:
            self.fault = data
        if self.received >= len(self._expected) and not self.complete.called:
            self.complete.callback(None)


class ManyUsersTests(TestCase):
    timeout = 240
    users, deaf, shouts = 5000, 50, 60
    text = "x" * 4000

    def setUp(self) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))

    async def test_some_who_do_not_read_hold_up_nobody(self) -> None:
        server = Server(Path(self.mktemp()), {"webtalk": CONFIG["webtalk"]})
        self.addCleanup(server.kill)
        private, public = server.ports("webtalk.private", "webtalk.public")
        back_end = BackEnd(private)
        self.addCleanup(back_end.close)
        back_end.say(*[b"[newuser]"] * self.users)
        tickets = [back_end.hear()[len("[ok] ") :] for _ in range(self.users)]
        expected = b"".join(
            text_frame(f"{number:04} {self.text}".encode())
            for number in range(self.shouts)
        )
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", public)
        browsers = []
        for ticket in tickets:
            browser = await connectProtocol(endpoint, Browser(ticket, expected))
            self.addCleanup(browser.transport.abortConnection)
            browsers.append(browser)
        await gatherResults([browser.logged_in for browser in browsers])
        # The last has been logged in when this reaches it.
        last = connect(f"ws://127.0.0.1:{public}/webtalk", proxy=None)
        self.addCleanup(last.close)
        last.send(back_end.do(b"[newuser]")[len("[ok] ") :].decode())
        await deferToThread(back_end.do, b"[whisper] %d!in" % (self.users + 1))
        await deferToThread(last.recv, 30)
        await deferToThread(last.close)
        deaf, readers = browsers[: self.deaf], browsers[self.deaf :]
        for browser in deaf:
            browser.transport.pauseProducing()
        measured = await deferToThread(
            subprocess.run,
            [
                *(sys.executable, "-m", "tests.webtalk_backend"),
                *(str(private), str(self.shouts), self.text),
            ],
            cwd=Path(__file__).parent.parent,
            stdout=subprocess.PIPE,
            timeout=4 * DEADLINE_SECONDS,
            check=True,
        )
        await gatherResults([browser.complete for browser in readers])
        self.assertEqual([b.fault for b in browsers if b.fault is not None], [])
        self.assertEqual({b.received for b in readers}, {len(expected)})
        self.assertTrue(all(b.received < len(expected) for b in deaf))
        seconds = sorted(json.loads(measured.stdout))
        # The median, since a busy machine can stop all of this for a while.
        self.assertTrue(statistics.median(seconds) < 0.05, seconds)
        self.assertNotIn("Traceback", server.log)
