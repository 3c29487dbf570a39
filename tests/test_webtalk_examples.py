# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""webtalk's example back-end, with the server, an HTTP client and WebSocket clients."""

from __future__ import annotations

import select
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from urllib.request import urlopen

from websockets.sync.client import ClientConnection, connect

from tests.example_backend import EXAMPLE, Backend, WebtalkTestCase, settings_of
from tests.server import DEADLINE_SECONDS

SECRET = "canary of webtalk é"
LONGEST_TEXT = 99_999 - len("[shout] 1!")


class ThirtyLinesTests(WebtalkTestCase):
    """The back-end that shouts its input."""

    def test_a_browser_hears_what_it_reads(self) -> None:
        private, public = self.serve(secret=SECRET).ports(
            "webtalk.private", "webtalk.public"
        )
        program = EXAMPLE.with_name("webtalk_backend.py")
        arguments = ["--private", f"127.0.0.1:{private}"]
        with subprocess.Popen(
            [sys.executable, "-S", str(program), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"WEBTALK_SECRET": SECRET},
        ) as process:
            self.addCleanup(process.kill)
            assert process.stdin is not None
            assert process.stdout is not None
            ticket = process.stdout.readline().decode().strip()
            with connect(f"ws://127.0.0.1:{public}/webtalk") as reader:
                reader.send(ticket)
                process.stdin.write("größer!\n\n[x] 9!\n".encode())
                process.stdin.close()
                heard = [reader.recv(DEADLINE_SECONDS) for _ in range(3)]
            self.assertEqual(heard, ["größer!", "", "[x] 9!"])
            self.assertEqual(process.wait(DEADLINE_SECONDS), 0)

    def test_it_is_that_short(self) -> None:
        text = EXAMPLE.with_name("webtalk_backend.py").read_text()
        _, _, code = text.partition('"""\n\nimport')
        lines = [line for line in code.splitlines() if line.strip()]
        self.assertTrue(len(lines) <= 32, len(lines))


