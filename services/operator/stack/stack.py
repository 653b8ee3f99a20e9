"""The stack of one folder: Redis, the ledger, the aggregator, the console and the parties as processes."""

import fcntl
import json
import os
import secrets
import signal
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

from services.ledger.checkpoint.files import make_key
from services.operator.stack.calls import call
from services.operator.stack.errors import StackError
from services.operator.stack.folder import StackFolder, explain_lock
from services.operator.stack.machine.ports import free_ports, keep_ports
from services.operator.stack.machine.running import forget_running, note_running
from services.operator.stack.new_file import replace_file
from services.operator.stack.programmes import read_programme_file
from services.operator.stack.redis_server import redis_command, redis_secrets
from shared.play.scenario import DEFAULT_PATH, Scenario, load_scenario
from shared.play.variants import Variant
from shared.wire.streams import Role

_STARTED_WITHIN_S = 60.0
_STOPPED_WITHIN_S = 20.0
_RESTARTED_AFTER_S = 1.0
_NOT_INHERITED = {  # credentials of another deployment: this Redis and these services ask for none
    "WAFERLINE_REDIS_USER", "WAFERLINE_REDIS_PASSWORD_FILE", "WAFERLINE_TLS_CA_FILE", "WAFERLINE_TLS_CERT_FILE",
    "WAFERLINE_TLS_KEY_FILE",
}  # fmt: skip


@dataclass
class ScenarioRun:
    """The scenario that the parties play; without one they take events over HTTP."""

    scenario: Path = DEFAULT_PATH
    variant: Variant = "loi_headline"
    seed: int = 2026
    until: date = date(2027, 12, 31)
    pace_s: float = 0


