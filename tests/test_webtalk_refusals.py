# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""webtalk's private port: what ends a conversation, and any frame at all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatmux.errors import PeerError
from chatmux.model import NORMAL
from tests.webtalk_doubles import LONGEST, Webtalk, split_numbered

SECRET = "canary päß".encode()


class SecretTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.webtalk = Webtalk(secret=SECRET.decode())

    def assert_refused(self, frame: bytes, words: bytes) -> None:
        backend = self.webtalk.new_backend()
        self.assertEqual(backend.say(frame), [b"[error] " + words])
        assert backend.connection.closed_for is not None
        self.assertEqual(backend.connection.closed_for.code, 1008)
        self.assertEqual(backend.connection.closed_for.reason.encode(), words)
        self.assertFalse(backend.connection.is_opened)

    def test_the_secret_ends_the_opening_and_lets_everything_in(self) -> None:
        backend = self.webtalk.backend
        self.assertFalse(backend.connection.is_opened)
        self.assertEqual(
            backend.say(b"[auth] " + SECRET, b"[newchannel]"),
            [b"[ok] authenticated", b"[ok] 2"],
        )
        self.assertTrue(backend.connection.is_opened)

    def test_a_wrong_secret_ends_the_connection(self) -> None:
        for secret in b"", b"p", b"\xff", SECRET + b" ", b" " + SECRET:
            self.assert_refused(b"[auth] " + secret, b"wrong secret")
        self.assert_refused(b"[auth]", b"wrong secret")

    def test_nothing_is_done_before_it(self) -> None:
        for frame in b"[newchannel]", b"[dance]", b"[AUTH] p", b"[retrieve] k", b"[]":
            self.assert_refused(frame, b"[auth] SECRET first")
        (answers, channel) = self.webtalk.say(b"[auth] " + SECRET, b"[newchannel]")
        self.assertEqual((answers, channel), (b"[ok] authenticated", b"[ok] 2"))

    def test_what_is_no_command_is_refused_as_such_before_it_too(self) -> None:
        self.assert_refused(b"x", b"Invalid Frame: [ brace not found")

    def test_it_may_be_shown_again_and_must_be_right_again(self) -> None:
        backend = self.webtalk.backend
        good = b"[auth] " + SECRET
        self.assertEqual(backend.say(good, good), [b"[ok] authenticated"] * 2)
        self.assertEqual(backend.say(b"[auth] x"), [b"[error] wrong secret"])
        self.assertIsNotNone(backend.connection.closed_for)

    def test_goodbye_may_be_said_without_it(self) -> None:
        backend = self.webtalk.backend
        self.assertEqual(backend.say(b""), [b"[ok] goodbye"])
        self.assertEqual(backend.connection.closed_for, NORMAL)
        self.assertFalse(backend.connection.is_opened)

    def test_each_back_end_has_to_show_it(self) -> None:
        self.webtalk.say(b"[auth] " + SECRET)
        self.assert_refused(b"[newuser]", b"[auth] SECRET first")


class ClosingErrorTests(SynchronousTestCase):
    """Errors with which the connection ends."""

    def setUp(self) -> None:
        self.webtalk = Webtalk()
        self.backend = self.webtalk.backend

    def refusal(self, call: object, *arguments: object, code: int = 1008) -> bytes:
        error = self.assertRaises(PeerError, call, *arguments)
        self.assertEqual(error.close.code, code)
        (answer,) = split_numbered(self.backend.connection.take())
        self.assertEqual(answer, f"[error] {error.close.reason}".encode())
        return answer

    def test_a_missing_brace_ends_it(self) -> None:
        for frame, brace in (
            (b"newuser", b"["),
            (b" [newuser]", b"["),
            (b"]", b"["),
            (b"[newuser", b"]"),
            (b"[", b"]"),
        ):
            answer = self.refusal(self.backend.session.received, frame, True)
            self.assertEqual(
                answer, b"[error] Invalid Frame: " + brace + b" brace not found"
            )

    def test_a_length_that_is_no_five_digits_ends_it_in_one_line(self) -> None:
        for length, shown in (
            (b"+0009", b"+0009"),
            (b"-0001", b"-0001"),
            (b" 1   ", b" 1   "),
            (b"12a45", b"12a45"),
            (b"GET /", b"GET /"),
            (b"1_000", b"1_000"),
        ):
            self.assertEqual(
                self.refusal(self.backend.session.bad_length, length),
                b"[error] Invalid Frame Size: "
                + shown
                + b", five ASCII digits were expected",
            )
        for length in b"\r\n\r\n\x00", b"\xff\xfe\x80\x00\x1b", "١٢".encode() + b"1":
            answer = self.refusal(self.backend.session.bad_length, length)
            self.assertRegex(answer, rb"\A[\x20-\x7e]+\Z")

    def test_too_long_a_frame_ends_it(self) -> None:
        self.assertEqual(
            self.refusal(self.backend.session.frame_too_long, 99_999, code=1009),
            b"[error] Invalid Frame Size: 99999, too long",
        )

    def test_a_frame_that_does_not_come_in_time_ends_it(self) -> None:
        self.assertEqual(
            self.refusal(self.backend.session.frame_too_late),
            b"[error] Error reading Frame: not complete in time",
        )

    def test_a_secret_that_does_not_come_in_time_ends_it(self) -> None:
        self.backend = Webtalk(secret="x").backend
        self.assertEqual(
            self.refusal(self.backend.session.opening_too_late),
            b"[error] [auth] SECRET first, and in time",
        )


