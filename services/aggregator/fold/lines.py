"""The lines: what each commit, order, forecast and shipment was said to be, what it comes to, and by which event."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from hashlib import sha256
from itertools import chain, pairwise
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple, TypeAlias, TypeVar, cast

import numpy as np
import orjson

from services.aggregator.kernels.arrays import Index, Wafers
from services.aggregator.terms import LAGS
from shared.wire.batch import Row
from shared.wire.days import DAY_US, day_number
from shared.wire.events import FIRMNESS, Firmness
from shared.wire.lines import COMMIT, LineName, commit_line, line_of
from shared.wire.postings import LINE_EVENTS

TOLERANCES = ((0, 0), (7, 5))  # days after the due day, percent of the wafers: in full and on time, and nearly so
ORDER, FORECAST = "demand.required", "demand.forecast"
_RANKS = {firmness: rank for rank, firmness in enumerate(reversed(FIRMNESS), 1)}
_STANDING, _COLUMNS = len(LAGS), len(LAGS) + 3 + len(TOLERANCES)  # of a record's day
_NEVER = 1 << 62

Entry = tuple[tuple[str, str, int], int, int]  # supplier, product and due day; column of its record; value
Key = tuple[str, str, str]  # product, site, supplier
Group = tuple[str, str]  # product, site
_Said = TypeVar("_Said", bound=tuple[Any, ...])
_Cell = TypeVar("_Cell")


# ---------------------------------------------------------------- what events say, each in the order in which it holds


class Statement(NamedTuple):
    """What an event says of a plan: a commit, an order or a forecast."""

    revision: int
    id: str
    stated_on: int
    due: int
    wafers: int
    key: Key
    firmness: Firmness | None  # of a commit
    reason: str  # of a commit
    start_by: int | None  # of an order
    priority: int  # of an order, 1 first; 0 of any other


class Dispatch(NamedTuple):
    """Wafers of a shipment that were sent."""

    day: int
    eta: int
    key: Key
    id: str
    wafers: int
    commit: str | None


class Revision(NamedTuple):
    """When a shipment is expected now, and where."""

    revision: int
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


Fact: TypeAlias = Statement | Dispatch | Revision | End


# ---------------------------------------------------------------- what is asked of lines


class LineDue(NamedTuple):
    """What a line brings, or asks for, from now on."""

    day: int
    rank: int
    name: LineName
    wafers: int
    event: str
    supplier: str


class LinesDue(NamedTuple):
    """What stands of some lines, by group, day, rank and name: as pegging takes them."""

    groups: list[Group]
    group: Index  # [line] which of the groups
    day: Index  # [line] since 1970
    wafers: Wafers  # [line] above 0
    rank: Index  # [line] who goes first on one day: of orders the priority; of supply the most certain, see `supplies`
    names: list[LineName]
    events: list[str]  # the ids of those that hold
    suppliers: list[str]


class ShortageCause(NamedTuple):
    """Why less supply, or more demand, stands by a day than was first said."""

    wafers: int
    what: str
    name: LineName
    source: str  # of the event
    event: str


class Record(NamedTuple):
    """What a supplier has committed of a product, by due day, and what came of it."""

    due: Index  # [day] since 1970, in order
    committed: Wafers  # [lag, day] as it stood `LAGS` days before
    standing: Wafers  # [day] as it stands
    churned: Wafers  # [day] by which the commits that are due then now were altered, up or down or to another day
    lines: Index  # [day] commits that are due then, those that were withdrawn left out
    kept: Index  # [tolerance, day] of them, those of which enough came in time: see `TOLERANCES`


@dataclass(slots=True)
class PlanLine:
    """A commit, an order or a forecast."""

    name: LineName
    said: tuple[Statement, ...] = ()  # the last one is in force
    sent: dict[LineName, int] = field(default_factory=dict)  # of a commit: shipment -> wafers dispatched
    receipts: dict[int, int] = field(default_factory=dict)  # of a commit: day -> good wafers
    counted: tuple[Entry, ...] = ()  # of a commit: what of it stands in the records
    stands_in: Group | None = None

    def entries(self) -> Iterator[Entry]:
        """Yield what a commit adds to the records.

        At lag L a statement holds for its due day if it was said by due − L, and none that beats it was: so L is at
        most due − the day it was said, and above due − the first day on which one of those after it was said.
        """
        beaten_on = _NEVER
        for statement in reversed(self.said):
            cell, due = _cell(statement), statement.due
            for lag in range(bisect_right(LAGS, due - beaten_on), bisect_right(LAGS, due - statement.stated_on)):
                if statement.wafers:
                    yield cell, lag, statement.wafers
            beaten_on = min(beaten_on, statement.stated_on)
        for now in self.said[-1:]:
            for column, value in enumerate(self._worth(now), _STANDING):
                if value:
                    yield _cell(now), column, value

    def _worth(self, now: Statement) -> tuple[int, ...]:
        came = [
            100 * sum(wafers for day, wafers in self.receipts.items() if day <= now.due + days)
            >= (100 - percent) * now.wafers
            for days, percent in TOLERANCES
        ]
        due = now.wafers > 0
        return (now.wafers, _churn(self.said), int(due), *(int(due and kept) for kept in came))

    @property
    def dispatched(self) -> int:
        """The wafers that were dispatched of it."""
        return sum(self.sent.values())

    def standing(self) -> tuple[Group, LineDue] | None:
        """Return what stands of it, None if nothing does: of a commit what is not dispatched."""
        if not self.said:
            return None
        now = self.said[-1]
        wafers = now.wafers - self.dispatched
        if wafers <= 0:
            return None
        rank = now.priority if now.firmness is None else _RANKS[now.firmness]
        return now.key[:2], LineDue(now.due, rank, self.name, wafers, now.id, now.key[2])


@dataclass(slots=True)
class ShipmentLine:
    """What one party sends of one product under one name."""

    name: LineName
    dispatches: tuple[Dispatch, ...] = ()  # the first says eta and site, as long as nobody revises them
    revisions: tuple[Revision, ...] = ()  # the last one is in force
    ends: tuple[End, ...] = ()
    given: tuple[tuple[str, int, int], ...] = ()  # what of its receipts its commits have
    stands_in: Group | None = None

    def plan(self) -> tuple[int, str, str]:
        """Return when it is due and where, and the id of the event that says so; it must have been dispatched."""
        first = self.dispatches[0]
        if self.revisions:
            now = self.revisions[-1]
            return now.eta, now.site, now.id
        return first.eta, first.key[1], first.id

    def sent(self) -> int:
        """Return the wafers that were sent."""
        return sum(dispatch.wafers for dispatch in self.dispatches)

    def ended(self) -> int:
        """Return the wafers that came to an end."""
        return sum(end.received + end.damaged + end.lost for end in self.ends)

    def under_way(self) -> int:
        """Return the wafers that were sent and have not come to an end: as the ledger posts them."""
        return max(0, self.sent() - self.ended())

    def standing(self) -> tuple[Group, LineDue] | None:
        """Return what is under way of it, None if nothing is."""
        wafers = self.under_way()
        if not wafers:
            return None
        product, _, supplier = self.dispatches[0].key
        eta, site, event = self.plan()
        return (product, site), LineDue(eta, 0, self.name, wafers, event, supplier)

    def receipts(self) -> Iterator[tuple[str, int, int]]:
        """Yield what came of each commit: its id, a day, and good wafers.

        They fill the dispatches in their order; what is more than was sent is of the last one.
        """
        n, room, last = 0, self.dispatches[0].wafers if self.dispatches else 0, len(self.dispatches) - 1
        for end in self.ends if self.dispatches else ():
            rest = end.received
            while rest:
                taken = rest if n == last else min(rest, room)
                commit = self.dispatches[n].commit
                if taken and commit is not None:
                    yield commit, end.day, taken
                rest, room = rest - taken, room - taken
                if rest:
                    n, room = n + 1, self.dispatches[n + 1].wafers


class LineBook:
    """The fold of what the ledger tells of lines: the same for any order, batching or repetition."""

    def __init__(self) -> None:
        self.plans: dict[LineName, PlanLine] = {}
        self.shipments: dict[LineName, ShipmentLine] = {}
        self.overrun: dict[LineName, ShipmentLine] = {}  # those of which more has come to an end than was sent
        self._facts: defaultdict[str, dict[str, tuple[PlanLine | ShipmentLine, Fact]]] = defaultdict(
            dict
        )  # by source, id
        self._reversed: set[tuple[str, str]] = set()
        self._standing: dict[str, defaultdict[Group, dict[LineName, LineDue]]] = {
            book: defaultdict(dict) for book in ("supply", ORDER, FORECAST)
        }
        self._of: defaultdict[Group, dict[LineName, None]] = defaultdict(dict)  # lines that ever spoke of a group
        self._records: defaultdict[tuple[str, str], dict[int, list[int]]] = defaultdict(dict)  # supplier, product; due
        self._plans_altered: dict[LineName, PlanLine] = {}  # by the events that are being folded
        self._shipments_altered: dict[LineName, ShipmentLine] = {}

    # ---------------------------------------------------------------- events in

    def add(self, said: Sequence[str]) -> None:
        """Fold what a batch says of lines: `PostingBatch.said`, of which all else is left out, or any events."""
        rows = map(Row._make, orjson.loads(f"[{','.join(said)}]"))
        self.add_rows(row for row in rows if row.name in LINE_EVENTS)

    def add_rows(self, rows: Iterable[Row]) -> None:
        """Fold events of `LINE_EVENTS`, and none else."""
        for row in rows:
            if row.name == "event.reversed":
                self._reverse(row.source, row.others["reversed"])
            elif row.id not in self._facts[row.source] and (row.source, row.id) not in self._reversed:
                self._put(row.source, line_of(row), _FACTS[row.name](row))
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
        """Take a fact into its line, or out of it; what follows from the line is settled with the others."""
        if isinstance(line, PlanLine):
            statement = cast(Statement, fact)
            line.said = _altered(line.said, statement, sign)
            self._of[statement.key[:2]][line.name] = None
            self._plans_altered[line.name] = line
            return
        if isinstance(fact, Dispatch):
            line.dispatches = _altered(line.dispatches, fact, sign)
            self._of[fact.key[:2]][line.name] = None
            if fact.commit is not None:
                commit = self._plan(commit_line(line.name[0], fact.commit))
                _add(commit.sent, line.name, sign * fact.wafers)
                self._plans_altered[commit.name] = commit
        elif isinstance(fact, Revision):
            line.revisions = _altered(line.revisions, fact, sign)
        else:
            line.ends = _altered(line.ends, cast(End, fact), sign)
        self._shipments_altered[line.name] = line

    def _settle(self) -> None:
        """Bring what follows from the lines that were altered up to date."""
        for shipment in self._shipments_altered.values():
            self._receive(shipment)
            self._place(shipment)
            if shipment.ended() > shipment.sent():
                self.overrun[shipment.name] = shipment
            else:
                self.overrun.pop(shipment.name, None)
        for plan in self._plans_altered.values():
            self._count(plan)
            self._place(plan)
        self._shipments_altered.clear()
        self._plans_altered.clear()

    def _receive(self, shipment: ShipmentLine) -> None:
        """Bring what its commits have received of a shipment up to date."""
        before, shipment.given = shipment.given, tuple(shipment.receipts())
        for given, sign in ((before, -1), (shipment.given, +1)):
            for commit, day, wafers in given:
                plan = self._plan(commit_line(shipment.name[0], commit))
                _add(plan.receipts, day, sign * wafers)
                self._plans_altered[plan.name] = plan

    def _count(self, plan: PlanLine) -> None:
        """Bring what a commit adds to the records up to date; a day of which all is 0 is not kept."""
        before, plan.counted = plan.counted, tuple(plan.entries()) if plan.name[1] == COMMIT else ()
        if plan.counted == before:
            return
        for entries, sign in ((plan.counted, +1), (before, -1)):
            for (supplier, product, due), column, value in entries:
                self._records[supplier, product].setdefault(due, [0] * _COLUMNS)[column] += sign * value
        for supplier, product, due in {cell for cell, _, _ in before}:
            if not any(self._records[supplier, product][due]):
                del self._records[supplier, product][due]

    def _place(self, line: PlanLine | ShipmentLine) -> None:
        """Put what stands of a line where it is looked for."""
        book = self._standing.get(line.name[1], self._standing["supply"])
        if line.stands_in is not None:
            del book[line.stands_in][line.name]
        standing = line.standing()
        line.stands_in = None
        if standing is not None:
            line.stands_in, book[standing[0]][line.name] = standing[0], standing[1]

    # ---------------------------------------------------------------- what stands

    def supplies(self, firmness: Firmness = "planned") -> LinesDue:
        """Return what is to come: shipments under way by eta, and what is open of commits of a grade or above, by due.

        Of one day the most certain has the lowest rank: shipments 0, then commits from immediate, 1, to planned, 5.
        """
        least = _RANKS[firmness]
        return _columns(self._standing["supply"], lambda standing: standing.rank <= least)

    def demands(self, kind: str = ORDER) -> LinesDue:
        """Return what is required, by due day: the orders that are not withdrawn, or (`FORECAST`) the forecasts."""
        return _columns(self._standing[kind], None)

    def supplies_of(self, product: str, site: str, firmness: Firmness = "planned") -> list[LineDue]:
        """Return what `supplies` does of one product at one site, by day, rank and name."""
        rows = self._standing["supply"].get((product, site), {}).values()
        return sorted(standing for standing in rows if standing.rank <= _RANKS[firmness])

    def orders_of(self, product: str, site: str) -> list[LineDue]:
        """Return what is required of one product at one site, by due day, priority and name."""
        return sorted(self._standing[ORDER].get((product, site), {}).values())

    # ---------------------------------------------------------------- what was said before

    def record(self, supplier: str) -> dict[str, Record]:
        """Return what a supplier has committed of each product and what came of it, by product.

        At a lag a statement of a commit counts, on its due day, if among those said on or before that day less the lag
        it has the greatest (revision, id); a line that was re-dated since may count on several days. Churn compares
        each statement with the one before it, in the order of (revision, id): the wafers by which they differ, all of
        the greater one where the due day is another. A commit is kept within a tolerance of days and percent if what
        was received good of it by its due day + days is at least (100 − percent) % of what it now says.
        """
        found = {}
        for (who, product), record in sorted(self._records.items()):
            if who == supplier and record:
                due = np.array(sorted(record), dtype=np.int64)
                table = np.array([record[day] for day in due.tolist()], dtype=np.int64).T
                lags = len(LAGS)
                standing, churned, lines = table[lags : lags + 3]
                found[product] = Record(due, table[:lags], standing, churned, lines, table[lags + 3 :])
        return found

    def suppliers(self) -> list[str]:
        """Return who has committed anything, sorted."""
        return sorted({who for (who, _), record in self._records.items() if record})

    def causes(self, product: str, site: str, through: int) -> list[ShortageCause]:
        """Return why less supply or more demand stands by a day than was first said, the greatest first.

        *By then* is: due on or before the day `through`, of this product, at this site. What was reversed was not said.

        - A commit: its wafers by then in its first statement, less those by then in the one in force, or what was
          dispatched of it where that is more. If it still is due by then, it was `lowered`, or `withdrawn` to 0. Else
          what it has lost beside is `lowered`, and the rest was `re-dated`, or `moved` to another product or site.
        - An order, the other way round: `raised`, `brought forward`, or `moved` here. A new one is no cause.
        - A shipment: its dispatches by then as first said, which is on the due day and at the site of the commit that
          one names, as that is in force, else on the eta and at the site of the shipment's first dispatch; less what
          was received good at the site by then, and what is under way to it by then. What is missing, and no more, is
          laid to what was `lost`, `damaged`, `diverted` (received or under way elsewhere), `received late`, and to what
          is under way and due later: `re-dated` by a revision, or `sent late`; in this order.

        The event is the first since which the line says so: since the day is that one, or the wafers are so many.
        A dispatched wafer has left its commit for its shipment, so the sum of all is what is missing, or comes on top.
        """
        found: list[ShortageCause] = []
        shipments: set[LineName] = set()
        for name in self._of.get((product, site), ()):
            plan = self.plans.get(name)
            if plan is None:
                shipments.add(name)
            elif name[1] != FORECAST:
                found += _plan_causes(plan, (product, site), through)
                shipments.update(plan.sent)
        for name in shipments:
            found += self._shipment_causes(self.shipments[name], (product, site), through)
        return sorted(found, key=lambda cause: (-cause.wafers, *cause[1:]))

    def _shipment_causes(self, shipment: ShipmentLine, group: Group, through: int) -> Iterator[ShortageCause]:
        if not shipment.dispatches:
            return
        arrived, fates = _fates(shipment, group, through)
        missing = -arrived
        for dispatch in shipment.dispatches:
            commit = self.plans.get(commit_line(shipment.name[0], dispatch.commit or ""))
            first = shipment.dispatches[0]
            due, key = (commit.said[-1].due, commit.said[-1].key) if commit and commit.said else (first.eta, first.key)
            if due <= through and key[:2] == group:
                missing += dispatch.wafers
        for fate in fates:
            wafers = min(missing, fate.wafers)
            if wafers > 0:
                yield fate._replace(wafers=wafers)
                missing -= wafers

    # ---------------------------------------------------------------- the state

    def state(self) -> list[Any]:
        """Return all that was folded as JSON has it, in one order: plans, shipments, and what was reversed."""
        plans = [[name, [*map(tuple, p.said)]] for name, p in sorted(self.plans.items()) if p.said]
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
        """Return the lines whose state was written."""
        lines = cls()
        plans, shipments, undone = state
        for name, said in plans:
            for revision, id_, stated_on, due, wafers, key, *terms in said:
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


def fold_lines(said: Iterable[Sequence[str]]) -> LineBook:
    """Return the lines of what was said of them, in batches: from the ledger's store, or as it is told."""
    lines = LineBook()
    for bodies in said:
        lines.add(bodies)
    return lines


