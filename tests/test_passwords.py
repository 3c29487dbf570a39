# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Passwords, by the real Argon2; cheap where the cost does not matter."""

from __future__ import annotations

import threading
import time
from typing import Any
from unittest.mock import patch

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import VerifyMismatchError
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import LoopingCall
from twisted.trial.unittest import TestCase

from chatmux.errors import BusyError
from chatmux.passwords import NORMALISED_LENGTH, Argon2Passwords
from tests.store_contract import at_once

CHEAP: dict[str, int] = {"passes": 1, "memory_kib": 64}


class PasswordTests(TestCase):
    timeout = 60

    def make(self, **arguments: Any) -> Argon2Passwords:
        passwords = Argon2Passwords(reactor, **arguments)
        self.addCleanup(passwords.close)
        return passwords

    async def test_a_password_is_known_again(self) -> None:
        passwords = self.make(**CHEAP)
        kept = await passwords.hash("tr0ub4dor")
        self.assertTrue(await passwords.verify(kept, "tr0ub4dor"))
        for other in "", "tr0ub4do", "tr0ub4dor ", "Tr0ub4dor", "tr0ub4dor\0":
            self.assertFalse(await passwords.verify(kept, other), other)
        self.assertNotIn("tr0ub4dor", kept)

    async def test_the_parameters_are_those_of_the_rfc_in_one_lane(self) -> None:
        kept = await self.make().hash("x")
        self.assertRegex(kept, r"\A\$argon2id\$v=19\$m=65536,t=3,p=1\$")
        found = extract_parameters(kept)
        self.assertEqual((found.salt_len, found.hash_len), (16, 32))

    async def test_equal_passwords_have_different_hashes(self) -> None:
        passwords = self.make(**CHEAP)
        self.assertEqual(len({await passwords.hash("x") for _ in range(5)}), 5)

    async def test_any_string_is_a_password(self) -> None:
        passwords = self.make(**CHEAP)
        texts = ["", "\0", "a\0b", "\ud800", "\U0001f600" * 3, "x" * 1_000_000]
        hashes = [await passwords.hash(text) for text in texts]
        for text in texts:
            known = [await passwords.verify(kept, text) for kept in hashes]
            self.assertEqual(known, [text is one for one in texts])

    async def test_the_keyboard_does_not_matter(self) -> None:
        passwords = self.make(**CHEAP)
        kept = await passwords.hash("caf\u00e9")
        self.assertTrue(await passwords.verify(kept, "cafe\u0301"))
        self.assertFalse(await passwords.verify(kept, "cafe"))
        # Not NFKC, which would make passwords weaker.
        self.assertFalse(await passwords.verify(kept, "\uff43af\u00e9"))

    async def test_a_password_that_is_slow_to_normalise_is_taken_as_it_is(self) -> None:
        passwords = self.make(**CHEAP)
        for length, alike in (NORMALISED_LENGTH, True), (NORMALISED_LENGTH + 1, False):
            tail = "x" * (length - 2)
            kept = await passwords.hash("e\u0301" + tail)
            self.assertTrue(await passwords.verify(kept, "e\u0301" + tail))
            self.assertEqual(await passwords.verify(kept, "\u00e9" + tail), alike)

    async def test_damaged_hashes_are_of_no_password(self) -> None:
        passwords = self.make(**CHEAP)
        kept = await passwords.hash("x")
        head, salt, digest = kept.rsplit("$", 2)
        for damaged in (
            "",
            "x",
            "$",
            kept[:-1],
            kept[:40],
            kept + "A",
            kept + "$",
            kept + "\0",
            kept.replace("$argon2id$", "$argon2x$"),
            kept.replace("v=19", "v=ff"),
            kept.replace("m=64", "m=0"),
            kept.replace("m=64", "m=-64"),
            # Would be taken, and cost 4 GiB or an hour.
            kept.replace("m=64", "m=4194304"),
            kept.replace("t=1", "t=100000"),
            kept.replace("p=1", "p=8"),
            f"{head}${salt}$",
            f"{head}$${digest}",
            f"{head}${salt}$\u00e9{digest[1:]}",
            f"{head}${salt}$!{digest[1:]}",
            kept + "\ud800",
        ):
            self.assertIs(await passwords.verify(damaged, "x"), False, damaged)
        self.assertIs(await passwords.verify(None, "x"), False)
        self.assertIs(await passwords.verify(None, ""), False)
        self.assertIs(await passwords.verify(kept, "x"), True)

    async def test_hashes_of_a_lower_cost_are_still_known(self) -> None:
        kept = await self.make(**CHEAP).hash("x")
        dearer = self.make(passes=2, memory_kib=128)
        self.assertTrue(await dearer.verify(kept, "x"))
        self.assertFalse(await dearer.verify(kept, "y"))

    async def test_what_is_unknown_or_damaged_costs_the_same(self) -> None:
        passwords = self.make(passes=2, memory_kib=1024)
        kept = await passwords.hash("x")
        seen: list[bytes | str] = []
        verify = PasswordHasher.verify

        def counted(own: Any, hash: bytes | str, password: bytes | str) -> bool:
            try:
                return verify(own, hash, password)
            except VerifyMismatchError:
                # All the work was done; other errors come before it.
                seen.append(hash)
                raise

        with patch.object(PasswordHasher, "verify", counted):
            for one in (
                None,
                "",
                "damaged",
                kept[:-3] + "!!!",
                kept.replace("m=1024", "m=2048"),
                kept.replace("t=2", "t=3"),
                kept.replace("p=1", "p=2"),
                kept,
            ):
                seen.clear()
                await passwords.verify(one, "y")
                found = [extract_parameters(str(full)) for full in seen]
                self.assertEqual(found, [extract_parameters(kept)], one)

    async def test_so_many_may_wait_and_no_more(self) -> None:
        passwords = self.make(waiting=3)
        calls = [passwords.hash(f"{n}") for n in range(10)]
        results = await at_once(calls)
        kinds = [type(result) for result in results]
        self.assertEqual(kinds, [str] * 4 + [BusyError] * 6)
        self.assertTrue(await passwords.verify(str(results[3]), "3"))

    async def test_sixty_four_may_wait(self) -> None:
        passwords = self.make(**CHEAP)
        results = await at_once(passwords.verify(None, "x") for _ in range(70))
        kinds = [type(result) for result in results]
        self.assertEqual(kinds, [bool] * 65 + [BusyError] * 5)

    async def test_the_reactor_goes_on(self) -> None:
        passwords = self.make()
        turns: list[float] = []
        ticking = LoopingCall(lambda: turns.append(time.monotonic()))
        done = ticking.start(0.001)
        await gatherResults(
            [Deferred.fromCoroutine(passwords.verify(None, "x")) for _ in range(3)]
        )
        ticking.stop()
        await done
        # One call at least takes 20 ms anywhere; on the reactor's thread it would be
        # a turn or two.
        self.assertGreater(len(turns), 10)

    async def test_a_close_does_what_waits_and_leaves_no_thread(self) -> None:
        before = set(threading.enumerate())
        passwords = self.make(**CHEAP)
        hashing = [Deferred.fromCoroutine(passwords.hash("x")) for _ in range(5)]
        await passwords.close()
        self.assertEqual(set(threading.enumerate()) - before, set())
        for kept in await gatherResults(hashing):
            self.assertRegex(kept, "argon2id")
        with self.assertRaises(BusyError):
            await passwords.hash("x")
