# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Sockets: lines and WebSockets, their limits and their back-pressure.

Nothing here knows what is said; that is for the session that a door makes.
"""
