"""A world: parties, ledgers, an aggregator, their streams and a clock, all of it a function of the seed."""

import traceback
from collections import Counter, defaultdict
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import NamedTuple

from services.ledger.store.batches import PublishedBatch
from shared.wire.streams import POSTINGS, party_stream, recorded_stream
from tests.simulation.actors import Actor, Aggregator, Broken, ConnectionLost, Ledger, Party
from tests.simulation.checks import check_world
from tests.simulation.faults import Faults
from tests.simulation.script import BEGINS, write_script
from tests.simulation.stores import Observer, make_store
from tests.simulation.transport import EqualOrSmaller, Order, Streams

_ROUNDS_MAX = 300  # until a world without faults is quiet
_HOUR_MS = 3_600_000
_JUMPS_MS = (0, _HOUR_MS, -_HOUR_MS, 24 * _HOUR_MS, -24 * _HOUR_MS)


class Ran(NamedTuple):
    """What a world tried, and what was found wrong, if anything was."""

    seed: int
    wrong: str | None
    tried: Counter[str]
    digest: str  # of all that happened: the same seed gives the same


class World:
    """Everything that the seed decides."""

    def __init__(self, seed: int, folder: Path, say: Callable[[str], None] = lambda _: None) -> None:
        self.random = _random("world", seed)
        self.faults = Faults(_random("faults", seed))
        self.folder = folder
        self.store_path = folder / "ledger.db"
        self._say = say
        self._happened = sha256()
        self.stops: Counter[str] = Counter()
        self.began_ms = self.now_ms = int(BEGINS.timestamp() * 1000)
        self.skew_ms: Counter[str] = Counter()  # of each clock
        self.streams, self._snapshot = Streams(), Streams()
        self._flying: list[tuple[int, str, bytes]] = []  # sent, and not yet on its stream
        self._asleep: Actor | None = None
        script = write_script(_random("script", seed))
        self.parts = {party_stream(part.role, part.source): part for part in script}
        make_store(self.store_path)
        self.observer = Observer(self.store_path)
        self.heads = [self.observer.head()]
        self.consumed: dict[str, set[str]] = defaultdict(set)  # entries that are in a batch
        self._behind: dict[str, set[str]] = defaultdict(set)  # of these, the ones that are not to be read again
        self.excused: dict[str, set[str]] = defaultdict(set)  # entries that no reader can come to
        self._highest: dict[str, Order] = {}
        self.parties = [Party(self, part) for part in script]
        self.ledgers = [Ledger(self, f"ledger-{n}") for n in range(self.random.choice((1, 1, 2)))]
        self.aggregator = Aggregator(self, "aggregator")
        self.actors: list[Actor] = [*self.parties, *self.ledgers, self.aggregator]

    # ---------------------------------------------------------------- time

    def run(self) -> None:
        """Live with faults, then without, until nothing is left to do."""
        for _ in range(self.random.randint(100, 300)):
            self._tick()
        self.happened("faults end")
        ended_ms = self.now_ms
        self.faults.over = True
        self.skew_ms.clear()
        pace_ms, before = 1000, None
        for _ in range(_ROUNDS_MAX):
            self.now_ms += pace_ms
            self._arrive(everything=True)
            for actor in self.actors:
                for task in actor.tasks() if actor.up else [None]:
                    actor.step(task)
            if not self._flying and all(actor.is_quiet() for actor in self.actors):
                # a stream that began anew by an earlier clock is not read until that clock has caught up
                self.faults.counts["(stood still for an hour and more)"] += self.now_ms - ended_ms > _HOUR_MS
                return
            now = (self.observer.head(), self.aggregator.curves.position, [len(party.outbox) for party in self.parties])
            pace_ms, before = (1000 if now != before else min(2 * pace_ms, _HOUR_MS)), now
        raise Broken(f"not quiet: {[actor.name for actor in self.actors if not actor.is_quiet()]}")

    def _tick(self) -> None:
        self.now_ms += self.random.randint(1, 1500)
        self._arrive(everything=False)
        self._disturb()
        actor = self.random.choice([actor for actor in self.actors if actor is not self._asleep])
        actor.step(self.random.choice(actor.tasks()))
        if actor.up and self.faults.strikes("crash between steps"):
            self.happened(f"{actor.name} killed")
            actor.stop()

    def may_sleep(self) -> bool:
        """Return whether a process may be paused: one at a time."""
        return self._asleep is None

    def sleep(self, actor: Actor, place: str) -> None:
        """Have the others go on while this one stands still, in the middle of what it does."""
        self.happened(f"{actor.name} sleeps {place}")
        self._asleep = actor
        for _ in range(self.random.randint(1, 25)):
            self._tick()
        self._asleep = None
        self.happened(f"{actor.name} wakes")

    def happened(self, what: str) -> None:
        """Note what happened, for whoever looks on and for the digest of the run."""
        line = f"{(self.now_ms - self.began_ms) / 1000:10.3f} {what}"
        self._happened.update(line.encode())
        self._say(line)

    def digest(self) -> str:
        """Return the digest of all that happened."""
        return self._happened.hexdigest()

    # ---------------------------------------------------------------- streams

    def _disturb(self) -> None:
        if self.random.random() < 0.05:
            self._snapshot = self.streams.copy()
        if self.faults.strikes("clock jumped"):
            whose = self.random.choice(["redis", *(ledger.name for ledger in self.ledgers)])
            self.skew_ms[whose] = self.random.choice(_JUMPS_MS)
            self.happened(f"clock of {whose} is off by {self.skew_ms[whose]} ms")
        if self.faults.strikes("garbage on a stream"):
            self._add(
                self.random.choice(list(self.parts)), self.random.choice((b"", b"{", b"[1]", b'{"ids":[]}', b"\xff"))
            )
        if self.faults.strikes("stream deleted"):
            spoken = [recorded_stream(party.name) for party in self.parties]
            stream = self.random.choice([*self.parts, *spoken, POSTINGS])
            self.happened(f"{stream} deleted")
            self.streams.delete(stream)
        if self.faults.strikes("all streams flushed"):
            self.happened("streams flushed")
            self.streams = Streams()
        if self.faults.strikes("streams restored to an earlier state"):
            self.happened("streams restored")
            self.streams = self._snapshot.copy()
            for stream in self.parts:  # what was read past meanwhile stays behind the reader
                unread = {entry_id for entry_id, _ in self.streams.read(stream, "0-0", 10_000)} - self.consumed[stream]
                self.excused[stream] |= unread

    def send(self, stream: str, body: bytes) -> None:
        """Bring a party's entry to its stream, or not; raise `ConnectionLost` where the party cannot know."""
        if self.faults.strikes("request lost"):
            raise ConnectionLost
        copies = self.random.randint(2, 10) if self.faults.strikes("duplicated") else 1
        for _ in range(copies):
            if self.faults.strikes("acknowledged and lost"):
                self.happened(f"lost on {stream}")
            elif self.faults.strikes("reordered"):
                self._flying.append((self.now_ms + self.random.randint(1, 20_000), stream, body))
            else:
                self._add(stream, body)
        if self.faults.strikes("reply lost"):
            raise ConnectionLost

    def tell(self, stream: str, body: bytes, entry_id: Order) -> None:
        """Bring the ledger's entry to a stream; an id that is there already is refused."""
        if self.faults.strikes("request lost"):
            raise ConnectionLost
        try:
            self.streams.add(stream, body, now_ms=0, entry_id=entry_id)
            self.happened(f"told {entry_id[1]} on {stream}")
        except EqualOrSmaller:
            self.happened(f"told {entry_id[1]} already on {stream}")
        if self.faults.strikes("reply lost"):
            raise ConnectionLost

    def _arrive(self, *, everything: bool) -> None:
        due = [flying for flying in self._flying if everything or flying[0] <= self.now_ms]
        self._flying = [flying for flying in self._flying if flying not in due]
        for _, stream, body in sorted(due):
            self._add(stream, body)

    def _add(self, stream: str, body: bytes) -> None:
        order = self.streams.add(stream, body, now_ms=self.now_ms + self.skew_ms["redis"])
        self.happened(f"{order[0]}-{order[1]} on {stream}: {sha256(body).hexdigest()[:8]}")
        if order <= self._highest.get(stream, (0, 0)):  # a stream that began anew, by a clock that went back
            self.excused[stream].add(f"{order[0]}-{order[1]}")
        self._highest[stream] = max(order, self._highest.get(stream, order))

    # ---------------------------------------------------------------- what always holds

    def committed(self, ledger: Ledger) -> None:
        """See to it that a batch follows the one before it, and that no entry is in two of them."""
        head = self.observer.head()
        if head == self.heads[-1]:
            return
        if head[0] != self.heads[-1][0] + 1:
            raise Broken(f"batch {head[0]} follows {self.heads[-1][0]}")
        self.heads.append(head)
        stream, ids = ledger.in_hand
        twice = self._behind[stream] & set(ids)
        if twice:
            raise Broken(f"{min(twice)} of {stream} is read twice: the offset is not where the batch is")
        self.consumed[stream] |= set(ids)
        self._behind[stream] |= set(ids)

    def rewound(self, stream: str) -> None:
        """Let a stream be read again from its beginning: what stands there is not what was read."""
        self.faults.counts["(a stream that receded and was read anew)"] += 1
        self._behind[stream].clear()

    def fetch_batches(self, after: int, last: int) -> list[PublishedBatch]:
        """Return what a ledger answers to GET /postings."""
        up = [ledger for ledger in self.ledgers if ledger.store is not None and not ledger.is_stale()]
        if not up or up[0].store is None or up[0] is self._asleep:
            raise ConnectionLost
        with self.faults.paused():  # else the ledger would die, or sleep, in the name of who asks it
            return [batch for batch in up[0].store.published_batches(after, 200) if batch.postings.batch <= last]


def _random(what: str, seed: int) -> Random:
    return Random(f"{what} {seed}")  # noqa: S311 (it is to be the same again)


def run_seed(seed: int, say: Callable[[str], None] = lambda _: None, root: str = "/dev/shm") -> Ran:  # noqa: S108
    """Run the world of a seed, and check it."""
    with TemporaryDirectory(dir=root if Path(root).is_dir() else None) as folder:
        world = World(seed, Path(folder), say)
        wrong = None
        try:
            world.run()
            checked = check_world(world)
        except Exception as why:  # noqa: BLE001 (whatever goes wrong in a world, its seed is the answer)
            wrong, checked = f"{type(why).__name__}: {why}", Counter[str]()
            place = traceback.extract_tb(why.__traceback__)[-1]
            wrong += f" ({Path(place.filename).name}:{place.lineno})"
            world.happened(f"WRONG {wrong}")
        finally:
            world.observer.connection.close()
            for actor in world.actors:
                actor.stop()
        stops = Counter({f"(stopped) {why}": count for why, count in world.stops.items()})
        return Ran(seed, wrong, world.faults.counts + stops + checked, world.digest())
