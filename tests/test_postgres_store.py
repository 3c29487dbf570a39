# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The store in PostgreSQL, a real server: the contract, and what is its own."""

from __future__ import annotations

import socket
import threading

import psycopg
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import TestCase

from chatmux.errors import ConfigError, StoreError, UnreachableError
from chatmux.store.sql import SQLStore
from tests.postgres import PASSWORD, QUOTED_PASSWORD, cluster
from tests.store_contract import PLAIN, StoreContract, at_once, plain


class PostgresCase(TestCase):
    timeout = 60

    def setUp(self) -> None:
        self.cluster = cluster()
        self.name = self.cluster.empty_database()

    def make_store(self) -> SQLStore:
        return SQLStore(self.cluster.url(self.name), reactor)


class PostgresStoreTests(PostgresCase, StoreContract):
    async def test_a_server_that_restarts_is_found_again(self) -> None:
        store = await self.open_store()
        first = await store.add_room(PLAIN)
        await at_once(store.rooms() for _ in range(10))
        self.cluster.stop()
        self.addCleanup(self.cluster.start)
        with capturedLogs() as events:
            for _ in range(2):
                await self.raises(StoreError, store.add_room(plain("meanwhile")))
                await self.raises(StoreError, store.rooms())
        lines = [formatEvent(event) for event in events]
        self.assertEqual(len(lines), 4, lines)
        for line in lines:
            self.assertRegex(line, r"\Athe store failed: .*No such file or directory")
            self.assertNotIn(PASSWORD, line)
        self.cluster.start()
        self.assertEqual(list(await store.rooms()), [first])
        self.assertEqual((await store.add_room(plain("afterwards"))).id, 2)

    async def test_a_restart_between_calls_is_not_noticed(self) -> None:
        store = await self.open_store()
        await at_once(store.rooms() for _ in range(10))
        self.cluster.stop()
        self.cluster.start()
        results = await at_once(store.add_room(plain(f"{n}")) for n in range(10))
        self.assertEqual([r for r in results if isinstance(r, Exception)], [])

    async def test_a_connection_that_is_cut_in_a_call_is_an_error(self) -> None:
        store = await self.open_store()
        cut = "SELECT pg_terminate_backend(pg_backend_pid())"
        with capturedLogs() as events:
            error = await self.raises(
                StoreError,
                store._transact(lambda c: c.exec_driver_sql(cut).scalar_one()),
            )
        self.assertEqual(str(error), "AdminShutdown 57P01")
        self.assertEqual(len(events), 1)
        self.assertEqual((await store.add_room(PLAIN)).id, 1)

    async def test_an_error_is_logged_without_values(self) -> None:
        store = await self.open_store()
        self.cluster.execute(
            "ALTER TABLE chatmux_room ADD CHECK (title <> 'a secret')", self.name
        )
        with capturedLogs() as events:
            error = await self.raises(StoreError, store.add_room(plain("a secret")))
        lines = [formatEvent(event) for event in events]
        self.assertEqual(lines, ["the store failed: CheckViolation 23514"])
        self.assertIs(error.__context__, None)

    async def test_what_is_answered_is_on_disk_whatever_the_server_is_set_to(
        self,
    ) -> None:
        self.name = self.cluster.new_database()
        for setting, expected in ("off", "on"), ("local", "local"), ("on", "on"):
            self.cluster.execute(
                f"ALTER DATABASE {self.name} SET synchronous_commit = {setting}"
            )
            store = await self.open_store()
            found = await store._transact(
                lambda c: c.exec_driver_sql("SHOW synchronous_commit").scalar_one()
            )
            self.assertEqual(found, expected)

    async def test_titles_stay_unique_whatever_isolation_the_server_is_set_to(
        self,
    ) -> None:
        self.name = self.cluster.new_database()
        self.cluster.execute(
            f"ALTER DATABASE {self.name} SET default_transaction_isolation"
            " = 'serializable'"
        )
        await self.test_one_of_many_gets_a_title()

    async def test_a_lock_that_somebody_holds_does_not_hold_for_ever(self) -> None:
        store = await self.open_store()
        seconds = await store._transact(
            lambda c: [
                c.exec_driver_sql(f"SHOW {name}").scalar_one()
                for name in (
                    "lock_timeout",
                    "statement_timeout",
                    "idle_in_transaction_session_timeout",
                )
            ]
        )
        self.assertEqual(seconds, ["10s", "30s", "30s"])

    async def test_reading_does_not_wait_for_who_writes(self) -> None:
        store = await self.open_store()
        where = self.cluster.url(self.name).replace("+psycopg", "")
        with psycopg.connect(where) as other:
            other.execute("SELECT last FROM chatmux_room_counter FOR UPDATE")
            adding = Deferred.fromCoroutine(store.add_room(PLAIN))
            self.assertEqual(list(await store.rooms()), [])
            await deferLater(reactor, 0.1)
            self.assertFalse(adding.called)
        self.assertEqual((await adding).id, 1)

    async def test_nothing_is_kept_in_a_session(self) -> None:
        # A pooler may give each transaction another one.
        store = await self.open_store()
        for _ in range(10):
            for _ in range(10):
                await store.rooms()
            kept = await store._transact(
                lambda c: c.exec_driver_sql(
                    "SELECT count(*) FROM pg_prepared_statements"
                ).scalar_one()
            )
            self.assertEqual(kept, 0)

    async def test_a_close_leaves_no_thread_and_no_connection(self) -> None:
        before = set(threading.enumerate())
        store = await self.open_store()
        await at_once(store.rooms() for _ in range(20))
        count = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{self.name}'"
        self.assertLessEqual(self.cluster.execute(count)[0][0], 4)
        await store.close()
        self.assertEqual(set(threading.enumerate()) - before, set())
        for _ in range(100):
            if self.cluster.execute(count)[0][0] == 0:
                break
            await deferLater(reactor, 0.02)
        else:
            self.fail("connections stay open")


