# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The server in a process of its own, and clients that are not ours."""

from __future__ import annotations

import json
import select
import signal
import socket
import stat
import subprocess
import time
from pathlib import Path
from typing import Any

from twisted.trial.unittest import TestCase
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.server import DEADLINE_SECONDS, Server, program, waiting

SECRET = "canary s3cret"
CONFIG = {
    "multichat": {"host": "127.0.0.1:0", "secret-key": SECRET},
    "machat": {"tcp": "127.0.0.1:0", "ws": "127.0.0.1:0"},
    "bridges": [["multichat", "machat/lounge"]],
}


class Lines:
    """A person at a TCP terminal: netcat."""

    def __init__(self, port: int, name: str, room: str) -> None:
        self.process = subprocess.Popen(
            [program("nc.openbsd", "netcat-openbsd"), "-N", "127.0.0.1", str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self.type(json.dumps({"name": name, "room": room}))

    def type(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")

    def read(self) -> str:
        """Return the next line; empty at the end."""
        stream = self.process.stdout
        assert stream is not None
        line = b""
        while not line.endswith(b"\n"):
            if not select.select([stream], [], [], DEADLINE_SECONDS)[0]:
                raise AssertionError(f"nothing comes after {line!r}")
            byte = stream.read(1)
            if not byte:
                break
            line += byte
        return line.decode()

    def end_input(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def close(self) -> None:
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()
        self.process.kill()
        self.process.wait()


class ProcessTestCase(TestCase):
    """Starts servers and ends them."""

    def start(self, config: Any = CONFIG, **options: Any) -> Server:
        server = Server(Path(self.mktemp()), config, **options)
        self.addCleanup(server.kill)
        return server

    def terminals(self, port: int, *names: str) -> list[Lines]:
        """Let people come into the lounge, one after another, and say so."""
        people: list[Lines] = []
        for name in names:
            people.append(Lines(port, name, "lounge"))
            self.addCleanup(people[-1].close)
            people[-1].type("here")
            self.assertEqual(
                [one.read() for one in people], [f"{name}:here\n"] * len(people)
            )
        return people

    def relay(self, port: int, name: str = "relay") -> ClientConnection:
        client = connect(f"ws://127.0.0.1:{port}/", compression=None)
        self.addCleanup(client.close)
        client.send(
            json.dumps(
                {"action": "register", "client-name": name, "secret-key": SECRET}
            )
        )
        ack = client.recv(DEADLINE_SECONDS)
        self.assertEqual(ack, '{"action":"register-ack"}')
        return client

    def say(self, client: ClientConnection, text: str) -> None:
        packet = {"action": "client-message", "content": text}
        client.send(json.dumps(packet, ensure_ascii=False))

    def hear(self, client: ClientConnection) -> tuple[str, str]:
        packet = json.loads(client.recv(DEADLINE_SECONDS))
        self.assertEqual(packet.pop("action"), "forwarding-message")
        return packet["source-client-name"], packet["content"]


class CrossingTests(ProcessTestCase):
    def test_a_relay_and_a_terminal_talk_in_one_conversation(self) -> None:
        multichat, tcp, ws = self.start().ports(
            "multichat.host", "machat.tcp", "machat.ws"
        )
        ann, bob = self.terminals(tcp, "ann", "bob")
        relay = self.relay(multichat, "qq: 1")
        with connect(f"ws://127.0.0.1:{ws}/mychat", compression=None) as web:
            web.send('{"name":"web","room":"lounge"}')
            web.send("birdsong of the web")
            said = [("web", "birdsong of the web"), ("ann", "birdsong"), ("bob", "ho")]
            self.assertEqual(self.hear(relay), said[0])
            ann.type("birdsong")
            self.assertEqual(self.hear(relay), said[1])
            bob.type("ho")
            self.assertEqual(self.hear(relay), said[2])
            self.say(relay, "two\nbirdsong")
            expected = [f"{name}:{text}\n" for name, text in said]
            expected += ["qq_ 1:two\n", "qq_ 1:birdsong\n"]
            self.assertEqual([ann.read() for _ in expected], expected)
            self.assertEqual([bob.read() for _ in expected], expected)
            self.assertEqual([web.recv(DEADLINE_SECONDS) for _ in expected], expected)

    def test_all_see_one_order(self) -> None:
        multichat, tcp = self.start().ports("multichat.host", "machat.tcp")
        ann, bob = self.terminals(tcp, "ann", "bob")
        one, two, watch = (self.relay(multichat, name) for name in ("1", "2", "watch"))
        for number in range(50):
            ann.type(f"{number}")
            self.say(one, f"{number}")
            bob.type(f"{number}")
            self.say(two, f"{number}")
        total = 200
        order = [f"{name}:{text}\n" for name, text in map(self.hear, [watch] * total)]
        self.assertEqual([ann.read() for _ in range(total)], order)
        self.assertEqual([bob.read() for _ in range(total)], order)
        for sender in "ann", "bob", "1", "2":
            own = [line for line in order if line.startswith(f"{sender}:")]
            self.assertEqual(own, [f"{sender}:{number}\n" for number in range(50)])
        self.assertEqual(
            [f"{name}:{text}\n" for name, text in map(self.hear, [one] * 150)],
            [line for line in order if not line.startswith("1:")],
        )

    def test_without_a_bridge_the_protocols_do_not_hear_each_other(self) -> None:
        config = {**CONFIG, "bridges": []}
        multichat, tcp = self.start(config).ports("multichat.host", "machat.tcp")
        (ann,) = self.terminals(tcp, "ann")
        one, two = self.relay(multichat, "1"), self.relay(multichat, "2")
        self.say(one, "for relays")
        self.assertEqual(self.hear(two), ("1", "for relays"))
        ann.type("for rooms")
        self.assertEqual(ann.read(), "ann:for rooms\n")
        self.say(one, "again")
        self.assertEqual(self.hear(two), ("1", "again"))

    def test_a_pipe_into_netcat_loses_nothing(self) -> None:
        (tcp,) = self.start().ports("machat.tcp")
        text = "".join(f"{number}\n" for number in range(5000)) + "end"
        done = subprocess.run(
            [program("nc.openbsd", "netcat-openbsd"), "-N", "127.0.0.1", str(tcp)],
            input=f'{{"name":"ann"}}\n{text}'.encode(),
            capture_output=True,
            timeout=DEADLINE_SECONDS,
        )
        self.assertEqual(
            done.stdout.decode().splitlines(),
            [f"ann:{line}" for line in text.splitlines()],
        )

    def test_refusals_come_with_a_code_and_a_reason(self) -> None:
        server = self.start({**CONFIG, "limits": {"opening-seconds": 0.2}})
        (multichat,) = server.ports("multichat.host")
        wrong = {"action": "register", "client-name": "a", "secret-key": "wr0ng"}
        for message, code, reason in (
            (json.dumps(wrong), 1008, "wrong secret key"),
            ("hello", 1008, "the first packet should be a registration"),
            (b"hello", 1003, "the first packet should be text"),
            (None, 1008, "nothing was said in time"),
        ):
            with connect(f"ws://127.0.0.1:{multichat}/", compression=None) as client:
                if message is not None:
                    client.send(message)
                closed = self.assertRaises(
                    ConnectionClosed, client.recv, DEADLINE_SECONDS
                )
                assert closed.rcvd is not None
                self.assertEqual((closed.rcvd.code, closed.rcvd.reason), (code, reason))
        self.assertEqual(server.stop(), 0)
        self.assertEqual(server.log.count("closed, 100"), 4)
        self.assertNotIn("wr0ng", server.log)
        self.assertNotIn(SECRET, server.log)
        self.assertNotIn("Traceback", server.log)

    def test_behind_a_proxy_the_log_has_the_peers_own_address(self) -> None:
        tcp = "haproxy:tcp:0:interface=127.0.0.1"
        config = {
            "machat": {"tcp": tcp, "ws": None},
            "trusted-proxies": ["127.0.0.1"],
        }
        server = self.start(config)
        (port,) = server.ports("machat.tcp")
        with socket.create_connection(("127.0.0.1", port)) as proxy:
            proxy.sendall(b"PROXY TCP4 192.0.2.9 127.0.0.1 5555 80\r\nno hello")
            self.assertTrue(proxy.recv(100).startswith(b"error: no JSON"))
        self.assertEqual(server.stop(), 0)
        self.assertIn("(machat.tcp, 192.0.2.9:5555) closed", server.log)

    def test_long_messages_pass(self) -> None:
        (multichat,) = self.start().ports("multichat.host")
        one, two = self.relay(multichat, "1"), self.relay(multichat, "2")
        for text in "x" * 200_000, "ü" * 200_000, "last":
            self.say(one, text)
            self.assertEqual(self.hear(two), ("1", text))


class StoppingTests(ProcessTestCase):
    def member(self, port: int, name: str) -> socket.socket:
        member = socket.create_connection(("127.0.0.1", port), DEADLINE_SECONDS)
        self.addCleanup(member.close)
        member.sendall(json.dumps({"name": name, "room": "lounge"}).encode())
        return member

    def read_to_end(self, member: socket.socket) -> bytes:
        received = b""
        while data := member.recv(65536):
            received += data
        return received

    def test_sigterm_at_the_very_start_exits_0(self) -> None:
        for _ in range(5):
            server = self.start({"machat": {"tcp": "127.0.0.1:0", "ws": None}})
            for _ in waiting():
                if "listening on" in server.log:
                    break
            self.assertEqual(server.stop(), 0, server.log)

    def test_sigterm_drains_and_exits_0(self) -> None:
        server = self.start()
        multichat, tcp = server.ports("multichat.host", "machat.tcp")
        (ann,) = self.terminals(tcp, "ann")
        bob = self.member(tcp, "bob")
        bob.sendall(b"\nhere\n")
        self.assertEqual(bob.recv(100), b"bob:here\n")
        self.assertEqual(ann.read(), "bob:here\n")
        relay = self.relay(multichat)
        ann.type("bye")
        self.assertEqual(self.hear(relay), ("ann", "bye"))
        self.assertEqual(ann.read(), "ann:bye\n")
        began = time.monotonic()
        server.process.terminate()
        closed = self.assertRaises(ConnectionClosed, relay.recv, DEADLINE_SECONDS)
        assert closed.rcvd is not None
        self.assertEqual(closed.rcvd.code, 1001)
        self.assertEqual(closed.rcvd.reason, "the server is shutting down")
        self.assertEqual(self.read_to_end(bob), b"ann:bye\n")
        self.assertEqual(server.wait(), 0)
        self.assertTrue(time.monotonic() - began < 10)
        ann.end_input()
        self.assertEqual(ann.read(), "")
        self.assertNotIn("Traceback", server.log)

    def test_what_was_taken_goes_out_before_the_end(self) -> None:
        server = self.start()
        (tcp,) = server.ports("machat.tcp")
        ann, bob = self.member(tcp, "ann"), self.member(tcp, "bob")
        bob.sendall(b"\nhere\n")
        self.assertEqual(bob.recv(100), b"bob:here\n")
        ann.sendall(b"\n" + b"".join(b"%d\n" % number for number in range(10_000)))
        first = bob.recv(10)
        server.process.terminate()
        others = first + self.read_to_end(bob)
        mine = self.read_to_end(ann)
        self.assertTrue(mine.endswith(others))
        self.assertTrue(others.endswith(b"\n"))
        self.assertEqual(server.wait(), 0)

    def test_a_peer_that_does_not_close_is_cut_after_the_drain_time(self) -> None:
        server = self.start({**CONFIG, "drain-seconds": 0.5})
        (multichat,) = server.ports("multichat.host")
        # A WebSocket client that never answers the close.
        with socket.create_connection(("127.0.0.1", multichat)) as raw:
            raw.sendall(
                b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            self.assertIn(b"101 Switching", raw.recv(1000))
            self.assertEqual(server.stop(), 0)
        self.assertIn("cutting 1 connections", server.log)

    def test_sigint_ends_it_too(self) -> None:
        server = self.start()
        server.ports("machat.tcp")
        server.process.send_signal(signal.SIGINT)
        self.assertEqual(server.wait(), 0)


class StartingTests(ProcessTestCase):
    def assert_refused(self, server: Server, status: int, *words: str) -> None:
        self.assertEqual(server.wait(), status, server.log)
        lines = server.log.splitlines()
        self.assertEqual(len(lines), 1, server.log)
        for word in words:
            self.assertIn(word, lines[0])

    def test_twist_and_the_own_command_run_it_too(self) -> None:
        twist = ("twist", "--log-format=text", "chatmux")
        for command in twist, ("chatmux", "run"):
            server = self.start(command=command)
            (tcp,) = server.ports("machat.tcp")
            self.terminals(tcp, "ann")
            self.assertEqual(server.stop(), 0, server.log)

    def test_check_says_whether_a_configuration_is_good(self) -> None:
        twistd = ("twistd", "-n", "--pidfile=", "chatmux", "--check")
        for command in twistd, ("twist", "chatmux", "--check"), ("chatmux", "check"):
            server = self.start(command=command)
            self.assertEqual(server.wait(), 0)
            self.assertEqual(server.log, "chatmux: the configuration is good\n")
        self.assert_refused(
            self.start({"machat": {"tpc": ""}}, command=twistd),
            78,
            "chatmux: machat.tpc: there is no such key; did you mean tcp?",
        )

    def test_bad_configurations_are_one_line_and_a_status(self) -> None:
        for config, words in (
            ({"machat": {"tcp": 5}}, "chatmux: machat.tcp: "),
            ({"machat": {}, "bridgse": []}, "chatmux: bridgse: "),
            (
                {"multichat": {"host": "0.0.0.0:0", "secret-key": "change-me"}},
                "chatmux: multichat.secret-key: ",
            ),
        ):
            self.assert_refused(self.start(config), 78, words)

    def test_a_file_that_is_not_there_is_one_line(self) -> None:
        command = ("twistd", "-n", "--pidfile=", "chatmux", "--config", "absent.json")
        server = self.start(None, command=command)
        self.assert_refused(server, 78, "absent.json: No such file or directory")

    def test_a_busy_port_is_one_line(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            config = {"machat": {"tcp": f"127.0.0.1:{port}", "ws": None}}
            for command in (
                ("twistd", "-n", "--pidfile=", "chatmux"),
                ("twist", "chatmux"),
            ):
                self.assert_refused(
                    self.start(config, command=command),
                    1,
                    f"chatmux: machat.tcp: cannot listen on 127.0.0.1:{port}: "
                    "Address already in use",
                )

    def test_unreadable_keys_are_one_line(self) -> None:
        wss = {"keyfile": "absent.pem", "certfile": "absent.pem"}
        multichat = {"host": "127.0.0.1:0", "secret-key": SECRET, "wss": wss}
        self.assert_refused(
            self.start({"multichat": multichat}),
            78,
            "chatmux: multichat.wss.keyfile: absent.pem: No such",
        )

    def test_secrets_in_the_clear_are_one_warning(self) -> None:
        config = {"multichat": {"host": "0.0.0.0:0", "secret-key": SECRET}}
        server = self.start(config)
        server.ports("multichat.host")
        self.assertEqual(server.stop(), 0)
        self.assertEqual(server.log.count("travels in the clear"), 1)
        self.assertIn("multichat.secret-key travels in the clear", server.log)

    def test_without_a_configuration_a_secret_is_made_and_kept(self) -> None:
        state = Path(self.mktemp()).absolute()
        secrets = []
        for _ in range(2):
            server = self.start(None, environ={"XDG_STATE_HOME": str(state)})
            file = state / "chatmux" / "multichat.secret"
            for _ in waiting():
                if "listening on" in server.log or server.process.poll() is not None:
                    break
            # The default ports may be taken by a server that somebody runs here.
            if "Address already in use" not in server.log:
                self.assertIn(f"secret is in {file}", server.log)
                self.assertEqual(server.stop(), 0)
            self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
            secrets.append(file.read_text())
            self.assertNotIn(secrets[0].strip(), server.log)
        self.assertEqual(secrets[0], secrets[1])
        self.assertTrue(len(secrets[0]) > 30)
