# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""How many requests may wait at once in Globes, of all and of one address."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatmux.address import network_of
from chatmux.door import Answer
from chatmux.errors import BusyError
from chatmux.protocols.globes.admission import MOST, MOST_OF_ONE, Admission, is_local
from tests.globes_doubles import ADMIN, HERE, PASSWORD, GlobesCase, fault

LOCAL = "127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1", "localhost", "local"
THERE = "198.51.100.7"


class AdmissionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.admission = Admission(most=6, most_of_one=2)
        self.held = contextlib.ExitStack()
        self.addCleanup(self.held.close)

    def take(self, *hosts: str) -> None:
        for host in hosts:
            self.held.enter_context(self.admission.place(host))

    def assert_full(self, *hosts: str) -> None:
        for host in hosts:
            self.assertRaises(BusyError, self.take, host)

    def assert_empty(self) -> None:
        """Check that all places are free, and nothing is remembered."""
        self.assertEqual(self.admission._waiting, Counter())
        for host in "abcdef":
            self.take(host)
        self.assert_full("g")

    def test_the_limits(self) -> None:
        self.assertEqual((MOST, MOST_OF_ONE), (512, 32))

    def test_one_address_has_so_many(self) -> None:
        self.take(HERE, HERE)
        self.assert_full(HERE)
        self.take(THERE, THERE)
        self.assert_full(HERE, THERE)

    def test_a_network_of_ipv6_is_one_address(self) -> None:
        self.take("2001:db8::1", "2001:db8::ffff:2")
        self.assert_full("2001:db8::3", "2001:db8::1")
        self.take("2001:db8:0:1::1")

    def test_addresses_of_ipv4_are_several_at_a_door_for_both(self) -> None:
        self.take("::ffff:192.0.2.1", HERE, "::ffff:192.0.2.2")
        self.assert_full("::ffff:192.0.2.1")

    def test_this_machine_is_held_to_the_limit_of_all_alone(self) -> None:
        for host in LOCAL:
            self.assertTrue(is_local(host), host)
            with contextlib.ExitStack() as held:
                for _ in range(6):
                    held.enter_context(self.admission.place(host))
                self.assert_full(host, HERE)
        self.assert_empty()

    def test_all_together_have_so_many(self) -> None:
        self.take("a", "b", "c", "d", "e", "f")
        self.assert_full("g", "a", *LOCAL)

    def test_whoever_is_refused_takes_nothing(self) -> None:
        self.take(HERE, HERE)
        for _ in range(10):
            self.assert_full(HERE)
        self.held.close()
        self.assert_empty()

    def test_a_place_is_given_back_whatever_happens(self) -> None:
        for error in ValueError, CancelledError, GeneratorExit, KeyboardInterrupt:
            for _ in range(10):
                with contextlib.suppress(error), self.admission.place(HERE):
                    raise error
        self.assert_empty()

    @given(st.lists(st.tuples(st.sampled_from([HERE, THERE, *LOCAL]), st.booleans())))
    def test_any_coming_and_going_is_counted(
        self, steps: list[tuple[str, bool]]
    ) -> None:
        admission = Admission(most=6, most_of_one=2)
        inside: list[tuple[str, contextlib.ExitStack]] = []
        for host, leaves in steps:
            if leaves and inside:
                inside.pop(0)[1].close()
                continue
            mine = [one for one, _ in inside if network_of(one) == network_of(host)]
            full = len(mine) >= 2 and host not in LOCAL
            held = contextlib.ExitStack()
            try:
                held.enter_context(admission.place(host))
            except BusyError:
                self.assertTrue(full or len(inside) == 6)
            else:
                self.assertFalse(full or len(inside) == 6)
                inside.append((host, held))


