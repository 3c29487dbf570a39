# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Who may ask the operator's API: tokens, names of the address, pages of others."""

from __future__ import annotations

from chatmux.admin.door import WRONG_TOKENS
from chatmux.admin.page import SECURITY, page_of
from chatmux.door import Answer, Upgrade
from chatmux.errors import ConfigError
from chatmux.protocols.globes.site import SECURITY as PEOPLES
from chatmux.settings import Secret
from chatmux.tries import WINDOW_SECONDS
from tests.admin_doubles import HOST, PAGE, TOKEN, APITestCase


class TokenTests(APITestCase):
    def setUp(self) -> None:
        super().setUp()
        self.door = self.make(token=Secret(TOKEN))

    def shown(self, token: str) -> Answer:
        return self.ask("GET", "/api/server", authorization=f"Bearer {token}")

    def upgrade(self, **headers: str) -> Upgrade | Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.door.upgrade(self.request("GET", "/api/events", None, named))

    def test_the_right_one(self) -> None:
        self.assertEqual(self.shown(TOKEN).status, 200)
        self.assertEqual(
            self.ask("GET", "/api/server", authorization=TOKEN).status, 200
        )

    def test_none_and_wrong_ones(self) -> None:
        for path in "server", "samples", "connections", "nothing":
            answer = self.ask("GET", f"/api/{path}")
            self.assert_problem(answer, 401, "a token is needed")
            self.assertIn(("WWW-Authenticate", "Bearer"), answer.headers)
        self.assert_problem(self.ask("POST", "/api/notice", {}), 401, "needed")
        for token in TOKEN[:-1], TOKEN + "x", "é", "Bearer":
            self.assert_problem(self.shown(token), 401, "wrong")

    def test_ten_wrong_ones_a_minute(self) -> None:
        for _ in range(WRONG_TOKENS):
            self.assertEqual(self.shown("wrong").status, 401)
        answer = self.shown("wrong")
        self.assert_problem(answer, 429, "too many")
        self.assertIn(("Retry-After", str(WINDOW_SECONDS)), answer.headers)
        self.assert_problem(self.upgrade(sec_websocket_protocol="wrong"), 429, "")
        # Who has the right one is not kept out by others of the same address.
        self.assertEqual(self.shown(TOKEN).status, 200)
        self.clock.advance(WINDOW_SECONDS)
        self.assertEqual(self.shown("wrong").status, 401)

    def test_the_page_asks_for_none(self) -> None:
        self.assertEqual(self.ask("GET", "/").status, 200)

    def test_as_a_subprotocol(self) -> None:
        granted = self.upgrade(sec_websocket_protocol=f"{TOKEN}, more")
        assert isinstance(granted, Upgrade)
        self.assertEqual(granted.subprotocol, TOKEN)
        self.assert_problem(self.upgrade(sec_websocket_protocol="no"), 401, "wrong")
        self.assert_problem(self.upgrade(), 401, "needed")
        granted = self.upgrade(authorization=f"Bearer {TOKEN}")
        assert isinstance(granted, Upgrade)
        self.assertIsNone(granted.subprotocol)


class OriginTests(APITestCase):
    def both(self, **headers: str) -> list[Answer | Upgrade]:
        """Answer a POST and a handshake with some headers."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        handshake = self.request("GET", "/api/events", None, named)
        told = self.ask("POST", "/api/connections/1/close", {}, **headers)
        return [told, self.door.upgrade(handshake)]

    def test_names_of_the_address(self) -> None:
        for host in HOST, "localhost:8090", "LOCALHOST", "[::1]:8090":
            closed, granted = self.both(host=host, origin=f"http://{host}")
            self.assert_problem(closed, 404, "")
            self.assertIsInstance(granted, Upgrade)

    def test_a_page_that_has_rebound_its_name(self) -> None:
        for host in "evil.example", "127.0.0.1.evil.example:8090", "", "[", "0.0.0.0":
            for answer in self.both(host=host, origin=f"http://{host}"):
                self.assert_problem(answer, 403, "this is not")
            self.assertEqual(self.ask("GET", "/", host=host).status, 403)

    def test_pages_of_others(self) -> None:
        for origin in (
            "http://evil.example",
            "null",
            "http://127.0.0.1:3000",
            "http://127.0.0.1",
            f"http://{HOST}.evil.example",
            "http://[",
            "",
        ):
            for answer in self.both(origin=origin):
                self.assert_problem(answer, 403, "origin")
        for site in "cross-site", "same-site":
            for answer in self.both(sec_fetch_site=site):
                self.assert_problem(answer, 403, "origin")
        for site in "same-origin", "none":
            self.assert_problem(self.both(sec_fetch_site=site)[0], 404, "")

    def test_a_link_leads_to_the_page(self) -> None:
        self.assertEqual(self.ask("GET", "/", sec_fetch_site="cross-site").status, 200)

    def test_names_of_other_addresses(self) -> None:
        token = Secret(TOKEN)
        for section, host, status in (
            ({"hosts": ("Admin.Example",)}, "admin.example", 200),
            ({"address": "127.0.0.2:8090"}, "127.0.0.2:8090", 200),
            ({"address": "127.0.0.2:8090"}, "other", 403),
            ({"address": "tcp:8090:interface=127.0.0.1"}, "evil.example", 403),
            ({"address": "tcp:8090:interface=127.0.0.1"}, "127.0.0.1:8090", 200),
            ({"address": "unix:/run/chatmux/admin"}, "anything", 200),
            ({"address": "0.0.0.0:8090", "token": token}, "anything", 200),
            (
                {"address": ":8090", "token": token, "hosts": ("admin.example",)},
                "other",
                403,
            ),
        ):
            self.door = self.make(**section)
            self.assertEqual(self.ask("GET", "/", host=host).status, status, section)


class DoorTests(APITestCase):
    def test_where_others_can_reach_it_there_has_to_be_a_token(self) -> None:
        for address in (
            "0.0.0.0:8090",
            ":8090",
            "tcp:8090",
            "haproxy:tcp:8090:interface=127.0.0.1",
        ):
            with self.assertRaises(ConfigError) as raised:
                self.make(address=address)
            self.assertIn("admin.address", str(raised.exception))
            self.make(address=address, token=Secret(TOKEN))

    def test_a_token_has_to_fit_in_a_header_and_not_to_be_guessed(self) -> None:
        for token in (
            "short",
            "with a blank in it, or two",
            "base64/with+slash==",
            "é" * 16,
        ):
            with self.assertRaises(ConfigError) as raised:
                self.make(token=Secret(token))
            self.assertIn("admin.token", str(raised.exception))

    def test_the_page(self) -> None:
        answer = self.ask("GET", "/")
        headers = dict(answer.headers)
        self.assertEqual(answer.body, b"<!DOCTYPE html>")
        self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
        again = self.ask("GET", "/", if_none_match='W/"0", "1"')
        self.assertEqual((again.status, again.body), (304, b""))
        self.assertEqual(SECURITY, PEOPLES)

    def test_the_files_of_the_page(self) -> None:
        asset = PAGE["/"]
        paths = ("index.html", "base.css", "chat/main.js", "admin/main.js")
        assets = dict.fromkeys((*paths, "admin/index.html"), asset)
        self.assertEqual(
            sorted(page_of(assets)), ["/", "/web/admin/main.js", "/web/base.css"]
        )
