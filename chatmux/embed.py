# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""chatmux inside another Twisted program.

One call serves one protocol on the program's own reactor, over a broker of its own or
over one that is shared::

    from twisted.internet.task import react
    from twisted.internet.defer import Deferred
    from chatmux.embed import serve

    async def main(reactor):
        lines = await serve(reactor, "machat", tcp="localhost:8989", ws=None)
        await serve(reactor, "machat", lines.broker, tcp=None, ws="localhost:8099")
        await Deferred()

    react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
"""

from __future__ import annotations

from typing import Any

import msgspec

from chatmux.config import Config, Top, convert
from chatmux.errors import ConfigError
from chatmux.interfaces import Broker
from chatmux.node import SECTIONS, Node
from chatmux.settings import Secret


async def serve(
    reactor: Any,
    protocol: str,
    broker: Broker | None = None,
    *,
    bridges: tuple[tuple[str, ...], ...] = (),
    store: str | None = None,
    **settings: object,
) -> Node:
    """Serve one protocol, and return the node that does.

    Args:
        reactor: Runs it.
        protocol: ``multichat``, ``machat``, ``globes`` or ``webtalk``.
        broker: The ``broker`` attribute of another node, to share its conversations;
            left out, a new one is made.
        bridges: For a new broker: lists of channels that are one.
        store: Where globes keeps its rooms: a URL as in the configuration.
        settings: Keys of the protocol's section (docs/configuration.md), with
            underscores. Keys left out have their defaults.

    Returns:
        A running `Node`. ``addresses`` tells where it listens, ``broker`` is for
        sharing, ``await node.stopService()`` drains and ends it.

    Raises:
        ConfigError: No such protocol or setting, or the store cannot be used.
        ListenError: The address cannot be had.
    """
    section = SECTIONS.get(protocol)
    if section is None:
        raise ConfigError(protocol, "there is no such protocol")
    keys = {f.name: f.encode_name for f in msgspec.structs.fields(section)}
    raw = {keys.get(name, name): value for name, value in settings.items()}
    kept = None if store is None else Secret(store)
    top = Top(bridges=bridges, store=kept)
    config = Config(top, {protocol: convert(raw, section, protocol)})
    node = Node(config, reactor, broker)
    await node.listen()
    node.startService()
    try:
        await node.opened
    except BaseException:
        await node.stopService()
        raise
    return node
