# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""A receiver in the manner of Twisted's, for strings with five digits before each."""

from __future__ import annotations

from collections.abc import Callable

from twisted.protocols.basic import StringTooLongError
from twisted.trial.unittest import SynchronousTestCase

from chatmux.transports.receiver import Decimal5StringReceiver
from tests.transport_doubles import Transport


class Receiver(Decimal5StringReceiver):
    """Notes what it is sent, and does something then."""

    MAX_LENGTH = 9

    def __init__(self) -> None:
        self.strings: list[bytes] = []
        self.steps: dict[bytes, Callable[[], object]] = {}

    def stringReceived(self, string: bytes) -> None:
        self.strings.append(string)
        self.steps.get(string, bool)()


class Lenient(Receiver):
    """Notes what it cannot take instead of closing."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[object] = []

    def badLength(self, digits: bytes) -> None:
        self.faults.append(digits)

    def lengthLimitExceeded(self, length: int) -> None:
        self.faults.append(length)


class ReceiverTests(SynchronousTestCase):
    def connect(self, receiver: Receiver) -> Transport:
        transport = Transport()
        receiver.makeConnection(transport)
        return transport

    def setUp(self) -> None:
        self.receiver = Receiver()
        self.transport = self.connect(self.receiver)

    def test_strings_are_received_however_they_come(self) -> None:
        stream = b"00009[newuser]0000000002hi"
        for start in range(0, len(stream), 3):
            self.receiver.dataReceived(stream[start : start + 3])
        self.assertEqual(self.receiver.strings, [b"[newuser]", b"", b"hi"])
        self.receiver.dataReceived(stream)
        self.assertEqual(self.receiver.strings, [b"[newuser]", b"", b"hi"] * 2)

    def test_strings_are_sent_with_their_length(self) -> None:
        self.receiver.sendString("é".encode())
        self.assertEqual(self.transport.take(), b"00002\xc3\xa9")

    def test_what_five_digits_cannot_tell_is_not_sent(self) -> None:
        with self.assertRaises(StringTooLongError):
            self.receiver.sendString(b"x" * 100_000)
        self.assertEqual(self.transport.take(), b"")

    def test_a_bad_length_closes(self) -> None:
        self.receiver.dataReceived(b"00002hi+0002hi")
        self.assertEqual(self.receiver.strings, [b"hi"])
        self.assertTrue(self.transport.ending)

    def test_a_string_over_the_limit_closes(self) -> None:
        self.receiver.dataReceived(b"00002hi0001")
        self.assertFalse(self.transport.ending)
        self.receiver.dataReceived(b"0")
        self.assertEqual(self.receiver.strings, [b"hi"])
        self.assertTrue(self.transport.ending)

    def test_both_can_be_done_otherwise(self) -> None:
        for data, fault in (b"GET / HTTP/1.1", b"GET /"), (b"00010", 10):
            receiver = Lenient()
            transport = self.connect(receiver)
            receiver.dataReceived(data)
            self.assertEqual(receiver.faults, [fault])
            self.assertFalse(transport.ending)

    def test_the_limit_may_change_between_two_strings(self) -> None:
        self.receiver.steps[b"more"] = lambda: setattr(self.receiver, "MAX_LENGTH", 12)
        self.receiver.dataReceived(b"00004more00012" + b"x" * 12)
        self.assertEqual(self.receiver.strings, [b"more", b"x" * 12])
        self.assertEqual(Receiver.MAX_LENGTH, 9)

    def test_none_is_received_while_paused(self) -> None:
        self.receiver.steps[b"stop"] = self.receiver.pauseProducing
        self.receiver.dataReceived(b"00004stop00002hi00004stop")
        self.receiver.dataReceived(b"00002ho")
        self.assertEqual(self.receiver.strings, [b"stop"])
        self.assertEqual(self.transport.producerState, "paused")
        self.receiver.resumeProducing()
        self.assertEqual(self.receiver.strings, [b"stop", b"hi", b"stop"])
        self.receiver.resumeProducing()
        self.assertEqual(self.receiver.strings, [b"stop", b"hi", b"stop", b"ho"])
        self.assertEqual(self.transport.producerState, "producing")

    def test_none_is_received_after_a_stop(self) -> None:
        self.receiver.steps[b"stop"] = self.receiver.stopProducing
        self.receiver.dataReceived(b"00004stop00002hi")
        self.assertEqual(self.receiver.strings, [b"stop"])
        self.assertEqual(self.transport.producerState, "stopped")

    def test_going_on_at_once_neither_nests_nor_loses_any(self) -> None:
        depths: list[int] = []

        def pause_and_go_on() -> None:
            depths.append(0)
            self.receiver.pauseProducing()
            self.receiver.resumeProducing()
            self.assertEqual(len(self.receiver.strings), len(depths))

        self.receiver.steps[b"x"] = pause_and_go_on
        self.receiver.dataReceived(b"00001x" * 5000)
        self.assertEqual(len(self.receiver.strings), 5000)
