"""The rig: the real processes on a Redis that can be killed, a platform that starts them again, and a load."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from itertools import islice
from pathlib import Path
from typing import Any, Self

import httpx
import orjson
from redis import Redis
from redis.exceptions import RedisError

from services.operator.stack.machine.ports import free_ports
from services.operator.stack.redis_server import redis_command
from services.operator.stack.stack import Stack
from shared.wire.events import Event
from shared.wire.streams import DATA, Role, party_stream
from tests.chaos.load import Load, speak

ROOT = Path(__file__).parents[2]
DOORS: dict[str, Role] = {"skhynix": "supplier", "stargate-americas": "datacenter"}
BYPASSED = ("samsung", "micron")  # suppliers without a process: a test writes on their streams itself
_RESTARTED_AFTER_S = 0.5  # where a process ended by itself; what was killed is started again at once
_TOLD_EVERY_S = 5.0
_REMEMBERED_S = 1.0  # a power cut costs Redis that much, with everysec


class Broken(AssertionError):
    """What must hold does not; the message says what."""


def wait(what: str, holds: Callable[[], Any], within_s: float = 60) -> Any:
    """Return what holds as soon as it does; raise `Broken` with its name if it does not in time."""
    deadline = time.monotonic() + within_s
    while not (held := holds()):
        if time.monotonic() > deadline:
            raise Broken(f"not within {within_s:.0f} s: {what}")
        time.sleep(0.02)
    return held


class RedisServer:
    """A Redis of our own with its append-only file, started again on the same port."""

    def __init__(self, folder: Path, executable: str = "") -> None:
        self.folder = folder
        self.executable = executable  # none: the one that comes with pip
        folder.mkdir(parents=True)
        [self.port] = free_ports(1)
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.options: tuple[str, ...] = ()  # more of them, for the next start
        self.environment: dict[str, str] = {}
        self.process: subprocess.Popen[bytes] | None = None
        self.sizes: deque[tuple[float, int]] = deque(maxlen=200)  # of the file, so that a power cut can be played

    @property
    def file(self) -> Path:
        """The append-only file that it writes."""
        return max(self.folder.rglob("*.aof"), key=lambda path: path.stat().st_mtime)

    def start(self, within_s: float = 20) -> None:
        """Start it, and return when it answers."""
        command = redis_command(self.port, self.folder)
        with (self.folder / "redis.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.executable or command[0], *command[1:], *self.options],
                stdout=log, stderr=log, start_new_session=True, env=os.environ | self.environment,
            )  # fmt: skip
        with Redis.from_url(self.url, retry=None) as redis:
            wait("Redis answers", lambda: _answers(redis), within_s)

    def kill(self) -> None:
        """Kill it as it stands."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def note_size(self) -> None:
        """Remember how long the file is now."""
        with suppress(ValueError, OSError):
            self.sizes.append((time.monotonic(), self.file.stat().st_size))

    def cut_power(self) -> int:
        """Kill it, and take from its file what was written within the last second; return how many bytes."""
        self.kill()
        before = [size for at, size in self.sizes if at < time.monotonic() - _REMEMBERED_S]
        size = self.file.stat().st_size
        os.truncate(self.file, min(size, before[-1] if before else size))
        return size - self.file.stat().st_size


def _answers(redis: "Redis[bytes]") -> bool:
    try:
        return bool(redis.ping())
    except RedisError:
        return False


