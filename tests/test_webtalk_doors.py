# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""webtalk's doors: what the configuration may say, and who is refused at them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatmux.door import FramedDoor, WebSocketDoor
from chatmux.errors import ConfigError
from chatmux.protocols.webtalk import (
    Section,
    bridge_fault,
    doors,
    refuse,
    the_only_one,
)
from chatmux.protocols.webtalk.control import ControlSession
from chatmux.protocols.webtalk.login import LoginSession
from chatmux.settings import Secret, TLSFiles
from tests.doubles import MemoryConnection, services
from tests.webtalk_doubles import numbered, split_numbered

FILES = TLSFiles(keyfile="k", certfile="c")
WITH_CLIENTS = TLSFiles(keyfile="k", certfile="c", client_cafile="a")


def open_doors(**settings: Any) -> tuple[FramedDoor, WebSocketDoor]:
    private, public = doors(Section(**settings), services())
    assert isinstance(private, FramedDoor)
    assert isinstance(public, WebSocketDoor)
    return private, public


class DoorTests(SynchronousTestCase):
    def test_the_back_end_and_the_browsers_talk_to_one_hub(self) -> None:
        private, public = open_doors(
            secret=Secret("s3cret"), strict=True, queue_messages=1
        )
        backend, browser = MemoryConnection(numbered), MemoryConnection()
        control = private.new_session(backend)
        self.assertIsInstance(control, ControlSession)
        self.assertFalse(backend.is_opened)
        for frame in b"[auth] s3cret", b"[newuser]", b"[whisper] 1!a", b"[whisper] 1!b":
            control.received(frame, True)
        _, user, *answers = split_numbered(backend.take())
        self.assertEqual(answers[0], b"[ok] message sent")
        self.assertEqual(answers[1], b"[error] User 1: too much is waiting already")
        login = public.new_session(browser)
        self.assertIsInstance(login, LoginSession)
        login.received(user.removeprefix(b"[ok] "), False)
        self.assertEqual(browser.take(), b"a")
        control.received(b"[killuser] 2", True)
        self.assertEqual(split_numbered(backend.take()), [b"[error] Unknown User: 2"])

    def test_a_unix_socket_is_the_servers_own_unless_it_is_said_otherwise(self) -> None:
        for address, expected in (
            ("unix:/run/x", "unix:/run/x:mode=600"),
            ("unix:/run/x:mode=660", "unix:/run/x:mode=660"),
            ("127.0.0.1:1", "127.0.0.1:1"),
        ):
            self.assertEqual(open_doors(private=address)[0].address, expected)

    def test_before_the_opening_little_is_taken(self) -> None:
        private, public = open_doors()
        self.assertEqual(private.opening_bytes, 16 * 1024)
        self.assertEqual(private.message_bytes, 99_999)
        self.assertEqual(public.opening_bytes, 1024)

    def test_the_doors_are_where_the_original_has_them(self) -> None:
        private, public = open_doors()
        self.assertEqual(private.address, "127.0.0.1:12344")
        self.assertEqual(public.address, "127.0.0.1:12345")
        self.assertEqual(public.path, "/webtalk")
        self.assertEqual(public.origins, ("*",))

    def test_tls_is_of_its_own_door(self) -> None:
        private, public = open_doors(private_tls=WITH_CLIENTS, wss=FILES)
        self.assertEqual((private.tls, public.tls), (WITH_CLIENTS, FILES))
        self.assertEqual(private.tls_key, "webtalk.private-tls")
        self.assertEqual(public.tls_key, "webtalk.wss")


class CheckTests(SynchronousTestCase):
    def fault(self, settings: Mapping[str, Any]) -> str:
        return str(self.assertRaises(ConfigError, open_doors, **settings))

    def test_a_port_that_others_can_reach_needs_a_guard(self) -> None:
        for address in "0.0.0.0:1", ":1", "[::]:1", "192.0.2.1:1", "tcp:1":
            for more in {}, {"private_tls": FILES}:
                fault = self.fault({"private": address, **more})
                self.assertTrue(fault.startswith("webtalk.private: "), fault)
                self.assertIn(address, fault)
                self.assertIn('"client-cafile"', fault)

    def test_each_of_three_is_one(self) -> None:
        for guard in (
            {"secret": Secret("s3cret")},
            {"private_tls": WITH_CLIENTS},
            {"open": True},
        ):
            open_doors(private="0.0.0.0:1", **guard)

    def test_a_port_of_this_machine_needs_none(self) -> None:
        for address in "127.0.0.1:1", "[::1]:1", "localhost:1", "unix:/tmp/x":
            open_doors(private=address)

    def test_the_sender_has_to_be_a_name(self) -> None:
        for sender in "", "  ", "a:b", "a\nb", "x" * 256:
            fault = self.fault({"sender": sender})
            self.assertTrue(fault.startswith("webtalk.sender: must not "), fault)
        open_doors(sender="the site")


class BridgeFaultTests(SynchronousTestCase):
    def test_one_channel_by_its_id_can_be_in_a_bridge(self) -> None:
        for name in "webtalk/1", "webtalk/0", "webtalk/18446744073709551615":
            self.assertIsNone(bridge_fault([name]))
        self.assertIsNone(bridge_fault([]))

    def test_all_else_is_none(self) -> None:
        for name in (
            "webtalk",
            "webtalk/",
            "webtalk/a",
            "webtalk/01",
            "webtalk/+1",
            "webtalk/1 ",
            "webtalk/١",
            "webtalk/1/1",
            "webtalk/18446744073709551616",
            "webtalk-whispers/1",
            "Webtalk/1",
        ):
            fault = bridge_fault([name])
            assert fault is not None
            self.assertTrue(fault.startswith(f"{name} is no channel of webtalk"))

    def test_two_are_heard_twice(self) -> None:
        fault = bridge_fault(["webtalk/1", "webtalk/2"])
        assert fault is not None
        self.assertIn("would hear all twice", fault)


class HandshakeTests(SynchronousTestCase):
    def test_a_subprotocol_is_repeated_if_one_alone_is_asked_for(self) -> None:
        for offered, chosen in (
            ([], None),
            (["chat"], "chat"),
            (["a", "b"], None),
        ):
            self.assertEqual(the_only_one(offered), chosen)

    def test_handshakes_are_refused_as_the_original_refuses_them(self) -> None:
        self.assertEqual(refuse(400, "whatever").body, b"not websocket protocol")
        self.assertEqual(refuse(400, "whatever").headers, ())
        self.assertEqual((refuse(403, "").status, refuse(403, "").body), (403, b""))
        self.assertEqual(refuse(404, "").body, b"404 page not found\n")
        for status in 405, 426:
            self.assertEqual(refuse(status, "").status, 400)
