"""Certificates of a deployment: its CA, and a certificate for each service that serves TLS."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from services.operator.deployment.secrets_folder import SecretsFolder
from services.operator.stack.errors import StackError

CERTIFICATE_DAYS = 825
_CA_DAYS = 3650
_CA_KEY_MODE = 0o400
_RENEWED_BEFORE = timedelta(days=30)
_CLOCK_SKEW = timedelta(hours=1)  # of another machine's clock behind ours


def make_certificates(
    files: SecretsFolder, servers: Sequence[str], renew: Sequence[str], *, days: int, now: datetime
) -> None:
    """Make the CA, and each server's certificate if it is missing, named in `renew`, about to expire, or not valid yet.

    One that is not valid yet was made by a clock that was ahead: nobody would trust it.
    """
    ca, ca_key = _make_ca(files, now, renew="tls/ca" in renew)
    for name in servers:
        path = files.path / f"tls/{name}.crt"
        names = [f"tls/{name}.crt", f"tls/{name}.key"]
        if f"tls/{name}" not in renew and _is_good(path, ca, now):
            files.kept += names
            continue
        if ca_key is None:
            raise StackError(f"{path} is to be made, and tls/ca.key is not there: put it back for this once")
        key = generate_private_key(SECP256R1())
        files.write(f"tls/{name}.key", _pem(key))
        files.write(f"tls/{name}.crt", _certificate(name, key, ca, ca_key, now, days).public_bytes(Encoding.PEM))
        files.made += names


def _make_ca(
    files: SecretsFolder, now: datetime, *, renew: bool
) -> tuple[x509.Certificate, EllipticCurvePrivateKey | None]:
    """Return the CA and its key, None if the key is kept elsewhere, as it should be; make both if they are missing."""
    path, key_path = files.path / "tls/ca.crt", files.path / "tls/ca.key"
    if path.exists() and not key_path.exists() and not renew:
        files.kept.append("tls/ca.crt")
        return x509.load_pem_x509_certificate(path.read_bytes()), None
    files.make("tls/ca.key", lambda: _pem(generate_private_key(SECP256R1())), renew=renew, mode=_CA_KEY_MODE)
    key = _read_key(key_path)
    there = x509.load_pem_x509_certificate(path.read_bytes()) if path.exists() else None
    files.make(
        "tls/ca.crt",
        lambda: _ca_certificate(key, now).public_bytes(Encoding.PEM),
        renew=there is not None and (there.public_key() != key.public_key() or not _is_valid(there, now)),
    )
    return x509.load_pem_x509_certificate(path.read_bytes()), key


def _is_good(path: Path, ca: x509.Certificate, now: datetime) -> bool:
    """Return whether a certificate and its key exist, this CA signed it, and it does not expire soon."""
    if not (path.exists() and path.with_suffix(".key").exists()):
        return False
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    try:
        certificate.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature):
        return False
    own = certificate.public_key() == _read_key(path.with_suffix(".key")).public_key()
    return own and _is_valid(certificate, now) and certificate.not_valid_after_utc - now > _RENEWED_BEFORE


def _is_valid(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc


def _ca_certificate(key: EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Waferline deployment CA")])
    return (
        _builder(name, name, key, now, _CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(ca=True), critical=True)
        .sign(key, SHA256())
    )


def _certificate(
    service: str,
    key: EllipticCurvePrivateKey,
    ca: x509.Certificate,
    ca_key: EllipticCurvePrivateKey,
    now: datetime,
    days: int,
) -> x509.Certificate:
    names = [x509.DNSName(service), x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, service)])
    days = min(days, (ca.not_valid_after_utc - now).days)
    return (
        _builder(name, ca.subject, key, now, days)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_issued_by(ca), critical=False)
        .sign(ca_key, SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _issued_by(ca: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    identifier = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _pem(key: EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _read_key(path: Path) -> EllipticCurvePrivateKey:
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, EllipticCurvePrivateKey):
        raise StackError(f"{path} is no key that `waferline secrets` makes: move it away, and run it again")
    return key
