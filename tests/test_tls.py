# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""TLS: nothing leaves in the clear, old versions and unfit files are refused."""

from __future__ import annotations

import contextlib
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet.testing import MemoryReactorClock
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase
from websockets.sync.client import connect

from chatmux.errors import ConfigError
from chatmux.protocols import multichat
from chatmux.settings import Limits, Secret, TLSFiles
from chatmux.transports.guard import Guard
from chatmux.transports.lines import LineFactory
from chatmux.transports.tls import TLSFactory, tls_context
from chatmux.transports.websocket_factory import WebSocketFactory
from tests.certificates import client_context, make_files
from tests.doubles import services
from tests.test_listener import ListenerTestCase
from tests.transport_doubles import Sessions, Wire, line_door
from tests.websocket_doubles import (
    ACCEPTED,
    CLOSE,
    HANDSHAKE,
    TEXT,
    Frame,
    close_frame,
    frames,
    masked,
    websocket_door,
)

_LOAD = """
import sys
from chatmux.errors import ConfigError
from chatmux.settings import TLSFiles
from chatmux.transports.tls import tls_context
try:
    tls_context(TLSFiles(keyfile=sys.argv[1], certfile=sys.argv[2]), "multichat.wss")
except ConfigError as error:
    print(error)
"""
SECRET = b"the words that nobody else may read"


class TLSCaller:
    """A TLS client on a `Wire`, which sees the bytes that pass."""

    def __init__(self, wire: Wire, context: ssl.SSLContext) -> None:
        self.wire = wire
        self.raw = b""
        """All that the server has sent, as it was on the wire."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname="127.0.0.1"
        )

    def shake_hands(self) -> None:
        for _ in range(20):
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._pass_on()
            else:
                self._pass_on()
                return
        raise AssertionError("the handshake does not end")

    def say(self, data: bytes) -> None:
        self._tls.write(data)
        self._pass_on()

    def say_unheard(self, data: bytes, *, last: bool = False) -> None:
        """Say something and read nothing, not even what is there."""
        self._tls.write(data)
        if last:
            # It would not be the last if the server's part were read.
            with contextlib.suppress(ssl.SSLError):
                self._tls.unwrap()
        self.wire.say(self._outgoing.read())

    def end(self) -> None:
        """Take part in the end of TLS."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.unwrap()
        self._pass_on()

    def encrypted(self, data: bytes) -> bytes:
        """Return what `say` would pass on."""
        if data:
            self._tls.write(data)
        return self._outgoing.read()

    @property
    def ended(self) -> bool:
        """Whether the server has said that this is its end, as TLS wants it."""
        try:
            return self._tls.read(1) == b""
        except ssl.SSLZeroReturnError:
            return True
        except ssl.SSLWantReadError:
            return False

    def hear(self) -> bytes:
        self._pass_on()
        heard = b""
        while True:
            try:
                part = self._tls.read(1 << 16)
            except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
                return heard
            if not part:
                return heard
            heard += part

    def is_told_the_end(self) -> bool:
        """Whether the server has ended TLS, behind all that was heard."""
        try:
            return not self._tls.read(1)
        except ssl.SSLZeroReturnError:
            return True
        except ssl.SSLWantReadError:
            return False

    def _pass_on(self) -> None:
        self.wire.say(self._outgoing.read())
        self.wire.turn()
        raw = self.wire.hear_all()
        self.raw += raw
        self._incoming.write(raw)


class TLSTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.guard = Guard(self.reactor, Limits())
        self.sessions = Sessions()
        self.files = make_files(Path(self.mktemp()))

    def connect(self, factory: Any) -> TLSCaller:
        context: Any = tls_context(self.files, "test")
        tls: Any = TLSFactory(context, False, factory, self.reactor)
        wire = Wire(tls.buildProtocol(None), self.reactor)
        self.addCleanup(wire.close)
        return TLSCaller(wire, client_context(self.files))

    def lines(self) -> TLSCaller:
        caller = self.connect(LineFactory(self.guard, line_door(self.sessions)))
        caller.shake_hands()
        caller.say(b"ann!")
        return caller

    def websocket(self) -> TLSCaller:
        door = websocket_door(self.sessions)
        caller = self.connect(WebSocketFactory(self.guard, [door]))
        caller.shake_hands()
        caller.say(HANDSHAKE + b"\r\n")
        self.assertEqual(caller.hear(), ACCEPTED)
        self.sessions[-1].connection.opened()
        return caller


