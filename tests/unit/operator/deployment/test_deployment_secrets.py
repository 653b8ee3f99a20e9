"""Secrets of a deployment are made once, kept, readable by their owner alone, and never printed."""

import json
import stat
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509
from typer.testing import CliRunner

from services.ledger.checkpoint.files import read_signer
from services.ledger.checkpoint.keys import read_verifier
from services.operator.cli import app
from services.operator.deployment.certificates import make_certificates
from services.operator.deployment.deployment_secrets import Provisioned, provision
from services.operator.deployment.secrets_folder import SecretsFolder
from services.operator.stack.errors import StackError

SUPPLIERS, DATACENTERS = ("samsung", "skhynix"), ("emea",)
PUBLIC = {"users.acl", "tokens", "ledger.key.pub"}


def make(folder: Path, *renew: str, suppliers: tuple[str, ...] = SUPPLIERS, playing: bool = False) -> Provisioned:
    return provision(folder, suppliers, DATACENTERS, renew=renew, playing=playing)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def changed(before: dict[str, bytes], after: dict[str, bytes]) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "deploy/secrets"
    make(folder)
    return folder


def test_every_secret_that_a_deployment_mounts_is_there(folder: Path) -> None:
    parties = ("supplier-samsung", "supplier-skhynix", "datacenter-emea")
    users = ("ledger", "aggregator", "console", "notifier", *parties, "operator", "health")
    tokens = ("planner", "auditor", "operator", "metrics", "aggregator", "console", "samsung", "skhynix", "emea")
    servers = ("redis", "postgres", "ledger", "aggregator", "console", "notifier", *parties)

    assert contents(folder).keys() == {
        *PUBLIC, "ledger.key", "postgres-admin", "postgres-ledger", "grafana-admin",
        *(f"redis-{user}" for user in users),
        *(f"token-{name}" for name in tokens), "tls/ca.crt", "tls/ca.key",
        *(f"tls/{name}{ending}" for name in servers for ending in (".crt", ".key")),
    }  # fmt: skip


def test_the_user_of_a_container_reads_the_rules_and_addresses_of_the_notifier_and_nobody_else(folder: Path) -> None:
    (folder / "notify/slack").write_text("https://hooks.slack.com/services/T/B/x")
    (folder / "notify/slack").chmod(0o600)
    make(folder)

    modes = {each: stat.S_IMODE((folder / each).stat().st_mode) for each in (".", "notify", "notify/slack")}
    assert modes == {".": 0o700, "notify": 0o755, "notify/slack": 0o644}


def test_a_second_run_changes_nothing(folder: Path) -> None:
    before = contents(folder)

    again = make(folder)

    assert contents(folder) == before
    assert (again.made, again.changed) == ([], [])
    assert again.kept == sorted(before)
    assert again.next_steps() == []


def test_a_new_party_gets_its_own_and_nobody_elses_change(folder: Path) -> None:
    before = contents(folder)

    done = make(folder, suppliers=(*SUPPLIERS, "micron"))

    made = {"redis-supplier-micron", "token-micron", "tls/supplier-micron.crt", "tls/supplier-micron.key"}
    assert set(done.made) == made
    assert set(done.changed) == {"users.acl", "tokens"}
    assert changed(before, contents(folder)) == made | {"users.acl", "tokens"}


def test_a_container_that_has_a_derived_file_mounted_sees_it_change(folder: Path) -> None:
    with (folder / "users.acl").open() as users, (folder / "tokens").open() as tokens:
        make(folder, suppliers=(*SUPPLIERS, "micron"))
        assert "supplier-micron" in users.read()
        assert "publish:micron" in tokens.read()
        make(folder, suppliers=("samsung",))
        assert users.seek(0) == tokens.seek(0) == 0
        assert users.read() == (folder / "users.acl").read_text()
        assert tokens.read() == (folder / "tokens").read_text()


def test_a_party_that_is_gone_is_let_in_no_more(folder: Path) -> None:
    make(folder, suppliers=("samsung",))

    assert "skhynix" not in (folder / "users.acl").read_text()
    assert "skhynix" not in (folder / "tokens").read_text()


@pytest.mark.parametrize(
    ("name", "follows"),
    [
        ("redis-ledger", {"users.acl"}),
        ("token-planner", {"tokens"}),
        ("postgres-ledger", set()),
        ("tls/ledger", {"tls/ledger.crt", "tls/ledger.key"}),
    ],
)
def test_what_is_renewed_is_that_and_what_follows_from_it(folder: Path, name: str, follows: set[str]) -> None:
    before = contents(folder)

    done = make(folder, name)

    assert changed(before, contents(folder)) == follows | ({name} & before.keys())
    assert done.next_steps()


def test_a_renewed_ca_has_every_certificate_made_anew(folder: Path) -> None:
    before = contents(folder)

    make(folder, "tls/ca")

    assert changed(before, contents(folder)) == {name for name in before if name.startswith("tls/")}
    expect_trusted(folder)


def test_without_the_key_of_the_ca_what_is_there_stays_and_nothing_new_is_signed(folder: Path) -> None:
    (folder / "tls/ca.key").unlink()

    assert make(folder).made == []
    with pytest.raises(StackError, match=r"ca\.key is not there"):
        make(folder, suppliers=(*SUPPLIERS, "micron"))


def test_a_certificate_that_ends_soon_is_made_anew(folder: Path) -> None:
    provision(folder, SUPPLIERS, DATACENTERS, renew=("tls/redis",), certificate_days=20)

    assert make(folder).made == ["tls/redis.crt", "tls/redis.key"]


