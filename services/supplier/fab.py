"""Simulated supplier: its commits, lots, scrap and shipments, day by day."""

import random
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from services.supplier.capacity import Booking, monday_of, week_of
from services.supplier.commits import Commit, Lot, Outlook, Route
from services.supplier.promising import LATE, Ask, BookedPromise, SupplierPromises, planned_percent
from shared.play.demand_plan import split_headline
from shared.play.scenario import Scenario
from shared.play.source_log import SourceLog
from shared.play.variants import Variant
from shared.wire.days import DAY, date_of
from shared.wire.events import (
    LOT_WAFERS_MAX,
    UNALLOCATED,
    Event,
    LotFinished,
    LotScrapped,
    LotStarted,
    ShipmentDispatched,
    ShipmentLost,
    ShipmentRevised,
    SupplyAgreed,
    SupplyCommitted,
)
from shared.wire.firmness import FIRMNESS, Firmness
from shared.wire.rows import Row

SCRAP_CAUSES = ("wafer broken", "particles", "litho rework failed", "bow out of limits")


class Fab:
    """A supplier that commits to the sites' forecasts and orders, and runs its fabs."""

    def __init__(self, scenario: Scenario, source: str, seed: int, start: date, until: date, variant: Variant) -> None:
        self._scenario = scenario
        self._source = source
        self._supplier = scenario.suppliers[source]
        self._promising = SupplierPromises(scenario, source, variant)
        self._start = self._today = start
        self._random = random.Random(f"{seed}:{source}:{variant}").random  # noqa: S311 - a simulation
        self._log = SourceLog(source, scenario.mistakes, start, until)
        self._emit = self._log.emit
        self._played = list(scenario.programme.wafer_models)
        self._routes = {product: _route(scenario, product) for product in self._played}
        self._diversions = {site.id: site.diverted_to() for site in scenario.sites.values()}
        self._answered: dict[str, date] = {}  # each order, and the day it is due
        self._commits: dict[str, Commit] = {}
        self._outlooks: dict[str, Outlook] = {}
        self._to_start: dict[date, list[tuple[Commit, str, int]]] = {}
        self._to_scrap: dict[date, list[Lot]] = {}
        self._to_finish: dict[date, list[Lot]] = {}
        self._to_ship: dict[date, list[Commit]] = {}
        self._to_revise: dict[date, list[tuple[ShipmentDispatched, str, bool]]] = {}
        self._yield_carry = dict.fromkeys(self._played, 0)
        self._lots = self._shipments = 0

    def act(self, day: date, observed: Sequence[Row]) -> list[Event | dict[str, Any]]:
        """Return the supplier's events of a day, the watermark last.

        Days follow each other; `observed` are the sites' events up to the lag before it, each given once.
        """
        self._log.begin(day)
        self._today = day
        if day == self._start:
            self._agree_headline()
        self._play_script()
        if day > self._start and self._supplier.is_revised_on(day):
            self._revise_capacity()
        self._answer_orders([row for row in observed if row.name == "demand.required"])
        for row in observed:
            if row.name == "demand.forecast":
                self._answer_forecast(row)
        self._start_lots()
        self._scrap_wafers()
        self._finish_lots()
        self._ship_commits()
        self._revise_shipments()
        return self._log.end()

    # ------------------------------------------------------------ commits

    def _publish_commit(self, commit: Commit, cause: str | None, reason: str = "") -> None:
        commit.event_id = self._emit(
            SupplyCommitted(
                product=commit.product, site=commit.site, supplier=self._source, line=commit.line, due=commit.due,
                firmness=commit.firmness, wafers=commit.wafers, revision=commit.revision, reason=reason,
            ),
            cause,
        )  # fmt: skip

    def _revise_commit(self, commit: Commit, reason: str, cause: str | None = None) -> None:
        commit.revision += 1
        self._publish_commit(commit, cause or commit.event_id, reason)

    def _firm_up(self, commit: Commit, firmness: Firmness, cause: str) -> None:
        """Raise the firmness of a commit; it never falls."""
        if not commit.withdrawn and FIRMNESS.index(firmness) > FIRMNESS.index(commit.firmness):
            commit.firmness = firmness
            self._revise_commit(commit, "", cause)

    def _agree_headline(self) -> None:
        headline = self._scenario.headline
        for product, wafers in split_headline(self._scenario, self._source).items():
            self._emit(
                SupplyAgreed(
                    product=product, site=UNALLOCATED, supplier=self._source, instrument="LOI", revision=0,
                    agreement=f"{headline.agreement}:{product}", wafers_per_month=wafers,
                    starts_on=headline.starts_on.value, ends_on=headline.ends_on.value,
                )
            )  # fmt: skip

    def _answer_forecast(self, row: Row) -> None:
        """Commit to this supplier's part of a forecast, as `planned`, as far as its month has room."""
        line, product, site, due, forecast = _read_demand(row)
        start = due - self._scenario.lead(product)
        part = self._promising.part_of(line, product, forecast, start)
        outlook = self._outlooks.setdefault(line, Outlook(product, site, due, row.id))
        self._promising.want(product, start, part - outlook.wanted)
        wafers = int(part * self._promising.filled(product, start))
        outlook.wanted = part
        if (outlook.due, outlook.wafers) != (due, wafers):
            outlook.due, outlook.wafers = due, wafers
            self._publish_outlook(line, outlook, "" if wafers == part else "cut: no room in the month", row.id)

    def _publish_outlook(self, line: str, outlook: Outlook, reason: str, cause: str) -> None:
        outlook.revision += 1
        outlook.event_id = self._emit(
            SupplyCommitted(
                product=outlook.product, site=outlook.site, supplier=self._source, line=line, due=outlook.due,
                firmness="planned", wafers=outlook.wafers, revision=outlook.revision, reason=reason,
            ),
            cause,
        )  # fmt: skip

    def _answer_orders(self, rows: Sequence[Row]) -> None:
        """Postpone or withdraw the commits of changed orders, and promise the new ones as far as there is room."""
        asks: list[Ask] = []
        for row in rows:
            line, product, site, due, required = _read_demand(row)
            if line in self._answered:
                self._change_order(row, line, due, required)
                continue
            self._answered[line] = due
            start_by, priority = date.fromisoformat(row.others["start_by"]), row.others["priority"]
            part = self._promising.part_of(line, product, required, max(start_by, self._today))
            if part and start_by >= self._start:
                self._promising.want(product, start_by, part)
                finish = max(start_by, self._today) + self._routes[product].cycle
                starts = self._promising.starts_for(product, part, finish)
                asks.append(Ask(line, product, site, priority, start_by, due, part, starts, row.id))
        for ask, promises in self._promising.answer(asks, self._today):
            for promise in promises:
                self._commit(ask, promise)

    def _change_order(self, row: Row, line: str, due: date, required: int) -> None:
        shift, self._answered[line] = due - self._answered[line], due
        for name in (line, line + LATE):
            commit = self._commits.get(name)
            if commit is None or commit.withdrawn:
                continue
            if required == 0:
                commit.withdrawn, commit.wafers, commit.to_start = True, 0, 0
                self._promising.release(commit.product, commit.booked, self._today)
                self._revise_commit(commit, "order withdrawn", row.id)
            elif shift > timedelta(0):  # sooner it cannot be
                self._postpone(commit, commit.due + shift)
                self._revise_commit(commit, "order postponed", row.id)

    def _commit(self, ask: Ask, promise: BookedPromise) -> None:
        """Publish a promise as a commit, and plan its lots over the days of the weeks that are booked."""
        transit, safety = self._scenario.lead_time(ask.product).transit, self._scenario.safety_days.value
        ship_on = max(promise.due - transit - safety * DAY, self._today)
        starts = sum(booking.wafers for booking in promise.booked)
        commit = Commit(
            promise.line, ask.product, ask.site, promise.due, promise.wafers, ship_on, starts, promise.booked
        )
        self._publish_commit(commit, ask.event_id, promise.reason)
        if not promise.wafers:
            return
        self._commits[promise.line] = commit
        self._to_ship.setdefault(ship_on, []).append(commit)
        self._plan_lots(commit, promise.booked)

    def _plan_lots(self, commit: Commit, booked: Sequence[Booking]) -> None:
        for booking in booked:
            lots = -(-booking.wafers // LOT_WAFERS_MAX)
            for n in range(lots):
                day = max(monday_of(booking.week) + (n * 7 // lots) * DAY, self._today)
                wafers = min(LOT_WAFERS_MAX, booking.wafers - n * LOT_WAFERS_MAX)
                self._to_start.setdefault(day, []).append((commit, booking.fab, wafers))

    def _revise_capacity(self) -> None:
        """Take the capacities that are known from this day, and move the commits that they leave too little room."""
        reason = f"capacity revised on {self._today}"
        to_come = {line: outlook for line, outlook in self._outlooks.items() if self._start_of(outlook) > self._today}
        before = {line: self._filled(outlook) for line, outlook in to_come.items()}
        self._promising.revise(self._today)
        for line, outlook in to_come.items():
            filled = self._filled(outlook)
            wafers = int(outlook.wanted * filled)
            if filled != before[line] and wafers != outlook.wafers:
                outlook.wafers = wafers
                less = "cut: no room in the month, " if wafers < outlook.wanted else ""
                self._publish_outlook(line, outlook, less + reason, outlook.event_id)
        for commit in sorted(self._commits.values(), key=lambda c: (c.due, c.line), reverse=True):
            if commit.to_start:
                self._rebook(commit, reason)

    def _start_of(self, outlook: Outlook) -> date:
        return outlook.due - self._scenario.lead(outlook.product)

    def _filled(self, outlook: Outlook) -> Fraction:
        return self._promising.filled(outlook.product, self._start_of(outlook))

    def _rebook(self, commit: Commit, reason: str) -> None:
        """Start the lots of a commit in weeks with room; it is later, or cut by those that find none."""
        before, this = commit.booked, week_of(self._today)
        commit.booked, limit = self._promising.rebook(commit.product, before, self._today)
        if not limit:
            return
        for day, lots in self._to_start.items():
            if week_of(day) > this:
                lots[:] = [lot for lot in lots if lot[0] is not commit]
        self._plan_lots(commit, [booking for booking in commit.booked if booking.week > this])
        starts, kept = (sum(booking.wafers for booking in booked) for booked in (before, commit.booked))
        commit.to_start -= starts - kept
        cut = commit.wafers * (starts - kept) // starts
        last_day = monday_of(max((booking.week for booking in commit.booked), default=0)) + 6 * DAY
        due = max(commit.due, last_day + self._scenario.lead(commit.product))
        if due > commit.due:
            self._postpone(commit, due)
        elif not cut:
            return
        commit.wafers -= cut
        self._revise_commit(commit, f"{'cut' if cut else 'late'}: no room in {limit}, {reason}")

    def _postpone(self, commit: Commit, due: date) -> None:
        """Move a commit to another due day, and its next shipment with it."""
        commit.ship_on = max(commit.ship_on + (due - commit.due), self._today)
        commit.due = due
        self._to_ship.setdefault(commit.ship_on, []).append(commit)

    # ------------------------------------------------------------ lots

    def _start_lots(self) -> None:
        """Start the lots that are booked for today; those of withdrawn commits are left out."""
        for commit, fab, wafers in self._to_start.pop(self._today, []):
            if commit.to_start:
                self._start_lot(commit, min(wafers, commit.to_start), fab)

    def _start_lot(self, commit: Commit, wafers: int, fab: str) -> None:
        play, route = self._scenario.play, self._routes[commit.product]
        self._lots += 1
        name = f"L{self._lots:07d}"
        event_id = self._emit(
            LotStarted(
                product=commit.product, site=commit.site, supplier=self._source, wafers=wafers, lot=name, fab=fab,
                due_out=self._today + route.cycle,
            ),
            commit.event_id,
        )  # fmt: skip
        lot = Lot(name, commit, wafers, event_id)
        commit.to_start -= wafers
        commit.in_process += 1
        if commit.firmness == "material":
            self._firm_up(commit, "manufacturing", event_id)
        wobble = int(self._random() * (play.early_days + play.late_days + 1)) - play.early_days
        self._to_finish.setdefault(self._today + route.cycle + wobble * DAY, []).append(lot)
        if self._random() < wafers * route.line_loss:
            days = 1 + int(self._random() * (route.cycle.days - play.early_days - 1))
            self._to_scrap.setdefault(self._today + days * DAY, []).append(lot)

    def _scrap_wafers(self) -> None:
        for lot in self._to_scrap.pop(self._today, []):
            if lot.wafers:
                self._scrap(lot, 1, SCRAP_CAUSES[int(self._random() * len(SCRAP_CAUSES))])

    def _scrap(self, lot: Lot, wafers: int, cause: str) -> None:
        lot.wafers -= wafers
        commit = lot.commit
        self._emit(
            LotScrapped(
                product=commit.product, site=commit.site, supplier=self._source, wafers=wafers, lot=lot.name,
                cause=cause,
            ),
            lot.event_id,
        )  # fmt: skip

    def _finish_lots(self) -> None:
        """Credit the lots that leave the last test with the wafers that give their real yield at planned yield."""
        probed = {product: self._probe_percent(product) for product in self._played}
        for lot in self._to_finish.pop(self._today, []):
            commit = lot.commit
            commit.in_process -= 1
            if lot.wafers == 0:  # all scrapped
                continue
            credit = self._credit(commit.product, lot.wafers, probed[commit.product])
            event_id = self._emit(
                LotFinished(
                    product=commit.product, site=commit.site, supplier=self._source, wafers=credit, lot=lot.name,
                    yield_variance=lot.wafers - credit,
                ),
                lot.event_id,
            )  # fmt: skip
            commit.finished.append((lot.name, credit))
            if commit.firmness == "manufacturing":
                self._firm_up(commit, "firm", event_id)

    def _credit(self, product: str, wafers: int, probe_percent: int) -> int:
        """Return the whole wafers to credit; the fraction is carried over to the product's next lot."""
        spread = self._scenario.play.probe_spread_percent
        probed = probe_percent + int(self._random() * (2 * spread + 1)) - spread
        worth = wafers * probed * 100 + self._yield_carry[product]
        credit, self._yield_carry[product] = divmod(worth, self._routes[product].plan)
        return credit

    def _probe_percent(self, product: str) -> int:
        """Return the real probe yield: low in an excursion, or else the expected one."""
        for bad in self._scenario.events.yield_excursions:
            until = bad.day + timedelta(weeks=bad.weeks)
            if (bad.supplier, bad.product) == (self._source, product) and bad.day <= self._today < until:
                return bad.probe_percent
        return self._promising.expected_percent(product, self._today)

    # ------------------------------------------------------------ shipments

    def _ship_commits(self) -> None:
        """Ship the finished lots of each commit that is due to ship; the others follow a week later."""
        for commit in self._to_ship.pop(self._today, []):
            if commit.ship_on != self._today:  # it was postponed
                continue
            lots_max = self._scenario.play.shipment_lots_max
            for first in range(0, len(commit.finished), lots_max):
                self._dispatch(commit, commit.finished[first : first + lots_max])
            commit.finished = []
            if not commit.to_start and not commit.in_process:
                self._close(commit)
            else:
                commit.ship_on += timedelta(weeks=1)
                self._to_ship.setdefault(commit.ship_on, []).append(commit)

    def _dispatch(self, commit: Commit, lots: list[tuple[str, int]]) -> None:
        """Dispatch lots; those of a withdrawn commit to another site, where the scenario names one."""
        wafers = sum(credit for _, credit in lots)
        if wafers == 0:
            return
        self._firm_up(commit, "immediate", commit.event_id)
        self._shipments += 1
        shipment = ShipmentDispatched(
            product=commit.product, site=commit.site, supplier=self._source, wafers=wafers,
            shipment=f"S{self._shipments:06d}", commit=None if commit.withdrawn else commit.line,
            eta=self._today + self._scenario.lead_time(commit.product).transit, lots=[name for name, _ in lots],
        )  # fmt: skip
        event_id = self._emit(shipment, commit.event_id)
        commit.dispatched += wafers
        divert_to = self._diversions.get(commit.site) if commit.withdrawn else None
        play, luck = self._scenario.play, int(self._random() * 1000)
        if divert_to:
            self._publish_revised(shipment, shipment.eta, divert_to, event_id)
        elif luck < play.lost_permille + play.delayed_permille:
            lost = luck < play.lost_permille
            self._to_revise.setdefault(self._today + 3 * DAY, []).append((shipment, event_id, lost))

    def _close(self, commit: Commit) -> None:
        """Close a commit that is shipped, short of the wafers that yield and scrap took."""
        if commit.dispatched < commit.wafers:
            commit.wafers = commit.dispatched
            self._revise_commit(commit, "closed short: yield and scrap")
        del self._commits[commit.line]

    def _revise_shipments(self) -> None:
        """Publish the delays and losses of shipments in transit."""
        for shipment, event_id, lost in self._to_revise.pop(self._today, []):
            if lost:
                self._emit(
                    ShipmentLost(
                        product=shipment.product, site=shipment.site, supplier=self._source, wafers=shipment.wafers,
                        shipment=shipment.shipment, owner=self._source,
                    ),
                    event_id,
                )  # fmt: skip
            else:
                self._publish_revised(
                    shipment, shipment.eta + (1 + int(self._random() * 9)) * DAY, shipment.site, event_id
                )

    def _publish_revised(self, shipment: ShipmentDispatched, eta: date, site: str, cause: str) -> None:
        self._emit(
            ShipmentRevised(
                product=shipment.product, site=site, supplier=self._source, shipment=shipment.shipment, eta=eta,
                revision=1,
            ),
            cause,
        )  # fmt: skip

    # ------------------------------------------------------------ the script

    def _play_script(self) -> None:
        """Carry out the scenario's events of this day; capacities and excursions act through their dates."""
        events = self._scenario.events
        for agreed in events.reported_agreements:
            if (agreed.day, agreed.supplier) == (self._today, self._source):
                self._emit(
                    SupplyAgreed(
                        product=agreed.product, site=UNALLOCATED, supplier=self._source, revision=0,
                        agreement=agreed.agreement, instrument=agreed.instrument, starts_on=agreed.starts_on,
                        ends_on=agreed.ends_on, wafers_per_month=self._scenario.agreed_wafers_per_month(agreed),
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
        """Scrap WIP until so many wafers are lost, and lower the commits by them."""
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
        """Postpone commits in the fab with their lots, the earliest due first, until so many wafers have slipped."""
        slipped: set[str] = set()
        for commit in sorted(self._commits.values(), key=lambda c: (c.due, c.line)):
            in_fab = commit.product == product and commit.firmness == "manufacturing" and not commit.withdrawn
            if in_fab and commit.wafers <= wafers:
                wafers -= commit.wafers
                slipped.add(commit.line)
                self._postpone(commit, commit.due + delay)
                self._revise_commit(commit, "slipped")
        late = {day: [lot for lot in lots if lot.commit.line in slipped] for day, lots in self._to_finish.items()}
        for day in late:
            self._to_finish[day] = [lot for lot in self._to_finish[day] if lot.commit.line not in slipped]
        for day, lots in late.items():
            self._to_finish.setdefault(day + delay, []).extend(lots)


def _route(scenario: Scenario, product: str) -> Route:
    line_yield = Fraction(scenario.programme.wafer_model(product).line_yield)
    plan = int(line_yield * 100) * planned_percent(scenario, product)
    return Route(scenario.lead_time(product).cycle, float(1 - line_yield), plan)


def _read_demand(row: Row) -> tuple[str, str, str, date, int]:
    """Return the line, product, site, due day and wafers of a forecast or an order, which has them all."""
    return str(row.line), str(row.product), str(row.site), date_of(row.day or 0), row.wafers or 0
