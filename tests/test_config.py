# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Reading the configuration: what is taken, and what each error says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from chatmux.config import Config, build, read
from chatmux.errors import ConfigError
from chatmux.node import SECTIONS, Node
from chatmux.protocols import globes, machat, multichat
from chatmux.settings import Secret
from tests.certificates import make_files

STORE = {"store": "sqlite:///no.db"}


class ConfigTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.file = self.directory / "config.json"
        self.environ: dict[str, str] = {}

    def read(self, raw: object) -> Config:
        self.file.write_text(raw if isinstance(raw, str) else json.dumps(raw))
        return read(self.file, SECTIONS, self.environ)

    def multichat(self, **keys: Any) -> multichat.Section:
        raw = {"secret-key": "s", **{k.replace("_", "-"): v for k, v in keys.items()}}
        section = self.read({"multichat": raw}).sections["multichat"]
        assert isinstance(section, multichat.Section)
        return section

    def error(self, raw: object) -> str:
        return str(self.assertRaises(ConfigError, self.read, raw))

    def test_a_section_that_is_left_out_stays_closed(self) -> None:
        config = self.read({"machat": {}})
        self.assertEqual(list(config.sections), ["machat"])
        self.assertEqual(config.sections["machat"], machat.Section())

    def test_the_originals_keys_are_taken_in_any_case(self) -> None:
        config = self.read(
            {
                "MultiChat": {
                    "WS-Path": "/chat",
                    "host": "0.0.0.0:1234",
                    "Secret-Key": "x",
                    "wss": {"keyfile": "key.pem", "CertFile": "cert.pem"},
                },
                "Drain-Seconds": 3,
            }
        )
        section = config.sections["multichat"]
        assert isinstance(section, multichat.Section)
        self.assertEqual((section.ws_path, section.host), ("/chat", "0.0.0.0:1234"))
        assert section.wss is not None
        self.assertEqual(section.wss.certfile, "cert.pem")
        self.assertEqual(config.top.drain_seconds, 3)

    def test_errors_begin_with_the_path_of_the_key(self) -> None:
        secret = {"secret-key": "s"}
        for raw, message in (
            ({"multichat": {}}, "multichat.secret-key: is missing"),
            ({"multichat": {"secret-key": ""}}, "multichat.secret-key: must not be"),
            ({"multichat": {"secret-key": 5}}, "multichat.secret-key: must be a str"),
            ({"multichat": {**secret, "hots": ""}}, "multichat.hots: there is no such"),
            ({"multichat": {**secret, "hots": ""}}, "did you mean host?"),
            ({"multichat": {**secret, "host": 7}}, "multichat.host: expected `str`"),
            ({"multichat": {**secret, "wss": {}}}, "multichat.wss.keyfile: is missing"),
            ({"multichat": {**secret, "wss": {"x": ""}}}, "multichat.wss.x: there is"),
            ({"multichat": {**secret, "Host": "", "host": ""}}, "stands there twice"),
            ({"multichat": 5}, "multichat: expected `object`"),
            ({"mulitchat": {}}, "did you mean multichat?"),
            ({"machat": {}, "bridges": [5]}, "bridges[0]: expected `array`"),
            ({"machat": {}, "bridges": [["a"]]}, "bridges[0]: needs two"),
            ({"machat": {}, "bridges": [["a", "b"], ["b", "c"]]}, "b stands twice"),
            ({"limits": {"opening-seconds": -1}}, "limits.opening-seconds: expected"),
            ({"limits": {"log-bytes": 5}}, "limits.log-bytes: expected"),
            ({"log-level": "loud"}, "log-level: invalid"),
            ("[]", "must be a JSON object"),
            ("{", "is no JSON: "),
            ('{\n"machat": {},\n}', "is no JSON: line 3: "),
            ("\xff", "is no JSON: "),
            ("[" * 100_000, "is no JSON: "),
            ('{"machat":' + "[" * 600 + "]" * 600 + "}", "nested too deeply"),
        ):
            self.assertIn(message, self.error(raw))

    def test_a_file_that_cannot_be_read_is_named(self) -> None:
        error = self.assertRaises(
            ConfigError, read, self.directory / "absent", SECTIONS, {}
        )
        self.assertIn("absent: No such file", str(error))

    def test_a_value_may_come_from_the_environment(self) -> None:
        self.environ["KEY"] = "from env"
        section = self.multichat(secret_key={"env": "KEY"})
        self.assertEqual(section.secret_key, Secret("from env"))

    def test_numbers_and_lists_may_have_values_from_elsewhere(self) -> None:
        self.environ |= {"SECONDS": "2.5", "ORIGIN": "https://a.example"}
        config = self.read(
            {
                "machat": {"origins": [{"env": "ORIGIN"}]},
                "drain-seconds": {"env": "SECONDS"},
            }
        )
        section = config.sections["machat"]
        assert isinstance(section, machat.Section)
        self.assertEqual(section.origins, ("https://a.example",))
        self.assertEqual(config.top.drain_seconds, 2.5)

    def test_the_environment_goes_before_the_file_beside_the_configuration(
        self,
    ) -> None:
        (self.directory / ".env").write_text('A="from file"\nexport B=b # c\n')
        self.assertEqual(
            self.multichat(secret_key={"env": "A"}).secret_key, Secret("from file")
        )
        self.assertEqual(
            self.multichat(secret_key={"env": "B"}).secret_key, Secret("b")
        )
        self.environ["A"] = "from env"
        self.assertEqual(
            self.multichat(secret_key={"env": "A"}).secret_key, Secret("from env")
        )

    def test_a_value_may_come_from_a_file_beside_the_configuration(self) -> None:
        (self.directory / "key").write_text("from file\n")
        (self.directory / "key").chmod(0o600)
        section = self.multichat(secret_key={"file": "key"})
        self.assertEqual(section.secret_key, Secret("from file"))

    def test_values_that_are_not_to_be_had_are_named_by_their_path(self) -> None:
        self.environ["NOT_UTF8"] = "\udcff"
        for value, message in (
            ({"env": "NOPE"}, "multichat.secret-key: there is no environment variable"),
            ({"file": "nope"}, "multichat.secret-key: "),
            ({"env": "A", "file": "b"}, "multichat.secret-key: "),
            ({"file": "a\0b"}, "multichat.secret-key: "),
            ({"env": "NOT_UTF8"}, "multichat.secret-key: must be UTF-8"),
        ):
            self.assertIn(message, self.error({"multichat": {"secret-key": value}}))

    def test_a_variable_of_the_original_is_the_key_of_globes(self) -> None:
        self.assertIsNone(self.globes().secret_key)
        (self.directory / ".env").write_text("SECRET_KEY=of the file beside it\n")
        self.assertEqual(self.globes().secret_key, Secret("of the file beside it"))
        self.environ["SECRET_KEY"] = "of the environment"
        self.assertEqual(self.globes().secret_key, Secret("of the environment"))
        for key in "secret-key", "Secret-Key":
            section = self.globes(**{key: "of the section"})
            self.assertEqual(section.secret_key, Secret("of the section"))
        self.assertIsNone(self.globes(**{"secret-key": None}).secret_key)

    def test_a_variable_that_cannot_be_a_key_is_named_by_its_key(self) -> None:
        self.environ["SECRET_KEY"] = ""
        self.assertIsNone(self.globes().secret_key)
        del self.environ["SECRET_KEY"]
        (self.directory / ".env").write_bytes(b"SECRET_KEY=\xff")
        found = self.error({"globes": {}})
        self.assertTrue(found.startswith("globes.secret-key: "), found)

    def globes(self, **keys: Any) -> globes.Section:
        section = self.read({"globes": keys}).sections["globes"]
        assert isinstance(section, globes.Section)
        return section

    def test_keys_of_the_original_that_mean_nothing_may_have_any_value(self) -> None:
        section = self.globes(WriteTimeout=10, static="public", redisurl={"a": [1]})
        self.assertEqual(
            (section.write_timeout, section.static, section.redis_url),
            (10, "public", {"a": [1]}),
        )
        self.assertEqual(self.globes(ReadTimeout=2.5).read_timeout, 2.5)

    def test_the_path_of_a_store_is_relative_to_the_configuration(self) -> None:
        here = self.directory.absolute()
        self.assertIsNone(self.read({"globes": {}}).top.store)
        for store, whole in (
            ("sqlite:///rooms.db", f"sqlite:///{here}/rooms.db"),
            ("sqlite:///kept here/ä.db", f"sqlite:///{here}/kept here/ä.db"),
            ("sqlite:////var/lib/rooms.db", "sqlite:////var/lib/rooms.db"),
            ("sqlite:///:memory:", "sqlite:///:memory:"),
            ("postgresql://u:p@h/d", "postgresql://u:p@h/d"),
            ("rooms.db", "rooms.db"),
        ):
            self.assertEqual(self.read({"store": store}).top.store, Secret(whole))
        self.environ["STORE"] = "sqlite:///rooms.db"
        found = self.read({"store": {"env": "STORE"}}).top.store
        self.assertEqual(found, Secret(f"sqlite:///{here}/rooms.db"))

    def test_the_password_of_a_store_does_not_show(self) -> None:
        config = self.read({"store": "postgresql+psycopg://u:canary-7f3a@h/d"})
        self.assertNotIn("canary", repr(config) + str(config.top.store))
        self.assertNotIn("canary", self.error({"store": ["canary-7f3a"]}))

    def test_secrets_do_not_show(self) -> None:
        section = self.multichat(secret_key="canary-7f3a")
        self.assertNotIn("canary", repr(section) + str(section.secret_key))


