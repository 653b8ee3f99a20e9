"""One simulated supplier: what it promises, starts, scraps, finishes and ships, day by day."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from shared.batch import Row
from shared.catalog import CATALOG, is_hbm
from shared.events import (
    EPOCH,
    FIRMNESS,
    LOT_WAFERS_MAX,
    UNALLOCATED,
    Event,
    EventData,
    Firmness,
    LotFinished,
    LotScrapped,
    LotStarted,
    ShipmentDispatched,
    ShipmentLost,
    ShipmentRevised,
    SourceAdvanced,
    SupplyAgreed,
    SupplyCommitted,
)
from shared.scenario import Scenario, Variant, first_of_month, latest, split_headline
from shared.voice import Voice

DAY = timedelta(days=1)
OPENING = timedelta(hours=6)  # the first event of a day
PACE = timedelta(seconds=4)  # between two events
CLOSING = timedelta(hours=23, minutes=59, seconds=59)  # the watermark
SCRAP_CAUSES = ("wafer broken", "particles", "litho rework failed", "bow out of limits")


@dataclass(slots=True)
class Commit:
    """A promise on an order, and how far it has got."""

    line: str
    product: str
    site: str
    due: date
    wafers: int
    ship_on: date
    to_start: int
    firmness: Firmness = "material"
    revision: int = 0
    said: str = ""  # id of the event that last said it
    in_process: int = 0  # lots
    finished: int = 0  # wafers that can be shipped
    finished_lots: list[str] = field(default_factory=list)
    dispatched: int = 0
    withdrawn: bool = False

    @property
    def is_done(self) -> bool:
        """Whether nothing more will be shipped on it."""
        return not (self.to_start or self.in_process or self.finished)


@dataclass(slots=True)
class Lot:
    """A lot in process."""

    name: str
    commit: Commit
    wafers: int
    said: str


@dataclass(slots=True)
class Outlook:
    """A promise on a forecast: planned, and withdrawn as the orders come."""

    due: date
    wafers: int
    revision: int = 0


class Fab:
    """A supplier that answers what it hears and says what its fabs do."""

    def __init__(
        self, scenario: Scenario, supplier: str, seed: int, start: date, until: date, variant: Variant
    ) -> None:
        self._scenario = scenario
        self._source = supplier
        self._self = scenario.suppliers[supplier]
        self._variant = variant
        self._start, self._until, self._today = start, until, start - DAY
        self._random = random.Random(f"{seed}:{supplier}:{variant}").random  # noqa: S311 - a simulation
        self._voice = Voice(supplier)
        self._said: list[Event | dict[str, Any]] = []
        self._time = datetime.min.replace(tzinfo=UTC)
        self._mistakes = scenario.mistakes_of(supplier)
        self._diversions = {w.site: w.divert_to for w in scenario.events.withdrawals}
        self._commits: dict[str, Commit] = {}
        self._closed: set[str] = set()
        self._outlooks: dict[str, Outlook] = {}
        self._to_start: dict[date, list[tuple[Commit, int]]] = {}
        self._waiting: list[tuple[Commit, int]] = []  # for capacity
        self._to_scrap: dict[date, list[Lot]] = {}
        self._to_finish: dict[date, list[Lot]] = {}
        self._to_ship: dict[date, list[Commit]] = {}
        self._to_revise: dict[date, list[tuple[ShipmentDispatched, str, bool]]] = {}
        self._yield_carry: dict[str, int] = {}
        self._lots = self._shipments = 0

    def act(self, day: date, heard: Sequence[Row]) -> list[Event | dict[str, Any]]:
        """Return all that this supplier says on a day, the last being that it has said all.

        Days follow each other; `heard` is what the sites said up to the lag before, each event once.
        """
        if day != self._today + DAY or day > self._until:
            raise ValueError(f"{day} does not follow {self._today} within {self._start} to {self._until}")
        self._today = day
        self._time = datetime(day.year, day.month, day.day, tzinfo=UTC) + OPENING
        self._said = []
        if day == self._start:
            self._agree_headline()
        self._play_script()
        for row in heard:
            if row.name == "demand.required":
                self._answer_order(row)
            elif row.name == "demand.forecast":
                self._answer_forecast(row)
        self._start_lots()
        self._scrap_wafers()
        self._finish_lots()
        self._ship_commits()
        self._revise_shipments()
        self._time = self._time.replace(hour=0, minute=0, second=0) + CLOSING
        self._say(SourceAdvanced(through=day))
        return self._said

    # ------------------------------------------------------------ saying

    def _say(self, data: EventData, cause: str | None = None) -> str:
        """Say an event, and before it what the scenario lets this source say wrong; return the event's id."""
        for mistake in self._mistakes:
            if mistake.day > self._today:
                break
            if mistake.event == data.type:
                self._mistakes.remove(mistake)
                self._said.append(self._voice.misspeak(self._time, data, **mistake.wrong))
                self._time += PACE
                break
        event = self._voice.say(self._time, data, cause=cause)
        self._time += PACE
        self._said.append(event)
        return event.id

    def _say_commit(self, commit: Commit, cause: str | None, reason: str = "") -> None:
        commit.said = self._say(
            SupplyCommitted(
                product=commit.product, site=commit.site, supplier=self._source, line=commit.line, due=commit.due,
                firmness=commit.firmness, wafers=commit.wafers, revision=commit.revision, reason=reason,
            ),
            cause,
        )  # fmt: skip

    def _revise_commit(self, commit: Commit, reason: str, cause: str | None = None) -> None:
        commit.revision += 1
        self._say_commit(commit, cause or commit.said, reason)

    def _firm_up(self, commit: Commit, firmness: Firmness, cause: str) -> None:
        """Say that a commit has become more certain; it never becomes less so."""
        if not commit.withdrawn and FIRMNESS.index(firmness) > FIRMNESS.index(commit.firmness):
            commit.firmness = firmness
            self._revise_commit(commit, "", cause)

    # ------------------------------------------------------------ promises

    def _agree_headline(self) -> None:
        headline = self._scenario.headline
        for product, wafers in split_headline(self._scenario, self._source).items():
            self._say(
                SupplyAgreed(
                    product=product, site=UNALLOCATED, supplier=self._source, instrument="LOI", revision=0,
                    agreement=f"{headline.agreement}:{product}", wafers_per_month=wafers,
                    starts_on=headline.starts_on.value, ends_on=headline.ends_on.value,
                )
            )  # fmt: skip

    def _promise(self, product: str, started: date, wafers: int, priority: int | None) -> int:
        """Return the whole wafers that this supplier can promise of a demand for wafers started in a month."""
        month = first_of_month(started)
        share = self._scenario.share(self._source, product, month) * self._scenario.commit_over_demand(month)
        allotment = self._scenario.allotment_percent_by_priority.value.get(priority or 0, 100)
        return int(wafers * share * allotment / 100)

    def _answer_forecast(self, row: Row) -> None:
        assert row.line and row.product and row.site and row.day is not None and row.wafers is not None
        due = EPOCH + row.day * DAY
        lead = self._scenario.lead_time(row.product)
        wafers = self._promise(row.product, due - lead.cycle - lead.transit, row.wafers, priority=None)
        outlook = self._outlooks.get(row.line)
        if outlook is None:
            if wafers == 0:
                return
            outlook = self._outlooks[row.line] = Outlook(due, wafers)
        elif (outlook.due, outlook.wafers) == (due, wafers):
            return
        else:
            outlook.due, outlook.wafers, outlook.revision = due, wafers, outlook.revision + 1
        self._say(
            SupplyCommitted(
                product=row.product, site=row.site, supplier=self._source, line=row.line, due=due, firmness="planned",
                wafers=wafers, revision=outlook.revision, reason="" if wafers else "orders have taken its place",
            ),
            row.id,
        )  # fmt: skip

    def _answer_order(self, row: Row) -> None:
        assert row.line and row.product and row.site and row.day is not None and row.wafers is not None
        commit = self._commits.get(row.line)
        due = EPOCH + row.day * DAY
        if commit is None:
            start_by = date.fromisoformat(row.others["start_by"])
            if start_by >= self._start and row.wafers and row.line not in self._closed:
                wafers = self._promise(row.product, start_by, row.wafers, row.others["priority"])
                if wafers:
                    self._take_order(row, due, start_by, wafers)
        elif row.wafers == 0 and not commit.withdrawn:
            commit.withdrawn, commit.wafers, commit.to_start = True, 0, 0
            self._revise_commit(commit, "order withdrawn", row.id)
        elif due != commit.due and not commit.withdrawn:
            self._postpone(commit, due)
            self._revise_commit(commit, "order postponed", row.id)

    def _take_order(self, row: Row, due: date, start_by: date, wafers: int) -> None:
        """Promise wafers for an order, and spread the start of their lots over the days before they must start."""
        assert row.line and row.product and row.site
        ship_on = max(due - self._scenario.lead_time(row.product).transit, self._today)
        commit = self._commits[row.line] = Commit(row.line, row.product, row.site, due, wafers, ship_on, wafers)
        self._to_ship.setdefault(ship_on, []).append(commit)
        self._say_commit(commit, row.id)
        days = self._scenario.play.start_days
        lots = -(-wafers // LOT_WAFERS_MAX)
        for n in range(days):
            first, last = (min(lots * k // days * LOT_WAFERS_MAX, wafers) for k in (n, n + 1))
            if last > first:
                day = max(start_by - (days - 1 - n) * DAY, self._today)
                self._to_start.setdefault(day, []).append((commit, last - first))

    def _postpone(self, commit: Commit, due: date) -> None:
        """Move a commit to another due day, and its next shipment with it."""
        commit.ship_on = max(commit.ship_on + (due - commit.due), self._today)
        commit.due = due
        self._to_ship.setdefault(commit.ship_on, []).append(commit)

    # ------------------------------------------------------------ lots

    def _start_lots(self) -> None:
        """Start the lots of the day as far as the capacities for DRAM and, for HBM, for TSV go; the rest waits."""
        fabs = [fab.name for fab in self._self.fabs if fab.opens_on <= self._today]
        dram = self._room(self._self.dram_wafers_per_month)
        tsv = self._room(self._self.tsv_wafers_per_month)
        waiting, self._waiting = self._waiting + self._to_start.pop(self._today, []), []
        for commit, planned in waiting:
            wafers = min(planned, commit.to_start)
            room = min(dram, tsv) if is_hbm(commit.product) else dram
            started = min(wafers, room)
            for lot_wafers in _divide(started):
                self._start_lot(commit, lot_wafers, fabs[self._lots % len(fabs)])
            dram -= started
            tsv -= started if is_hbm(commit.product) else 0
            if started < wafers:
                self._waiting.append((commit, wafers - started))

    def _room(self, capacity: dict[date, Any]) -> int:
        """Return the wafers that may start today of a capacity a month, as much of it as one programme gets."""
        return int(latest(capacity, self._today).value) * self._self.programme_percent.value * 12 // (100 * 365)

    def _start_lot(self, commit: Commit, wafers: int, fab: str) -> None:
        play, product = self._scenario.play, commit.product
        cycle = self._scenario.lead_time(product).cycle
        self._lots += 1
        name = f"L{self._lots:07d}"
        said = self._say(
            LotStarted(
                product=product, site=commit.site, supplier=self._source, wafers=wafers, lot=name, fab=fab,
                due_out=self._today + cycle,
            ),
            commit.said,
        )  # fmt: skip
        lot = Lot(name, commit, wafers, said)
        commit.to_start -= wafers
        commit.in_process += 1
        if commit.firmness == "material":
            self._firm_up(commit, "manufacturing", said)
        wobble = int(self._random() * (play.early_days + play.late_days + 1)) - play.early_days
        self._to_finish.setdefault(self._today + cycle + wobble * DAY, []).append(lot)
        if self._random() < wafers * float(1 - CATALOG[product].line_yield):
            days = 1 + int(self._random() * (cycle.days - play.early_days - 1))
            self._to_scrap.setdefault(self._today + days * DAY, []).append(lot)

    def _scrap_wafers(self) -> None:
        for lot in self._to_scrap.pop(self._today, []):
            if lot.wafers:
                self._scrap(lot, 1, SCRAP_CAUSES[int(self._random() * len(SCRAP_CAUSES))])

    def _scrap(self, lot: Lot, wafers: int, cause: str) -> None:
        lot.wafers -= wafers
        commit = lot.commit
        self._say(
            LotScrapped(
                product=commit.product, site=commit.site, supplier=self._source, wafers=wafers, lot=lot.name,
                cause=cause,
            ),
            lot.said,
        )  # fmt: skip

    def _finish_lots(self) -> None:
        probed = {product: self._probe_percent(product) for product in CATALOG}
        for lot in self._to_finish.pop(self._today, []):
            commit = lot.commit
            commit.in_process -= 1
            if lot.wafers == 0:  # all scrapped: there is nothing left to finish
                continue
            credit = self._credit(commit.product, lot.wafers, probed[commit.product])
            said = self._say(
                LotFinished(
                    product=commit.product, site=commit.site, supplier=self._source, wafers=credit, lot=lot.name,
                    yield_variance=lot.wafers - credit,
                ),
                lot.said,
            )  # fmt: skip
            commit.finished += credit
            commit.finished_lots.append(lot.name)
            if commit.firmness == "manufacturing":
                self._firm_up(commit, "firm", said)

    def _credit(self, product: str, wafers: int, probe_percent: int) -> int:
        """Return what the wafers that came through are worth at planned yield.

        The plan has a line yield before the probe. The fraction left over is carried to the product's next lot.
        """
        planned = CATALOG[product]
        spread = self._scenario.play.probe_spread_percent
        probed = probe_percent + int(self._random() * (2 * spread + 1)) - spread
        worth = wafers * probed * 100 + self._yield_carry.get(product, 0)
        plan = int(planned.line_yield * 100) * int(planned.probe_yield * 100)
        credit, self._yield_carry[product] = divmod(worth, plan)
        return credit

    def _probe_percent(self, product: str) -> int:
        """Return the real yield at probe: as planned, unless the scenario knows better."""
        for excursion in self._scenario.events.yield_excursions:
            if (excursion.supplier, excursion.product) == (self._source, product):
                if excursion.day <= self._today < excursion.day + timedelta(weeks=excursion.weeks):
                    return excursion.probe_percent
        known = self._self.probe_percent.get(product)
        return latest(known.value, self._today) if known else int(CATALOG[product].probe_yield * 100)

    # ------------------------------------------------------------ shipments

    def _ship_commits(self) -> None:
        """Ship what is finished of each commit whose day it is; what is not comes a week later."""
        for commit in self._to_ship.pop(self._today, []):
            if commit.ship_on != self._today:  # it was postponed
                continue
            if commit.finished:
                self._firm_up(commit, "immediate", commit.said)
                self._dispatch(commit)
            if commit.is_done:
                self._close(commit)
            else:
                commit.ship_on += timedelta(weeks=1)
                self._to_ship.setdefault(commit.ship_on, []).append(commit)

    def _dispatch(self, commit: Commit) -> None:
        self._shipments += 1
        shipment = ShipmentDispatched(
            product=commit.product, site=commit.site, supplier=self._source, wafers=commit.finished,
            shipment=f"S{self._shipments:06d}", commit=None if commit.withdrawn else commit.line,
            eta=self._today + self._scenario.lead_time(commit.product).transit, lots=commit.finished_lots,
        )  # fmt: skip
        said = self._say(shipment, commit.said)
        commit.dispatched += commit.finished
        commit.finished, commit.finished_lots = 0, []
        divert_to = self._diversions.get(commit.site)
        if commit.withdrawn and divert_to:
            self._say_revised(shipment, shipment.eta, divert_to, said)
            return
        luck = int(self._random() * 1000)
        play = self._scenario.play
        if luck < play.lost_permille + play.delayed_permille:
            lost = luck < play.lost_permille
            self._to_revise.setdefault(self._today + 3 * DAY, []).append((shipment, said, lost))

    def _close(self, commit: Commit) -> None:
        """Forget a commit that is shipped; what it lacks will not come any more."""
        if commit.dispatched < commit.wafers:
            commit.wafers = commit.dispatched
            self._revise_commit(commit, "closed short: yield and scrap")
        self._closed.add(commit.line)
        del self._commits[commit.line]

    def _revise_shipments(self) -> None:
        """Say which shipments on their way are late, and which are lost."""
        for shipment, said, lost in self._to_revise.pop(self._today, []):
            if lost:
                self._say(
                    ShipmentLost(
                        product=shipment.product, site=shipment.site, supplier=self._source, wafers=shipment.wafers,
                        shipment=shipment.shipment, owner=self._source,
                    ),
                    said,
                )  # fmt: skip
            else:
                self._say_revised(shipment, shipment.eta + (1 + int(self._random() * 9)) * DAY, shipment.site, said)

    def _say_revised(self, shipment: ShipmentDispatched, eta: date, site: str, cause: str) -> None:
        self._say(
            ShipmentRevised(
                product=shipment.product, site=site, supplier=self._source, shipment=shipment.shipment, eta=eta,
                revision=1,
            ),
            cause,
        )  # fmt: skip

    # ------------------------------------------------------------ the script

    def _play_script(self) -> None:
        """Let happen what the scenario has for this day; capacities and excursions act through their dates."""
        events = self._scenario.events
        for agreed in events.reported_agreements:
            if (agreed.day, agreed.supplier) == (self._today, self._source):
                self._say(
                    SupplyAgreed(
                        product=agreed.product, site=UNALLOCATED, supplier=self._source, revision=0,
                        agreement=agreed.agreement, instrument=agreed.instrument, starts_on=agreed.starts_on,
                        ends_on=agreed.ends_on, wafers_per_month=agreed.wafers_per_month,
                    )
                )  # fmt: skip
        for scrapped in events.scrapped_wafers:
            if (scrapped.day, scrapped.supplier) == (self._today, self._source):
                self._lose_lots(scrapped.product, scrapped.wafers, scrapped.cause)
        for slipped in events.rescheduled_commits:
            if (slipped.day, slipped.supplier) == (self._today, self._source):
                self._slip_commits(slipped.product, slipped.wafers, timedelta(weeks=slipped.weeks))

    def _in_process(self, product: str) -> Iterator[Lot]:
        """Yield the lots of a product in process, the next to finish first."""
        for day in sorted(self._to_finish):
            yield from (lot for lot in self._to_finish[day] if lot.commit.product == product and lot.wafers)

    def _lose_lots(self, product: str, wafers: int, cause: str) -> None:
        """Scrap whole lots until so many wafers are lost, and promise that much less."""
        short: dict[str, Commit] = {}
        for lot in self._in_process(product):
            lost = min(lot.wafers, wafers)
            if lost == 0:
                break
            self._scrap(lot, lost, cause)
            wafers -= lost
            lot.commit.wafers = max(lot.commit.wafers - lost, 0)
            short[lot.commit.line] = lot.commit
        for commit in short.values():
            if not commit.withdrawn:
                self._revise_commit(commit, cause)

    def _slip_commits(self, product: str, wafers: int, delay: timedelta) -> None:
        """Move commits in the fab and their lots, the earliest due first, until so many wafers have slipped."""
        slipped: set[str] = set()
        for commit in sorted(self._commits.values(), key=lambda c: (c.due, c.line)):
            in_fab = commit.product == product and commit.firmness == "manufacturing" and not commit.withdrawn
            if in_fab and commit.wafers <= wafers:
                wafers -= commit.wafers
                slipped.add(commit.line)
                self._postpone(commit, commit.due + delay)
                self._revise_commit(commit, "slipped")
        late = {day: [lot for lot in lots if lot.commit.line in slipped] for day, lots in self._to_finish.items()}
        for day, lots in late.items():
            self._to_finish[day] = [lot for lot in self._to_finish[day] if lot.commit.line not in slipped]
            self._to_finish.setdefault(day + delay, []).extend(lots)


def _divide(wafers: int) -> Iterator[int]:
    """Yield the sizes of the lots that so many wafers make."""
    for first in range(0, wafers, LOT_WAFERS_MAX):
        yield min(LOT_WAFERS_MAX, wafers - first)
