# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The operator's view: what the server does, and a hand in it.

HTTP on an address of its own, with JSON, and a WebSocket for what changes::

    GET  /                           the page
    GET  /api/server                 version, start, doors, limits
    GET  /api/samples                the last minutes, a sample for each second
    GET  /api/connections            the youngest, or ?door=KEY&channel=NAME&find=WORDS
    GET  /api/channels               with how many are there and what was said
    GET  /api/members?channel=NAME   who is there
    GET  /api/refusals               the last that were not let in, or were closed
    POST /api/connections/N/close    {"reason": WORDS}
    POST /api/channels/close         {"channel": NAME, "reason": WORDS}
    POST /api/notice                 {"text": TEXT, "channel": NAME or all channels}
    GET  /api/events                 WebSocket: {"sample": ...} each second,
                                     {"refusal": ...} as they come

Lists are of 500 at most, unless there is a ``limit=N``. Keys, examples and what is
promised of them: docs/admin.md.

Whoever can reach the address may do all of this, unless there is a token, which is
needed where other machines can: ``Authorization: Bearer TOKEN``, or as the WebSocket's
subprotocol. A page of another origin, or one that has given itself this address by DNS,
is refused (403): the ``Host`` must be the address's own and so must the ``Origin``,
where there is one.

What is wrong is answered ``{"error": WORDS}``: 400 no JSON or not what it should be,
401 no token or a wrong one, 404, 405, 413 too long, 415 not declared as JSON, 429 after
ten wrong tokens a minute. What an operator does is logged.
"""
