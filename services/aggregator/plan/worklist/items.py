"""Items of the worklist: a product at a site that runs short, has too much, or a supplier's lines that are overdue."""

from collections.abc import Collection, Iterator, Sequence
from fractions import Fraction
from typing import Literal, NamedTuple

import numpy as np

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.lines.listing import LineSelection, ListedLine, list_lines
from services.aggregator.fold.queries import required_by_day
from services.aggregator.fold.series import Grouping, Only
from services.aggregator.fold.state import FoldState
from services.aggregator.kernels.arrays import Index, Wafers
from services.aggregator.kernels.projection import GRADES
from services.aggregator.plan.projection import SupplyPlan, empty_tables, project_into, unordered_forecasts
from services.aggregator.plan.worklist.megawatts import WaitingMegawatts
from shared.programme.party_scope import PartyScope
from shared.wire.events import UNALLOCATED
from shared.wire.firmness import FIRMNESS, Firmness

WorkKind = Literal["expedite", "promise", "pull_in", "secure", "move", "chase", "surplus"]
WORK_KINDS: tuple[WorkKind, ...] = ("expedite", "promise", "pull_in", "secure", "move", "chase", "surplus")
_AT_ONCE = 64  # groups of which all days are in memory


class WorkItem(NamedTuple):
    """Something that can be done about a product at a site, or about the overdue lines of a supplier's product."""

    kind: WorkKind
    product: str
    site: str | None  # None: of a supplier
    supplier: str | None  # None: of a site
    wafers: int
    megawatts: Fraction | None  # that wait for them; None: not known, or none wait
    day: int | None  # by which to act, since 1970; None: no day presses
    days_left: int | None  # from today to that day: below 0 where it has passed
    named_day: int | None = None  # of the alert `short_within` of the product at the site
    is_synthetic: bool = False  # of synthetic sites: no other item counts their wafers


class _Short(NamedTuple):
    """A shortage on the days before newly started wafers can come, and from then on."""

    group: int
    product: str
    site: str
    soon: int  # wafers short at worst before the lead time is over
    later: int  # wafers more that are short at worst from then on
    unpromised: int  # of these, wafers of orders that no supply is promised for
    start_by: int  # last day to start wafers for the first day on which more are short than before; since 1970


def find_work(
    state: FoldState,
    plan: SupplyPlan,
    firmness: Firmness,
    only: Only = Only(),  # noqa: B008
    scope: PartyScope | None = None,
    *,
    cover_days: int = 0,
) -> list[WorkItem]:
    """Return the items of the worklist as of a plan of the state, only of some names, or of a declared party.

    There are none before there is a today. Of a party are the items of its sites, and the lines of its suppliers.

    today is T, L the lead time of the product; commits of the firmness or above count, overdue supply does not.

    - `expedite`: short on a day before T + L, so that only wafers that exist can help. Wafers: short at worst on these
      days. Day: the first short one.
    - `promise`: from T + L on more wafers are short than before, and at the end of the horizon some still are: nobody
      has promised them. Wafers: short at that end, less those to expedite. Day: the last one to start wafers for the
      first day on which more are short than before.
    - `pull_in`: as before, but at the end of the horizon none of them is short: all is promised, some of it late.
      Wafers: short at worst from T + L on, less those to expedite.
    - `secure`: not short before T + L, and the stock covers less than `cover_days` of orders if nothing comes. Wafers:
      missing on the first day that it does not cover. Day: that one.
    - `move`: at a site that does not run short before T + L, stock that its orders before T + L do not take, beside a
      site that has the product to expedite; no more than is to be expedited. Day: the first of those.
    - `chase`: commits and shipments of a supplier's product that were due before T and are still open. Day: the
      earliest due day.
    - `surplus`: stock that neither an order nor a forecast of any later day takes, and that is not to be moved.

    Overdue lines for synthetic sites are items of their own, and stock is moved to them last.
    """
    if plan.today is None:
        return []
    waiting, today, apart = WaitingMegawatts.of(state), plan.today, state.sites.synthetic_names()
    short = _shortages(state.curves, plan, firmness)
    expedited = [_item(plan, waiting, "expedite", each, firmness) for each in short if each.soon]
    later = [
        _item(plan, waiting, "promise" if each.unpromised else "pull_in", each, firmness)
        for each in short
        if each.later
    ]
    thin = _thin_covers(plan, waiting, cover_days, {(item.product, item.site) for item in expedited})
    spare, excess = _idle_stock(state.curves, plan, firmness)
    moved = list(_moves(spare, expedited, today, apart))
    overdue = LineSelection(
        product=only.get("product"), site=only.get("site"), supplier=only.get("supplier"), to_day=today - 1
    )
    lines = [
        line
        for line in list_lines(state.lines, overdue, today, {})
        if line.kind in ("commit", "shipment") and (scope is None or scope.has(line.key[1], line.key[2]))
    ]
    left = {(item.product, item.site): item.wafers for item in moved}
    surplus = [
        WorkItem("surplus", product, site, None, wafers - left.get((product, site), 0), None, None, None)
        for (product, site), wafers in sorted(excess.items())
        if wafers > left.get((product, site), 0)
    ]
    found = [item for item in (*expedited, *later, *thin, *moved, *surplus) if _is_of(item, only)]
    stock = [
        item._replace(is_synthetic=item.site in apart) for item in found if scope is None or item.site in scope.sites
    ]
    return [*stock, *_chases(lines, waiting, today, apart)]


