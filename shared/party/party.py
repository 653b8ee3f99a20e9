"""A party at work: outbox, sender, intake over HTTP, and a simulation that lives its days in step with the others."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import orjson
from prometheus_client import Gauge
from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shared.http.access import ScopedRoute, publish_scope
from shared.http.problem import SIMULATED, TOO_LONG, TOO_MANY_WAIT, problem
from shared.party.intake import INTAKE_BYTES_MAX, hand_in
from shared.party.outbox import Outbox, Said
from shared.play.scenario import Variant
from shared.process.log import REFUSALS_SAID_MAX
from shared.process.settings import ServiceSettings
from shared.service.entries import Entry, publish_entries
from shared.service.service import Service
from shared.wire.batch import BATCH_MAX, ENTRY_BYTES_MAX, EventBatch, Row, read_entry
from shared.wire.days import DAY_US, day_number, microseconds
from shared.wire.events import Event
from shared.wire.postings import Recorded
from shared.wire.refusal import Refusal
from shared.wire.streams import Role, party_stream, recorded_stream

_RESEND_AFTER_S = 10.0
_SENT_AT_ONCE = 50  # entries in one round trip
_UNRECORDED_MAX = 100_000  # events: beyond, a simulation waits for the ledger, and the door sends its callers away
_VERDICT_WAIT_S = 10.0


class PartySettings(ServiceSettings):
    """What a party must know before it starts."""

    source: str = Field(description="whose events it says")
    outbox_dir: Path = Field(default=Path("data/outbox"), description="the folder of its outbox: keep it")
    scenario: Path | None = Field(default=None, description="simulate this party of a scenario; none: take events")
    variant: Variant = Field(default="loi_headline", description="of the scenario")
    seed: int = Field(default=2026, description="another seed, another life of every lot")
    until: date = Field(default=date(2027, 12, 31), description="the last day to simulate")
    pace_s: float = Field(default=0, ge=0, description="seconds that a simulated day takes at the least")


class Simulated(Protocol):
    """A simulated party: a function of its scenario, its seed and what it hears."""

    def act(self, day: date, heard: Sequence[Row]) -> list[Event | dict[str, Any]]:
        """Return what the party says on a day, having heard what the others said up to the lag before."""


class Party:
    """One source: what it says goes through its outbox to its stream, until the ledger has judged it."""

    def __init__(self, service: Service, settings: PartySettings, role: Role) -> None:
        self.service = service
        self.source = settings.source
        self.role = role
        self.stream = party_stream(role, settings.source)
        self.outbox = Outbox(settings.outbox_dir / f"{settings.source}.db")
        self.through = self.outbox.last - len(self.outbox)  # all up to here is recorded or refused, and forgotten
        self.sent = 0
        self.judged_at = time.monotonic()  # when `through` grew last
        self.refusals: dict[int, Refusal] = {}
        self.spoke = asyncio.Event()
        self.judged = asyncio.Condition()
        self.simulating = False
        service.log = service.tally.log = service.log.bind(source=self.source)
        self.refusals_heard = self.outbox.last - len(self.outbox)  # a start hears all again, and logs none twice
        service.facts = lambda: {
            "source": self.source,
            "position": self.through,
            "said": self.outbox.last,
            "recorded": self.through,
        }
        Gauge("waferline_outbox_events", "Events not yet recorded", registry=service.registry).set_function(
            lambda: len(self.outbox)
        )
        service.routes.append(ScopedRoute("/events", self._take, scope=publish_scope(self.source), methods=["POST"]))
        service.reads(recorded_stream(self.source), after="0-0")(self._hear_verdicts)
        service.run_beside(self._send)
        service.at_end.append(self.outbox.connection.close)

    def say(self, events: Sequence[Event | dict[str, Any]], recorded_at: int | None = None) -> None:
        """Store some events in the outbox, and have them sent."""
        self.outbox.put([*_entries(events, recorded_at)])
        self.spoke.set()

    async def _send(self) -> None:
        """Send what the outbox holds; what the ledger has not named after a while is sent again."""
        since, through, patience = time.monotonic(), self.through, _RESEND_AFTER_S
        while True:
            if self.sent <= self.through:
                since, through, patience = time.monotonic(), self.through, _RESEND_AFTER_S
            elif self.through > through:
                since, through, patience = self.judged_at, self.through, _RESEND_AFTER_S
            if time.monotonic() - since > patience:
                self.service.log.warning("events_resent", position=self.through, events=self.sent - self.through)
                self.sent, since = self.through, time.monotonic()
                patience *= 2  # a ledger that is away for long does not need it again and again
            entries = self.outbox.after(max(self.sent, self.through), _SENT_AT_ONCE)
            if entries:
                await publish_entries(self.service.redis, [(self.stream, entry.body, "*") for entry in entries])
                events = sum(entry.last - entry.first + 1 for entry in entries)
                self.sent = entries[-1].last
                self.service.tally.info("events_sent", position=self.sent, entries=len(entries), events=events)
                continue
            self.spoke.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.spoke.wait(), max(0.1, since + patience - time.monotonic()))

    async def _hear_verdicts(self, entries: list[Entry]) -> None:
        for _, body in entries:
            verdict = Recorded.model_validate_json(body)
            if verdict.through > self.outbox.last:
                raise RuntimeError(
                    f"the ledger has {verdict.through} events of {self.source}, its outbox said {self.outbox.last}: "
                    "was the outbox lost, or an old copy put back? Put the newer one back"
                )
            if verdict.through > self.through:
                self.through, self.judged_at = verdict.through, time.monotonic()
            self._log_refusals(verdict)
            for refusal in verdict.refusals:
                if refusal.sequence is not None:
                    self.refusals[refusal.sequence] = refusal
        self.outbox.forget(self.through)
        self.service.tally.info("verdicts_heard", position=self.through, batches=len(entries))
        async with self.judged:
            self.judged.notify_all()

    def _log_refusals(self, verdict: Recorded) -> None:
        new = [r for r in verdict.refusals if r.sequence is None or r.sequence > self.refusals_heard]
        for refusal in new[:REFUSALS_SAID_MAX]:
            self.service.log.warning(
                "refusal_heard",
                sequence=refusal.sequence,
                id=refusal.id,
                code=refusal.code,
                path=refusal.path,
                reason=refusal.message,
                position=verdict.through,
            )
        more = new[REFUSALS_SAID_MAX:]
        if more:
            codes = Counter(refusal.code for refusal in more)
            self.service.log.warning("refusals_left_out", refused=len(more), codes=codes, position=verdict.through)

    async def _take(self, request: Request) -> Response:
        """Take CloudEvents over HTTP, one a line; answer with the ledger's word on each."""
        if self.simulating:
            self.service.log.warning("request_refused", status=409, reason="simulated")
            return problem(
                SIMULATED, f"{self.source} is simulated in this run and takes no events from outside", None, request
            )
        waiting = self.outbox.last - self.through
        if waiting >= _UNRECORDED_MAX:
            self.service.log.warning("request_refused", status=429, reason="too many wait")
            detail = f"{waiting} events of {self.source} wait for the ledger: hand in again when it goes on"
            return problem(TOO_MANY_WAIT, detail, None, request)
        began = time.perf_counter()
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > INTAKE_BYTES_MAX:
                self.service.log.warning("request_refused", status=413, reason="too long", bytes=len(body))
                detail = f"the body has more than {INTAKE_BYTES_MAX} bytes: hand it in in pieces"
                return problem(TOO_LONG, detail, None, request)
        handed = hand_in(body, self.outbox)
        self.spoke.set()
        last = max((h.sequence for h in handed if h.sequence is not None), default=0)
        async with self.judged:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.judged.wait_for(lambda: self.through >= last), _VERDICT_WAIT_S)
        answers = [h.answer(self.through, self.refusals) for h in handed]
        pending = any(answer["status"] == "pending" for answer in answers)
        ms = round((time.perf_counter() - began) * 1000, 2)
        self.service.tally.info(
            "events_taken",
            position=self.outbox.last,
            requests=1,
            events=len(handed),
            duplicates=sum(answer["status"] == "duplicate" for answer in answers),
            refused=sum(answer["status"] == "refused" for answer in answers),
            pending=sum(answer["status"] == "pending" for answer in answers),
            bytes=len(body),
            ms=ms,
            ms_max=ms,
        )
        return JSONResponse(answers, status_code=202 if pending else 200)

    # ---------------------------------------------------------------- simulation

    def simulate(
        self, simulated: Simulated, others: Mapping[str, Role], start: date, until: date, lag_days: int, pace_s: float
    ) -> None:
        """Live through the days from `start` to `until` in step with the other parties.

        Acting for a day, it uses only what the others said up to `lag_days` before, sorted, and waits until they
        have said all of it: what it decides depends on what was said, never on when it arrived.
        """
        self.simulating = True
        hearing = _Hearing(others)
        for source, role in others.items():
            self.service.reads(party_stream(role, source), after="0-0", batch_max=50)(hearing.of(source, role))

        @self.service.run_beside
        async def live() -> None:
            day = start
            began = time.monotonic()
            while day <= until:
                await hearing.wait_for(day - timedelta(days=lag_days), start)
                said = self.outbox.last
                events = simulated.act(day, hearing.take(day - timedelta(days=lag_days)))
                self.say(events, microseconds(datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC)))
                async with self.judged:
                    await self.judged.wait_for(lambda: self.outbox.last - self.through <= _UNRECORDED_MAX)
                if self.outbox.last > said:  # a day lived again after a restart takes no time
                    await asyncio.sleep(pace_s)
                day += timedelta(days=1)
            async with self.judged:
                await self.judged.wait_for(lambda: self.through >= self.outbox.last)
            self.service.log.info(
                "simulation_ended",
                through=until.isoformat(),
                position=self.through,
                said=self.outbox.last,
                ms=round((time.monotonic() - began) * 1000),
            )


