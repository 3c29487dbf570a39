# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Order, log and fan-out of channels, and who is present on them."""
