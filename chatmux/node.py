# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The composition root: a configuration becomes broker, doors and listeners.

The only module that knows all rooms of the house. Stopping drains: the listeners close
first, every peer is told in its own protocol, what was written leaves within
``drain-seconds``, the rest is cut.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, cast

from msgspec import structs
from twisted.application.service import Service
from twisted.internet.defer import (
    Deferred,
    DeferredLock,
    FirstError,
    gatherResults,
    succeed,
)
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatmux import __version__, descriptors, web
from chatmux.admin.door import WRONG_TOKENS, admin_door
from chatmux.admin.page import Page, page_of
from chatmux.admin.sampler import Sampler
from chatmux.admin.watch import Watch
from chatmux.broker.gate import protocol_of
from chatmux.broker.local import LocalBroker
from chatmux.config import Config, Sections, Top
from chatmux.door import Door, HTTPDoor, WebSocketDoor
from chatmux.errors import ConfigError
from chatmux.exposure import exposures
from chatmux.interfaces import Broker, Services
from chatmux.model import GOING_AWAY
from chatmux.passwords import Argon2Passwords
from chatmux.protocols import globes, machat, multichat, webtalk
from chatmux.proxies import Proxies
from chatmux.settings import Limits, Settings
from chatmux.store.sql import SQLStore
from chatmux.transports.guard import Guard
from chatmux.transports.listener import Listener
from chatmux.tries import Tries


class ProtocolModule(Protocol):
    """What a module of `chatmux.protocols` offers."""

    @property
    def NAME(self) -> str: ...

    @property
    def Section(self) -> type[Settings]: ...

    def doors(self, section: Any, services: Services, /) -> Iterable[Door]:
        """List the places where peers come in, as its section has them."""

    def bridge_fault(self, names: Sequence[str], /) -> str | None:
        """Say why these channels of the protocol cannot be in one bridge, or None."""


PROTOCOLS: tuple[ProtocolModule, ...] = (multichat, machat, globes, webtalk)
SECTIONS: Sections = {module.NAME: module.Section for module in PROTOCOLS}


