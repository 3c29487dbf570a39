# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The tests' browser: what it must not let pass, and must not leave behind."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.browser import PHONE, Browser

PAGE = """data:text/html,<title>x</title>
<meta name="viewport" content="width=device-width"><p>one<p>two</p>
<script>console.error("a fault"); undefinedName()</script>
<img src="http://example.org/x.png">"""


class BrowserTests(SynchronousTestCase):
    def test_complaints_are_a_failure_and_nothing_is_left(self) -> None:
        browser = Browser(Path(self.mktemp()))
        self.addCleanup(browser.close)
        browser.window().open("data:text/html,<p>nothing wrong")
        self.assertEqual(browser.complaints(), [])
        window = browser.window(PHONE, dark=True)
        window.open(PAGE)
        self.assertEqual(window.texts("p"), ["one", "two"])
        size = window.run("return [innerWidth, innerHeight]")
        self.assertEqual(tuple(size), PHONE)
        shot = window.screenshot("page")
        self.assertTrue(shot.read_bytes().startswith(b"\x89PNG"))
        self.assertGreater(len(browser.processes()), 2)
        with self.assertRaises(AssertionError) as raised:
            browser.close()
        for fault in ("a fault", "undefinedName", "ERR_NAME_NOT_RESOLVED"):
            self.assertIn(fault, str(raised.exception))
        self.assertEqual(browser.processes(), [])
        self.assertFalse(browser.profile.exists())
