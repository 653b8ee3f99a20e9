"""The summary of a line: its terms in force, and the wafers that are still to come of it."""

from typing import NamedTuple

from services.ledger.books.lines import ENDS, Key, LineState, Terms
from shared.wire.lines import COMMIT, ORDER, LineName

OPEN, CLOSED, WITHDRAWN = "open", "closed", "withdrawn"
STATES = (OPEN, CLOSED, WITHDRAWN)
"""A line is withdrawn at 0 wafers, and closed when none of its wafers is still to come."""

KINDS = {
    "agreement": "supply.agreed",
    "commit": COMMIT,
    "forecast": "demand.forecast",
    "order": ORDER,
    "shipment": "shipment",
}
"""The kinds of lines by their names in a query; a shipment's kind has the product behind it."""


class LineSummary(NamedTuple):
    """The terms of a line in force."""

    kind: str  # of KINDS
    line: str
    key: Key
    day: int  # due, the last ETA, or the first day of an agreement; days since 1970
    wafers: int
    open_wafers: int  # not yet dispatched, consumed, received or lost
    revision: int | None  # None: a shipment that was never revised
    state: str  # of STATES
    event: str  # the id of the event in force


def summarize_line(name: LineName, line: LineState) -> LineSummary | None:
    """Return the summary of a line, None where no statement or dispatch of it is in force."""
    _, stored_kind, id_ = name
    if stored_kind.startswith("shipment/"):
        return _summarize_shipment(id_, line)
    in_force = line.in_force_id()
    if in_force is None:
        return None
    kind = next(kind for kind, stored in KINDS.items() if stored == stored_kind)
    revision, day, wafers, key, *_ = terms = line.statements[in_force]
    open_wafers = max(0, wafers - _done(kind, line, terms))
    state = WITHDRAWN if wafers == 0 else OPEN if open_wafers else CLOSED
    return LineSummary(kind, id_, key, day, wafers, open_wafers, revision, state, in_force)


def _done(kind: str, line: LineState, terms: Terms) -> int:
    """Return the wafers of a line that were dispatched on it, or consumed for it."""
    product, site, supplier = terms[3]
    if kind == "commit":
        return line.released.get((product, supplier), 0)
    if kind == "order":
        return sum(wafers for (_, key), wafers in line.consumed.items() if key[:2] == (product, site))
    return 0


def _summarize_shipment(id_: str, line: LineState) -> LineSummary | None:
    if not line.dispatches:
        return None
    dispatched = min(line.dispatches, key=lambda each: line.dispatches[each][1:])
    in_force, terms = line.in_force_id(), line.in_force()
    wafers, _, _, key = line.dispatches[dispatched]
    wafers = sum(sending[0] for sending in line.dispatches.values())
    day = max(sending[2] for sending in line.dispatches.values())
    revision = None
    if terms is not None:
        revision, day, key = terms[0], terms[1], (key[0], terms[3][1], key[2])
    open_wafers = max(0, wafers - sum(moved for (measure, _, _), moved in line.moved.items() if measure in ENDS))
    state = OPEN if open_wafers else CLOSED
    return LineSummary("shipment", id_, key, day, wafers, open_wafers, revision, state, in_force or dispatched)