def _is_of(item: WorkItem, only: Only) -> bool:
    """Return whether an item of a product at a site is of some names; orders and stock are of no supplier."""
    is_named = only.get("product", item.product) == item.product and only.get("site", item.site) == item.site
    return is_named and "supplier" not in only


# ---------------------------------------------------------------- shortages


def _shortages(curves: Curves, plan: SupplyPlan, firmness: Firmness) -> list[_Short]:
    """Return the shortages with their wafers inside the lead time, and beyond it."""
    assert plan.today is not None
    groups, grade = plan.shortages(firmness), FIRMNESS.index(firmness)
    found = []
    for begin in range(0, groups.size, _AT_ONCE):
        part = groups[begin : begin + _AT_ONCE]
        grouping = plan.grouping.pick(part)
        balance = np.empty((GRADES, part.size, curves.start + curves.days - plan.today), dtype=np.int64)
        project_into(empty_tables(part.size), curves, grouping, plan.today, np.arange(part.size), balance)
        for n, (group, (product, site)) in enumerate(zip(part.tolist(), grouping.labels, strict=True)):
            projected = balance[grade, n]
            lead = plan.lead_days.get(product)
            inside = min(projected.size if lead is None else lead, projected.size)
            soon = max(0, -int(projected[:inside].min(initial=0)))
            more = -projected[inside:] - soon  # short beyond those
            later = max(0, int(more.max(initial=0)))
            unpromised = max(0, int(more[-1])) if later else 0
            start_by = plan.today + (int((more > 0).argmax()) if later else 0)
            found.append(_Short(group, product, site, soon, later, unpromised, start_by))
    return found


def _item(plan: SupplyPlan, waiting: WaitingMegawatts, kind: WorkKind, short: _Short, firmness: Firmness) -> WorkItem:
    assert plan.today is not None
    first = plan.short(short.group, firmness).first_short_day
    assert first is not None
    wafers, day = (short.soon, first) if kind == "expedite" else (short.unpromised or short.later, short.start_by)
    return WorkItem(
        kind, short.product, short.site, None, wafers, waiting.waiting(short.product, short.site, wafers), day,
        day - plan.today, plan.short_since(short.group) or first,
    )  # fmt: skip


# ---------------------------------------------------------------- stock


def _thin_covers(
    plan: SupplyPlan, waiting: WaitingMegawatts, cover_days: int, expedited: Collection[tuple[str, str | None]]
) -> Iterator[WorkItem]:
    """Yield the stock that covers few days of orders, of products at sites that have nothing to expedite."""
    assert plan.today is not None
    for group, (product, site) in enumerate(plan.grouping.labels):
        cover = plan.cover(group)
        if cover.days is None or cover.days >= cover_days or site == UNALLOCATED or (product, site) in expedited:
            continue
        wafers = plan.uncovered(group)
        megawatts = waiting.waiting(product, site, wafers)
        yield WorkItem("secure", product, site, None, wafers, megawatts, plan.today + cover.days, cover.days)


