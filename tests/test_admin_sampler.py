# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""A sample each second, and a stream of them."""

from __future__ import annotations

import json

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatmux.admin.events import MOST_REFUSALS
from chatmux.admin.sampler import KEPT, TICK, Sample, Sampler, Totals
from chatmux.admin.watch import resident_bytes
from chatmux.model import Member
from chatmux.protocols import machat
from tests.admin_doubles import APITestCase
from tests.doubles import MemoryConnection

NOTHING = Totals({}, 0, 0, 0, 0, 0, 0, 0)


class SamplerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.totals = NOTHING
        self.sampler = Sampler(
            self.clock, lambda: 1e9 + self.clock.seconds(), lambda: self.totals
        )
        self.addCleanup(self.sampler.stop)

    def pass_by(self, seconds: float) -> None:
        self.clock.pump([TICK] * round(seconds / TICK))

    @property
    def last(self) -> Sample:
        return self.sampler.samples[-1]

    def test_one_each_second(self) -> None:
        self.sampler.start()
        self.pass_by(0.9)
        self.assertEqual(len(self.sampler.samples), 0)
        self.pass_by(9.2)
        self.assertEqual(len(self.sampler.samples), 10)
        times = [sample.time - 1e9 for sample in self.sampler.samples]
        for number, time in enumerate(times, 1):
            self.assertAlmostEqual(time, number, delta=0.2)

    def test_rates_are_of_the_second_and_not_of_the_start(self) -> None:
        self.totals = NOTHING._replace(messages=1000, deliveries=5, refused=3)
        self.sampler.start()
        self.totals = NOTHING._replace(
            messages=1050, deliveries=505, refused=4, closed_slow=2, channels=7
        )
        self.pass_by(1)
        self.assertAlmostEqual(self.last.messages, 50, delta=1)
        self.assertAlmostEqual(self.last.deliveries, 500, delta=10)
        self.assertEqual((self.last.refused, self.last.closed_slow), (1, 2))
        self.assertEqual(self.last.channels, 7)
        self.pass_by(1)
        self.assertEqual((self.last.messages, self.last.refused), (0, 0))

    def test_a_second_that_takes_longer_has_true_rates(self) -> None:
        self.sampler.start()
        self.totals = NOTHING._replace(messages=80)
        self.clock.advance(4)
        self.assertEqual(len(self.sampler.samples), 1)
        self.assertAlmostEqual(self.last.messages, 20)

    def test_lag_is_the_worst_of_the_second(self) -> None:
        self.sampler.start()
        self.pass_by(0.2)
        self.clock.advance(TICK + 0.3)
        self.pass_by(0.5)
        self.assertAlmostEqual(self.last.lag, 0.3)
        self.pass_by(1)
        self.assertAlmostEqual(self.last.lag, 0)

    def test_it_forgets_what_is_old(self) -> None:
        self.sampler.start()
        for _ in range(KEPT + 5):
            self.clock.advance(1)
        self.assertEqual(len(self.sampler.samples), KEPT)

    def test_nothing_is_left_after_the_stop(self) -> None:
        self.sampler.start()
        self.pass_by(1.5)
        self.sampler.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.sampler.stop()

    def test_a_start_that_comes_after_the_stop_is_none(self) -> None:
        self.sampler.stop()
        self.sampler.start()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_memory(self) -> None:
        self.assertGreater(resident_bytes(), 1 << 20)


class TotalsTests(APITestCase):
    def test_what_is_counted(self) -> None:
        self.addCleanup(self.sampler.stop)
        self.sampler.start()
        ann = self.peer("machat.tcp", "x", "machat/lounge", name="ann")
        self.peer("machat.ws", "x", "machat/lounge", name="bob")
        self.peer("machat.ws", "x", "machat/b", name="cara")
        self.guard.paused.add(ann)  # type: ignore[arg-type]
        for _ in range(3):
            self.broker.publish("machat/lounge", "ann", "hi", origin="machat")
        self.broker.publish("nowhere", "ann", "hi", origin="machat")
        self.guard.turned_away("machat.tcp", "x", "full")
        self.clock.advance(1)
        (sample,) = self.get("samples")
        self.assertEqual(
            sample,
            {
                "time": 1.0,
                "connections": {"machat.tcp": 1, "machat.ws": 2},
                "channels": 2,
                "messages": 3.0,
                "deliveries": 6.0,
                "slow": 1,
                "closed_slow": 0,
                "refused": 1,
                "memory": 1 << 20,
                "lag": sample["lag"],
            },
        )

    def test_who_is_gone_is_not_counted(self) -> None:
        one = self.peer("machat.tcp", "x")
        self.guard.paused.add(one)  # type: ignore[arg-type]
        self.guard.release(one)  # type: ignore[arg-type]
        self.guard.release(one)  # type: ignore[arg-type]
        self.assertEqual(self.guard.of_door["machat.tcp"], 0)
        self.assertEqual(self.guard.paused, set())


class EventTests(APITestCase):
    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(self.sampler.stop)
        self.sampler.start()
        self.connection = MemoryConnection(lambda message: message + b"\n")
        request = self.request("GET", "/api/events", None, {})
        granted = self.door.upgrade(request)
        self.session = granted.new_session(self.connection)  # type: ignore[union-attr]

    def told(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.connection.take().splitlines()]

    def test_samples_and_refusals(self) -> None:
        self.assertTrue(self.connection.is_opened)
        self.guard.turned_away("machat.tcp", "192.0.2.7:1", "full")
        self.clock.advance(1)
        refusal, sample = self.told()
        self.assertEqual(refusal, {"refusal": self.get("refusals")[0]})
        self.assertEqual(sample, {"sample": self.get("samples")[0]})

    def test_who_does_not_read_gets_no_queue(self) -> None:
        self.connection.room = 1
        self.clock.advance(1)
        for _ in range(50):
            self.clock.advance(1)
            self.guard.turned_away("machat.tcp", "192.0.2.7:1", "full")
        self.assertEqual(self.connection.written_while_paused, 0)
        self.assertEqual(len(self.told()), 1)
        self.connection.room = 1 << 20
        self.connection.read()
        self.clock.advance(1)
        self.assertEqual(len(self.told()), 1)

    def test_a_flood_of_refusals_is_told_in_part_and_counted(self) -> None:
        for _ in range(500):
            self.guard.turned_away("machat.tcp", "192.0.2.7:1", "full")
        self.assertEqual(len(self.told()), MOST_REFUSALS)
        self.clock.advance(1)
        self.assertEqual(self.get("samples")[-1]["refused"], 500)
        self.guard.turned_away("machat.tcp", "192.0.2.7:1", "full")
        self.assertEqual(len(self.told()), 2)

    def test_nothing_is_left_of_who_has_gone(self) -> None:
        self.session.closed()
        self.assertEqual(self.sampler.listeners, set())
        self.assertEqual(self.guard.listeners, set())

    def test_what_it_says_is_ignored(self) -> None:
        self.session.received(b"{}", False)
        self.assertEqual(len(self.connection.ignored_for), 1)

    def test_messages_of_channels_are_none_of_it(self) -> None:
        self.broker.join("machat/b", Member("ann", machat.NAME, 7))
        self.broker.publish("machat/b", "ann", "hi", origin="machat")
        self.assertEqual(self.told(), [])
