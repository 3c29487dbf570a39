# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Configurations that are not safe do not start: one line with the key, status 78."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.certificates import make_files
from tests.server import Server

HOME = "127.0.0.1:0"
ANYWHERE = "0.0.0.0:0"
GOOD = "nobody has guessed this canary yet, ever"
JWT_SAMPLE = "my_secret_random_key_>_than_24_characters"
STORE = {"store": "sqlite:///rooms.db"}


class RefusalTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.running: list[tuple[str, Server]] = []

    def start(self, key: str, config: dict[str, Any], **environ: str) -> None:
        """Start a server, and go on; `environ` is the environment's."""
        server = Server(Path(self.mktemp()), config, environ=environ)
        self.addCleanup(server.kill)
        self.running.append((key, server))
        # As many at once as there is something to run them on.
        if len(self.running) == 4:
            self.assert_refused()

    def assert_refused(self) -> None:
        for key, server in self.running:
            self.assertEqual(server.wait(), 78, f"{key}:\n{server.log}")
            self.assertEqual(server.log.count("\n"), 1, server.log)
            self.assertTrue(server.log.startswith(f"chatmux: {key}: "), server.log)
            for secret in GOOD, JWT_SAMPLE, "s3cret":
                self.assertNotIn(secret, server.log)
        self.running.clear()

    def files(self, **options: Any) -> dict[str, str]:
        made = make_files(Path(self.mktemp()).absolute(), **options)
        return {"keyfile": made.keyfile, "certfile": made.certfile}

    def test_keys_of_tokens_that_others_know_or_can_guess(self) -> None:
        def globes(**keys: str) -> dict[str, Any]:
            return {"globes": {"address": HOME, **keys}, **STORE}

        key = "globes.secret-key"
        self.start(key, globes(**{"secret-key": JWT_SAMPLE, "address": ANYWHERE}))
        self.start(key, globes(**{"secret-key": "x" * 31}))
        self.start(key, globes(**{"secret-key": ""}))
        self.start(key, globes(), SECRET_KEY="s3cret")
        self.assert_refused()

    def test_secrets_of_examples_where_others_can_reach_them(self) -> None:
        multichat = {"host": ANYWHERE, "secret-key": "change-me"}
        webtalk = {"private": ANYWHERE, "public": HOME, "secret": "change-me"}
        admin = {"address": ANYWHERE, "admin-token": "change-me"}
        self.start("multichat.secret-key", {"multichat": multichat})
        self.start("webtalk.secret", {"webtalk": webtalk})
        self.start("globes.admin-token", {"globes": admin, **STORE})
        self.start("multichat.secret-key", {"multichat": {**multichat, "host": ":0"}})
        self.assert_refused()

    def test_a_private_port_of_webtalk_that_is_anybodys(self) -> None:
        for private in ANYWHERE, ":0", "[::]:0":
            config = {"webtalk": {"private": private, "public": HOME}}
            self.start("webtalk.private", config)
        # A certificate of the server's is none of the client's.
        open_tls = {"private": ANYWHERE, "public": HOME, "private-tls": self.files()}
        self.start("webtalk.private", {"webtalk": open_tls})
        self.assert_refused()

    def test_secrets_in_the_clear_where_tls_is_required(self) -> None:
        required = {"require-tls": True}
        multichat = {"host": ANYWHERE, "secret-key": GOOD}
        webtalk = {"private": ANYWHERE, "public": HOME, "secret": GOOD}
        self.start("multichat.host", {"multichat": multichat, **required})
        self.start("webtalk.private", {"webtalk": webtalk, **required})
        globes = {"globes": {"address": ANYWHERE}, **STORE}
        self.start("globes.address", {**globes, **required})
        self.assert_refused()

    def test_certificates_that_are_of_no_use(self) -> None:
        def multichat(files: dict[str, str]) -> dict[str, Any]:
            section = {"host": HOME, "secret-key": GOOD, "wss": files}
            return {"multichat": section}

        good = self.files()
        broken = Path(self.mktemp()).absolute()
        broken.write_bytes(Path(good["certfile"]).read_bytes()[:200])
        other = self.files(key_of_another=True)
        guarded = self.files(password=b"s3cret")
        self.start("multichat.wss.certfile", multichat(other))
        self.start("multichat.wss.keyfile", multichat(guarded))
        cut = multichat({**good, "certfile": str(broken)})
        self.start("multichat.wss.certfile", cut)
        tls = {**good, "client-cafile": str(broken)}
        webtalk = {"private": ANYWHERE, "public": HOME, "private-tls": tls}
        self.start("webtalk.private-tls.client-cafile", {"webtalk": webtalk})
        half = {"globes": {"address": HOME, "keyfile": good["keyfile"]}, **STORE}
        self.start("globes.certfile", half)
        absent = {"globes": {"address": HOME, **good, "certfile": "absent"}, **STORE}
        self.start("globes.certfile", absent)
        self.assert_refused()

    def test_keys_that_somebody_has_misspelt(self) -> None:
        # What is meant to be closed would stay open.
        self.start("require-tsl", {"machat": {"tcp": HOME}, "require-tsl": True})
        limits = {"opening-second": 1}
        self.start("limits.opening-second", {"machat": {}, "limits": limits})
        self.assert_refused()
