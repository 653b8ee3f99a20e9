"""The ledger's wiring: every party's stream in, postings and verdicts out, and HTTP to ask what was recorded."""

import asyncio
import fcntl
import re
import time
from collections import Counter as PlainCounter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, cast, get_args

import orjson
from prometheus_client import Counter, Gauge, Histogram
from pydantic import Field
from redis.exceptions import ConnectionError as RedisLost
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeout

from services.ledger.http.routes import routes
from services.ledger.store.checkpoint import (
    Signer,
    Untrusted,
    append_checkpoint,
    checkpoint_of,
    newest_checkpoint,
    read_signer,
    sign_checkpoint,
)
from services.ledger.store.recording import Outcome, record_entries
from services.ledger.store.store import Fenced, Store, open_store
from shared.http.access import AUDIT
from shared.process.credentials import postgres_login
from shared.process.log import REFUSALS_SAID_MAX
from shared.process.settings import ServiceSettings
from shared.service.entries import Entry, entry_order, publish_entries
from shared.service.readers import Reader
from shared.service.service import TIME_BUCKETS_S, Service
from shared.wire.days import DAY_US
from shared.wire.events import ReasonCode
from shared.wire.streams import DATA, POSTINGS, Role, party_stream, recorded_stream

_TOLD_AT_ONCE = 16  # batches in one round trip
_LOOKED_EVERY_S = 5.0
_FLAGGED_EVERY_S = 60.0
_RECORDED = re.compile(rb'"recorded":([0-9]{1,18})|"recordedtime":"([0-9-]{10})').search  # read well enough to cut by
_TIME_MS_MAX = 1 << 42  # the year 2109
_TRANSACTION_BYTES_MAX = 1 << 19  # of entries: some 4,000 events


class LedgerSettings(ServiceSettings):
    """What the ledger must know before it starts."""

    ledger_store: str = Field(default="data/ledger.db", description="a path, or a postgresql:// URL")
    store_password_file: Path | None = Field(default=None, description="of the URL's user; none: as the URL says")
    checkpoint_key: Path | None = Field(default=None, description="signs checkpoints; none: nothing is signed")
    checkpoints: Path = Field(default=Path("data/checkpoints.txt"), description="kept where the store is not")
    checkpoint_every_s: float = Field(default=60, gt=0, description="how often it signs")
    suppliers: str = Field(default="samsung,skhynix", description="who may say supply; with commas")
    datacenters: str = Field(
        default="stargate-americas,stargate-emea,stargate-apac", description="who may say demand; with commas"
    )
    trust_recorded: bool = Field(
        default=False, description="take the recorded time from the sender: replay, simulation"
    )
    read_max: int = Field(default=100, ge=1, description="entries of a stream in one transaction")

    def store_login(self) -> dict[str, str]:
        """Return what is shown to the server of a store at a URL, and what it must show."""
        return postgres_login(self.store_password_file, self.tls_ca_file)

    def parties(self) -> list[tuple[Role, str]]:
        """Return who may speak, and as what."""
        suppliers: list[tuple[Role, str]] = [("supplier", name) for name in self.suppliers.split(",") if name]
        return suppliers + [("datacenter", name) for name in self.datacenters.split(",") if name]


