# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The pages of the protocols: every example is replayed."""

from __future__ import annotations

from pathlib import Path

import jwt
import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatmux import passwords, tries
from chatmux.model import Room
from chatmux.node import SECTIONS
from chatmux.protocols import globes, machat, multichat, webtalk
from chatmux.protocols.globes import openapi, tokens
from chatmux.protocols.globes.content import (
    DESCRIPTION_BYTES,
    PASSWORD_BYTES,
    TITLE_BYTES,
)
from chatmux.settings import Limits, Secret
from chatmux.text import NAME_LENGTH
from chatmux.transports import http_channel
from tests.documents import (
    PROTOCOL_PAGES,
    fenced,
    rows,
    section_of,
    without_ticks,
)
from tests.replay import Replay


class ProtocolPageTests(SynchronousTestCase):
    def test_examples(self) -> None:
        replayed = dict.fromkeys(
            (
                *("multichat", "machat", "machat-ws", "bridge"),
                *("webtalk", "webtalk-strict", "webtalk-wire"),
                *("globes", "http", "http-open", "http-conceal"),
            ),
            0,
        )
        for page in PROTOCOL_PAGES.values():
            for language, example in fenced(page):
                if language in ("", "js"):
                    continue
                Replay(language, Path(self.mktemp())).run(example)
                replayed[language] += 1
        self.assertTrue(all(replayed.values()), replayed)

    def test_a_wrong_example_is_found(self) -> None:
        wrong = (
            '-> {"name":"ann"}\n-> hello\\n\n<- ann:hell\\n\n',
            '-> {"name":"ann"}\n-> hello\\n\n',
            '-> {"name":"ann"}\n<- ann:hello\\n\n',
            "ann: hello\n",
        )
        answer = '200 {"status":true}'
        asked = f'-> POST /chats/1/token {{"name":"ann"}}\n<- {answer}\n'
        opened = "-> GET /chats/1/ws\n<- 101\n"
        refused = f'{opened}-> {{"event_type":"send","name":"a","msg":"b"}}\n'
        wrong_of_globes = (
            asked.replace("200", "201"),
            asked.replace("true", "TIME"),
            asked.replace(answer, f"[Retry-After: 1] {answer}"),
            asked.partition("<-")[0],
            refused,
            opened.replace("101", "403"),
            "-> hello\n",
        )
        Replay("http", Path(self.mktemp())).run(asked)
        Replay("globes", Path(self.mktemp())).run(opened)
        for language, examples in ("machat", wrong), ("globes", wrong_of_globes):
            for example in examples:
                with self.assertRaises(AssertionError, msg=example):
                    Replay(language, Path(self.mktemp())).run(example)

    def test_every_protocol_has_its_page(self) -> None:
        self.assertEqual(set(PROTOCOL_PAGES), set(SECTIONS))

    def test_limits(self) -> None:
        limits = Limits()
        to_multichat = multichat.Section(secret_key=Secret("canary"))
        to_machat = machat.Section()
        sizes = {
            "multichat": (multichat.OPENING_BYTES, to_multichat.message_bytes),
            "machat": (
                machat.HELLO_BYTES,
                to_machat.line_bytes,
                to_machat.message_bytes,
            ),
            "webtalk": (
                webtalk.OPENING_BYTES,
                webtalk.LONGEST_FRAME,
                webtalk.LOGIN_BYTES,
            ),
            "globes": (
                globes.Section().body_bytes,
                globes.Section().event_bytes,
                PASSWORD_BYTES[1],
                *(TITLE_BYTES[1], DESCRIPTION_BYTES),
                limits.header_bytes,
            ),
        }
        for name, page in PROTOCOL_PAGES.items():
            table = section_of(page, "Limits")
            for size in sizes[name]:
                self.assertIn(f"{size:,} bytes", table)
            for seconds in (limits.opening_seconds, limits.message_seconds):
                self.assertIn(f"| {seconds} s", table)
            self.assertIn(f"| {limits.fragments:,} |", table)
            ping = (
                f"{limits.pong_seconds} s; a ping comes every {limits.ping_seconds} s"
            )
            self.assertIn(ping, table)
            self.assertIn(f"{limits.stall_seconds} s without taking a byte", table)
            self.assertIn(f"{limits.log_bytes >> 20} MiB behind", table)
            self.assertIn(f"| {limits.messages_per_second:,} a second |", table)
            self.assertIn(
                f"| {limits.max_connections_per_address:,} of one address |", table
            )
            if name == "webtalk":
                continue
            self.assertIn(f"| {limits.max_members:,} |", table)
            self.assertIn(f"| {limits.delivered_per_second:,} characters a", table)

    def test_limits_of_webtalk(self) -> None:
        table = section_of(PROTOCOL_PAGES["webtalk"], "Limits")
        section = webtalk.Section()
        self.assertIn(f"| users | {section.max_users:,} |", table)
        self.assertIn(f"| channels | {section.max_channels:,} |", table)

    def test_limits_of_globes(self) -> None:
        table = section_of(PROTOCOL_PAGES["globes"], "Limits")
        section = globes.Section()
        for words in (
            f"| a name | {NAME_LENGTH} characters |",
            f"{http_channel.HEADERS} lines |",
            f"| {Limits().idle_seconds} s | the connection ends |",
            f"| {section.wrong_passwords} in {tries.WINDOW_SECONDS} s | 429 |",
            f"| rooms | {section.max_rooms:,} | 503 |",
            f"| {section.new_rooms_per_hour:,} in an hour from one address;",
            f"| {passwords.WAITING} | 503 |",
        ):
            self.assertIn(words, table)
        self.assertEqual(section.login_seconds, 7 * 24 * 3600)

    def test_claims_of_tokens(self) -> None:
        table = rows(section_of(PROTOCOL_PAGES["globes"], "Tokens"))
        room = Room(2, "Tea", "", "private", "a hash", 1, False, 0, 0)
        made = tokens.Tokens(bytes(32), lambda: 0, 1e6).make(room, "ann")
        claims = jwt.decode(made, options={"verify_signature": False})
        self.assertEqual([without_ticks(row[0]) for row in table], [*claims])
        self.assertIn(f"{tokens.LIFE_SECONDS:,} s after", table[2][1])

    def test_routes(self) -> None:
        table = rows(section_of(PROTOCOL_PAGES["globes"], "Routes"))
        named = {without_ticks(row[0]).replace("ROOM", "{room}") for row in table}
        paths = msgspec.json.decode(openapi.DOCUMENT)["paths"]
        described = {
            f"{method.upper()} {path}"
            for path, methods in paths.items()
            for method in methods
            if method != "parameters"
        }
        self.assertEqual(named, described)
