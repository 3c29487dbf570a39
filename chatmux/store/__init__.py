# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What outlives the process, in a SQL database: SQLite's or PostgreSQL's."""
