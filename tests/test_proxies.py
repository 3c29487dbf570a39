# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""For whom a proxy speaks, and which ones are believed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatmux.errors import ConfigError
from chatmux.proxies import Proxies

PROXY = "10.0.0.1"
CLIENT = "192.0.2.9"


class TrustTests(SynchronousTestCase):
    def test_nobody_is_trusted_unless_configured(self) -> None:
        proxies = Proxies()
        self.assertFalse(proxies)
        for host in PROXY, "127.0.0.1", "::1", "local":
            self.assertFalse(proxies.trust(host))

    def test_addresses_and_networks(self) -> None:
        proxies = Proxies(["10.0.0.0/8", "2001:db8:1::/48", "198.51.100.7"])
        self.assertTrue(proxies)
        for host in "10.255.0.1", "2001:db8:1:2::3", "198.51.100.7":
            self.assertTrue(proxies.trust(host), host)
        for host in "11.0.0.1", "2001:db8:2::1", "198.51.100.8", "local", "", "nobody":
            self.assertFalse(proxies.trust(host), host)

    def test_unix_sockets(self) -> None:
        proxies = Proxies(["local"])
        self.assertTrue(proxies)
        self.assertTrue(proxies.trust("local"))
        self.assertFalse(proxies.trust("127.0.0.1"))

    def test_ipv4_is_itself_also_where_it_comes_in_by_ipv6(self) -> None:
        self.assertTrue(Proxies(["10.0.0.0/8"]).trust("::ffff:10.1.2.3"))
        for written in "::ffff:10.0.0.0/104", "::ffff:10.1.2.3":
            for host in "10.1.2.3", "::ffff:10.1.2.3":
                self.assertTrue(Proxies([written]).trust(host), (written, host))
        self.assertTrue(Proxies(["::/0"]).trust("2001:db8::1"))

    def test_a_scope_tells_nobody_apart(self) -> None:
        self.assertTrue(Proxies(["fe80::1"]).trust("fe80::1%eth0"))

    def test_what_is_no_network_is_an_error_that_names_its_place(self) -> None:
        for wrong in "nonsense", "10.0.0.1/8", "10.0.0.0/33", "", "localhost", "::1%":
            with self.assertRaises(ConfigError) as raised:
                Proxies(["10.0.0.1", "local", wrong])
            self.assertTrue(str(raised.exception).startswith("trusted-proxies[2]: "))


class ClientTests(SynchronousTestCase):
    def client(self, forwarded: str | None, peer: str = PROXY) -> str:
        return Proxies(["10.0.0.0/8", "2001:db8:1::/48"]).client_of(peer, forwarded)

    def test_the_proxys_word_counts(self) -> None:
        self.assertEqual(self.client(CLIENT), CLIENT)
        self.assertEqual(self.client(f" {CLIENT}\t"), CLIENT)

    def test_without_a_word_it_is_the_proxy_itself(self) -> None:
        self.assertEqual(self.client(None), PROXY)

    def test_a_strangers_word_does_not(self) -> None:
        for forwarded in CLIENT, "127.0.0.1", PROXY, "local":
            self.assertEqual(self.client(forwarded, "198.51.100.1"), "198.51.100.1")

    def test_unless_a_proxy_is_configured_nobodys_does(self) -> None:
        self.assertEqual(Proxies().client_of("127.0.0.1", CLIENT), "127.0.0.1")

    def test_the_last_that_is_no_trusted_proxy_counts(self) -> None:
        self.assertEqual(self.client(f"198.51.100.66, {CLIENT}"), CLIENT)
        self.assertEqual(self.client(f"127.0.0.1,{CLIENT},10.7.7.7"), CLIENT)
        self.assertEqual(self.client(f"{CLIENT}, 10.7.7.7 , 2001:db8:1::9"), CLIENT)

    def test_where_all_are_trusted_it_is_the_first(self) -> None:
        self.assertEqual(self.client("10.3.3.3, 10.2.2.2"), "10.3.3.3")

    def test_what_is_no_address_ends_it(self) -> None:
        for junk in "unknown", "_hidden", "", " ", "192.0.2", "300.1.1.1", "a b", "::g":
            self.assertEqual(self.client(f"{CLIENT}, {junk}"), PROXY, junk)
            self.assertEqual(self.client(f"{CLIENT}, {junk}, 10.2.2.2"), "10.2.2.2")

    def test_ports_and_brackets(self) -> None:
        for written in "192.0.2.9:4711", "::ffff:192.0.2.9", "[::ffff:c000:209]:1":
            self.assertEqual(self.client(written), CLIENT, written)
        for written in "2001:DB8::1", "[2001:db8::1]", "[2001:db8:0::1]:4711":
            self.assertEqual(self.client(written), "2001:db8::1", written)

    def test_a_scope_is_left_out(self) -> None:
        self.assertEqual(self.client("fe80::1%\x1b[2J evil"), "fe80::1")

    def test_a_unix_socket(self) -> None:
        proxies = Proxies(["local"])
        self.assertEqual(proxies.client_of("local", CLIENT), CLIENT)
        self.assertEqual(proxies.client_of("local", None), "local")
        # Nobody comes from there over the network.
        self.assertEqual(proxies.client_of("local", f"{CLIENT}, local"), "local")

    @given(st.text(st.sampled_from("0123456789abcdef.:,[]% local")), st.booleans())
    def test_it_is_always_an_address(self, forwarded: str, trusted: bool) -> None:
        peer = PROXY if trusted else CLIENT
        client = self.client(forwarded, peer)
        self.assertRegex(client, r"\A[0-9a-f.:]+\Z")
        if not trusted:
            self.assertEqual(client, CLIENT)