def _idle_stock(
    curves: Curves, plan: SupplyPlan, firmness: Firmness
) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], int]]:
    """Return the stock that orders inside the lead time do not take, and the stock that nothing known takes.

    The first is of sites that do not run short inside the lead time.
    """
    assert plan.today is not None
    groups = np.array([n for n, (_, site) in enumerate(plan.grouping.labels) if site != UNALLOCATED], dtype=np.int64)
    spare, excess = dict[tuple[str, str], int](), dict[tuple[str, str], int]()
    for begin in range(0, groups.size, _AT_ONCE):
        part = groups[begin : begin + _AT_ONCE]
        grouping = plan.grouping.pick(part)
        required = required_by_day(curves, grouping)[:, curves.row_of(plan.today) :].cumsum(axis=1)
        forecast = _forecasts(curves, grouping, plan.today)
        for n, (group, (product, site)) in enumerate(zip(part.tolist(), grouping.labels, strict=True)):
            free, lead = plan.on_hand(group) - plan.backorder(group), plan.lead_days.get(product)
            days = required.shape[1] if lead is None else min(lead, required.shape[1])
            first_short = plan.short(group, firmness).first_short_day
            taken = int(required[n, days - 1]) if days else 0
            if free > taken and (first_short is None or (lead is not None and first_short >= plan.today + lead)):
                spare[product, site] = free - taken
            over = free - int(required[n, -1]) - int(forecast[n])
            if over > 0:
                excess[product, site] = over
    return spare, excess


def _forecasts(curves: Curves, grouping: Grouping, today: int) -> Wafers:
    """Return the forecast from today on that no order has consumed, `[group]`."""
    chosen: Index = np.arange(len(grouping.labels))
    table, place = unordered_forecasts(curves, grouping, today, chosen)
    wafers = np.zeros(chosen.size, dtype=np.int64)
    forecasting = place < table.shape[0]
    if table.size:
        wafers[forecasting] = table[place[forecasting], -1]
    return wafers


def _moves(
    spare: dict[tuple[str, str], int], expedited: Sequence[WorkItem], today: int, apart: Collection[str]
) -> Iterator[WorkItem]:
    """Yield the stock to move, the greatest first, up to the wafers to expedite of each product."""
    takers: dict[str, list[WorkItem]] = {}
    for item in sorted(expedited, key=lambda item: (item.site in apart, item.day, item.site)):
        takers.setdefault(item.product, []).append(item)
    for (product, site), wafers in sorted(spare.items(), key=lambda each: (each[0][1] in apart, -each[1], each[0])):
        left = wafers
        megawatts, first = Fraction(0), None
        are_all_stated = True
        queue = takers.get(product, [])
        while queue and left:
            taker = queue[0]
            part = min(left, taker.wafers)
            first = taker.day if first is None else first
            are_all_stated = are_all_stated and taker.megawatts is not None
            share = Fraction(part, taker.wafers) * (taker.megawatts or 0)
            megawatts, left = megawatts + share, left - part
            if part == taker.wafers:
                queue.pop(0)
            else:
                rest = None if taker.megawatts is None else taker.megawatts - share
                queue[0] = taker._replace(wafers=taker.wafers - part, megawatts=rest)
        if first is not None:
            yield WorkItem(
                "move", product, site, None, wafers - left, megawatts if are_all_stated else None, first, first - today
            )


# ---------------------------------------------------------------- lines


def _chases(
    lines: Sequence[ListedLine], waiting: WaitingMegawatts, today: int, apart: Collection[str]
) -> Iterator[WorkItem]:
    """Yield the overdue commits and shipments by supplier and product, and those for sites `apart` again so."""
    of_pair: dict[tuple[bool, str, str], list[ListedLine]] = {}
    for line in lines:
        product, site, supplier = line.key
        of_pair.setdefault((site in apart, supplier, product), []).append(line)
    for (is_apart, supplier, product), overdue in sorted(of_pair.items()):
        at_site: dict[str, int] = {}
        for line in overdue:
            at_site[line.key[1]] = at_site.get(line.key[1], 0) + line.open_wafers
        megawatts = [waiting.waiting(product, site, wafers) for site, wafers in at_site.items()]
        stated = [each for each in megawatts if each is not None]
        yield WorkItem(
            "chase", product, None, supplier, sum(at_site.values()), sum(stated, Fraction(0)) if stated else None,
            overdue[0].due, overdue[0].due - today, is_synthetic=is_apart,
        )  # fmt: skip
