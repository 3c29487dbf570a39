# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Certificates for listeners."""

from __future__ import annotations

from OpenSSL import SSL, crypto
from twisted.internet.ssl import CertificateOptions, TLSVersion

from chatmux.errors import ConfigError
from chatmux.settings import TLSFiles


def tls_context(files: TLSFiles, path: str) -> CertificateOptions:
    """Make a server's TLS context: TLS 1.2 or later, the chain of the file sent.

    Args:
        files: Key and certificate.
        path: Of their section, for errors.

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
    marker = b"-----BEGIN CERTIFICATE-----"
    try:
        certificates = [
            crypto.load_certificate(crypto.FILETYPE_PEM, marker + part)
            for part in chain.split(marker)[1:]
        ]
        options = CertificateOptions(
            privateKey=private,
            certificate=certificates[0],
            extraCertChain=certificates[1:],
            raiseMinimumTo=TLSVersion.TLSv1_2,
        )
        options.getContext().check_privatekey()
    except (crypto.Error, SSL.Error, ValueError, IndexError):
        raise ConfigError(
            f"{path}.certfile", f"{files.certfile} has no certificate for the key"
        ) from None
    return options


def _pem(file: str, path: str) -> bytes:
    try:
        with open(file, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise ConfigError(path, f"{file}: {error.strerror}") from None
