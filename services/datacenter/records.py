"""Records of a group of sites: its phases, orders, forecasts and the shipments under way to it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

from shared.play.buildings import PlannedPhase
from shared.play.demand_plan import Need
from shared.play.scenario import Behaviour


@dataclass(slots=True)
class Phase:
    """A phase of a site, and the wafers it still lacks by product."""

    plan: PlannedPhase
    lacking: dict[str, int]
    consumed: dict[str, int] = field(default_factory=dict)
    revision: int = 0


@dataclass(slots=True)
class Order:
    """Wafers required on one line, and those that suppliers have committed on it."""

    line: str
    phase: str
    product: str
    site: str
    start_by: date
    due: date
    wafers: int
    revision: int = 0
    event_id: str = ""
    reissued: int = 0  # times
    promised: dict[tuple[str, str], int] = field(default_factory=dict)  # by supplier and its line
    gone: int = 0  # lost, missing or damaged on the way

    def issue_anew(self, last: "Order", wafers: int) -> "Order":
        """Return the next order for some wafers of this one, with the days of the last."""
        self.reissued += 1
        line = f"{self.line}:{self.reissued}"
        return Order(line, last.phase, last.product, last.site, last.start_by, last.due, wafers)


@dataclass(slots=True)
class Forecast:
    """Wafers of one need that are not yet ordered."""

    line: str
    need: Need
    due: date
    unordered: int
    error_percent: int
    wafers: int = 0
    revision: int = -1
    event_id: str | None = None
    parts: int = 0  # ordered
    version: int = 0  # of the need: orders scheduled for an earlier one are left out


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
    order: Order | None


def split_need(need: Need, line: str, play: Behaviour, lead: timedelta, ordered: int) -> Iterator[Order]:
    """Yield the orders of a need, a week apart at the end of its month; `ordered` of the line were placed before."""
    parts = max(1, min(play.order_parts, need.wafers // play.order_wafers_min))
    for n in range(parts):
        start_by = need.month + timedelta(days=7 * (n + 1 + play.order_parts - parts) - 1)
        wafers = need.wafers * (n + 1) // parts - need.wafers * n // parts
        name = f"{line}.{ordered + n + 1}"
        yield Order(name, need.phase, need.product, need.site, start_by, start_by + lead, wafers)


def lower_orders(orders: Iterable[Order], needs: Iterable[Need]) -> tuple[dict[str, int], list[Order]]:
    """Lower the orders beyond some needs, the last to be started first; return those left, and the lowered."""
    required: dict[str, int] = {}
    for need in needs:
        required[need.product] = required.get(need.product, 0) + need.wafers
    ordered, lowered = dict.fromkeys(required, 0), []
    for order in sorted(orders, key=lambda order: (order.start_by, order.line)):
        wafers = min(order.wafers, required[order.product] - ordered[order.product])
        ordered[order.product] += wafers
        if wafers < order.wafers:
            order.wafers, order.revision = wafers, order.revision + 1
            lowered.append(order)
    return ordered, lowered


def take_wafers(stock: dict[str, int], wafers: int) -> dict[str, int]:
    """Take up to so many wafers out of a stock, supplier by supplier; return those taken."""
    taken: dict[str, int] = {}
    for supplier in sorted(stock):
        part = min(stock[supplier], wafers - sum(taken.values()))
        if part:
            stock[supplier] -= part
            taken[supplier] = part
    return taken
