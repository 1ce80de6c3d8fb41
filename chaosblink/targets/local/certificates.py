"""A certificate authority made for one platform, and the certificates of its Vault nodes and its edge."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chaosblink.targets.local.secret_files import write_private

LIFETIME = datetime.timedelta(days=30)
"""Long enough for any run, short enough that nobody comes to rely on a forgotten platform's CA."""


class Authority:
    """Signs server certificates; its key lives only in this object and is gone when the platform stands."""

    def __init__(self, platform: str, lifetime: datetime.timedelta = LIFETIME) -> None:
        self._lifetime = lifetime
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"BlinkChaos CA of {platform}")])
        self._certificate = (
            builder(self._name, self._name, self._key, lifetime)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(sign_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def certificate(self) -> bytes:
        """The CA's own certificate, PEM."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, directory: Path, addresses: list[str], names: list[str]) -> None:
        """Write `ca.crt`, `tls.crt`, `tls.key` and `tls.pem` (certificate and key together, as HAProxy wants them)."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        alternatives = [x509.DNSName(n) for n in names] + [x509.IPAddress(ipaddress.ip_address(a)) for a in addresses]
        certificate = (
            builder(subject, self._name, key, self._lifetime)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(sign_certificates=False), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        secret = private_pem(key)
        (directory / "ca.crt").write_bytes(self.certificate())
        (directory / "tls.crt").write_bytes(pem)
        write_private(directory / "tls.key", secret)
        write_private(directory / "tls.pem", pem + secret)


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The key as servers and clients read it: PKCS #8, not encrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, lifetime: datetime.timedelta
) -> x509.CertificateBuilder:
    """A certificate of `key` for `subject`, valid from an hour ago for `lifetime`; not signed yet."""
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + lifetime)
    )


def _usage(sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )
