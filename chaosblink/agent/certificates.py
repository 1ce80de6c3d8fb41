"""A CA for one cluster's agents: a certificate for all of them, one for the runs; neither does for the other."""

from __future__ import annotations

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from chaosblink.agent.client import SERVER_NAME
from chaosblink.targets.local.certificates import builder, private_pem

LIFETIME = datetime.timedelta(days=90)
"""`chaosblink allow` renews them; chaos that nobody has allowed for a quarter is no longer allowed."""
Files = dict[str, bytes]


def issue() -> tuple[Files, Files]:
    """`ca.crt`, `tls.crt`, `tls.key` of the agents and of the runs; the CA's key is forgotten with this call."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "BlinkChaos agents")])
    ca = (
        builder(name, name, key, LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    agents = _leaf(ca, key, SERVER_NAME, ExtendedKeyUsageOID.SERVER_AUTH)
    return agents, _leaf(ca, key, "chaosblink-run", ExtendedKeyUsageOID.CLIENT_AUTH)


def _leaf(ca: x509.Certificate, signer: ec.EllipticCurvePrivateKey, name: str, usage: x509.ObjectIdentifier) -> Files:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        builder(subject, ca.subject, key, LIFETIME)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )
    return {
        "ca.crt": ca.public_bytes(serialization.Encoding.PEM),
        "tls.crt": certificate.public_bytes(serialization.Encoding.PEM),
        "tls.key": private_pem(key),
    }