class Node(Service):
    """The running server.

    Args:
        config: As read.
        reactor: Runs it; anything with Twisted's interfaces for time, TCP and what
            else the configured addresses need.
        broker: To share the conversation with other nodes of the process; left out,
            the node has its own, with the bridges of the configuration.

    Raises:
        ConfigError: Something cannot be served as configured.
    """

    name = "chatmux"

    def __init__(
        self, config: Config, reactor: Any, broker: Broker | None = None
    ) -> None:
        top = config.top
        self._reactor = reactor
        self._drain_seconds = top.drain_seconds
        if broker is None:
            broker = LocalBroker(
                reactor,
                bridges=top.bridges,
                max_log_bytes=top.limits.log_bytes,
                max_logs_bytes=top.limits.logs_bytes,
                max_members=top.limits.max_members,
                on_error=Logger(namespace="chatmux").failure,
            )
        self.broker = broker
        self.guard = Guard(
            reactor,
            top.limits,
            proxies=Proxies(top.trusted_proxies),
            max_connections=_max_connections(top.limits),
            new_number=broker.new_number,
            debug=top.log_level == "debug",
        )
        self._passwords = Argon2Passwords(reactor)
        url = top.store
        self._store = None if url is None else SQLStore(url.encode().decode(), reactor)
        assets = web.load()
        services = Services(
            broker,
            reactor,
            time.time,
            self._store,
            self._passwords,
            cast("Callable[[], AbstractAsyncContextManager[object]]", DeferredLock),
            {k: one for k, one in assets.items() if not k.startswith("admin/")},
        )
        doors: list[Door] = []
        self._warnings = list(config.warnings)
        for module in PROTOCOLS:
            section = config.sections.get(module.NAME)
            if section is None:
                continue
            own = list(module.doors(section, services))
            doors += own
            self._warnings += exposures(module.NAME, section, own, top.require_tls)
            self._warnings += _without_effect(module.NAME, section)
        if not doors:
            raise ConfigError("", "no protocol is configured")
        self._stored = [door for door in doors if isinstance(door, HTTPDoor)]
        """Those that need the store."""
        self._sampler = self._serve_operator(top, services, page_of(assets), doors)
        _check_bridges(top.bridges)
        self.listeners = [
            Listener(reactor, self.guard, group) for group in _by_address(doors)
        ]
        self.opened: Deferred[None] = succeed(None)
        """Fires when connections are accepted; errbacks with `ConfigError` or
        `StoreError` where the store cannot be used."""

    def _serve_operator(
        self, top: Top, services: Services, page: Page, doors: list[Door]
    ) -> Sampler | None:
        """Add the operator's door to `doors`, if there is to be one."""
        section = top.admin
        if section is None:
            return None
        about: dict[str, object] = {
            "version": __version__,
            "started": time.time(),
            "max_connections": self.guard.max_connections,
        }
        # Any broker of one's own that can be looked into.
        looked_into = cast(Any, services.broker)
        watch = Watch(self.guard, looked_into, about, self._give_way)
        sampler = Sampler(self._reactor, time.time, watch.totals)
        tries = Tries(WRONG_TOKENS, self._reactor.seconds, services.new_lock)
        door = admin_door(section, watch, sampler, page, tries, self._note)
        self.guard.spared = door.key
        self._warnings += exposures("admin", section, [door], top.require_tls)
        doors.append(door)
        about["doors"] = [
            {"key": one.key, "protocol": one.protocol, "address": one.address}
            for one in doors
        ]
        return sampler

    def _give_way(self) -> Deferred[None]:
        return deferLater(self._reactor, 0)

    def _note(self, words: str) -> None:
        """Log what the operator has done."""
        self.guard.log.info("{words}", words=words)

    @property
    def addresses(self) -> dict[str, tuple[str, int]]:
        """Where the node listens in fact: host and port by the address's key."""
        found = {one.key: one.host_and_port for one in self.listeners}
        return {key: where for key, where in found.items() if where is not None}

    def prepare(self) -> None:
        """Look into the store, before the start. Blocks.

        Raises:
            ConfigError: It cannot be used, or what is in it cannot be served.
        """
        if self._stored and self._store is not None:
            rooms = self._store.prepare()
            for door in self._stored:
                door.check(rooms)

    def listen(self) -> Deferred[None]:
        """Bind all addresses, before the start and the dropping of privileges.

        Who comes before the store is open waits.

        Errbacks with `ListenError` for the first that cannot be bound; those that
        were bound are released in a later reactor turn.
        """
        binding = gatherResults(
            [listener.listen() for listener in self.listeners], consumeErrors=True
        )
        return binding.addCallbacks(self._hold, self._release)

    def _hold(self, bound: object) -> None:
        if self._stored:
            for listener in self.listeners:
                listener.hold()

    def _release(self, failure: Failure) -> Failure:
        for listener in self.listeners:
            listener.stop()
        assert isinstance(failure.value, FirstError)
        return failure.value.subFailure

    def startService(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]
        for warning in self._warnings:
            self.guard.log.warn("{words}", words=warning)
        self.opened = Deferred.fromCoroutine(self._open())

    async def _open(self) -> None:
        if self._stored and self._store is not None:
            await self._store.open()
            for door in self._stored:
                await door.prepare()
        if self._sampler is not None:
            self._sampler.start()
        for listener in self.listeners:
            listener.go_on()
            self.guard.log.info("listening on {listener}", listener=str(listener))

    def stopService(self) -> Deferred[None]:
        """Drain. Fires when the last connection is gone."""
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._drain())

    async def _drain(self) -> None:
        # Whether that has failed is for others to see, who may be waiting for it too.
        opened: Deferred[None] = Deferred()
        self.opened.addBoth(_then(opened))
        began = self._reactor.seconds()
        longest = max(1, self._drain_seconds)
        await opened.addTimeout(longest, self._reactor, lambda result, seconds: None)
        if self._sampler is not None:
            self._sampler.stop()
        await gatherResults([listener.stop() for listener in self.listeners])
        connections = list(self.guard.connections)
        self.guard.log.info("stopping, {count} connections", count=len(connections))
        for connection in connections:
            # Writes what the broker still has for it.
            for subscription in tuple(connection.subscriptions):
                self.broker.unsubscribe(subscription)
            connection.close(GOING_AWAY)
        cut = self._reactor.callLater(self._drain_seconds, self._cut)
        await self.guard.emptied()
        if cut.active():
            cut.cancel()
        self.guard.stop()
        ending = Deferred.fromCoroutine(self._end_threads())
        left = self._drain_seconds - (self._reactor.seconds() - began)
        seconds = max(1, left)
        await ending.addTimeout(seconds, self._reactor, self._leave_threads)
        self.guard.log.info("stopped")

    async def _end_threads(self) -> None:
        # What waits is done, if there is time, also where nobody wants it any more.
        await self._passwords.close()
        if self._store is not None:
            await self._store.close()

    def _leave_threads(self, result: object, seconds: float) -> None:
        self.guard.log.warn("the store is not done: it is left as it is")

    def _cut(self) -> None:
        left = list(self.guard.connections)
        self.guard.log.warn("cutting {count} connections", count=len(left))
        for connection in left:
            connection.abort()


