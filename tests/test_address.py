# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

from ipaddress import IPv6Address

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatmux.address import host_and_port, is_local, is_loopback, network_of


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
            "haproxy:tcp:80:interface=127.0.0.1",
            "systemd:domain=INET:index=0",
        ):
            self.assertFalse(is_local(address), address)

    def test_what_stands_for_a_peer(self) -> None:
        for host, expected in (
            ("192.0.2.1", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::/64"),
            ("2001:db8::ffff:ffff:ffff:ffff", "2001:db8::/64"),
            ("2001:DB8:0:0:9::", "2001:db8::/64"),
            ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
            ("fe80::1%eth0", "fe80::/64"),
            ("::1", "::/64"),
            # One of IPv4, at an address that listens to both: each is somebody else.
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("::ffff:c000:0202", "192.0.2.2"),
            ("local", "local"),
            ("host.example", "host.example"),
            ("no:address", "no:address"),
            ("", ""),
        ):
            self.assertEqual(network_of(host), expected, host)

    @given(st.ip_addresses(v=6), st.ip_addresses(v=6))
    def test_two_of_one_network_of_ipv6_are_one_peer(
        self, one: IPv6Address, other: IPv6Address
    ) -> None:
        if one.ipv4_mapped is None and other.ipv4_mapped is None:
            same = int(one) >> 64 == int(other) >> 64
            self.assertEqual(network_of(str(one)) == network_of(str(other)), same)
        neighbour = IPv6Address(int(one) >> 64 << 64 | int(other) % (1 << 64))
        if one.ipv4_mapped is None and neighbour.ipv4_mapped is None:
            self.assertEqual(network_of(str(one)), network_of(str(neighbour)))

    @given(st.text())
    def test_any_text_stands_for_something(self, host: str) -> None:
        network_of(host)
        is_loopback(host)

    def test_hosts_that_are_this_machine(self) -> None:
        for host in (
            "localhost",
            "127.0.0.1",
            "127.255.0.9",
            "::1",
            "0:0:0:0:0:0:0:1",
            "::ffff:127.0.0.1",
        ):
            self.assertTrue(is_loopback(host), host)
        for host in (
            "",
            "local",
            "0.0.0.0",
            "::",
            "128.0.0.1",
            "::2",
            "::ffff:192.0.2.1",
            "127.0.0.1.example",
            "127.1",
        ):
            self.assertFalse(is_loopback(host), host)
