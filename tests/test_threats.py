# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Every threat has a test: docs/threats.md against the tests that it names."""

from __future__ import annotations

import importlib
import re
import unittest

from twisted.trial.unittest import SynchronousTestCase

from tests.documents import ROOT, section_of

PAGE = ROOT / "docs/threats.md"
THREATS = 50
DEFECTS = 13


def table(heading: str) -> dict[int, list[str]]:
    """Return the cells of the rows of a section's table, by their numbers."""
    found: dict[int, list[str]] = {}
    for line in section_of(PAGE, heading).splitlines():
        if re.match(r"\| *\d+ *\|", line):
            number, *cells = [cell.strip() for cell in line.strip("|").split("|")]
            if int(number) in found:
                raise AssertionError(f"{number} stands there twice")
            found[int(number)] = cells
    return found


def tests_of(cells: list[str]) -> list[str]:
    """Return the dotted names in the last cell of a row."""
    return [name.strip().strip("`") for name in cells[-1].split("<br>") if name.strip()]


def is_there(name: str) -> bool:
    """Say whether a test can be run by this name."""
    module, kind, method = name.rsplit(".", 2)
    try:
        found = getattr(importlib.import_module(module), kind)
    except (ImportError, AttributeError):
        return False
    return (
        issubclass(found, unittest.TestCase)
        and method.startswith("test_")
        and callable(getattr(found, method, None))
    )


class ThreatTests(SynchronousTestCase):
    def assert_proven(self, heading: str, count: int) -> None:
        rows = table(heading)
        self.assertEqual(list(rows), list(range(1, count + 1)))
        missing: list[str] = []
        for number, cells in rows.items():
            self.assertEqual(len(cells), 3, number)
            self.assertTrue(all(cells), f"{number} is not complete")
            names = tests_of(cells)
            self.assertEqual(len(set(names)), len(names), number)
            for name in names:
                self.assertRegex(name, r"^tests\.test_\w+\.\w+\.test_\w+$")
            missing += [f"{number}: {name}" for name in names if not is_there(name)]
        self.assertEqual(missing, [])

    def test_every_threat_has_tests_that_are_there(self) -> None:
        self.assert_proven("Threats", THREATS)

    def test_every_defect_of_the_stack_has_tests_that_are_there(self) -> None:
        self.assert_proven("Defects of the stack", DEFECTS)

    def test_a_test_that_is_not_there_is_found(self) -> None:
        own = f"{__name__}.ThreatTests"
        self.assertTrue(is_there(f"{own}.test_a_test_that_is_not_there_is_found"))
        for name in (
            f"{own}.test_no_such_test",
            f"{own}.assert_proven",
            f"{__name__}.NoTests.test_x",
            "tests.test_of_nothing.Tests.test_x",
        ):
            self.assertFalse(is_there(name), name)
