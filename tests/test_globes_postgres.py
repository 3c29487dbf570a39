# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Globes over PostgreSQL: the server a process, and the database's one, too."""

from __future__ import annotations

from pathlib import Path

from tests.globes_server import GLOBES, PASSWORD, GlobesTestCase
from tests.postgres import PASSWORD as DATABASE_PASSWORD
from tests.postgres import QUOTED_PASSWORD, cluster


class PostgresTests(GlobesTestCase):
    def setUp(self) -> None:
        self.cluster = cluster()
        url = self.cluster.url(self.cluster.empty_database())
        self.config = {"globes": GLOBES, "store": url}

    def test_rooms_outlive_a_restart_of_both(self) -> None:
        server = self.serve(self.config)
        client = self.rest(server)
        room = client.add("Private", PASSWORD, description="größe")
        client.add("Public")
        token = client.token(room, "ann")
        before = client.ask("GET", "/chats").json
        self.assertEqual(server.stop(), 0)
        for secret in DATABASE_PASSWORD, QUOTED_PASSWORD:
            self.assertNotIn(secret, server.log)
        self.cluster.stop()
        self.cluster.start()
        server = self.serve(self.config)
        (port,) = server.ports("globes.address")
        self.assertEqual(self.rest(port).ask("GET", "/chats").json, before)
        self.member(port, room, token, "ann")
        self.assertEqual(server.stop(), 0)

    def test_two_servers_share_the_key_and_the_titles(self) -> None:
        directory = Path(self.mktemp())
        one, two = self.serve(self.config), self.serve(self.config, directory)
        first, second = self.rest(one), self.rest(two)
        room = first.add("Private", PASSWORD)
        token = first.token(room, "ann")
        # The other has not read the room, but cannot take its title or its id.
        wish = {"title": "PRIVATE", "visibility": "public"}
        taken = second.ask("POST", "/chats", wish)
        self.assertEqual(taken.fault, (400, 102, "title"))
        self.assertGreater(second.add("Other"), room)
        self.assertEqual(two.stop(), 0)
        two = self.serve(self.config, directory)
        (port,) = two.ports("globes.address")
        second = self.rest(port)
        self.member(port, room, token, "ann")
        renewed = second.ask("GET", f"/chats/{room}/token/renew", token=token)
        self.assertEqual(renewed.status, 201)
        back = first.ask("DELETE", f"/chats/{room}", token=renewed.json["token"])
        self.assertEqual(back.status, 200)

    def test_without_its_database_it_says_so_and_goes_on(self) -> None:
        server = self.serve(self.config)
        client = self.rest(server)
        room = client.add("Private", PASSWORD)
        self.cluster.stop()
        self.addCleanup(self.cluster.start)
        wish = {"title": "Another", "visibility": "public"}
        refused = client.ask("POST", "/chats", wish)
        self.assertEqual((refused.status, refused.headers["retry-after"]), (503, "1"))
        # What needs no store is done.
        token = client.token(room, "ann")
        gone = client.ask("DELETE", f"/chats/{room}", token=token)
        self.assertEqual(gone.status, 503)
        self.assertEqual(client.ask("GET", f"/chats/{room}").status, 200)
        self.cluster.start()
        self.assertEqual(client.ask("POST", "/chats", wish).status, 201)
        gone = client.ask("DELETE", f"/chats/{room}", token=token)
        self.assertEqual(gone.status, 200)
        self.assertEqual(server.stop(), 0)
        self.assertNotIn("Traceback", server.log)
