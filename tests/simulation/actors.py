"""The processes of a world: the decisions are the real code, the loops are those of the services, written again."""

import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

import orjson

from services.aggregator.fold.curves import Curves, Gap
from services.ledger.store.recording import record_entries
from services.ledger.store.writer import Fenced, StoreWriter
from shared.party.outbox import Outbox
from shared.service.entries import entry_order
from shared.wire.postings import PostingBatch, Recorded
from shared.wire.streams import POSTINGS, party_stream, recorded_stream
from tests.simulation.faults import Crash
from tests.simulation.script import HORIZON, Part
from tests.simulation.stores import drop, open_outbox, open_store

if TYPE_CHECKING:
    from tests.simulation.world import World

_RESEND_AFTER_MS = 10_000  # as in shared/party/sender.py
_CHECK_INTERVAL_MS = 5_000  # as in services/ledger/live/publisher.py


class ConnectionLost(Exception):
    """Nobody knows whether what was sent has arrived; a service stops, and is started again."""


class Broken(Exception):
    """Something that always holds does not."""


class Actor:
    """One process: it starts, does one of its tasks at a time, and can die or sleep wherever `visit` is called."""

    def __init__(self, world: "World", name: str) -> None:
        self.world = world
        self.name = name
        self.up = False
        self.dead = ""

    def start(self) -> None:
        """Begin from what is on disk."""

    def stop(self) -> None:
        """Forget all that is not on disk."""
        self.up, self.dead = False, ""

    def tasks(self) -> list[Callable[[], None]]:
        """Return what this process does side by side."""
        raise NotImplementedError

    def is_stale(self) -> bool:
        """Return whether another process has written to what this one remembers."""
        return False

    def step(self, task: Callable[[], None] | None = None) -> None:
        """Do one task, or start; what stops a service stops it here."""
        try:
            if not self.up:
                self.start()
                self.up = True
            elif task is not None:
                task()
        except (Crash, ConnectionLost, Fenced) as why:
            self._stopped(str(why) if isinstance(why, Crash) else type(why).__name__)
        except sqlite3.OperationalError as why:
            if "locked" not in str(why):
                raise
            self._stopped("store locked by another")
        except (KeyError, RuntimeError):  # a name that another ledger stored, a batch that it told
            if not self.is_stale():
                raise
            self._stopped("stale publisher")

    def _stopped(self, why: str) -> None:
        self.world.happened(f"{self.name} stopped: {why}")
        self.world.stops[why] += 1
        self.stop()

    def visit(self, place: str) -> None:
        """Say where this process stands: it may die here, or sleep while the others go on."""
        if self.dead:
            raise Crash(self.dead)  # a dead process rolls nothing back
        if self.world.faults.strikes(f"crash {place}"):
            self.dead = f"crash {place}"
            raise Crash(self.dead)
        if self.world.may_sleep() and self.world.faults.strikes(f"pause {place}"):
            self.world.sleep(self, place)


class Party(Actor):
    """Says its part through the real outbox; sends and hears as `shared.party` does."""

    outbox: Outbox | None = None

    def __init__(self, world: "World", part: Part) -> None:
        super().__init__(world, part.source)
        self.part = part
        self.stream = party_stream(part.role, part.source)

    def start(self) -> None:
        self.outbox = open_outbox(self.world.folder / f"{self.name}.db", self.visit)
        self.through = self.sent = self.outbox.last - len(self.outbox)
        self.heard = "0-0"
        self.progressed, self.patience, self.seen = self.world.now_ms, _RESEND_AFTER_MS, self.through

    def stop(self) -> None:
        super().stop()
        drop(self.outbox)
        self.outbox = None

    def tasks(self) -> list[Callable[[], None]]:
        return [self.say, self.send, self.hear]

    def say(self) -> None:
        assert self.outbox is not None
        due = [
            entry
            for entry, due_ms in zip(self.part.entries, self.part.due_ms, strict=True)
            if due_ms <= self.world.now_ms - self.world.began_ms and entry.last > self.outbox.last
        ]
        self.outbox.put(due[:3])

    def send(self) -> None:
        assert self.outbox is not None
        if self.through > self.seen or self.sent <= self.through:
            self.progressed, self.seen, self.patience = self.world.now_ms, self.through, _RESEND_AFTER_MS
        elif self.world.now_ms - self.progressed > self.patience:
            self.sent, self.progressed = self.through, self.world.now_ms
            self.patience *= 2
        entries = self.outbox.after(max(self.sent, self.through), 4)
        for entry in entries:
            self.world.send(self.stream, entry.body)
            self.visit("after publish")
        if entries:
            self.sent = entries[-1].last

    def hear(self) -> None:
        assert self.outbox is not None
        for entry_id, body in self.world.streams.read(recorded_stream(self.name), self.heard, 5):
            verdict = Recorded.model_validate_json(body)
            if verdict.through > self.outbox.last:
                raise Broken(f"the ledger has {verdict.through} of {self.name}, which said {self.outbox.last}")
            self.through = max(self.through, verdict.through)
            self.heard = entry_id
        self.outbox.forget(self.through)

    def is_quiet(self) -> bool:
        """Return whether all was said, and nothing is left to be sent."""
        return self.outbox is not None and self.outbox.last == self.part.entries[-1].last and not len(self.outbox)


