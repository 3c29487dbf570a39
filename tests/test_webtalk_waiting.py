# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What waits for webtalk's absent users, and its limits."""

from __future__ import annotations

import gc
import secrets
import sys
from collections.abc import Callable
from functools import partial

from twisted.trial.unittest import SynchronousTestCase

from chatmux.protocols.webtalk.waiting import ENTRY_BYTES, Shelf, Waiting
from tests.webtalk_doubles import Webtalk

SENT = [b"[ok] message sent"]
FULL = [b"[error] User 1: too much is waiting already"]
NO_LIMIT = 1 << 30


def calls_of(step: Callable[[], object]) -> int:
    """Count the calls, of Python's functions and of built-in ones, within a step."""
    count = 0

    def note(frame: object, event: str, arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    # A collection of garbage would be counted, if it came by chance.
    gc.disable()
    sys.setprofile(note)
    try:
        step()
    finally:
        sys.setprofile(None)
        gc.enable()
    return count


class ShelfTests(SynchronousTestCase):
    """What is on shelves, and who has which share of it."""

    def setUp(self) -> None:
        self.waiting = Waiting(NO_LIMIT, NO_LIMIT, NO_LIMIT)
        self.one, self.other = Shelf(), Shelf()

    def put(self, *messages: bytes) -> None:
        """Put messages on the shelves in turn."""
        for index, message in enumerate(messages):
            self.waiting.put((self.one, self.other)[index % 2], message)

    def test_the_messages_of_all_shares_come_in_the_order_of_their_coming(self) -> None:
        self.put(b"a", b"b", b"c", b"d", b"e")
        for shares in (
            [(self.one, 0), (self.other, 0)],
            [(self.other, 0), (self.one, 0)],
        ):
            self.assertEqual(self.waiting.queue(shares), [b"a", b"b", b"c", b"d", b"e"])

    def test_a_share_begins_behind_what_was_there_before(self) -> None:
        self.put(b"a", b"b", b"c", b"d", b"e")
        for number, expected in (
            (0, [b"a", b"c", b"e"]),
            (1, [b"c", b"e"]),
            (2, [b"e"]),
            (3, []),
        ):
            self.assertEqual(self.waiting.queue([(self.one, number)]), expected)
        shares = [(self.one, 2), (self.other, 1)]
        self.assertEqual(self.waiting.queue(shares), [b"d", b"e"])

    def test_of_no_shelf_nothing_waits(self) -> None:
        self.put(b"a")
        self.assertEqual(self.waiting.queue([]), [])
        self.assertEqual(self.waiting.queue([(self.other, 0)]), [])

    def test_looking_takes_nothing_away(self) -> None:
        self.put(b"a")
        shares = [(self.one, 0)]
        self.assertEqual(self.waiting.queue(iter(shares)), [b"a"])
        self.assertEqual(self.waiting.queue(iter(shares)), [b"a"])

    def test_what_is_cleared_is_gone_and_its_numbers_stay(self) -> None:
        self.put(b"a", b"b", b"c")
        self.waiting.clear(self.one)
        self.assertEqual(self.waiting.bytes, 1 + ENTRY_BYTES)
        self.assertEqual((self.one.put, self.one.bytes), (2, 0))
        self.put(b"d")
        self.assertEqual(self.waiting.queue([(self.one, 0)]), [b"d"])
        self.assertEqual(self.waiting.queue([(self.one, 2)]), [b"d"])
        self.assertEqual(self.waiting.queue([(self.one, 3)]), [])
        self.waiting.clear(self.one)
        self.waiting.clear(self.one)
        self.waiting.clear(self.other)
        self.assertEqual(self.waiting.bytes, 0)

    def test_text_and_overhead_are_counted(self) -> None:
        self.put(b"ab", b"", b"x" * 100)
        self.assertEqual(self.waiting.bytes, 102 + 3 * ENTRY_BYTES)
        self.assertEqual((self.one.bytes, self.other.bytes), (102, 0))
        for number, measure in (0, (2, 102)), (1, (1, 100)), (2, (0, 0)):
            self.assertEqual(self.one.measure_since(number, -1), measure)
        for order, measure in (0, (1, 100)), (1, (1, 100)), (2, (0, 0)):
            self.assertEqual(self.one.measure_since(0, order), measure)


class LimitTests(SynchronousTestCase):
    def test_the_number_of_a_users_messages(self) -> None:
        waiting = Waiting(3, NO_LIMIT, NO_LIMIT)
        own, shared = Shelf(), Shelf()
        shares = [(own, 0), (shared, 0)]
        for number in range(3):
            self.assertTrue(waiting.has_room(1000, shares))
            waiting.put((own, shared, own)[number], b"%d" % number)
        self.assertFalse(waiting.has_room(0, shares))
        self.assertEqual(waiting.queue(shares), [b"0", b"1", b"2"])
        waiting.put(shared, b"3")
        self.assertEqual(waiting.queue(shares), [b"1", b"2", b"3"])
        self.assertTrue(waiting.has_room(0, [(own, 1), (shared, 1)]))

    def test_the_bytes_of_a_users_messages(self) -> None:
        waiting = Waiting(NO_LIMIT, 10, NO_LIMIT)
        own, shared = Shelf(), Shelf()
        shares = [(own, 0), (shared, 0)]
        waiting.put(own, b"1234")
        self.assertTrue(waiting.has_room(6, shares))
        self.assertFalse(waiting.has_room(7, shares))
        waiting.put(shared, b"567890")
        self.assertTrue(waiting.has_room(0, shares))
        self.assertFalse(waiting.has_room(1, shares))
        self.assertEqual(waiting.queue(shares), [b"1234", b"567890"])
        waiting.put(shared, b"x")
        self.assertEqual(waiting.queue(shares), [b"567890", b"x"])
        self.assertTrue(waiting.has_room(3, shares))
        self.assertFalse(waiting.has_room(4, shares))

    def test_empty_messages_find_room_where_the_bytes_are_full(self) -> None:
        waiting = Waiting(NO_LIMIT, 4, NO_LIMIT)
        shelf = Shelf()
        for message in b"1234", b"", b"":
            self.assertTrue(waiting.has_room(len(message), [(shelf, 0)]))
            waiting.put(shelf, message)
        self.assertEqual(waiting.queue([(shelf, 0)]), [b"1234", b"", b""])

    def test_what_is_too_long_for_anybody_goes_and_all_before_it(self) -> None:
        waiting = Waiting(NO_LIMIT, 4, NO_LIMIT)
        own, shared = Shelf(), Shelf()
        shares = [(own, 0), (shared, 0)]
        waiting.put(own, b"a")
        waiting.put(shared, b"b")
        waiting.put(shared, b"12345")
        self.assertEqual(waiting.queue(shares), [])
        waiting.put(own, b"c")
        self.assertEqual(waiting.queue(shares), [b"c"])
        self.assertFalse(waiting.has_room(5, shares))

    def test_nothing_stays_that_came_before_something_that_went(self) -> None:
        waiting = Waiting(NO_LIMIT, 10, NO_LIMIT)
        own, shared = Shelf(), Shelf()
        waiting.put(own, b"a")
        waiting.put(shared, b"12345")
        waiting.put(shared, b"123456")
        self.assertEqual(waiting.queue([(own, 0), (shared, 0)]), [b"123456"])
        # What went was not for this one.
        self.assertEqual(waiting.queue([(own, 0), (shared, 1)]), [b"a", b"123456"])

    def test_what_does_not_stay_takes_nobodys_room(self) -> None:
        waiting = Waiting(3, 10, NO_LIMIT)
        own, shared = Shelf(), Shelf()
        shares = [(own, 0), (shared, 0)]
        waiting.put(own, b"a")
        for message in b"12345", b"123456", b"b":
            waiting.put(shared, message)
        self.assertEqual(waiting.queue(shares), [b"123456", b"b"])
        self.assertTrue(waiting.has_room(3, shares))
        waiting.put(own, b"c")
        self.assertFalse(waiting.has_room(0, shares))

    def test_to_say_no_nothing_that_waits_is_looked_at(self) -> None:
        costs = []
        for size in 10, 1000:
            waiting = Waiting(size, NO_LIMIT, NO_LIMIT)
            shelf = Shelf()
            for _ in range(size * 2):
                waiting.put(shelf, b"x")
            shares = [(Shelf(), 0), (shelf, 0)]
            self.assertFalse(waiting.has_room(1, shares))
            costs.append(calls_of(partial(waiting.has_room, 1, shares)))
        # A few steps more for a hundred times as many, of looking in halves.
        self.assertLess(costs[1], costs[0] + 20)

    def test_the_memory_of_all_together(self) -> None:
        room = 3 * (ENTRY_BYTES + 5)
        waiting = Waiting(NO_LIMIT, NO_LIMIT, room)
        one, other = Shelf(), Shelf()
        for shelf, message in (one, b"1aaaa"), (other, b"2aaaa"):
            waiting.put(shelf, message)
        self.assertTrue(waiting.has_room(5, []))
        self.assertFalse(waiting.has_room(6, []))
        waiting.put(one, b"3aaaa")
        self.assertEqual(waiting.bytes, room)
        self.assertFalse(waiting.has_room(0, []))
        waiting.put(other, b"4")
        self.assertEqual(waiting.queue([(one, 0)]), [b"3aaaa"])
        self.assertEqual(waiting.queue([(other, 0)]), [b"2aaaa", b"4"])
        waiting.put(one, b"x" * (room - ENTRY_BYTES))
        self.assertEqual(waiting.bytes, room)
        self.assertEqual(waiting.queue([(other, 0)]), [])
        waiting.put(other, b"x" * (room - ENTRY_BYTES + 1))
        self.assertEqual(waiting.bytes, 0)
        self.assertTrue(waiting.has_room(5, []))

    def test_a_shelf_keeps_no_more_than_one_user_can_be_given(self) -> None:
        waiting = Waiting(3, 10, NO_LIMIT)
        shelf = Shelf()
        for number in range(100):
            waiting.put(shelf, b"%d" % number)
        self.assertEqual(waiting.bytes, 3 * (ENTRY_BYTES + 2))
        waiting.put(shelf, b"1234567")
        self.assertEqual(waiting.bytes, 2 * ENTRY_BYTES + 9)
        waiting.put(shelf, b"x" * 11)
        self.assertEqual(waiting.bytes, 0)


class AbsentTests(SynchronousTestCase):
    """The limits, as a back-end and its users meet them."""

    def test_a_whisper_more_than_may_wait_is_an_error_and_takes_nothing_away(
        self,
    ) -> None:
        webtalk = Webtalk(max_messages=3)
        webtalk.new_users(2)
        for text in b"a", b"b", b"c":
            self.assertEqual(webtalk.say(b"[whisper] 1!" + text), SENT)
        for _ in range(3):
            self.assertEqual(webtalk.say(b"[whisper] 1!d"), FULL)
        self.assertEqual(webtalk.say(b"[whisper] 2!e"), SENT)
        browser = webtalk.login(1)
        self.assertEqual(browser.take(), [b"a", b"b", b"c"])
        self.assertEqual(browser.connection.missed_count, 0)
        browser.close()
        self.assertEqual(webtalk.say(b"[whisper] 1!f"), SENT)

    def test_the_thousandth_whisper_waits_and_one_more_does_not(self) -> None:
        webtalk = Webtalk()
        webtalk.new_users(1)
        frames = [b"[whisper] 1!%d" % number for number in range(1001)]
        self.assertEqual(webtalk.say(*frames), SENT * 1000 + FULL)
        self.assertEqual(
            webtalk.login(1).take(), [b"%d" % number for number in range(1000)]
        )

    def test_whispers_of_a_mebibyte_wait_and_one_byte_more_does_not(self) -> None:
        webtalk = Webtalk()
        webtalk.new_users(1)
        text = b"x" * (1 << 16)
        self.assertEqual(webtalk.say(*[b"[whisper] 1!" + text] * 16), SENT * 16)
        self.assertEqual(webtalk.say(b"[whisper] 1!x", b"[whisper] 1!"), FULL + SENT)

    def test_the_bytes_count_as_the_browser_is_sent_them(self) -> None:
        webtalk = Webtalk(max_bytes=6)
        webtalk.new_users(1)
        self.assertEqual(webtalk.say(b"[whisper] 1!\xff\xff\xff"), FULL)
        self.assertEqual(webtalk.say(b"[whisper] 1!\xff\xff"), SENT)
        self.assertEqual(webtalk.login(1).take(), ["\ufffd\ufffd".encode()])

    def test_for_a_shout_the_oldest_goes_and_is_counted_for_each(self) -> None:
        webtalk = Webtalk(max_messages=3)
        webtalk.new_users(2)
        webtalk.say(b"[whisper] 1!a", b"[shout] 1!b", b"[shout] 1!c", b"[shout] 1!d")
        self.assertEqual(webtalk.say(b"[shout] 1!e"), SENT)
        first, second = webtalk.login(1), webtalk.login(2)
        self.assertEqual(first.take(), [b"c", b"d", b"e"])
        self.assertEqual(first.connection.missed_count, 2)
        self.assertEqual(second.take(), [b"c", b"d", b"e"])
        self.assertEqual(second.connection.missed_count, 1)

    def test_a_full_queue_is_as_full_for_shouts_as_for_whispers(self) -> None:
        webtalk = Webtalk(max_messages=2)
        webtalk.new_users(1)
        webtalk.say(b"[shout] 1!a", b"[shout] 1!b", b"[shout] 1!c")
        self.assertEqual(webtalk.say(b"[whisper] 1!d"), FULL)
        webtalk.say(b"[leave] 1!1")
        self.assertEqual(webtalk.say(b"[whisper] 1!d"), SENT)

    def test_who_comes_back_has_missed_nothing_of_before(self) -> None:
        webtalk = Webtalk(max_messages=1)
        webtalk.new_users(2)
        webtalk.say(b"[shout] 1!a", b"[shout] 1!b")
        webtalk.login(1).close()
        webtalk.say(b"[shout] 1!c")
        browser = webtalk.login(1)
        self.assertEqual(browser.take(), [b"c"])
        self.assertEqual(browser.connection.missed_count, 0)

    def test_what_was_missed_in_a_channel_that_was_left_is_not_counted(self) -> None:
        webtalk = Webtalk(max_messages=1)
        webtalk.new_users(1)
        webtalk.say(b"[shout] 1!a", b"[shout] 1!b", b"[leave] 1!1", b"[join] 1!1")
        self.assertEqual(webtalk.login(1).connection.missed_count, 0)

    def test_a_whisper_for_which_all_have_no_room_is_an_error(self) -> None:
        webtalk = Webtalk(max_bytes_together=2 * ENTRY_BYTES + 2)
        webtalk.new_users(2)
        self.assertEqual(webtalk.say(b"[whisper] 2!a", b"[whisper] 2!b"), SENT * 2)
        self.assertEqual(webtalk.say(b"[whisper] 1!c"), FULL)
        self.assertEqual(webtalk.login(2).take(), [b"a", b"b"])
        self.assertEqual(webtalk.say(b"[whisper] 1!c"), SENT)

    def test_for_a_shout_the_oldest_of_all_goes(self) -> None:
        webtalk = Webtalk(max_bytes_together=2 * ENTRY_BYTES + 2)
        webtalk.new_users(2)
        webtalk.say(b"[whisper] 2!a", b"[whisper] 1!b", b"[shout] 1!c")
        first, second = webtalk.login(1), webtalk.login(2)
        self.assertEqual(first.take(), [b"b", b"c"])
        self.assertEqual(second.take(), [b"c"])
        self.assertEqual(first.connection.missed_count, 0)
        self.assertEqual(second.connection.missed_count, 1)

    def test_a_whisper_to_who_is_connected_needs_no_room(self) -> None:
        webtalk = Webtalk(max_messages=1, max_bytes=1, max_bytes_together=1)
        _, browser = webtalk.new_browser()
        self.assertEqual(
            webtalk.say(b"[whisper] 1!hello", b"[whisper] 1!you"), SENT * 2
        )
        self.assertEqual(browser.take(), [b"hello", b"you"])

    def test_memory_is_bounded_whatever_is_said(self) -> None:
        limit = 50 * ENTRY_BYTES
        webtalk = Webtalk(max_bytes_together=limit, max_messages=20)
        users = webtalk.new_users(30)
        for user in users:
            webtalk.new_channel(user)
        for number in range(1000):
            webtalk.say(b"[shout] %d!%d" % (number % 31 + 1, number))
            webtalk.say(b"[whisper] %d!%d" % (number % 30 + 1, number))
            webtalk.turn()
            self.assertLessEqual(webtalk.waiting.bytes, limit)
        for user in users:
            webtalk.login(user)
        self.assertEqual(webtalk.waiting.bytes, 0)


class ManyAbsentTests(SynchronousTestCase):
    """What a shout costs, whatever the number of absent members."""

    def test_a_shout_is_kept_once(self) -> None:
        webtalk = Webtalk()
        webtalk.new_users(1000)
        webtalk.say(b"[shout] 1!" + b"x" * 100)
        webtalk.turn()
        self.assertEqual(webtalk.waiting.bytes, 100 + ENTRY_BYTES)

    def test_ten_thousand_absent_members_cost_no_step_more_than_one(self) -> None:
        costs = {}
        for members in 1, 10_000:
            webtalk = Webtalk(max_messages=3)
            webtalk.new_users(members)
            costs[members] = [
                calls_of(partial(step, *arguments))
                for _ in range(6)
                for step, *arguments in (
                    (webtalk.say, b"[shout] 1!hi"),
                    (webtalk.turn,),
                )
            ]
            self.assertEqual(webtalk.login(1).take(), [b"hi"] * 3)
        self.assertEqual(costs[1], costs[10_000])
        self.assertLess(max(costs[1]), 500)

    def test_neither_does_a_whisper_nor_a_new_user_nor_a_login(self) -> None:
        # Some numbers are drawn twice, which has a cost.
        self.patch(secrets, "randbelow", lambda limit: 0)
        costs = {}
        for members in 2, 10_000:
            webtalk = Webtalk()
            webtalk.new_users(members)
            webtalk.say(*[b"[shout] 1!hi"] * 10)
            webtalk.turn()
            say = webtalk.say
            costs[members] = [
                calls_of(partial(say, b"[whisper] 1!hi")),
                calls_of(partial(say, b"[newuser]")),
                calls_of(partial(say, b"[join] 1!1", b"[leave] 1!1")),
                calls_of(partial(webtalk.login, 1)),
                calls_of(partial(say, b"[killuser] 2")),
            ]
        self.assertEqual(costs[2], costs[10_000])