@dataclass
class Stack:
    """The processes of one stack; its folder holds all of its data."""

    folder: Path
    play: ScenarioRun | None = None
    programme_file: Path | None = None  # its planners declare it; None: the reference parties, which declare nothing
    trust_recorded: bool = False
    redis_url: str = ""  # of a running Redis; empty: the stack starts one
    store: str = ""  # postgresql:// URL of the ledger's store; empty: a file in the folder
    first_port: int | None = None  # of the console, the others behind it; None: those of the last start, else free ones
    parties: bool = True  # False: a replay writes to their streams
    until_finished: bool = False  # True: its store is a part of something until `files.unfinished` is removed
    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    lock: IO[str] | None = None

    def __post_init__(self) -> None:
        self.folder = self.folder.resolve()
        self.files = StackFolder(self.folder)
        self.log_begins: dict[str, int] = {}  # by process: the place in its log file where its last start begins
        if self.play is not None:
            self.scenario: Scenario = load_scenario(self.play.scenario)
        self.programme = self.scenario.programme if self.play is not None else read_programme_file(self.programme_file)
        parties = self.programme.parties
        self.suppliers, self.datacenters = list(parties.suppliers), list(parties.datacenters)
        self.planners = list(parties.planners)

    def services(self) -> list[str]:
        """Return the names of the processes, in the order of their start."""
        parties = [f"{role}-{name}" for role, names in self.sources().items() for name in names]
        return ["ledger", "aggregator", "console", *(parties if self.parties else ())]

    def sources(self) -> dict[Role, list[str]]:
        """Return the sources by role."""
        return {"supplier": self.suppliers, "datacenter": self.datacenters, "planner": self.planners}

    def start(self) -> None:
        """Start every process; return when all services are well, raise `StackError` if one is not in time."""
        try:
            (self.folder / "outbox").mkdir(parents=True, exist_ok=True)
            (self.folder / "logs").mkdir(exist_ok=True)
        except OSError as error:
            raise StackError(f"{error.filename}: {error.strerror}; choose another folder with --data") from error
        self._take_lock()
        if self.until_finished:
            self.files.unfinished.touch()
        if not self.files.checkpoint_key.exists():
            make_key(self.files.checkpoint_key, "waferline-ledger")
        self._write_parties()
        self.ports = keep_ports(self.files.ports, self.services(), self.first_port)
        if not self.redis_url:
            self.start_redis()
        for name in self.services():
            self.start_service(name)
        self._write_facts()
        deadline = time.monotonic() + _STARTED_WITHIN_S
        for name in self.services():
            while not self.is_up(name):
                if self.processes[name].poll() is not None:
                    raise self.stopped(name)
                if time.monotonic() > deadline:
                    raise StackError(f"{name} is not up after {_STARTED_WITHIN_S:.0f} s; see {self.files.log(name)}")
                time.sleep(0.05)

    def _take_lock(self) -> None:
        """Lock the folder; processes that outlive a killed stack hold the lock too, and still write there."""
        lock = self.files.lock.open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise StackError(explain_lock(self.folder)) from error
        self.lock = lock

    def stop(self) -> None:
        """Stop every process in the order that loses nothing: parties and console, aggregator and ledger, Redis."""
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
        if self.lock is not None:  # without the lock, the running stack of the folder is another one
            self.files.facts.unlink(missing_ok=True)
            forget_running(self.folder)
            self.lock.close()
            self.lock = None

    def kill(self, name: str) -> None:
        """Kill a process without a warning, as a power cut does."""
        self.processes[name].kill()
        self.processes[name].wait()

    def tend(self) -> None:
        """Restart stopped services, as a platform does, at most one a second."""
        for name, process in list(self.processes.items()):
            if process.poll() is not None:
                if name == "redis":
                    raise StackError(f"Redis has stopped; see {self.files.log(name)}")
                self.start_service(name)
                time.sleep(_RESTARTED_AFTER_S)

    def follow_programme(self) -> list[str]:
        """Start the parties that are new in the programme file, beside all that runs; return their names.

        The ledger reads their streams once it sees them in its file. A party that is not in the file any more runs on,
        until the stack starts anew. Raises `StackError` where the file has faults.
        """
        parties = read_programme_file(self.programme_file).parties
        before = self.services()
        for role, source in parties.sources():
            sources = self.sources()[role]
            if source not in sources:
                sources.append(source)
        new = [name for name in self.services() if name not in before]
        if new:
            self.ports |= keep_ports(self.files.ports, new, None)
            self._write_parties()
            for name in new:
                self.start_service(name)
            self._write_facts()
        return new

    def _write_parties(self) -> None:
        sources = {f"{role}s": names for role, names in self.sources().items()}
        replace_file(self.files.parties, json.dumps(sources, indent=1))

    @property
    def redis_place(self) -> str:
        """The address of Redis, without a password."""
        return self.redis_url.rpartition("@")[2].removeprefix("redis://")

    def url(self, name: str) -> str:
        """Return the HTTP address of a service."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def is_up(self, name: str) -> bool:
        """Return whether a service answers that it is well."""
        try:
            return call(self.url(name) + "/health", within_s=5).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def start_redis(self) -> None:
        """Start a Redis: append-only file, no eviction."""
        [port] = free_ports(1)
        password = secrets.token_hex()  # any process of this machine can connect, also one of another user
        self.redis_url = f"redis://:{password}@127.0.0.1:{port}/0"
        for name in ("logs", "redis"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        with self._open_log("redis") as log:
            self.processes["redis"] = subprocess.Popen(
                [*redis_command(port, self.folder / "redis"), "-"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=self._lock_fds(),
            )
        settings = self.processes["redis"].stdin
        assert settings is not None
        with settings:
            settings.write(redis_secrets(password))
        deadline = time.monotonic() + _STARTED_WITHIN_S
        with Redis.from_url(self.redis_url) as redis:
            while time.monotonic() < deadline and self.processes["redis"].poll() is None:
                with suppress(RedisError):  # it does not listen yet, or still loads its file
                    redis.ping()
                    return
                time.sleep(0.02)
        reason = self.stop_reason("redis")
        if "append only file" in reason:
            raise StackError(
                f"Redis cannot read its file ({reason}): move {self.folder / 'redis'} away, and start again. The"
                " outboxes and the ledger's store publish anew all that they have"
            )
        raise StackError(f"Redis did not start ({reason}); see {self.files.log('redis')}")

    def start_service(self, name: str) -> None:
        """Start the process of a service."""
        module, _, source = name.partition("-")
        with self._open_log(name) as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", f"services.{module}"],
                env={**_inherited(), **self.environment(name, source)},
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches only this process, which stops the others in order
                pass_fds=self._lock_fds(),
            )

    def _open_log(self, name: str) -> IO[bytes]:
        log = self.files.log(name).open("ab")
        self.log_begins[name] = log.tell()
        return log

    def _lock_fds(self) -> tuple[int, ...]:
        return () if self.lock is None else (self.lock.fileno(),)

    def environment(self, name: str, source: str) -> Mapping[str, str]:
        """Return the settings of a service, of a party with its source."""
        environment = {
            "REDIS_URL": self.redis_url,
            "HTTP_PORT": str(self.ports[name]),
            "LEDGER_STORE": self.store or str(self.files.ledger_store),
            "CHECKPOINT_KEY": str(self.files.checkpoint_key),
            "CHECKPOINTS": str(self.files.checkpoints),
            "LEDGER_URL": self.url("ledger"),
            "AGGREGATOR_URL": self.url("aggregator"),
            "SERVICES_ASKED": ",".join(f"{each}={self.url(each)}" for each in self.services()),
            "SNAPSHOT": str(self.files.snapshot),
            "OUTBOX_DIR": str(self.folder / "outbox"),
            "PARTIES_FILE": str(self.files.parties) if self.files.parties.exists() else "",
            "SUPPLIERS": ",".join(self.suppliers),
            "DATACENTERS": ",".join(self.datacenters),
            "PLANNERS": ",".join(self.planners),
            "TRUST_RECORDED": str(int(self.trust_recorded or self.play is not None)),
        }
        if source:
            environment["SOURCE"] = source
        if name.startswith("planner-") and self.play is None and self.programme_file is not None:
            environment["PROGRAMME"] = str(self.programme_file.resolve())
        if self.play is not None and source:
            environment |= {
                "SCENARIO": str(self.play.scenario),
                "VARIANT": self.play.variant,
                "SEED": str(self.play.seed),
                "UNTIL": self.play.until.isoformat(),
                "PACE_S": str(self.play.pace_s),
            }
        return {f"WAFERLINE_{key}": value for key, value in environment.items()}

    def stopped(self, name: str) -> StackError:
        """Return the error of a service that has stopped by itself."""
        return StackError(f"{name} has stopped ({self.stop_reason(name)}); see {self.files.log(name)}")

    def stop_reason(self, name: str) -> str:
        """Return the reason that a process logged when it stopped, or else its last line, since its last start."""
        lines = self.files.log(name).read_bytes()[self.log_begins.get(name, 0) :].splitlines() or [b""]
        for line in reversed(lines):
            with suppress(ValueError, LookupError, TypeError):  # no JSON, as Redis writes it, or of something else
                fields = json.loads(line)
                if fields["log"] == "service_stopped":
                    return str(fields["reason"])
        return lines[-1][:300].decode(errors="replace")

    def _write_facts(self) -> None:
        """Write the addresses and process ids, for the other commands."""
        facts = {
            "pid": os.getpid(),
            "redis_url": self.redis_url,
            "services": {name: self.url(name) for name in self.services()},
            "pids": {name: process.pid for name, process in self.processes.items()},
        }
        replace_file(self.files.facts, json.dumps(facts, indent=1), mode=0o600)  # the address has the password
        note_running(self.folder)


@contextmanager
def started(stack: Stack) -> Iterator[Stack]:
    """Start a stack, and stop it on every exit, also on a signal to this process."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, _exit) for number in signals[1:]]
    try:
        stack.start()
        yield stack
    finally:
        interrupt = signal.signal(
            signal.SIGINT, signal.SIG_IGN
        )  # a second Ctrl-C must not cut the stop short: Redis would be lost
        for number in signals[1:]:
            signal.signal(number, signal.SIG_IGN)
        stack.stop()
        for number, handler in zip(signals, (interrupt, *before), strict=True):
            signal.signal(number, handler)


def _exit(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


def _inherited() -> dict[str, str]:
    """Return the environment without the credentials of another deployment."""
    return {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
