# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The times and sizes that HTTP peers are held to."""

from __future__ import annotations

import gc
from typing import Any

from chatmux.door import Answer
from chatmux.model import GOING_AWAY
from chatmux.transports.http import HTTPFactory
from tests.http_doubles import (
    GET,
    TOO_LARGE,
    Client,
    LimitTestCase,
    chunked,
    get,
    post,
)


class DeadlineTests(LimitTestCase):
    def test_a_request_has_its_time_from_the_accepting_on(self) -> None:
        client = self.connect()
        self.trickle(client, GET[:-1], 9.9)
        self.assertEqual(client.read(), b"")
        self.reactor.advance(0.2)
        self.assert_refused(client, 408)
        self.assertEqual(self.server.requests, [])
        self.assert_counted(accepted=1, closed_1008=1)

    def test_a_transport_that_resumes_gives_it_no_more(self) -> None:
        client = self.connect()
        client.say(GET[:-1])
        self.reactor.advance(9)
        (connection,) = self.guard.connections
        producer: Any = connection
        producer.pauseProducing()
        producer.resumeProducing()
        self.reactor.advance(1)
        self.assert_refused(client, 408)

    def test_so_has_one_whose_first_line_is_not_all_here(self) -> None:
        client = self.connect()
        client.say(GET[:5])
        self.reactor.advance(10)
        self.assert_refused(client, 408)

    def test_so_has_one_whose_body_is_missing(self) -> None:
        for request in post("/", b"hello"), chunked("/", b"hello"):
            client = self.connect()
            self.trickle(client, request[:-1], 9.9)
            self.reactor.advance(0.2)
            self.assert_refused(client, 408)

    def test_one_that_is_complete_in_time_is_served(self) -> None:
        client = self.connect()
        self.trickle(client, GET, 9.9)
        self.assertEqual([one.status for one in client.hear()], [200])
        self.reactor.advance(10)
        self.assertFalse(client.ended)

    def test_each_later_one_has_its_time_from_its_first_byte_on(self) -> None:
        client = self.connect()
        for _ in range(2):
            client.ask(GET)
            self.reactor.advance(50)
            self.trickle(client, GET[:-1], 9)
            self.assertEqual(client.ask(GET[-1:]).status, 200)
        self.trickle(client, GET[:-1], 9)
        self.assertEqual(client.read(), b"")
        self.reactor.advance(1.5)
        self.assert_refused(client, 408)

    def test_so_has_one_behind_another(self) -> None:
        slow = self.server.later("/slow")
        client = self.connect()
        client.say(get("/slow") + GET[:-1])
        self.reactor.advance(100)
        self.assertEqual(client.read(), b"")
        slow.callback(Answer(200))
        self.reactor.advance(9.9)
        self.assertEqual([one.status for one in client.hear()], [200])
        self.reactor.advance(0.2)
        self.assert_refused(client, 408)

    def test_who_says_nothing_at_all_hears_nothing(self) -> None:
        client = self.connect()
        self.reactor.advance(9.9)
        self.assertFalse(client.lost)
        self.reactor.advance(0.2)
        self.assertEqual(client.read(), b"")
        self.assertTrue(client.lost)
        self.assert_counted(accepted=1, closed_1008=1)

    def test_an_answer_has_all_the_time_it_needs(self) -> None:
        slow = self.server.later("/")
        client = self.connect()
        client.say(GET)
        self.reactor.advance(1000)
        slow.callback(Answer(200))
        self.assertEqual([one.status for one in client.hear()], [200])

    def test_who_asks_for_nothing_more_is_closed_without_a_word(self) -> None:
        client = self.connect()
        client.ask(GET)
        self.reactor.advance(59.9)
        client.ask(GET)
        self.reactor.advance(59.9)
        self.assertFalse(client.ended)
        self.reactor.advance(0.2)
        self.assertEqual(client.read(), b"")
        self.assertTrue(client.lost)
        self.assert_counted(accepted=1)

    def test_nor_is_who_waits_for_an_answer(self) -> None:
        """What was begun in time is not cut by the time that ran before."""
        slow = self.server.later("/slow")
        client = self.connect()
        client.ask(GET)
        self.reactor.advance(55)
        client.say(get("/slow"))
        self.reactor.advance(55)
        slow.callback(Answer(200))
        (answer,) = client.hear()
        self.assertFalse(answer.closes)

    def test_no_limit_is_none(self) -> None:
        self.limit(idle_seconds=0, opening_seconds=0)
        client = self.connect()
        self.reactor.advance(1000)
        client.say(GET[:-1])
        self.reactor.advance(1000)
        client.ask(GET[-1:])
        self.reactor.advance(1000)
        self.assertEqual(client.ask(GET).status, 200)


