# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Row 8: compression is never agreed to, so that nothing is ever unpacked."""

from __future__ import annotations

import contextlib
import os
import zlib

from tests.attack import MIB, WEBSOCKETS, AttackTestCase, Target, closed_with
from tests.websocket_doubles import BINARY, TEXT, masked

LIMITS = {"closing-seconds": 1}
OFFERS = (
    "permessage-deflate",
    "permessage-deflate; client_max_window_bits=15; server_max_window_bits=15",
    "permessage-deflate; server_no_context_takeover, permessage-bzip2",
    "x-webkit-deflate-frame",
)
COMPRESSED = 4
"""The reserved bit that says so."""


def deflated(data: bytes) -> bytes:
    """Pack as RFC 7692 wants it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)
    return packed.removesuffix(b"\x00\x00\xff\xff")


class CompressionTests(AttackTestCase):
    BOMB = deflated(bytes(64 * MIB))

    def attack(self, target: Target) -> None:
        before = target.most_rss
        payloads = self.BOMB, os.urandom(1000), deflated(b"{}")
        for name in WEBSOCKETS:
            for offer in OFFERS:
                # `upgrade` fails where the answer is not 101.
                raw = target.connect(name)
                offered = target.handshake(name, f"Sec-WebSocket-Extensions: {offer}")
                raw.sendall(offered)
                answer = raw.recv(1 << 16)
                self.assertIn(b" 101 ", answer)
                self.assertNotIn(b"extensions", answer.lower())
            for payload in payloads:
                for opcode in TEXT, BINARY:
                    offer = f"Sec-WebSocket-Extensions: {OFFERS[0]}"
                    raw = target.upgrade(name, offer)
                    with contextlib.suppress(OSError):
                        raw.sendall(masked(opcode, payload, rsv=COMPRESSED))
                    self.assertEqual(closed_with(raw), 1002)
        self.assertLess(target.most_rss - before, 2 * MIB)

    def test_no_offer_is_taken_and_nothing_is_unpacked(self) -> None:
        for tls in False, True:
            self.survives(self.attack, tls=tls, limits=LIMITS)
