# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Certificates for listeners, and what is mended in Twisted's TLS."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL, crypto
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    TLSVersion,
    trustRootFromCertificates,
)
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory
from twisted.python.failure import Failure

from chatmux.errors import ConfigError
from chatmux.model import Close
from chatmux.settings import TLSFiles


class TLSTransport(BufferingTLSTransport):
    """Twisted's, freed when the connection is lost. Overrides keep Twisted's names."""

    def _tlsShutdownFinished(self, reason: Failure | None) -> None:
        # Of a peer that goes without ending TLS, as most do, or is at fault. The
        # exception's traceback has the frame that has the Failure: a cycle, with all
        # of the connection in it, that only the collector would free.
        if reason is not None:
            if not self._handshakeDone:
                self._say_why(reason.value)
            reason.cleanFailure()  # type: ignore[no-untyped-call]
        super()._tlsShutdownFinished(reason)  # type: ignore[no-untyped-call]

    def _say_why(self, error: object) -> None:
        """Have it logged who did not come in for what they offer or have not got."""
        connection = getattr(self.wrappedProtocol, "connection", None)
        words = _words_of(error)
        if connection is not None and connection.why is None and words:
            connection.why = Close(1002, f"the TLS handshake failed: {words}")


def _words_of(error: object) -> str:
    """Return OpenSSL's words for an error, none for a peer that is simply gone."""
    if not isinstance(error, SSL.Error) or not error.args:
        return ""
    reasons = error.args[0]
    if not isinstance(reasons, list):
        return ""
    words = [one[-1] for one in reasons if one[-1]]
    return "" if "unexpected eof while reading" in words else ", ".join(words)


class TLSFactory(TLSMemoryBIOFactory):
    """Puts TLS before another factory's protocols."""

    protocol = TLSTransport


def tls_context(
    files: TLSFiles, path: str, *, negotiates: bool = True
) -> CertificateOptions:
    """Make a server's TLS context: TLS 1.2 or later, the chain of the file sent.

    Args:
        files: Key and certificate, and those of who signs the clients' certificates.
        path: Of their section, for errors.
        negotiates: Whether a peer that names protocols (ALPN) has to name one of the
            door's; else what it names does not matter.

    Raises:
        ConfigError: One cannot be read, or they do not belong together.
    """
    key = _pem(files.keyfile, f"{path}.keyfile")
    chain = _pem(files.certfile, f"{path}.certfile")
    try:
        # With an empty password, or OpenSSL would ask for one on the terminal.
        private = crypto.load_privatekey(crypto.FILETYPE_PEM, key, b"")
    except (crypto.Error, ValueError):
        raise ConfigError(f"{path}.keyfile", f"{files.keyfile} has no key") from None
    signers = None
    if files.client_cafile is not None:
        signers = _trust(files.client_cafile, f"{path}.client-cafile")
    try:
        certificates = _certificates(chain)
        options = CertificateOptions(
            privateKey=private,
            certificate=certificates[0],
            extraCertChain=certificates[1:],
            raiseMinimumTo=TLSVersion.TLSv1_2,
            # Anything but None: a certificate is asked for, and nobody comes in
            # without one.
            trustRoot=signers,
        )
        context = options.getContext()
        context.check_privatekey()
        if not negotiates:
            context.set_alpn_select_callback(_any_protocol)
    except (crypto.Error, SSL.Error, ValueError, IndexError):
        raise ConfigError(
            f"{path}.certfile", f"{files.certfile} has no certificate for the key"
        ) from None
    return options


def _any_protocol(connection: object, offered: object) -> Any:
    return SSL.NO_OVERLAPPING_PROTOCOLS


def _trust(file: str, path: str) -> Any:
    """Trust whoever these certificates have signed, and nobody else."""
    try:
        certificates = _certificates(_pem(file, path))
    except (crypto.Error, ValueError):
        certificates = []
    if not certificates:
        raise ConfigError(path, f"{file} has no certificate")
    known = [Certificate(one) for one in certificates]  # type: ignore[no-untyped-call]
    return trustRootFromCertificates(known)  # type: ignore[no-untyped-call]


def _certificates(pem: bytes) -> list[crypto.X509]:
    marker = b"-----BEGIN CERTIFICATE-----"
    return [
        crypto.load_certificate(crypto.FILETYPE_PEM, marker + part)
        for part in pem.split(marker)[1:]
    ]


def _pem(file: str, path: str) -> bytes:
    try:
        with open(file, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise ConfigError(path, f"{file}: {error.strerror}") from None
