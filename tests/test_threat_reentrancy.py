# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Whoever comes, goes or talks in the middle of a delivery: nobody is skipped."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatmux.broker.local import LocalBroker
from chatmux.protocols import machat, multichat
from chatmux.settings import Secret
from tests.doubles import MemoryConnection, TurnClock

LINE = b"\n"


class Restless(MemoryConnection):
    """Does something while it is written to."""

    def __init__(self) -> None:
        super().__init__(lambda message: message.rstrip(LINE) + LINE)
        self.steps: list[Callable[[], None]] = []

    def write(self, chunk: bytes) -> None:
        super().write(chunk)
        if self.steps:
            self.steps.pop(0)()


class Room:
    """Members of two protocols on one channel."""

    def __init__(self) -> None:
        self.clock = TurnClock()
        self.broker = LocalBroker(self.clock, bridges=[["multichat", "machat/lounge"]])
        self.connections: list[Restless] = []
        self.sessions: list[multichat.Session | machat.Session] = []
        self.gone: set[int] = set()
        self.said: list[str] = []

    def come(self, lines: bool = False) -> int:
        """Let somebody come in; return the number."""
        number = len(self.sessions)
        connection = Restless()
        session: multichat.Session | machat.Session
        if lines:
            session = machat.Session(connection, self.broker, "machat/")
            self.connections.append(connection)
            self.sessions.append(session)
            session.opening(b'{"name":"m%d","room":"lounge"}' % number)
        else:
            session = multichat.Session(connection, self.broker, Secret("s"))
            self.connections.append(connection)
            self.sessions.append(session)
            hello = {"action": "register", "client-name": "x", "secret-key": "s"}
            session.received(json.dumps(hello).encode(), False)
        connection.take()
        return number

    def go(self, number: int) -> None:
        """Lose somebody's connection, as the transport tells it."""
        if number not in self.gone:
            self.gone.add(number)
            self.sessions[number].closed()

    def speak(self, number: int) -> None:
        if number in self.gone:
            return
        text = f"{number}.{len(self.said)}"
        self.said.append(text)
        session = self.sessions[number]
        if isinstance(session, machat.Session):
            session.line(text.encode())
        else:
            packet = {"action": "client-message", "content": text}
            session.received(json.dumps(packet).encode(), False)

    def heard(self, number: int) -> list[str]:
        """Return the texts that somebody has heard."""
        lines = self.connections[number].written.decode().splitlines()
        if isinstance(self.sessions[number], machat.Session):
            return [line.rpartition(":")[2] for line in lines]
        return [json.loads(line)["content"] for line in lines]


class ReentrancyTests(SynchronousTestCase):
    def run_in(self, room: Room) -> None:
        for _ in range(50):
            room.clock.turn()

    def check(self, room: Room, stayed: list[int]) -> None:
        """See that each who stayed has heard all of the others, once and in order."""
        for number in stayed:
            own = f"{number}."
            echo = isinstance(room.sessions[number], machat.Session)
            expected = [one for one in room.said if echo or not one.startswith(own)]
            self.assertEqual(room.heard(number), expected)
            self.assertIsNone(room.connections[number].closed_for)

    def test_whoever_goes_while_written_to_takes_nobody_along(self) -> None:
        for lines in False, True:
            for victim in range(5):
                for goer in range(5):
                    room = Room()
                    for _ in range(5):
                        room.come(lines)
                    speaker = room.come()
                    room.connections[victim].steps.append(partial(room.go, goer))
                    for _ in range(3):
                        room.speak(speaker)
                        self.run_in(room)
                    self.check(room, [n for n in range(6) if n not in room.gone])
                    self.assertIn(goer, room.gone)

    def test_all_of_a_channel_may_go_in_the_middle(self) -> None:
        room = Room()
        for number in range(6):
            room.come(number % 2 == 0)

        def go() -> None:
            for number in range(6):
                room.go(number)

        room.connections[0].steps.append(go)
        room.speak(1)
        self.run_in(room)
        self.assertEqual(room.broker.members("multichat"), [])

    def test_whoever_comes_or_talks_in_the_middle_is_behind_it(self) -> None:
        room = Room()
        for number in range(4):
            room.come(number % 2 == 0)

        def come() -> None:
            room.come()

        room.connections[0].steps += [
            lambda: room.speak(0),
            lambda: room.speak(3),
            come,
        ]
        for _ in range(5):
            room.speak(1)
            self.run_in(room)
        self.check(room, [0, 1, 2, 3])
        late = room.heard(4)
        self.assertEqual(late, room.said[len(room.said) - len(late) :])
        self.assertTrue(late)

    @given(
        st.lists(st.booleans(), min_size=2, max_size=6),
        st.lists(
            st.tuples(
                st.integers(0, 5),
                st.sampled_from(["go", "speak", "come", "fill", "read"]),
                st.integers(0, 5),
            ),
            max_size=12,
        ),
        st.lists(st.integers(0, 5), min_size=1, max_size=8),
    )
    @settings(max_examples=150, deadline=None)
    def test_whatever_is_done_in_the_middle(
        self,
        kinds: list[bool],
        steps: list[tuple[int, str, int]],
        speakers: list[int],
    ) -> None:
        room = Room()
        for lines in kinds:
            room.come(lines)
        count = len(kinds)

        def step(what: str, number: int) -> None:
            match what:
                case "go":
                    room.go(number)
                case "speak":
                    room.speak(number)
                case "come":
                    room.come(bool(number % 2))
                case "fill":
                    room.connections[number].fill()
                case "read":
                    room.connections[number].read()

        for at, what, number in steps:
            room.connections[at % count].steps.append(
                partial(step, what, number % count)
            )
        for speaker in speakers:
            room.speak(speaker % count)
            room.clock.turn()
        for connection in room.connections:
            connection.steps.clear()
            connection.read()
        self.run_in(room)
        for connection in room.connections:
            connection.read()
        self.run_in(room)
        self.check(room, [n for n in range(count) if n not in room.gone])
