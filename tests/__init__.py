# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Tests, for trial. Those of pure code use no reactor; see CONTRIBUTING.md."""

import os

if "CHATMUX_HYPOTHESIS" in os.environ:
    from tests import profiles

    profiles.load()
