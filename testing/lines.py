"""Lines for tests: the book of some events, its wafers due in columns, and stories of one supplier and one site."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from itertools import chain
from typing import NamedTuple

import numpy as np

from services.aggregator.fold.lines.book import LineBook
from services.aggregator.fold.lines.causes import find_causes
from services.aggregator.fold.lines.facts import FORECAST, Group
from services.aggregator.fold.lines.line import LineDue
from services.aggregator.kernels.arrays import Index, Wafers
from shared.play.numbering import Numbering
from shared.wire.days import day_number
from shared.wire.events import (
    DemandForecast,
    DemandRequired,
    Event,
    EventData,
    EventReversed,
    ShipmentDispatched,
    ShipmentReceived,
    ShipmentRevised,
    SupplyCommitted,
)
from shared.wire.firmness import Firmness
from shared.wire.lines import ORDER, LineName
from shared.wire.postings import LINE_EVENTS
from shared.wire.rows import Row, canonical_bodies
from testing.fold import Folded

KEY = {"product": "HBM4-12H", "site": "abilene", "supplier": "samsung"}


def bodies_of(log: Sequence[Event]) -> list[str]:
    """The canonical bodies of the events of lines among some events."""
    return canonical_bodies([Row.of(event) for event in log if event.data.type in LINE_EVENTS])


def lines_of(*parts: Sequence[Event]) -> LineBook:
    """The book of some events, a batch each part."""
    return fold_lines(map(bodies_of, parts))


def lines_published(folded: Folded) -> LineBook:
    """The book of the events that a ledger publishes with its postings."""
    return fold_lines(stored.postings.said for stored in folded.store.published_batches(0, 1_000_000))


def fold_lines(batches: Iterable[Sequence[str]]) -> LineBook:
    """The book of some batches of bodies."""
    lines = LineBook()
    for bodies in batches:
        lines.add(bodies)
    return lines


# ---------------------------------------------------------------- wafers due in columns


class DueColumns(NamedTuple):
    """The wafers due of some lines, by group, day, rank and name."""

    groups: list[Group]
    group: Index  # [line] which of the groups
    day: Index  # [line] since 1970
    wafers: Wafers  # [line] above 0
    rank: Index  # [line]
    names: list[LineName]
    events: list[str]  # the ids of those in force
    suppliers: list[str]


def supplies(lines: LineBook, firmness: Firmness = "planned") -> DueColumns:
    """The supply of all groups."""
    return _columns({group: lines.supplies_of(*group, firmness) for group in _groups_of(lines)})


def demands(lines: LineBook, kind: str = ORDER) -> DueColumns:
    """The orders of all groups, or (`FORECAST`) the forecasts."""
    if kind != FORECAST:
        return _columns({group: lines.orders_of(*group) for group in _groups_of(lines)})
    due: defaultdict[Group, list[LineDue]] = defaultdict(list)
    for plan in lines.plans.values():
        found = plan.due()
        if plan.name[1] == FORECAST and found is not None:
            due[found[0]].append(found[1])
    return _columns({group: sorted(found) for group, found in due.items()})


def _groups_of(lines: LineBook) -> set[Group]:
    return {group for line in (*lines.plans.values(), *lines.shipments.values()) for group in line.groups}


def _columns(due: dict[Group, list[LineDue]]) -> DueColumns:
    groups = sorted(group for group, lines in due.items() if lines)
    rows = list(chain.from_iterable(due[group] for group in groups))
    day, rank, names, wafers, events, suppliers = zip(*rows, strict=True) if rows else ((),) * 6
    return DueColumns(
        groups,
        np.repeat(np.arange(len(groups)), [len(due[group]) for group in groups]),
        np.array(day, dtype=np.int64),
        np.array(wafers, dtype=np.int64),
        np.array(rank, dtype=np.int64),
        list(names),
        list(events),
        list(suppliers),
    )


# ---------------------------------------------------------------- stories


class Story:
    """The events of a supplier and a site, on days of April 2026."""

    def __init__(self) -> None:
        self.supplier, self.center = Numbering("samsung"), Numbering("americas")
        self.log: list[Event] = []

    def say(self, day: int, data: EventData, cause: str | None = None) -> Event:
        numbering = (
            self.supplier if "supplier" in data.published_by and type(data) is not EventReversed else self.center
        )
        self.log.append(numbering.emit(datetime(2026, 4, day, 12, tzinfo=UTC), data, cause=cause))
        return self.log[-1]

    def commit(
        self, day: int, wafers: int, due: int, revision: int = 0, *, cause: str | None = None, **other: str
    ) -> Event:
        terms = {"line": "c", "firmness": "firm"} | KEY | other
        data = SupplyCommitted(due=date(2026, 4, due), wafers=wafers, revision=revision, **terms)
        return self.say(day, data, cause)

    def send(self, day: int, wafers: int, eta: int, commit: str | None = None, **other: str) -> Event:
        terms = {"shipment": "s"} | KEY | other
        return self.say(day, ShipmentDispatched(wafers=wafers, eta=date(2026, 4, eta), commit=commit, lots=[], **terms))

    def revise(self, day: int, eta: int, revision: int = 1, **other: str) -> Event:
        return self.say(day, ShipmentRevised(shipment="s", eta=date(2026, 4, eta), revision=revision, **(KEY | other)))

    def receive(self, day: int, wafers: int, damaged: int = 0, **other: str) -> Event:
        terms = {"shipment": "s", "owner": "samsung"} | KEY | other
        return self.say(day, ShipmentReceived(wafers=wafers, wafers_damaged=damaged, **terms))

    def order(self, day: int, wafers: int, due: int, revision: int = 0, *, start_by: int = 1, **other: str) -> Event:
        data = DemandRequired(
            due=date(2026, 4, due), start_by=date(2026, 4, start_by), priority=2, wafers=wafers, revision=revision,
            **({"line": "o"} | KEY | other),
        )  # fmt: skip
        return self.say(day, data)

    def forecast(self, day: int, wafers: int, due: int, revision: int = 0, **other: str) -> Event:
        terms = {"line": "f"} | KEY | other
        return self.say(day, DemandForecast(due=date(2026, 4, due), wafers=wafers, revision=revision, **terms))

    def causes(self, through: int, site: str = "abilene") -> list[tuple[int, str, str]]:
        found = find_causes(lines_of(self.log), "HBM4-12H", site, day_number(date(2026, 4, through)))
        return [(cause.wafers, cause.change, cause.event) for cause in found]