class BytesTests(TLSTestCase):
    """What passes on the socket, which a connection could write to directly."""

    def test_lines_do_not_pass_in_the_clear(self) -> None:
        caller = self.lines()
        for _ in range(3):
            self.sessions[0].connection.send(SECRET + b"\n")
        self.assertEqual(caller.hear(), (SECRET + b"\n") * 3)
        self.assertNotIn(SECRET, caller.raw)

    def test_messages_do_not_pass_in_the_clear(self) -> None:
        caller = self.websocket()
        for _ in range(3):
            self.sessions[0].connection.send(SECRET)
        self.assertEqual(list(frames(caller.hear())), [Frame(TEXT, SECRET)] * 3)
        self.assertNotIn(SECRET, caller.raw)

    def test_nor_do_those_that_the_kernel_did_not_take_at_once(self) -> None:
        caller = self.lines()
        much = SECRET * 30_000
        self.sessions[0].connection.send(much)
        self.reactor.advance(0)
        self.assertGreater(self.sessions[0].connection.unsent(), 0)  # type: ignore[attr-defined]
        self.sessions[0].connection.send(SECRET)
        heard = b""
        while len(heard) < len(much) + len(SECRET):
            part = caller.hear()
            self.assertNotEqual(part, b"")
            heard += part
        self.assertEqual(heard, much + SECRET)
        self.assertNotIn(SECRET, caller.raw)


class EndTests(TLSTestCase):
    """A peer that takes no part in the end of TLS does not keep the connection."""

    def pass_time(self, caller: TLSCaller, seconds: int) -> None:
        for _ in range(seconds):
            self.reactor.advance(1)
            caller.wire.turn()

    def test_after_a_refusal_of_lines(self) -> None:
        caller = self.lines()
        caller.say(b"x" * 1000)
        self.assertEqual(caller.hear(), b"error: too long\n")
        self.pass_time(caller, 30)
        self.assertFalse(caller.wire.transport.connected)

    def test_after_a_refused_handshake(self) -> None:
        door = websocket_door(self.sessions)
        caller = self.connect(WebSocketFactory(self.guard, [door]))
        caller.shake_hands()
        caller.say(b"GET / HTTP/1.1\r\n\r\n")
        self.assertEqual(caller.hear()[:13], b"HTTP/1.1 400 ")
        self.pass_time(caller, 30)
        self.assertFalse(caller.wire.transport.connected)

    def test_after_a_close_of_the_client(self) -> None:
        caller = self.websocket()
        caller.say(masked(CLOSE, b"\x03\xe8"))
        self.assertEqual(list(frames(caller.hear())), [close_frame(1000)])
        self.pass_time(caller, 30)
        self.assertFalse(caller.wire.transport.connected)

    def test_of_whom_nothing_was_heard_over_lines(self) -> None:
        caller = self.connect(LineFactory(self.guard, line_door(self.sessions)))
        self.pass_time(caller, 30)
        self.assertFalse(caller.wire.transport.connected)

    def test_in_the_beginning(self) -> None:
        door = websocket_door(self.sessions)
        caller = self.connect(WebSocketFactory(self.guard, [door]))
        caller.wire.say(b"\x16\x03\x01")
        self.pass_time(caller, 11)
        self.assertFalse(caller.wire.transport.connected)