class SizeTests(LimitTestCase):
    def test_a_body_may_be_so_long_and_no_longer(self) -> None:
        for length, status in (1000, 200), (1001, 413):
            body = b"x" * length
            for request in (
                post("/", body),
                chunked("/", body),
                chunked("/", body[:500], body[500:]),
                chunked("/", *[b"x"] * length),
            ):
                client = self.connect()
                client.say(request)
                (answer,) = client.hear()
                self.assertEqual(answer.status, status)
                self.assertEqual(answer.closes, status == 413)
                if status == 413:
                    self.assertEqual(answer.body, TOO_LARGE.body)
                    self.assertTrue(client.ended)
        self.assertEqual(len(self.server.requests), 4)
        self.assert_counted(accepted=8, closed_1009=4)

    def test_one_that_is_announced_is_refused_before_it_comes(self) -> None:
        client = self.connect()
        client.say(post("/", b"x" * 1001)[:-1001])
        self.assert_refused(client, 413)
        client = self.connect()
        client.say(post("/", b"").replace(b"th: 0", b"th: 99999999999999999999"))
        self.assert_refused(client, 413)

    def test_one_in_chunks_is_refused_before_its_end(self) -> None:
        client = self.connect()
        client.say(chunked("/", b"x" * 1001)[:-7])
        self.assert_refused(client, 413)

    def test_nothing_of_it_is_kept(self) -> None:
        client = self.connect()
        client.say(chunked("/", b"x" * 500, b"x" * 501, b"x" * 400))
        protocol = client.wire.transport.protocol
        for _ in range(100):
            client.say(b"x" * 8192)
        self.assertEqual(protocol._buffer, b"")
        held = sum(len(referent) for referent in gc.get_referents(protocol.requests[0])
                   if isinstance(referent, bytes | bytearray))  # fmt: skip
        self.assertLess(held, 100)

    def test_it_is_refused_once_for_its_first_fault(self) -> None:
        client = self.connect()
        client.say(chunked("/", b"x" * 1001)[:-5] + b"nonsense\r\n")
        self.assert_refused(client, 400)
        self.assert_counted(accepted=1, closed_1002=1)

    def test_nothing_is_kept_of_what_stands_behind_a_refused_one(self) -> None:
        client = self.connect()
        client.say(b"nonsense\r\n" + b"x" * 5000)
        self.assert_refused(client, 400)
        self.assertEqual(client.wire.transport.protocol._buffer, b"")

    def test_the_answer_to_head_has_no_body_here_either(self) -> None:
        client = self.connect()
        client.say(post("/", b"x" * 1001).replace(b"POST", b"HEAD"))
        (answer,) = client.hear(head=True)
        self.assertEqual(answer.status, 413)

    def test_headers_may_be_so_long_together_and_no_longer(self) -> None:
        fixed = len(get("/", "X: "))
        for length, status in (16 * 1024, 200), (16 * 1024 + 1, 431):
            client = self.connect()
            client.say(get("/", "X: " + "x" * (length - fixed)))
            (answer,) = client.hear()
            self.assertEqual((answer.status, answer.closes), (status, status == 431))
            client = self.connect()
            half = (length - fixed - len("X: \r\n")) // 2
            odd = (length - fixed - len("X: \r\n")) % 2
            client.say(get("/", "X: " + "x" * half, "X: " + "x" * (half + odd)))
            (answer,) = client.hear()
            self.assertEqual(answer.status, status)
        self.assert_counted(accepted=4, closed_1002=2)

    def test_so_may_be_the_first_line(self) -> None:
        for request in get("/" + "x" * 20_000), b"x" * 20_000:
            client = self.connect()
            client.say(request)
            self.assert_refused(client, 431)

    def test_the_limit_is_the_configured_one(self) -> None:
        for limit in 1024, 64 * 1024:
            self.limit(header_bytes=limit)
            for length, status in (limit - 100, 200), (limit, 431):
                answer = self.connect().ask(get("/", "X: " + "x" * length))
                self.assertEqual(answer.status, status)

    def test_each_request_of_a_connection_has_its_own(self) -> None:
        client = self.connect()
        for _ in range(4):
            self.assertEqual(client.ask(get("/", "X: " + "x" * 9000)).status, 200)

    def test_so_many_headers_and_no_more(self) -> None:
        for count, status in (99, 200), (100, 431):
            client = self.connect()
            for _ in range(2 if status == 200 else 1):
                client.say(get("/", *["X: y"] * count))
                (answer,) = client.hear()
                self.assertEqual(answer.status, status)

    def test_a_request_in_the_making_is_not_kept_without_limit(self) -> None:
        """While another one is answered, little is read ahead."""
        self.server.later("/slow")
        client = self.connect()
        client.say(get("/slow"))
        sent = 0
        for _ in range(1000):
            try:
                sent += client.wire.far.send(b"x" * 8192)
            except BlockingIOError:
                break
            client.wire.turn()
        self.assertNotIn(client.wire.transport, self.reactor.readers)
        protocol = client.wire.transport.protocol
        self.assertLess(len(protocol._buffer), 100_000)


class LingeringTests(LimitTestCase):
    """A peer in the middle of sending is not reset before it has read the answer."""

    def refused(self) -> Client:
        client = self.connect()
        client.say(post("/", b"x" * 1001)[:-1001])
        self.assert_refused(client, 413)
        return client

    def test_what_it_still_sends_is_dropped(self) -> None:
        client = self.refused()
        for _ in range(100):
            client.say(b"x" * 8192)
        self.assertFalse(client.lost)
        client.wire.end()
        self.assertTrue(client.lost)
        self.assert_nothing_is_left()

    def test_a_long_answer_is_heard_to_its_end(self) -> None:
        door = self.server.door(too_large=Answer(413, b"x" * 300_000))
        self.factory = HTTPFactory(self.guard, door)
        client = self.connect()
        client.say(post("/", b"x" * 1001)[:-1001])
        (answer,) = client.hear()
        self.assertEqual(len(answer.body), 300_000)
        self.assertTrue(client.ended)

    def test_a_shutdown_changes_nothing(self) -> None:
        client = self.refused()
        for connection in list(self.guard.connections):
            connection.close(GOING_AWAY)
        client.say(b"x")
        self.assertFalse(client.lost)
        client.wire.end()
        self.assertTrue(client.lost)
        self.assert_counted(accepted=1, closed_1009=1)

    def test_but_not_for_ever(self) -> None:
        client = self.refused()
        self.reactor.advance(4.9)
        client.say(b"x")
        self.assertFalse(client.lost)
        self.reactor.advance(0.2)
        self.assertTrue(client.lost)
        self.assert_nothing_is_left()
