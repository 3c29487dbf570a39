# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""``twistd chatmux``: options, and the node as a service of a process of its own.

The one module that may ask for the global reactor. What keeps the server from starting
is one line on standard error and an exit status: 78 (EX_CONFIG) for a configuration
that cannot be used, 1 for an address that cannot be had or a store that cannot be
reached.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.python import usage
from twisted.python.failure import Failure

from chatmux import __version__, descriptors
from chatmux.config import Config, read, with_store
from chatmux.defaults import default_config, default_store
from chatmux.errors import ConfigError, ListenError, UnreachableError
from chatmux.floors import check_floors
from chatmux.logsetup import set_up
from chatmux.node import SECTIONS, Node

EX_CONFIG = 78
GC_THRESHOLDS = 2_000, 10, 1_000


class Options(usage.Options):
    """The command line behind ``twistd chatmux``."""

    longdesc = (
        "Serve multichat, MaChat, Globes and webtalk from one process, bridged at will."
    )
    optParameters = [
        ["config", "c", None, "The configuration (JSON). Without: loopback defaults."],
    ]
    optFlags = [
        ["check", None, "Say whether the configuration is good, and exit."],
    ]

    config: Config

    def opt_version(self) -> NoReturn:
        """Print chatmux's version, and exit."""
        print(f"chatmux {__version__}")
        sys.exit(0)

    def postOptions(self) -> None:
        path = self["config"]
        descriptors.raise_limit()
        try:
            check_floors()
            if path is None:
                self.config = default_config(os.environ)
            else:
                self.config = read(Path(path), SECTIONS, os.environ)
            if self.config.top.store is None and "globes" in self.config.sections:
                self.config = with_store(self.config, default_store(os.environ))
            if self["check"]:
                # Doors, bridges and secrets are looked at; no port is opened.
                Node(self.config, _reactor())
        except ConfigError as error:
            _refuse(error)
        if self["check"]:
            print("chatmux: the configuration is good")
            sys.exit(0)


def makeService(options: Options) -> Process:
    """Return the service, with all its addresses bound.

    Bound here and not at the service's start, when twistd may have become a daemon
    whose error nobody sees.
    """
    reactor = _reactor()
    try:
        node = Node(options.config, reactor)
        node.prepare()
    except ConfigError as error:
        _refuse(error)
    binding = node.listen()
    failures: list[Failure] = []
    binding.addErrback(failures.append)
    if not binding.called:
        raise SystemExit("chatmux: an address cannot be bound before the start")
    if failures:
        reason = failures[0].value
        if isinstance(reason, ListenError):
            _refuse(reason)
        failures[0].raiseException()
    return Process(node, reactor, options)


class Process(MultiService):
    """A node that has the process to itself: its signals, its descriptors, its log."""

    def __init__(
        self, node: Node, reactor: Any, options: Options | None = None
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._reactor = reactor
        self._options = options
        self.node = node
        self._stopping_since: float | None = None
        node.setServiceParent(self)  # type: ignore[no-untyped-call]

    def setServiceParent(self, parent: Any) -> None:
        super().setServiceParent(parent)  # type: ignore[no-untyped-call]
        if self._options is None:
            return
        top = self._options.config.top
        set_up(
            self._options.parent,
            parent,
            top.log_format,
            debug=top.log_level == "debug",
            reactor=self._reactor,
        )

    def startService(self) -> None:
        # Once more when it runs: the reactor sets handlers of its own as it starts.
        self._handle_signals()
        self._reactor.callWhenRunning(self._handle_signals)
        self._reactor.callWhenRunning(_spare_the_collector)
        super().startService()  # type: ignore[no-untyped-call]
        self.node.opened.addErrback(self._give_up)

    def _give_up(self, failure: Failure) -> None:
        """End: the store could be used a moment ago, and now it cannot."""
        self.node.guard.log.failure("chatmux cannot start", failure=failure)
        print(f"chatmux: {failure.value}", file=sys.stderr, flush=True)
        reactor = self._reactor
        reactor.addSystemEventTrigger("after", "shutdown", os._exit, 1)
        reactor.callWhenRunning(reactor.stop)

    def stopService(self) -> Deferred[Any]:
        # A stop in order is status 0, also where the reactor's own handler has taken
        # the signal, as in the moment between its start and ours.
        self._reactor._exitSignal = None
        stopped: Deferred[Any] = super().stopService()  # type: ignore[no-untyped-call]
        return stopped

    def _handle_signals(self) -> None:
        # Twisted's end the process by the signal, after stopping in order: exit status
        # 143 where a supervisor that asked for the end expects 0.
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)

    def _stop(self, number: int, frame: object) -> None:
        now = time.monotonic()
        if self._stopping_since is None:
            self._stopping_since = now
            self._reactor.callFromThread(self._reactor.stop)
        elif now - self._stopping_since > 1:
            # Asked again by somebody who does not want to wait, and not the same
            # asking that reached the process in two ways, as under timeout(1).
            os._exit(1)


def _spare_the_collector() -> None:
    """Let the garbage collector leave alone what stays for ever.

    Under load it has next to nothing to do. But while 5,000 connections came it held
    everybody up for 60 ms at a time; so it is 3 ms (``python -m benchmarks lag``). Not
    switched off: making a room leaves a few cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def _refuse(error: ConfigError) -> NoReturn:
    print(f"chatmux: {error}", file=sys.stderr)
    later = isinstance(error, ListenError | UnreachableError)
    sys.exit(1 if later else EX_CONFIG)


def _reactor() -> Any:
    from twisted.internet import reactor

    return reactor
