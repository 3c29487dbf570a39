# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""HTTP: requests are handed on whole, and answered in their order."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent

from chatmux.door import Answer, Request
from chatmux.model import GOING_AWAY, NORMAL
from chatmux.transports.http import HTTPFactory
from chatmux.transports.http_answer import answer_bytes
from tests.http_doubles import FAILED, GET, Client, HTTPTestCase, chunked, get, post
from tests.transport_doubles import PEER


class RequestTests(HTTPTestCase):
    def test_it_is_handed_on_as_it_was_sent(self) -> None:
        self.connect().say(
            b"DELETE /a%20b/c;d?x=%41&y HTTP/1.1\r\nHost: h:80\r\nX-A:  1\t\r\n"
            b"x-a: 2\r\nX-B: caf\xe9\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\nCookie: a=b\r\n"
            b"Content-Length: 3\r\n\r\nabc"
        )
        headers = {
            "host": "h:80",
            "x-a": "1, 2",
            "x-b": "café",
            "content-type": "multipart/form-data; boundary=x",
            "cookie": "a=b",
            "content-length": "3",
        }
        self.assertEqual(
            self.server.requests,
            [Request("DELETE", "/a%20b/c;d", "x=%41&y", headers, b"abc", PEER.host)],
        )

    def test_no_query_is_an_empty_one(self) -> None:
        client = self.connect()
        for path, parts in (
            ("/a", ("/a", "")),
            ("/a?", ("/a", "")),
            ("/a?b?c", ("/a", "b?c")),
            ("//a/../b", ("//a/../b", "")),
        ):
            client.ask(get(path))
            request = self.server.requests.pop()
            self.assertEqual((request.path, request.query), parts)

    @given(cuts=st.lists(st.integers(0, 400), max_size=8))
    def test_cut_anyhow_they_are_the_same(self, cuts: list[int]) -> None:
        self.server.requests.clear()
        stream = (
            get("/one") + chunked("/two", b"he", b"llo") + post("/three", b"\r\n\r\n")
            + post("/four", b"") + chunked("/five") + GET
        )  # fmt: skip
        client = self.connect()
        for start, end in pairwise([0, *sorted(cuts), len(stream)]):
            client.say(stream[start:end])
        found = [(request.path, request.body) for request in self.server.requests]
        self.assertEqual(
            found,
            [
                ("/one", b""),
                ("/two", b"hello"),
                ("/three", b"\r\n\r\n"),
                ("/four", b""),
                ("/five", b""),
                ("/", b""),
            ],
        )
        paths = [answer.body.decode() for answer in client.hear()]
        self.assertEqual(paths, [path for path, _ in found])
        client.wire.close()

    def test_a_body_that_is_awaited_is_asked_for(self) -> None:
        client = self.connect()
        request = post("/", b"hello").replace(
            b"Host", b"Expect: 100-Continue\r\nHost", 1
        )
        client.say(request[:-5])
        self.assertEqual(client.read(), b"HTTP/1.1 100 Continue\r\n\r\n")
        self.assertEqual(client.ask(request[-5:]).status, 200)
        self.assertEqual(self.server.requests[-1].body, b"hello")
        for other in (
            request.replace(b"Length: 5", b"Length: 1001"),
            get("/", "Expect: 100-continue"),
            request.replace(b"HTTP/1.1", b"HTTP/1.0"),
        ):
            answers = self.connect()
            answers.say(other)
            self.assertNotIn(b"HTTP/1.1 100", answers.read())


