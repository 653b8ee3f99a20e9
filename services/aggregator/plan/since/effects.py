"""Effects on shortages between two states: the wafers by which each party's changes move shortages."""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.lines.facts import Group
from services.aggregator.fold.series import Only
from services.aggregator.fold.state import FoldState
from services.aggregator.kernels.arrays import Wafers
from services.aggregator.kernels.projection import GRADES
from services.aggregator.plan.bridge.bridge import CAUSES, BridgeEntry, build_bridge
from services.aggregator.plan.projection import empty_tables, project_into
from shared.wire.firmness import FIRMNESS, Firmness

_AT_ONCE = 64  # groups of which all days are in memory
_Part = TypeVar("_Part", bound=Hashable)


class Mover(NamedTuple):
    """The party behind some changes: the source of lines, or the supplier of stock that was moved; else nobody."""

    source: str | None
    supplier: str | None


class CauseChange(NamedTuple):
    """The wafers by which one cause changes the balance of the day, and its lines, the greatest first."""

    cause: str
    wafers: int  # signed: below zero takes from the balance
    entries: Sequence[BridgeEntry]


class ShortageEffect(NamedTuple):
    """The changes of one party to a product at a site, and the wafers by which they move its shortage."""

    mover: Mover
    more_short: int  # at worst; below zero: fewer
    changes: Sequence[CauseChange]  # the greatest first


class ShortDays(NamedTuple):
    """The days from today on that a product is short at a site; days since 1970."""

    shortage: int  # at worst
    worst_day: int | None
    first_short_day: int | None


class MovedShortage(NamedTuple):
    """A product at a site that runs short in one of two states, and the effects of each party, greatest first.

    The effects sum to the difference of both shortages.
    """

    product: str
    site: str
    then: ShortDays
    now: ShortDays
    day: int  # the effects are of its balance; since 1970
    effects: Sequence[ShortageEffect]


def find_moved_shortages(
    then: FoldState,
    now: FoldState,
    firmness: Firmness = "planned",
    only: Only = Only(),  # noqa: B008
) -> Iterator[MovedShortage]:
    """Yield each product at a site that runs short in one of two states; it has no effects where it is projected alike.

    Only the days from the later today on count, inside both horizons: days that have passed are no plan any more. The
    effects are of the bridge of one day, the worst one now, or then where the shortage has become smaller; see
    `share_effects`.
    """
    first, end = _common_days(then, now)
    if now.curves.today is None or first >= end:
        return
    labels = sorted({*_labels(then.curves, only), *_labels(now.curves, only)})
    for begin in range(0, len(labels), _AT_ONCE):
        part = labels[begin : begin + _AT_ONCE]
        were, are = (_balances(state, part, first, end, firmness) for state in (then, now))
        for n, (product, site) in enumerate(part):
            before, after = _short_days(were[n], first), _short_days(are[n], first)
            if not before.shortage and not after.shortage:
                continue
            day = after.worst_day if after.shortage >= before.shortage else before.worst_day
            assert day is not None
            shortages = before.shortage, after.shortage
            is_alike = np.array_equal(were[n], are[n])
            effects = [] if is_alike else _effects(then, now, (product, site), day, firmness, shortages)
            yield MovedShortage(product, site, before, after, day, effects)


def share_effects(floor: int, balance: int, wafers: Mapping[_Part, int]) -> dict[_Part, int]:
    """Return the wafers that each part of a change makes a shortage greater; a sum over all parts that is exact.

    `balance` is that of the day before the change, `wafers` those that each part adds to it. Of the day short(b) is
    max(floor, −b), where `floor` is the smaller of both shortages at worst. Parts that take are counted before those
    that bring. Those that take make short(balance − all taken) − short(balance) more short: the wafers that were to
    spare are no shortage. Those that bring make it less again in the same way. Of either, each part has its wafers as
    far as the sum goes, the greatest first.
    """
    parts = sorted(wafers, key=lambda part: (-abs(wafers[part]), str(part)))
    taking, bringing = ([part for part in parts if wafers[part] * sign > 0] for sign in (-1, 1))
    lowest = balance + sum(wafers[part] for part in taking)
    highest = lowest + sum(wafers[part] for part in bringing)
    found = dict.fromkeys(parts, 0)
    sums = (max(floor, -lowest) - max(floor, -balance), max(floor, -lowest) - max(floor, -highest))
    for chosen, sign, rest in zip((taking, bringing), (1, -1), sums, strict=True):
        left = rest
        for part in chosen:
            moved = min(left, abs(wafers[part]))
            left -= moved
            found[part] = sign * moved
    return found


