"""The secrets of a deployment: which there are, how each is made, and what is made of them; nothing is ever printed."""

import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

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

from services.ledger.store.checkpoint import make_key
from services.operator.stack.finding import StackError
from shared.process.acl import User, acl_file, users
from shared.process.credentials import CredentialsError, read_secret

_PASSWORDS = ("postgres-admin", "postgres-ledger", "grafana-admin")
_SCOPES = {
    "planner": "read",
    "auditor": "read,audit",
    "operator": "read,audit,metrics",
    "metrics": "metrics",
    "aggregator": "audit",
    "console": "read,audit,metrics",
}
_SERVERS = ("redis", "postgres", "ledger", "aggregator", "console")  # and the parties: who is asked over the network
_SECRET, _CA_KEY = 0o444, 0o400  # read by the user of a container; the folder keeps everybody else out
_ENTROPY_BYTES = 32
_CA_DAYS, _DAYS = 3650, 825
_RENEWED_BEFORE = timedelta(days=30)
_SKEW = timedelta(hours=1)  # of another machine's clock behind ours
_HEAD = "# name scope[,scope...] sha256 of the token. A line of your own stays; `waferline secrets` makes all others"


class Made(NamedTuple):
    """What a run has done to a folder of secrets."""

    made: list[str]  # files that were not there, or were asked to be made anew
    changed: list[str]  # files that follow from others, and now say something else
    kept: list[str]

    def next_steps(self) -> list[str]:
        """Return what a person is to do now, in sentences."""
        steps = []
        if "tls/ca.key" in self.made:
            steps.append(
                "Keep tls/ca.key elsewhere: who has it can be any service. It is only needed for this command."
            )
        if "users.acl" in self.changed:
            steps.append("Start Redis again, and each service whose password is new; they read on where they were.")
        if "tokens" in self.changed:
            steps.append(
                "Start the services again: they read `tokens` at their start; an old token is good until then."
            )
        if "postgres-ledger" in self.made and self.kept:
            steps.append("Tell PostgreSQL the ledger's new password: run deploy/postgres/init.sql there again.")
        if "postgres-admin" in self.made and self.kept:
            steps.append("Tell PostgreSQL the superuser's new password: ALTER ROLE, it reads the file only once.")
        if any(name.startswith("tls/") for name in self.made) and self.kept:
            steps.append("Start the services of the new certificates again.")
        return steps


def provision(
    folder: Path,
    suppliers: Sequence[str],
    datacenters: Sequence[str],
    *,
    playing: bool = False,
    renew: Sequence[str] = (),
) -> Made:
    """Make every secret of a deployment that is missing in a folder, and what follows from them all.

    What is there is kept, but for what is named in `renew`, and for a certificate that ends soon or is of another CA.
    """
    try:
        everybody = users(suppliers, datacenters, playing=playing)
    except ValueError as wrong:
        raise StackError(f"{wrong}; rename it in the scenario") from wrong
    sources = [*suppliers, *datacenters]
    taken = [source for source in sources if source in _SCOPES or sources.count(source) > 1]
    if taken:
        raise StackError(f"{taken[0]!r} would share its token with another of that name: rename it in the scenario")
    scopes = _SCOPES | {source: f"publish:{source}" for source in sources}
    parties = [f"supplier-{name}" for name in suppliers] + [f"datacenter-{name}" for name in datacenters]
    keys = [*(f"redis-{user.name}" for user in everybody), *_PASSWORDS, *(f"token-{name}" for name in scopes)]
    servers = [*_SERVERS, *parties]
    _expect_renewable(renew, [*keys, *(f"tls/{name}" for name in ("ca", *servers))])

    place = _Place(folder)
    for name in keys:
        place.make(name, lambda: secrets.token_urlsafe(_ENTROPY_BYTES).encode(), anew=name in renew)
    _make_checkpoint_key(place)
    _make_certificates(place, servers, renew)
    place.follow("users.acl", _acl(folder, everybody).encode())
    place.follow("tokens", _tokens(folder, scopes).encode())
    return Made(sorted(place.made), sorted(place.changed), sorted(place.kept))


def _expect_renewable(renew: Sequence[str], names: Sequence[str]) -> None:
    for name in renew:
        if name.startswith("ledger.key"):
            raise StackError(
                "ledger.key has signed the checkpoints, and they prove nothing without it: keep it, or begin a new file"
                " of checkpoints with a new key (docs/proof.md)"
            )
        if name not in names:
            raise StackError(f"{name!r} is none of the secrets: name one of {', '.join(names)}")


