# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Tells twistd and twist of chatmux."""

from twisted.application.service import ServiceMaker

chatmux = ServiceMaker(
    "chatmux", "chatmux.tap", "One server, four chat protocols.", "chatmux"
)
