# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Certificates for listeners."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL, crypto
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    TLSVersion,
    trustRootFromCertificates,
)

from chatmux.errors import ConfigError
from chatmux.settings import TLSFiles


def tls_context(files: TLSFiles, path: str) -> CertificateOptions:
    """Make a server's TLS context: TLS 1.2 or later, the chain of the file sent.

    Args:
        files: Key and certificate, and those of who signs the clients' certificates.
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
        options.getContext().check_privatekey()
    except (crypto.Error, SSL.Error, ValueError, IndexError):
        raise ConfigError(
            f"{path}.certfile", f"{files.certfile} has no certificate for the key"
        ) from None
    return options


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
