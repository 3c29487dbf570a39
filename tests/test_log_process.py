# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The log of a server as its users run it: form, place, and what is not in it."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatmux.logdamper import LINES
from tests.certificates import make_files
from tests.globes_server import CONFIG as GLOBES
from tests.server import DEADLINE_SECONDS, Server, waiting

MACHAT = {"machat": {"tcp": "127.0.0.1:0", "ws": None}}
JSON = {**MACHAT, "log-format": "json"}
TWISTD = ("twistd", "-n", "--pidfile=")
TEXT_LINE = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} \[[\w.\-]+#\w+\] \S"


class LogTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()

    def start(self, config: Any, *command: str, **environ: str) -> Server:
        words = command or (*TWISTD, "chatmux")
        server = Server(self.directory, config, words, environ)
        self.addCleanup(server.kill)
        return server

    def check_text(self, log: str) -> None:
        lines = log.splitlines()
        self.assertTrue(any("] stopped" in line for line in lines), log)
        for line in lines:
            self.assertRegex(line, TEXT_LINE)

    def check_json(self, log: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in log.splitlines()]
        self.assertIn("stopped", [line["message"] for line in found])
        for line in found:
            self.assertLessEqual({"time", "level", "logger", "message"}, set(line))
        return found


def say_nonsense(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), DEADLINE_SECONDS) as peer:
        peer.sendall(b"birdsong\n")
        while peer.recv(100):
            pass


