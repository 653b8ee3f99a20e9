"""The containers of docker-compose.yml as a project of its own: started, asked, broken, and always taken away again."""

import json
import os
import shutil
import ssl
import subprocess
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]
_OURS_IS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
VERSION = os.environ.get("WAFERLINE_VERSION", _OURS_IS)  # of the images: `make` names it
OPERATOR = f"waferline/operator:{VERSION}"

PARTIES = (
    "supplier-samsung", "supplier-skhynix", "supplier-micron",
    "datacenter-stargate-americas", "datacenter-stargate-emea", "datacenter-stargate-apac",
    "planner-stargate-planning",
)  # fmt: skip
OURS = ("ledger", "aggregator", "console", *PARTIES)
SERVICES = ("redis", "postgres", *OURS)
PORTS = (
    "LEDGER", "AGGREGATOR", "CONSOLE", "NOTIFIER", "SAMSUNG", "SKHYNIX", "MICRON", "STARGATE_AMERICAS", "STARGATE_EMEA",
    "STARGATE_APAC", "STARGATE_PLANNING",
)  # fmt: skip
FILES = ("docker-compose.yml", "deploy/programmes/stargate/compose.yml")
TLS_FILES = ("deploy/tls.yml", "deploy/programmes/stargate/tls.yml")

_DONE_WITHIN_S = 300
_RESTARTED_WITHIN_S = 60
_LOOKED_EVERY_S = 0.25
_DOWN_TRIES = 10
_DOWN_AGAIN_S = 3


class Failed(AssertionError):
    """A command did not do what it was asked; the message has its last words."""


def run(*command: str, environment: Mapping[str, str] | None = None) -> str:
    """Return what a command prints; raise `Failed` with its complaint if it fails."""
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **(environment or {})}, capture_output=True, text=True,
        timeout=_DONE_WITHIN_S, check=False,
    )  # fmt: skip
    if done.returncode:
        raise Failed(f"{' '.join(command)} ended with {done.returncode}: {(done.stderr or done.stdout)[-2000:]}")
    return done.stdout


def missing() -> str | None:
    """Return what is not there of what these tests need, and what to do about it; None if all is there."""
    if shutil.which("docker") is None:
        return "docker is not installed: see docs/deployment.md"
    try:
        run("docker", "info")
    except (Failed, subprocess.TimeoutExpired):
        return "no Docker daemon answers: start it, or let this user ask it"
    services = {name.partition("-")[0] for name in OURS} | {"notifier", "operator"}
    absent = [name for name in sorted(services) if not run("docker", "images", "-q", f"waferline/{name}:{VERSION}")]
    return f"no image waferline/{absent[0]}:{VERSION}: make images" if absent else None


def compose_command() -> tuple[str, ...]:
    """Return how compose is called here."""
    try:
        run("docker", "compose", "version")
    except Failed:
        return ("docker-compose",)
    return ("docker", "compose")


def make_secrets(folder: Path) -> Path:
    """Have the operator's image make all secrets of parties that play."""
    run(
        "docker", "run", "--rm", "--network", "none", "--user", f"{os.getuid()}:{os.getgid()}",
        "--volume", f"{folder}:/secrets", OPERATOR, "secrets", "--to", "/secrets", "--play",
    )  # fmt: skip
    return folder


