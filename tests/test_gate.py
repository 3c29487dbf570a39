# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The gate of the local broker, and how protocols refuse what it refuses."""

from __future__ import annotations

import json
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatmux.broker.gate import protocol_of
from chatmux.broker.local import LocalBroker
from chatmux.errors import LockedError, PeerError
from chatmux.model import FULL, LOCKED, Close, Member
from chatmux.node import PROTOCOLS
from chatmux.protocols import machat, multichat
from chatmux.protocols.webtalk.hub import Hub
from chatmux.protocols.webtalk.waiting import Waiting
from chatmux.settings import Secret
from tests.broker_contract import words
from tests.doubles import MemoryConnection
from tests.gate_contract import GateContract

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.builds(
    "".join, st.lists(st.sampled_from(["globes", "/", "-", "1", "machat", "..", "\0"]))
)


class LocalGateTests(GateContract, SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()

    def make_gated(
        self,
        bridges: Sequence[Sequence[str]] = (),
        max_members: int = 100,
        max_log_bytes: int = 1 << 22,
    ) -> LocalBroker:
        return LocalBroker(
            self.clock,
            bridges=bridges,
            max_members=max_members,
            max_log_bytes=max_log_bytes,
        )

    def carry(self) -> None:
        self.clock.advance(0)

    @given(names)
    def test_no_room_of_one_protocol_is_that_of_another(self, room: str) -> None:
        broker = self.make_gated()
        broker.lock("globes/1", lambda key: False)
        entry = broker.enter(f"machat/{room}", "machat")
        entry.join(Member("eve", "machat", 1))
        self.assertEqual(broker.present("globes/1", "globes"), [])
        self.assertRaises(LockedError, broker.enter, f"machat/{room}", "globes")

    def test_no_protocol_has_a_name_that_hides_another(self) -> None:
        for module in PROTOCOLS:
            self.assertEqual(protocol_of(module.NAME), module.NAME)


class RefusalTests(SynchronousTestCase):
    """Protocols that cannot carry a key, at a lock and where it is full."""

    def setUp(self) -> None:
        self.broker = LocalBroker(
            Clock(), bridges=[["globes/2", "machat/a", "multichat"]], max_members=1
        )
        self.connection = MemoryConnection()

    def refused(self, protocol: str) -> Close:
        session: machat.Session | multichat.Session
        if protocol == "machat":
            hello = json.dumps({"name": "ann", "room": "a"}).encode()
            session = machat.Session(self.connection, self.broker, "machat/")
            error = self.assertRaises(PeerError, session.opening, hello)
        else:
            packet = {"action": "register", "client-name": "a", "secret-key": "s3cret"}
            hello = json.dumps(packet).encode()
            secret = Secret("s3cret")
            session = multichat.Session(self.connection, self.broker, secret)
            error = self.assertRaises(PeerError, session.received, hello, False)
        session.closed()
        self.assertEqual(self.broker.members("machat/a"), [])
        self.assertEqual(self.connection.subscriptions, set())
        self.assertFalse(self.connection.is_opened)
        close: Close = error.close
        return close

    def test_what_is_locked_is_refused_in_the_words_of_the_protocol(self) -> None:
        self.broker.lock("globes/2", lambda key: key is not None)
        self.assertEqual(self.refused("multichat"), LOCKED)
        self.assertEqual(self.connection.take(), b"")
        self.assertEqual(self.refused("machat"), LOCKED)
        self.assertEqual(
            self.connection.take(), b"error: this is not open to everybody\n"
        )

    def test_what_is_full_is_refused_in_the_words_of_the_protocol(self) -> None:
        self.broker.enter("globes/2", "globes").subscribe(MemoryConnection(), words)
        self.assertEqual(self.refused("multichat"), FULL)
        self.assertEqual(self.connection.take(), b"")
        self.assertEqual(self.refused("machat"), FULL)
        self.assertEqual(self.connection.take(), b"error: there are too many here\n")

    def test_a_user_of_webtalk_is_whispered_to_as_often_as_may_be(self) -> None:
        hub = Hub(self.broker, Clock().seconds, Waiting(9, 999, 999))
        user = hub.new_user()
        self.assertIs(hub.login(user.id, user.salt, self.connection), user)
        for text in "one", "two", "three":
            hub.whisper(user.id, text)
        self.broker.flush()
        self.assertEqual(self.connection.take(), b"onetwothree")
