"""Records of a group of sites: its phases, orders, forecasts and the shipments under way to it."""

from dataclasses import dataclass, field
from datetime import date

from shared.play.buildings import PlannedPhase
from shared.play.demand_plan import Need


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
    version: int = 0  # of the need: what was scheduled for an earlier one is left out


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
