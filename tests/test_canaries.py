# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The check for secrets in logs: it finds them, and does not pass for want of logs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatmux.protocols.webtalk.ids import new_salt
from tests.canaries import MARKERS, OWN_LOG, TEXT, check
from tests.documents import ROOT
from tests.server import DEADLINE_SECONDS

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJlLW9mLWl0"


class CanaryTests(SynchronousTestCase):
    def setUp(self) -> None:
        # Not where the check of this run itself would look.
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.addCleanup(self.forget)
        self.own = self.directory / OWN_LOG
        self.server = self.directory / "tests.test_x" / "log"
        self.server.parent.mkdir()
        for file in self.own, self.server:
            file.write_text("a line\nanother one\n")

    def forget(self) -> None:
        for file in self.own, self.server:
            file.unlink(missing_ok=True)

    def run_it(self) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "tests.canaries", str(self.directory.absolute())],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
        )
        return done.returncode, done.stdout

    def test_logs_without_secrets_pass(self) -> None:
        self.assertEqual(check(self.directory), [])
        self.assertEqual(self.run_it(), (0, "no secret in 2 logs\n"))

    def test_a_secret_is_named_by_file_and_line_and_not_shown(self) -> None:
        for file in self.own, self.server:
            for secret in (
                *MARKERS,
                TEXT.upper(),
                TOKEN,
                "$argon2id$v=19$m=65536",
                f"17!{new_salt().decode()}",
            ):
                file.write_text(f"a line\nthere: {secret}!\n")
                (fault,) = check(self.directory)
                self.assertTrue(fault.startswith(f"{file}:2: "), fault)
                self.assertNotIn(secret, fault)
            file.write_text("a line\n")

    def test_names_of_tests_are_no_secrets(self) -> None:
        name = (
            f"2026-11-21 20:33:59+0000 [-] --> tests.test_{MARKERS[0]}.Tests.test <--"
        )
        self.own.write_text(f"{name}\n")
        self.assertEqual(check(self.directory), [])
        self.own.write_text(f"{name} and more\n")
        self.assertEqual(len(check(self.directory)), 1)

    def test_it_ends_with_a_status(self) -> None:
        self.server.write_text(f"{MARKERS[0]}\n" * 30)
        status, printed = self.run_it()
        self.assertEqual(status, 1)
        self.assertIn("log:1: a secret", printed)
        self.assertIn("and 10 more", printed)

    def test_without_any_log_it_fails(self) -> None:
        self.own.write_text("")
        self.assertIn("there is no log", check(self.directory)[0])
        self.own.unlink()
        self.assertIn("there is no log", check(self.directory)[0])
        self.assertEqual(self.run_it()[0], 1)

    def test_the_run_that_this_is_has_a_log(self) -> None:
        # Trial's working directory, in which the check looks when the run is over.
        self.assertTrue(Path(OWN_LOG).is_file())
