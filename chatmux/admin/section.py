# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The section ``admin`` of the configuration."""

from __future__ import annotations

from chatmux.settings import Secret, Settings, TLSFiles


class Section(Settings, frozen=True, kw_only=True):
    """The section ``admin`` of the configuration.

    Attributes:
        address: Where to listen: ``host:port``, or a Twisted endpoint description.
        token: What has to be shown; needed where other machines can reach the address.
        hosts: Names besides the address's own that it is asked for by, as behind a
            proxy.
        tls: Paths of ``keyfile`` and ``certfile`` (PEM); left out: no TLS.
    """

    address: str = "127.0.0.1:8090"
    token: Secret | None = None
    hosts: tuple[str, ...] = ()
    tls: TLSFiles | None = None
