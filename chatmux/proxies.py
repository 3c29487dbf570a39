# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Whose word counts for where a client is: proxies that the operator trusts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network

from chatmux.address import ip_of
from chatmux.errors import ConfigError

FORWARDED = "x-forwarded-for"
"""The header that a proxy over HTTP says it in."""
MOST_HOPS = 20
"""How many proxies behind each other are looked at."""
UNIX = "local"
"""Stands for whoever comes by a Unix socket, as host of a peer and in the list."""


class Proxies:
    """Those whose ``X-Forwarded-For`` and PROXY headers are believed.

    Args:
        trusted: Addresses, networks (``10.0.0.0/8``) and ``local`` for Unix sockets.

    Raises:
        ConfigError: One is none of these.
    """

    def __init__(self, trusted: Sequence[str] = ()) -> None:
        self._unix = UNIX in trusted
        self._networks: list[IPv4Network | IPv6Network] = []
        for index, one in enumerate(trusted):
            if one == UNIX:
                continue
            try:
                self._networks.append(_network(one))
            except ValueError as error:
                raise ConfigError(f"trusted-proxies[{index}]", str(error)) from None

    def __bool__(self) -> bool:
        return self._unix or bool(self._networks)

    def trust(self, host: str) -> bool:
        """Say whether a peer's word counts."""
        if host == UNIX:
            return self._unix
        address = ip_of(host) if self._networks else None
        return address is not None and any(address in one for one in self._networks)

    def client_of(self, peer: str, forwarded: str | None) -> str:
        """Return the address of the client that a peer speaks for.

        Each proxy has put the address that it saw behind what it was told, so the last
        one counts that is not a trusted proxy's: what stands before it, anybody may
        have written.

        Args:
            peer: Who has sent the request.
            forwarded: Its header ``X-Forwarded-For``.
        """
        client = peer
        hops = [] if forwarded is None else forwarded.rsplit(",", MOST_HOPS)
        del hops[:-MOST_HOPS]
        while hops and self.trust(client):
            address = ip_of(_without_port(hops.pop().strip()))
            if address is None:
                break
            client = str(address)
        return client


def _network(text: str) -> IPv4Network | IPv6Network:
    """Read a network; one of IPv4 is itself, also as it is written in IPv6."""
    network = ip_network(text)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < 96:
        return network
    return IPv4Network((mapped, network.prefixlen - 96))


def _without_port(hop: str) -> str:
    """Return the address of ``192.0.2.1:80`` and ``[2001:db8::1]:80``."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
