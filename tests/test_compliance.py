# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""How the report of the Autobahn|Testsuite is judged, and what it is run against."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from chatmux.transports.http import HTTPProtocol
from chatmux.transports.tls import TLSTransport
from chatmux.transports.websocket import WebSocketProtocol
from tests.certificates import make_files
from tests.compliance import suite
from tests.compliance.__main__ import NO_PYTHON, main
from tests.compliance.echo import LONGEST_BYTES, Echo, echoing, listen, names
from tests.compliance.judge import (
    CASES,
    INFORMATIONAL,
    MESSAGE_BYTES,
    Verdict,
    judge,
    refusal_of,
)
from tests.transport_doubles import Sessions, line_door

AGENT = "multichat.host, plain"
OTHERS = CASES - len(MESSAGE_BYTES) - len(INFORMATIONAL)


def report(**changes: Any) -> dict[str, Any]:
    """Return the report of a listener that has done all well, but for some cases."""
    names = [*MESSAGE_BYTES, *INFORMATIONAL, *(f"1.{n}" for n in range(OTHERS))]
    cases: dict[str, Any] = {
        name: {"behavior": "OK", "behaviorClose": "OK", "remoteCloseCode": 1000}
        for name in names
    }
    for name in INFORMATIONAL:
        cases[name]["behavior"] = "INFORMATIONAL"
    for name, change in changes.items():
        cases[name.removeprefix("case").replace("_", ".")].update(change)
    return {AGENT: cases}


class JudgeTests(SynchronousTestCase):
    def judge(self, index: Any, longest: int = LONGEST_BYTES) -> Verdict:
        return judge(index, AGENT, longest, 1 << 20)

    def assert_fault(
        self, index: Any, words: str, longest: int = LONGEST_BYTES
    ) -> None:
        self.assertEqual(self.judge(index, longest).faults, [words])

    def test_all_well(self) -> None:
        verdict = self.judge(report())
        self.assertEqual(verdict.faults, [])
        self.assertEqual(verdict.counts, {"OK": 298, "INFORMATIONAL": 3})
        self.assertEqual(str(verdict), "301 cases: 3 INFORMATIONAL, 298 OK")

    def test_no_report_is_no_success(self) -> None:
        nothing: list[dict[str, Any]] = [{}, {AGENT: {}}, {"other": report()[AGENT]}]
        for index in nothing:
            self.assert_fault(index, "0 cases instead of 301")
        self.assertEqual(str(self.judge({})), "0 cases: none")

    def test_one_case_that_is_missing(self) -> None:
        index: dict[str, Any] = report()
        del index[AGENT]["1.7"]
        self.assert_fault(index, "300 cases instead of 301")

    def test_one_that_has_failed(self) -> None:
        for bad in "FAILED", "NON-STRICT", "WRONG CODE", "UNCLEAN", "INFORMATIONAL":
            index = report(case1_7={"behavior": bad})
            self.assert_fault(index, f"1.7: {bad} instead of OK")
        index = report(case7_1_6={"behavior": "FAILED"})
        self.assert_fault(index, "7.1.6: FAILED instead of INFORMATIONAL")

    def test_one_whose_close_was_wrong(self) -> None:
        for bad in "FAILED", "UNCLEAN", "WRONG CODE":
            index = report(case1_7={"behaviorClose": bad})
            self.assert_fault(index, f"1.7: its close is {bad}")

    def test_a_report_that_says_nothing(self) -> None:
        index = report()
        index[AGENT]["1.7"] = {}
        self.assert_fault(index, "1.7: None instead of OK")

    def test_what_is_longer_than_the_limit_has_to_be_refused(self) -> None:
        big = {name for name, size in MESSAGE_BYTES.items() if size > 64 * 1024}
        self.assertEqual(len(big), 40)
        refused = {
            f"case{name.replace('.', '_')}": {
                "behavior": "FAILED",
                "behaviorClose": "FAILED",
                "remoteCloseCode": 1009,
            }
            for name in big
        }
        verdict = self.judge(report(**refused), 64 * 1024)
        self.assertEqual(verdict.faults, [])
        self.assertEqual(
            verdict.counts, {"OK": 258, "INFORMATIONAL": 3, "closed 1009": 40}
        )
        # None of them may pass, or end otherwise.
        for code in 1000, 1008, None:
            index = report(**refused | {"case9_1_3": {"remoteCloseCode": code}})
            words = f"9.1.3: closed with {code} instead of 1009"
            self.assert_fault(index, words, 64 * 1024)
        # None that is within the limit may be refused.
        self.assertEqual(len(self.judge(report(**refused)).faults), 40)

    def test_too_many_fragments_are_refused_before_too_long_a_message(self) -> None:
        for longest, fragments, code in (
            (
                1 << 20,
                1024,
                {"9.3.1": 1008, "9.3.3": 1008, "9.3.4": 1009, "9.1.4": 1009},
            ),
            (
                1 << 16,
                1024,
                {"9.4.1": 1008, "9.4.2": 1009, "9.1.1": None, "1.1.1": None},
            ),
            (1 << 24, 1 << 20, {"9.3.1": None, "9.1.6": None}),
            (1 << 24, 1024, {"9.3.3": 1008, "9.3.4": None}),
        ):
            for name, wanted in code.items():
                found = refusal_of(name, longest, fragments)
                self.assertEqual((name, found), (name, wanted))


class EchoTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()

    def test_all_listeners_for_websockets_are_there(self) -> None:
        self.assertEqual(
            names(), ["multichat.host", "machat.ws", "globes.address", "webtalk.public"]
        )

    def test_they_are_those_that_are_served(self) -> None:
        files = make_files(Path(self.mktemp()))
        for tls in None, files:
            kinds = []
            for one, listener in listen(self.reactor, names().__contains__, tls, True):
                self.assertTrue(one.url.startswith("wss:" if tls else "ws:"))
                protocol = listener._factory.buildProtocol(None)
                self.assertEqual(isinstance(protocol, TLSTransport), tls is not None)
                kinds.append(type(protocol.wrappedProtocol if tls else protocol))
            websocket = WebSocketProtocol
            self.assertIs(kinds[2], HTTPProtocol)
            for kind in kinds[:2] + kinds[3:]:
                self.assertIs(kind.__mro__[1], websocket)

    def test_own_limits_are_those_of_the_protocols(self) -> None:
        found = {
            one.name.partition(",")[0]: one.message_bytes
            for one, _ in listen(self.reactor, names().__contains__, None, False)
        }
        self.assertEqual(found["globes.address"], 64 * 1024)
        self.assertTrue(all(size < LONGEST_BYTES for size in found.values()))

    def test_an_echo_is_text_or_binary_as_it_came(self) -> None:
        said: list[object] = []

        class Hearing:
            def opened(self) -> None:
                said.append("opened")

            def answer_in(self, binary: bool) -> None:
                said.append(binary)

            def send(self, message: bytes) -> None:
                said.append(message)

        connection: Any = Hearing()
        echo = Echo(connection)
        echo.received(b"a", False)
        echo.received(b"b", True)
        self.assertEqual(said, ["opened", False, b"a", True, b"b"])

    def test_a_door_without_websockets_is_left_out(self) -> None:
        self.assertIsNone(echoing(line_door(Sessions()), True))


class PythonTests(SynchronousTestCase):
    def script(self, text: str, *place: str) -> Path:
        path = Path(self.mktemp()).absolute().joinpath(*place)
        path.parent.mkdir(parents=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    def test_it_is_looked_for_in_three_places(self) -> None:
        good = "echo CPython2.7.18"
        in_path = self.script(good, "python2.7")
        of_pyenv = self.script(good, "versions", "2.7.18", "bin", "python2.7")
        named = self.script(good, "mine")
        places = {
            "PATH": str(in_path.parent),
            "PYENV_ROOT": str(of_pyenv.parents[3]),
            suite.VARIABLE: str(named),
        }
        for found, left in (
            (in_path, places),
            (of_pyenv, places | {"PATH": "/nowhere"}),
            (named, {"PATH": "/nowhere", suite.VARIABLE: str(named)}),
        ):
            self.assertEqual(suite.find_python(left), str(found))

    def test_what_does_not_run_or_is_another_is_none(self) -> None:
        for text in "exit 127", "echo CPython3.11.7", "echo PyPy2.7.18":
            bad = self.script(text, "python2.7")
            found = suite.find_python({"PATH": str(bad.parent), "HOME": "/nowhere"})
            self.assertIsNone(found)
        self.assertIsNone(suite.find_python({suite.VARIABLE: "/nowhere/python"}))

    def test_a_listener_that_is_none_is_no_success(self) -> None:
        errors = io.StringIO()
        with contextlib.redirect_stderr(errors), self.assertRaises(SystemExit) as end:
            main(["--only", "multichat.host,nothing"])
        self.assertEqual(end.exception.code, 2)
        self.assertIn("no such listener: nothing", errors.getvalue())

    def test_without_one_that_is_said_and_is_no_success(self) -> None:
        self.patch(suite, "find_python", lambda: None)
        for arguments, status in ([], NO_PYTHON), (["--optional"], 0):
            errors = io.StringIO()
            with contextlib.redirect_stderr(errors):
                self.assertEqual(main(arguments), status)
            self.assertIn("NOT TESTED", errors.getvalue())
            self.assertIn(suite.VARIABLE, errors.getvalue())