class BackendTests(WebtalkTestCase):
    def listen(self, backend: Backend) -> ClientConnection:
        """Be a page: come in with a new ticket."""
        settings = backend.settings()
        reader = connect(settings["server"], compression=None)
        self.addCleanup(reader.close)
        reader.send(settings["ticket"])
        return reader

    def check_heard(self, reader: ClientConnection, texts: list[str]) -> None:
        heard = [reader.recv(DEADLINE_SECONDS) for _ in texts]
        self.assertEqual(heard, texts)

    def test_all_readers_hear_what_is_said_in_order(self) -> None:
        backend = self.serve_with_backend()
        readers = [self.listen(backend) for _ in range(2)]
        texts = ["one", "1!2", "[shout] 1!x] y", "zwei Wörter – 漢字 🎉", "'\"\\&<b>"]
        texts += ["three\nlines\r\n", "99999", "]", "!", " blanks "]
        for text in texts:
            self.assertEqual(backend.say(text), 204)
        for reader in readers:
            self.check_heard(reader, texts)

    def test_every_page_has_a_ticket_of_its_own(self) -> None:
        backend = self.serve_with_backend()
        tickets = [backend.settings()["ticket"] for _ in range(3)]
        self.assertEqual([ticket.split("!")[0] for ticket in tickets], ["1", "2", "3"])
        with urlopen(backend.url) as answer:
            self.assertEqual(answer.headers["Cache-Control"], "no-store")
            self.assertEqual(answer.headers["Content-Type"], "text/html; charset=utf-8")

    def test_the_longest_text(self) -> None:
        backend = self.serve_with_backend()
        reader = self.listen(backend)
        texts = ["x" * LONGEST_TEXT, "é" * (LONGEST_TEXT // 2)]
        for text in texts:
            self.assertEqual(backend.say(text), 204)
            self.assertEqual(backend.say(text + text[0]), 413)
        self.assertEqual(backend.say("last"), 204)
        self.check_heard(reader, [*texts, "last"])

    def test_who_is_still_sending_hears_that_it_is_too_much(self) -> None:
        backend = self.serve_with_backend()
        head = b"POST /say HTTP/1.1\r\nContent-Length: 900000\r\n\r\n"
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            client.connect(("127.0.0.1", backend.port))
            client.sendall(head + bytes(900_000))
            self.assertIn(b" 413 ", client.recv(100))

    def test_many_at_once(self) -> None:
        backend = self.serve_with_backend()
        reader = self.listen(backend)
        texts = [f"{number} {'x' * 20_000}" for number in range(60)]
        with ThreadPoolExecutor(20) as people:
            said = people.map(backend.say, texts)
            made = people.map(lambda _: backend.settings()["ticket"], texts)
        self.assertEqual(set(said), {204})
        self.assertEqual(len(set(made)), len(texts))
        heard = [reader.recv(DEADLINE_SECONDS) for _ in texts]
        self.assertEqual(sorted(map(str, heard)), sorted(texts))

    def test_one_that_says_nothing_keeps_nobody_waiting(self) -> None:
        backend = self.serve_with_backend()
        address = "127.0.0.1", backend.port
        with (
            socket.create_connection(address),
            socket.create_connection(address) as half,
        ):
            half.sendall(b"POST /say HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf")
            reader = self.listen(backend)
            self.assertEqual(backend.say("hello"), 204)
            half.shutdown(socket.SHUT_WR)
            self.assertEqual(half.recv(100), b"")
        self.assertEqual(backend.say("end"), 204)
        self.check_heard(reader, ["hello", "end"])

    def test_what_is_refused(self) -> None:
        backend = self.serve_with_backend()
        reader = self.listen(backend)
        self.assertEqual(backend.get("favicon.ico")[0], 404)
        self.assertEqual(backend.say("x", "shout"), 404)
        self.assertEqual(backend.say("x", Origin="http://evil.example"), 403)
        for length in ("-1", "x", "²"):
            headers = {"Content-Length": length}
            self.assertEqual(backend.say("x", **headers), 411)
        self.assertEqual(backend.say("end", Origin=backend.url.strip("/")), 204)
        self.check_heard(reader, ["end"])

    def test_nothing_ends_the_data_in_the_page(self) -> None:
        (private,) = self.serve().ports("webtalk.private")
        public = "ws://x/</script><script>alert(1)</script><!--'\"\\"
        _, page = self.back(private, public).get()
        self.assertEqual(settings_of(page)["server"], public)
        example = EXAMPLE.with_name("webtalk.html").read_text()
        self.assertEqual(page.count("<"), example.count("<"))

    def test_secret(self) -> None:
        server = self.serve(secret=SECRET)
        private, public = server.ports("webtalk.private", "webtalk.public")
        backend = self.back(private, public, SECRET)
        reader = self.listen(backend)
        self.assertEqual(backend.say("hello"), 204)
        self.check_heard(reader, ["hello"])
        status, page = self.back(private, public).get()
        self.assertEqual(status, 502)
        self.assertIn("[error] [auth] SECRET first", page)
        self.check_ends(self.back(private, public, "wr0ng"), "wrong secret")

    def test_nobody_listens(self) -> None:
        self.check_ends(self.back(1, 1), "refused")

    def test_the_server_is_restarted(self) -> None:
        server = self.serve()
        private, public = server.ports("webtalk.private", "webtalk.public")
        backend = self.back(private, public)
        self.assertEqual(backend.get()[0], 200)
        server.stop()
        status, page = backend.get()
        self.assertEqual(status, 502)
        self.assertIn("refused", page)
        self.serve(private, public).ports("webtalk.private")
        reader = self.listen(backend)
        self.assertEqual(backend.say("hello"), 204)
        self.check_heard(reader, ["hello"])
        self.assertNotIn("Traceback", backend.log)

    def check_ends(self, backend: Backend, why: str) -> None:
        self.assertEqual(backend.process.wait(DEADLINE_SECONDS), 1)
        self.assertIn(why, backend.log)
        self.assertNotIn("Traceback", backend.log)


class ScriptedPort:
    """A private port that answers as told, one byte after another.

    Args:
        answers: What to write for each frame, and whether to close then.
        patience_seconds: How long to see before an answer whether the next frame comes.
    """

    def __init__(
        self, *answers: tuple[bytes, bool], patience_seconds: float = 0
    ) -> None:
        self.frames: list[bytes] = []
        self.hasty = False
        self._answers = list(answers)
        self._patience_seconds = patience_seconds
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(DEADLINE_SECONDS)
        self.port: int = self._socket.getsockname()[1]
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with self._socket:
            while self._answers:
                connection, _ = self._socket.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with connection:
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        while self._answers and (length := connection.recv(5, socket.MSG_WAITALL)):
            self.frames.append(connection.recv(int(length), socket.MSG_WAITALL))
            if select.select([connection], [], [], self._patience_seconds)[0]:
                self.hasty = True
            answer, closes = self._answers.pop(0)
            for byte in answer:
                connection.sendall(bytes([byte]))
            if closes:
                break

    def end(self) -> None:
        """Wait until all answers are given."""
        self._thread.join(DEADLINE_SECONDS)
        assert not self._thread.is_alive(), self._answers


class ExchangeTests(WebtalkTestCase):
    """The back-end with a private port that does what the server would rarely do."""

    def script(self, *answers: tuple[bytes, bool]) -> tuple[ScriptedPort, Backend]:
        port = ScriptedPort(*answers)
        return port, self.back(port.port, 1)

    def test_answers_in_pieces(self) -> None:
        port, backend = self.script(
            (b"00008[ok] 1!2", False), (b"00009[ok] sent", False)
        )
        self.assertEqual(backend.settings()["ticket"], "1!2")
        self.assertEqual(backend.say("ü"), 204)
        port.end()
        self.assertEqual(port.frames, [b"[newuser]", "[shout] 1!ü".encode()])

    def test_each_gets_its_own_answer(self) -> None:
        tickets = [f"{number}!{number}" for number in range(10, 20)]
        answers = [(f"00010[ok] {ticket}".encode(), False) for ticket in tickets]
        port = ScriptedPort(*answers, patience_seconds=0.05)
        backend = self.back(port.port, 1)
        with ThreadPoolExecutor(10) as people:
            found = list(people.map(lambda _: backend.settings()["ticket"], tickets))
        self.assertEqual(sorted(found), tickets)
        # Or who reads first would get another's.
        self.assertFalse(port.hasty)

    def test_an_error_is_told(self) -> None:
        words = b"00014[error] <b>no!"
        port, backend = self.script(
            (words, False), (words, False), (b"00005[ok] ", False)
        )
        status, page = backend.get()
        self.assertEqual(status, 502)
        self.assertIn("[error] &lt;b&gt;n", page)
        self.assertEqual(backend.say("x"), 502)
        self.assertEqual(backend.say("x"), 204)
        port.end()
        self.assertEqual(len(port.frames), 3)

    def test_what_has_no_answer_is_said_again(self) -> None:
        port, backend = self.script((b"00008[ok] 1!", True), (b"00008[ok] 1!2", False))
        self.assertEqual(backend.settings()["ticket"], "1!2")
        port.end()
        self.assertEqual(port.frames, [b"[newuser]"] * 2)

    def test_what_is_no_answer(self) -> None:
        for nothing in (b"", b"000", b"HTTP/1.1 400 Bad Request", b"00008[ok] 1!"):
            _, backend = self.script((nothing, True), (nothing, True))
            self.assertEqual(backend.get()[0], 502, nothing)
            self.assertNotIn("Traceback", backend.log)