class FormTests(LogTestCase):
    def test_text_is_what_there_is_without_a_word(self) -> None:
        server = self.start(MACHAT)
        (port,) = server.ports("machat.tcp")
        say_nonsense(port)
        self.assertEqual(server.stop(), 0)
        self.check_text(server.log)
        self.assertRegex(
            server.log,
            r"connection 1 \(machat.tcp, 127\.0\.0\.1:\d+\) closed, 1008: ",
        )

    def test_json_is_configured(self) -> None:
        twist = ("twist", "--log-format=text", "chatmux")
        for command in (*TWISTD, "chatmux"), twist:
            server = self.start(JSON, *command)
            for _ in waiting():
                if "listening on" in server.log:
                    break
            listening = next(
                line
                for line in map(json.loads, server.log.splitlines())
                if line["message"].startswith("listening on")
            )
            say_nonsense(int(listening["listener"].split()[0].rpartition(":")[2]))
            self.assertEqual(server.stop(), 0)
            lines = self.check_json(server.log)
            (closed,) = (one for one in lines if "closed, " in one["message"])
            self.assertEqual(
                (closed["level"], closed["number"], closed["door"], closed["code"]),
                ("info", 1, "machat.tcp", 1008),
            )
            self.assertRegex(closed["peer"], r"^127\.0\.0\.1:\d+$")
            self.assertRegex(
                closed["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"
            )
            self.assertIn(closed["reason"], closed["message"])

    def test_where_nothing_is_configured_twist_has_its_say(self) -> None:
        server = self.start(MACHAT, "twist", "--log-format=json", "chatmux")
        for _ in waiting():
            if "listening on" in server.log:
                break
        self.assertEqual(server.stop(), 0)
        self.check_json(server.log)

    def test_lines_of_level_debug_come_under_twist_too(self) -> None:
        server = self.start({**MACHAT, "log-level": "debug"}, "chatmux", "run")
        (port,) = server.ports("machat.tcp")
        with socket.create_connection(("127.0.0.1", port)) as peer:
            peer.sendall(b'{"name":"ann"}\nbirdsong\n')
            self.assertEqual(peer.recv(100), b"ann:birdsong\n")
        for _ in waiting():
            if ") ended" in server.log:
                break
        self.assertEqual(server.stop(), 0)
        self.assertRegex(server.log, r"#debug\] connection 1 \(.*\) ended")


class PlaceTests(LogTestCase):
    def test_a_file_that_is_rotated_by_a_signal(self) -> None:
        server = self.start(JSON, *TWISTD, "--logfile=own.log", "chatmux")
        own, old = self.directory / "own.log", self.directory / "own.log.1"
        for _ in waiting():
            if own.exists() and "listening on" in own.read_text():
                break
        os.kill(server.process.pid, signal.SIGUSR1)
        for _ in waiting():
            if old.exists() and own.exists():
                break
        self.assertEqual(server.stop(), 0)
        self.assertEqual(server.log, "")
        self.check_json(own.read_text())
        self.assertIn("listening on", old.read_text())

    def test_the_file_of_a_daemon(self) -> None:
        command = "twistd", "--pidfile=pid", "chatmux"
        self.assertEqual(self.start(MACHAT, *command).wait(), 0)
        log, pid = self.directory / "twistd.log", self.directory / "pid"
        for _ in waiting():
            if log.exists() and "listening on" in log.read_text():
                break
        os.kill(int(pid.read_text()), signal.SIGTERM)
        for _ in waiting():
            if "Server Shut Down" in log.read_text():
                break
        self.check_text(log.read_text())

    def test_a_daemon_has_no_terminal(self) -> None:
        server = self.start(MACHAT, "twistd", "--pidfile=pid", "--logfile=-", "chatmux")
        self.assertEqual(server.wait(), 1)
        self.assertEqual(server.log, "Daemons cannot log to stdout, exiting!\n")

    def test_an_observer_that_somebody_names_is_theirs(self) -> None:
        self.directory.mkdir()
        (self.directory / "theirs.py").write_text(
            "from twisted.logger import textFileLogObserver\n"
            "def observer():\n"
            "    return textFileLogObserver(open('theirs.log', 'a'), '%Y')\n"
        )
        command = *TWISTD, "--logger=theirs.observer", "chatmux"
        server = self.start(JSON, *command, PYTHONPATH=".")
        theirs = self.directory / "theirs.log"
        for _ in waiting():
            if theirs.exists() and "listening on" in theirs.read_text():
                break
        self.assertEqual(server.stop(), 0)
        self.assertRegex(theirs.read_text(), r"(?m)^\d{4} \[chatmux#info\] listening")
        self.assertEqual(server.log, "")


class FloodTests(LogTestCase):
    def test_whoever_is_refused_again_and_again_does_not_flood_it(self) -> None:
        server = self.start(MACHAT)
        (port,) = server.ports("machat.tcp")
        for _ in range(4 * LINES):
            say_nonsense(port)
        self.assertEqual(server.stop(), 0)
        self.check_text(server.log)
        # A slow machine needs more than one window.
        closed = server.log.count("closed, 1008: ")
        self.assertLess(closed, 4 * LINES)
        told = [
            int(line.partition("left out ")[2].split()[0])
            for line in server.log.splitlines()
            if "left out " in line
        ]
        self.assertEqual(closed + sum(told), 4 * LINES)


class SecretTests(LogTestCase):
    def write(self, name: str, text: str, mode: int) -> Path:
        file = self.directory / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        return file

    def test_secrets_are_neither_in_the_arguments_nor_in_the_log(self) -> None:
        self.write("secret", "canary of the file\n", 0o600)
        self.write(".env", "BACK_END=canary-of-the-env-file\n", 0o600)
        config = {
            **GLOBES,
            **MACHAT,
            "multichat": {"host": "127.0.0.1:0", "secret-key": {"file": "secret"}},
            "webtalk": {
                "private": "127.0.0.1:0",
                "public": "127.0.0.1:0",
                "secret": {"env": "BACK_END"},
            },
            "log-level": "debug",
        }
        config["globes"] = {"address": "127.0.0.1:0", "admin-token": {"env": "ADMIN"}}
        server = self.start(config, ADMIN="canary-of-the-environment")
        server.ports("multichat.host", "webtalk.private", "globes.address")
        arguments = Path(f"/proc/{server.process.pid}/cmdline").read_bytes()
        self.assertIn(b"chatmux", arguments)
        self.assertNotIn(b"canary", arguments)
        self.assertEqual(server.stop(), 0)
        self.assertNotIn("canary", server.log)
        self.assertNotIn("#warn]", server.log)

    def test_files_that_others_can_read_are_warned_of(self) -> None:
        self.write(".env", "BACK_END=canary-of-the-env-file\n", 0o644)
        files = make_files(self.directory / "tls")
        Path(files.keyfile).chmod(0o644)
        wss = {"keyfile": files.keyfile, "certfile": files.certfile}
        config = {
            "multichat": {"host": "127.0.0.1:0", "secret-key": "canary", "wss": wss},
            "webtalk": {
                "private": "127.0.0.1:0",
                "public": "127.0.0.1:0",
                "secret": {"env": "BACK_END"},
            },
        }
        server = self.start(config)
        server.ports("multichat.host")
        self.assertEqual(server.stop(), 0)
        warnings = [
            line.partition("#warn] ")[2]
            for line in server.log.splitlines()
            if "#warn]" in line
        ]
        self.assertEqual(
            warnings,
            [
                ".env: other users can read it, with webtalk.secret in it",
                "config.json: other users can read it, with multichat.secret-key in it",
                f"multichat.wss.keyfile: other users can read {files.keyfile}",
            ],
        )

    def test_a_file_of_a_secret_that_others_can_read_is_refused(self) -> None:
        self.write("secret", "canary of the file\n", 0o644)
        section = {"host": "127.0.0.1:0", "secret-key": {"file": "secret"}}
        server = self.start({"multichat": section})
        self.assertEqual(server.wait(), 78)
        self.assertTrue(
            server.log.startswith(
                "chatmux: multichat.secret-key: secret: other users can read or change"
            ),
            server.log,
        )
        self.assertEqual(len(server.log.splitlines()), 1)
        server = self.start({"multichat": section, "private-files": False})
        server.ports("multichat.host")
        self.assertEqual(server.stop(), 0)
