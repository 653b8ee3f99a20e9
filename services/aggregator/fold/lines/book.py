"""The book of lines: every line by its name, the wafers due by group, and the commit records of each supplier."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
import orjson

from services.aggregator.fold.lines.facts import (
    FACTS,
    FORECAST,
    Consumption,
    Dispatch,
    End,
    Fact,
    Group,
    Revision,
    Statement,
)
from services.aggregator.fold.lines.line import LAG_COLUMNS, RANKS, LineDue, PlanLine, ShipmentLine
from services.aggregator.fold.lines.replacement import Place, replaced_wafers, stated_wafers
from services.aggregator.kernels.arrays import Index, Wafers
from services.aggregator.terms import LAGS, STRICT, TOLERANT, Tolerance
from shared.wire.firmness import Firmness
from shared.wire.lines import COMMIT, ORDER, LineName, commit_line, lines_of
from shared.wire.postings import LINE_EVENTS
from shared.wire.rows import Row, read_rows

_RECORD_COLUMNS = len(LAGS) * LAG_COLUMNS + 3
_Fact = TypeVar("_Fact", bound=tuple[Any, ...])
_Cell = TypeVar("_Cell")
_Quantity = tuple[LineName, int]  # a line, and which of its quantities that are due
_Line = TypeVar("_Line", PlanLine, ShipmentLine)


class CommitRecord(NamedTuple):
    """The commits of a supplier for a product, by due day, and their outcome."""

    due: Index  # [day] since 1970, in order
    committed: Wafers  # [lag, day] as promised `LAGS` days before
    lines: Index  # [lag, day] the commits that were promised so
    kept: Index  # [tolerance, lag, day] of them, those of which enough came in time: see `LineBook.tolerances`
    in_force: Wafers  # [day] as in force now
    churned: Wafers  # [day] by which their supplier itself altered them, less those only replaced
    answered: Wafers  # [day] by which it altered them in answer to orders and forecasts, less those only replaced


NO_COMMITS = CommitRecord(
    *(np.zeros((*shape, 0), dtype=np.int64) for shape in ((), (len(LAGS),), (len(LAGS),), (2, len(LAGS)), (), (), ()))
)
"""The record of a product that was never committed."""


class LineBook:
    """The fold of the events of lines: the same for any order, batching or repetition."""

    def __init__(self) -> None:
        self.tolerances = (STRICT, TOLERANT)  # that the records judge by
        self.plans: dict[LineName, PlanLine] = {}
        self.shipments: dict[LineName, ShipmentLine] = {}
        self._shipped_products: set[str] = set()  # of all shipments
        self.overrun: dict[LineName, ShipmentLine] = {}  # those of which more has come to an end than was sent
        self.contradicted: dict[LineName, ShipmentLine] = {}  # those with an end that names another supplier
        self.undispatched: dict[LineName, ShipmentLine] = {}  # those with an end, but without a dispatch of the product
        self.misnamed: dict[LineName, PlanLine] = {}  # commits that a dispatch of another product or supplier names
        self.overserved: dict[LineName, PlanLine] = {}  # orders for which more was consumed than they have
        self._uncommitted: dict[LineName, list[Dispatch]] = {}  # the dispatches that name no published commit
        self.names_of: defaultdict[Group, dict[LineName, None]] = defaultdict(dict)  # lines that ever named a group
        self._facts: defaultdict[str, dict[str, tuple[PlanLine | ShipmentLine, Fact]]] = defaultdict(dict)
        """By the event's source and id."""
        self._reversed: set[tuple[str, str]] = set()
        self._orders: defaultdict[Group, dict[_Quantity, LineDue]] = defaultdict(dict)
        self._supplies: defaultdict[Group, dict[_Quantity, LineDue]] = defaultdict(dict)
        self._served: dict[LineName, PlanLine] = {}  # orders for which some were consumed
        self._records: defaultdict[tuple[str, str], dict[int, list[int]]] = defaultdict(dict)  # supplier, product; due
        self._leads: defaultdict[str, Counter[int]] = defaultdict(Counter)  # by product: orders by lead time
        self._followed: defaultdict[str, dict[LineName, None]] = defaultdict(dict)
        """By the event that an alteration follows from, published or not: the commits altered so."""
        self._stated_at: defaultdict[Place, dict[LineName, list[tuple[int, int, bool]]]] = defaultdict(dict)
        """New commits and wafers taken off others, by due day: where both are, the new ones replace the others."""
        self._altered_plans: dict[LineName, PlanLine] = {}  # by the events that are being folded
        self._stated_plans: dict[LineName, PlanLine] = {}  # of them, commits that were stated anew
        self._altered_shipments: dict[LineName, ShipmentLine] = {}

    def tolerate(self, tolerant: Tolerance) -> None:
        """Judge the commits by another second tolerance; those judged by the one before are judged anew."""
        if tolerant == self.tolerances[1]:
            return
        self.tolerances = (STRICT, tolerant)
        for plan in self.plans.values():
            if plan.name[1] == COMMIT:
                self._record(plan)

    # ---------------------------------------------------------------- events in

    def add(self, bodies: Sequence[str]) -> None:
        """Fold the events of lines among some canonical bodies, as `PostingBatch.said` holds them; skip the others."""
        self.add_rows(read_rows(bodies))

    def add_rows(self, rows: Iterable[Row]) -> None:
        """Fold the events of lines among some events; skip the others."""
        self.collect_rows(rows)
        self.settle()

    def collect_rows(self, rows: Iterable[Row]) -> None:
        """Take the events of lines among some events; they count once the book is settled."""
        for row in rows:
            if row.name not in LINE_EVENTS:
                continue
            if row.name == "event.reversed":
                self._reverse(row.source, row.others["reversed"])
            elif row.id not in self._facts[row.source] and (row.source, row.id) not in self._reversed:
                for line in lines_of(row)[:1]:  # consumption for no order is of none
                    self._put(row.source, line, FACTS[row.name](row))

    def _put(self, source: str, name: LineName, fact: Fact) -> None:
        line = self._plan(name) if isinstance(fact, Statement | Consumption) else self._shipment(name)
        self._facts[source][fact.id] = (line, fact)
        self._alter(line, fact, +1)

    def _reverse(self, source: str, id_: str) -> None:
        if (source, id_) not in self._reversed:
            self._reversed.add((source, id_))
            found = self._facts[source].pop(id_, None)
            if found is not None:
                self._alter(*found, -1)

    def _plan(self, name: LineName) -> PlanLine:
        plan = self.plans.get(name)
        if plan is None:
            plan = self.plans[name] = PlanLine(name)
        return plan

    def _shipment(self, name: LineName) -> ShipmentLine:
        shipment = self.shipments.get(name)
        if shipment is None:
            shipment = self.shipments[name] = ShipmentLine(name)
            self._shipped_products.add(name[1].removeprefix("shipment/"))
        return shipment

    def _alter(self, line: PlanLine | ShipmentLine, fact: Fact, sign: int) -> None:
        """Put a fact into its line, or take it out; `settle` then updates the indices."""
        if isinstance(line, PlanLine):
            if isinstance(fact, Consumption):
                line.consumed = _altered(line.consumed, fact, sign)
                self._altered_plans[line.name] = line
                return
            statement = cast(Statement, fact)
            was_stated = bool(line.statements)
            line.statements = _altered(line.statements, statement, sign)
            if bool(line.statements) != was_stated:
                self._altered_shipments.update((name, self.shipments[name]) for name, _ in line.sendings)
            self.names_of[statement.key[:2]][line.name] = None
            self._altered_plans[line.name] = line
            if line.name[1] == COMMIT:
                self._stated_plans[line.name] = line
            else:
                for name in self._followed.get(statement.id, ()):
                    self._stated_plans[name] = self._altered_plans[name] = self.plans[name]
            return
        if isinstance(fact, Dispatch):
            line.dispatches = _altered(line.dispatches, fact, sign)
            self.names_of[fact.key[:2]][line.name] = None
            if fact.commit is not None:
                commit = self._plan(commit_line(line.name[0], fact.commit))
                _add(commit.sendings, (line.name, (fact.key[0], fact.key[2])), sign * fact.wafers)
                self._altered_plans[commit.name] = commit
        elif isinstance(fact, Revision):
            line.revisions = _altered(line.revisions, fact, sign)
            self.names_of[line.product, fact.site][line.name] = None
        else:
            line.ends = _altered(line.ends, cast(End, fact), sign)
            self.names_of[line.product, cast(End, fact).site][line.name] = None
        self._altered_shipments[line.name] = line

    def settle(self) -> None:
        """Update the receipts, records and groups of the lines that were altered."""
        for shipment in self._altered_shipments.values():
            self._credit(shipment)
            self._list(shipment, self._supplies)
            _keep(self.overrun, shipment, shipment.ended() > shipment.sent())
            _keep(self.contradicted, shipment, bool(shipment.contradictions()))
            _keep(self.undispatched, shipment, bool(shipment.ends and not shipment.dispatches))
            uncommitted = [each for each in shipment.dispatches if not self._is_committed(shipment.name[0], each)]
            if uncommitted:
                self._uncommitted[shipment.name] = uncommitted
            else:
                self._uncommitted.pop(shipment.name, None)
        self._replace()
        for plan in self._altered_plans.values():
            if plan.name[1] == COMMIT:
                self._record(plan)
                _keep(self.misnamed, plan, bool(plan.of_other_origin))
            if plan.name[1] == ORDER:
                _keep(self._served, plan, bool(plan.consumed))
                _keep(self.overserved, plan, bool(plan.consumed and plan.overserved()))
            if plan.name[1] != FORECAST:
                self._list(plan, self._orders if plan.name[1] == ORDER else self._supplies)
            if plan.name[1] == ORDER:
                self._count_lead(plan)
        self._altered_shipments.clear()
        self._altered_plans.clear()

    def _is_committed(self, owner: str, dispatch: Dispatch) -> bool:
        """Whether a dispatch names a commit that its owner has published."""
        plan = None if dispatch.commit is None else self.plans.get(commit_line(owner, dispatch.commit))
        return plan is not None and bool(plan.statements)

    def _credit(self, shipment: ShipmentLine) -> None:
        """Update the receipts that its commits count of a shipment."""
        before, shipment.credited = shipment.credited, tuple(shipment.commit_receipts())
        for credited, sign in ((before, -1), (shipment.credited, +1)):
            for commit, day, origin, wafers in credited:
                plan = self._plan(commit_line(shipment.name[0], commit))
                _add(plan.arrivals, (day, origin), sign * wafers)
                self._altered_plans[plan.name] = plan

    def _replace(self) -> None:
        """Update the wafers of the commits that others replace, where commits were stated anew."""
        altered: dict[Place, dict[tuple[LineName, bool], int]] = {}
        for name, plan in self._stated_plans.items():
            plan.answers = self._find_answers(plan)
            before, plan.stated = plan.stated, tuple(stated_wafers(plan.statements, plan.answers))
            for place in dict.fromkeys(place for place, *_ in (*before, *plan.stated)):
                if place not in altered:
                    altered[place] = replaced_wafers(self._stated_at[place])
                self._stated_at[place].pop(name, None)
            for place, due, wafers, answers in plan.stated:
                self._stated_at[place].setdefault(name, []).append((due, wafers, answers))
        for place, were in altered.items():
            are = replaced_wafers(self._stated_at[place])
            for lowered in dict.fromkeys((*were, *are)):
                name, answers = lowered
                plan = self._altered_plans[name] = self.plans[name]
                plan.replaced[answers] += are.get(lowered, 0) - were.get(lowered, 0)
            if not self._stated_at[place]:
                del self._stated_at[place]
        self._stated_plans.clear()

    def _find_answers(self, commit: PlanLine) -> frozenset[str]:
        """Return the statements that altered a commit in answer to demand: see `record`."""
        named = {statement.cause for statement in commit.statements[:1]}
        found = set()
        for statement, wafers in commit.alterations():
            if wafers and statement.cause is not None and statement.cause not in named:
                self._followed[statement.cause][commit.name] = None
                if self._is_demand(statement.cause, statement.key[:2]):
                    found.add(statement.id)
            named.add(statement.cause)
        return frozenset(found)

    def _is_demand(self, event: str, group: Group) -> bool:
        """Whether an event states an order or a forecast of a product and site."""
        found = (facts[event] for facts in self._facts.values() if event in facts)
        return any(
            isinstance(fact, Statement) and line.name[1] != COMMIT and fact.key[:2] == group for line, fact in found
        )

    def _record(self, plan: PlanLine) -> None:
        """Update the entries of a commit in the records; a day of which all is 0 is not kept."""
        before, plan.recorded = plan.recorded, tuple(plan.record_entries(self.tolerances))
        if plan.recorded == before:
            return
        for entries, sign in ((plan.recorded, +1), (before, -1)):
            for (supplier, product, due), first, values in entries:
                record = self._records[supplier, product].setdefault(due, [0] * _RECORD_COLUMNS)
                for column, value in enumerate(values, first):
                    record[column] += sign * value
        for supplier, product, due in {cell for cell, _, _ in before}:
            if not any(self._records[supplier, product][due]):
                del self._records[supplier, product][due]

    def _count_lead(self, order: PlanLine) -> None:
        """Count the lead time of an order among those of its product."""
        before, order.counted_lead = order.counted_lead, order.lead()
        if order.counted_lead == before:
            return
        for lead, sign in ((order.counted_lead, +1), (before, -1)):
            if lead is not None:
                _add(self._leads[lead[0]], lead[1], sign)

    def _list(self, line: PlanLine | ShipmentLine, due_by_group: dict[Group, dict[_Quantity, LineDue]]) -> None:
        """List the wafers due of a line under their groups."""
        for n, group in enumerate(line.groups):
            del due_by_group[group][line.name, n]
        dues = line.dues()
        line.groups = tuple(group for group, _ in dues)
        for n, (group, due) in enumerate(dues):
            due_by_group[group][line.name, n] = due

    # ---------------------------------------------------------------- queries

    def supplies_of(self, product: str, site: str, firmness: Firmness = "planned") -> list[LineDue]:
        """Return the supply of a product due at a site, by day, rank and name.

        It is the shipments under way, by eta, and the open wafers of commits of a grade or above, by due day. On one
        day the most certain has the lowest rank: shipments 0, then commits from immediate, 1, to planned, 5.
        """
        supplies = self._supplies.get((product, site), {}).values()
        return sorted(supply for supply in supplies if supply.rank <= RANKS[firmness])

    def orders_of(self, product: str, site: str, today: int | None = None) -> list[LineDue]:
        """Return the orders of a product at a site that are not withdrawn, by due day, priority and name.

        With `today`, those due before have the wafers that were not consumed for them by the end of yesterday.
        """
        orders = {due.name: due for due in self._orders.get((product, site), {}).values()}
        named = self.names_of.get((product, site), {}) if today is not None else {}
        for line in (self._served[name] for name in named if name in self._served):
            due = line.due(today)
            if due is not None and due[0] == (product, site):
                orders[line.name] = due[1]
        return sorted(orders.values())

    def reason_of(self, name: LineName) -> str | None:
        """Return the reason that the statement of a commit in force gives; None where it gives none."""
        plan = self.plans.get(name)
        return (plan.statements[-1].reason or None) if plan is not None and plan.statements else None

    def lead_days(self) -> dict[str, int]:
        """Return the lead time of each product that was ordered: the median, the lower of two, of all its orders."""
        medians = {}
        for product, orders in self._leads.items():
            half, count = (orders.total() + 1) // 2, 0
            for days in sorted(orders):
                count += orders[days]
                if count >= half:
                    medians[product] = days
                    break
        return medians

    def dispatched_products(self, shipment: LineName) -> list[str]:
        """Return the products that were dispatched under the owner and the id of a shipment, sorted."""
        owner, _, id_ = shipment
        lines = (
            (product, self.shipments.get((owner, f"shipment/{product}", id_))) for product in self._shipped_products
        )
        return sorted(product for product, line in lines if line is not None and line.dispatches)

    def record(self, supplier: str) -> dict[str, CommitRecord]:
        """Return the commit records of a supplier, by product.

        At each lag a commit is one promise, see `PlanLine.promises`, on the due day that it then had. It is kept within
        a tolerance if the wafers received good of it from `days_early` before that day to `days_late` after it are at
        least (100 − `percent_short`) % of those promised. Churn compares each statement with the one before it, in the
        order of (revision, time, id): the wafers by which they differ, all of the greater one where the due day is
        another. It leaves out those that new commits replace, see `replaced_wafers`, and has those apart that answer
        demand: the statement follows from an event of an order or a forecast of its product and site, from which none
        before it follows. One event accounts for one alteration of a commit, so that a later cut is the supplier's own.
        """
        found = {}
        for (committed_by, product), record in sorted(self._records.items()):
            if committed_by == supplier and record:
                due = np.array(sorted(record), dtype=np.int64)
                table = np.array([record[day] for day in due.tolist()], dtype=np.int64).T
                committed, lines, *kept = table[:-3].reshape(len(LAGS), LAG_COLUMNS, -1).swapaxes(0, 1)
                found[product] = CommitRecord(due, committed, lines, np.array(kept), *table[-3:])
        return found

    def uncommitted_dispatches(self) -> Iterator[tuple[LineName, list[Dispatch]]]:
        """Yield the shipments with dispatches that no commit stands behind, and these dispatches, by day.

        A dispatch that names no commit has one behind it if it follows from an event of a commit that is withdrawn: the
        commit has no open wafers, which the dispatch could have released.
        """
        for name, dispatches in self._uncommitted.items():
            left = [each for each in dispatches if each.commit or not self._is_withdrawn(name[0], each.cause)]
            if left:
                yield name, left

    def _is_withdrawn(self, owner: str, event: str | None) -> bool:
        """Whether an event states a commit that is withdrawn now."""
        found = None if event is None else self._facts.get(owner, {}).get(event)
        return (
            found is not None
            and isinstance(found[0], PlanLine)
            and found[0].name[1] == COMMIT
            and found[0].statements[-1].wafers == 0
        )

    def suppliers(self) -> list[str]:
        """Return the suppliers that have committed anything, sorted."""
        return sorted({supplier for (supplier, _), record in self._records.items() if record})

    # ---------------------------------------------------------------- the state

    def state(self) -> list[Any]:
        """Return all that was folded as JSON has it, in one order: plans, shipments, and reversed events."""
        plans = [
            [name, [*map(tuple, p.statements)], *([[*map(tuple, p.consumed)]] if p.consumed else [])]
            for name, p in sorted(self.plans.items())
            if p.statements or p.consumed
        ]
        shipments = [
            [name, *([*map(tuple, facts)] for facts in (s.dispatches, s.revisions, s.ends))]
            for name, s in sorted(self.shipments.items())
            if s.dispatches or s.revisions or s.ends
        ]
        return [plans, shipments, sorted(self._reversed)]

    def digest(self) -> str:
        """Return the SHA-256 of the state."""
        return sha256(orjson.dumps(self.state())).hexdigest()

    @classmethod
    def read(cls, state: list[Any]) -> "LineBook":
        """Return the book from its state as `state` returned it."""
        lines = cls()
        plans, shipments, undone = state
        for name, statements, *consumed in plans:
            for revision, time, id_, due, wafers, key, *terms in statements:
                lines._put(name[0], tuple(name), Statement(revision, time, id_, due, wafers, tuple(key), *terms))
            for day, id_, key, wafers in consumed[0] if consumed else ():
                lines._put(name[0], tuple(name), Consumption(day, id_, tuple(key), wafers))
        for name, dispatches, revisions, ends in shipments:
            for day, eta, key, *rest in dispatches:
                lines._put(name[0], tuple(name), Dispatch(day, eta, tuple(key), *rest))
            for revision in revisions:
                lines._put(name[0], tuple(name), Revision(*revision))
            for end in ends:
                lines._put(end[1], tuple(name), End(*end))
        lines._reversed.update(map(tuple, undone))
        lines.settle()
        return lines


def _altered(facts: tuple[_Fact, ...], fact: _Fact, sign: int) -> tuple[_Fact, ...]:
    """Return some facts with another one in its place, or without it."""
    return tuple(sorted((*facts, fact))) if sign > 0 else tuple(each for each in facts if each != fact)


def _keep(lines: dict[LineName, _Line], line: _Line, kept: bool) -> None:
    """Keep a line among some, or not."""
    if kept:
        lines[line.name] = line
    else:
        lines.pop(line.name, None)


def _add(sums: dict[_Cell, int], cell: _Cell, wafers: int) -> None:
    """Add to a sum; one that is 0 is not kept, so that a reversed event leaves no trace."""
    total = sums.get(cell, 0) + wafers
    if total:
        sums[cell] = total
    else:
        sums.pop(cell, None)