class _Stack(Stack):
    """A stack of which some suppliers have no process, and whose services may be started in another way."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        super().__init__(folder, redis_url=redis_url)
        self.suppliers = [*BYPASSED, "skhynix"]
        self.datacenters = ["stargate-americas"]
        self.otherwise: dict[str, Mapping[str, str]] = {}  # service -> environment of tests.chaos.failpoints, and more

    def services(self) -> list[str]:
        return ["ledger", "aggregator", *(f"{role}-{source}" for source, role in DOORS.items())]

    def start_service(self, name: str) -> None:
        module, _, source = name.partition("-")
        otherwise = self.otherwise.get(name, {})
        patched = any(key.startswith("CHAOS_") for key in otherwise)
        with self.files.log(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.failpoints" if patched else f"services.{module}"],
                env=os.environ | self.environment(name, source) | {"CHAOS_SERVICE": module} | otherwise,
                cwd=ROOT, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip


class Rig:
    """What a fault is done to. `with` starts and ends it; whatever is killed meanwhile is started again."""

    def __init__(self, folder: Path, seed: int, redis: str = "") -> None:
        self.folder = folder.resolve()
        self.server = RedisServer(self.folder / "redis", redis)
        self.stack = _Stack(self.folder, self.server.url)
        self.seed = seed
        self.held: set[str] = set()  # the platform leaves these alone
        self.starts: Counter[str] = Counter()
        self.ended_by_itself: Counter[str] = Counter()
        self.put: dict[tuple[str, str], Event] = {}  # put on a stream past the doors
        self._started_at: dict[str, float] = {}
        self.lock, self._over = threading.RLock(), threading.Event()
        self._told_at = 0.0
        self._voices = {  # the first three sequences of samsung are those of the poison
            source: islice(speak(source, "supplier", seed), 3 if source == "samsung" else 0, None)
            for source in BYPASSED
        }
        self._http = httpx.Client(timeout=2, limits=httpx.Limits(max_keepalive_connections=0))

    def __enter__(self) -> Self:
        with ExitStack() as until_the_end:
            until_the_end.callback(self._http.close)
            until_the_end.callback(self.server.kill)
            self.server.start()
            self.redis = until_the_end.enter_context(Redis.from_url(self.server.url))
            until_the_end.callback(self._stop)
            self.stack.start()
            platform = threading.Thread(target=self._tend, daemon=True)
            until_the_end.callback(platform.join, 30)
            until_the_end.callback(self._over.set)
            platform.start()
            self.load = Load(
                {source: (role, self.url(f"{role}-{source}")) for source, role in DOORS.items()}, self.seed
            )
            until_the_end.callback(self.load.end)
            self._until_the_end = until_the_end.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._until_the_end.close()

    def _stop(self) -> None:
        for name in self.stack.processes:
            self.signal(name, signal.SIGCONT)
        self.stack.stop()

    # ---------------------------------------------------------------- the processes

    def _tend(self) -> None:
        while not self._over.wait(0.02):
            self.server.note_size()
            with self.lock:
                for name, process in list(self.stack.processes.items()):
                    code = process.poll()
                    if code is None or name in self.held:
                        continue
                    early = time.monotonic() - self._started_at.get(name, 0) < _RESTARTED_AFTER_S
                    if code != -signal.SIGKILL and early:
                        continue
                    self.ended_by_itself[name] += code != -signal.SIGKILL
                    self.start(name)

    def start(self, name: str) -> None:
        """Start a service, and have the platform look after it."""
        with self.lock:
            if name not in self.stack.ports:
                [self.stack.ports[name]] = free_ports(1)
            self.stack.start_service(name)
            self._started_at[name] = time.monotonic()
            self.starts[name] += 1
            self.held.discard(name)

    def kill(self, name: str) -> None:
        """Kill a service as it stands; the platform starts it again at once."""
        with self.lock:
            self.stack.kill(name)

    def end(self, name: str) -> None:
        """Ask a service to stop, and keep it stopped."""
        with self.lock:
            self.held.add(name)
            process = self.stack.processes[name]
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            raise Broken(f"{name} did not stop within 20 s when asked to") from None

    def start_otherwise(self, name: str, **environment: str) -> None:
        """Start a service again with another environment; with none, as it is."""
        self.end(name)
        self.stack.otherwise[name] = environment
        self.start(name)
        wait(f"{name} is up", lambda: self.health(name))

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a service."""
        with self.lock, suppress(ProcessLookupError):
            self.stack.processes[name].send_signal(number)

    def url(self, name: str) -> str:
        """Return the HTTP address of a service."""
        return self.stack.url(name)

    def get(self, name: str, path: str) -> Any:
        """Return what a service answers, None while it does not."""
        try:
            return self._http.get(self.url(name) + path).json()
        except (httpx.TransportError, ValueError):
            return None

    def health(self, name: str) -> dict[str, Any] | None:
        """Return the health of a service, None while it does not answer."""
        return self.get(name, "/health")

    def position(self, name: str) -> int:
        """Return the last batch that the ledger or the aggregator has, −1 while it does not answer."""
        return int((self.health(name) or {}).get("position", -1))

    def logged(self, name: str, *words: str) -> int:
        """Return how many lines of a service's log have all these words."""
        lines = (self.folder / "logs" / f"{name}.log").read_bytes().splitlines()
        return sum(all(word.encode() in line for word in words) for line in lines)

    # ---------------------------------------------------------------- progress

    def run_load(self) -> None:
        """Have the load going, and return when every source was heard."""
        self.load.going.set()
        self.until_heard("every source is heard")

    def until_heard(self, what: str, within_s: float = 90) -> float:
        """Wait until every source is heard anew and the aggregator has come as far; return the seconds."""
        began, before, heard = time.monotonic(), dict(self.load.heard), self.load.heard
        # the first answer may have been on its way
        wait(what, lambda: all(heard[source] > before[source] + 1 for source in before), within_s)
        due = wait("the ledger answers", lambda: max(self.position("ledger"), 0), within_s)
        wait(f"{what}: balances", lambda: self.position("aggregator") >= due, within_s)
        return time.monotonic() - began

    def settle(self, within_s: float = 90) -> None:
        """End the load, and wait until all of it is acknowledged, told and folded."""
        self.load.going.clear()
        wait("all that was said is acknowledged", self.load.idle, within_s)
        wait("all that was recorded is folded", self._folded, within_s)

    def _folded(self) -> bool:
        ledger, aggregator = self.health("ledger"), self.health("aggregator")
        return bool(
            ledger and aggregator and ledger["position"] == ledger["told"] == aggregator["position"] and ledger["well"]
        )

    def advance(self, text: str) -> None:
        """Say how far it is, every few seconds."""
        if time.monotonic() - self._told_at > _TOLD_EVERY_S:
            self._told_at = time.monotonic()
            print(f"  {text}", file=sys.stderr, flush=True)

    # ---------------------------------------------------------------- past the doors

    def voice(self, source: str) -> Iterator[Event]:
        """Return the events of a supplier that has no process, from the next one on."""
        return self._voices[source]

    def write(self, source: str, body: bytes, *events: Event, id_: str = "*") -> None:
        """Put an entry on the stream of a supplier that has no process, and note the good events in it."""
        self.put |= {(source, event.id): event for event in events}
        self.redis.xadd(party_stream("supplier", source), {DATA: body}, id=id_)

    def say(self, event: Event) -> None:
        """Put one event on the stream of its source."""
        self.write(event.source, orjson.dumps(event.cloud_event()), event)

    def progress(self, source: str) -> dict[str, Any]:
        """Return how far the ledger has come with a source; nothing heard: through 0."""
        nothing = {"through": 0, "ahead": [], "advanced": None}
        head = self.get("ledger", "/head") or {"sources": {}}
        return dict(head["sources"].get(source, nothing))
