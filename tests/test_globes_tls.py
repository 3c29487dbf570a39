# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Globes over HTTPS: curl with the certificate, and a WebSocket with a token."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from chatmux.settings import TLSFiles
from tests.certificates import client_context, make_files
from tests.globes_server import CONFIG, GLOBES, PASSWORD, GlobesTestCase, curl
from tests.server import DEADLINE_SECONDS


class TLSTests(GlobesTestCase):
    def setUp(self) -> None:
        self.files = make_files(Path(self.mktemp()).absolute())

    def config(self, **section: Any) -> dict[str, Any]:
        return {**CONFIG, "globes": {**GLOBES, **section}, "require-tls": True}

    def assert_served(self, config: dict[str, Any]) -> None:
        server = self.serve(config)
        (port,) = server.ports("globes.address")
        own = ("--cacert", self.files.certfile)
        url = f"https://127.0.0.1:{port}/chats"
        wish = {"title": "Private", "visibility": "private", "password": PASSWORD}
        made = curl(*own, "-d", json.dumps(wish), url)
        self.assertEqual(made.status, 201)
        login = json.dumps({"name": "ann", "secret": PASSWORD})
        answer = curl(*own, "-d", login, f"{url}/2/token")
        token = answer.json["token"]
        context = client_context(self.files)
        ann = self.member(port, 2, token, "ann", ssl=context)
        header = {"Authorization": token}
        watch = self.member(port, 2, ssl=context, additional_headers=header)
        ann.say("send", "ann", msg="hello")
        self.assertEqual(watch.heard(1), [("send", "ann", "hello")])
        client = self.rest(port, context)
        for _ in range(3):
            self.assertEqual(len(client.ask("GET", "/chats/2").json["users"]), 1)
        client.close()
        self.assertEqual(server.stop(), 0)
        self.assertEqual(ann.end()[0], 1001)
        self.assertNotIn("in the clear", server.log)
        self.assertNotIn("Traceback", server.log)

    def test_by_keyfile_and_certfile(self) -> None:
        files = {"keyfile": self.files.keyfile, "certfile": self.files.certfile}
        self.assert_served(self.config(**files))

    def test_by_an_endpoint(self) -> None:
        key, certificate = self.files.keyfile, self.files.certfile
        address = f"ssl:0:privateKey={key}:certKey={certificate}:interface=127.0.0.1"
        self.assert_served(self.config(address=address))

    def test_what_is_no_tls_gets_nothing(self) -> None:
        files = {"keyfile": self.files.keyfile, "certfile": self.files.certfile}
        (port,) = self.serve(self.config(**files)).ports("globes.address")
        with socket.create_connection(("127.0.0.1", port), DEADLINE_SECONDS) as raw:
            raw.sendall(b"GET /chats HTTP/1.1\r\nHost: x\r\n\r\n")
            came = b""
            while data := raw.recv(4096):
                came += data
        self.assertNotIn(b"Public Chat", came)
        self.assertNotIn(b"HTTP/1.1 200", came)

    def test_a_key_of_another_certificate_is_refused(self) -> None:
        other = make_files(Path(self.mktemp()).absolute(), key_of_another=True)
        for files in (
            other,
            TLSFiles(keyfile="absent", certfile=self.files.certfile),
        ):
            config = self.config(keyfile=files.keyfile, certfile=files.certfile)
            server = self.serve(config)
            self.assertEqual(server.wait(), 78)
            self.assertRegex(server.log, r"\Achatmux: globes\.(key|cert)file: .*\n\Z")

    def test_a_public_address_without_it(self) -> None:
        config = self.config(address="0.0.0.0:0")
        server = self.serve(config)
        self.assertEqual(server.wait(), 78)
        self.assertRegex(server.log, r"\Achatmux: globes\.address: .*clear\n\Z")
        config["require-tls"] = False
        server = self.serve(config)
        self.rest(server).ask("GET", "/chats")
        self.assertEqual(server.stop(), 0)
        for secret in (
            "globes.admin-token travels",
            "rooms' passwords and tokens travel",
        ):
            self.assertEqual(server.log.count(secret), 1)