def _effects(
    then: FoldState, now: FoldState, group: Group, day: int, firmness: Firmness, shortages: tuple[int, int]
) -> list[ShortageEffect]:
    bridge = build_bridge(then, now, group, day, firmness)
    of_mover: defaultdict[Mover, dict[str, list[BridgeEntry]]] = defaultdict(dict)
    for bar in bridge.bars:
        for entry in bar.entries:
            mover = Mover(None, entry.party or None) if entry.line is None else Mover(entry.party, None)
            of_mover[mover].setdefault(bar.cause, []).append(entry)
    changes = {mover: _cause_changes(by_cause) for mover, by_cause in of_mover.items()}
    wafers = {mover: sum(change.wafers for change in each) for mover, each in changes.items()}
    shares = share_effects(min(shortages), bridge.then, wafers)
    effects = [ShortageEffect(mover, shares[mover], each) for mover, each in changes.items()]
    return sorted(effects, key=lambda each: (-abs(each.more_short), str(each.mover)))


def _cause_changes(by_cause: Mapping[str, Sequence[BridgeEntry]]) -> list[CauseChange]:
    changes = [
        CauseChange(cause, sum(entry.wafers for entry in entries), entries) for cause, entries in by_cause.items()
    ]
    return sorted(changes, key=lambda change: (-abs(change.wafers), CAUSES.index(change.cause)))


# ---------------------------------------------------------------- projections


def _common_days(*states: FoldState) -> tuple[int, int]:
    """Return the first day that no state has behind it, and the day after the last inside all horizons."""
    firsts = (max(each.curves.start, _today(each.curves)) for each in states)
    return max(firsts), min(each.curves.start + each.curves.days for each in states)


def _today(curves: Curves) -> int:
    """Return the day on which a projection begins; that of a state without a today is the horizon's first."""
    return max(curves.start, curves.start if curves.today is None else curves.today)


def _labels(curves: Curves, only: Only) -> list[Group]:
    product, site = only.get("product"), only.get("site")
    return [
        (label[0], label[1])
        for label in curves.group(("product", "site")).labels
        if product in (None, label[0]) and site in (None, label[1])
    ]


def _balances(state: FoldState, labels: Sequence[Group], first: int, end: int, firmness: Firmness) -> Wafers:
    """Return the projected balances of some product-sites, `[label, day from first]`; zero where a state has none."""
    curves, balances = state.curves, np.zeros((len(labels), end - first), dtype=np.int64)
    grouping, today = curves.group(("product", "site")), _today(state.curves)
    place = {label: n for n, label in enumerate(grouping.labels)}
    held = [n for n, label in enumerate(labels) if label in place]
    if held:
        chosen = grouping.pick(np.array([place[labels[n]] for n in held], dtype=np.int64))
        balance = np.empty((GRADES, len(held), curves.start + curves.days - today), dtype=np.int64)
        project_into(empty_tables(len(held)), curves, chosen, today, np.arange(len(held)), balance)
        balances[held] = balance[FIRMNESS.index(firmness), :, first - today : end - today]
    return balances


def _short_days(balance: Wafers, first: int) -> ShortDays:
    worst, short = int(balance.argmin()), np.flatnonzero(balance < 0)
    if not short.size:
        return ShortDays(0, None, None)
    return ShortDays(-int(balance[worst]), first + worst, first + int(short[0]))
