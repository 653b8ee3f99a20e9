"""Events of lines as facts: statements of plans, dispatches, revisions and ends of shipments."""

from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import NamedTuple, TypeAlias, cast

from shared.wire.days import DAY_US, day_number
from shared.wire.firmness import Firmness
from shared.wire.lines import COMMIT, ORDER
from shared.wire.rows import Row

FORECAST = "demand.forecast"

Key = tuple[str, str, str]  # product, site, supplier
Group = tuple[str, str]  # product, site
Origin = tuple[str, str]  # product, supplier


# ---------------------------------------------------------------- facts: of one line, the last in order holds


class Statement(NamedTuple):
    """A plan as one event states it: a commit, an order or a forecast."""

    revision: int
    time: int  # of the event: the later of two equal revisions is in force
    id: str
    due: int
    wafers: int
    key: Key
    firmness: Firmness | None  # of a commit
    reason: str  # of a commit
    start_by: int | None  # of an order
    priority: int  # of an order, 1 first; 0 of any other
    cause: str | None = None  # of a commit: the event that it follows from

    @property
    def stated_on(self) -> int:
        """The day of the event."""
        return self.time // DAY_US


class Consumption(NamedTuple):
    """Wafers of the stock that were consumed for an order."""

    day: int
    id: str
    key: Key
    wafers: int


class Dispatch(NamedTuple):
    """Wafers of a shipment that were sent."""

    day: int
    eta: int
    key: Key
    id: str
    wafers: int
    commit: str | None
    cause: str | None = None  # the event that it follows from


class Revision(NamedTuple):
    """A later eta and site of a shipment."""

    revision: int
    time: int
    id: str
    eta: int
    site: str


class End(NamedTuple):
    """Wafers of a shipment that came to their end: good or damaged at a site, or lost."""

    day: int
    source: str
    id: str
    site: str
    received: int
    damaged: int
    lost: int
    supplier: str  # as published: it counts as the shipment's supplier, whichever this is


Fact: TypeAlias = Statement | Consumption | Dispatch | Revision | End


# ---------------------------------------------------------------- an event as a fact


# The columns of a row may be empty, but not those that its type needs: the ledger has checked them.


def _statement(row: Row) -> Statement:
    others = row.others
    start_by = others.get("start_by")
    return Statement(
        cast(int, row.revision), row.time, row.id, cast(int, row.day), cast(int, row.wafers), _key(row),
        others.get("firmness"), others.get("reason", ""),
        None if start_by is None else day_number(date.fromisoformat(start_by)), others.get("priority", 0),
        row.cause if row.name == COMMIT else None,
    )  # fmt: skip


def _consumption(row: Row) -> Consumption:
    return Consumption(row.time // DAY_US, row.id, _key(row), cast(int, row.wafers))


def _dispatch(row: Row) -> Dispatch:
    return Dispatch(
        row.time // DAY_US,
        cast(int, row.day),
        _key(row),
        row.id,
        cast(int, row.wafers),
        row.others["commit"],
        row.cause,
    )


def _revision(row: Row) -> Revision:
    return Revision(cast(int, row.revision), row.time, row.id, cast(int, row.day), str(row.site))


def _arrival(row: Row) -> End:
    wafers, damaged = cast(int, row.wafers), row.others["wafers_damaged"]
    return End(row.time // DAY_US, row.source, row.id, str(row.site), wafers, damaged, 0, str(row.supplier))


def _loss(row: Row) -> End:
    return End(row.time // DAY_US, row.source, row.id, str(row.site), 0, 0, cast(int, row.wafers), str(row.supplier))


def _key(row: Row) -> Key:
    return _one_key(str(row.product), str(row.site), str(row.supplier))


@lru_cache(maxsize=4096)
def _one_key(*key: str) -> Key:
    return cast(Key, key)  # one tuple for all facts of a key: the keys are few, the facts many


FACTS: dict[str, Callable[[Row], Fact]] = {
    **dict.fromkeys((COMMIT, ORDER, FORECAST), _statement),
    "wafers.consumed": _consumption,
    "shipment.dispatched": _dispatch,
    "shipment.revised": _revision,
    "shipment.received": _arrival,
    "shipment.lost": _loss,
}
"""The fact that an event states, by its name; `event.reversed` states none."""
