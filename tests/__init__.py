# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Tests, for trial. Those of pure code use no reactor; see CONTRIBUTING.md."""
