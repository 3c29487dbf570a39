# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""HTTP peers that do not read, or send much at once, and what is left of the lost."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from chatmux.door import Answer, Request
from chatmux.transports.http_connection import MOST_UNREAD_BYTES
from tests.http_doubles import GET, Client, LimitTestCase, chunked, get, post
from tests.transport_doubles import Wire


class SlowReaderTests(LimitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.server.steps["/"] = lambda request: Answer(200, b"x" * 50_000)

    def stuff(self, client: Client) -> None:
        """Ask, and ask, and read nothing."""
        requests = GET * 1000
        for _ in range(200):
            try:
                requests = requests[client.wire.far.send(requests[:8192]) :]
            except BlockingIOError:
                break
            client.wire.turn()

    def test_who_does_not_read_is_not_read_from(self) -> None:
        client = self.connect()
        self.stuff(client)
        (connection,) = self.guard.connections
        self.assertTrue(connection.unsent())
        self.assertLess(connection.unsent(), 150_000)
        self.assertNotIn(client.wire.transport, self.reactor.readers)
        self.assertLess(len(client.wire.transport.protocol._buffer), 100_000)
        self.assertLess(len(self.server.requests), 20)

    def test_who_goes_on_reading_gets_all(self) -> None:
        client = self.connect()
        client.say(GET * 40)
        self.assertLess(len(self.server.requests), 20)
        self.assertEqual([len(one.body) for one in client.hear()], [50_000] * 40)
        self.reactor.advance(59)
        self.assertEqual(client.ask(GET).status, 200)

    def test_a_transport_that_resumes_takes_no_request_before_its_turn(self) -> None:
        slow = self.server.later("/slow")
        client = self.connect()
        client.say(get("/slow") + GET)
        (connection,) = self.guard.connections
        producer: Any = connection
        producer.pauseProducing()
        producer.resumeProducing()
        self.assertEqual(len(self.server.requests), 1)
        slow.callback(Answer(200))
        self.assertEqual([len(one.body) for one in client.hear()], [0, 50_000])

    def test_who_reads_nothing_is_cut(self) -> None:
        client = self.connect()
        self.stuff(client)
        self.reactor.advance(9.9)
        self.assertFalse(client.lost)
        for _ in range(3):
            self.reactor.advance(1)
        self.assertTrue(client.lost)
        self.assert_counted(accepted=1, closed_1008=1, too_slow=1)

    def test_many_who_ask_for_much_and_read_nothing_are_not_all_given_it(self) -> None:
        self.patch(self.guard, "_network", lambda host: None)
        self.ask_for_much(MOST_UNREAD_BYTES)

    def test_of_one_address_they_are_given_an_eighth_of_it(self) -> None:
        self.ask_for_much(MOST_UNREAD_BYTES // 8)

    def ask_for_much(self, most: int) -> None:
        self.server.steps["/"] = lambda request: Answer(200, b"x" * 4_000_000)
        self.server.steps["/small"] = lambda request: Answer(200, b"small")
        clients = [self.connect() for _ in range(60)]
        for client in clients:
            client.wire.far.send(GET)
            client.wire.turn()
        held = sum(connection.unsent() for connection in self.guard.connections)
        self.assertLessEqual(held, most)
        self.assertGreater(held, most // 2)
        self.assertEqual(clients[-1].hear()[0].status, 503)
        self.assertEqual(clients[-1].ask(get("/small")).status, 200)
        for client in clients[:40]:
            client.wire.close()
        self.assertEqual(clients[-1].ask(GET).status, 200)

    def test_so_is_who_reads_nothing_at_the_end(self) -> None:
        client = self.connect()
        client.say(get("/", "Connection: close", "X: y"))
        self.assertFalse(client.lost)
        for _ in range(13):
            self.reactor.advance(1)
        self.assertTrue(client.lost)
        self.assert_nothing_is_left()

    def test_a_request_half_here_waits_with_the_others(self) -> None:
        """Its deadline begins when it is read."""
        client = self.connect()
        client.say(GET * 4 + GET[:-1])
        self.reactor.advance(9)
        heard = client.hear()
        self.reactor.advance(9)
        client.say(GET[-1:])
        heard += client.hear()
        self.assertEqual([one.status for one in heard], [200] * 5)


class TurnTests(LimitTestCase):
    def test_one_peer_takes_not_all_of_a_turn(self) -> None:
        client = self.connect()
        client.wire.far.send(GET * 100)
        client.wire.transport.doRead()
        self.assertEqual(len(self.server.requests), 16)
        self.assertEqual(len(client.hear()), 100)
        self.assertEqual(client.ask(GET).status, 200)

    def test_a_transport_that_resumes_is_no_turn(self) -> None:
        client = self.connect()
        client.wire.far.send(GET * 100)
        client.wire.transport.doRead()
        (connection,) = self.guard.connections
        producer: Any = connection
        producer.pauseProducing()
        producer.resumeProducing()
        self.assertEqual(len(self.server.requests), 16)

    def test_a_request_with_a_body_is_no_reason_to_wait(self) -> None:
        for request in post("/", b"hello"), chunked("/", b"hello"):
            self.server.requests.clear()
            client = self.connect()
            client.wire.far.send(request * 10)
            client.wire.transport.doRead()
            self.assertEqual(len(self.server.requests), 10)

    def test_so_it_is_with_chunks(self) -> None:
        """Each of one byte, 64 KiB would hold everybody up for 70 ms."""
        request = chunked("/", *[b"x"] * 1000)
        self.assertGreater(len(request), 4096)
        client = self.connect()
        client.wire.far.send(request + GET)
        client.wire.transport.doRead()
        self.assertEqual(self.server.requests, [])
        self.assertNotIn(client.wire.transport, self.reactor.readers)
        client.wire.far.send(GET)
        client.wire.turn()
        self.assertEqual(len(client.hear()), 3)
        self.assertEqual(self.server.requests[0].body, b"x" * 1000)

    def test_who_is_too_late_meanwhile_is_refused(self) -> None:
        client = self.connect()
        client.wire.far.send(chunked("/", *[b"x"] * 1000))
        client.wire.transport.doRead()
        for connection in list(self.guard.connections):
            connection.opening_expired()
        self.assert_refused(client, 408)
        self.assertEqual(self.server.requests, [])

    def test_who_goes_in_between_leaves_nothing(self) -> None:
        client = self.connect()
        client.wire.far.send(GET * 100)
        client.wire.transport.doRead()
        client.wire.transport.abortConnection()
        self.assertTrue(client.lost)
        self.assertLessEqual(len(self.server.requests), 32)
        self.assert_nothing_is_left()


class CycleTests(LimitTestCase):
    """Reference counting alone frees what is lost, as for the other transports."""

    def setUp(self) -> None:
        super().setUp()
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)

    def assert_freed(self, *requests: bytes) -> None:
        protocol = self.factory.buildProtocol(None)
        client = Client(Wire(protocol, self.reactor))
        freed: list[weakref.ref[Any]] = [weakref.ref(protocol)]
        freed += [weakref.ref(protocol.connection)]
        freed += [weakref.ref(client.wire.transport)]
        del protocol
        for request in requests:
            client.say(request)
            client.read()
        client.wire.close()
        del client.wire.transport
        self.assertEqual([one() for one in freed], [None] * 3)
        self.assert_nothing_is_left()

    def test_of_one_that_said_nothing(self) -> None:
        self.assert_freed()

    def test_of_one_with_its_answer(self) -> None:
        self.assert_freed(GET)

    def test_of_one_that_was_kept_alive(self) -> None:
        self.assert_freed(GET, post("/", b"x"), chunked("/", b"x"), GET * 40)

    def test_of_one_in_the_middle_of_a_request(self) -> None:
        for request in GET, post("/", b"hello"), chunked("/", b"hello"):
            self.assert_freed(request[:-1])

    def test_of_one_that_was_refused(self) -> None:
        self.assert_freed(b"nonsense\r\n")
        self.assert_freed(chunked("/", b"x" * 2000))

    def test_of_one_whose_answer_failed(self) -> None:
        def fail(request: Request) -> Answer:
            raise ZeroDivisionError

        self.server.steps["/"] = fail
        client = self.connect()
        freed = weakref.ref(client.wire.transport.protocol)
        client.say(GET)
        client.read()
        client.wire.close()
        self.flushLoggedErrors(ZeroDivisionError)
        self.assertIsNone(freed())

    def test_of_one_that_was_answered_later(self) -> None:
        for when in "before", "after":
            later = self.server.later("/")
            client = self.connect()
            freed = weakref.ref(client.wire.transport.protocol)
            client.say(GET)
            if when == "after":
                client.wire.close()
            later.callback(Answer(200))
            del later, self.server.steps["/"]
            client.wire.close()
            self.assertIsNone(freed(), when)
