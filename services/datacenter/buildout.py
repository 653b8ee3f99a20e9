"""Simulated group of sites: its plans, orders, receipts, consumption and stock counts, day by day."""

import random
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from services.datacenter.records import Forecast, Order, Phase, Shipment, lower_orders, split_need, take_wafers
from shared.play.buildings import MilestoneRevision, PhaseRevision, PlannedPhase, ScenarioSite, SiteRevision
from shared.play.demand_plan import Need, derive_plan, needs_of
from shared.play.months import add_months, first_of_month, last_of_month
from shared.play.scenario import Scenario
from shared.play.source_log import SourceLog
from shared.play.variants import Variant
from shared.wire.days import DAY, date_of
from shared.wire.events import (
    UNATTRIBUTED,
    WAFERS_MAX,
    DemandForecast,
    DemandRequired,
    Event,
    EventReversed,
    PhasePlanned,
    ShipmentLost,
    ShipmentReceived,
    SiteDeclared,
    StockCounted,
    StockOpened,
    StockTransferred,
    WafersConsumed,
)
from shared.wire.rows import Row

MIDMONTH = timedelta(days=14)
REVIEWS = ((9, 50), (5, 0))  # months before the start, and percent of the first forecast error that is left
SLIGHT_WAFERS = 3  # damaged, missing or miscounted at most
LIKELY_ARRIVALS = (-1, 0, 0, 0, 0, 1, 1, 2)  # days after the expected one

Stock = dict[tuple[str, str], dict[str, int]]


