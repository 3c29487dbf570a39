# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The protocols, each a codec and a session. No sockets, no clock, no Twisted.

`PROTOCOLS` in `chatmux.node` lists them. See CONTRIBUTING.md, "Adding a protocol".
"""
