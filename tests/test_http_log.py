# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What the log has of HTTP."""

from __future__ import annotations

from twisted.logger import capturedLogs, formatEvent

from chatmux.door import Answer
from tests.http_doubles import HTTPTestCase, get
from tests.transport_doubles import PEER


class LogTests(HTTPTestCase):
    """What is said of answers: a line for who is not let in, and counts."""

    def answered(self, path: str, status: int) -> list[str]:
        self.server.steps[path] = lambda request: Answer(status)
        with capturedLogs() as logs:
            client = self.connect()
            client.say(get(path))
            client.hear()
        return [str(formatEvent(event)) for event in logs]

    def test_who_is_not_let_in_is_a_line(self) -> None:
        for number, status in enumerate((401, 403, 429), 1):
            which = f"connection {number} (test.http, {PEER.host}:4711)"
            line = f"{which} was answered {status}: GET /room"
            self.assertEqual(self.answered("/room", status), [line])
            self.assertEqual(self.guard.counts[f"answered {status}"], 1)

    def test_others_are_counted_alone(self) -> None:
        for status in (200, 404, 503):
            self.assertEqual(self.answered("/", status), [])
            self.assertEqual(self.guard.counts[f"answered {status}"], 1)

    def test_or_a_line_at_debug(self) -> None:
        self.guard.debug = True
        (line,) = self.answered("/%0A", 404)
        self.assertTrue(line.endswith("was answered 404: GET /%0A"), line)

    def test_the_query_is_nobodys_business(self) -> None:
        self.server.steps["/room"] = lambda request: Answer(403)
        with capturedLogs() as logs:
            client = self.connect()
            client.say(get("/room?token=secret"))
            client.hear()
        (line,) = [str(formatEvent(event)) for event in logs]
        self.assertNotIn("secret", line)