class EndTests(SynchronousTestCase):
    def end(self, rest: bytes) -> bytes:
        backend = Webtalk().backend
        backend.session.ended(rest)
        self.assertEqual(backend.connection.closed_for, NORMAL)
        (answer,) = split_numbered(backend.connection.take())
        backend.session.closed()
        return answer

    def test_an_empty_frame_is_the_goodbye(self) -> None:
        webtalk = Webtalk()
        self.assertEqual(webtalk.say(b""), [b"[ok] goodbye"])
        self.assertEqual(webtalk.backend.connection.closed_for, NORMAL)

    def test_an_end_between_frames(self) -> None:
        self.assertEqual(self.end(b""), b"[error] Invalid Frame: EOF")

    def test_an_end_within_the_digits(self) -> None:
        for count in range(1, 5):
            self.assertEqual(
                self.end(b"00009"[:count]),
                b"[error] Insufficient Frame Size: %d" % count,
            )

    def test_an_end_within_the_bytes(self) -> None:
        for rest in b"00009", b"00009[", b"00009[newuser", b"99999" + b"x" * 99_998:
            self.assertEqual(self.end(rest), b"[error] Error reading Frame: EOF")

    def test_a_cut_frame_is_not_run(self) -> None:
        webtalk = Webtalk()
        webtalk.backend.session.ended(b"00012[newchannel")
        self.assertEqual(webtalk.new_backend().say(b"[newchannel]"), [b"[ok] 2"])

    def test_what_a_back_end_made_stays_when_it_goes(self) -> None:
        webtalk = Webtalk(strict=True)
        webtalk.new_users(1)
        webtalk.say(b"[newchannel]", b"[store] k!v", b"")
        webtalk.backend.session.closed()
        self.assertEqual(
            webtalk.new_backend().say(b"[join] 2!1", b"[retrieve] k"),
            [b"[ok] user joined", b"[ok] v"],
        )


COMMANDS = (
    b"auth",
    b"newuser",
    b"killuser",
    b"whisper",
    b"newchannel",
    b"killchannel",
    b"shout",
    b"join",
    b"leave",
    b"store",
    b"retrieve",
    b"clear",
)
pieces = st.one_of(
    st.binary(max_size=8),
    st.sampled_from((b"0", b"1", b"2", b"!", b"1!1", b" ", b"]", b"[", b"secret")),
    st.sampled_from((b"9" * 33_000, b"k" * 33_325, b"x" * 50_000)),
)
frames = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda command, rest: (b"[" + command + b"]" + b"".join(rest))[:LONGEST],
        st.one_of(st.sampled_from(COMMANDS), pieces),
        st.lists(pieces, max_size=6),
    ),
)


class AnyFrameTests(SynchronousTestCase):
    @given(
        st.lists(frames, min_size=1, max_size=12),
        st.booleans(),
        st.sampled_from((None, " secret", "secret")),
    )
    def test_any_frame_has_one_answer_that_fits_and_may_end_the_connection(
        self, sequence: list[bytes], strict: bool, secret: str | None
    ) -> None:
        webtalk = Webtalk(strict=strict, secret=secret, max_messages=3)
        user = webtalk.hub.new_user()
        webtalk.salts[user.id] = user.salt
        browser = webtalk.login(user.id)
        for frame in sequence:
            backend = webtalk.backend
            error = None
            try:
                backend.session.received(frame, True)
            except PeerError as caught:
                error = caught
            # The doubles' framing takes no more than five digits can tell.
            (answer,) = split_numbered(backend.connection.take())
            if error is not None:
                self.assertEqual(answer, b"[error] " + str(error).encode())
            elif not frame:
                self.assertEqual(answer, b"[ok] goodbye")
                self.assertEqual(backend.connection.closed_for, NORMAL)
            else:
                self.assertTrue(answer.startswith((b"[ok] ", b"[error] ")), answer)
                self.assertIsNone(backend.connection.closed_for)
            if error is not None or not frame:
                webtalk.backend = webtalk.new_backend()
        webtalk.turn()
        for message in browser.take():
            message.decode()
