# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What every store has to do, whatever database is behind it.

A test case of an implementation derives from `StoreContract` and says how to make a
store; all that one test makes are of one database, as of nodes that share it.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Coroutine, Iterable
from dataclasses import replace
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, gatherResults
from twisted.python.failure import Failure

from chatmux.errors import IdTakenError, StoreError, TitleTakenError
from chatmux.model import Room
from chatmux.store.sql import LAST_ID, SQLStore

T = TypeVar("T")

PLAIN = Room(
    id=0,
    title="lounge",
    description="where one lounges",
    visibility="public",
    password="",
    generation=0,
    concealed=False,
    created=1_700_000_000_000_000,
    updated=1_700_000_000_000_001,
)


def plain(title: str, room_id: int = 0) -> Room:
    """Return a room of which only these matter."""
    return replace(PLAIN, title=title, id=room_id)


async def at_once(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T | Exception]:
    """Begin all `calls` before one is done; return their results or errors."""

    def error(failure: Failure) -> Exception:
        assert isinstance(failure.value, Exception)
        return failure.value

    begun = [Deferred.fromCoroutine(call).addErrback(error) for call in calls]
    return await gatherResults(begun)


class StoreContract:
    """The tests. Mixed into a `TestCase`."""

    assertEqual: Any
    assertIs: Any
    assertIsInstance: Any
    assertFalse: Any
    addCleanup: Any

    def make_store(self) -> SQLStore:
        """Return a store of the test's database, not opened yet."""
        raise NotImplementedError

    async def open_store(self) -> SQLStore:
        store = self.make_store()
        await store.open()
        self.addCleanup(store.close)
        return store

    async def raises(self, kind: type[T], call: Awaitable[object]) -> T:
        try:
            result = await call
        except Exception as error:
            if type(error) is not kind:
                raise
            return error
        raise AssertionError(f"{kind.__name__} was not raised, but {result!r} returned")

    async def ids(self, store: SQLStore) -> list[int]:
        return [room.id for room in await store.rooms()]

    async def test_a_new_store_is_empty(self) -> None:
        store = await self.open_store()
        self.assertEqual(list(await store.rooms()), [])

    async def test_rooms_come_back_as_they_were(self) -> None:
        store = await self.open_store()
        first = await store.add_room(PLAIN)
        self.assertEqual(first, replace(PLAIN, id=1))
        most = (1 << 63) - 1
        second = await store.add_room(
            Room(0, "other", "", "hidden", "$argon2id$...", most, True, -most - 1, 0)
        )
        self.assertEqual(second.id, 2)
        self.assertEqual(list(await store.rooms()), [first, second])

    async def test_rooms_are_in_the_order_of_their_ids(self) -> None:
        store = await self.open_store()
        for title, room_id in ("a", 0), ("b", 90), ("c", 7), ("d", 0), ("e", LAST_ID):
            await store.add_room(plain(title, room_id))
        rooms = [(room.id, room.title) for room in await store.rooms()]
        self.assertEqual(
            rooms, [(1, "a"), (2, "d"), (7, "c"), (90, "b"), (LAST_ID, "e")]
        )

    async def test_another_store_and_a_later_one_see_what_was_done(self) -> None:
        store, neighbour = await self.open_store(), await self.open_store()
        one = await store.add_room(plain("one"))
        two = await store.add_room(plain("two"))
        self.assertEqual(list(await neighbour.rooms()), [one, two])
        await neighbour.remove_room(one.id)
        zwei = replace(two, title="zwei", updated=two.updated + 5)
        await neighbour.replace_room(two, zwei)
        self.assertEqual(list(await store.rooms()), [zwei])
        await store.close()
        await neighbour.close()
        later = await self.open_store()
        self.assertEqual(list(await later.rooms()), [zwei])

    async def test_titles_that_read_alike_are_one(self) -> None:
        store = await self.open_store()
        await store.add_room(plain("Caf\u00e9"))
        for title in "Caf\u00e9", "cafe\u0301", " CAF\u00c9 ", "\uff23af\u00e9":
            await self.raises(TitleTakenError, store.add_room(plain(title)))
        other = await store.add_room(plain("cafe"))
        self.assertEqual(other.id, 2)
        taking = replace(other, title="CAFE\u0301")
        await self.raises(TitleTakenError, store.replace_room(other, taking))
        self.assertEqual([r.title for r in await store.rooms()], ["Caf\u00e9", "cafe"])

    async def test_a_title_is_free_again_when_its_room_is_gone_or_renamed(self) -> None:
        store = await self.open_store()
        one = await store.add_room(plain("one"))
        two = await store.add_room(plain("two"))
        await store.remove_room(one.id)
        await store.replace_room(two, replace(two, title="Two!"))
        self.assertEqual((await store.add_room(plain("ONE"))).id, 3)
        self.assertEqual((await store.add_room(plain("TWO"))).id, 4)

    async def test_a_room_keeps_its_title_when_replaced(self) -> None:
        store = await self.open_store()
        await store.add_room(plain("other"))
        room = await store.add_room(PLAIN)
        changed = Room(room.id, "LOUNGE", "d", "private", "hash", 3, False, 4, 5)
        await store.replace_room(room, changed)
        self.assertEqual((await store.rooms())[1], changed)

    async def test_only_what_is_there_is_replaced(self) -> None:
        store = await self.open_store()
        room = await store.add_room(PLAIN)
        for room_id in 0, -1, 2, LAST_ID, LAST_ID + 1:
            other = plain("new", room_id)
            await self.raises(KeyError, store.replace_room(other, other))
        await store.remove_room(room.id)
        await self.raises(KeyError, store.replace_room(room, room))
        self.assertEqual(list(await store.rooms()), [])

    async def test_what_another_has_changed_is_not_replaced(self) -> None:
        store, neighbour = await self.open_store(), await self.open_store()
        room = await store.add_room(PLAIN)
        other = replace(room, generation=room.generation + 1)
        await neighbour.replace_room(room, other)
        mine = replace(room, title="mine")
        await self.raises(KeyError, store.replace_room(room, mine))
        self.assertEqual(list(await store.rooms()), [other])

    async def test_a_concealed_room_takes_no_title(self) -> None:
        store = await self.open_store()
        hidden = replace(plain("one", LAST_ID - 1), concealed=True)
        rooms = [
            await store.add_room(room)
            for room in (hidden, plain("one"), replace(hidden, id=LAST_ID - 2))
        ]
        seen = replace(hidden, concealed=False)
        await self.raises(TitleTakenError, store.replace_room(hidden, seen))
        await store.remove_room(rooms[1].id)
        await store.replace_room(hidden, seen)
        await self.raises(TitleTakenError, store.add_room(plain("one")))

    async def test_what_is_not_there_is_removed_without_a_word(self) -> None:
        store = await self.open_store()
        room = await store.add_room(PLAIN)
        for room_id in 0, -1, 2, LAST_ID, 1 << 63, -(1 << 70):
            await store.remove_room(room_id)
        self.assertEqual(list(await store.rooms()), [room])
        # Nor is an id spent by it.
        self.assertEqual((await store.add_room(plain("two", LAST_ID))).id, LAST_ID)
        self.assertEqual((await store.add_room(plain("three"))).id, 2)

    async def test_the_id_of_the_newest_room_does_not_come_back(self) -> None:
        store = await self.open_store()
        for number in 1, 2, 3:
            room = await store.add_room(plain(f"{number}"))
            self.assertEqual(room.id, number)
            await store.remove_room(room.id)
            await store.close()
            store = await self.open_store()

    async def test_a_big_id_does_not_push_the_counter(self) -> None:
        store = await self.open_store()
        self.assertEqual((await store.add_room(plain("a", LAST_ID))).id, LAST_ID)
        self.assertEqual((await store.add_room(plain("b"))).id, 1)
        await store.remove_room(LAST_ID)
        await store.close()
        store = await self.open_store()
        self.assertEqual((await store.add_room(plain("c"))).id, 2)

    async def test_the_counter_steps_over_ids_that_were_asked_for(self) -> None:
        store = await self.open_store()
        for room_id in 2, 3, 5:
            await store.add_room(plain(f"{room_id}", room_id))
        await store.remove_room(3)
        await store.remove_room(5)
        given = [(await store.add_room(plain(f"new {n}"))).id for n in range(4)]
        self.assertEqual(given, [1, 4, 6, 7])

    async def test_an_id_that_was_ever_used_is_refused(self) -> None:
        store = await self.open_store()
        await store.add_room(plain("1"))
        await store.add_room(plain("2"))
        await store.add_room(plain("big", 1 << 40))
        await store.add_room(plain("big too", 1 << 41))
        await store.remove_room(1)
        await store.remove_room(1 << 40)
        rooms = await store.rooms()
        for room_id in 1, 2, 1 << 40, 1 << 41:
            await self.raises(IdTakenError, store.add_room(plain("new", room_id)))
        await store.close()
        store = await self.open_store()
        for room_id in 1, 2, 1 << 40, 1 << 41:
            await self.raises(IdTakenError, store.add_room(plain("new", room_id)))
        self.assertEqual(await store.rooms(), rooms)

    async def test_a_refusal_spends_no_id(self) -> None:
        store = await self.open_store()
        await store.add_room(PLAIN)
        for room_id in 0, 2, 77:
            await self.raises(TitleTakenError, store.add_room(plain("LOUNGE", room_id)))
        self.assertEqual((await store.add_room(plain("two"))).id, 2)
        self.assertEqual((await store.add_room(plain("77", 77))).id, 77)

    async def test_any_text_is_kept(self) -> None:
        store = await self.open_store()
        texts = [
            "",
            " ",
            "'; DROP TABLE chatmux_room; --",
            "\"\\'`%s %(a)s :a ?1 $1 {} \r\n\t\x01\x7f",
            "%",
            "_",
            "a_c",
            "abc",
            "a%",
            "\u0130stanbul \u00df \ufb01",
            "\U0001f600\U0010ffff\ufeff\ufffe\u202e",
            "e" + "\u0301" * 40,
            "x" * 100_000,
            "x" * 100_001,
            "".join(map(chr, range(0x4E00, 0x4E00 + 5000))),
        ]
        rooms = [
            await store.add_room(
                replace(plain(text), description=text, visibility=text, password=text)
            )
            for text in texts
            if text != " "
        ]
        self.assertEqual(list(await store.rooms()), rooms)
        await self.raises(TitleTakenError, store.add_room(plain(" ")))

    async def test_what_only_one_database_takes_is_refused(self) -> None:
        store = await self.open_store()
        room = await store.add_room(PLAIN)
        bad: list[dict[str, Any]] = [
            {name: text}
            for name in ("title", "description", "visibility", "password")
            for text in ("a\0b", "a\ud800", "\udfff")
        ]
        bad += [
            {name: number}
            for name in ("generation", "created", "updated")
            for number in (1 << 63, -(1 << 63) - 1)
        ]
        for change in bad:
            changed = replace(room, **{"title": "new", **change})
            await self.raises(ValueError, store.replace_room(room, changed))
            await self.raises(ValueError, store.add_room(replace(changed, id=0)))
        for room_id in -1, LAST_ID + 1, 1 << 63:
            await self.raises(ValueError, store.add_room(plain("new", room_id)))
        await self.raises(ValueError, store.secret("a\0b", lambda: b"x"))
        self.assertEqual(list(await store.rooms()), [room])

    async def test_one_of_many_gets_a_title(self) -> None:
        stores = [await self.open_store(), await self.open_store()]
        calls = [stores[n % 2].add_room(plain("one", n // 10 * n)) for n in range(20)]
        results = await at_once(calls)
        kinds = sorted(type(result).__name__ for result in results)
        self.assertEqual(kinds, ["Room"] + ["TitleTakenError"] * 19)
        (room,) = await stores[0].rooms()
        self.assertEqual([r for r in results if isinstance(r, Room)], [room])

    async def test_one_of_many_is_renamed_to_a_title(self) -> None:
        stores = [await self.open_store(), await self.open_store()]
        rooms = [await stores[0].add_room(plain(f"{n}")) for n in range(10)]
        calls = [
            stores[n % 2].replace_room(room, replace(room, title="one"))
            for n, room in enumerate(rooms)
        ]
        calls += [stores[n % 2].add_room(plain("ONE")) for n in range(10)]  # type: ignore[misc]
        results = await at_once(calls)
        taken = [r for r in results if isinstance(r, TitleTakenError)]
        self.assertEqual(len(taken), 19)
        titles = [room.title.lower() for room in await stores[0].rooms()]
        self.assertEqual(titles.count("one"), 1)

    async def test_one_of_many_gets_an_id(self) -> None:
        stores = [await self.open_store(), await self.open_store()]
        calls = [stores[n % 2].add_room(plain(f"{n}", 1 + n % 2)) for n in range(20)]
        results = await at_once(calls)
        rooms = await stores[0].rooms()
        self.assertEqual([room.id for room in rooms], [1, 2])
        won = sorted((r for r in results if isinstance(r, Room)), key=lambda r: r.id)
        self.assertEqual(won, list(rooms))
        self.assertEqual(len([r for r in results if isinstance(r, IdTakenError)]), 18)

    async def test_everybody_gets_an_id_of_their_own(self) -> None:
        stores = [await self.open_store(), await self.open_store()]
        calls = [stores[n % 2].add_room(plain(f"{n}")) for n in range(40)]
        results = await at_once(calls)
        given = sorted(r.id for r in results if isinstance(r, Room))
        self.assertEqual(given, list(range(1, 41)))
        self.assertEqual(await self.ids(stores[0]), given)

    async def test_calls_of_one_store_are_done_while_others_wait(self) -> None:
        store = await self.open_store()
        rooms = [await store.add_room(plain(f"{n}")) for n in range(10)]
        calls: list[Coroutine[Any, Any, Any]] = []
        for room in rooms:
            calls.append(store.remove_room(room.id))
            calls.append(store.rooms())
            calls.append(store.add_room(plain(f"new {room.id}")))
        for result in await at_once(calls):
            self.assertFalse(isinstance(result, Exception), result)
        self.assertEqual(await self.ids(store), list(range(11, 21)))

    async def test_a_secret_is_made_once_and_stays(self) -> None:
        store = await self.open_store()
        made: list[bytes] = []

        def make() -> bytes:
            made.append(bytes(range(256)))
            return made[-1]

        for _ in range(2):
            self.assertEqual(await store.secret("tokens", make), bytes(range(256)))
            await store.close()
            store = await self.open_store()
        self.assertEqual(len(made), 1)
        self.assertEqual(await store.secret("other", lambda: b""), b"")
        self.assertEqual(await store.secret("other", lambda: b"new"), b"")

    async def test_nodes_that_race_for_a_secret_get_the_same(self) -> None:
        stores = [await self.open_store() for _ in range(4)]
        for name in "a", "b", "c":
            made: list[bytes] = []

            def make(made: list[bytes] = made) -> bytes:
                made.append(secrets.token_bytes(32))
                return made[-1]

            calls = [stores[n % 4].secret(name, make) for n in range(20)]
            results = await at_once(calls)
            self.assertEqual(len({*results}), 1, results)
            self.assertIsInstance(results[0], bytes)
            # Otherwise there was no race.
            self.assertFalse(len(made) < 2)

    async def test_nodes_that_start_at_once_find_one_store(self) -> None:
        stores = [self.make_store() for _ in range(6)]
        for store in stores:
            self.addCleanup(store.close)
        opened = await at_once(store.open() for store in stores)
        self.assertEqual(opened, [None] * 6)
        results = await at_once(store.add_room(plain("one")) for store in stores)
        self.assertEqual(len([r for r in results if isinstance(r, Room)]), 1)

    async def test_it_is_prepared_before_it_is_opened(self) -> None:
        store = self.make_store()
        store.prepare()
        store.prepare()
        await store.open()
        self.addCleanup(store.close)
        self.assertEqual((await store.add_room(PLAIN)).id, 1)

    async def test_a_store_that_is_not_open_says_so(self) -> None:
        store = self.make_store()
        await self.raises(StoreError, store.rooms())
        await store.open()
        adding = Deferred.fromCoroutine(store.add_room(PLAIN))
        await at_once([store.close(), store.close()])
        # What was asked for before the close is done.
        self.assertEqual((await adding).id, 1)
        await self.raises(StoreError, store.rooms())
        await self.raises(StoreError, store.add_room(plain("two")))
