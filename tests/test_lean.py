# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The short way through frames, which must end where Autobahn's long way ends."""

from __future__ import annotations

from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatmux.interfaces import Connection
from chatmux.transports.websocket_factory import WebSocketFactory
from tests.long_way import OPEN, QUIT, REFUSE, STEPS, WAIT, LongWayFactory, Server
from tests.profiles import examples
from tests.test_whole_message import NOT_PLAIN
from tests.transport_doubles import Sessions
from tests.websocket_doubles import (
    BINARY,
    CLOSE,
    HANDSHAKE,
    PING,
    PONG,
    TEXT,
    Frame,
    Peer,
    WebSocketTestCase,
    close_frame,
    masked,
    websocket_door,
)

texts = st.one_of(
    st.sampled_from((*STEPS, b"", "é\U0010ffff\uffff".encode())),
    st.text(max_size=20).map(str.encode),
)
rare_payloads = st.one_of(
    st.binary(max_size=20),
    st.sampled_from((b"x" * 100, b"x" * 101, b"x" * 125, b"x" * 126, b"x" * 1001)),
    st.sampled_from((b"\xff", b"caf\xc3", b"\xed\xa0\x80", "é".encode()[1:])),
)


@st.composite
def raw_frames(draw: st.DrawFn) -> bytes:
    """Make a frame of which anything may be wrong."""
    first = draw(
        st.sampled_from((0x81, 0x82, 0x80, 0x01, 0x02, 0x00, 0x88, 0x89, 0x8A))
        | st.integers(0, 255)
    )
    payload = draw(rare_payloads | texts)
    form = draw(st.sampled_from((7, 7, 7, 16, 64)))
    length = len(payload)
    stated = length if draw(st.integers(0, 5)) else draw(st.integers(0, 1 << 63))
    mask = draw(
        st.sampled_from((b"mask", b"\x00\x00\x00\x00", b"\xff\x00\xff\x00", b""))
    )
    bit = 0x80 if mask else 0
    if form == 7:
        head = bytes((bit | stated & 127,))
    elif form == 16:
        head = bytes((bit | 126,)) + (stated & 0xFFFF).to_bytes(2, "big")
    else:
        head = bytes((bit | 127,)) + stated.to_bytes(8, "big")
    if mask:
        payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    return bytes((first,)) + head + mask + payload


plain_frames = st.builds(masked, st.sampled_from((TEXT, TEXT, BINARY)), texts)
control_frames = st.builds(
    masked,
    st.sampled_from((PING, PONG, CLOSE)),
    st.sampled_from((b"", b"\x03\xe8", b"\x03\xe8bye", b"\x03\xed", b"x")),
)
fragmented = st.lists(texts, min_size=2, max_size=3).map(
    lambda parts: b"".join(
        masked(TEXT if not place else 0, part, fin=place == len(parts) - 1)
        for place, part in enumerate(parts)
    )
)
some_frames = st.one_of(
    plain_frames, plain_frames, plain_frames, fragmented, control_frames, raw_frames()
)


class Both:
    """The same peer at a server with the short way and at one without."""

    def __init__(self, **limits: Any) -> None:
        self.sessions = Sessions(), Sessions()
        self.servers: list[Server] = []
        for kind, sessions in zip(
            (WebSocketFactory, LongWayFactory), self.sessions, strict=True
        ):
            sessions.steps = STEPS
            door = websocket_door(sessions, **limits)
            self.servers.append(Server(kind, door))
        self.say(HANDSHAKE + b"\r\n")

    def say(self, data: bytes) -> None:
        for server in self.servers:
            server.say(data)

    def advance(self, seconds: float) -> None:
        for server in self.servers:
            server.advance(seconds)

    def states(self) -> list[dict[str, Any]]:
        return [
            server.state(sessions)
            for server, sessions in zip(self.servers, self.sessions, strict=True)
        ]

    def lose(self) -> None:
        for server in self.servers:
            server.peer.lose()


