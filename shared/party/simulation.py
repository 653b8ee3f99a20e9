"""Simulation of a party: it acts day by day, in step with the other parties."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Protocol

from shared.party.party import Party
from shared.service.entries import Entry
from shared.service.readers import Handler
from shared.wire.days import DAY, DAY_US, day_number, microseconds
from shared.wire.entry_reader import read_entry
from shared.wire.events import Event
from shared.wire.rows import WATERMARKS, Row, watermark_of
from shared.wire.streams import Role, party_stream


class SimulatedParty(Protocol):
    """A party's decisions: a function of its scenario, its seed and the other parties' events."""

    def act(self, day: date, observed: Sequence[Row]) -> list[Event | dict[str, Any]]:
        """Return the party's events of a day; `observed` are the others' up to the lag before it, each given once."""


class Simulation:
    """Runs a simulated party through the days from `start` to `until`, as a task of its service.

    Acting for a day, the party knows only the others' events up to `lag_days` before, sorted, and waits until each of
    the others has published all of them: its decisions depend on their events, never on when those arrive.
    """

    def __init__(
        self,
        party: Party,
        simulated: SimulatedParty,
        others: Mapping[str, Role],
        *,
        start: date,
        until: date,
        lag_days: int,
        pace_s: float,
        wait_until_declared: Callable[[date], Awaitable[None]],
    ) -> None:
        self.party = party
        self.simulated = simulated
        self.start = start
        self.until = until
        self.lag = timedelta(days=lag_days)
        self.pace_s = pace_s
        self.wait_until_declared = wait_until_declared
        self.observed = ObservedEvents(others)
        self.observed.read_by(party)
        party.intake.simulated = True
        party.service.run_beside(self._run)

    async def _run(self) -> None:
        party, outbox, verdicts = self.party, self.party.outbox, self.party.verdicts
        day = self.start
        began = time.monotonic()
        while day <= self.until:
            known_day = day - self.lag
            if known_day >= self.start:
                await self.observed.wait_through(known_day)
                await self.wait_until_declared(known_day)
            last = outbox.last
            events = self.simulated.act(day, self.observed.take_through(known_day))
            party.publish(events, microseconds(datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC)))
            async with verdicts.changed:
                await verdicts.changed.wait_for(lambda: verdicts.unrecorded <= party.unrecorded_max)
            if outbox.last > last:  # a day that a restart simulates again takes no time
                await asyncio.sleep(self.pace_s)
            day += DAY
        async with verdicts.changed:
            await verdicts.changed.wait_for(lambda: verdicts.unrecorded <= 0)
        party.service.log.info(
            "simulation_ended",
            through=self.until.isoformat(),
            position=verdicts.through,
            said=outbox.last,
            ms=round((time.monotonic() - began) * 1000),
        )


class ObservedEvents:
    """The other parties' events that the simulation has read from their streams and not yet used."""

    def __init__(self, others: Mapping[str, Role]) -> None:
        self.others = others
        self.rows: dict[str, list[Row]] = {source: [] for source in others}
        self.last_sequence = dict.fromkeys(others, 0)
        self.watermark = dict.fromkeys(others, -1)  # source -> its greatest watermark
        self.changed = asyncio.Condition()

    def read_by(self, party: Party) -> None:
        """Have a party's service read the streams of the others."""
        for source, role in self.others.items():
            party.service.reads(party_stream(role, source), after="0-0", batch_max=50)(self.handler(source, role))

    def handler(self, source: str, role: Role) -> Handler:
        """Return the handler of one source's stream."""

        async def read(entries: list[Entry]) -> None:
            for _, body in entries:
                rows, refused, _ = read_entry(body, source, role)
                for row in rows:
                    if row.sequence > self.last_sequence[source] and not row.name.startswith("lot."):
                        self.rows[source].append(row)
                        if row.name in WATERMARKS:
                            self.watermark[source] = max(watermark_of(row), self.watermark[source])
                sequences = [row.sequence for row in rows] + [r.sequence for r in refused if r.sequence is not None]
                self.last_sequence[source] = max([self.last_sequence[source], *sequences])
            async with self.changed:
                self.changed.notify_all()

        return read

    async def wait_through(self, day: date) -> None:
        """Wait until every other party has published all its events up to a day."""
        number = day_number(day)
        async with self.changed:
            await self.changed.wait_for(lambda: min(self.watermark.values(), default=number) >= number)

    def take_through(self, day: date) -> list[Row]:
        """Return the events up to the end of a day that were not taken before, by (time, source, sequence)."""
        end = (day_number(day) + 1) * DAY_US
        taken = [row for rows in self.rows.values() for row in rows if row.time < end]
        self.rows = {source: [row for row in rows if row.time >= end] for source, rows in self.rows.items()}
        return sorted(taken, key=lambda row: (row.time, row.source, row.sequence))
