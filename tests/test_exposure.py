# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What of Globes others could read on the way, or guess; and keys of no effect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatmux.config import build
from chatmux.errors import ConfigError
from chatmux.node import SECTIONS, Node
from tests.certificates import make_files
from tests.replay_globes import Pump

KEY = "a key of thirty-two bytes or more"
EXAMPLE_KEY = "my_secret_random_key_>_than_24_characters"
CARRIED = "the rooms' passwords and tokens travel in the clear"


class ThreadsMemoryReactor(MemoryReactorClock):
    """With what threads hand over, done when it is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.threads = Pump()
        self.callFromThread = self.threads.callFromThread


class GlobesExposureTests(SynchronousTestCase):
    def node(self, reactor: Any = None, *, top: Any = None, **keys: Any) -> Node:
        section = {key.replace("_", "-"): value for key, value in keys.items()}
        store = {"store": f"sqlite:///{Path(self.mktemp()).absolute()}"}
        raw = {"globes": section, **store, **(top or {})}
        return Node(build(raw, SECTIONS), reactor or ThreadsMemoryReactor())

    def error(self, **keys: Any) -> str:
        return str(self.assertRaises(ConfigError, self.node, **keys))

    def warnings(self, **keys: Any) -> list[str]:
        """Return what a node warns of at its start."""
        reactor = ThreadsMemoryReactor()
        node = self.node(reactor, **keys)
        with capturedLogs() as logs:
            node.startService()
            reactor.threads.wait(node.opened)
        reactor.threads.wait(node.stopService())
        return [
            str(formatEvent(event))
            for event in logs
            if event["log_level"] is LogLevel.warn
        ]

    def tls(self) -> dict[str, str]:
        files = make_files(Path(self.mktemp()))
        return {"keyfile": files.keyfile, "certfile": files.certfile}

    def test_behind_a_proxy_on_this_machine_tls_is_the_proxys_care(self) -> None:
        top = {"trusted-proxies": ["127.0.0.1"]}
        inside = "haproxy:tcp:8080:interface=127.0.0.1"
        for address in inside, "haproxy:unix:/run/chatmux.sock":
            self.assertEqual(self.warnings(address=address, top=top), [])
        for address in "haproxy:tcp:8080", "haproxy:tcp:80:interface=192.0.2.1":
            (warning,) = self.warnings(address=address, top=top)
            self.assertIn(CARRIED, warning)
        # But whoever comes is from elsewhere.
        error = self.error(address=inside, secret_key=EXAMPLE_KEY, top=top)
        self.assertIn("others can reach globes.address", error)

    def test_behind_a_proxy_it_has_to_be_said_which(self) -> None:
        error = self.error(address="haproxy:tcp:8080:interface=127.0.0.1")
        self.assertTrue(error.startswith("globes.address: haproxy: needs"), error)
        self.assertIn("trusted-proxies", error)

    def test_nothing_is_exposed_at_home(self) -> None:
        for address in "127.0.0.1:1", "[::1]:1", "unix:/tmp/x":
            keys = {"address": address, "admin_token": "change-me"}
            keys |= {"secret_key": EXAMPLE_KEY}
            self.assertEqual(self.warnings(**keys, top={"require-tls": True}), [])

    def test_what_travels_in_the_clear_is_a_warning_for_each_secret(self) -> None:
        for address in "0.0.0.0:1", ":1", "192.0.2.1:1", "tcp:1":
            keys = {"address": address, "secret_key": KEY}
            carried = f"globes.address: {CARRIED}: it is without TLS"
            self.assertEqual(self.warnings(**keys), [carried])
            token = "globes.admin-token travels in the clear: others can reach it"
            found = self.warnings(**keys, admin_token="good")
            self.assertEqual(found, [f"{token} without TLS", carried])

    def test_with_tls_there_is_none(self) -> None:
        keys: dict[str, Any] = {"address": "0.0.0.0:1", "admin_token": "good"}
        self.assertEqual(self.warnings(**keys, **self.tls()), [])
        required = {"require-tls": True}
        self.assertEqual(self.warnings(**keys, **self.tls(), top=required), [])

    def test_tls_can_be_required(self) -> None:
        required = {"require-tls": True}
        for keys, words in (
            ({}, f"globes.address: without TLS {CARRIED}"),
            ({"secret_key": KEY}, f"globes.address: without TLS {CARRIED}"),
            (
                {"admin_token": "good"},
                "globes.address: without TLS globes.admin-token travels in the clear",
            ),
        ):
            error = self.error(address="0.0.0.0:1", top=required, **keys)
            self.assertEqual(error, words)

    def test_secrets_of_examples_are_refused_with_tls_too(self) -> None:
        tls = self.tls()
        for more in {}, tls:
            for key, value in ("admin-token", "secret"), ("secret-key", EXAMPLE_KEY):
                error = self.error(address="0.0.0.0:1", **{key: value}, **more)
                self.assertIn(f"globes.{key}: is an example's, and others can", error)

    def test_keys_of_the_original_that_mean_nothing_are_named(self) -> None:
        keys = {"ReadTimeout": 5, "WriteTimeout": 0, "Static": "public", "RedisURL": ""}
        names = "WriteTimeout", "Static", "RedisURL"
        expected = [f"globes.{name} has no effect" for name in names]
        self.assertEqual(self.warnings(**keys), expected)
        self.assertEqual(self.warnings(WriteTimeout=None), [])
