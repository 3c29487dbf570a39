# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Who may import whom, held to by reading the code."""

from __future__ import annotations

import ast
import configparser
import sys
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "chatmux"

VALUES = {"model", "errors", "text", "logtext", "address", "settings", "proxies"}
CONTRACTS = VALUES | {"interfaces", "door"}

OWN = {
    "model": set(),
    "errors": {"model"},
    "proxies": {"address", "errors"},
    "descriptors": set(),
    "text": set(),
    "logtext": set(),
    "address": set(),
    "settings": set(),
    "interfaces": {"model"},
    "door": {"interfaces", "model", "settings"},
    "values": {"errors"},
    "secrecy": {"settings", "values"},
    "log": {"errors", "logtext"},
    "logdamper": {"logtext"},
    "logsetup": {"log", "logdamper"},
    "floors": {"errors"},
    "exposure": {"address", "door", "errors", "settings"},
    "tries": set(),
    "admin": CONTRACTS | {"admin", "tries"},
    "config": {"admin", "errors", "secrecy", "settings", "values"},
    "threads": {"errors"},
    "passwords": CONTRACTS | {"threads"},
    "store": CONTRACTS | {"store", "threads"},
    "broker": CONTRACTS | {"broker"},
    "protocols": CONTRACTS | {"protocols", "tries"},
    "transports": CONTRACTS | {"transports"},
    "web": {"model"},
}
"""What each room may import of chatmux. Rooms that are not listed assemble."""

ASSEMBLE = {"node", "tap", "cli", "defaults", "embed", "__init__"}

OUTSIDE = {
    "settings": {"msgspec"},
    "values": {"dotenv"},
    "secrecy": {"msgspec"},
    "log": {"twisted"},
    "logdamper": {"twisted", "zope"},
    "logsetup": {"twisted", "zope"},
    "exposure": {"msgspec"},
    "config": {"msgspec"},
    "admin": {"msgspec"},
    "threads": {"twisted"},
    "passwords": {"argon2"},
    "store": {"sqlalchemy", "twisted"},
    "protocols": {"jwt", "msgspec"},
    "transports": {"twisted", "autobahn", "zope", "OpenSSL"},
}
"""What each may import of others besides the standard library."""

NEVER = {"broker", "protocols", "text", "model"}
"""Rooms without sockets, files and clocks of their own."""

IMPURE = {"socket", "select", "asyncio", "threading", "pathlib", "os", "subprocess"}


def modules() -> Iterator[tuple[str, Path, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        yield room, path, ast.parse(path.read_text())


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                yield f"{node.module}.{alias.name}"


class ImportTests(SynchronousTestCase):
    def test_every_room_is_known(self) -> None:
        rooms = {room for room, _, _ in modules()}
        self.assertEqual(rooms, set(OWN) | ASSEMBLE)

    def test_rooms_import_only_what_they_may(self) -> None:
        for room, path, tree in modules():
            if room in ASSEMBLE:
                continue
            for name in imports(tree):
                first, _, rest = name.partition(".")
                if first == "chatmux":
                    other = rest.partition(".")[0]
                    self.assertIn(other, OWN[room], f"{path} imports {name}")
                elif first not in sys.stdlib_module_names:
                    self.assertIn(first, OUTSIDE.get(room, ()), f"{path}: {name}")
                elif room in NEVER:
                    self.assertNotIn(first, IMPURE, f"{path}: {name}")

    def test_nobody_imports_the_reactor_at_module_level(self) -> None:
        for _, path, tree in modules():
            for node in tree.body:
                for name in imports(node):
                    if not isinstance(node, ast.FunctionDef | ast.ClassDef):
                        self.assertNotEqual(name, "twisted.internet.reactor", path)

    def test_only_the_tap_asks_for_the_global_reactor(self) -> None:
        asking = {
            room
            for room, _, tree in modules()
            if "twisted.internet.reactor" in set(imports(tree))
        }
        self.assertEqual(asking, {"tap"})

    def test_secrets_are_compared_in_constant_time(self) -> None:
        for room, path, tree in modules():
            if room not in ("admin", "protocols"):
                continue
            for node in ast.walk(tree):
                if isinstance(node, ast.Compare) and not _is_none(node):
                    words = ast.unparse(node).lower()
                    self.assertNotRegex(words, "secret|salt|password", path)


def _is_none(node: ast.Compare) -> bool:
    return all(isinstance(operator, ast.Is | ast.IsNot) for operator in node.ops)


class PackagingTests(SynchronousTestCase):
    def test_every_package_is_listed(self) -> None:
        config = configparser.ConfigParser()
        config.read(ROOT / "setup.cfg")
        listed = set(config["options"]["packages"].split())
        found = {
            ".".join(path.parent.relative_to(ROOT).parts)
            for path in PACKAGE.rglob("__init__.py")
        }
        self.assertEqual(listed, found | {"twisted.plugins"})

    def test_the_plugin_directory_is_no_package_of_its_own(self) -> None:
        self.assertFalse((ROOT / "twisted/__init__.py").exists())
        self.assertFalse((ROOT / "twisted/plugins/__init__.py").exists())