class BothWaysTests(SynchronousTestCase):
    @settings(max_examples=examples(300), deadline=None)
    @given(
        parts=st.lists(some_frames, min_size=1, max_size=8),
        cuts=st.lists(
            st.tuples(st.integers(0, 400), st.sampled_from((0, 0, 0, 7, 16, 31))),
            max_size=4,
        ),
    )
    def test_any_stream_cut_anyhow_comes_to_the_same(
        self, parts: list[bytes], cuts: list[tuple[int, int]]
    ) -> None:
        both = Both(opening_bytes=100, message_bytes=1000)
        stream, start = b"".join(parts), 0
        for place, seconds in sorted(cuts):
            both.say(stream[start:place])
            start = max(start, place)
            both.advance(seconds)
            self.assert_same(both)
        both.say(stream[start:])
        self.assert_same(both)
        for seconds in 0, 0, 0, 16, 16, 16:
            both.advance(seconds)
            self.assert_same(both)
        state = both.states()[0]
        event(f"messages: {len(state['messages'][0])}, why: {state['why']}")
        both.lose()
        both.advance(100)
        self.assert_same(both)
        for server in both.servers:
            self.assertEqual(server.clock.getDelayedCalls(), [])

    def assert_same(self, both: Both) -> None:
        short, long = both.states()
        self.assertEqual(short, long)

    def test_all_that_is_not_plain_comes_to_the_same_wherever_it_stands(self) -> None:
        whole, begun = masked(TEXT, b"echo"), masked(TEXT, b"a", fin=False)
        for frame in NOT_PLAIN:
            for before in b"", whole, begun, begun + whole:
                cuts = range(len(before) + min(len(frame), 12))
                for cut in (0, *cuts[-12:]):
                    both = Both(opening_bytes=1000, message_bytes=1000)
                    stream = before + frame + whole * 2
                    both.say(stream[:cut])
                    both.say(stream[cut:])
                    self.assert_same(both)
                    both.lose()

    def test_lengths_at_the_limits_of_their_forms(self) -> None:
        for length in 0, 1, 125, 126, 127, 65535, 65536, 65537:
            for longest in 65535, 65536, 1 << 20:
                both = Both(opening_bytes=longest, message_bytes=longest)
                both.say(masked(BINARY, b"x" * length) + masked(TEXT, b"y" * length))
                self.assert_same(both)
                heard = both.sessions[0][0].messages
                self.assertEqual(len(heard), 2 if length <= longest else 0)
                both.lose()

    def test_a_session_that_fails_in_the_midst_of_many_messages(self) -> None:
        def fail(connection: Connection) -> None:
            raise ZeroDivisionError

        both = Both()
        for sessions in both.sessions:
            sessions.steps = {b"fail": fail}
            sessions[0].steps = sessions.steps
        both.say(masked(TEXT, b"a") + masked(TEXT, b"fail") + masked(TEXT, b"b"))
        self.assert_same(both)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        self.assertEqual(
            both.sessions[0][0].messages, [(b"a", False), (b"fail", False)]
        )


