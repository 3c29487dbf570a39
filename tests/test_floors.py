# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The server does not start on packages that are older than what it was tested with."""

from __future__ import annotations

import configparser
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatmux.floors import check_floors, floors
from tests.server import Server

ROOT = Path(__file__).parent.parent

ADVISED = {"twisted": "26.10", "autobahn": "26.7.1", "pyjwt": "2.15"}
"""Below these there are published holes."""


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


class FloorTests(SynchronousTestCase):
    def start(self, *versions: tuple[str, str]) -> Server:
        """Start a server that finds these versions first."""
        place = Path(self.mktemp()).absolute()
        for name, version in versions:
            facts = place / f"{name}-{version}.dist-info"
            facts.mkdir(parents=True)
            (facts / "METADATA").write_text(
                f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            )
        command = ("twistd", "-n", "--pidfile=", "chatmux", "--check")
        server = Server(
            place / "run",
            {"machat": {"tcp": "127.0.0.1:0", "ws": None}},
            command,
            {"PYTHONPATH": str(place)},
        )
        self.addCleanup(server.kill)
        return server

    def test_what_is_installed_here_is_new_enough(self) -> None:
        check_floors()

    def test_the_floors_are_those_of_the_package(self) -> None:
        config = configparser.ConfigParser()
        config.read(ROOT / "setup.cfg")
        lines = config["options"]["install_requires"].split("\n")
        expected = [tuple(line.split(" >= ")) for line in lines if line]
        found = [(name.lower(), floor) for name, floor in floors()]
        self.assertEqual(sorted(found), sorted(expected))

    def test_none_is_below_what_the_advisories_say(self) -> None:
        found = {name.lower(): floor for name, floor in floors()}
        for name, least in ADVISED.items():
            self.assertGreaterEqual(numbers(found[name]), numbers(least), name)

    def test_older_packages_are_refused_in_one_line(self) -> None:
        servers = [
            (name, old, self.start((name, old)))
            for name, old in (
                ("autobahn", "26.7.0"),
                ("twisted", "26.4.0"),
                ("twisted", "26.10.0rc1"),
                ("pyjwt", "2.14.9"),
                ("PyJWT", "2.9"),
            )
        ]
        for name, old, server in servers:
            self.assertEqual(server.wait(), 78, server.log)
            self.assertEqual(server.log.count("\n"), 1, server.log)
            words = f"chatmux: {name.lower()}: {old} is installed: "
            self.assertIn(words, server.log.lower())

    def test_the_floors_themselves_and_newer_ones_are_not(self) -> None:
        pairs = list(floors())
        servers = [
            self.start(*pairs),
            self.start(*[(name, f"{floor}.1") for name, floor in pairs]),
            self.start(*[(name, "100.0.0.dev1+local") for name, _ in pairs]),
        ]
        for server in servers:
            self.assertEqual(server.wait(), 0, server.log)
