# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Events of Twisted's log as lines: one event is one line of ASCII, whatever is in it.

Of a traceback there are the places, never a variable, and the words of those errors
only that speak of the program: others may quote what a peer said. No event makes these
functions raise.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from twisted.internet.error import ConnectError, ConnectionClosed
from twisted.logger import LogEvent, formatEvent, formatTime
from twisted.python.failure import Failure
from twisted.python.reflect import safe_repr

from chatmux.errors import ConfigError, StoreError
from chatmux.logtext import FIELD_LENGTH, cut, one_line

LINE_LENGTH = 8 * 1024
"""The longest line; what does not fit is cut."""

MESSAGE_LENGTH = 4 * 1024
FRAMES = 40
FIELDS = 64

_OF_THE_PROGRAM = (
    ArithmeticError,
    AttributeError,
    ConfigError,
    ConnectError,
    ConnectionClosed,
    ImportError,
    MemoryError,
    NameError,
    OSError,
    RecursionError,
    StoreError,
    TypeError,
)
"""Errors whose words speak of the program or the machine, not of what it was given."""

_OLD = frozenset(("failure", "format", "isError", "printed", "system"))
"""What events of Twisted's older log have besides, and say in newer keys as well."""

_CUT = " ... cut"


def as_text(event: LogEvent) -> str:
    """Return ``2026-11-21T20:00:00+0000 [chatmux#info] message``."""
    time = _guarded(lambda: formatTime(event.get("log_time")))
    where = f"{_namespace(event)}#{_level(event)}"
    line = f"{time or '-'} [{where}] {_message(event)}"
    failure = _traceback(event)
    if failure:
        # What was said of it goes before where it was.
        line = f"{_shortened(line, MESSAGE_LENGTH)} | {failure}"
    return f"{_shortened(line, LINE_LENGTH - 1)}\n"


def as_json(event: LogEvent) -> str:
    """Return an object with ``time``, ``level``, ``logger``, ``message`` and fields."""
    known = {
        "time": _guarded(lambda: _rfc3339(event["log_time"])) or None,
        "level": _level(event),
        "logger": _namespace(event),
        "message": _shortened(_message(event), MESSAGE_LENGTH),
    }
    failure = _traceback(event)
    if failure:
        known["traceback"] = _shortened(failure, LINE_LENGTH - MESSAGE_LENGTH - 1024)
    pieces = [_piece(key, value) for key, value in known.items()]
    left = LINE_LENGTH - sum(len(piece) + 1 for piece in pieces) - 2
    for key, value in islice(_fields(event), FIELDS):
        piece = _piece(key, value)
        left -= len(piece) + 1
        if left < 0:
            break
        if key not in known:
            pieces.append(piece)
    return "{" + ",".join(pieces) + "}\n"


def _piece(key: str, value: object) -> str:
    # ASCII, so that nothing hangs on what reads it.
    return f"{json.dumps(key)}:{json.dumps(value)}"


def _fields(event: LogEvent) -> Iterator[tuple[str, object]]:
    """Yield what the one who logged gave along, as JSON has it."""
    for key, value in event.items():
        if isinstance(key, str) and key not in _OLD and not key.startswith("log_"):
            yield _whole(cut(key, FIELD_LENGTH)), _value(value)


def _value(value: object) -> object:
    if value is None or type(value) is bool:
        return value
    if type(value) is int and -(1 << 53) < value < 1 << 53:
        return value
    if type(value) is float and math.isfinite(value):
        return value
    if type(value) is str:
        text = value
    elif isinstance(value, Failure | BaseException):
        text = _error(value)
    else:
        text = safe_repr(value)  # type: ignore[no-untyped-call]
    return _whole(cut(text, FIELD_LENGTH))


def _whole(text: str) -> str:
    """Return `text` with half surrogates, which not every reader takes, as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _message(event: LogEvent) -> str:
    if "log_text" in event and isinstance(event.get("failure"), Failure):
        # Of Twisted's older log: the text has the traceback in it, with all words.
        return one_line(_guarded(lambda: event.get("why") or "Unhandled Error"))
    return _guarded(lambda: one_line(formatEvent(event)[:LINE_LENGTH]))


def _namespace(event: LogEvent) -> str:
    system = event.get("log_system") or event.get("log_namespace")
    if not isinstance(system, str):
        system = event.get("log_namespace")
    return one_line(cut(system, FIELD_LENGTH)) if isinstance(system, str) else "-"


def _level(event: LogEvent) -> str:
    name = getattr(event.get("log_level"), "name", None)
    return name if isinstance(name, str) else "-"


def _rfc3339(seconds: float) -> str:
    when = datetime.fromtimestamp(seconds, UTC)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _traceback(event: LogEvent) -> str:
    """Return where a failure was, the innermost place last, and what; or nothing."""
    failure = event.get("log_failure") or event.get("failure")
    return _guarded(lambda: _places(failure)) if isinstance(failure, Failure) else ""


def _places(failure: Failure) -> str:
    frames: list[Any] = failure.frames
    places = [f"{file}:{line} in {function}" for function, file, line, *_ in frames]
    if len(places) > FRAMES:
        left_out = f"({len(places) - FRAMES} more)"
        places = [left_out, *places[-FRAMES:]]
    return one_line("\n".join(["Traceback", *places, _error(failure)]))


def _error(raised: Failure | BaseException) -> str:
    """Return the kind of an error, with its words if they may be shown."""
    error: Any = raised.value if isinstance(raised, Failure) else raised
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    kind = kind.removeprefix("builtins.")
    if not isinstance(error, _OF_THE_PROGRAM):
        return kind
    return f"{kind}: {_guarded(lambda: cut(str(error), 4 * FIELD_LENGTH))}"


def _shortened(line: str, length: int) -> str:
    return line if len(line) <= length else line[: length - len(_CUT)] + _CUT


def _guarded(make: Any) -> str:
    """Return what `make` does; if it raises, what kind of error that was."""
    try:
        return str(make())
    except Exception as error:
        return f"(cannot be shown: {type(error).__name__})"