class NodeConfigTests(SynchronousTestCase):
    """What only the node can tell of a configuration."""

    def error(self, raw: dict[str, Any]) -> str:
        config = build(raw, SECTIONS)
        error = self.assertRaises(ConfigError, Node, config, MemoryReactorClock())
        return str(error)

    def test_configurations_that_cannot_be_served(self) -> None:
        multi = {"secret-key": "s", "host": "127.0.0.1:1"}
        for raw, message in (
            ({}, "no protocol is configured"),
            ({"machat": {"tcp": None, "ws": None}}, "no protocol is configured"),
            (
                {"machat": {"tcp": "127.0.0.1:1", "ws": "127.0.0.1:1"}},
                "machat.ws: has the address of machat.tcp",
            ),
            (
                {
                    "multichat": {**multi, "ws-path": "/mychat"},
                    "machat": {"tcp": None, "ws": "127.0.0.1:1"},
                },
                "machat.ws: has the address and the path of multichat.host",
            ),
            (
                {
                    "multichat": {**multi, "wss": {"keyfile": "k", "certfile": "c"}},
                    "machat": {"ws": "127.0.0.1:1"},
                },
                "machat.ws: has the address of multichat.host, but not the same cert",
            ),
            (
                {"machat": {}, "bridges": [["multichat", "irc/x"]]},
                "bridges[0]: irc/x is no channel",
            ),
            ({"webtalk": {"sender": "a:b"}}, "webtalk.sender: must not have a colon"),
            ({"globes": {}}, "store: is missing, and globes needs it"),
            ({"globes": {}, "store": "rooms.db"}, "store: should be sqlite:///FILE or"),
            (
                {"globes": {"secret-key": "s" * 31}},
                "globes.secret-key: has less than 32 bytes (if it is not in the file,"
                " it is the environment's SECRET_KEY)",
            ),
            ({"globes": {"keyfile": "k"}}, "globes.certfile: is missing, and HTTPS"),
            ({"globes": {"certfile": "c"}}, "globes.keyfile: is missing, and HTTPS"),
            (
                {"globes": {"address": "127.0.0.1:8989"}, "machat": {}, **STORE},
                "globes.address: has the address of machat.tcp",
            ),
            (
                {"globes": {"keyfile": "absent", "certfile": "absent"}, **STORE},
                "globes.keyfile: absent: No such file",
            ),
        ):
            self.assertIn(message, self.error(raw))

    def test_bridges_of_channels_that_there_cannot_be(self) -> None:
        for names, message in (
            (["multichat/x", "machat/a"], "multichat/x is no channel of multichat"),
            (["multichat", "machat"], "machat is no room of MaChat"),
            (["multichat", "webtalk/01"], "webtalk/01 is no channel of webtalk"),
            (["multichat", "webtalk-whispers/1"], "webtalk-whispers/1 is no channel"),
            (["webtalk/1", "machat/a", "webtalk/2"], "whoever is in both would hear"),
            (["globes/0", "machat/a"], "globes/0 is no room of Globes, as globes/1 is"),
            (["globes/01", "machat/a"], "globes/01 is no room of Globes"),
            (["globes", "machat/a"], "globes is no room of Globes"),
            (["globes/Public Chat", "machat/a"], "Chat is no room of Globes"),
        ):
            found = self.error({"machat": {}, "bridges": [names]})
            self.assertIn(f"bridges[0]: {names[0]}"[:12], found)
            self.assertIn(message, found)

    def test_whoever_reaches_the_private_port_may_do_everything(self) -> None:
        for host in "0.0.0.0:1", ":1", "192.0.2.1:1", "[::]:1", "tcp:1", "ssl:1":
            found = self.error({"webtalk": {"private": host}})
            self.assertIn(f"webtalk.private: other machines can reach {host}", found)
        files = make_files(Path(self.mktemp()))
        tls = {"keyfile": files.keyfile, "certfile": files.certfile}
        without = {"webtalk": {"private": "0.0.0.0:1", "private-tls": tls}}
        self.assertIn("webtalk.private: other machines", self.error(without))
        for more in (
            {"private": "127.0.0.1:1"},
            {"private": "unix:/tmp/x"},
            {"secret": "a good one"},
            {"open": True},
            {"private-tls": {**tls, "client-cafile": files.certfile}},
        ):
            raw = {"webtalk": {"private": "0.0.0.0:1", **more}}
            Node(build(raw, SECTIONS), MemoryReactorClock())

    def test_the_secret_of_the_private_port(self) -> None:
        raw = {"webtalk": {"private": "0.0.0.0:1", "secret": "change-me"}}
        self.assertIn("webtalk.secret: is an example's", self.error(raw))
        raw = {"webtalk": {"private": "0.0.0.0:1", "secret": "good"}}
        self.assertIn(
            "webtalk.private: without TLS webtalk.secret",
            self.error({**raw, "require-tls": True}),
        )
        # Not asked for at the browsers' door, which everybody may reach.
        raw = {"webtalk": {"public": "0.0.0.0:1", "secret": "change-me"}}
        Node(build({**raw, "require-tls": True}, SECTIONS), MemoryReactorClock())

    def test_an_example_secret_is_refused_where_others_can_reach_it(self) -> None:
        for host in "0.0.0.0:1", ":1", "192.0.2.1:1", "[::]:1", "tcp:1", "systemd:x":
            raw = {"multichat": {"host": host, "secret-key": "change-me"}}
            self.assertIn("multichat.secret-key: is an example's", self.error(raw))

    def test_an_example_secret_may_stay_at_home(self) -> None:
        for host in "127.0.0.1:1", "localhost:1", "[::1]:1", "unix:/tmp/x":
            raw = {"multichat": {"host": host, "secret-key": "change-me"}}
            Node(build(raw, SECTIONS), MemoryReactorClock())

    def test_tls_can_be_required(self) -> None:
        multi = {"host": "0.0.0.0:1", "secret-key": "a good one"}
        raw = {"multichat": multi, "require-tls": True}
        self.assertIn(
            "multichat.host: without TLS multichat.secret-key", self.error(raw)
        )
        files = make_files(Path(self.mktemp()))
        tls = {"keyfile": files.keyfile, "certfile": files.certfile}
        for good in {**multi, "wss": tls}, {**multi, "host": "127.0.0.1:1"}:
            Node(build({**raw, "multichat": good}, SECTIONS), MemoryReactorClock())
