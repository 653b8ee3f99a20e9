"""Secrets of a deployment: passwords, tokens, keys and certificates, and the files derived from them.

No secret is ever printed.
"""

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from services.ledger.checkpoint.files import make_key
from services.operator.deployment.certificates import CERTIFICATE_DAYS, make_certificates
from services.operator.deployment.secrets_folder import READABLE, SecretsFolder
from services.operator.stack.errors import StackError
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
_SERVERS = ("redis", "postgres", "ledger", "aggregator", "console", "notifier")  # besides the parties
_ENTROPY_BYTES = 32
_TOKENS_HEADER = (
    "# name scope[,scope...] sha256 of the token. A line of your own stays; `waferline secrets` makes all others"
)


class Provisioned(NamedTuple):
    """File names of a folder of secrets, by the outcome of a run."""

    made: list[str]  # new files, and renewed ones
    changed: list[str]  # derived files with new content
    kept: list[str]

    def next_steps(self) -> list[str]:
        """Return the next steps of the operator, a sentence each."""
        steps = []
        if "tls/ca.key" in self.made:
            steps.append("Keep tls/ca.key elsewhere: its holder can pose as any service. Only this command needs it.")
        if "users.acl" in self.changed:
            steps.append(
                "Have Redis read its users again, as `make parties` does. Then restart each service with a new"
                " password; it resumes at its position."
            )
        if "tokens" in self.changed:
            steps.append("The services read `tokens` again within seconds; from then on they refuse a replaced token.")
        senders = [name for name in ("aggregator", "console") if f"token-{name}" in self.made]
        if senders and self.kept:
            steps.append(f"Restart the {' and the '.join(senders)}: until then its requests are refused.")
        if "postgres-ledger" in self.made and self.kept:
            steps.append("Give PostgreSQL the ledger's new password: run deploy/postgres/init.sql again.")
        if "postgres-admin" in self.made and self.kept:
            steps.append("Give PostgreSQL the superuser's new password with ALTER ROLE: it reads the file only once.")
        if any(name.startswith("tls/") for name in self.made) and self.kept:
            steps.append("Restart the services with new certificates.")
        return steps


def provision(
    folder: Path,
    suppliers: Sequence[str],
    datacenters: Sequence[str],
    planners: Sequence[str] = (),
    *,
    playing: bool = False,
    renew: Sequence[str] = (),
    certificate_days: int = CERTIFICATE_DAYS,
) -> Provisioned:
    """Make the missing secrets of a deployment in a folder, and the files derived from them.

    An existing secret is kept unless `renew` names it; so is a certificate unless it expires soon, is not valid yet, or
    another CA signed it.
    """
    try:
        acl_users = users(suppliers, datacenters, planners, playing=playing)
    except ValueError as wrong:
        raise StackError(f"{wrong}; rename it in the programme file") from wrong
    sources = [*suppliers, *datacenters, *planners]
    taken = [source for source in sources if source in _SCOPES or sources.count(source) > 1]
    if taken:
        raise StackError(
            f"{taken[0]!r} would share its token with another of that name: rename it in the programme file"
        )
    scopes = _SCOPES | {source: f"publish:{source}" for source in sources}
    roles = {"supplier": suppliers, "datacenter": datacenters, "planner": planners}
    parties = [f"{role}-{name}" for role, names in roles.items() for name in names]
    keys = [*(f"redis-{user.name}" for user in acl_users), *_PASSWORDS, *(f"token-{name}" for name in scopes)]
    servers = [*_SERVERS, *parties]
    _expect_renewable(renew, [*keys, *(f"tls/{name}" for name in ("ca", *servers))])

    files = SecretsFolder(folder)
    files.open_folder("notify")  # the rules of the notifier, and the addresses that they name
    for name in keys:
        files.make(name, lambda: secrets.token_urlsafe(_ENTROPY_BYTES).encode(), renew=name in renew)
    _make_checkpoint_key(files)
    make_certificates(files, servers, renew, days=certificate_days, now=datetime.now(UTC))
    files.derive("users.acl", _acl(folder, acl_users).encode())
    files.derive("tokens", _tokens(folder, scopes).encode())
    return Provisioned(sorted(files.made), sorted(files.changed), sorted(files.kept))


def _expect_renewable(renew: Sequence[str], names: Sequence[str]) -> None:
    for name in renew:
        if name.startswith("ledger.key"):
            raise StackError(
                "ledger.key has signed the checkpoints, and they prove nothing without it: keep it, or begin a new file"
                " of checkpoints with a new key (docs/proof.md)"
            )
        if name not in names:
            raise StackError(f"{name!r} is none of the secrets: name one of {', '.join(names)}")


def _acl(folder: Path, acl_users: Sequence[User]) -> str:
    return acl_file(acl_users, {user.name: _read_secret(folder / f"redis-{user.name}") for user in acl_users})


def _tokens(folder: Path, scopes: Mapping[str, str]) -> str:
    """Return the file of tokens with their scopes; the operator's own lines are kept."""
    lines = [
        f"{name} {scope} {sha256(_read_secret(folder / f'token-{name}').encode()).hexdigest()}"
        for name, scope in scopes.items()
    ]
    path = folder / "tokens"
    before = path.read_text().splitlines() if path.exists() else []
    return "\n".join([_TOKENS_HEADER, *lines, *_own_lines(folder, before), ""])


def _own_lines(folder: Path, lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines of names without a token file; a removed party has one, so its line is dropped."""
    for line in lines:
        name = line.partition(" ")[0]
        if line.strip() and line != _TOKENS_HEADER and not (folder / f"token-{name}").exists():
            yield line


def _read_secret(path: Path) -> str:
    try:
        return read_secret(path, "the folder")
    except CredentialsError as why:
        raise StackError(str(why)) from why


def _make_checkpoint_key(files: SecretsFolder) -> None:
    """Make the key that signs checkpoints; a private key without its public half is refused."""
    key, public = files.path / "ledger.key", files.path / "ledger.key.pub"
    if not (key.exists() and public.exists()):
        if key.exists() or public.exists():
            there, gone = (key, public) if key.exists() else (public, key)
            raise StackError(f"{there} is there without {gone.name}: put that back, or move {there.name} away")
        make_key(key, "waferline-ledger")
        files.made += [key.name, public.name]
    else:
        files.kept += [key.name, public.name]
    for path in (key, public):
        path.chmod(READABLE)
