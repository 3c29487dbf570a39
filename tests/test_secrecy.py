# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Where secrets of the configuration may stand, and that they do not show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from chatmux.config import Config, build, read
from chatmux.errors import ConfigError
from chatmux.log import as_json, as_text
from chatmux.node import SECTIONS, Node
from chatmux.secrecy import secret_keys
from chatmux.settings import Secret
from chatmux.transports.guard import Guard

CANARY = "canary-of-more-than-thirty-two-bytes"
ALL = {
    "multichat": {"secret-key": CANARY},
    "globes": {"secret-key": CANARY, "admin-token": CANARY},
    "webtalk": {"secret": CANARY},
    "store": f"postgresql+psycopg://ann:{CANARY}@127.0.0.1:1/d",
}


class Connection:
    """What a log line is told of one."""

    number, door, peer = 7, "machat.tcp", "192.0.2.1:5"


class FileTests(SynchronousTestCase):
    """What the modes of files have to be."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.environ: dict[str, str] = {}

    def write(self, name: str, text: str, mode: int) -> Path:
        file = self.directory / name
        file.write_text(text)
        file.chmod(mode)
        return file

    def read(self, raw: object, mode: int = 0o600) -> Config:
        file = self.write("config.json", json.dumps(raw), mode)
        return read(file, SECTIONS, self.environ)

    def with_file(self, **top: Any) -> Config:
        return self.read({"multichat": {"secret-key": {"file": "key"}}, **top})

    def test_the_operators_token_is_one(self) -> None:
        raw = {"machat": {}, "admin": {"token": CANARY}}
        config = self.read(raw, 0o644)
        self.assertIn("admin.token", " ".join(config.warnings))
        self.assertNotIn("canary", repr(config))

    def test_files_that_are_private(self) -> None:
        for mode in 0o600, 0o400, 0o640, 0o440, 0o700, 0o750:
            self.write("key", CANARY, mode)
            config = self.with_file()
            self.assertEqual(config.warnings, ())

    def test_files_that_others_can_read_or_change(self) -> None:
        for mode in 0o604, 0o644, 0o660, 0o620, 0o602, 0o666, 0o777:
            self.write("key", CANARY, mode)
            error = str(self.assertRaises(ConfigError, self.with_file))
            self.assertTrue(error.startswith("multichat.secret-key: "), error)
            self.assertNotIn(CANARY, error)

    def test_what_a_link_leads_to_is_looked_at(self) -> None:
        file = self.write("linked", CANARY, 0o644)
        (self.directory / "key").symlink_to(file)
        self.assertRaises(ConfigError, self.with_file)

    def test_other_modes_are_taken_if_that_is_wished(self) -> None:
        self.write("key", CANARY, 0o644)
        self.environ["PRIVATE"] = "false"
        for wish in False, {"env": "PRIVATE"}:
            section = self.with_file(**{"private-files": wish}).sections["multichat"]
            self.assertEqual(getattr(section, "secret_key", None), Secret(CANARY))
            self.with_file(**{"Private-Files": wish})
        for wrong in True, "no", 7, {"env": "ABSENT"}:
            with self.assertRaises(ConfigError):
                self.with_file(**{"private-files": wrong})

    def test_a_configuration_with_secrets_that_others_can_read(self) -> None:
        globes = {"globes": {"Secret-Key": CANARY, "admin-token": None}}
        for raw, keys in (
            (globes, "globes.secret-key"),
            (
                ALL,
                "multichat.secret-key, globes.secret-key, globes.admin-token, "
                "webtalk.secret, store",
            ),
            ({"store": "postgresql:///d?password=x"}, "store"),
        ):
            self.assertEqual(self.read(raw, 0o640).warnings, ())
            (warning,) = self.read(raw, 0o644).warnings
            self.assertEqual(
                warning,
                f"{self.directory}/config.json: other users can read it, with {keys}"
                " in it",
            )

    def test_a_configuration_without_secrets_is_everybodys(self) -> None:
        self.environ |= {"KEY": CANARY, "STORE": "sqlite:///x.db"}
        for raw in (
            {"machat": {}, "store": "sqlite:///rooms.db"},
            {"multichat": {"secret-key": {"env": "KEY"}}},
            {"globes": {}, "store": {"env": "STORE"}},
            {"store": "postgresql://ann@db/d"},
        ):
            self.assertEqual(self.read(raw, 0o644).warnings, ())

    def test_a_file_of_variables_that_others_can_read(self) -> None:
        file = self.write(".env", f"KEY={CANARY}\nHOST=127.0.0.1:1\n", 0o644)
        raw: dict[str, Any] = {"multichat": {"secret-key": {"env": "KEY"}}}
        warning = f"{file}: other users can read it, with multichat.secret-key in it"
        self.assertEqual(self.read(raw).warnings, (warning,))
        host = {"multichat": {"secret-key": {"env": "KEY"}, "host": {"env": "HOST"}}}
        self.environ["KEY"] = CANARY
        self.assertEqual(self.read(host).warnings, ())
        del self.environ["KEY"]
        file.chmod(0o640)
        self.assertEqual(self.read(raw).warnings, ())

    def test_the_variable_of_the_original_in_such_a_file(self) -> None:
        self.write(".env", f"SECRET_KEY={CANARY}\n", 0o644)
        (warning,) = self.read({"globes": {}}).warnings
        self.assertIn("with globes.secret-key in it", warning)

    def test_keys_of_tls_that_others_can_read(self) -> None:
        key = self.write("key.pem", "", 0o644)
        tls = {"keyfile": str(key), "certfile": "absent"}
        raw = {
            "multichat": {"secret-key": CANARY, "wss": tls},
            "globes": tls,
            "webtalk": {"private-tls": tls, "wss": {**tls, "keyfile": "absent"}},
        }
        self.assertEqual(
            self.read(raw).warnings,
            tuple(
                f"{path}.keyfile: other users can read {key}"
                for path in ("multichat.wss", "globes", "webtalk.private-tls")
            ),
        )
        key.chmod(0o640)
        self.assertEqual(self.read(raw).warnings, ())

    def test_warnings_are_lines_of_the_log(self) -> None:
        raw = {"multichat": {"secret-key": CANARY, "host": "127.0.0.1:0"}}
        reactor: Any = MemoryReactorClock()
        node = Node(self.read(raw, 0o644), reactor)
        with capturedLogs() as events:
            node.startService()
        self.assertIn("other users can read it", "".join(map(as_text, events)))
        node.stopService()
        reactor.advance(60)


class ShowingTests(SynchronousTestCase):
    """Secrets in what is made of the configuration."""

    def test_no_representation_has_a_secret(self) -> None:
        config = build(ALL, SECTIONS)
        node = Node(config, MemoryReactorClock())
        doors = [door for one in node.listeners for door in vars(one).values()]
        for thing in (config, config.top, *config.sections.values(), node, doors):
            for shown in repr(thing), str(thing), f"{thing}":
                self.assertNotIn("canary", shown)
        for section in config.sections.values():
            self.assertNotIn("canary", repr(msgspec.structs.asdict(section)))

    def test_every_secret_of_the_sections_is_known(self) -> None:
        self.assertEqual(
            secret_keys(SECTIONS),
            {
                "multichat.secret-key",
                "globes.secret-key",
                "globes.admin-token",
                "webtalk.secret",
                "store",
            },
        )

    def test_errors_of_the_configuration_have_none(self) -> None:
        for raw in (
            {"multichat": {"secret-key": [CANARY]}},
            {"multichat": {"secret-key": {CANARY: 1}}},
            {"globes": {"secret-key": "canary"}, "store": "sqlite:///x.db"},
            {"globes": {"admin-token": "canary two"}, "store": "sqlite:///x.db"},
            {"globes": {}, "store": f"mysql://ann:{CANARY}@h/d"},
            {"globes": {}, "store": f"postgresql://ann:{CANARY}@h:port/d"},
            {"globes": {}, "store": f"postgresql://ann:{CANARY}@{CANARY}@h/d"},
            {"globes": {}, "store": CANARY},
        ):
            with self.assertRaises(ConfigError) as raised:
                Node(build(raw, SECTIONS), MemoryReactorClock())
            self.assertNotIn("canary", str(raised.exception))

    def test_a_database_that_is_not_there_tells_no_password(self) -> None:
        node = Node(build({**ALL, "globes": {}}, SECTIONS), MemoryReactorClock())
        error = self.assertRaises(ConfigError, node.prepare)
        self.assertIn("the database cannot be reached", str(error))
        self.assertNotIn("canary", str(error))
        self.assertIsNone(error.__context__)

    def test_a_session_that_fails_tells_nothing_of_its_peer(self) -> None:
        # Trial logs it too, in a way of its own, so it is no secret of the tests.
        guard = Guard(Clock())

        def received(secret: str, text: str) -> None:
            known: dict[str, str] = {}
            known[f"{secret}{text}"]

        with capturedLogs() as events:
            try:
                received("a feather", "a song")
            except KeyError:
                guard.failed(Connection(), "failed")  # type: ignore[arg-type]
        (event,) = events
        self.flushLoggedErrors(KeyError)
        for form in as_text, as_json:
            line = form(event)
            self.assertIn("in received | KeyError", line)
            self.assertIn("connection 7 (machat.tcp, 192.0.2.1:5)", line)
            for hidden in "feather", "song":
                self.assertNotIn(hidden, line)