class BatchTests(WebSocketTestCase):
    """What is in one read, and what the session does in the midst of it."""

    def setUp(self) -> None:
        super().setUp()
        self.sessions.steps |= STEPS

    def messages(self, *texts: bytes) -> bytes:
        return b"".join(masked(TEXT, text) for text in texts)

    def test_nothing_is_handed_on_after_the_session_has_closed(self) -> None:
        for last in QUIT, REFUSE:
            peer, session = self.opened()
            peer.say(self.messages(b"a", last, b"b", b"c") + masked(PING, b"x"))
            self.assertEqual(session.messages, [(b"a", False), (last, False)])
            self.assertEqual(peer.hear()[-1].opcode, CLOSE)

    def test_the_answer_to_a_close_is_found_in_the_same_read(self) -> None:
        peer, _ = self.opened()
        peer.say(self.messages(QUIT, b"b") + masked(CLOSE, b"\x03\xe8"))
        self.assertEqual(peer.hear(), [close_frame(1000)])
        self.assertTrue(peer.protocol.wasClean)
        self.assertTrue(peer.transport.ending)

    def test_a_session_that_gives_way_gets_the_rest_in_its_turn(self) -> None:
        peer, session = self.opened()
        peer.say(self.messages(b"a", WAIT, b"b") + masked(TEXT, b"half")[:7])
        self.assertEqual([text for text, _ in session.messages], [b"a", WAIT])
        peer.say(masked(TEXT, b"half")[7:] + masked(PING, b"x"))
        self.assertEqual(len(session.messages), 2)
        self.clock.advance(0)
        texts = [text for text, _ in session.messages]
        self.assertEqual(texts, [b"a", WAIT, b"b", b"half"])
        self.assertEqual(peer.hear(), [Frame(TEXT, b"my turn"), Frame(PONG, b"x")])

    def test_longer_messages_are_admitted_from_the_next_one_on(self) -> None:
        peer, session = self.open()
        long = b"x" * 1000
        peer.say(self.messages(b"x" * 100, OPEN, long))
        self.assertEqual([len(text) for text, _ in session.messages], [100, 4, 1000])
        peer.say(self.messages(long + b"x"))
        self.assertEqual(self.closed_for(peer), 1009)
        peer, session = self.open()
        peer.say(self.messages(b"x" * 101, OPEN))
        self.assertEqual(self.closed_for(peer), 1009)
        self.assertEqual(session.messages, [])

    def test_a_ping_between_is_answered_in_its_place(self) -> None:
        peer, session = self.opened()
        peer.say(
            self.messages(b"echo")
            + masked(PING, b"1")
            + self.messages(b"", b"echo")
            + masked(PING, b"2")
        )
        heard = Frame(TEXT, b"heard")
        self.assertEqual(
            peer.hear(), [heard, Frame(PONG, b"1"), heard, Frame(PONG, b"2")]
        )
        self.assertEqual(
            [text for text, _ in session.messages], [b"echo", b"", b"echo"]
        )

    def test_a_message_has_its_own_time_after_one_that_was_read_at_once(self) -> None:
        """Of the first, one byte was here before: too little for anybody to take."""
        peer, session = self.opened()
        first, second = masked(TEXT, b"a"), masked(TEXT, b"b")
        peer.say(first[:1])
        self.clock.advance(18)
        peer.say(first[1:] + second[:1])
        self.clock.advance(18)
        peer.say(second[1:])
        self.assertEqual(session.messages, [(b"a", False), (b"b", False)])

    def closed_for_any(self, peer: Peer) -> int:
        frame = peer.hear()[-1]
        self.assertEqual(frame.opcode, CLOSE)
        return int.from_bytes(frame.payload[:2], "big")

    def test_the_time_for_a_message_begins_with_its_first_byte(self) -> None:
        for count in 1, 4, 8:
            peer, session = self.opened()
            peer.say(self.messages(b"before") + masked(TEXT, b"late")[:count])
            self.clock.advance(24)
            peer.say(b"")
            self.clock.advance(6)
            self.assertEqual(self.closed_for_any(peer), 1008)
            self.assertEqual(session.messages, [(b"before", False)])

    def test_whole_messages_leave_no_time_running(self) -> None:
        peer, session = self.opened()
        for _ in range(5):
            frame = masked(TEXT, b"message")
            peer.say(frame[:1])
            self.clock.advance(10)
            peer.say(frame[1:] + frame)
            self.clock.advance(10)
            peer.send(PONG)
        self.assertEqual(len(session.messages), 10)
        self.assertNotIn(CLOSE, [frame.opcode for frame in peer.hear()])

    def test_as_many_as_a_turn_has_time_for(self) -> None:
        peer, session = self.opened()
        peer.say(masked(BINARY) * 2000)
        self.assertEqual(len(session.messages), 2000)
        self.assertEqual(peer.transport.producerState, "producing")
        peer.say(masked(BINARY) * 4001)
        self.assertEqual(len(session.messages), 4000)
        self.assertEqual(peer.transport.producerState, "paused")
        self.clock.advance(0)
        self.assertEqual(len(session.messages), 6001)
        self.assertEqual(peer.transport.producerState, "producing")
