# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What TLS takes from a client, on every listener: asked with OpenSSL's own client."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

from tests.attack import PLACES, AttackTestCase, LateError, Target, is_open, read_all
from tests.server import DEADLINE_SECONDS, program

OPENING_SECONDS = 1.0

WEAK = (
    "NULL-SHA256",
    "ECDHE-ECDSA-NULL-SHA",
    "AECDH-AES128-SHA",
    "ADH-AES128-SHA256",
    "ECDHE-ECDSA-DES-CBC3-SHA",
    "ECDHE-ECDSA-RC4-SHA",
)
"""Nothing encrypted, nobody authenticated, or broken since."""

CLIENT_HELLO = bytes.fromhex("16 0301 0200 010001fc 0303")
"""How a handshake begins whose rest is 510 bytes."""


def openssl(target: Target, place: str, *arguments: str) -> str:
    """Return what OpenSSL's client says of a connection, and of its end."""
    where = f"127.0.0.1:{target.port[place]}"
    done = subprocess.run(
        [
            *(program("openssl", "openssl"), "s_client", "-connect", where),
            *("-CAfile", target.certificate, *arguments),
        ],
        input=b"",
        capture_output=True,
        timeout=DEADLINE_SECONDS,
    )
    return (done.stdout + done.stderr).decode(errors="replace")


class TLSTests(AttackTestCase):
    def setUp(self) -> None:
        limits = {"opening-seconds": OPENING_SECONDS}
        self.server = self.target(tls=True, limits=limits)

    def test_old_versions_are_refused_and_new_ones_are_not(self) -> None:
        # The client would not even try without.
        old = ("-cipher", "ALL:@SECLEVEL=0")
        for place in PLACES:
            for version in "-tls1", "-tls1_1":
                said = openssl(self.server, place, version, *old)
                self.assertIn("Cipher is (NONE)", said, f"{place} {version}")
                self.assertIn("alert protocol version", said, f"{place} {version}")
            for version, name in ("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3"):
                said = openssl(self.server, place, version)
                self.assertIn(f"New, {name}, Cipher is ", said, place)
                self.assertIn("Verify return code: 0 (ok)", said, place)

    def test_weak_suites_are_refused(self) -> None:
        for place in PLACES:
            suites = ":".join(WEAK)
            said = openssl(
                *(self.server, place, "-tls1_2"),
                *("-cipher", f"{suites}:@SECLEVEL=0"),
            )
            self.assertIn("Cipher is (NONE)", said, place)
            self.assertIn("alert handshake failure", said, place)

    def test_without_a_servers_name_it_is_the_same_certificate(self) -> None:
        for place in PLACES:
            for name in ("-noservername",), ("-servername", "elsewhere.example"):
                said = openssl(self.server, place, *name)
                self.assertIn("Verify return code: 0 (ok)", said, place)

    def test_a_client_cannot_have_a_new_handshake(self) -> None:
        for place in PLACES:
            with subprocess.Popen(
                [
                    *(program("openssl", "openssl"), "s_client", "-tls1_2"),
                    *("-connect", f"127.0.0.1:{self.server.port[place]}"),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            ) as client:
                # A line of this is the client's command for it.
                said, _ = client.communicate(b"R\n", timeout=DEADLINE_SECONDS)
            self.assertIn(b"RENEGOTIATING", said, place)
            self.assertIn(b":no renegotiation:", said, place)

    def test_a_secret_of_the_server_is_never_told(self) -> None:
        # No heartbeats, no compression.
        for place in PLACES:
            said = openssl(self.server, place, "-tls1_2", "-tlsextdebug")
            self.assertIn("Compression: NONE", said, place)
            self.assertNotIn('"heartbeat"', said, place)


class DribbleTests(AttackTestCase):
    def test_a_handshake_has_a_deadline_that_no_byte_extends(self) -> None:
        limits = {"opening-seconds": OPENING_SECONDS}
        self.survives(self.dribble, tls=True, limits=limits)

    def dribble(self, target: Target) -> None:
        began = time.monotonic()
        sockets = {place: self.raw(target, place) for place in PLACES for _ in "12345"}
        several = [(place, self.raw(target, place)) for place in PLACES for _ in "1234"]
        several += sockets.items()
        for number in range(16):
            for _, raw in several:
                if is_open(raw):
                    raw.sendall(CLIENT_HELLO[number % 11 :][:1])
            time.sleep(0.1)
        for place, raw in several:
            came = read_all(raw)
            if time.monotonic() - began > OPENING_SECONDS + 1.5:
                raise LateError(place)
            self.assertNotIn(b"HTTP", came, place)
            raw.close()
        # The descriptors come back.
        self.assertLess(target.descriptors, 60)

    def raw(self, target: Target, place: str) -> socket.socket:
        return socket.create_connection(("127.0.0.1", target.port[place]))


class StartTests(AttackTestCase):
    def test_plain_words_at_a_port_with_tls_get_nothing(self) -> None:
        server = self.target(tls=True)
        for place in PLACES:
            for words in (
                b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
                b"00009[newuser]",
                b"{}\n",
            ):
                with socket.create_connection(("127.0.0.1", server.port[place])) as raw:
                    raw.sendall(words + bytes(8))
                    came = read_all(raw)
                # At most an alert of TLS.
                self.assertIn(came[:1], (b"", b"\x15"), place)
        self.assertNotIn("Traceback", server.log)
        self.assertTrue(Path(server.certificate).exists())