class _Hearing:
    """What a party has heard of the others and not yet used."""

    def __init__(self, others: Mapping[str, Role]) -> None:
        self.rows: dict[str, list[Row]] = {source: [] for source in others}
        self.heard = dict.fromkeys(others, 0)  # source -> last sequence
        self.advanced = dict.fromkeys(others, -1)  # source -> last day it has said all of
        self.changed = asyncio.Condition()

    def of(self, source: str, role: Role) -> Callable[[list[Entry]], Any]:
        """Return the reader of one source's stream."""

        async def hear(entries: list[Entry]) -> None:
            for _, body in entries:
                rows, refused, _ = read_entry(body, source, role)
                for row in rows:
                    if row.sequence > self.heard[source] and not row.name.startswith("lot."):
                        self.rows[source].append(row)
                        if row.name == "source.advanced" and row.day is not None:
                            self.advanced[source] = max(row.day, self.advanced[source])
                sequences = [row.sequence for row in rows] + [r.sequence for r in refused if r.sequence is not None]
                self.heard[source] = max([self.heard[source], *sequences])
            async with self.changed:
                self.changed.notify_all()

        return hear

    async def wait_for(self, day: date, start: date) -> None:
        """Wait until every other party has said all it knows up to a day."""
        number = day_number(day)
        async with self.changed:
            await self.changed.wait_for(lambda: day < start or min(self.advanced.values(), default=number) >= number)

    def take(self, day: date) -> list[Row]:
        """Return what was said up to the end of a day and not taken before, by (time, source, sequence)."""
        end = (day_number(day) + 1) * DAY_US
        taken = [row for rows in self.rows.values() for row in rows if row.time < end]
        self.rows = {source: [row for row in rows if row.time >= end] for source, rows in self.rows.items()}
        return sorted(taken, key=lambda row: (row.time, row.source, row.sequence))


def _entries(events: Sequence[Event | dict[str, Any]], recorded_at: int | None) -> Iterator[Said]:
    """Yield the entries that say some events: columns for what is well said, a CloudEvent for what is not."""
    run: list[Event] = []
    for event in (*events, None):
        if run and (not isinstance(event, Event) or len(run) == BATCH_MAX):
            yield from _batches(run, recorded_at)
            run = []
        if isinstance(event, Event):
            run.append(event)
        elif event is not None:
            yield Said(int(event["sequence"]), int(event["sequence"]), orjson.dumps(event))


def _batches(run: list[Event], recorded_at: int | None) -> Iterator[Said]:
    """Yield a run of events as one entry, or as halves of it where that is longer than the ledger takes."""
    body = EventBatch.of(run, recorded_at).encode()
    if len(body) <= ENTRY_BYTES_MAX or len(run) == 1:
        yield Said(run[0].sequence, run[-1].sequence, body)
    else:
        middle = len(run) // 2
        yield from _batches(run[:middle], recorded_at)
        yield from _batches(run[middle:], recorded_at)