def test_certificates_of_a_clock_that_was_ahead_are_made_anew_once_it_is_right(tmp_path: Path) -> None:
    files, now = SecretsFolder(tmp_path), datetime.now(UTC)
    make_certificates(files, ["redis"], (), days=825, now=now + timedelta(days=400))

    files.made.clear()
    make_certificates(files, ["redis"], (), days=825, now=now)

    assert files.made == ["tls/ca.crt", "tls/redis.crt", "tls/redis.key"]
    certificates = [x509.load_pem_x509_certificate(path.read_bytes()) for path in (tmp_path / "tls").glob("*.crt")]
    assert all(each.not_valid_before_utc < now < each.not_valid_after_utc for each in certificates)
    expect_trusted(tmp_path)


def test_a_clock_beyond_the_end_of_the_ca_makes_another_certificate_of_the_same_key(folder: Path) -> None:
    later = datetime.now(UTC) + timedelta(days=20_000)
    files = SecretsFolder(folder)

    make_certificates(files, ["redis"], (), days=825, now=later)

    assert files.made == ["tls/ca.crt", "tls/redis.crt", "tls/redis.key"]


def expect_trusted(folder: Path) -> None:
    ca = x509.load_pem_x509_certificate((folder / "tls/ca.crt").read_bytes())
    for path in (folder / "tls").glob("*.crt"):
        x509.load_pem_x509_certificate(path.read_bytes()).verify_directly_issued_by(ca)


def test_a_certificate_says_who_it_is_of_and_for_how_long(folder: Path) -> None:
    found = x509.load_pem_x509_certificate((folder / "tls/datacenter-emea.crt").read_bytes())

    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["datacenter-emea", "localhost"]
    assert timedelta(days=824) < found.not_valid_after_utc - datetime.now(UTC) <= timedelta(days=825)
    expect_trusted(folder)


def test_nobody_else_comes_into_the_folder(folder: Path) -> None:
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}

    assert modes.pop(folder) == modes.pop(folder / "tls") == 0o700
    assert modes.pop(folder / "tls/ca.key") == 0o400
    assert modes.pop(folder / "notify") == 0o755  # mounted as a folder
    assert set(modes.values()) == {0o444}


def test_a_folder_that_was_open_is_closed(folder: Path) -> None:
    folder.chmod(0o755)
    (folder / "tls/ca.key").chmod(0o644)

    make(folder)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "tls/ca.key").stat().st_mode) == 0o400


def test_each_token_has_the_scopes_of_who_holds_it(folder: Path) -> None:
    lines = [line.split() for line in (folder / "tokens").read_text().splitlines() if not line.startswith("#")]

    assert {name: scopes for name, scopes, _ in lines} == {
        "planner": "read",
        "auditor": "read,audit",
        "operator": "read,audit,metrics",
        "metrics": "metrics",
        "aggregator": "audit",
        "console": "read,audit,metrics",
        "samsung": "publish:samsung",
        "skhynix": "publish:skhynix",
        "emea": "publish:emea",
    }
    for name, _, digest in lines:
        assert digest == sha256((folder / f"token-{name}").read_bytes()).hexdigest()


def test_a_token_that_somebody_added_stays(folder: Path) -> None:
    line = f"alice read {'0' * 64}"
    with (folder / "tokens").open("a") as tokens:
        tokens.write(line + "\n")

    make(folder, "token-planner")

    assert line in (folder / "tokens").read_text().splitlines()


def test_the_key_of_the_checkpoints_is_one_and_is_never_renewed(folder: Path) -> None:
    assert read_signer(folder / "ledger.key").verifier == read_verifier((folder / "ledger.key.pub").read_text())
    with pytest.raises(StackError, match="has signed the checkpoints"):
        make(folder, "ledger.key")


@pytest.mark.parametrize(
    ("suppliers", "told"),
    [
        (("*",), "cannot be a user"), (("a b",), "cannot be a user"), (("a\nuser b on nopass",), "cannot be a user"),
        (("../a",), "cannot be a user"), (("",), "cannot be a user"), (("planner",), "share its token"),
        (("emea",), "share its token"),
    ],
)  # fmt: skip
def test_a_name_that_means_more_than_a_name_is_refused_and_nothing_made(
    tmp_path: Path, suppliers: tuple[str, ...], told: str
) -> None:
    with pytest.raises(StackError, match=told):
        make(tmp_path / "secrets", suppliers=suppliers)

    assert not (tmp_path / "secrets").exists()


def test_an_empty_password_lets_nobody_in(folder: Path) -> None:
    (folder / "redis-ledger").chmod(0o600)
    (folder / "redis-ledger").write_text("\n")

    with pytest.raises(StackError, match="is empty"):
        make(folder)


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_names_are_printed_and_never_a_secret(tmp_path: Path, options: list[str]) -> None:
    command = ["secrets", "--to", str(tmp_path / "secrets"), *options]
    first = CliRunner().invoke(app, command)
    renewed = CliRunner().invoke(app, [*command, "--renew", "redis-ledger"])

    assert (first.exit_code, renewed.exit_code) == (0, 0)
    said = first.output + renewed.output
    for name, content in contents(tmp_path / "secrets").items():
        if name not in PUBLIC and not name.endswith(".crt"):
            assert not [line for line in content.decode().splitlines() if len(line) > 20 and line in said], name
    if options:
        done = json.loads(first.output)
        assert "redis-ledger" in done["made"]
        assert json.loads(renewed.output)["made"] == ["redis-ledger"]


def test_what_is_none_of_the_secrets_is_not_renewed(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["secrets", "--to", str(tmp_path / "secrets"), "--renew", "redis-micron"])

    assert result.exit_code == 1
    assert "none of the secrets" in result.output
    assert not (tmp_path / "secrets").exists()