class VersionTests(TLSTestCase):
    def versions(self, version: ssl.TLSVersion) -> ssl.SSLContext:
        context = client_context(self.files)
        context.set_ciphers("DEFAULT@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = version
        return context

    def shake_hands(self, context: ssl.SSLContext) -> None:
        factory = LineFactory(self.guard, line_door(self.sessions))
        wire = self.connect(factory).wire
        TLSCaller(wire, context).shake_hands()

    def test_tls_1_1_is_refused(self) -> None:
        context = self.versions(ssl.TLSVersion.TLSv1_1)
        with self.assertRaises(ssl.SSLError) as caught:
            self.shake_hands(context)
        # The server's alert; not the client's own refusal to speak so old a version.
        self.assertIn("ALERT", caught.exception.reason or "")

    def test_tls_1_1_is_refused_whatever_the_library_thinks_of_it(self) -> None:
        context = tls_context(self.files, "test").getContext()
        options = context.set_options(0)
        for option in SSL.OP_NO_SSLv3, SSL.OP_NO_TLSv1, SSL.OP_NO_TLSv1_1:
            self.assertTrue(options & option)

    def test_tls_1_2_and_later_are_not(self) -> None:
        for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
            self.shake_hands(self.versions(version))


class FileTests(SynchronousTestCase):
    def fault(self, files: TLSFiles) -> str:
        with self.assertRaises(ConfigError) as caught:
            tls_context(files, "multichat.wss")
        return str(caught.exception)

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.files = make_files(self.directory)

    def test_a_missing_key(self) -> None:
        Path(self.files.keyfile).unlink()
        self.assertEqual(
            self.fault(self.files),
            f"multichat.wss.keyfile: {self.files.keyfile}: No such file or directory",
        )

    def test_a_missing_certificate(self) -> None:
        Path(self.files.certfile).unlink()
        self.assertEqual(
            self.fault(self.files),
            f"multichat.wss.certfile: {self.files.certfile}: No such file or directory",
        )

    def test_files_in_each_others_place(self) -> None:
        swapped = TLSFiles(keyfile=self.files.certfile, certfile=self.files.keyfile)
        self.assertEqual(
            self.fault(swapped), f"multichat.wss.keyfile: {swapped.keyfile} has no key"
        )

    def test_files_with_nonsense_in_them(self) -> None:
        for content in b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nx\n", b"\xff":
            for name in "keyfile", "certfile":
                files = make_files(self.directory / f"{name}{content!r:.20}")
                Path(getattr(files, name)).write_bytes(content)
                self.assertTrue(
                    self.fault(files).startswith(f"multichat.wss.{name}: "), content
                )

    def test_a_certificate_that_does_not_fit_the_key(self) -> None:
        files = make_files(self.directory / "other", key_of_another=True)
        self.assertEqual(
            self.fault(files),
            f"multichat.wss.certfile: {files.certfile} has no certificate for the key",
        )

    def test_a_key_with_a_password_is_refused_and_not_asked_for_it(self) -> None:
        """In a process of its own, as a prompt would be shown on the terminal."""
        files = make_files(self.directory / "locked", password=b"password")
        process = subprocess.run(
            [sys.executable, "-c", _LOAD, files.keyfile, files.certfile],
            input=b"password\n" * 2,
            capture_output=True,
            start_new_session=True,
            check=False,
        )
        self.assertEqual(process.stderr, b"")
        self.assertEqual(
            process.stdout.decode(),
            f"multichat.wss.keyfile: {files.keyfile} has no key\n",
        )


class RealTests(ListenerTestCase):
    """Through the listener, with clients that know nothing of chatmux."""

    def setUp(self) -> None:
        super().setUp()
        self.files = make_files(Path(self.mktemp()))
        self.sessions.steps[b"hello"] = lambda connection: connection.send(SECRET)

    async def test_wss(self) -> None:
        listener = await self.listen(websocket_door(self.sessions, tls=self.files))
        assert listener.host_and_port is not None
        port = listener.host_and_port[1]

        def talk() -> tuple[str | bytes, int | None]:
            context = client_context(self.files)
            uri = f"wss://127.0.0.1:{port}/"
            with connect(uri, ssl=context, proxy=None) as client:
                client.send("hello")
                heard = client.recv()
            return heard, client.close_code

        heard, code = await deferToThread(talk)
        self.assertEqual(heard, SECRET.decode())
        self.assertEqual(code, 1000)

    async def test_plain_http_on_it_is_no_way_in(self) -> None:
        listener = await self.listen(websocket_door(self.sessions, tls=self.files))
        caller = await self.call(listener)
        caller.say(HANDSHAKE + b"\r\n")
        await caller.lost
        self.assertNotIn(b"101", caller.heard)
        self.assertEqual(self.sessions, [])

    async def test_an_error_names_the_key_of_the_configuration(self) -> None:
        files = make_files(Path(self.mktemp()), key_of_another=True)
        section = multichat.Section(
            host="127.0.0.1:0", secret_key=Secret("s3cret"), wss=files
        )
        said = await self.assert_fails(list(multichat.doors(section, services())))
        self.assertTrue(said.startswith("multichat.wss.certfile: "), said)
        Path(files.keyfile).unlink()
        said = await self.assert_fails(list(multichat.doors(section, services())))
        self.assertTrue(said.startswith("multichat.wss.keyfile: "), said)
