# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""How many examples the properties are tried with.

``CHATMUX_HYPOTHESIS=ci``, as `make test` has it: as many as a run of all tests has time
for; Hypothesis's own number, where the variable is not set. ``nightly``: 100,000 of
each, or, of those that take long, as many times more.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

CI_EXAMPLES = 250
NIGHTLY_EXAMPLES = 100_000
_TIMES = NIGHTLY_EXAMPLES // CI_EXAMPLES
_name = os.environ.get("CHATMUX_HYPOTHESIS", "ci")


def load() -> None:
    """Make the profiles known, and take the one that is asked for."""
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    settings.register_profile(
        "ci", max_examples=CI_EXAMPLES, deadline=None, suppress_health_check=slow
    )
    settings.register_profile(
        "nightly", settings.get_profile("ci"), max_examples=NIGHTLY_EXAMPLES
    )
    settings.load_profile(_name)


def examples(count: int) -> int:
    """Return how many are tried where `count` are in a usual run."""
    return count * _TIMES if _name == "nightly" else count
