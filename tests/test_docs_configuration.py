# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""docs/configuration.md against the code: keys, types, defaults, examples."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from chatmux.admin.section import Section as AdminSection
from chatmux.config import Config, Top, build, with_store
from chatmux.exposure import EXAMPLE_SECRETS
from chatmux.node import SECTIONS, Node
from chatmux.settings import Limits, Secret, Settings, TLSFiles
from chatmux.store.sql import SQLStore
from chatmux.values import Values
from tests.certificates import make_files
from tests.documents import (
    PAGES,
    ROOT,
    fenced,
    rows,
    section_of,
    without_ticks,
)

CONFIGURATION = ROOT / "docs/configuration.md"


def type_in_words(annotation: Any) -> str:
    """Return how the page says a field's type."""
    if isinstance(annotation, UnionType) or get_origin(annotation) is Union:
        return " or ".join(type_in_words(one) for one in get_args(annotation))
    if get_origin(annotation) is Annotated:
        return type_in_words(get_args(annotation)[0])
    if get_origin(annotation) is tuple:
        inner = type_in_words(get_args(annotation)[0])
        head, _, rest = inner.partition(" ")
        return "list of " + f"{head}s {rest}".strip()
    if get_origin(annotation) is Literal:
        return " or ".join(f'`"{one}"`' for one in get_args(annotation))
    words = {
        str: "string",
        Secret: "string",
        float: "number",
        int: "whole number",
        bool: "boolean",
        Any: "anything",
        type(None): "null",
    }
    return words.get(annotation, "object")


def default_in_words(field: msgspec.structs.FieldInfo) -> str:
    """Return how the page says a field's default."""
    if field.required:
        return "required"
    if isinstance(field.default, Settings):
        return "`{}`"
    return f"`{json.dumps(msgspec.to_builtins(field.default))}`"


class ConfigurationTests(SynchronousTestCase):
    def check_section(self, heading: str, section: type[Settings]) -> None:
        expected = [
            [f"`{f.encode_name}`", type_in_words(f.type), default_in_words(f)]
            for f in msgspec.structs.fields(section)
        ]
        table = rows(section_of(CONFIGURATION, heading))
        self.assertEqual([row[:3] for row in table], expected)
        for field, row in zip(msgspec.structs.fields(section), table, strict=True):
            if get_origin(field.type) is Annotated and get_args(field.type)[1].ge:
                self.assertIn(f"At least {get_args(field.type)[1].ge}", row[3])

    def test_keys_types_and_defaults(self) -> None:
        sections: dict[str, type[Settings]] = {
            "Top level": Top,
            "limits": Limits,
            "admin": AdminSection,
            "multichat.wss": TLSFiles,
            **SECTIONS,
        }
        for heading, section in sections.items():
            self.check_section(heading, section)

    def test_sections(self) -> None:
        table = rows(section_of(CONFIGURATION, "Sections"))
        documented = [without_ticks(row[0]) for row in table]
        self.assertEqual(documented, [*SECTIONS, "admin", "limits"])

    def test_examples_can_be_served(self) -> None:
        directory = Path(self.mktemp())
        directory.mkdir()
        (directory / "multichat.secret").write_text("of a file\n")
        (directory / "multichat.secret").chmod(0o600)
        environ = {
            "MULTICHAT_SECRET": "of the environment",
            "MULTICHAT_HOST": "[::1]:6780",
            "GLOBES_ADMIN_TOKEN": "of-the-environment",
            "CHATMUX_ADMIN_TOKEN": "of-the-environment",
        }
        examples = [
            text
            for page in PAGES
            for language, text in fenced(page)
            if language == "json"
        ]
        self.assertGreater(len(examples), 8)
        files = make_files(Path(self.mktemp()))
        for text in examples:
            text = text.replace("/etc/chatmux/key.pem", files.keyfile)
            text = text.replace("/etc/chatmux/cert.pem", files.certfile)
            text = text.replace("/etc/chatmux/back-ends.pem", files.certfile)
            raw = Values(directory, environ).resolve(json.loads(text))
            config = self.with_some_store(build(raw, SECTIONS))
            self.assertTrue(Node(config, MemoryReactorClock()).listeners)

    def with_some_store(self, config: Config) -> Config:
        """Return a configuration with the store that a process would give it."""
        if config.top.store is not None:
            return config
        return with_store(config, Secret(f"sqlite:///{self.mktemp()}"))

    def test_stores(self) -> None:
        table = rows(section_of(CONFIGURATION, "Store"))
        urls = [without_ticks(row[0]) for row in table if "://" in row[0]]
        self.assertEqual(len(urls), 3)
        for url in urls:
            SQLStore(url, MemoryReactorClock())

    def test_addresses(self) -> None:
        for address in ("127.0.0.1:8989", "[::1]:8989", ":8989", "unix:/run/x.sock"):
            config = build({"machat": {"tcp": address, "ws": None}}, SECTIONS)
            reactor: Any = MemoryReactorClock()
            self.successResultOf(Node(config, reactor).listen())
            self.assertEqual(len(reactor.tcpServers + reactor.unixServers), 1)

    def test_error_line(self) -> None:
        with self.assertRaises(Exception) as raised:
            build({"machat": {"tpc": ""}}, SECTIONS)
        self.assertIn(f"chatmux: {raised.exception}\n", CONFIGURATION.read_text())

    def test_example_secrets_are_named(self) -> None:
        text = section_of(CONFIGURATION, "Secrets on public addresses")
        named = re.findall(r"`([\w-]+)`", text.partition("exit status")[0])
        for secret in named:
            self.assertIn(Secret(secret), EXAMPLE_SECRETS)
        self.assertIn("change-me", named)

    def test_example_file_boots(self) -> None:
        raw = json.loads((ROOT / "config.example.json").read_text())
        config = self.with_some_store(build(raw, SECTIONS))
        self.assertEqual(set(config.sections), set(SECTIONS))
        reactor: Any = MemoryReactorClock()
        node = Node(config, reactor)
        self.successResultOf(node.listen())
        self.assertEqual(
            sorted(server[0] for server in reactor.tcpServers),
            [6780, 8080, 8090, 8099, 8989, 12344, 12345],
        )
        self.assertEqual({server[3] for server in reactor.tcpServers}, {"127.0.0.1"})
