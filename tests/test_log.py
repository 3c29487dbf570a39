# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Events as lines: one each, of ASCII, cut, whatever is in them."""

from __future__ import annotations

import json
import sys
import warnings
from io import BytesIO, StringIO
from types import ModuleType
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import (
    ILogObserver,
    LogBeginner,
    LogEvent,
    Logger,
    LogLevel,
    LogPublisher,
)
from twisted.python import log as older_log
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatmux.errors import ConfigError
from chatmux.log import FRAMES, LINE_LENGTH, as_json, as_text
from chatmux.logsetup import LineObserver

NOON = 1795262400.25  # 2026-11-21T12:00:00.250Z

HOSTILE = (
    "a\r\n2026-11-21T20:00:00+0000 [chatmux#info] stopped",
    "\x1b]0;title\x07\x1b[2J\x9b31m",
    "\u202eevil\u2028\u2029\x85\x7f\0",
    "half \ud800 a pair",
    "x" * 1_000_000,
    "😀" * 100_000,
    "%(x)s %s {0.__class__} {x!r} {",
)
"""What a peer may send as a name, a path, an origin."""


def event(form: str = "hello", **fields: Any) -> LogEvent:
    return {
        "log_format": form,
        "log_level": LogLevel.info,
        "log_namespace": "chatmux",
        "log_time": NOON,
        **fields,
    }


def failure(error: BaseException) -> Failure:
    try:
        raise error
    except BaseException:
        return Failure()


class Unshowable:
    def __repr__(self) -> str:
        raise RuntimeError("canary-of-the-repr")

    __str__ = __repr__


class LineTestCase(SynchronousTestCase):
    def check_line(self, line: str) -> str:
        """Check what holds for every line; return it without its end."""
        self.assertTrue(line.endswith("\n"))
        self.assertTrue(line[:-1].isascii() and line[:-1].isprintable(), line[:500])
        self.assertLessEqual(len(line), LINE_LENGTH)
        return line[:-1]

    def text(self, event: LogEvent) -> str:
        return self.check_line(as_text(event))

    def json(self, event: LogEvent) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.check_line(as_json(event)))
        return found


class TextTests(LineTestCase):
    def test_time_level_and_who_logs_go_before_the_message(self) -> None:
        line = self.text(event("{name} is here", name="ann"))
        self.assertRegex(
            line, r"^2026-11-21T\d\d:00:00[+-]\d{4} \[chatmux#info\] ann is here$"
        )

    def test_no_field_makes_a_second_line_or_a_long_one(self) -> None:
        for words in HOSTILE:
            line = self.text(event("{peer} said", peer=words))
            self.assertIn("[chatmux#info] ", line)
        self.assertIn(
            r"\x1b]0;title\x07\x1b[2J\x9b31m", self.text(event("{a}", a=HOSTILE[1]))
        )
        self.assertIn(
            r"\u202eevil\u2028\u2029\x85\x7f\x00", self.text(event("{a}", a=HOSTILE[2]))
        )
        self.assertTrue(self.text(event("{a}", a=HOSTILE[4])).endswith("x ... cut"))

    def test_fields_are_no_formats(self) -> None:
        self.assertTrue(
            self.text(event("{a}", a=HOSTILE[-1])).endswith(f"] {HOSTILE[-1]}")
        )

    def test_breaks_are_bars(self) -> None:
        self.assertTrue(
            self.text(event("one\n\ttwo\r\nthree\n")).endswith("] one | two | three")
        )

    def test_events_without_anything_are_lines_too(self) -> None:
        self.assertEqual(self.text({}), "- [-#-] ")
        strange = {"log_format": 5, "log_time": "x", "log_level": 7, "log_namespace": 1}
        self.text(strange)
        self.text({"log_time": 1e300, "log_format": "{x}"})
        self.text(event("{a}", a=Unshowable()))

    def test_a_traceback_is_in_the_line(self) -> None:
        line = self.text(event("it broke", log_failure=failure(TypeError("no int"))))
        self.assertRegex(
            line,
            r"\] it broke \| Traceback \| /.*/test_log\.py:\d+ in failure"
            r" \| TypeError: no int$",
        )


class TracebackTests(LineTestCase):
    def traceback(self, error: BaseException) -> str:
        found: str = self.json(event(log_failure=failure(error)))["traceback"]
        return found

    def test_words_are_of_errors_of_the_program_alone(self) -> None:
        for error in (
            ValueError("canary"),
            KeyError("canary"),
            UnicodeDecodeError("utf-8", b"canary", 0, 1, "canary"),
            RuntimeError("canary"),
            type("OwnError", (Exception,), {})("canary"),
        ):
            for line in (
                as_text(event(log_failure=failure(error))),
                as_json(event(log_failure=failure(error), error=error)),
                as_json(event(given=failure(error))),
            ):
                self.assertNotIn("canary", line)
                self.assertIn(type(error).__name__, line)
        for error in (
            OSError(13, "not allowed"),
            AttributeError("not allowed"),
            ConfigError("a.b", "not allowed"),
        ):
            self.assertIn("not allowed", self.traceback(error))

    def test_no_variable_shows(self) -> None:
        def session(secret: str, text: str) -> None:
            raise ValueError(secret + text)

        try:
            session("canary-secret", "canary-text")
        except ValueError:
            found = Failure(captureVars=True)
        line = self.check_line(as_text(event("it broke", log_failure=found)))
        self.assertIn(" in session | ValueError", line)
        self.assertNotIn("canary", line)

    def test_of_a_deep_one_the_innermost_places_are_shown(self) -> None:
        def deep(levels: int) -> None:
            if not levels:
                raise TypeError("the end")
            deep(levels - 1)

        try:
            deep(500)
        except TypeError:
            found = Failure()
        words = self.json(event(log_failure=found))["traceback"].split(" | ")
        self.assertEqual(len(words), FRAMES + 3)
        self.assertRegex(words[1], r"^\(\d+ more\)$")
        line = as_text(event("x" * 100_000, log_failure=found))
        self.assertIn("Traceback", self.check_line(line))

    def test_errors_logged_in_twisteds_older_way(self) -> None:
        seen: list[LogEvent] = []
        publisher: Any = LogPublisher(cast(ILogObserver, seen.append))
        older = older_log.LogPublisher(publishPublisher=publisher)
        older.msg(failure=failure(ValueError("canary")), why="In\nhere", isError=1)
        (line,) = map(as_text, seen)
        self.assertNotIn("canary", self.check_line(line))
        self.assertIn("#critical] In | here | Traceback | ", line)
        self.assertNotIn("canary", json.dumps(self.json(seen[0])))