# ---------------------------------------------------------------- an event as a fact of a line


# The columns of a row may be empty, but not those that its type needs: the ledger saw to it.


def _statement(row: Row) -> Statement:
    others = row.others
    start_by = others.get("start_by")
    return Statement(
        cast(int, row.revision), row.id, row.time // DAY_US, cast(int, row.day), cast(int, row.wafers), _key(row),
        others.get("firmness"), others.get("reason", ""),
        None if start_by is None else day_number(date.fromisoformat(start_by)), others.get("priority", 0),
    )  # fmt: skip


def _dispatch(row: Row) -> Dispatch:
    return Dispatch(
        row.time // DAY_US, cast(int, row.day), _key(row), row.id, cast(int, row.wafers), row.others["commit"]
    )


def _revision(row: Row) -> Revision:
    return Revision(cast(int, row.revision), row.id, cast(int, row.day), str(row.site))


def _arrival(row: Row) -> End:
    wafers, damaged = cast(int, row.wafers), row.others["wafers_damaged"]
    return End(row.time // DAY_US, row.source, row.id, str(row.site), wafers, damaged, 0)


def _loss(row: Row) -> End:
    return End(row.time // DAY_US, row.source, row.id, str(row.site), 0, 0, cast(int, row.wafers))


def _key(row: Row) -> Key:
    return _one_key(str(row.product), str(row.site), str(row.supplier))


@lru_cache(maxsize=4096)
def _one_key(*key: str) -> Key:
    return cast(Key, key)  # the same one for all of it: they are few, and the facts are many


_FACTS: dict[str, Callable[[Row], Fact]] = {
    **dict.fromkeys((COMMIT, ORDER, FORECAST), _statement),
    "shipment.dispatched": _dispatch,
    "shipment.revised": _revision,
    "shipment.received": _arrival,
    "shipment.lost": _loss,
}


# ---------------------------------------------------------------- why it stands otherwise than it was first said

_FATES = ("lost", "damaged", "diverted", "received late", "re-dated", "sent late")


def _plan_causes(plan: PlanLine, group: Group, through: int) -> Iterator[ShortageCause]:
    if not plan.said:
        return
    first, now = plan.said[0], plan.said[-1]
    now = now._replace(wafers=max(now.wafers, plan.dispatched))
    if plan.name[1] == COMMIT:
        before, after, fewer, other = first, now, "lowered" if now.wafers else "withdrawn", "re-dated"
    else:  # what makes less of supply makes more of demand
        before, after, fewer, other = now, first, "raised", "brought forward"
    if before.key[:2] != group or before.due > through:
        return
    changes: list[tuple[int, str, Callable[[Statement], Any]]] = [
        (before.wafers - after.wafers, fewer, attrgetter("wafers"))
    ]
    if after.key[:2] != group:
        changes.append((min(before.wafers, after.wafers), "moved", lambda statement: statement.key[:2]))
    elif after.due > through:
        changes.append((min(before.wafers, after.wafers), other, attrgetter("due")))
    for wafers, what, said in changes:
        if wafers > 0:
            yield ShortageCause(wafers, what, plan.name, plan.name[0], _since(plan.said, said).id)


def _fates(shipment: ShipmentLine, group: Group, through: int) -> tuple[int, list[ShortageCause]]:
    """Return how many wafers of a shipment come to a group by a day, and what became of the others, as `_FATES` has it.

    What has come and what is on its way to there by then: as the books stand, also where its eta has passed.
    """
    name, product = shipment.name, shipment.dispatches[0].key[0]
    arrived, fates = 0, []
    for end in shipment.ends:
        here = (product, end.site) == group
        fates += [(end.lost, "lost", end.source, end.id), (end.damaged, "damaged", end.source, end.id)]
        if here and end.day <= through:
            arrived += end.received
        else:
            fates.append((end.received, "received late" if here else "diverted", end.source, end.id))
    first = shipment.dispatches[0]
    plans = [(first.eta, first.key[1], first.id), *((r.eta, r.site, r.id) for r in shipment.revisions)]
    eta, site, _ = plans[-1]
    if (product, site) != group:
        fates.append((shipment.under_way(), "diverted", name[0], _since(plans, itemgetter(1))[2]))
    elif eta <= through:
        arrived += shipment.under_way()
    else:
        since = _since(plans, itemgetter(0))
        fates.append((shipment.under_way(), "sent late" if since is plans[0] else "re-dated", name[0], since[2]))
    fates.sort(key=lambda fate: _FATES.index(fate[1]))
    return arrived, [ShortageCause(wafers, what, name, source, event) for wafers, what, source, event in fates]


def _since(said: Sequence[_Said], what: Callable[[_Said], Any]) -> _Said:
    """Return the first since which all have said the same, in one respect, as the last."""
    n = len(said) - 1
    while n and what(said[n - 1]) == what(said[n]):
        n -= 1
    return said[n]


# ---------------------------------------------------------------- sums and columns


def _altered(facts: tuple[_Said, ...], fact: _Said, sign: int) -> tuple[_Said, ...]:
    """Return some facts with another one in its place, or without it."""
    return tuple(sorted((*facts, fact))) if sign > 0 else tuple(each for each in facts if each != fact)


def _add(sums: dict[_Cell, int], cell: _Cell, wafers: int) -> None:
    """Add to a sum; one that is 0 is not kept, so that what was taken back leaves no trace."""
    total = sums.get(cell, 0) + wafers
    if total:
        sums[cell] = total
    else:
        sums.pop(cell, None)


def _cell(statement: Statement) -> tuple[str, str, int]:
    """Return where a commit is counted: supplier, product and due day."""
    return (statement.key[2], statement.key[0], statement.due)


def _churn(statements: Sequence[Statement]) -> int:
    return sum(
        abs(now.wafers - before.wafers) if now.due == before.due else max(now.wafers, before.wafers)
        for before, now in pairwise(statements)
    )


def _columns(book: dict[Group, dict[LineName, LineDue]], wanted: Callable[[LineDue], bool] | None) -> LinesDue:
    groups = sorted(group for group, lines in book.items() if lines)
    of_group = [sorted(filter(wanted, book[group].values())) for group in groups]
    rows = list(chain.from_iterable(of_group))
    day, rank, names, wafers, events, suppliers = zip(*rows, strict=True) if rows else ((),) * 6
    return LinesDue(
        groups,
        np.repeat(np.arange(len(groups)), [len(lines) for lines in of_group]),
        np.array(day, dtype=np.int64),
        np.array(wafers, dtype=np.int64),
        np.array(rank, dtype=np.int64),
        list(names),
        list(events),
        list(suppliers),
    )
