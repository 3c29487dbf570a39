# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""One server, four chat protocols, one conversation."""

__version__ = "0.1.0"
