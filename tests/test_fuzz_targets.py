# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The targets of the fuzzing hold for what they begin with, and for some at random."""

from __future__ import annotations

import importlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fuzz import TARGETS
from fuzz.__main__ import LONGEST_BYTES

modules: dict[str, Any] = {
    name: importlib.import_module(f"fuzz.{name}") for name in TARGETS
}


class TargetTests(SynchronousTestCase):
    def test_all_seeds_pass(self) -> None:
        for module in modules.values():
            for seed in module.seeds():
                if len(seed) <= LONGEST_BYTES:
                    module.once(seed)

    @given(st.sampled_from(TARGETS), st.binary())
    def test_so_does_what_comes_at_random(self, name: str, data: bytes) -> None:
        modules[name].once(data)
