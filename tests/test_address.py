# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatmux.address import host_and_port, is_local


class AddressTests(SynchronousTestCase):
    def test_hosts_and_ports(self) -> None:
        for address, expected in (
            ("127.0.0.1:80", ("127.0.0.1", 80)),
            ("localhost:80", ("localhost", 80)),
            (":80", ("", 80)),
            ("[::1]:0", ("::1", 0)),
            ("0.0.0.0:65535", ("0.0.0.0", 65535)),
        ):
            self.assertEqual(host_and_port(address), expected)

    def test_other_addresses_are_endpoint_descriptions(self) -> None:
        for address in (
            "tcp:80",
            "unix:/run/x",
            "tcp:80:interface=127.0.0.1",
            "systemd:domain=INET:index=0",
            "host:65536",
            "host",
            "::1:80",
            "",
        ):
            self.assertIsNone(host_and_port(address), address)

    def test_local_addresses(self) -> None:
        for address in (
            "127.0.0.1:80",
            "127.8.9.1:80",
            "localhost:80",
            "[::1]:80",
            "unix:/run/x",
            "tcp:80:interface=127.0.0.1",
            "tcp:interface=localhost:port=80",
            r"tcp6:80:interface=\:\:1",
            "haproxy:tcp:80:interface=127.0.0.1",
        ):
            self.assertTrue(is_local(address), address)

    def test_public_addresses(self) -> None:
        for address in (
            ":80",
            "0.0.0.0:80",
            "[::]:80",
            "example.org:80",
            "10.0.0.1:80",
            "tcp:80",
            "tcp:80:interface=0.0.0.0",
            "ssl:443",
            "haproxy:tcp:80",
            "systemd:domain=INET:index=0",
        ):
            self.assertFalse(is_local(address), address)
