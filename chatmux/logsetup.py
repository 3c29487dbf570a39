# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Has the process log in chatmux's lines, where its command line says that it logs.

For a process that is chatmux's own, under twistd or twist; a program that chatmux is
embedded in keeps its own log.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any, Literal

from twisted.application.app import ServerOptions
from twisted.application.twist._options import TwistOptions
from twisted.logger import (
    FileLogObserver,
    ILogObserver,
    LogEvent,
    LogLevel,
    jsonFileLogObserver,
)
from twisted.python.logfile import LogFile
from zope.interface import implementer

from chatmux.log import as_json, as_text
from chatmux.logdamper import Damper

LogFormat = Literal["text", "json"]


@implementer(ILogObserver)
class LineObserver:
    """Writes each event as one line. What cannot be written is lost, and nobody told.

    Args:
        stream: Where to; of text or of bytes.
        form: Makes a line of an event.
    """

    def __init__(self, stream: IO[Any], form: Callable[[LogEvent], str]) -> None:
        self._write = FileLogObserver(stream, form)

    def __call__(self, event: LogEvent) -> None:
        # The disk is full, or the reader of a pipe gone: no reason to stop.
        with suppress(OSError, ValueError):
            self._write(event)


def set_up(
    command_line: object,
    application: Any,
    log_format: LogFormat | None,
    *,
    debug: bool,
    reactor: Any,
) -> None:
    """Set the log up, before it begins.

    Args:
        command_line: Options of twistd or twist; of anything else the log stays.
        application: Of Twisted's, that is to run.
        log_format: As configured; None for text, or what twist was told.
        debug: Whether lines of level debug are wanted.
        reactor: Tells the time.
    """

    def observer(stream: IO[Any], log_format: LogFormat) -> Damper:
        form = as_json if log_format == "json" else as_text
        damper = Damper(
            LineObserver(stream, form),
            reactor.seconds,
            # Who logs may be a thread.
            lambda seconds, call: reactor.callFromThread(
                reactor.callLater, seconds, call
            ),
        )
        reactor.addSystemEventTrigger("after", "shutdown", damper.tell)
        return damper

    if isinstance(command_line, TwistOptions):
        made = command_line.get("fileLogObserverFactory")
        twists: LogFormat = "json" if made is jsonFileLogObserver else "text"
        chosen = log_format or twists
        command_line["fileLogObserverFactory"] = lambda stream: observer(stream, chosen)
        if debug:
            # Or twist would keep them back.
            command_line["logLevel"] = LogLevel.debug
    elif isinstance(command_line, ServerOptions):
        stream = _stream_of_twistd(command_line, reactor)
        if stream is not None:
            own = observer(stream, log_format or "text")
            application.setComponent(ILogObserver, own)


def _stream_of_twistd(command_line: ServerOptions, reactor: Any) -> Any:
    """Open the log as twistd does; None for what is left to twistd."""
    name = command_line.get("logfile")
    if command_line.get("logger") or command_line.get("syslog"):
        return None
    if command_line.get("nodaemon") and name in (None, "", "-"):
        return sys.stdout
    if name == "-":
        # A daemon has no terminal: twistd says so, and ends.
        return None
    file = LogFile.fromFullPath(  # type: ignore[no-untyped-call]
        name or "twistd.log"
    )
    if not signal.getsignal(signal.SIGUSR1):
        # SIG_DFL is 0. So that logrotate can have a new file begun, as with twistd's.
        signal.signal(signal.SIGUSR1, lambda *_: reactor.callFromThread(file.rotate))
    return file
