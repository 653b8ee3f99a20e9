"""Is the ledger let into a PostgreSQL of deploy/postgres under its own role, over TLS, and into nothing else there?"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from services.ledger.settings import LedgerSettings
from services.ledger.store.writer import open_writer
from services.operator.deployment.deployment_secrets import provision
from shared.process.credentials import CredentialsError
from testing.servers.postgres import Server
from testing.servers.redis import ROOT, free_port


class Deployed(NamedTuple):
    """A server that deploy/postgres/tls.sh runs, after init.sql, and the folder of its secrets."""

    secrets: Path
    port: int
    server: Server
    psql: Path
    init: Path

    def settings(self, *, host: str = "localhost", database: str = "ledger", **others: Path | None) -> LedgerSettings:
        files = {"store_password_file": self.secrets / "postgres-ledger", "tls_ca_file": self.secrets / "tls/ca.crt"}
        url = f"postgresql://ledger@{host}:{self.port}/{database}"
        return LedgerSettings.model_validate({"ledger_store": url, **files, **others})

    def run_init(self) -> str:
        """Run init.sql as its superuser; return what it said."""
        done = subprocess.run(
            [self.psql, "--no-psqlrc", "--dbname", self.server.url, "--file", self.init],
            env={**os.environ, "WAFERLINE_LEDGER_PASSWORD_FILE": str(self.secrets / "postgres-ledger")},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr


def opened(settings: LedgerSettings) -> None:
    """Open the store as the ledger does."""
    open_writer(settings.ledger_store, epoch=1, login=settings.store_login()).close()


@pytest.fixture
def deployed(own_postgres: Server, tmp_path: Path) -> Deployed:
    if not isinstance(own_postgres, Server):
        pytest.skip("tls.sh is tried on this machine's server: unset WAFERLINE_TEST_CONTAINERS")
    psql = shutil.which("psql") or own_postgres._command[0].with_name("psql")
    if not Path(psql).exists():
        pytest.skip("there is no psql here: install Debian's 'postgresql-client'")
    secrets = tmp_path / "secrets"
    provision(secrets, ["samsung"], ["emea"])
    [folder] = parse_qs(urlsplit(own_postgres.url).query)["host"]
    place = Path(folder)
    # what its user reads, it does not read from a folder of ours
    for path in (secrets / "tls/postgres.crt", secrets / "tls/postgres.key", ROOT / "deploy/postgres/tls.sh"):
        shutil.copy(path, place)
    own_postgres.end()
    port = free_port()
    program, *arguments = own_postgres._command
    own_postgres._command = [
        "sh", place / "tls.sh", *arguments[:-2], "-c", "listen_addresses=127.0.0.1,127.0.0.2", "-p", str(port),
    ]  # fmt: skip
    environment = own_postgres._options["env"]
    environment |= {
        "PATH": f"{program.parent}:{os.defpath}", "PGENTRY": "env", "PGKEYS": f"{folder}/keys",
        "WAFERLINE_TLS_DIR": folder,
    }  # fmt: skip
    own_postgres.url += f"&port={port}"
    own_postgres.start()
    deployed = Deployed(secrets, port, own_postgres, Path(psql), ROOT / "deploy/postgres/init.sql")
    deployed.run_init()
    return deployed


def test_the_ledger_opens_its_store_over_tls_with_its_password(deployed: Deployed) -> None:
    settings = deployed.settings()

    opened(settings)
    with psycopg.connect(settings.ledger_store, **settings.store_login()) as connection:
        [row] = connection.execute("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchall()
        assert row == (True, "TLSv1.3")


def test_its_role_may_nothing_beyond_its_database(deployed: Deployed) -> None:
    settings = deployed.settings()
    with psycopg.connect(settings.ledger_store, **settings.store_login(), autocommit=True) as connection:
        [rights] = connection.execute(
            "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls FROM pg_roles"
            " WHERE rolname = current_user"
        ).fetchall()
        assert not any(rights)
        for order in ("CREATE DATABASE other", "CREATE ROLE other", "COPY (SELECT 1) TO PROGRAM 'true'"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(order)
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        opened(deployed.settings(database="postgres"))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"store_password_file": "postgres-admin"}, 'password authentication failed for user "ledger"'),
        ({"store_password_file": None}, "no password supplied"),
        ({"host": "127.0.0.2"}, "does not match host name"),
        ({"tls_ca_file": "others/tls/ca.crt"}, "certificate verify failed"),
    ],
)
def test_who_is_not_let_in_or_not_trusted_is_told(
    deployed: Deployed, changes: dict[str, str | None], told: str
) -> None:
    provision(deployed.secrets / "others", ["samsung"], ["emea"])
    files = {name: value and deployed.secrets / value for name, value in changes.items() if name != "host"}

    with pytest.raises(psycopg.OperationalError, match=told) as failure:
        opened(deployed.settings(host=changes.get("host") or "localhost", **files))  # type: ignore[arg-type]
    assert (deployed.secrets / "postgres-admin").read_text() not in str(failure.value)


def test_nobody_comes_in_without_tls(deployed: Deployed) -> None:
    password = (deployed.secrets / "postgres-ledger").read_text()

    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        psycopg.connect(f"postgresql://ledger@localhost:{deployed.port}/ledger", password=password, sslmode="disable")


def test_running_init_again_takes_the_new_password_and_tells_it_nobody(deployed: Deployed) -> None:
    opened(deployed.settings())
    before = deployed.settings().store_login()
    provision(deployed.secrets, ["samsung"], ["emea"], renew=["postgres-ledger"])

    said = deployed.run_init()

    opened(deployed.settings())
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(deployed.settings().ledger_store, **before)
    password = (deployed.secrets / "postgres-ledger").read_text()
    assert password not in said + deployed.server._log.read_text()


def test_a_password_that_is_not_there_makes_no_role(deployed: Deployed) -> None:
    (deployed.secrets / "postgres-ledger").unlink()

    with pytest.raises(AssertionError, match='make it with "waferline secrets"'):
        deployed.run_init()


def test_a_password_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match="WAFERLINE_STORE_PASSWORD_FILE"):
        LedgerSettings(store_password_file=tmp_path / "gone").store_login()
