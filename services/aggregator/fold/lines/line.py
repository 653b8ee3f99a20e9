"""One line: the facts of a commit, an order, a forecast or a shipment, and the wafers still due of it."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import NamedTuple

from services.aggregator.fold.lines.facts import Consumption, Dispatch, End, Group, Origin, Revision, Statement
from services.aggregator.fold.lines.replacement import StatedWafers
from services.aggregator.terms import LAGS, Tolerance
from shared.wire.firmness import FIRMNESS
from shared.wire.lines import LineName

RANKS = {firmness: rank for rank, firmness in enumerate(reversed(FIRMNESS), 1)}  # immediate 1, planned 5
LAG_COLUMNS = 2 + 2  # of a commit record at each lag: wafers, commits, and those kept at each of two tolerances
_NEVER = 1 << 62

RecordCell = tuple[str, str, int]  # supplier, product and due day
RecordEntry = tuple[RecordCell, int, tuple[int, ...]]  # cell, first column in its record, values


class LineDue(NamedTuple):
    """The wafers still due of a line."""

    day: int
    rank: int
    name: LineName
    wafers: int
    event: str
    supplier: str


@dataclass(slots=True)
class PlanLine:
    """A commit, an order or a forecast."""

    name: LineName
    statements: tuple[Statement, ...] = ()  # the last one is in force
    consumed: tuple[Consumption, ...] = ()  # of an order
    sendings: dict[tuple[LineName, Origin], int] = field(default_factory=dict)  # wafers of shipments that name it
    arrivals: dict[tuple[int, Origin], int] = field(default_factory=dict)  # of them, by day: good wafers
    recorded: tuple[RecordEntry, ...] = ()  # of a commit: the entries that the records hold
    groups: tuple[Group, ...] = ()  # that the book lists it under
    stated: tuple[StatedWafers, ...] = ()  # of a commit, as the book compares it with others
    answers: frozenset[str] = frozenset()  # of a commit: its statements in answer to demand, see `LineBook.record`
    replaced: list[int] = field(default_factory=lambda: [0, 0])
    """Of a commit: wafers taken off it for which new commits were made, by the supplier itself and in answer."""
    counted_lead: tuple[str, int] | None = None  # of an order: product and lead time, as the book counts it

    def lead(self) -> tuple[str, int] | None:
        """Return the product and the days from `start_by` to the due day of an order, as it was first stated.

        An order that is postponed keeps its `start_by`, so later statements say nothing of the lead time.
        """
        for first in self.statements[:1]:
            if first.start_by is not None:
                return first.key[0], max(0, first.due - first.start_by)
        return None

    def record_entries(self, tolerances: Sequence[Tolerance]) -> Iterator[RecordEntry]:
        """Yield the entries that a commit adds to the records: the promise of each lag, and the statement in force."""
        outcomes: dict[str, tuple[int, ...]] = {}
        for lag, promise in enumerate(self.promises()):
            if promise is not None:
                if promise.id not in outcomes:
                    outcomes[promise.id] = self._outcome(promise, tolerances)
                yield _cell(promise), lag * LAG_COLUMNS, outcomes[promise.id]
        for now in self.statements[-1:]:
            altered = [-wafers for wafers in self.replaced]
            for statement, wafers in self.alterations():
                altered[statement.id in self.answers] += wafers
            if now.wafers or any(altered):
                yield _cell(now), len(LAGS) * LAG_COLUMNS, (now.wafers, *altered)

    def alterations(self) -> Iterator[tuple[Statement, int]]:
        """Yield each statement but the first, and the wafers by which it alters the one before; all if moved."""
        for before, now in pairwise(self.statements):
            moved = now.due != before.due
            yield now, max(now.wafers, before.wafers) if moved else abs(now.wafers - before.wafers)

    def excused(self) -> int:
        """Return the wafers of a commit that new ones replaced, or that were taken off it in answer to demand."""
        fallen = sum(was.wafers - now.wafers for was, now in pairwise(self.statements) if now.id in self.answers)
        return self.replaced[0] + max(0, fallen)  # wafers of an answer that new ones replaced are among its falls

    def promises(self) -> list[Statement | None]:
        """Return the one promise of a commit at each of `LAGS`, None where there was none so early.

        A statement holds at lag L if it is in force L days before its due day: it was stated by due − L, and none that
        beats it was: so L is at most due − the day it was stated, and above due − the first day on which one of those
        after it was stated. Of several, as a line is moved on, the one that was due first is the promise: a line that
        is moved when it is due stays due when it was. No wafers are no promise.
        """
        promises: list[Statement | None] = [None] * len(LAGS)
        beaten_on = _NEVER
        for statement in reversed(self.statements):
            due = statement.due
            for lag in range(bisect_right(LAGS, due - beaten_on), bisect_right(LAGS, due - statement.stated_on)):
                other = promises[lag]
                if statement.wafers and (other is None or due < other.due):
                    promises[lag] = statement
            beaten_on = min(beaten_on, statement.stated_on)
        return promises

    def _outcome(self, promise: Statement, tolerances: Sequence[Tolerance]) -> tuple[int, ...]:
        """Return the columns of a lag: the wafers promised, one line, and whether it was kept at each tolerance."""
        kept = (
            100 * sum(wafers for day, wafers in self.receipts.items() if _is_in_time(day - promise.due, tolerance))
            >= (100 - tolerance.percent_short) * promise.wafers
            for tolerance in tolerances
        )
        return (promise.wafers, 1, *map(int, kept))

    def overserved(self, through: int | None = None) -> int:
        """Return the wafers consumed for an order at its own site, up to a day or ever, beyond those that it has."""
        for now in self.statements[-1:]:
            served = (c for c in self.consumed if c.key[:2] == now.key[:2] and (through is None or c.day <= through))
            return max(0, sum(c.wafers for c in served) - now.wafers)
        return 0

    def overserved_since(self) -> int | None:
        """Return the day of the consumption with which that of an order first exceeded its wafers."""
        for now in self.statements[-1:]:
            served = sorted(c for c in self.consumed if c.key[:2] == now.key[:2])
            for each, consumed in zip(served, accumulate(c.wafers for c in served), strict=True):
                if consumed > now.wafers:
                    return each.day
        return None

    @property
    def origin(self) -> Origin | None:
        """The product and supplier of a commit: a dispatch of another one leaves it open."""
        return (self.statements[-1].key[0], self.statements[-1].key[2]) if self.statements else None

    @property
    def sent(self) -> dict[LineName, int]:
        """The wafers that were dispatched of it, by shipment."""
        origin = self.origin
        return {name: wafers for (name, sent), wafers in self.sendings.items() if sent == origin}

    @property
    def dispatched(self) -> int:
        """The wafers that were dispatched of it."""
        return sum(self.sent.values())

    @property
    def of_other_origin(self) -> dict[LineName, int]:
        """The wafers of another product or supplier that were dispatched in its name, by shipment."""
        origin = self.origin
        return {name: wafers for (name, sent), wafers in self.sendings.items() if origin and sent != origin}

    @property
    def receipts(self) -> dict[int, int]:
        """The good wafers that were received of it, by day."""
        origin = self.origin
        return {day: wafers for (day, sent), wafers in self.arrivals.items() if sent == origin}

    def due(self, today: int | None = None) -> tuple[Group, LineDue] | None:
        """Return the wafers due of it, None if there are none: of a commit those not dispatched.

        Of an order those not consumed for it at its own site; of one due before `today`, not by the end of yesterday.
        """
        if not self.statements:
            return None
        now = self.statements[-1]
        through = today if today is not None and now.due < today else None
        served = (c for c in self.consumed if c.key[:2] == now.key[:2] and (through is None or c.day < through))
        wafers = now.wafers - self.dispatched - sum(c.wafers for c in served)
        if wafers <= 0:
            return None
        rank = now.priority if now.firmness is None else RANKS[now.firmness]
        return now.key[:2], LineDue(now.due, rank, self.name, wafers, now.id, now.key[2])

    def dues(self) -> list[tuple[Group, LineDue]]:
        """Return the wafers due of it as a shipment does, which can have several."""
        due = self.due()
        return [] if due is None else [due]


@dataclass(slots=True)
class ShipmentLine:
    """The wafers of one product that one party sends under one name."""

    name: LineName
    dispatches: tuple[Dispatch, ...] = ()  # its parts: each gives its eta and site, until a revision does
    revisions: tuple[Revision, ...] = ()  # the last one is in force
    ends: tuple[End, ...] = ()
    credited: tuple[tuple[str, int, Origin, int], ...] = ()  # the receipts that its commits count
    groups: tuple[Group, ...] = ()  # that the book lists it under

    @property
    def product(self) -> str:
        """The product of its wafers."""
        return self.name[1].partition("/")[2]

    def contradictions(self) -> list[End]:
        """Return its ends that name another supplier than its dispatch does."""
        return [end for end in self.ends if self.dispatches and end.supplier != self.dispatches[0].key[2]]

    def sent(self) -> int:
        """Return the wafers that were sent."""
        return sum(dispatch.wafers for dispatch in self.dispatches)

    def ended(self) -> int:
        """Return the wafers that came to an end."""
        return sum(end.received + end.damaged + end.lost for end in self.ends)

    def plans(self, dispatch: Dispatch) -> list[tuple[int, str, str]]:
        """Return the etas and sites that a part has had, the last one in force, and the event of each."""
        return [(dispatch.eta, dispatch.key[1], dispatch.id), *((r.eta, r.site, r.id) for r in self.revisions)]

    def under_way(self) -> int:
        """Return the wafers that were sent and have not come to an end."""
        return max(0, self.sent() - self.ended())

    def parts_under_way(self) -> list[tuple[Dispatch, int]]:
        """Return the parts that are under way, and the wafers of each: those that came to an end ended the first."""
        found, ended = [], self.ended()
        for dispatch in self.dispatches:
            taken = min(ended, dispatch.wafers)
            ended -= taken
            if taken < dispatch.wafers:
                found.append((dispatch, dispatch.wafers - taken))
        return found

    def dues(self) -> list[tuple[Group, LineDue]]:
        """Return the wafers under way of it, by site, eta and the event that gives them: as the ledger posts them."""
        found: dict[tuple[int, str, str], int] = {}
        for dispatch, wafers in self.parts_under_way():
            plan = self.plans(dispatch)[-1]
            found[plan] = found.get(plan, 0) + wafers
        return [
            ((self.dispatches[0].key[0], site), LineDue(eta, 0, self.name, wafers, event, self.dispatches[0].key[2]))
            for (eta, site, event), wafers in found.items()
        ]

    def commit_receipts(self) -> Iterator[tuple[str, int, Origin, int]]:
        """Yield the receipts of each commit that it names: its id, a day, product and supplier, and good wafers.

        All that comes to an end ends the dispatches in their order, day by day, and on one day the good wafers first:
        those damaged or lost are received of none. Receipts beyond the wafers sent are of the last one.
        """
        n, room, last = 0, self.dispatches[0].wafers if self.dispatches else 0, len(self.dispatches) - 1
        good = [(end.day, False, end.received) for end in self.ends]
        gone = [(end.day, True, end.damaged + end.lost) for end in self.ends]
        for day, is_gone, wafers in sorted(good + gone) if self.dispatches else ():
            rest = wafers
            while rest:
                taken = rest if n == last else min(rest, room)
                commit, (product, _, supplier) = self.dispatches[n].commit, self.dispatches[n].key
                if taken and commit is not None and not is_gone:
                    yield commit, day, (product, supplier), taken
                rest, room = rest - taken, room - taken
                if rest:
                    n, room = n + 1, self.dispatches[n + 1].wafers


def _is_in_time(days_late: int, tolerance: Tolerance) -> bool:
    return days_late <= tolerance.days_late and (tolerance.days_early is None or -days_late <= tolerance.days_early)


def _cell(statement: Statement) -> RecordCell:
    return (statement.key[2], statement.key[0], statement.due)
