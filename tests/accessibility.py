# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What axe-core finds wrong with a page. `make test` installs it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from unittest import SkipTest

from tests.browser import Window

AXE = Path(__file__).parent / "axe/node_modules/axe-core/axe.min.js"
GRAVE = "serious", "critical"

# What is still moving would be judged half transparent.
_RUN = """
await Promise.all(document.getAnimations().map((animation) => animation.finished));
const found = await axe.run(document, { resultTypes: ["violations"] });
return [found.testEngine.version, found.violations.flatMap((violation) =>
  violation.nodes.map((node) => [
    violation.impact, violation.id, node.html, node.failureSummary]))];
"""


def faults(window: Window) -> list[Any]:
    """Return what is serious or critical, each with its element and why.

    Raises:
        SkipTest: axe-core is not installed; with CHATMUX_REQUIRE_SERVICES=1 that is
            an error.
    """
    if not AXE.exists():
        words = "axe-core is not here: run make tests/axe/node_modules/ready"
        if os.environ.get("CHATMUX_REQUIRE_SERVICES") == "1":
            raise AssertionError(words)
        raise SkipTest(words)
    if not window.run("return 'axe' in window"):
        window.run(AXE.read_text())
    _, found = window.run(_RUN)
    return [fault for fault in found if fault[0] in GRAVE]
