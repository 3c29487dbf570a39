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
    directory: Path,
    *,
    key_of_another: bool = False,
    password: bytes | None = None,
    signer: TLSFiles | None = None,
    name: str = "test",
    authority: bool = False,
) -> TLSFiles:
    """Write a key and a certificate for 127.0.0.1.

    Args:
        directory: Where to; it is made.
        key_of_another: Write a key that the certificate is not for.
        password: Of the key.
        signer: An authority; left out: the certificate is signed with its own key.
        name: Of the certificate's subject.
        authority: Whether the certificate may sign others.
    """
    directory.mkdir(parents=True)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = issuer = _name(name)
    signing: ec.EllipticCurvePrivateKey = key
    if signer is not None:
        loaded = serialization.load_pem_private_key(_read(signer.keyfile), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        signing = loaded
        issuer = x509.load_pem_x509_certificate(_read(signer.certfile)).subject
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]),
            critical=False,
        )
        .sign(signing, hashes.SHA256())
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


def client_context(files: TLSFiles, own: TLSFiles | None = None) -> ssl.SSLContext:
    """Return a client's context that trusts the certificate and nothing else.

    Args:
        files: The server's.
        own: What the client shows itself with.
    """
    context = ssl.create_default_context(cafile=files.certfile)
    if own is not None:
        context.load_cert_chain(own.certfile, own.keyfile)
    return context


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _read(file: str) -> bytes:
    return Path(file).read_bytes()
