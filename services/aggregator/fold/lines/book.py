"""The book of lines: every line by its name, the wafers due by group, and the commit records of each supplier."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
import orjson

from services.aggregator.fold.lines.facts import (
    FACTS,
    FORECAST,
    ORDER,
    Dispatch,
    End,
    Fact,
    Group,
    Revision,
    Statement,
)
from services.aggregator.fold.lines.line import RANKS, LineDue, PlanLine, ShipmentLine
from services.aggregator.kernels.arrays import Index, Wafers
from services.aggregator.terms import LAGS, TOLERANCES
from shared.wire.catalog import Firmness
from shared.wire.lines import COMMIT, LineName, commit_line, line_of
from shared.wire.postings import LINE_EVENTS
from shared.wire.rows import Row

_RECORD_COLUMNS = len(LAGS) + 3 + len(TOLERANCES)
_Fact = TypeVar("_Fact", bound=tuple[Any, ...])
_Cell = TypeVar("_Cell")


class CommitRecord(NamedTuple):
    """The commits of a supplier for a product, by due day, and their outcome."""

    due: Index  # [day] since 1970, in order
    committed: Wafers  # [lag, day] as in force `LAGS` days before
    in_force: Wafers  # [day] as in force now
    churned: Wafers  # [day] by which the commits that are due then now were altered, up or down or to another day
    lines: Index  # [day] commits that are due then, those that were withdrawn left out
    kept: Index  # [tolerance, day] of them, those of which enough came in time: see `TOLERANCES`


class LineBook:
    """The fold of the events of lines: the same for any order, batching or repetition."""

    def __init__(self) -> None:
        self.plans: dict[LineName, PlanLine] = {}
        self.shipments: dict[LineName, ShipmentLine] = {}
        self.overrun: dict[LineName, ShipmentLine] = {}  # those of which more has come to an end than was sent
        self.names_of: defaultdict[Group, dict[LineName, None]] = defaultdict(dict)  # lines that ever named a group
        self._facts: defaultdict[str, dict[str, tuple[PlanLine | ShipmentLine, Fact]]] = defaultdict(dict)
        """By the event's source and id."""
        self._reversed: set[tuple[str, str]] = set()
        self._orders: defaultdict[Group, dict[LineName, LineDue]] = defaultdict(dict)
        self._supplies: defaultdict[Group, dict[LineName, LineDue]] = defaultdict(dict)
        self._records: defaultdict[tuple[str, str], dict[int, list[int]]] = defaultdict(dict)  # supplier, product; due
        self._altered_plans: dict[LineName, PlanLine] = {}  # by the events that are being folded
        self._altered_shipments: dict[LineName, ShipmentLine] = {}

    # ---------------------------------------------------------------- events in

    def add(self, bodies: Sequence[str]) -> None:
        """Fold the events of lines among some canonical bodies, as `PostingBatch.said` holds them; skip the others."""
        rows = map(Row._make, orjson.loads(f"[{','.join(bodies)}]"))
        self.add_rows(row for row in rows if row.name in LINE_EVENTS)

    def add_rows(self, rows: Iterable[Row]) -> None:
        """Fold events of `LINE_EVENTS`, and none else."""
        for row in rows:
            if row.name == "event.reversed":
                self._reverse(row.source, row.others["reversed"])
            elif row.id not in self._facts[row.source] and (row.source, row.id) not in self._reversed:
                self._put(row.source, line_of(row), FACTS[row.name](row))
        self._settle()

    def _put(self, source: str, name: LineName, fact: Fact) -> None:
        line = self._plan(name) if isinstance(fact, Statement) else self._shipment(name)
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
        return shipment

    def _alter(self, line: PlanLine | ShipmentLine, fact: Fact, sign: int) -> None:
        """Put a fact into its line, or take it out; `_settle` then updates the indices."""
        if isinstance(line, PlanLine):
            statement = cast(Statement, fact)
            line.statements = _altered(line.statements, statement, sign)
            self.names_of[statement.key[:2]][line.name] = None
            self._altered_plans[line.name] = line
            return
        if isinstance(fact, Dispatch):
            line.dispatches = _altered(line.dispatches, fact, sign)
            self.names_of[fact.key[:2]][line.name] = None
            if fact.commit is not None:
                commit = self._plan(commit_line(line.name[0], fact.commit))
                _add(commit.sent, line.name, sign * fact.wafers)
                self._altered_plans[commit.name] = commit
        elif isinstance(fact, Revision):
            line.revisions = _altered(line.revisions, fact, sign)
        else:
            line.ends = _altered(line.ends, cast(End, fact), sign)
        self._altered_shipments[line.name] = line

    def _settle(self) -> None:
        """Update the receipts, records and groups of the lines that were altered."""
        for shipment in self._altered_shipments.values():
            self._credit(shipment)
            self._list(shipment, self._supplies)
            if shipment.ended() > shipment.sent():
                self.overrun[shipment.name] = shipment
            else:
                self.overrun.pop(shipment.name, None)
        for plan in self._altered_plans.values():
            if plan.name[1] == COMMIT:
                self._record(plan)
            if plan.name[1] != FORECAST:
                self._list(plan, self._orders if plan.name[1] == ORDER else self._supplies)
        self._altered_shipments.clear()
        self._altered_plans.clear()

    def _credit(self, shipment: ShipmentLine) -> None:
        """Update the receipts that its commits count of a shipment."""
        before, shipment.credited = shipment.credited, tuple(shipment.receipts())
        for credited, sign in ((before, -1), (shipment.credited, +1)):
            for commit, day, wafers in credited:
                plan = self._plan(commit_line(shipment.name[0], commit))
                _add(plan.receipts, day, sign * wafers)
                self._altered_plans[plan.name] = plan

    def _record(self, plan: PlanLine) -> None:
        """Update the entries of a commit in the records; a day of which all is 0 is not kept."""
        before, plan.recorded = plan.recorded, tuple(plan.record_entries())
        if plan.recorded == before:
            return
        for entries, sign in ((plan.recorded, +1), (before, -1)):
            for (supplier, product, due), column, value in entries:
                record = self._records[supplier, product]
                record.setdefault(due, [0] * _RECORD_COLUMNS)[column] += sign * value
        for supplier, product, due in {cell for cell, _, _ in before}:
            if not any(self._records[supplier, product][due]):
                del self._records[supplier, product][due]

    def _list(self, line: PlanLine | ShipmentLine, due_by_group: dict[Group, dict[LineName, LineDue]]) -> None:
        """List the wafers due of a line under their group."""
        if line.group is not None:
            del due_by_group[line.group][line.name]
        due = line.due()
        line.group = None
        if due is not None:
            line.group, due_by_group[due[0]][line.name] = due[0], due[1]

    # ---------------------------------------------------------------- queries

    def supplies_of(self, product: str, site: str, firmness: Firmness = "planned") -> list[LineDue]:
        """Return the supply of a product due at a site, by day, rank and name.

        It is the shipments under way, by eta, and the open wafers of commits of a grade or above, by due day. On one
        day the most certain has the lowest rank: shipments 0, then commits from immediate, 1, to planned, 5.
        """
        supplies = self._supplies.get((product, site), {}).values()
        return sorted(supply for supply in supplies if supply.rank <= RANKS[firmness])

    def orders_of(self, product: str, site: str) -> list[LineDue]:
        """Return the orders of a product at a site that are not withdrawn, by due day, priority and name."""
        return sorted(self._orders.get((product, site), {}).values())

    def record(self, supplier: str) -> dict[str, CommitRecord]:
        """Return the commit records of a supplier, by product.

        At a lag a statement of a commit counts, on its due day, if among those stated on or before that day less the
        lag it has the greatest (revision, id); a line that was re-dated since may count on several days. Churn compares
        each statement with the one before it, in the order of (revision, id): the wafers by which they differ, all of
        the greater one where the due day is another. A commit is kept within a tolerance of days and percent if the
        wafers received good of it by its due day + days are at least (100 − percent) % of those that it now states.
        """
        found = {}
        for (committed_by, product), record in sorted(self._records.items()):
            if committed_by == supplier and record:
                due = np.array(sorted(record), dtype=np.int64)
                table = np.array([record[day] for day in due.tolist()], dtype=np.int64).T
                lags = len(LAGS)
                in_force, churned, lines = table[lags : lags + 3]
                found[product] = CommitRecord(due, table[:lags], in_force, churned, lines, table[lags + 3 :])
        return found

    def suppliers(self) -> list[str]:
        """Return the suppliers that have committed anything, sorted."""
        return sorted({supplier for (supplier, _), record in self._records.items() if record})

    # ---------------------------------------------------------------- the state

    def state(self) -> list[Any]:
        """Return all that was folded as JSON has it, in one order: plans, shipments, and reversed events."""
        plans = [[name, [*map(tuple, p.statements)]] for name, p in sorted(self.plans.items()) if p.statements]
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
        for name, statements in plans:
            for revision, id_, stated_on, due, wafers, key, *terms in statements:
                lines._put(name[0], tuple(name), Statement(revision, id_, stated_on, due, wafers, tuple(key), *terms))
        for name, dispatches, revisions, ends in shipments:
            for day, eta, key, *rest in dispatches:
                lines._put(name[0], tuple(name), Dispatch(day, eta, tuple(key), *rest))
            for revision in revisions:
                lines._put(name[0], tuple(name), Revision(*revision))
            for end in ends:
                lines._put(end[1], tuple(name), End(*end))
        lines._reversed.update(map(tuple, undone))
        lines._settle()
        return lines


def _altered(facts: tuple[_Fact, ...], fact: _Fact, sign: int) -> tuple[_Fact, ...]:
    """Return some facts with another one in its place, or without it."""
    return tuple(sorted((*facts, fact))) if sign > 0 else tuple(each for each in facts if each != fact)


def _add(sums: dict[_Cell, int], cell: _Cell, wafers: int) -> None:
    """Add to a sum; one that is 0 is not kept, so that a reversed event leaves no trace."""
    total = sums.get(cell, 0) + wafers
    if total:
        sums[cell] = total
    else:
        sums.pop(cell, None)