class _Place:
    """A folder of secrets: what is written there is whole or not there, and for no other eyes while it is written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: list[str] = []
        self.changed: list[str] = []
        self.kept: list[str] = []
        for each in (folder, folder / "tls"):
            try:
                each.mkdir(parents=True, exist_ok=True, mode=0o700)
                each.chmod(0o700)  # one that was there may have been open
            except OSError as error:
                raise StackError(f"{each}: {error.strerror}; choose another folder with --to") from error

    def make(self, name: str, content: Callable[[], bytes], *, anew: bool = False, mode: int = _SECRET) -> None:
        """Make a file that is not there, or anew."""
        path = self.folder / name
        if path.exists() and not anew:
            path.chmod(mode)
            self.kept.append(name)
            return
        self.write(name, content(), mode)
        self.made.append(name)

    def follow(self, name: str, content: bytes) -> None:
        """Have a file that follows from others say what they say now."""
        path = self.folder / name
        if not path.exists():
            self.made.append(name)
        elif path.read_bytes() != content:
            self.changed.append(name)
        else:
            self.kept.append(name)
            return
        self.write(name, content, _SECRET)

    def write(self, name: str, content: bytes, mode: int = _SECRET) -> None:
        """Write a file in place of the one that is there, if one is."""
        path = self.folder / name
        part = path.with_name(path.name + ".part")
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)


# ---------------------------------------------------------------- what follows from the passwords and tokens


def _acl(folder: Path, everybody: Sequence[User]) -> str:
    return acl_file(everybody, {user.name: _read_secret(folder / f"redis-{user.name}") for user in everybody})


def _tokens(folder: Path, scopes: Mapping[str, str]) -> str:
    """Return who may ask what over HTTP; a line that somebody added for a token of their own stays."""
    lines = [
        f"{name} {may} {sha256(_read_secret(folder / f'token-{name}').encode()).hexdigest()}"
        for name, may in scopes.items()
    ]
    path = folder / "tokens"
    before = path.read_text().splitlines() if path.exists() else []
    return "\n".join([_HEAD, *lines, *_added(folder, before), ""])


def _added(folder: Path, lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines of names that have no token here: a party that is gone has one, and has no say any more."""
    for line in lines:
        name = line.partition(" ")[0]
        if line.strip() and line != _HEAD and not (folder / f"token-{name}").exists():
            yield line


def _read_secret(path: Path) -> str:
    try:
        return read_secret(path, "the folder")
    except CredentialsError as why:
        raise StackError(str(why)) from why


# ---------------------------------------------------------------- keys and certificates


def _make_checkpoint_key(place: _Place) -> None:
    """Make the key that signs checkpoints; one that was begun and has no public half yet is none."""
    key, public = place.folder / "ledger.key", place.folder / "ledger.key.pub"
    if not (key.exists() and public.exists()):
        if key.exists() or public.exists():
            there, gone = (key, public) if key.exists() else (public, key)
            raise StackError(f"{there} is there without {gone.name}: put that back, or move {there.name} away")
        make_key(key, "waferline-ledger")
        place.made += [key.name, public.name]
    else:
        place.kept += [key.name, public.name]
    for path in (key, public):
        path.chmod(_SECRET)


def _make_certificates(place: _Place, servers: Sequence[str], renew: Sequence[str]) -> None:
    """Make a CA of our own, and a certificate of it for each service that is asked over the network."""
    now = datetime.now(UTC)
    ca, ca_key = _make_ca(place, now, anew="tls/ca" in renew)
    for name in servers:
        path = place.folder / f"tls/{name}.crt"
        files = [f"tls/{name}.crt", f"tls/{name}.key"]
        if f"tls/{name}" not in renew and _is_good(path, ca, now):
            place.kept += files
            continue
        if ca_key is None:
            raise StackError(f"{path} is to be made, and tls/ca.key is not there: put it back for this once")
        key = generate_private_key(SECP256R1())
        place.write(f"tls/{name}.key", _pem(key))
        place.write(f"tls/{name}.crt", _certificate(name, key, ca, ca_key, now).public_bytes(Encoding.PEM))
        place.made += files


def _make_ca(place: _Place, now: datetime, *, anew: bool) -> tuple[x509.Certificate, EllipticCurvePrivateKey | None]:
    """Return our CA and its key, None where that is kept elsewhere, as it should be; make them if they are missing."""
    path, key_path = place.folder / "tls/ca.crt", place.folder / "tls/ca.key"
    if path.exists() and not key_path.exists() and not anew:
        place.kept.append("tls/ca.crt")
        return x509.load_pem_x509_certificate(path.read_bytes()), None
    place.make("tls/ca.key", lambda: _pem(generate_private_key(SECP256R1())), anew=anew, mode=_CA_KEY)
    key = _read_key(key_path)
    place.make(
        "tls/ca.crt",
        lambda: _ca_certificate(key, now).public_bytes(Encoding.PEM),
        anew=path.exists() and x509.load_pem_x509_certificate(path.read_bytes()).public_key() != key.public_key(),
    )
    return x509.load_pem_x509_certificate(path.read_bytes()), key


def _is_good(path: Path, ca: x509.Certificate, now: datetime) -> bool:
    """Whether a certificate is there with its key, is of this CA, and does not end soon."""
    if not (path.exists() and path.with_suffix(".key").exists()):
        return False
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    try:
        certificate.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature):
        return False
    own = certificate.public_key() == _read_key(path.with_suffix(".key")).public_key()
    return own and certificate.not_valid_after_utc - now > _RENEWED_BEFORE


def _ca_certificate(key: EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Waferline deployment CA")])
    return (
        _builder(name, name, key, now, _CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(ca=True), critical=True)
        .sign(key, SHA256())
    )


def _certificate(
    service: str, key: EllipticCurvePrivateKey, ca: x509.Certificate, ca_key: EllipticCurvePrivateKey, now: datetime
) -> x509.Certificate:
    names = [x509.DNSName(service), x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, service)])
    days = min(_DAYS, (ca.not_valid_after_utc - now).days)
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
        .not_valid_before(now - _SKEW)
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
        raise StackError(f"{path} is no key that this command makes: move it away, and run it again")
    return key
