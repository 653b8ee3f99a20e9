"""Bridge: the projected balance of a product-site and day in an earlier state and now, and the difference by cause."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from services.aggregator.fold.lines.altered import touched_lines
from services.aggregator.fold.lines.facts import Group
from services.aggregator.fold.state import FoldState
from services.aggregator.plan.bridge.ground import Ground, PlanTerm, survey
from shared.wire.firmness import Firmness
from shared.wire.lines import LineName
from shared.wire.postings import Measure

_OF_MEASURE = {
    Measure.OPENED: "opened",
    Measure.TRANSFERRED_IN: "transferred",
    Measure.TRANSFERRED_OUT: "transferred",
    Measure.ADJUSTED: "counted",
}
CAUSES = (
    "demand_raised", "demand_lowered", "demand_pulled_in", "demand_pushed_out", "demand_moved",
    "commits_lowered", "commits_raised", "commits_moved", "softened", "firmed", "sent_unpromised",
    "slipped", "pulled_in", "diverted", "lost", "damaged", "over_received", "short_received", "scrap_and_yield",
    "consumed_beyond", "never_promised", "opened", "counted", "transferred", "returned", "overdue",
)  # fmt: skip
"""The causes in the order in which they apply."""


MOVED_BY = {
    "opened": ("stock.opened",),
    "counted": ("stock.counted",),
    "transferred": ("stock.transferred",),
    "returned": ("shipment.returned",),
    "consumed_beyond": ("wafers.consumed", "demand.required"),
}
"""The causes of movements, and the types of the events that they are of."""


class BridgeEntry(NamedTuple):
    """The effect of one line, or of the movements of one supplier, on the projected balance."""

    wafers: int  # signed
    kind: str  # of the line, or the movement
    line: LineName | None  # None: of movements, which belong to no line
    party: str  # source of the line, or supplier of the movements
    event: str | None  # of the line, since which it is so; None where no event is published, or it was reversed
    event_source: str | None = None  # where it is not the line's: a site states receipts and losses


class BridgeBar(NamedTuple):
    """A cause, the wafers by which it changes the projected balance, and its parts, the largest first."""

    cause: str
    wafers: int
    entries: list[BridgeEntry]


class Bridge(NamedTuple):
    """The projected balance of a day then and now; the bars sum to the difference."""

    then: int
    now: int
    bars: list[BridgeBar]  # in the order of `CAUSES`, those without effect left out


def build_bridge(then: FoldState, now: FoldState, group: Group, day: int, firmness: Firmness = "planned") -> Bridge:
    """Return the bridge of a product-site and day, which is not before today in either state, inside the horizon.

    All causes but one add up; each takes the difference of its own lines or movements. `consumed_beyond` is the wafers
    by which the backorder's floor keeps the balance below the sum of all others: it depends on orders and consumption
    alone, so on no cause that comes after it.
    """
    touched = touched_lines(then.lines, now.lines, group)
    before, after = (survey(state, group, day, firmness, touched) for state in (then, now))
    entries = defaultdict[str, list[BridgeEntry]](list)
    for cause, entry in _all_entries(before, after):
        if entry.wafers:
            entries[cause].append(entry)
    bars = []
    for cause in sorted(entries, key=CAUSES.index):
        ranked = sorted(entries[cause], key=lambda entry: (-abs(entry.wafers), entry.party, entry.line or ()))
        bars.append(BridgeBar(cause, sum(entry.wafers for entry in ranked), ranked))
    return Bridge(before.balance, after.balance, bars)


def _all_entries(before: Ground, after: Ground) -> Iterator[tuple[str, BridgeEntry]]:
    scrapped = {
        supplier: after.scrapped.get(supplier, 0) - before.scrapped.get(supplier, 0)
        for supplier in before.scrapped.keys() | after.scrapped.keys()
    }
    demand = [*_net(_plan_entries(before.orders, after.orders, "demand", -1), "demand", {})]
    commits = [*_net(_plan_entries(before.commits, after.commits, "commits", +1), "commits", scrapped)]
    promised = sum(entry.wafers for cause, entry in commits if cause == "commits_raised")
    yield from _split_never_promised(demand, before.orders, after.orders, promised)
    yield from commits
    for terms, were in ((after.shipments, before.shipments), (after.overdue, before.overdue)):
        for key in sorted(terms.keys() | were.keys()):
            cause, line = key
            wafers = (terms[key].wafers if key in terms else 0) - (were[key].wafers if key in were else 0)
            event, source = terms[key][1:] if key in terms else (None, None)
            if cause == "slipped" and wafers > 0:
                cause = "pulled_in"
            yield cause, BridgeEntry(wafers, line[1].partition("/")[0], line, line[0], event, source)
    for measure, supplier in sorted(before.stock.keys() | after.stock.keys()):
        wafers = after.stock.get((measure, supplier), 0) - before.stock.get((measure, supplier), 0)
        name = measure.name.lower()
        yield _OF_MEASURE.get(measure, name), BridgeEntry(wafers, name, None, supplier, None)
    beyond = before.consumed_beyond - after.consumed_beyond
    yield "consumed_beyond", BridgeEntry(beyond, "consumed", None, "", None)


def _split_never_promised(
    demand: Sequence[tuple[str, BridgeEntry]],
    before: dict[LineName, PlanTerm],
    after: dict[LineName, PlanTerm],
    promised: int,
) -> Iterator[tuple[str, BridgeEntry]]:
    """Yield the effects of demand, with `never_promised` apart from `demand_raised`.

    Of the wafers by which demand is raised on balance, those of orders placed since were never promised as far as they
    exceed the wafers by which commits were raised; the orders due first are promised first.
    """
    raised = -sum(entry.wafers for cause, entry in demand if cause == "demand_raised")
    unpromised = max(0, raised - promised)
    placed = [
        (after[entry.line].due, entry.line, n)
        for n, (cause, entry) in enumerate(demand)
        if cause == "demand_raised" and entry.wafers < 0 and entry.line in after and entry.line not in before
    ]
    taken = dict[int, int]()
    for _, _, n in sorted(placed, reverse=True):
        taken[n] = min(unpromised, -demand[n][1].wafers)
        unpromised -= taken[n]
    for n, (cause, entry) in enumerate(demand):
        yield cause, entry._replace(wafers=entry.wafers + taken.get(n, 0))
        yield "never_promised", entry._replace(wafers=-taken.get(n, 0))


_Change = tuple[str, str, BridgeEntry]  # aspect, party that the aspect "wafers" is netted by, effect


def _plan_entries(
    before: dict[LineName, PlanTerm], after: dict[LineName, PlanTerm], prefix: str, sign: int
) -> Iterator[_Change]:
    for line in sorted(before.keys() | after.keys()):
        was, now = before.get(line), after.get(line)
        holder = now or was
        assert holder is not None
        event = now.event if now is not None else None
        for aspect, wafers in _aspects(was, now):
            cause = aspect if aspect in ("wafers", "firmed") else f"{prefix}_{aspect}"
            yield cause, holder.party, BridgeEntry(sign * wafers, line[1], line, line[0], event)


def _aspects(was: PlanTerm | None, now: PlanTerm | None) -> Iterator[tuple[str, int]]:
    """Yield the aspects in which a plan has changed, and the wafers by which each changes those due by the day."""
    change = (now.wafers if now else 0) - (was.wafers if was else 0)
    if was is None or now is None:
        yield "wafers", change
        return
    counted, counts = was.here and was.in_time, now.here and now.in_time
    if counted == counts:
        yield ("wafers" if was.graded and now.graded else "firmed"), change
        return
    inside, outside = (was, now) if counted else (now, was)
    kept = min(inside.wafers, outside.stated)
    yield "wafers", (inside.wafers - kept) * (-1 if counted else 1)
    yield ("timing" if outside.here else "moved"), kept * (-1 if counted else 1)


def _net(changes: Iterable[_Change], prefix: str, scrapped: dict[str, int]) -> Iterator[tuple[str, BridgeEntry]]:
    """Yield the effects by cause; wafers stated anew are netted by party, so a plan that others replaced is no cause.

    Of the wafers by which a supplier's commits are lower on balance, as many as it has scrapped and lost in yield since
    are laid to that.
    """
    signed = {  # aspect: the cause of a lower balance, and that of a higher one
        "wafers": ("commits_lowered", "commits_raised") if prefix == "commits" else ("demand_raised", "demand_lowered"),
        "commits_timing": ("slipped", "pulled_in"),
        "demand_timing": ("demand_pulled_in", "demand_pushed_out"),
        "firmed": ("softened", "firmed"),
    }
    stated = defaultdict[str, list[BridgeEntry]](list)
    for aspect, party, entry in changes:
        if aspect == "wafers":
            stated[party].append(entry)
        else:
            yield signed.get(aspect, (aspect, aspect))[entry.wafers > 0], entry
    for party, entries in sorted(stated.items()):
        net = sum(entry.wafers for entry in entries)
        if net == 0:
            continue
        lost = -scrapped.get(party, 0)
        part = max(net, lost) if net < 0 and lost < 0 else min(net, lost) if net > 0 and lost > 0 else 0
        rest = net - part
        for entry in entries:
            taken = max(part, entry.wafers) if part < 0 else min(part, entry.wafers) if part > 0 else 0
            taken = taken if taken * part > 0 else 0
            part -= taken
            yield "scrap_and_yield", entry._replace(wafers=taken)
            if rest:
                yield signed["wafers"][net > 0], entry._replace(wafers=entry.wafers - taken)
