# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Addresses as the configuration has them. Pure functions on strings."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

ENDPOINT_KINDS = frozenset(("tcp", "tcp4", "tcp6", "ssl", "unix", "systemd", "haproxy"))
"""First words of Twisted endpoint descriptions, which are no names of hosts."""

_HOST_PORT = re.compile(r"(\[[^]]*\]|[^:\[\]/]*):([0-9]{1,5})")


def host_and_port(address: str) -> tuple[str, int] | None:
    """Split ``host:port`` and ``[host]:port``; None for any other address.

    The host may be empty, which is every interface, as in Go.
    """
    match = _HOST_PORT.fullmatch(address)
    if match is None or match[1] in ENDPOINT_KINDS or int(match[2]) > 65535:
        return None
    return match[1].strip("[]"), int(match[2])


def is_local(address: str) -> bool:
    """Say whether nobody on another machine can reach an address directly."""
    split = host_and_port(address)
    if split is not None:
        return is_loopback(split[0])
    kind = address.partition(":")[0]
    if kind == "haproxy":
        # Whoever comes is somewhere behind the proxy.
        return False
    if kind == "unix":
        return True
    interface = re.search(r":interface=([^:\\]*(?:\\:[^:\\]*)*)", address)
    return interface is not None and is_loopback(interface[1].replace("\\:", ":"))


def behind_proxy(address: str) -> str | None:
    """Return where a proxy reaches a door that it speaks the PROXY protocol to.

    None for an address that is no ``haproxy:``.
    """
    kind, _, rest = address.partition(":")
    return rest if kind == "haproxy" else None


def network_of(host: str) -> str:
    """Return what stands for all addresses that one peer may have.

    Of IPv6 that is a network of 64 bits: whoever has one address has all of it.
    """
    address = ip_of(host)
    if isinstance(address, IPv6Address):
        return f"{IPv6Address(int(address) >> 64 << 64)}/64"
    return host if address is None else str(address)


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine, by whatever name."""
    if host == "localhost":
        return True
    address = ip_of(host)
    return address is not None and address.is_loopback


def ip_of(host: str) -> IPv4Address | IPv6Address | None:
    """Read an address; None for what is none. One of IPv4 is itself, also where it came
    in by IPv6."""
    try:
        address = ip_address(host)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        # Without its scope (%eth0), which may be anything, and tells nobody apart.
        return address.ipv4_mapped or IPv6Address(int(address))
    return address
