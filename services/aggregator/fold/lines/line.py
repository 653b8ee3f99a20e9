"""One line: the facts of a commit, an order, a forecast or a shipment, and the wafers still due of it."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from services.aggregator.fold.lines.facts import Dispatch, End, Group, Revision, Statement
from services.aggregator.terms import LAGS, TOLERANCES
from shared.wire.catalog import FIRMNESS
from shared.wire.lines import LineName

RANKS = {firmness: rank for rank, firmness in enumerate(reversed(FIRMNESS), 1)}  # immediate 1, planned 5
_IN_FORCE = len(LAGS)  # column of a commit record, see `LineBook.record`
_NEVER = 1 << 62

RecordCell = tuple[str, str, int]  # supplier, product and due day
RecordEntry = tuple[RecordCell, int, int]  # cell, column of its record, value


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
    sent: dict[LineName, int] = field(default_factory=dict)  # of a commit: shipment -> wafers dispatched
    receipts: dict[int, int] = field(default_factory=dict)  # of a commit: day -> good wafers
    recorded: tuple[RecordEntry, ...] = ()  # of a commit: the entries that the records hold
    group: Group | None = None  # that the book lists it under

    def record_entries(self) -> Iterator[RecordEntry]:
        """Yield the entries that a commit adds to the records.

        At lag L a statement holds for its due day if it was stated by due − L, and none that beats it was: so L is at
        most due − the day it was stated, and above due − the first day on which one of those after it was stated.
        """
        beaten_on = _NEVER
        for statement in reversed(self.statements):
            cell, due = _cell(statement), statement.due
            for lag in range(bisect_right(LAGS, due - beaten_on), bisect_right(LAGS, due - statement.stated_on)):
                if statement.wafers:
                    yield cell, lag, statement.wafers
            beaten_on = min(beaten_on, statement.stated_on)
        for now in self.statements[-1:]:
            for column, value in enumerate(self._outcome(now), _IN_FORCE):
                if value:
                    yield _cell(now), column, value

    def _outcome(self, now: Statement) -> tuple[int, ...]:
        """Return the columns of a record after those of the lags."""
        kept = [
            100 * sum(wafers for day, wafers in self.receipts.items() if day <= now.due + days)
            >= (100 - percent) * now.wafers
            for days, percent in TOLERANCES
        ]
        due = now.wafers > 0
        return (now.wafers, _churn(self.statements), int(due), *(int(due and each) for each in kept))

    @property
    def dispatched(self) -> int:
        """The wafers that were dispatched of it."""
        return sum(self.sent.values())

    def due(self) -> tuple[Group, LineDue] | None:
        """Return the wafers due of it, None if there are none: of a commit those not dispatched."""
        if not self.statements:
            return None
        now = self.statements[-1]
        wafers = now.wafers - self.dispatched
        if wafers <= 0:
            return None
        rank = now.priority if now.firmness is None else RANKS[now.firmness]
        return now.key[:2], LineDue(now.due, rank, self.name, wafers, now.id, now.key[2])


@dataclass(slots=True)
class ShipmentLine:
    """The wafers of one product that one party sends under one name."""

    name: LineName
    dispatches: tuple[Dispatch, ...] = ()  # the first gives eta and site, until a revision does
    revisions: tuple[Revision, ...] = ()  # the last one is in force
    ends: tuple[End, ...] = ()
    credited: tuple[tuple[str, int, int], ...] = ()  # the receipts that its commits count
    group: Group | None = None  # that the book lists it under

    def plan(self) -> tuple[int, str, str]:
        """Return its eta, its site and the id of the event that gives them; it must have been dispatched."""
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

    def due(self) -> tuple[Group, LineDue] | None:
        """Return the wafers under way of it, None if there are none."""
        wafers = self.under_way()
        if not wafers:
            return None
        product, _, supplier = self.dispatches[0].key
        eta, site, event = self.plan()
        return (product, site), LineDue(eta, 0, self.name, wafers, event, supplier)

    def receipts(self) -> Iterator[tuple[str, int, int]]:
        """Yield the receipts of each commit: its id, a day, and good wafers.

        They fill the dispatches in their order; receipts beyond the wafers sent are of the last one.
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


def _cell(statement: Statement) -> RecordCell:
    return (statement.key[2], statement.key[0], statement.due)


def _churn(statements: Sequence[Statement]) -> int:
    return sum(
        abs(now.wafers - before.wafers) if now.due == before.due else max(now.wafers, before.wafers)
        for before, now in pairwise(statements)
    )