class AnswerTests(HTTPTestCase):
    def answer(self, answer: Answer, request: bytes = GET) -> bytes:
        self.server.steps["/"] = lambda request: answer
        client = self.connect()
        client.say(request)
        return client.read()

    def test_its_headers_are_in_one_order(self) -> None:
        headers = (("X-B", "1"), ("Set-Cookie", "a"), ("X-A", "é"), ("Set-Cookie", "b"))
        heard = self.answer(Answer(201, b"hello", headers))
        self.assertRegex(
            heard,
            rb"^HTTP/1\.1 201 Created\r\nX-B: 1\r\nSet-Cookie: a\r\nX-A: \xe9\r\n"
            rb"Set-Cookie: b\r\nDate: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT\r\n"
            rb"Content-Length: 5\r\n\r\nhello\Z",
        )

    def test_and_the_close_is_the_last(self) -> None:
        for request in get("/", "Connection: close"), get("/", version="1.0"):
            heard = self.answer(Answer(200, b"hello"), request)
            self.assertRegex(
                heard,
                rb"^HTTP/1\.1 200 OK\r\nDate: [^\r]+\r\n"
                rb"Content-Length: 5\r\nConnection: close\r\n\r\nhello\Z",
            )

    def test_the_body_of_head_is_counted_and_not_sent(self) -> None:
        heard = self.answer(Answer(200, b"hello"), GET.replace(b"GET", b"HEAD"))
        self.assertIn(b"Content-Length: 5\r\n", heard)
        self.assertTrue(heard.endswith(b"\r\n\r\n"))

    def test_some_statuses_have_no_body(self) -> None:
        for status in 204, 304:
            heard = self.answer(Answer(status, b"hello"))
            self.assertNotIn(b"Content-Length", heard)
            self.assertTrue(heard.endswith(b"\r\n\r\n"))

    def test_an_empty_body_is_counted(self) -> None:
        self.assertIn(b"Content-Length: 0\r\n", self.answer(Answer(404)))

    def test_a_status_that_nobody_knows(self) -> None:
        self.assertTrue(self.answer(Answer(299)).startswith(b"HTTP/1.1 299 \r\n"))

    def test_nothing_of_the_software_is_told(self) -> None:
        for request in GET, b"nonsense\r\n\r\n", post("/", b"x" * 2000):
            heard = self.answer(Answer(200), request).lower()
            for word in b"server", b"twisted", b"python", b"chatmux", b"<html":
                self.assertNotIn(word, heard)

    def test_a_header_that_would_be_two_is_an_error_of_ours(self) -> None:
        for value in "a\r\nX: b", "a\nX: b", "a\rX: b", "\u20ac":
            heard = self.answer(Answer(200, b"hello", (("X-A", value),)))
            self.assertTrue(heard.startswith(b"HTTP/1.1 500 "), heard)
            self.assertTrue(heard.endswith(b"\r\n\r\nfailed"), heard)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 4)
        self.assertRaises(ValueError, answer_bytes, Answer(200, b"", (("A\n", ""),)),
                          head=False, last=False)  # fmt: skip


class KeepAliveTests(HTTPTestCase):
    def test_a_connection_serves_many_requests(self) -> None:
        client = self.connect()
        for path in "/a", "/b", "/c":
            answer = client.ask(get(path))
            self.assertEqual((answer.body, answer.closes), (path.encode(), False))
        self.assertFalse(client.ended)
        self.assertEqual(self.guard.counts["accepted"], 1)

    def test_it_ends_where_the_client_wants_that(self) -> None:
        for headers in (
            ["Connection: close"],
            ["Connection: keep-alive,Close"],
            ["Connection: keep-alive", "Connection: x , close"],
        ):
            client = self.connect()
            client.say(get("/last", *headers) + get("/late"))
            (answer,) = client.hear()
            self.assertTrue(answer.closes, headers)
            self.assertTrue(client.lost, headers)
        self.assertNotIn("/late", [request.path for request in self.server.requests])
        self.assertEqual(dict(self.guard.counts), {"accepted": 3, "answered 200": 3})

    def test_1_0_ends_with_its_answer(self) -> None:
        client = self.connect()
        request = get("/", "Connection: keep-alive", version="1.0")
        self.assertTrue(client.ask(request.replace(b"Host: h\r\n", b"")).closes)
        self.assertTrue(client.lost)

    def test_pipelined_requests_are_answered_in_their_order(self) -> None:
        slow = self.server.later("/slow")
        client = self.connect()
        client.say(get("/a") + post("/slow", b"body") + get("/b") + get("/c"))
        self.assertEqual([one.body for one in client.hear()], [b"/a"])
        self.assertEqual(len(self.server.requests), 2)
        slow.callback(Answer(200, b"slow"))
        self.assertEqual([one.body for one in client.hear()], [b"slow", b"/b", b"/c"])

    def test_many_behind_a_slow_one_are_read_when_it_is_answered(self) -> None:
        slow = self.server.later("/slow")
        client = self.connect()
        client.say(get("/slow"))
        padded = get("/", "X: " + "x" * 8000)
        for _ in range(3):
            client.say(padded)
        self.assertNotIn(client.wire.transport, self.reactor.readers)
        slow.callback(Answer(200))
        self.assertEqual(len(client.hear()), 4)
        self.assertEqual(client.ask(GET).status, 200)

    def test_a_peer_that_has_ended_its_sending_gets_its_answers(self) -> None:
        slow = self.server.later("/slow")
        client = self.connect()
        client.say(get("/a") + get("/slow") + get("/b") + get("/b") + b"GET /half")
        client.wire.end()
        self.assertEqual([one.body for one in client.hear()], [b"/a"])
        self.assertFalse(client.lost)
        slow.callback(Answer(200, b"slow"))
        self.assertEqual([one.body for one in client.hear()], [b"slow", b"/b", b"/b"])
        self.assertTrue(client.lost)
        self.assert_nothing_is_left()

    def test_one_that_waits_for_none_is_closed(self) -> None:
        client = self.connect()
        client.ask(GET)
        client.wire.end()
        self.assertTrue(client.lost)
        self.assertEqual(dict(self.guard.counts), {"accepted": 1, "answered 200": 1})