class Ledger(Actor):
    """Records with the real store; reads and publishes as `services.ledger.live` does."""

    store: StoreWriter | None = None

    def start(self) -> None:
        self.in_hand: tuple[str, list[str]] = ("", [])
        self.store = open_store(self.world.store_path, self.visit)
        offsets = self.store.offsets()
        self.offsets = {stream: offsets.get(stream, "0-0") for stream in self.world.parts}
        self.read_position()

    def stop(self) -> None:
        super().stop()
        drop(self.store)
        self.store = None

    def is_stale(self) -> bool:
        return self.store is not None and self.store.head.batch != self.world.observer.head()[0]

    def tasks(self) -> list[Callable[[], None]]:
        return [
            *(lambda stream=stream: self.record(stream) for stream in self.world.parts),
            self.publish,
            self.look_back,
        ]

    def record(self, stream: str) -> None:
        assert self.store is not None
        entries = self.world.streams.read(stream, self.offsets[stream], self.world.random.randint(1, 5))
        if not entries:
            return
        part, now_ms = self.world.parts[stream], self.world.now_ms + self.world.skew_ms[self.name]
        self.in_hand = (stream, [entry_id for entry_id, _ in entries])
        outcome = record_entries(self.store, stream, part.source, part.role, entries, now=now_ms * 1000)
        self.offsets[stream] = entries[-1][0]
        self.world.happened(f"{self.name} recorded {outcome.head.batch} {outcome.head.hash.hex()[:8]} {self.in_hand}")

    def visit(self, place: str) -> None:
        if place == "after commit":
            self.world.committed(self)
        super().visit(place)

    def publish(self) -> None:
        """Send what is stored and not yet on the streams."""
        assert self.store is not None
        batches = self.store.published_batches(self.published, 4)
        if not batches and self.world.now_ms - self.looked > _CHECK_INTERVAL_MS:
            self.read_position()
        for batch in batches:
            verdict = (recorded_stream(batch.verdict.source), batch.verdict.encode())
            for stream, body in (verdict, (POSTINGS, batch.postings.encode())):
                self.world.tell(stream, body, (self.store.epoch, batch.postings.batch))
                self.visit("after publish")
        if batches:
            self.published = batches[-1].postings.batch

    def look_back(self) -> None:
        """Read a stream anew where what was read last is gone from it."""
        for stream, offset in self.offsets.items():
            if offset != "0-0" and not self.world.streams.holds(stream, offset):
                self.offsets[stream] = "0-0"
                self.world.rewound(stream)

    def read_position(self) -> None:
        """Find out what stands on the stream of postings: it may have been lost."""
        assert self.store is not None
        self.published, self.looked = 0, self.world.now_ms
        last = self.world.streams.entries[POSTINGS][-1:]
        if last:
            ((_, self.published), body) = last[0]
            stored = self.store.head.batch
            if self.published > stored or orjson.loads(body)["head"] != self.store.hash_of(self.published).hex():
                raise RuntimeError(
                    f"the stream holds batch {self.published} of another history, the store is at {stored}"
                )

    def is_quiet(self) -> bool:
        """Return whether all was read, and all is told."""
        self.look_back()
        read = all(not self.world.streams.read(stream, self.offsets[stream], 1) for stream in self.world.parts)
        return self.store is not None and read and self.published == self.world.observer.head()[0]


class Aggregator(Actor):
    """Folds with the real curves; reads and fetches as `services.aggregator.app` does."""

    def start(self) -> None:
        self.curves = Curves(*HORIZON)
        self.position = "0-0"

    def tasks(self) -> list[Callable[[], None]]:
        return [self.roll]

    def roll(self) -> None:
        for entry_id, body in self.world.streams.read(POSTINGS, self.position, 5):
            batch = PostingBatch.model_validate_json(body)
            try:
                self.curves.add(batch)
            except Gap:
                self.world.faults.counts["(a gap that the aggregator closed)"] += 1
                for late in self.world.fetch_batches(self.curves.position, batch.previous):
                    self.curves.add(PostingBatch.model_validate_json(late.postings.encode()))
                self.curves.add(batch)
            self.position = entry_id

    def is_quiet(self) -> bool:
        """Return whether all that is recorded is folded."""
        return self.up and self.curves.position == self.world.observer.head()[0] and entry_order(self.position) > (0, 0)