class JSONTests(LineTestCase):
    def test_what_every_object_has(self) -> None:
        self.assertEqual(
            self.json(event("{name} is here", name="ann", number=7)),
            {
                "time": "2026-11-21T12:00:00.250Z",
                "level": "info",
                "logger": "chatmux",
                "message": "ann is here",
                "name": "ann",
                "number": 7,
            },
        )

    def test_fields_are_values_of_json_or_what_python_shows(self) -> None:
        values: dict[str, Any] = {
            "none": None,
            "true": True,
            "half": 0.5,
            "nan": float("nan"),
            "big": 10**30,
            "bigger": 10**5000,
            "bytes": b"\xff",
            "list": [1],
            "object": Unshowable(),
            "text": 'ä "quoted" \\ \x7f\x00',
            "half_a_pair": "\ud800",
            "long": "y" * 1000,
        }
        found = self.json(event(**values))
        for key in ("none", "true", "half", "text"):
            self.assertEqual(found[key], values[key])
        self.assertEqual(found["nan"], "nan")
        self.assertEqual(found["big"], str(10**30))
        self.assertEqual(found["bytes"], r"b'\xff'")
        self.assertEqual(found["list"], "[1]")
        self.assertEqual(found["half_a_pair"], "\\ud800")
        self.assertEqual(found["long"], "y" * 256 + "... (1000 characters)")
        self.assertIn("Unshowable", found["object"])
        self.assertNotIn("canary", json.dumps(found))

    def test_no_field_is_taken_for_one_of_the_lines_own(self) -> None:
        found = self.json(event(time="never", level=9, logger="x", message="y"))
        self.assertEqual((found["level"], found["logger"]), ("info", "chatmux"))
        self.assertEqual(found["message"], "hello")

    def test_what_is_too_long_is_an_object_all_the_same(self) -> None:
        for words in HOSTILE:
            many = {f"field{number}": words for number in range(100)}
            found = self.json(event("{field0}", **many))
            self.assertEqual(found["level"], "info")
            broken = event("{a}", a=words, log_failure=failure(OSError(5, words)))
            self.assertIn("traceback", self.json(broken))

    def test_events_without_anything_are_lines_too(self) -> None:
        found = self.json({"log_time": "x"})
        self.assertEqual((found["message"], found["level"]), ("", "-"))
        self.json({"log_time": 1e300, 5: 6})  # type: ignore[dict-item]


class AnyEventTests(LineTestCase):
    values = st.one_of(
        st.text(), st.binary(), st.integers(), st.floats(), st.none(), st.booleans()
    )

    @settings(deadline=None)
    @given(
        st.text(st.characters(exclude_characters="{}")),
        st.dictionaries(st.text(), values, max_size=5),
    )
    def test_every_event_is_one_line(self, form: str, fields: dict[str, Any]) -> None:
        logged = {**fields, **event(form)}
        self.check_line(as_text(logged))
        self.assertEqual(self.json(logged)["logger"], "chatmux")


class ObserverTests(LineTestCase):
    def test_streams_of_text_and_of_bytes(self) -> None:
        text, raw = StringIO(), BytesIO()
        for stream in text, raw:
            LineObserver(stream, as_text)(event("ä"))
        self.assertTrue(text.getvalue().endswith("] \\xe4\n"))
        self.assertEqual(raw.getvalue().decode(), text.getvalue())

    def test_what_cannot_be_written_stops_nobody(self) -> None:
        closed = StringIO()
        closed.close()
        LineObserver(closed, as_text)(event())
        with open("/dev/full", "wb", buffering=0) as full:
            LineObserver(full, as_text)(event())

    def test_what_others_say_comes_as_lines(self) -> None:
        stdio = ModuleType("stdio")
        stdio.stdout, stdio.stderr = StringIO(), StringIO()  # type: ignore[attr-defined]
        showing = ModuleType("showing")
        showing.showwarning = warnings.showwarning  # type: ignore[attr-defined]
        publisher: Any = LogPublisher()
        beginner = LogBeginner(publisher, StringIO(), stdio, showing)
        written = StringIO()
        beginner.beginLoggingTo([cast(ILogObserver, LineObserver(written, as_text))])
        stdio.stdout.write("printed\x1b[2J\n")
        stdio.stderr.write("one\ntwo\n")
        showing.showwarning("old\nthing", DeprecationWarning, "x.py", 3)
        Logger(namespace="other", observer=publisher).error("of {who}", who="others")
        lines = written.getvalue().splitlines()
        for line, words in zip(
            lines,
            (
                r"[stdout#info] printed\x1b[2J",
                "[stderr#error] one",
                "[stderr#error] two",
                "x.py:3: builtins.DeprecationWarning: old | thing",
                "[other#error] of others",
            ),
            strict=True,
        ):
            self.assertTrue(line.endswith(words), line)
        self.assertIsNot(sys.stdout, stdio.stdout)
