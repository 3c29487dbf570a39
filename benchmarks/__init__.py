# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Measure how fast chatmux carries one message to many, beside its peers.

``python -m benchmarks`` starts every server it finds on loopback, loads one after
the other and prints a table: deliveries a second, latency, loss and processor time.
The load generator needs the standard library and Linux (epoll, ``/proc``), no more.

A benchmark is never a timed test: nothing here fails because a machine is slow.
"""