class FailureTests(HTTPTestCase):
    def stumble(self, request: Request) -> Answer:
        raise ZeroDivisionError

    def test_an_exception_is_an_answer_and_logged_once(self) -> None:
        self.server.steps["/bad"] = self.stumble
        client = self.connect()
        with capturedLogs() as logs:
            client.say(get("/bad") + get("/good"))
        answers = client.hear()
        self.assertEqual([one.status for one in answers], [500, 200])
        self.assertEqual(answers[0].body, FAILED.body)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        lines = [formatEvent(event) for event in logs]
        self.assertEqual(lines, [f"connection 1 (test.http, {PEER.host}:4711) raised"])
        self.assertEqual(self.guard.counts["failed"], 1)

    def test_so_it_is_when_it_comes_later(self) -> None:
        answer = self.server.later("/")
        client = self.connect()
        client.say(GET)
        answer.errback(ZeroDivisionError())
        self.assertEqual([one.status for one in client.hear()], [500])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_so_it_is_when_nothing_was_awaited(self) -> None:
        """A door whose `respond` is no coroutine."""
        self.factory = HTTPFactory(self.guard, self.server.door(respond=self.stumble))
        self.assertEqual(self.connect().ask(GET).status, 500)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_deferred_is_as_good_as_a_coroutine(self) -> None:
        answer: Deferred[Answer] = Deferred()
        door = self.server.door(respond=lambda request: answer)
        self.factory = HTTPFactory(self.guard, door)
        client = self.connect()
        client.say(GET)
        answer.callback(Answer(202))
        self.assertEqual([one.status for one in client.hear()], [202])

    def test_who_goes_away_meanwhile_cancels_nothing(self) -> None:
        done: list[Answer] = []

        def note(answer: Answer) -> Answer:
            done.append(answer)
            return answer

        answer = self.server.later("/").addCallback(note)
        client = self.connect()
        client.say(GET + GET)
        client.wire.transport.abortConnection()
        self.assertTrue(client.lost)
        self.assert_nothing_is_left()
        answer.callback(Answer(200))
        self.assertEqual(done, [Answer(200)])
        self.assertEqual(len(self.server.requests), 1)
        self.assertEqual(dict(self.guard.counts), {"accepted": 1})

    def test_nor_is_an_error_of_ours_lost_then(self) -> None:
        answer = self.server.later("/")
        client = self.connect()
        client.say(GET)
        client.wire.transport.abortConnection()
        self.assertTrue(client.lost)
        answer.errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.guard.counts["failed"], 1)


class DrainTests(HTTPTestCase):
    def drain(self) -> None:
        for connection in list(self.guard.connections):
            connection.close(GOING_AWAY)

    def test_who_waits_for_nothing_is_closed_at_once(self) -> None:
        new, kept, half = self.connect(), self.connect(), self.connect()
        kept.ask(GET)
        half.say(post("/", b"hello")[:-1])
        self.drain()
        for client in new, kept, half:
            self.assertEqual(client.read(), b"")
            self.assertTrue(client.lost)
        self.assert_nothing_is_left()

    def test_an_answer_in_flight_is_finished(self) -> None:
        owed = self.server.later("/")
        client = self.connect()
        client.say(GET + get("/late"))
        self.drain()
        client.say(get("/late"))
        self.assertFalse(client.lost)
        owed.callback(Answer(200, b"x" * 400_000))
        (answer,) = client.hear()
        self.assertTrue(answer.closes)
        self.assertEqual(len(answer.body), 400_000)
        self.assertTrue(client.lost)
        self.assertEqual(len(self.server.requests), 1)
        self.assertEqual(self.guard.counts["closed 1001"], 1)
        self.assert_nothing_is_left()

    def test_nothing_is_written_after_the_close(self) -> None:
        for request in GET, b"nonsense\r\n":
            client = self.connect()
            client.say(request)
            client.hear()
            (connection,) = self.guard.connections
            connection.close(NORMAL)
            writing: Any = connection
            writing.write(b"late")
            self.assertEqual(client.read(), b"")
            client.wire.close()

    def test_who_waits_for_its_turn_gets_no_more_of_it(self) -> None:
        client = self.connect()
        client.wire.far.send(GET * 100)
        client.wire.transport.doRead()
        (connection,) = self.guard.connections
        self.drain()
        self.reactor.advance(0)
        self.assertNotIn(connection, self.guard.openings)
        self.assertEqual(len(client.hear()), 16)
        self.assertEqual(len(self.server.requests), 16)
        self.assertTrue(client.lost)
        self.assert_nothing_is_left()

    def test_an_abort_cuts(self) -> None:
        clients: list[Client] = [self.connect(), self.connect()]
        self.server.later("/")
        clients[1].say(GET)
        for connection in list(self.guard.connections):
            connection.abort()
        for client in clients:
            self.assertTrue(client.lost)
        self.assert_nothing_is_left()

    def test_the_guard_learns_when_all_are_gone(self) -> None:
        owed = self.server.later("/")
        client = self.connect()
        client.say(GET)
        self.drain()
        emptied = self.guard.emptied()
        self.assertNoResult(emptied)
        owed.callback(Answer(200))
        client.hear()
        self.assertTrue(client.lost)
        self.assertIsNone(self.successResultOf(emptied))
