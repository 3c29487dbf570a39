# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What a browser or a back-end of webtalk could do to the others."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from tests.attack import MIB, AttackTestCase, LateError, Target, close_code, read_all
from tests.websocket_doubles import TEXT, masked
from tests.webtalk_backend import BackEnd
from tests.webtalk_doubles import Browser, Webtalk

ANSWER_SECONDS = 0.05
"""What 99 of 100 answers to a back-end may take."""
OK = b"[ok] message sent"


def ticket_of(back_end: BackEnd) -> bytes:
    """Make a user who hears nothing of what the healthy say; return its login."""
    ticket = back_end.do(b"[newuser]").removeprefix(b"[ok] ")
    back_end.do(b"[leave] 1!" + ticket.partition(b"!")[0])
    return ticket


class GuessTests(AttackTestCase):
    """Row 34."""

    guesses = 1000
    at_once = 20

    def test_wrong_salts_disturb_nobody(self) -> None:
        self.survives(self.attack, limits={"closing-seconds": 1})

    def attack(self, target: Target) -> None:
        back_end = BackEnd(target.port["private"])
        ticket = ticket_of(back_end)
        user, _, salt = ticket.partition(b"!")
        victim = target.upgrade("public")
        victim.sendall(masked(TEXT, ticket))
        for start in range(0, self.guesses, self.at_once):
            sockets = []
            for number in range(start, start + self.at_once):
                raw = target.connect("public")
                guess = b"%s!%039d" % (user, number)
                raw.sendall(target.handshake("public") + masked(TEXT, guess))
                # Takes its part in the close, or each would be waited for.
                raw.sendall(masked(8, b"\x03\xf0"))
                sockets.append(raw)
            for raw in sockets:
                _, _, came = read_all(raw).partition(b"\r\n\r\n")
                self.assertEqual(close_code(came), 1008)
                raw.close()
        self.assertEqual(back_end.do(b"[whisper] %s!still here" % user), OK)
        self.assertEqual(victim.recv(100), b"\x81\x0astill here")
        # The right one is let in after all of them, and takes over.
        again = target.upgrade("public")
        again.sendall(masked(TEXT, user + b"!" + salt))
        self.assertEqual(close_code(read_all(victim)), 1000)
        back_end.close()

    def test_a_hundred_thousand_find_nothing(self) -> None:
        webtalk = Webtalk()
        user, victim = webtalk.new_browser()
        others = webtalk.new_users(3)
        salts = list(webtalk.salts.values())
        for number in range(100_000):
            guess = b"%039d" % number
            self.assertNotIn(guess, salts)
            browser = Browser(webtalk)
            browser.say(b"%d!%s" % ((user, *others)[number % 4], guess))
            assert browser.connection.closed_for is not None
        webtalk.say(b"[whisper] %d!still here" % user)
        self.assertEqual(victim.take(), [b"still here"])


class HeadOfLineTests(AttackTestCase):
    """Row 35."""

    def test_who_is_absent_or_does_not_read_holds_up_no_answer(self) -> None:
        self.survives(self.attack)

    def attack(self, target: Target) -> None:
        back_end = BackEnd(target.port["private"])
        absent = ticket_of(back_end).partition(b"!")[0]
        deaf_ticket = ticket_of(back_end)
        deaf = deaf_ticket.partition(b"!")[0]
        browser = target.upgrade("public", receive_bytes=4096)
        browser.sendall(masked(TEXT, deaf_ticket))
        before = target.most_rss
        seconds: list[float] = []

        def do(command: bytes) -> bytes:
            began = time.perf_counter()
            answer = back_end.do(command)
            seconds.append(time.perf_counter() - began)
            return answer

        answers = [do(b"[whisper] %s!%04d" % (absent, n)) for n in range(1001)]
        self.assertEqual(answers[:1000], [OK] * 1000)
        self.assertTrue(answers[1000].startswith(b"[error] User "), answers[1000])
        long = b"x" * 60_000
        for number in range(300):
            # 18 MB, of which it reads nothing: it is closed, or what is more refused.
            answer = do(b"[whisper] %s!%s" % (deaf, long))
            self.assertTrue(answer.startswith((b"[ok]", b"[error]")), number)
            do(b"[shout] 1!hello")
        late = statistics.quantiles(seconds, n=100)[98]
        self.assertLess(target.most_rss - before, 24 * MIB)
        back_end.close()
        if late >= ANSWER_SECONDS:
            raise LateError(f"answers: p99 {late:.3f} s")


class StoreTests(AttackTestCase):
    """Row 37."""

    keys, store_bytes = 20_000, 8 * MIB

    def test_keys_and_bytes_have_an_end(self) -> None:
        limits = {"store-keys": self.keys, "store-bytes": self.store_bytes}
        self.survives(self.attack, webtalk=limits)

    def attack(self, target: Target) -> None:
        back_end = BackEnd(target.port["private"])
        before = target.most_rss
        full = b"[error] the store is full"
        stored = 0
        for number in range(200):
            answer = back_end.do(b"[store] big%d!%s" % (number, b"v" * 99_000))
            stored += answer.startswith(b"[ok]")
        self.assertEqual(answer, full)
        self.assertLessEqual(stored * 99_000, self.store_bytes)
        self.assertGreater(stored * 100_000, self.store_bytes - 200_000)
        for number in range(200):
            back_end.do(b"[clear] big%d" % number)
        answers: list[bytes] = []
        for commands in self.small(self.keys + 2000):
            back_end.say(*commands)
            answers += [back_end.hear() for _ in commands]
        self.assertTrue(all(one.startswith(b"[ok]") for one in answers[: self.keys]))
        self.assertEqual(set(answers[self.keys :]), {full})
        # What is there can be read, changed and cleared all the same.
        self.assertEqual(back_end.do(b"[retrieve] 7"), b"[ok] v")
        self.assertEqual(back_end.do(b"[store] 7!w"), b"[ok] stored 7")
        self.assertEqual(back_end.do(b"[clear] 7"), b"[ok] cleared 7")
        self.assertEqual(back_end.do(b"[store] new!w"), b"[ok] stored new")
        self.assertLess(target.most_rss - before, self.store_bytes + 16 * MIB)
        back_end.close()

    def small(self, count: int) -> Iterator[list[bytes]]:
        """Yield commands that store so many keys, a few at a time."""
        for start in range(0, count, 500):
            yield [b"[store] %d!v" % number for number in range(start, start + 500)]


class JoinTests(SynchronousTestCase):
    """Row 36."""

    def test_a_hundred_joins_are_one_and_a_leave_is_of_who_is_named(self) -> None:
        webtalk = Webtalk()
        users = dict(webtalk.new_browser() for _ in range(3))
        first, second, third = users
        channel = webtalk.new_channel(first)
        webtalk.say(*[b"[join] %d!%d" % (channel, second)] * 100)
        webtalk.say(b"[join] %d!%d" % (channel, third))
        webtalk.say(b"[leave] %d!%d" % (channel, third))
        webtalk.say(b"[shout] %d!once" % channel)
        heard = [users[one].take() for one in (first, second, third)]
        self.assertEqual(heard, [[b"once"], [b"once"], []])
        webtalk.say(b"[leave] %d!%d" % (channel, second))
        webtalk.say(b"[shout] %d!again" % channel)
        heard = [users[one].take() for one in (first, second, third)]
        self.assertEqual(heard, [[b"again"], [], []])
