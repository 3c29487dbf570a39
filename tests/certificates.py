# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Keys and certificates for tests."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chatmux.settings import TLSFiles


def make_files(
    directory: Path, *, key_of_another: bool = False, password: bytes | None = None
) -> TLSFiles:
    """Write a key and a certificate for 127.0.0.1 that it has signed itself."""
    directory.mkdir(parents=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    if key_of_another:
        key = ec.generate_private_key(ec.SECP256R1())
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        encryption = serialization.BestAvailableEncryption(password)
    files = TLSFiles(keyfile=str(directory / "key"), certfile=str(directory / "cert"))
    Path(files.keyfile).write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
        )
    )
    Path(files.certfile).write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
    )
    return files


def client_context(files: TLSFiles) -> ssl.SSLContext:
    """Return a client's context that trusts the certificate and nothing else."""
    return ssl.create_default_context(cafile=files.certfile)
