# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The Autobahn|Testsuite against every WebSocket listener: ``make compliance``."""
