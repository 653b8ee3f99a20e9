"""Simulated group of sites: its plans, orders, receipts, consumption and stock counts, day by day."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

from shared.play.demand_plan import Need, PlannedPhase, derive_plan
from shared.play.months import add_months, last_of_month
from shared.play.scenario import Scenario, ScenarioSite
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


@dataclass(slots=True)
class Phase:
    """A phase of a site, and the wafers it still lacks by product."""

    plan: PlannedPhase
    lacking: dict[str, int]
    delay: timedelta = timedelta(0)
    status: Literal["planned", "paused", "cancelled", "transferred"] = "planned"
    revision: int = 0

    @property
    def energise_on(self) -> date:
        """The current day, with its delay."""
        return self.plan.energise_on + self.delay


@dataclass(slots=True)
class Order:
    """Wafers required on one line."""

    line: str
    phase: str
    product: str
    site: str
    start_by: date
    due: date
    wafers: int
    revision: int = 0
    event_id: str = ""


@dataclass(slots=True)
class Forecast:
    """Wafers of one need that are not yet ordered."""

    line: str
    need: Need
    due: date
    unordered: int
    wafers: int = 0
    revision: int = -1
    event_id: str | None = None


@dataclass(slots=True)
class Shipment:
    """A shipment in transit to a site of this group."""

    name: str
    owner: str
    product: str
    site: str
    wafers: int
    arrives_on: date
    event_id: str


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
        self._phases: dict[str, Phase] = {}
        self._energised: dict[str, list[Phase]] = {site: [] for site in self._sites}
        self._to_energise: dict[date, list[Phase]] = {}
        self._orders: dict[str, Order] = {}
        self._to_order: dict[date, list[tuple[Order, Forecast | None]]] = {}
        self._forecasts: dict[str, Forecast] = {}
        self._to_forecast: dict[date, list[tuple[Forecast, int]]] = {}
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
            self._follow_shipment(row)
        self._place_orders()
        self._forecast_needs()
        self._receive_shipments()
        self._energise_phases()
        self._consume_stock()
        if day == last_of_month(day):
            self._count_stock()
        return self._log.end()

    # ------------------------------------------------------------ plans

    def _make_plans(self, variant: Variant) -> None:
        """Derive the phases, and the days of their forecasts and orders."""
        plan = derive_plan(self._scenario, variant)
        for phase in plan.phases:
            if phase.site in self._sites:
                self._phases[phase.name] = planned = Phase(phase, {})
                self._to_energise.setdefault(phase.energise_on, []).append(planned)
        for need in plan.needs:
            if need.site in self._sites and need.wafers:
                lacking = self._phases[need.phase].lacking
                lacking[need.product] = lacking.get(need.product, 0) + need.wafers
                self._plan_need(need)

    def _plan_need(self, need: Need) -> None:
        """Fix the days on which a need is forecast, reviewed and ordered."""
        play, lead = self._scenario.play, self._scenario.lead_time(need.product)
        line = f"{need.phase}.{need.product}.{need.month:%y%m}"
        forecast = None
        if need.month >= self._start:
            error = int(self._random() * (2 * play.forecast_error_percent + 1)) - play.forecast_error_percent
            due = need.month + MIDMONTH + lead.cycle + lead.transit
            forecast = self._forecasts[line] = Forecast(line, need, due, need.wafers)
            errors = {  # of several that are due on the first day, the last
                max(add_months(need.month, -months), self._start): error * percent // 100
                for months, percent in ((play.forecast_months, 100), *REVIEWS)
            }
            for day, error_percent in errors.items():
                self._to_forecast.setdefault(day, []).append((forecast, error_percent))
        parts = max(1, min(play.order_parts, need.wafers // play.order_wafers_min))
        for n in range(parts):
            start_by = need.month + timedelta(days=7 * (n + 1 + play.order_parts - parts) - 1)
            wafers = need.wafers * (n + 1) // parts - need.wafers * n // parts
            due = start_by + lead.cycle + lead.transit
            order = Order(f"{line}.{n + 1}", need.phase, need.product, need.site, start_by, due, wafers)
            day = max(start_by - timedelta(weeks=play.order_weeks), self._start)
            self._to_order.setdefault(day, []).append((order, forecast))

    def _declare_sites(self) -> None:
        """Publish the sites and phases, on the first day."""
        for site in self._sites.values():
            self._declare(site, site.evidence, 0)
        for phase in self._phases.values():
            self._publish_phase(phase, None)

    def _declare(self, site: ScenarioSite, evidence: str, revision: int) -> None:
        self._emit(
            SiteDeclared(
                site=site.id, name=site.name, country=site.country, mooring=site.mooring, mw=site.mw.value,
                pue_percent=site.pue_percent.value, land_ha=site.land_ha.value if site.land_ha else None,
                waterplane_m2=site.waterplane_m2.value if site.waterplane_m2 else None,
                kg_co2_per_mwh=site.kg_co2_per_mwh.value, evidence=evidence,
                confidence=site.confidence, revision=revision,
            )
        )  # fmt: skip

    def _publish_phase(self, phase: Phase, cause: str | None) -> str:
        plan = phase.plan
        return self._emit(
            PhasePlanned(
                site=plan.site, phase=plan.name, mw=plan.mw, platform=plan.platform, energise_on=phase.energise_on,
                status=phase.status, revision=phase.revision,
            ),
            cause,
        )  # fmt: skip

    def _forecast_needs(self) -> None:
        for forecast, error_percent in self._to_forecast.pop(self._today, []):
            wafers = forecast.unordered * (100 + error_percent) // 100
            if wafers != forecast.wafers:
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
        for order, forecast in self._to_order.pop(self._today, []):
            phase = self._phases[order.phase]
            if phase.status != "planned":
                continue
            self._orders[order.line] = order
            order.due += phase.delay
            self._publish_order(order, forecast.event_id if forecast else None)
            if forecast:
                forecast.unordered -= order.wafers
                if forecast.wafers > forecast.unordered:
                    self._publish_forecast(forecast, forecast.unordered, order.event_id)
            else:
                self._open_stock(order)

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
            shipment = Shipment(key[1], key[0], str(row.product), row.site, row.wafers or 0, eta, row.id)
            self._shipments[key] = shipment
            self._expect(shipment, eta)
        elif row.name == "shipment.revised" and key in self._shipments:
            shipment = self._shipments[key]
            if row.site in self._sites:
                shipment.site = row.site
                self._expect(shipment, date_of(row.day or 0))
            else:  # diverted to another group
                del self._shipments[key]
        elif row.name == "shipment.lost":
            self._shipments.pop(key, None)

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
            if phase.status == "planned" and phase.energise_on == self._today:
                self._energised[phase.plan.site].append(phase)

    def _consume_stock(self) -> None:
        """Consume stock on hand for the wafers that energised phases lack."""
        for site, phases in self._energised.items():
            for phase in phases:
                for product, lacking in phase.lacking.items():
                    stock = self._on_hand.get((site, product))
                    if lacking and stock:
                        phase.lacking[product] -= self._consume(phase, product, lacking, stock)
            if phases:
                self._energised[site] = [phase for phase in phases if any(phase.lacking.values())]

    def _consume(self, phase: Phase, product: str, lacking: int, stock: dict[str, int]) -> int:
        """Consume up to `lacking` wafers of a stock, supplier by supplier; return how many."""
        taken = 0
        for supplier in sorted(stock):
            wafers = min(stock[supplier], lacking - taken)
            if wafers:
                self._emit(
                    WafersConsumed(
                        product=product, site=phase.plan.site, supplier=supplier, wafers=wafers,
                        phase=phase.plan.name,
                    )
                )  # fmt: skip
                stock[supplier] -= wafers
                taken += wafers
        return taken

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
        """Carry out the scenario's events of this day."""
        events = self._scenario.events
        for redeclared in events.redeclared_sites:
            if redeclared.day == self._today and redeclared.site in self._sites:
                self._declare(self._sites[redeclared.site], redeclared.evidence, 1)
        for slipped in events.slipped_phases:
            if slipped.day == self._today and slipped.site in self._sites:
                self._slip_phase(self._phases[f"{slipped.site}.{slipped.phase}"], timedelta(weeks=slipped.weeks))
        for withdrawal in events.withdrawals:
            if withdrawal.day == self._today and withdrawal.site in self._sites:
                for phase in self._phases.values():
                    if phase.plan.site == withdrawal.site and phase.plan.withdrawn:
                        phase.status = withdrawal.status
                        self._withdraw_phase(phase)
                if withdrawal.divert_to:
                    self._transfer_stock(withdrawal.site, withdrawal.divert_to)
        self._errs_next |= any((e.day, e.datacenter) == (self._today, self._source) for e in events.receipts_in_error)
        for returned in events.returned_wafers:
            if (returned.day, returned.datacenter) == (self._today, self._source):
                wafers = int(returned.gb / self._scenario.gb_per_wafer(returned.product))
                self._return_wafers(returned.product, returned.supplier, wafers)

    def _slip_phase(self, phase: Phase, delay: timedelta) -> None:
        """Postpone a phase, and the due days of its open orders and forecasts; `start_by` stays."""
        phase.delay += delay
        phase.revision += 1
        self._to_energise.setdefault(phase.energise_on, []).append(phase)
        cause = self._publish_phase(phase, None)
        for order in self._orders.values():
            if order.phase == phase.plan.name and order.due > self._today and order.wafers:
                order.due, order.revision = order.due + delay, order.revision + 1
                self._publish_order(order, cause)
        for forecast in self._forecasts.values():
            if forecast.need.phase == phase.plan.name:
                forecast.due += delay
                if forecast.wafers:
                    self._publish_forecast(forecast, forecast.wafers, cause)

    def _withdraw_phase(self, phase: Phase) -> None:
        """Withdraw a phase with its orders and forecasts."""
        phase.revision += 1
        phase.lacking = {}
        cause = self._publish_phase(phase, None)
        for order in self._orders.values():
            if order.phase == phase.plan.name and order.wafers:
                order.wafers, order.revision = 0, order.revision + 1
                self._publish_order(order, cause)
        for forecast in self._forecasts.values():
            if forecast.need.phase == phase.plan.name:
                forecast.unordered = 0
                if forecast.wafers:
                    self._publish_forecast(forecast, 0, cause)

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