class RefusalTests(PostgresCase):
    async def refusal(self, url: str) -> str:
        """Return what the operator reads; both ways of opening say the same."""
        store = SQLStore(url, reactor)
        try:
            await store.open()
        except ConfigError as error:
            self.assertEqual(error.path, "store")
            text = str(error)
            self.assertIs(error.__context__, None)
        else:
            await store.close()
            raise AssertionError("it was opened")
        self.assertRegex(text, r"\Astore: [^\n]+\Z")
        again = self.assertRaises(ConfigError, store.prepare)
        self.assertEqual(str(again), text)
        for hidden in PASSWORD, QUOTED_PASSWORD, "wr0ng":
            self.assertNotIn(hidden, text)
        return text

    async def test_it_may_be_there_later(self) -> None:
        with socket.socket() as unheard:
            unheard.bind(("127.0.0.1", 0))
            url = f"postgresql://chatmux@127.0.0.1:{unheard.getsockname()[1]}/x"
            store = SQLStore(url, reactor)
            self.assertRaises(UnreachableError, store.prepare)

    async def test_a_wrong_password(self) -> None:
        text = await self.refusal(self.cluster.url(self.name, "wr0ng"))
        self.assertIn('password authentication failed for user "chatmux"', text)

    async def test_a_password_that_the_database_repeats(self) -> None:
        # Here it is the user's name as well.
        text = await self.refusal(self.cluster.url(self.name, "chatmux"))
        self.assertEqual(
            text, "store: the database cannot be reached: OperationalError"
        )
        url = self.cluster.url(self.name).replace(f":{QUOTED_PASSWORD}", "")
        text = await self.refusal(f"{url}&password=chatmux")
        self.assertEqual(
            text, "store: the database cannot be reached: OperationalError"
        )

    async def test_no_such_database(self) -> None:
        text = await self.refusal(self.cluster.url("nowhere"))
        self.assertIn('database "nowhere" does not exist', text)

    async def test_a_refused_connection(self) -> None:
        with socket.socket() as unheard:
            unheard.bind(("127.0.0.1", 0))
            port = unheard.getsockname()[1]
            text = await self.refusal(
                f"postgresql+psycopg://u:{QUOTED_PASSWORD}@127.0.0.1:{port}/d"
            )
        self.assertIn("Connection refused", text)

    async def test_an_unknown_option(self) -> None:
        await self.refusal(self.cluster.url(self.name) + "&wr=ng")

    async def test_a_password_with_an_at_sign_is_not_taken_for_a_host(self) -> None:
        for tail in "wr0ng", "wr0ng/x", "wr0ng:x", "wr0ng?x":
            url = f"postgresql+psycopg://u:p@{tail}@127.0.0.1/d"
            error = self.assertRaises(ConfigError, SQLStore, url, reactor)
            self.assertNotIn("wr0ng", str(error))

    async def test_another_encoding(self) -> None:
        name = self.cluster.new_database(
            "ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"
        )
        text = await self.refusal(self.cluster.url(name))
        self.assertEqual(text, "store: the database's encoding is LATIN1, not UTF8")

    async def test_no_right_to_make_tables_is_needed_when_they_are_there(self) -> None:
        store = self.make_store()
        store.prepare()
        for statement in (
            "DROP ROLE IF EXISTS guest",
            "CREATE ROLE guest LOGIN PASSWORD 'pw'",
            "GRANT USAGE ON SCHEMA public TO guest",
            "GRANT SELECT, INSERT, UPDATE, DELETE"
            " ON ALL TABLES IN SCHEMA public TO guest",
        ):
            self.cluster.execute(statement, self.name)
        url = self.cluster.url(self.name, "pw").replace("chatmux:", "guest:")
        store = SQLStore(url, reactor)
        await store.open()
        self.addCleanup(store.close)
        self.assertEqual((await store.add_room(PLAIN)).id, 1)
        self.cluster.execute("DROP TABLE chatmux_version", self.name)
        text = await self.refusal(url)
        self.assertIn("permission denied", text)