@dataclass
class Stack:
    """One project of compose, with secrets, volumes, networks and ports of its own."""

    project: str
    secrets: Path
    kept: Path  # the file of what its containers logged, also of those that are no more
    files: Sequence[str] = FILES
    settings: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.command = compose_command()
        self.settings = {
            "COMPOSE_PROJECT_NAME": self.project, "WAFERLINE_SECRETS": str(self.secrets), "WAFERLINE_VERSION": VERSION,
            **{f"WAFERLINE_{name}_PORT": "0" for name in PORTS}, **self.settings,
        }  # fmt: skip

    def compose(self, *args: str) -> str:
        return run(*self.command, *(f"--file={name}" for name in self.files), *args, environment=self.settings)

    def up(self) -> None:
        """Start what is not as the files and settings say, and wait until all containers are well."""
        self.compose("up", "--detach")
        files = (f"--file={name}" for name in self.files)
        run("deploy/healthy.sh", *self.command, *files, environment=self.settings)

    def down(self, *args: str) -> None:
        """Take the containers away; networks too, though the engine may count an endpoint longer than its container."""
        self.keep_logs()
        for left in reversed(range(_DOWN_TRIES)):
            try:
                self.compose("down", "--timeout", "20", *args)
            except Failed as failure:
                if not left or "active endpoints" not in str(failure):
                    raise
                self.detach()
                time.sleep(_DOWN_AGAIN_S)
            else:
                return

    def detach(self) -> None:
        """Disconnect by force whatever the engine still counts at the networks of this project."""
        networks = run("docker", "network", "ls", "--quiet", "--filter", f"name={self.project}_").split()
        for network in networks:
            [found] = json.loads(run("docker", "network", "inspect", network))
            for container in found["Containers"].values():
                with suppress(Failed):  # it has gone meanwhile
                    run("docker", "network", "disconnect", "--force", network, container["Name"])

    def container(self, service: str) -> str:
        return self.compose("ps", "--quiet", service).split()[0]

    def inspect(self, service: str) -> dict[str, Any]:
        [found] = json.loads(run("docker", "inspect", self.container(service)))
        return dict(found)

    def network(self, name: str) -> str:
        return f"{self.project}_{name}"

    def address(self, service: str, network: str) -> str:
        return str(self.inspect(service)["NetworkSettings"]["Networks"][self.network(network)]["IPAddress"])

    def crash(self, service: str) -> None:
        """Kill a container's process as a crash would, and wait until the restart policy has started it again.

        `docker kill` is no crash: Docker takes it for somebody's wish, and starts nothing again.
        """
        container = self.container(service)
        before = self.inspect(service)
        run(
            "docker", "run", "--rm", "--pid", "host", "--network", "none", "--user", "0", "--entrypoint", "sh",
            OPERATOR, "-c", f"kill -9 {before['State']['Pid']}",
        )  # fmt: skip

        def is_back() -> bool:
            [now] = json.loads(run("docker", "inspect", container))
            return bool(now["State"]["Running"]) and now["RestartCount"] > before["RestartCount"]

        until(is_back, f"{service} is started again", _RESTARTED_WITHIN_S)

    @contextmanager
    def cut(self, service: str, *networks: str) -> Iterator[None]:
        """Have a container without some of its networks for a while."""
        container = self.container(service)
        for name in networks:
            run("docker", "network", "disconnect", self.network(name), container)
        yield
        for name in networks:
            run("docker", "network", "connect", "--alias", service, self.network(name), container)

    @contextmanager
    def paused(self, service: str) -> Iterator[None]:
        self.compose("pause", service)
        yield
        self.compose("unpause", service)

    def secret(self, name: str) -> str:
        return (self.secrets / name).read_text().strip()

    def url(self, service: str) -> str:
        scheme = "https" if "deploy/tls.yml" in self.files else "http"
        return f"{scheme}://{self.compose('port', service, '8100').strip()}"  # anew: a restart changes the port

    def http(self, token: str | None) -> httpx.Client:
        """Return who asks under a token, or without one, and trusts the stack's CA."""
        headers = {} if token is None else {"Authorization": f"Bearer {self.secret(token)}"}
        trusted = ssl.create_default_context(cafile=self.secrets / "tls/ca.crt")
        return httpx.Client(headers=headers, verify=trusted, timeout=30)

    def ask(self, service: str, path: str, **query: str) -> Any:
        with self.http("token-operator") as client:
            answer = client.get(self.url(service) + path, params=query)
        if answer.status_code != httpx.codes.OK:
            raise Failed(f"{service} answers {path} with {answer.status_code}: {answer.text[:300]}")
        return answer.json()

    def operator(self, *args: str) -> str:
        """Return what the command line prints where the services are."""
        return self.compose("--profile", "tools", "run", "--rm", "--no-deps", "-T", "operator", *args)

    def redis(self, user: str | None, *command: str) -> str:
        """Return what Redis says to a user who asks something; to nobody where there is no user."""
        if user is None:
            return self._inside("redis", {}, "redis-cli", *command)
        login = {"REDISCLI_AUTH": self.secret(f"redis-{user}")}
        return self._inside("redis", login, "redis-cli", "--user", user, *command)

    def postgres(self, options: str, query: str) -> str:
        """Return what PostgreSQL says to the ledger's role over the network."""
        login = {"PGPASSWORD": self.secret("postgres-ledger")}
        address = f"host=postgres user=ledger dbname=ledger {options}"
        return self._inside("postgres", login, "psql", address, "--tuples-only", "--command", query)

    def _inside(self, service: str, environment: Mapping[str, str], *command: str) -> str:
        # a name alone: its value would stand in the list of processes, and in the message of a failure
        names = [part for name in environment for part in ("--env", name)]
        return run("docker", "exec", *names, self.container(service), *command, environment=environment).strip()

    def keep_logs(self) -> None:
        """Write down what the containers have logged, before they are replaced or taken away."""
        with self.kept.open("a") as file:
            file.write(self.logs())

    def logs(self, *services: str) -> str:
        return self.compose("logs", "--no-color", *services)


@contextmanager
def started(stack: Stack) -> Iterator[Stack]:
    """Run a stack, and take it away at the end with all it has made; what it logged stays in its file."""
    try:
        stack.up()
        yield stack
    finally:
        stack.down("--volumes", "--remove-orphans")


def until(holds: Callable[[], bool], what: str, within_s: float) -> float:
    """Wait until something holds, while it may fail to answer; return the seconds it took."""
    began = time.monotonic()
    last: Exception | None = None
    while time.monotonic() - began < within_s:
        try:
            if holds():
                return time.monotonic() - began
        except (httpx.TransportError, Failed, IndexError) as failure:  # it is being started
            last = failure
        time.sleep(_LOOKED_EVERY_S)
    raise Failed(f"not so within {within_s:.0f} s: {what}" + (f" (last: {last})" if last else ""))