def build_app(settings: LedgerSettings) -> Service:
    """Return the ledger: it reads every party's stream from where its store says, and tells what it stored."""
    service = Service("ledger", settings)
    store = open_store(settings.ledger_store, epoch=time.time_ns() // 1_000_000, login=settings.store_login())
    if settings.checkpoint_key is not None:
        _keep_checkpoints(service, settings, store, read_signer(settings.checkpoint_key))
    offsets = store.offsets()
    stored = asyncio.Event()
    meters = _Meters(service, store, [source for _, source in settings.parties()])
    service.facts = lambda: {
        "position": store.head.batch,
        "events": store.last_event,
        "head": store.head.hash.hex(),
        "told": meters.position,
    }
    service.routes += routes(
        store, partial(open_store, settings.ledger_store, read_only=True, login=settings.store_login())
    )
    service.describe(Path(__file__).parent / "http" / "examples.json", scope=AUDIT)
    service.at_end.append(store.close)

    for role, source in settings.parties():
        _read_party(
            service, settings, store, role, source, offsets.get(party_stream(role, source), "0-0"), stored, meters
        )

    @service.run_beside
    async def watch_streams() -> None:
        """Alarm where what was read last is gone from its stream, and read that stream from its beginning.

        A stream that was deleted, flushed or put back from a backup would else be silent, or skipped up to the old
        offset. What was recorded already is dropped as a duplicate.
        """
        while True:
            for reader in service.readers:
                with suppress(RedisLost, RedisTimeout):  # it is away: there is nothing to look at
                    await _look_back(service, reader)
            await asyncio.sleep(_LOOKED_EVERY_S)

    @service.run_beside
    async def tell_batches() -> None:
        """Send what is stored and not yet on the streams, in order, under ids that make a second sending harmless.

        The verdicts go before their postings: where a batch's postings stand, its verdicts do too.
        """
        told = meters.position = await _read_told(service, store)
        while True:
            batches = store.told_batches(told, _TOLD_AT_ONCE)
            if not batches:
                stored.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(stored.wait(), _LOOKED_EVERY_S)
                if not stored.is_set():  # nothing new: is what was told still there? Redis may have lost it
                    told = meters.position = await _read_told(service, store)
                continue
            entries = [
                (stream, body, f"{store.epoch}-{batch.postings.batch}")
                for batch in batches
                for stream, body in (
                    (recorded_stream(batch.verdict.source), batch.verdict.encode()),
                    (POSTINGS, batch.postings.encode()),
                )
            ]
            began = time.perf_counter()
            answers = await publish_entries(service.redis, entries, raise_on_error=False)
            for (stream, _, _), answer in zip(entries, answers, strict=True):
                if isinstance(answer, ResponseError) and "equal or smaller" in str(answer):
                    service.log.warning("batch_told_already", stream=stream, position=told)
                elif isinstance(answer, Exception):
                    raise answer
            told = meters.position = batches[-1].postings.batch
            ms = round((time.perf_counter() - began) * 1000, 2)
            service.tally.info("batches_told", position=told, batches=len(batches), ms=ms, ms_max=ms)

    return service


def _read_party(
    service: Service,
    settings: LedgerSettings,
    store: Store,
    role: Role,
    source: str,
    after: str,
    stored: asyncio.Event,
    meters: "_Meters",
) -> None:
    stream = party_stream(role, source)
    flagged, flagged_at = 0, float("-inf")  # up to which sequence it was told what is missing, and when

    def flag_gaps() -> None:
        """Tell of a gap when it opens, once a minute at the most, and once when all of them are filled."""
        nonlocal flagged, flagged_at
        gaps = store.progress[source].gaps if source in store.progress else []
        meters.missing.labels(source).set(sum(last - first + 1 for first, last in gaps))
        if gaps and gaps[-1][1] > flagged and time.monotonic() - flagged_at > _FLAGGED_EVERY_S:
            first, last = next(gap for gap in gaps if gap[1] > flagged)
            service.log.warning("sequences_missed", source=source, first=first, last=last, position=store.head.batch)
            flagged, flagged_at = gaps[-1][1], time.monotonic()
        elif flagged and not gaps:
            service.log.info("sequences_filled", source=source, through=store.progress[source].through)
            flagged, flagged_at = 0, float("-inf")

    flag_gaps()

    @service.reads(stream, after=after, batch_max=settings.read_max)
    async def record(entries: list[Entry]) -> None:
        for portion in _portions(entries, by_day=settings.trust_recorded):
            if service.stopping.is_set():
                return  # the offset says how far it came
            began = time.perf_counter()
            try:
                outcome = record_entries(
                    store,
                    stream,
                    source,
                    role,
                    portion,
                    now=time.time_ns() // 1000,
                    told=_told_at(portion[0][0]),
                    trust_recorded=settings.trust_recorded,
                )
            except Fenced as fenced:
                service.log.warning("ledger_fenced", source=source, position=store.head.batch, reason=str(fenced))
                raise  # started again, it reads on from where the other one came
            stored.set()
            ms = round((time.perf_counter() - began) * 1000, 2)
            lag_ms = max(0, time.time_ns() // 1_000_000 - entry_order(portion[0][0])[0])
            meters.count(source, outcome, ms, lag_ms)
            service.tally.info(
                "batch_recorded",
                source=source,
                position=outcome.head.batch,
                batches=1,
                entries=len(portion),
                events=outcome.events,
                sequence_max=store.progress[source].newest if source in store.progress else 0,
                postings=outcome.postings,
                duplicates=outcome.duplicates,
                refused=len(outcome.refused),
                lag_ms_max=lag_ms,
                ms=ms,
                ms_max=ms,
            )
            _log_refusals(service, source, outcome)
            flag_gaps()
            await asyncio.sleep(0)  # the other sources and the telling have their turn


async def _look_back(service: Service, reader: Reader) -> None:
    at = reader.position
    if at == "0-0" or await service.redis.xrange(reader.stream, at, at):
        return
    last = cast(list[tuple[bytes, Any]], await service.redis.xrevrange(reader.stream, count=1))
    service.log.warning(
        "stream_receded",
        stream=reader.stream,
        position=at,
        end=last[0][0].decode() if last else None,
        entries=await service.redis.xlen(reader.stream),
    )
    reader.rewind()


def _keep_checkpoints(service: Service, settings: LedgerSettings, store: Store, signer: Signer) -> None:
    """Refuse a store that is behind its newest checkpoint, or other; sign one a minute from now on, and at the end."""
    file = settings.checkpoints
    signed = Gauge("waferline_checkpoint_position", "The last batch signed", registry=service.registry)

    def sign() -> None:
        with file.open("ab") as held:
            fcntl.flock(held, fcntl.LOCK_EX)  # a second ledger on the store may be about to sign, too
            newest = newest_checkpoint(file, signer.verifier, epoch=store.epoch)
            if store.head.batch > (0 if newest is None else newest.batch):
                append_checkpoint(file, sign_checkpoint(checkpoint_of(store), signer))
                signed.set(store.head.batch)
                position, head = store.head.batch, store.head.hash.hex()
                service.log.info("checkpoint_signed", position=position, events=store.last_event, head=head)

    @service.run_beside
    async def sign_now_and_then() -> None:
        while True:
            await asyncio.sleep(settings.checkpoint_every_s)
            sign()

    file.parent.mkdir(parents=True, exist_ok=True)
    file.open("ab").close()  # what cannot be written later is to be told now
    try:
        newest = newest_checkpoint(file, signer.verifier, epoch=store.epoch)
    except Untrusted as why:
        if why.fault != "other_origin":
            raise
        raise RuntimeError(
            f"{file} holds the checkpoints of another store than this one, of epoch {store.epoch} at batch"
            f" {store.head.batch}: was the store deleted, or moved? Put it back, or, if a new one is meant, move {file}"
            " away"
        ) from why
    if newest is not None and (newest.batch > store.head.batch or store.hash_of(newest.batch) != newest.head):
        raise RuntimeError(
            f"the store is at batch {store.head.batch}, and is not what the checkpoint of batch {newest.batch} in"
            f" {file} sealed: was an old copy put back? Put the newer one back, or, if there is none and what came"
            f" after is given up, move {file} away: docs/deployment.md says how"
        )
    signed.set(0 if newest is None else newest.batch)
    service.at_end.append(sign)


def _portions(entries: list[Entry], *, by_day: bool = False) -> Iterator[list[Entry]]:
    """Yield what goes into one transaction: a backlog at once would keep the others waiting, and fill the memory.

    Where senders say when they are recorded, what goes together is of one day, as what was known is asked by the day.
    """
    portion: list[Entry] = []
    size, day = 0, b""
    for entry in entries:
        before, day = day, _day_recorded(entry[1]) if by_day else b""
        if portion and (day != before or size + len(entry[1]) > _TRANSACTION_BYTES_MAX):
            yield portion
            portion, size = [], 0
        portion.append(entry)
        size += len(entry[1])
    yield portion


def _day_recorded(body: bytes) -> bytes:
    """Return the day that an entry says it was recorded on, in its way of saying it; nothing if it says none."""
    said = _RECORDED(body)
    return b"" if said is None else said[2] or b"%d" % (int(said[1]) // DAY_US)


def _log_refusals(service: Service, source: str, outcome: Outcome) -> None:
    for refused in outcome.refused[:REFUSALS_SAID_MAX]:
        service.log.warning(
            "event_refused",
            source=source,
            sequence=refused.sequence,
            id=refused.id,
            code=refused.code,
            path=refused.path,
            reason=refused.message,
            position=outcome.head.batch,
        )
    more = outcome.refused[REFUSALS_SAID_MAX:]
    if more:
        codes = PlainCounter(refused.code for refused in more)
        service.log.warning(
            "refusals_left_out", source=source, refused=len(more), codes=codes, position=outcome.head.batch
        )


def _told_at(entry_id: str) -> int | None:
    """Return when an entry was said, microseconds since 1970; None where its sender chose an id that is no time."""
    milliseconds = entry_order(entry_id)[0]
    return milliseconds * 1000 if milliseconds < _TIME_MS_MAX else None


async def _read_told(service: Service, store: Store) -> int:
    """Return the last batch whose postings stand on the stream, 0 for none of ours; raise if another store told it."""
    last = cast(list[tuple[bytes, dict[bytes, bytes]]], await service.redis.xrevrange(POSTINGS, count=1))
    if not last:
        return 0
    epoch, batch = entry_order(last[0][0].decode())
    if epoch > store.epoch:
        raise RuntimeError(f"{POSTINGS} holds batches of a later store ({epoch}): is this an old one?")
    if epoch < store.epoch:
        return 0
    head = orjson.loads(last[0][1][DATA.encode()])["head"]
    if batch > store.head.batch or head != store.hash_of(batch).hex():
        store.expect_alone()
        raise RuntimeError(
            f"{POSTINGS} holds batch {batch} of another history than this store, at {store.head.batch}. Was an "
            "old copy put back? Give it an empty Redis, or put the newer one back. Does a second ledger run? Stop one"
        )
    return batch


class _Meters:
    """What the ledger counts for /metrics."""

    def __init__(self, service: Service, store: Store, sources: Sequence[str]) -> None:
        self.position = 0  # up to here all is told
        self.events = Counter("waferline_events_recorded", "Events recorded", ["source"], registry=service.registry)
        self.refused = Counter(
            "waferline_events_refused", "Events refused", ["source", "code"], registry=service.registry
        )
        self.duplicates = Counter(
            "waferline_events_duplicated", "Events said again", ["source"], registry=service.registry
        )
        self.missing = Gauge(
            "waferline_sequences_missing", "Sequences not heard below the newest", ["source"], registry=service.registry
        )
        head = Gauge("waferline_ledger_position", "The last batch recorded", registry=service.registry)
        head.set_function(lambda: store.head.batch)
        told = Gauge("waferline_ledger_told", "The last batch told on the streams", registry=service.registry)
        told.set_function(lambda: self.position)
        self.work = Histogram(
            "waferline_recording_seconds", "Time a batch takes", registry=service.registry, buckets=TIME_BUCKETS_S
        )
        self.lag = Histogram(
            "waferline_recording_lag_seconds",
            "From stream to store",
            registry=service.registry,
            buckets=TIME_BUCKETS_S,
        )
        for source in sources:  # a counter that begins at 1 is no rise to who watches it: all begin at 0
            self.events.labels(source)
            self.duplicates.labels(source)
            for code in get_args(ReasonCode):
                self.refused.labels(source, code)

    def count(self, source: str, outcome: Outcome, ms: float, lag_ms: float) -> None:
        self.work.observe(ms / 1000)
        self.lag.observe(lag_ms / 1000)
        self.events.labels(source).inc(outcome.events)
        self.duplicates.labels(source).inc(outcome.duplicates)
        for refused in outcome.refused:
            self.refused.labels(source, refused.code).inc()
