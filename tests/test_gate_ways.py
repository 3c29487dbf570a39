# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""No protocol has a way around the gate, held to by reading the code.

The types say the same (`Services.broker` is an `Entrance`), as far as nobody casts. So
it is read as well what protocols do with the broker, by the names that it has there.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from inspect import signature
from pathlib import Path
from typing import get_type_hints

from twisted.trial.unittest import SynchronousTestCase

from chatmux.interfaces import Broker, Entrance, Entry, Services
from tests.test_imports import PACKAGE

PROTOCOLS = PACKAGE / "protocols"

OF_ENTRANCE = {
    "enter",
    "present",
    "lock",
    "unlock",
    "unsubscribe",
    "fence",
    "flush",
    "is_bridged",
    "new_number",
}
OF_ENTRY = {"publish", "subscribe", "join", "leave", "members"}

ENTRANCES = {"broker", "entrance"}
"""What a broker is called in protocols, with an underscore before it or without."""
ENTRIES = {"entry"}

LOCKSMITHS = {"globes/rooms.py"}
"""Who may lock and unlock."""

CASTS = {"cast", "getattr", "setattr", "vars", "eval", "exec", "__import__", "globals"}


def last_name(node: ast.expr) -> str:
    """Return what an expression is called at its end: ``room`` of ``self._room``."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.lstrip("_")
    return ""


def faults(path: str, tree: ast.Module) -> Iterator[str]:
    """Say what a module of a protocol does that could lead around the gate."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module), names=names):
                for alias in names:
                    if module.startswith("chatmux.broker") or (
                        module in ("chatmux", "chatmux.interfaces")
                        and alias.name in ("Broker", "broker", "interfaces", "*")
                    ):
                        yield f"imports {module}.{alias.name}"
            case ast.Import(names=names):
                for alias in names:
                    if alias.name.startswith("chatmux"):
                        yield f"imports {alias.name} whole"
            case ast.Attribute(value=of, attr=name):
                yield from _attribute_faults(path, of, name)
            case ast.Call(func=ast.Name(id=name)) if name in CASTS:
                yield f"calls {name}"
            case ast.Call(func=ast.Attribute(attr="enter" | "present"), args=args):
                if len(args) < 2 or ast.unparse(args[1]) != "NAME":
                    yield "enters as somebody else"
            case ast.Name(id="cast"):
                yield "casts"
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    yield from _alias_faults(target, value)
            case ast.NamedExpr(target=target, value=value):
                yield from _alias_faults(target, value)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                yield from _alias_faults(target, value)


def _attribute_faults(path: str, of: ast.expr, name: str) -> Iterator[str]:
    owner = last_name(of)
    if owner in ENTRANCES and name not in OF_ENTRANCE:
        yield f"{name} of the broker"
    if name in ("publish", "subscribe") and owner not in ENTRIES:
        yield f"{name} of {owner or 'something'}"
    if name in ("lock", "unlock") and path not in LOCKSMITHS:
        yield f"{name} of {owner or 'something'}"
    # A table may have functions of a class.
    is_class = isinstance(of, ast.Name) and of.id[:1].isupper()
    is_own = owner in ("self", "cls") or is_class or name.endswith("__")
    if (name.startswith("_") and not is_own) or name == "__dict__":
        yield f"{name} is not its own"


def _alias_faults(target: ast.expr, value: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, other in zip(target.elts, value.elts, strict=False):
            yield from _alias_faults(one, other)
    elif last_name(value) in ENTRANCES and last_name(target) not in ENTRANCES:
        yield f"{ast.unparse(value)} is called {ast.unparse(target)}"


class WaysTests(SynchronousTestCase):
    def test_what_protocols_are_given_takes_them_to_no_channel(self) -> None:
        self.assertIs(get_type_hints(Services)["broker"], Entrance)

        def public(kind: type) -> set[str]:
            return {name for name in vars(kind) if not name.startswith("_")}

        self.assertEqual(public(Entrance), OF_ENTRANCE)
        self.assertEqual(public(Entry), OF_ENTRY)
        # What an entry does is what a broker does, without the channel's name.
        for name in OF_ENTRY:
            of_broker = list(signature(getattr(Broker, name)).parameters)
            of_entry = list(signature(getattr(Entry, name)).parameters)
            of_broker.remove("channel")
            self.assertEqual(of_entry, of_broker, name)

    def test_no_protocol_has_a_way_around(self) -> None:
        entering = set()
        for file in sorted(PROTOCOLS.rglob("*.py")):
            path = str(file.relative_to(PROTOCOLS))
            source = file.read_text()
            self.assertNotIn("type: ignore", source, path)
            self.assertEqual(list(faults(path, ast.parse(source))), [], path)
            if ".enter(" in source:
                entering.add(Path(path).parts[0].removesuffix(".py"))
        self.assertEqual(entering, {"multichat", "machat", "globes", "webtalk"})

    def test_the_ways_that_there_could_be_are_seen(self) -> None:
        for source in (
            "from chatmux.broker.local import LocalBroker",
            "from chatmux.broker import gate",
            "from chatmux import broker",
            "from chatmux.interfaces import Broker",
            "from chatmux.interfaces import *",
            "import chatmux.broker.gate",
            "services.broker.publish('globes/1', 'x', 'hi', origin=NAME)",
            "self._entrance.subscribe('globes/1', connection, encode)",
            "self._entrance.members('globes/1')",
            "entrance.join('globes/1', member)",
            "say = services.broker.publish",
            "x = services.broker\nx.publish('globes/1', 'x', 'hi')",
            "x = services.broker\nx.members('globes/1')",
            "x, y = services.clock, services.broker",
            "x: Any = services.broker",
            "services.broker.__dict__",
            "(x := self._entrance).members('a')",
            "services.broker._channels",
            "services.broker.unlock('globes/1')",
            "entrance.lock('globes/1', always)",
            "entry._broker.members('globes/1')",
            "entrance.enter('globes/1', 'globes')",
            "entrance.enter(channel)",
            "entrance.present(channel, protocol)",
            "getattr(services.broker, 'publish')('globes/1')",
            "cast('Broker', services.broker)",
            "vars(services)",
        ):
            found = list(faults("other.py", ast.parse(source)))
            self.assertTrue(found, source)

    def test_what_is_done_rightly_is_no_way_around(self) -> None:
        source = """
entrance, clock = services.broker, services.clock
entry = self._entrance.enter(self._prefix + room, NAME, key)
self._entry.join(member)
channel.entry.publish('x', ', '.join(texts), origin=NAME)
self._entrance.unsubscribe(entry.subscribe(connection, encode))
_EVENTS = {'join': Session._join}
self._hub.join(1, 2)
"""
        self.assertEqual(list(faults("other.py", ast.parse(source))), [])
        source = "self._entrance.unlock(live.channel)"
        self.assertEqual(list(faults("globes/rooms.py", ast.parse(source))), [])