class WaitingTests(GlobesCase):
    """The same through requests."""

    number = 0

    def wait(self, count: int, host: str = HERE) -> list[Deferred[Answer]]:
        """Begin requests that wait for a password to be hashed, each for a room."""
        self.passwords.held = True
        begun = []
        for _ in range(count):
            self.number += 1
            wish = {"title": f"no. {self.number}", "visibility": "private"}
            wish["password"] = PASSWORD
            begun.append(self.begin("POST", "/chats", wish, host=host))
        return begun

    async def assert_busy(self, host: str = HERE) -> None:
        """Check that whatever waits is refused, and costs nothing."""
        hashed = len(self.passwords.hashed) + len(self.passwords.verified)
        login = {"name": "ann", "secret": PASSWORD}
        for method, path, body in (
            ("POST", "/chats", {"title": "more", "visibility": "public"}),
            ("PUT", "/chats/1", {"title": "more", "visibility": "public"}),
            ("DELETE", "/chats/1", None),
            ("POST", "/chats/1/token", login),
            ("POST", "/chats/none/token", login),
        ):
            answer = await self.ask(method, path, body, ADMIN, host=host)
            self.assertEqual(fault(answer), (503, 503, ""), (method, path))
            self.assertEqual(dict(answer.headers)["Retry-After"], "1")
        now = len(self.passwords.hashed) + len(self.passwords.verified)
        self.assertEqual(now, hashed)

    async def assert_free(self, host: str = HERE) -> None:
        """Check that all places of an address are free."""
        begun = self.wait(MOST_OF_ONE, host)
        await self.assert_busy(host)
        self.passwords.let_go()
        self.assertEqual({(await one).status for one in begun}, {201})

    async def test_one_address_waits_and_others_go_on(self) -> None:
        await self.start()
        begun = self.wait(MOST_OF_ONE)
        await self.assert_busy()
        self.passwords.held = False
        answer = await self.ask(
            "PUT",
            "/chats/1",
            {"title": "Lounge", "visibility": "public"},
            ADMIN,
            THERE,
        )
        self.assertEqual(answer.status, 200)
        self.passwords.let_go()
        for one in begun:
            await one
        await self.assert_free()

    async def test_all_together_wait_for_so_many(self) -> None:
        await self.start()
        begun = []
        for number in range(MOST // MOST_OF_ONE):
            begun += self.wait(MOST_OF_ONE, f"2001:db8:0:{number:x}::1")
        await self.assert_busy(THERE)
        for host in LOCAL:
            await self.assert_busy(host)
        self.passwords.let_go()
        for one in begun:
            await one
        await self.assert_free()

    async def test_this_machine_may_be_a_proxy(self) -> None:
        await self.start()
        begun = self.wait(MOST, "127.0.0.1")
        await self.assert_busy("127.0.0.1")
        self.passwords.let_go()
        self.assertEqual({(await one).status for one in begun}, {201})

    async def test_what_only_reads_takes_no_place(self) -> None:
        await self.start()
        await self.add("den", "private")
        token = await self.login("den")
        begun = self.wait(MOST, "local")
        for path, status in (
            ("/chats", 200),
            ("/chats/den", 200),
            ("/chats/none", 404),
            ("/chats/den/token/renew", 201),
            ("/chats/den/ws", 400),
            ("/openapi.json", 200),
        ):
            answer = await self.ask("GET", path, token=token)
            self.assertEqual(answer.status, status, path)
        self.open("den", token)
        self.assertEqual((await self.ask("PATCH", "/chats")).status, 405)
        self.assertEqual((await self.ask("POST", "/none")).status, 404)
        self.passwords.let_go()
        for one in begun:
            await one

    async def test_an_error_gives_the_place_back(self) -> None:
        await self.start()
        await self.add("den", "private")
        requests: tuple[tuple[Any, ...], ...] = (
            ("POST", "/chats", b"{"),
            ("POST", "/chats", {}),
            ("PUT", "/chats/none", {}),
            ("DELETE", "/chats/2", None),
            ("POST", "/chats/2/token", {}),
        )
        for request in requests:
            for _ in range(MOST_OF_ONE + 1):
                answer = await self.ask(*request)
                self.assertIn(answer.status, (400, 401, 403, 404))
        self.passwords.busy = True
        for _ in range(MOST_OF_ONE + 1):
            answer = await self.ask_token("den")
            self.assertEqual(answer.status, 503)
        self.passwords.busy = False
        await self.store.close()
        for _ in range(MOST_OF_ONE + 1):
            answer = await self.ask("DELETE", "/chats/1", token=ADMIN)
            self.assertEqual(answer.status, 403)
            answer = await self.ask(
                "POST", "/chats", {"title": "bar", "visibility": "public"}
            )
            self.assertEqual(answer.status, 503)
        await self.store.open()
        await self.assert_free()

    async def test_what_nobody_expects_gives_the_place_back(self) -> None:
        await self.start()

        async def broken(password: str) -> str:
            raise ZeroDivisionError

        patch = self.patch(self.passwords, "hash", broken)
        for one in self.wait(MOST_OF_ONE + 1):
            with self.assertRaises(ZeroDivisionError):
                await one
        patch.restore()
        await self.assert_free()

    async def test_a_cancelled_request_gives_the_place_back(self) -> None:
        await self.start()
        for one in self.wait(MOST_OF_ONE):
            one.cancel()
            with self.assertRaises(CancelledError):
                await one
        await self.assert_free()
