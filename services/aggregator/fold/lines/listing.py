"""Lists of lines: commits, orders, forecasts and shipments by due day, those that are open or overdue among them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from services.aggregator.fold.lines.book import LineBook
from services.aggregator.fold.lines.facts import FORECAST, Group, Key
from services.aggregator.fold.lines.line import PlanLine, ShipmentLine
from services.aggregator.terms import LineKind
from shared.wire.firmness import FIRMNESS, Firmness
from shared.wire.lines import COMMIT, ORDER, LineName

_KIND_OF: dict[str, LineKind] = {COMMIT: "commit", ORDER: "order", FORECAST: "forecast"}


class LineSelection(NamedTuple):
    """The lines to list; None does not filter."""

    kind: LineKind | None = None
    product: str | None = None
    site: str | None = None
    supplier: str | None = None
    source: str | None = None
    from_day: int | None = None  # of the due day, since 1970
    to_day: int | None = None
    is_open: bool = True  # only lines with wafers still open
    like: str = ""  # a text in the id, folded to lower case

    def takes_id(self, line_id: str) -> bool:
        """Return whether a line with this id may be one of those to list."""
        return self.like in line_id.casefold()

    def takes(self, line: "ListedLine") -> bool:
        """Return whether a line is one of those to list."""
        product, site, supplier = line.key
        return (
            self.product in (None, product)
            and self.site in (None, site)
            and self.supplier in (None, supplier)
            and (self.from_day is None or line.due >= self.from_day)
            and (self.to_day is None or line.due <= self.to_day)
            and (line.open_wafers > 0 or not self.is_open)
        )


class ListedLine(NamedTuple):
    """A line as it is in force; a part of a shipment that goes its own way is one of its own."""

    due: int  # a shipment's eta
    kind: LineKind
    source: str
    name: str
    key: Key  # product, site, supplier
    event: str  # that states it; with `due` it makes the order of the list total
    wafers: int
    open_wafers: int
    firmness: Firmness | None
    priority: int | None  # of an order
    revision: int | None  # None: a shipment as it was sent
    stated_on: int
    reason: str | None


def list_lines(
    book: LineBook, chosen: LineSelection, today: int | None, backorders: Mapping[Group, int]
) -> list[ListedLine]:
    """Return the lines of a book, by due day, kind, source and name.

    Open are the wafers of a commit that were not dispatched, of an order those not consumed for it, of a forecast all,
    of a shipment those under way. Consumption that names no order serves the orders of its product at its site in the
    order of their due days: of those due before `today` the last ones are open, as many wafers as the backorder has.
    """
    found: list[ListedLine] = []
    if chosen.kind != "shipment":
        left = _left_open(book, today, backorders) if chosen.kind in (None, "order") else {}
        found += (line for plan in book.plans.values() for line in _plan(plan, chosen, today, left))
    if chosen.kind in (None, "shipment"):
        found += (line for each in book.shipments.values() for line in _shipment(each, chosen))
    return sorted(found, key=lambda line: line[:6])


def sort_lines(found: Sequence[ListedLine], by: str | None, today: int | None) -> list[ListedLine]:
    """Return lines by a column of `LINE_COLUMNS`, after `-` the greatest first; those without a value come last.

    None leaves them as they are.
    """
    if by is None:
        return list(found)
    value_of = _COLUMNS[by.removeprefix("-")]
    valued = [(value_of(line, today), line) for line in found]
    with_value = sorted((pair for pair in valued if pair[0] is not None), key=itemgetter(0), reverse=by.startswith("-"))
    return [line for _, line in with_value] + [line for value, line in valued if value is None]


def days_overdue(line: ListedLine, today: int | None) -> int | None:
    """Return the days that open wafers of a line are overdue by; None where they are not, and for a forecast."""
    is_overdue = today is not None and line.open_wafers > 0 and line.due < today and line.kind != "forecast"
    return today - line.due if is_overdue and today is not None else None


_COLUMNS: dict[str, Callable[[ListedLine, int | None], Any]] = {
    "due": lambda line, _: line.due,
    "kind": lambda line, _: line.kind,
    "product": lambda line, _: line.key[0],
    "site": lambda line, _: line.key[1],
    "supplier": lambda line, _: line.key[2],
    "line": lambda line, _: line.name,
    "wafers": lambda line, _: line.wafers,
    "open_wafers": lambda line, _: line.open_wafers,
    "days_overdue": days_overdue,
    "firmness": lambda line, _: None if line.firmness is None else FIRMNESS.index(line.firmness),
}


def _left_open(book: LineBook, today: int | None, backorders: Mapping[Group, int]) -> dict[LineName, int]:
    """Return the open wafers of the orders due before today, the last due first up to the backorder."""
    left: dict[LineName, int] = {}
    for group, unpaid in backorders.items():
        backorder = unpaid
        for due in reversed(book.orders_of(*group, today)):
            if today is not None and due.day < today:
                left[due.name] = min(due.wafers, backorder)
                backorder -= left[due.name]
    return left


def _plan(
    plan: PlanLine, chosen: LineSelection, today: int | None, left: Mapping[LineName, int]
) -> Iterator[ListedLine]:
    source, name, line_id = plan.name
    kind = _KIND_OF.get(name)
    if (
        kind is None
        or chosen.kind not in (None, kind)
        or chosen.source not in (None, source)
        or not chosen.takes_id(line_id)
    ):
        return
    for now in plan.statements[-1:]:
        due = plan.due(today)
        open_wafers = 0 if due is None else due[1].wafers
        if kind == "order" and today is not None and now.due < today:
            open_wafers = left.get(plan.name, 0)
        line = ListedLine(
            now.due, kind, source, line_id, now.key, now.id, now.wafers, open_wafers,
            now.firmness, now.priority if kind == "order" else None, now.revision, now.stated_on, now.reason or None,
        )  # fmt: skip
        if chosen.takes(line):
            yield line


def _shipment(shipment: ShipmentLine, chosen: LineSelection) -> Iterator[ListedLine]:
    owner, _, line_id = shipment.name
    if chosen.source not in (None, owner) or not chosen.takes_id(line_id):
        return
    open_of = {dispatch.id: wafers for dispatch, wafers in shipment.parts_under_way()}
    for dispatch in shipment.dispatches:
        eta, site, event = shipment.plans(dispatch)[-1]
        product, _, supplier = dispatch.key
        revised = shipment.revisions[-1] if shipment.revisions else None
        line = ListedLine(
            eta, "shipment", owner, line_id, (product, site, supplier), event, dispatch.wafers,
            open_of.get(dispatch.id, 0), None, None, None if revised is None else revised.revision, dispatch.day, None,
        )  # fmt: skip
        if chosen.takes(line):
            yield line
