"""The certificates by which the nodes and brokers of a cluster know each other, and nobody else.

A cluster has an authority of its own, made with it; its key stays on the machine where that was done. Whoever has a
certificate of it is trusted with everything, so nodes ask everybody for one, and there are no passwords. One
certificate serves a machine in both directions: nodes call each other, and its broker calls any of them.

They hold for twenty years, from a day before they were made: a cluster that stops at night because a certificate ran
out, or because a clock is slow, is worse than one whose certificates are made anew when a machine was stolen.
"""

import ipaddress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from zchat import extras

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

YEARS = timedelta(days=365 * 20)
EARLIER = timedelta(days=1)  # a machine whose clock is slow takes it, too


class Pair(NamedTuple):
    """A certificate and its secret key, as PEM."""

    certificate: bytes
    key: bytes


def authority(cluster: str) -> Pair:
    """Return the authority of a new cluster. Raises MissingExtraError."""
    extras.need("cluster", "cryptography")
    from cryptography import x509  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - an extra

    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"zchat cluster {cluster}")
    made = _dated(x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()))
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    made = made.add_extension(_usage(signs=True), critical=True)
    return _signed(made, key, key)


def issue(authority: Pair, name: str, host: str) -> Pair:
    """Return a certificate for the node `name`, which others reach at `host`. Raises MissingExtraError, ValueError."""
    extras.need("cluster", "cryptography")
    from cryptography import x509  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - an extra
    from cryptography.x509.oid import ExtendedKeyUsageOID  # noqa: PLC0415 - an extra

    signer = serialization.load_pem_private_key(authority.key, None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)  # noqa: S101 - we made it
    issuer = x509.load_pem_x509_certificate(authority.certificate).subject
    key = ec.generate_private_key(ec.SECP256R1())
    made = _dated(x509.CertificateBuilder().subject_name(_name(name)).issuer_name(issuer).public_key(key.public_key()))
    both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    made = made.add_extension(_usage(signs=False), critical=True).add_extension(both, critical=False)
    made = made.add_extension(x509.SubjectAlternativeName([_place(host)]), critical=False)
    return _signed(made, key, signer)


def _name(text: str) -> "x509.Name":
    from cryptography import x509  # noqa: PLC0415 - an extra
    from cryptography.x509.oid import NameOID  # noqa: PLC0415 - an extra

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _place(host: str) -> "x509.GeneralName":
    from cryptography import x509  # noqa: PLC0415 - an extra

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(*, signs: bool) -> "x509.KeyUsage":
    """Return what a key may be used for: an authority's to sign certificates, a node's to shake hands."""
    from cryptography import x509  # noqa: PLC0415 - an extra

    never = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False)
    only = {"encipher_only": False, "decipher_only": False}
    return x509.KeyUsage(digital_signature=not signs, key_cert_sign=signs, crl_sign=signs, **never, **only)


def _dated(made: "x509.CertificateBuilder") -> "x509.CertificateBuilder":
    from cryptography import x509  # noqa: PLC0415 - an extra

    now = datetime.now(UTC)
    made = made.serial_number(x509.random_serial_number())
    return made.not_valid_before(now - EARLIER).not_valid_after(now + YEARS)


def _signed(
    made: "x509.CertificateBuilder", key: "ec.EllipticCurvePrivateKey", signer: "ec.EllipticCurvePrivateKey"
) -> Pair:
    from cryptography import x509  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415 - an extra

    known = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    by = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    made = made.add_extension(known, critical=False).add_extension(by, critical=False)
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Pair(made.sign(signer, hashes.SHA256()).public_bytes(pem), secret)