class Buildout:
    """A group of sites that orders wafers for its phases, receives and consumes them."""

    def __init__(self, scenario: Scenario, source: str, seed: int, start: date, until: date, variant: Variant) -> None:
        self._scenario = scenario
        self._source = source
        self._start = self._today = start
        self._random = random.Random(f"{seed}:{source}:{variant}").random  # noqa: S311 - a simulation
        self._log = SourceLog(source, scenario.mistakes, start, until)
        self._emit = self._log.emit
        pools = scenario.variants[variant].pools
        self._sites = {s.id: s for s in scenario.datacenters[source].sites if pools or not s.pool}
        self._declared: dict[str, int] = {}  # site -> revision
        self._reported: dict[tuple[str, str], int] = {}  # site, milestone -> revision
        self._phases: dict[str, Phase] = {}
        self._energised: dict[str, list[Phase]] = {site: [] for site in self._sites}
        self._to_energise: dict[date, list[Phase]] = {}
        self._orders: dict[str, Order] = {}
        self._orders_of: dict[str, list[Order]] = {}  # a phase
        self._to_order: dict[date, list[tuple[Order, Forecast | None, int]]] = {}
        self._to_review: dict[date, list[Order]] = {}
        self._forecasts: dict[str, Forecast] = {}
        self._to_forecast: dict[date, list[tuple[Forecast, int, int]]] = {}
        self._shipments: dict[tuple[str, str], Shipment] = {}
        self._to_arrive: dict[date, list[Shipment]] = {}
        self._on_hand: Stock = {}
        self._errs_next = False  # the next receipt is published in error
        self._make_plans(variant)

    def act(self, day: date, observed: Sequence[Row]) -> list[Event | dict[str, Any]]:
        """Return the sites' events of a day, the watermark last.

        Days follow each other; `observed` are the suppliers' events up to the lag before it, each given once.
        """
        self._log.begin(day)
        self._today = day
        if day == self._start:
            self._declare_sites()
        self._play_script()
        for row in observed:
            if row.name == "supply.committed":
                self._follow_commit(row)
            else:
                self._follow_shipment(row)
        self._place_orders()
        self._review_orders()
        self._forecast_needs()
        self._receive_shipments()
        self._energise_phases()
        self._consume_stock()
        if day == last_of_month(day):
            self._count_stock()
        return self._log.end()

    # ------------------------------------------------------------ plans

    def _make_plans(self, variant: Variant) -> None:
        """Derive the phases as known at the start, and the days of their forecasts and orders."""
        plan = derive_plan(self._scenario, variant, self._start)
        for phase in plan.phases:
            if phase.site in self._sites:
                self._add_phase(phase)
        for need in plan.needs:
            if need.site in self._sites and need.wafers:
                lacking = self._phases[need.phase].lacking
                lacking[need.product] = lacking.get(need.product, 0) + need.wafers
                self._plan_need(need)

    def _add_phase(self, plan: PlannedPhase) -> Phase:
        phase = self._phases[plan.name] = Phase(plan, {})
        self._orders_of[plan.name] = []
        self._to_energise.setdefault(plan.energise_on, []).append(phase)
        return phase

    def _plan_need(self, need: Need) -> None:
        """Fix the days on which a need is forecast, reviewed and ordered, or fix them anew."""
        play, lead = self._scenario.play, self._scenario.lead(need.product)
        line = f"{need.phase}.{need.product}.{need.month:%y%m}"
        forecast = None
        if need.month >= self._start:
            forecast = self._forecasts.get(line)
            if forecast is None:
                error = int(self._random() * (2 * play.forecast_error_percent + 1)) - play.forecast_error_percent
                forecast = Forecast(line, need, need.month + MIDMONTH + lead, 0, error)
                self._forecasts[line] = forecast
            forecast.unordered, forecast.version = need.wafers, forecast.version + 1
            errors = {  # of several that are due on the first day, the last
                max(add_months(need.month, -months), self._today): forecast.error_percent * percent // 100
                for months, percent in ((play.forecast_months, 100), *REVIEWS)
            }
            for day, error_percent in errors.items():
                self._to_forecast.setdefault(day, []).append((forecast, error_percent, forecast.version))
        for order in split_need(need, line, play, lead, forecast.parts if forecast else 0):
            day = max(order.start_by - timedelta(weeks=play.order_weeks), self._today)
            self._to_order.setdefault(day, []).append((order, forecast, forecast.version if forecast else 0))

    def _declare_sites(self) -> None:
        """Publish the sites and phases known on the first day."""
        for site in self._sites.values():
            if (revision := site.declared_on(self._start)) is not None:
                self._declare(site, revision)
            for milestone, report in site.milestones_on(self._start):
                self._report(site, milestone, report)
        for phase in self._phases.values():
            self._publish_phase(phase)

    def _declare(self, site: ScenarioSite, revision: SiteRevision) -> None:
        number = self._declared[site.id] = self._declared.get(site.id, -1) + 1
        self._emit(
            SiteDeclared(
                site=site.id, name=site.name, country=site.country, mooring=site.mooring, mw=revision.mw,
                pue_percent=site.pue_percent.value, land_ha=site.land_ha.value if site.land_ha else None,
                waterplane_m2=site.waterplane_m2.value if site.waterplane_m2 else None,
                kg_co2_per_mwh=site.kg_co2_per_mwh.value, power_source=site.power_source.value,
                evidence=revision.evidence, confidence="sourced" if revision.sources else "assumed", revision=number,
                synthetic=site.pool,
            )
        )  # fmt: skip

    def _report(self, site: ScenarioSite, milestone: str, report: MilestoneRevision) -> None:
        """Report the day of a milestone, and move the phases that follow it."""
        revision = self._reported[site.id, milestone] = self._reported.get((site.id, milestone), -1) + 1
        cause = self._emit(report.reported(site.id, milestone, revision))
        for plan in site.following(milestone, self._today):
            self._move_phase(plan, cause)

    def _publish_phase(self, phase: Phase) -> str:
        plan = phase.plan
        return self._emit(
            PhasePlanned(
                site=plan.site, phase=plan.name, mw=plan.mw, platform=plan.platform, energise_on=plan.energise_on,
                status=plan.status, revision=phase.revision, follows=plan.follows,
            )
        )  # fmt: skip

    def _forecast_needs(self) -> None:
        for forecast, error_percent, version in self._to_forecast.pop(self._today, []):
            wafers = forecast.unordered * (100 + error_percent) // 100
            if version == forecast.version and wafers != forecast.wafers:
                self._publish_forecast(forecast, wafers, None)

    def _publish_forecast(self, forecast: Forecast, wafers: int, cause: str | None) -> None:
        forecast.wafers, forecast.revision = wafers, forecast.revision + 1
        need = forecast.need
        forecast.event_id = self._emit(
            DemandForecast(
                product=need.product, site=need.site, supplier=UNATTRIBUTED, line=forecast.line, due=forecast.due,
                wafers=wafers, revision=forecast.revision,
            ),
            cause,
        )  # fmt: skip

    def _place_orders(self) -> None:
        """Place the orders due, and lower their forecasts; an order of before the first day is opening stock."""
        for order, forecast, version in self._to_order.pop(self._today, []):
            if forecast and version != forecast.version:
                continue
            self._place(order, forecast.event_id if forecast else None)
            if forecast:
                forecast.unordered -= order.wafers
                forecast.parts += 1
                if forecast.wafers > forecast.unordered:
                    self._publish_forecast(forecast, forecast.unordered, order.event_id)
            else:
                self._open_stock(order)

    def _place(self, order: Order, cause: str | None) -> None:
        self._orders[order.line] = order
        self._orders_of[order.phase].append(order)
        self._publish_order(order, cause)
        play = self._scenario.play
        if order.start_by >= self._start:
            days = play.review_again_days if ":" in order.line else play.review_days
            review = self._today + timedelta(days=days)
            self._to_review.setdefault(review, []).append(order)

    def _review_orders(self) -> None:
        """Order anew, with the same days, the wafers of an order that no supplier promises, and those lost of it.

        Less than a lot is ordered anew when it would else be started late.
        """
        play = self._scenario.play
        for order in self._to_review.pop(self._today, []):
            if not order.wafers:
                continue
            again = self._today + timedelta(days=play.review_again_days)
            self._to_review.setdefault(again, []).append(order)
            unpromised = min(order.wafers, order.wafers - sum(order.promised.values()) + order.gone)
            starts_late = again > order.due - self._scenario.lead(order.product)
            if unpromised < (1 if starts_late else play.reissue_wafers_min):
                continue
            order.wafers, order.revision = order.wafers - unpromised, order.revision + 1
            self._publish_order(order, order.event_id)
            first = self._orders[order.line.partition(":")[0]]
            self._place(first.issue_anew(order, unpromised), order.event_id)

    def _follow_commit(self, row: Row) -> None:
        """Note the wafers that a supplier promises on an order."""
        order = self._order_of(str(row.line))
        if order is not None and row.site in self._sites:
            order.promised[row.source, str(row.line)] = row.wafers or 0

    def _order_of(self, commit: str) -> Order | None:
        """Return the order that a commit line answers: it has its name, or begins with it."""
        return self._orders.get(commit) or self._orders.get(commit.rpartition("-")[0])

    def _publish_order(self, order: Order, cause: str | None) -> None:
        order.event_id = self._emit(
            DemandRequired(
                product=order.product, site=order.site, supplier=UNATTRIBUTED, line=order.line, due=order.due,
                start_by=order.start_by, priority=self._sites[order.site].priority.value, wafers=order.wafers,
                revision=order.revision,
            ),
            cause,
        )  # fmt: skip

    def _open_stock(self, order: Order) -> None:
        self._emit(
            StockOpened(product=order.product, site=order.site, supplier=UNATTRIBUTED, wafers=order.wafers),
            order.event_id,
        )
        self._store(order.product, order.site, UNATTRIBUTED, order.wafers)

    # ------------------------------------------------------------ shipments

    def _follow_shipment(self, row: Row) -> None:
        """Follow a shipment's site, eta and loss."""
        key = (row.source, str(row.line))
        if row.name == "shipment.dispatched" and row.site in self._sites:
            eta = date_of(row.day or 0)
            order = self._order_of(row.others["commit"] or "")
            shipment = Shipment(key[1], key[0], str(row.product), row.site, row.wafers or 0, eta, row.id, order)
            self._shipments[key] = shipment
            self._expect(shipment, eta)
        elif row.name == "shipment.revised" and key in self._shipments:
            shipment = self._shipments[key]
            if row.site in self._sites:
                shipment.site = row.site
                self._expect(shipment, date_of(row.day or 0))
            else:  # diverted to another group
                del self._shipments[key]
        elif row.name == "shipment.lost" and key in self._shipments:
            lost = self._shipments.pop(key)
            if lost.order is not None:
                lost.order.gone += lost.wafers

    def _expect(self, shipment: Shipment, eta: date) -> None:
        wobble = LIKELY_ARRIVALS[int(self._random() * len(LIKELY_ARRIVALS))]
        shipment.arrives_on = max(eta + wobble * DAY, self._today)
        self._to_arrive.setdefault(shipment.arrives_on, []).append(shipment)

    def _receive_shipments(self) -> None:
        for shipment in self._to_arrive.pop(self._today, []):
            key = (shipment.owner, shipment.name)
            if shipment.arrives_on == self._today and key in self._shipments:
                del self._shipments[key]
                self._receive(shipment)

    def _receive(self, shipment: Shipment) -> None:
        """Publish the receipt of a shipment: mostly complete, sometimes damaged or short, and once in error."""
        play = self._scenario.play
        luck = int(self._random() * 1000)
        slight = min(1 + int(self._random() * SLIGHT_WAFERS), shipment.wafers)
        damaged = slight if luck < play.damaged_permille else 0
        missing = slight if play.damaged_permille <= luck < play.damaged_permille + play.missing_permille else 0
        good = shipment.wafers - damaged - missing
        if shipment.order is not None:
            shipment.order.gone += damaged + missing
        if self._errs_next:
            self._errs_next = False
            wrong = self._publish_received(shipment, shipment.wafers * 10, 0)
            self._emit(EventReversed(reversed=wrong, reason="typed a zero too many"), wrong)
        if good or damaged:
            self._publish_received(shipment, good, damaged)
            self._store(shipment.product, shipment.site, shipment.owner, good)
        if missing:
            self._emit(
                ShipmentLost(
                    product=shipment.product, site=shipment.site, supplier=shipment.owner, wafers=missing,
                    shipment=shipment.name, owner=shipment.owner,
                ),
                shipment.event_id,
            )  # fmt: skip

    def _publish_received(self, shipment: Shipment, wafers: int, damaged: int) -> str:
        return self._emit(
            ShipmentReceived(
                product=shipment.product, site=shipment.site, supplier=shipment.owner, wafers=wafers,
                shipment=shipment.name, owner=shipment.owner, wafers_damaged=damaged,
            ),
            shipment.event_id,
        )  # fmt: skip

    # ------------------------------------------------------------ stock

    def _store(self, product: str, site: str, supplier: str, wafers: int) -> None:
        stock = self._on_hand.setdefault((site, product), {})
        stock[supplier] = stock.get(supplier, 0) + wafers

    def _energise_phases(self) -> None:
        for phase in self._to_energise.pop(self._today, []):
            if phase.plan.status == "planned" and phase.plan.energise_on == self._today:
                self._energised[phase.plan.site].append(phase)

    def _consume_stock(self) -> None:
        """Consume stock on hand for the wafers that energised phases lack."""
        for site, phases in self._energised.items():
            for phase in phases:
                for product, lacking in phase.lacking.items():
                    stock = self._on_hand.get((site, product))
                    if lacking and stock:
                        self._consume(phase, product, take_wafers(stock, lacking))
            if phases:
                self._energised[site] = [phase for phase in phases if any(phase.lacking.values())]

    def _consume(self, phase: Phase, product: str, taken: dict[str, int]) -> None:
        """Consume wafers that were taken out of stock, by supplier."""
        for supplier, wafers in taken.items():
            self._emit(
                WafersConsumed(
                    product=product, site=phase.plan.site, supplier=supplier, wafers=wafers, phase=phase.plan.name
                )
            )
            phase.lacking[product] -= wafers
            phase.consumed[product] = phase.consumed.get(product, 0) + wafers

    def _count_stock(self) -> None:
        """Count the stock at the end of the month; where a count differs, it becomes the stock."""
        for (site, product), stock in sorted(self._on_hand.items()):
            for supplier, wafers in sorted(stock.items()):
                if not 0 < wafers <= WAFERS_MAX:  # one event cannot hold a greater count
                    continue
                counted = wafers
                if int(self._random() * 1000) < self._scenario.play.miscounted_permille:
                    off = int(self._random() * (2 * SLIGHT_WAFERS + 1)) - SLIGHT_WAFERS
                    counted = min(max(wafers + off, 0), WAFERS_MAX)
                self._publish_counted(product, site, supplier, counted)

    def _publish_counted(self, product: str, site: str, supplier: str, counted: int) -> None:
        stock = self._on_hand[site, product]
        stock[supplier] = counted
        if supplier == UNATTRIBUTED:  # such a count is of the whole shelf
            counted = sum(stock.values())
        self._emit(StockCounted(product=product, site=site, supplier=supplier, counted=counted))

    # ------------------------------------------------------------ the script

    def _play_script(self) -> None:
        """Carry out the scenario's events of this day, and the revisions that are known from this day on."""
        events = self._scenario.events
        if self._today > self._start:
            for site in self._sites.values():
                for declared in site.declared:
                    if declared.known_from == self._today:
                        self._declare(site, declared)
                for milestone, report in site.reported_on(self._today):
                    self._report(site, milestone, report)
                for plan, revision in site.revised_on(self._today):
                    self._revise_phase(plan, revision)
            self._revise_racks(self._scenario.platforms_revised_on(self._today))
        self._errs_next |= any((e.day, e.datacenter) == (self._today, self._source) for e in events.receipts_in_error)
        for returned in events.returned_wafers:
            if (returned.day, returned.datacenter) == (self._today, self._source):
                wafers = int(returned.gb / self._scenario.gb_per_wafer(returned.product))
                self._return_wafers(returned.product, returned.supplier, wafers)

    def _move_phase(self, plan: PlannedPhase, cause: str) -> None:
        """Move a phase as the report of its milestone does: the phase is not stated anew."""
        phase = self._phases.get(plan.name)
        if phase is not None and phase.plan != plan:
            delay, phase.plan = plan.energise_on - phase.plan.energise_on, plan
            self._to_energise.setdefault(plan.energise_on, []).append(phase)
            self._replan(phase, delay, cause)

    def _revise_phase(self, plan: PlannedPhase, revision: PhaseRevision) -> None:
        """Plan a phase anew, or for the first time."""
        phase = self._phases.get(plan.name)
        if phase is None:
            phase, before = self._add_phase(plan), plan.energise_on
        else:
            before, phase.plan, phase.revision = phase.plan.energise_on, plan, phase.revision + 1
            self._to_energise.setdefault(plan.energise_on, []).append(phase)
        self._replan(phase, plan.energise_on - before, self._publish_phase(phase))
        if revision.divert_to:
            self._transfer_stock(plan.site, revision.divert_to)

    def _replan(self, phase: Phase, delay: timedelta, cause: str) -> None:
        """Plan the orders of a phase anew that are not yet started, its forecasts and its needs."""
        self._plan_anew(phase, self._revise_orders(phase, delay, cause), cause)

    def _revise_racks(self, platforms: Sequence[str]) -> None:
        """Plan anew the phases to be energised with racks that take other wafers: less is ordered no more, more is."""
        for phase in self._phases.values():
            plan = phase.plan
            if plan.platform not in platforms or plan.status != "planned" or plan.energise_on <= self._today:
                continue
            ordered, lowered = lower_orders(self._orders_of[plan.name], needs_of(self._scenario, plan, self._today))
            for order in lowered:
                self._publish_order(order, order.event_id)
            self._plan_anew(phase, ordered, None)

    def _plan_anew(self, phase: Phase, ordered: dict[str, int], cause: str | None) -> None:
        """Forecast the need of a phase beyond the wafers ordered for it, in the months in which it needs them."""
        plan = phase.plan
        for forecast in self._forecasts.values():
            if forecast.need.phase == plan.name:
                forecast.unordered, forecast.version = 0, forecast.version + 1
        phase.lacking, left = {}, dict[tuple[str, date], int]()
        for need in needs_of(self._scenario, plan, self._today):
            lacking = phase.lacking.get(need.product, -phase.consumed.get(need.product, 0))
            phase.lacking[need.product] = lacking + need.wafers
            kept = min(need.wafers, ordered.get(need.product, 0))
            ordered[need.product] = ordered.get(need.product, 0) - kept
            place = need.product, max(need.month, first_of_month(self._today))
            left[place] = left.get(place, 0) + need.wafers - kept
        for (product, month), wafers in left.items():
            if wafers:
                self._plan_need(Need(plan.site, plan.name, product, month, wafers))
        phase.lacking = {product: max(0, wafers) for product, wafers in phase.lacking.items()}
        for forecast in self._forecasts.values():
            if forecast.need.phase == plan.name and forecast.wafers > forecast.unordered:
                self._publish_forecast(forecast, forecast.unordered, cause)

    def _revise_orders(self, phase: Phase, delay: timedelta, cause: str) -> dict[str, int]:
        """Withdraw the orders of a phase that are not yet started, where it is later; move the others with it.

        Return the wafers that stay ordered by product. Where the phase is withdrawn, all are.
        """
        frozen_until = self._today + timedelta(days=self._scenario.play.frozen_days)
        withdrawn = phase.plan.status != "planned"
        ordered: dict[str, int] = {}
        for order in self._orders_of[phase.plan.name]:
            if not order.wafers:
                continue
            if withdrawn or (delay > timedelta(0) and order.start_by > frozen_until):
                order.wafers, order.revision = 0, order.revision + 1
                self._publish_order(order, cause)
            elif delay and order.due > self._today:
                order.due, order.revision = max(order.due + delay, self._today + DAY), order.revision + 1
                self._publish_order(order, cause)
            ordered[order.product] = ordered.get(order.product, 0) + order.wafers
        return ordered

    def _transfer_stock(self, site: str, to_site: str) -> None:
        for (stored_at, product), stock in sorted(self._on_hand.items()):
            for supplier, wafers in sorted(stock.items()):
                if stored_at == site and wafers:
                    self._emit(
                        StockTransferred(product=product, site=site, supplier=supplier, wafers=wafers, to_site=to_site)
                    )
                    stock[supplier] = 0
                    self._store(product, to_site, supplier, wafers)

    def _return_wafers(self, product: str, supplier: str, wafers: int) -> None:
        """Remove defective wafers from the largest stock of these sites: its count shows them missing."""
        stocks = [(stock.get(supplier, 0), site) for (site, p), stock in self._on_hand.items() if p == product]
        most, site = max(stocks, default=(0, ""))
        if most:
            self._publish_counted(product, site, supplier, max(most - wafers, 0))
