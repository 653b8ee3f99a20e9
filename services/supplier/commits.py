"""Commits of a simulated supplier on orders and forecasts, the lots made for them, and the route of a product."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple

from services.supplier.capacity import Booking
from shared.wire.firmness import Firmness


@dataclass(slots=True)
class Commit:
    """A commit on an order, and its progress."""

    line: str
    product: str
    site: str
    due: date
    wafers: int
    ship_on: date
    to_start: int
    booked: list[Booking]
    firmness: Firmness = "material"
    revision: int = 0
    event_id: str = ""  # of its last event
    in_process: int = 0  # lots
    finished: list[tuple[str, int]] = field(default_factory=list)  # lots to ship, and their wafers
    dispatched: int = 0
    withdrawn: bool = False


@dataclass(slots=True)
class Lot:
    """A lot in process."""

    name: str
    commit: Commit
    wafers: int
    event_id: str


@dataclass(slots=True)
class Outlook:
    """A commit on a forecast: planned, and withdrawn as orders replace the forecast."""

    product: str
    site: str
    due: date
    event_id: str  # of its last commit, or else of the forecast
    wafers: int = 0
    wanted: int = 0
    revision: int = -1


class Route(NamedTuple):
    """Times and yields of a product in the fab."""

    cycle: timedelta
    line_loss: float  # of each wafer
    plan: int  # line yield times probe yield, in hundredths of a percent
