# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Clients that have to show a certificate."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import msgspec
from twisted.internet.threads import deferToThread
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatmux.errors import ConfigError
from chatmux.settings import TLSFiles
from chatmux.transports.lines import LineFactory
from chatmux.transports.tls import tls_context
from tests.certificates import client_context, make_files
from tests.test_listener import ListenerTestCase
from tests.test_tls import TLSCaller, TLSTestCase
from tests.transport_doubles import framed_door, line_door
from tests.websocket_doubles import websocket_door

VERSIONS = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


class Certificates:
    """Authorities, a server that knows some of them, and clients."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.first = self.make("first", name="first", authority=True)
        self.second = self.make("second", name="second", authority=True)
        # By its name it cannot be told from the first.
        self.foreign = self.make("foreign", name="first", authority=True)
        self.client = self.make("client", signer=self.first)
        self.other_client = self.make("other", signer=self.second)
        self.strangers = (
            None,
            self.make("stranger", signer=self.foreign),
            self.make("selfsigned"),
            self.make("descendant", signer=self.client),
        )
        self.server = msgspec.structs.replace(
            self.make("server"), client_cafile=self.write_cas(self.first, self.second)
        )

    def make(
        self,
        directory: str,
        name: str = "test",
        signer: TLSFiles | None = None,
        authority: bool = False,
    ) -> TLSFiles:
        return make_files(
            self.directory / directory, name=name, signer=signer, authority=authority
        )

    def write_cas(self, *authorities: TLSFiles) -> str:
        path = self.directory / "cas"
        path.write_bytes(
            b"".join(Path(one.certfile).read_bytes() for one in authorities)
        )
        return str(path)


class HandshakeTests(TLSTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.certificates = Certificates(Path(self.mktemp()))
        self.files = self.certificates.server
        self.sessions.steps[b"ann"] = lambda connection: connection.send(b"hello\n")

    def caller(self, own: TLSFiles | None, version: ssl.TLSVersion) -> TLSCaller:
        wire = self.connect(LineFactory(self.guard, line_door(self.sessions))).wire
        context = client_context(self.files, own)
        context.minimum_version = context.maximum_version = version
        return TLSCaller(wire, context)

    def test_one_that_an_authority_has_signed_comes_in(self) -> None:
        for version in VERSIONS:
            for own in self.certificates.client, self.certificates.other_client:
                caller = self.caller(own, version)
                caller.shake_hands()
                caller.say(b"ann!")
                self.assertEqual(caller.hear(), b"hello\n")

    def test_nobody_else_does(self) -> None:
        for version in VERSIONS:
            for own in self.certificates.strangers:
                caller = self.caller(own, version)
                with self.assertRaises(ssl.SSLError) as caught:
                    # With TLS 1.3 a client learns of it when it believes to be in.
                    caller.shake_hands()
                    caller.hear()
                self.assertIn("ALERT", caught.exception.reason or "")
                self.assertFalse(caller.wire.transport.connected)
        self.assertEqual(self.sessions, [])
        self.assertEqual(self.guard.connections, set())

    def test_the_log_says_who_did_not_come_in_and_why(self) -> None:
        caller = self.caller(None, VERSIONS[0])
        with capturedLogs() as events, self.assertRaises(ssl.SSLError):
            caller.shake_hands()
        (line,) = map(formatEvent, events)
        self.assertIn("closed, 1002: the TLS handshake failed: ", line)
        self.assertIn("peer did not return a certificate", line)
        self.assertEqual(events[0]["log_level"], LogLevel.info)

    def test_who_goes_in_the_handshake_is_no_line(self) -> None:
        caller = self.caller(None, VERSIONS[0])
        caller.wire.say(b"\x16\x03\x01")
        with capturedLogs() as events:
            caller.wire.close()
            self.reactor.advance(1)
        self.assertEqual(events, [])
        self.assertEqual(self.guard.connections, set())

    def test_without_authorities_everybody_does(self) -> None:
        self.files = msgspec.structs.replace(self.files, client_cafile=None)
        for own in self.certificates.strangers:
            caller = self.caller(own, VERSIONS[1])
            caller.shake_hands()
            caller.say(b"ann!")
            self.assertEqual(caller.hear(), b"hello\n")


class FileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.certificates = Certificates(Path(self.mktemp()))

    def fault(self) -> str:
        with self.assertRaises(ConfigError) as caught:
            tls_context(self.certificates.server, "webtalk.tls")
        return str(caught.exception)

    def test_a_missing_file(self) -> None:
        file = str(self.certificates.server.client_cafile)
        Path(file).unlink()
        self.assertEqual(
            self.fault(),
            f"webtalk.tls.client-cafile: {file}: No such file or directory",
        )

    def test_a_file_without_certificates(self) -> None:
        file = str(self.certificates.server.client_cafile)
        one = Path(self.certificates.first.certfile).read_bytes()
        for content in (
            b"",
            b"nonsense",
            b"\xff",
            Path(self.certificates.first.keyfile).read_bytes(),
            b"-----BEGIN CERTIFICATE-----\nx\n",
            one + one[:100],
        ):
            Path(file).write_bytes(content)
            self.assertEqual(
                self.fault(), f"webtalk.tls.client-cafile: {file} has no certificate"
            )


class DoorTests(ListenerTestCase):
    """Through the listener, with a client that knows nothing of chatmux."""

    async def test_every_kind_of_door_asks_for_them(self) -> None:
        certificates = Certificates(Path(self.mktemp()))
        for make in line_door, framed_door, websocket_door:
            listener = await self.listen(make(self.sessions, tls=certificates.server))
            where = listener.host_and_port
            assert where is not None

            def talk(own: TLSFiles | None, where: tuple[str, int] = where) -> bytes:
                context = client_context(certificates.server, own)
                with (
                    socket.create_connection(where) as plain,
                    context.wrap_socket(plain, server_hostname=where[0]) as client,
                ):
                    # An opening that lines wait for the end of, a bad length, a bad
                    # handshake.
                    client.sendall(b"no thing!quit\n\r\n\r\n")
                    return client.recv(1000)

            self.sessions.steps[b"quit"] = lambda connection: connection.send(b"bye\n")
            heard = await deferToThread(talk, certificates.client)
            self.assertNotEqual(heard, b"")
            before = len(self.sessions)
            for own in certificates.strangers:
                # The kernel's reset may come before the alert is read.
                with self.assertRaises(OSError):
                    await deferToThread(talk, own)
            self.assertEqual(len(self.sessions), before)