def _max_connections(limits: Limits) -> int:
    """Return how many connections there may be.

    Raises:
        ConfigError: More are configured than fit.
    """
    most = descriptors.room_for_connections()
    wanted = limits.max_connections
    if wanted is not None and wanted > most:
        raise ConfigError(
            "limits.max-connections",
            f"{wanted} do not fit: with the {descriptors.limit()} descriptors that the"
            f" process may have (ulimit -n, LimitNOFILE) it is {most} at most",
        )
    return wanted or most


def _then(waiting: Deferred[None]) -> Callable[[object], object]:
    """Return a callback that passes on what it gets, and fires `waiting`."""

    def go_on(result: object) -> object:
        waiting.callback(None)
        return result

    return go_on


def _by_address(doors: list[Door]) -> Iterator[list[Door]]:
    """Group doors that share a listener.

    Raises:
        ConfigError: Two doors of one address cannot be told apart.
    """
    groups: dict[str, list[Door]] = {}
    for door in doors:
        # Port 0 is a new port for each.
        group = groups.setdefault(_listener_key(door), [])
        for other in group:
            _check_neighbours(door, other)
        group.append(door)
    yield from groups.values()


def _listener_key(door: Door) -> str:
    return door.key if door.address.endswith(":0") else door.address


def _check_neighbours(door: Door, other: Door) -> None:
    if not isinstance(door, WebSocketDoor) or not isinstance(other, WebSocketDoor):
        raise ConfigError(door.key, f"has the address of {other.key}")
    if door.path.rstrip("/") == other.path.rstrip("/"):
        raise ConfigError(door.key, f"has the address and the path of {other.key}")
    if door.tls != other.tls:
        raise ConfigError(
            door.key, f"has the address of {other.key}, but not the same certificate"
        )


def _without_effect(name: str, section: Settings) -> list[str]:
    """Say which keys of the original's are taken and mean nothing."""
    fields = {field.encode_name: field.name for field in structs.fields(section)}
    return [
        f"{name}.{key} has no effect"
        for key in section.without_effect
        if getattr(section, fields[key]) is not None
    ]


def _check_bridges(bridges: tuple[tuple[str, ...], ...]) -> None:
    for index, names in enumerate(bridges):
        path = f"bridges[{index}]"
        for name in names:
            if protocol_of(name) not in SECTIONS:
                raise ConfigError(path, f"{name} is no channel of any protocol")
        for module in PROTOCOLS:
            own = [name for name in names if protocol_of(name) == module.NAME]
            fault = module.bridge_fault(own) if own else None
            if fault is not None:
                raise ConfigError(path, fault)
