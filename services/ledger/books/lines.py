"""The state of a line: the statements, dispatches and arrivals from which its postings are derived."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from shared.wire.postings import Measure

Key = tuple[str, str, str]  # product, site, supplier
Cell = tuple[Measure, int, Key]  # the place of a posting: a measure, on a day, of a key
Terms = tuple[int, int, int, Key, str | int | None, int]  # revision, day, wafers, key, the type's own term, event time
Sending = tuple[int, int, int, Key]  # wafers, day, eta, key
Origin = tuple[str, str]  # product, supplier

ENDS = frozenset({Measure.RECEIVED, Measure.DAMAGED, Measure.LOST})
"""The movements by which wafers leave a shipment."""


@dataclass(slots=True)
class LineState:
    """A line of one party: the terms of its statements, and the wafers that have moved on it.

    `dispatched` and `ended` are of lines that were stored before product and supplier were kept: `released` and `moved`
    have what was recorded since.
    """

    statements: dict[str, Terms] = field(default_factory=dict)  # by the id of the event
    dispatched: int = 0  # wafers, of a commit
    dispatches: dict[str, Sending] = field(default_factory=dict)  # of a shipment, by the id of the event
    ended: dict[str, int] = field(default_factory=dict)  # of a shipment: site -> received, damaged and lost there
    released: dict[Origin, int] = field(default_factory=dict)  # of a commit: wafers dispatched
    moved: dict[Cell, int] = field(
        default_factory=dict
    )  # of a shipment, as published: received, damaged, lost and returned
    consumed: dict[tuple[int, Key], int] = field(default_factory=dict)  # for an order: day and key -> wafers
    posted: dict[Cell, int] | None = field(default=None, compare=False)  # its postings, once derived
    timed: bool = field(default=True, compare=False)  # False: read from a store that kept no times, and posted by id

    def in_force(self) -> Terms | None:
        """Return the terms of the statement in force, None if there is none."""
        id_ = self.in_force_id()
        return None if id_ is None else self.statements[id_]

    def in_force_id(self) -> str | None:
        """Return the id of the greatest (revision, time, id) that is not reversed, None if there is none."""
        statements = self.statements
        if len(statements) < 2:
            return next(iter(statements), None)
        if not self.timed:
            return max(statements, key=lambda id_: (statements[id_][0], id_))
        return max(statements, key=lambda id_: (statements[id_][0], statements[id_][5], id_))

    def state(self) -> list[Any]:
        """Return the state as the store keeps it; what it holds beside the first four parts is by name."""
        more: dict[str, Any] = {}
        if self.released:
            more["released"] = [[*origin, wafers] for origin, wafers in self.released.items()]
        if self.moved:
            more["moved"] = [[measure, day, *key, wafers] for (measure, day, key), wafers in self.moved.items()]
        if self.consumed:
            more["consumed"] = [[day, *key, wafers] for (day, key), wafers in self.consumed.items()]
        return [self.statements, self.dispatched, self.dispatches, self.ended, *([more] if more else [])]

    @classmethod
    def read(cls, state: list[Any]) -> "LineState":
        """Return the line of a stored state; statements that an older version stored get the time 0."""
        statements, dispatched, dispatches, ended, *others = state
        more = others[0] if others else {}
        return cls(
            {
                id_: (revision, day, wafers, tuple(key), term, time[0] if time else 0)
                for id_, (revision, day, wafers, key, term, *time) in statements.items()
            },
            dispatched,
            {id_: (*values, tuple(key)) for id_, (*values, key) in dispatches.items()},
            ended,
            {(product, supplier): wafers for product, supplier, wafers in more.get("released", ())},
            {(Measure(measure), day, tuple(key)): wafers for measure, day, *key, wafers in more.get("moved", ())},
            {(day, tuple(key)): wafers for day, *key, wafers in more.get("consumed", ())},
            timed=all(len(values) == _TIMED for values in statements.values()),
        )

    def untimed(self) -> list[str]:
        """Return the ids of the statements that are stored without the time of their event."""
        return [] if self.timed else [id_ for id_, terms in self.statements.items() if not terms[5]]

    def agrees_with(self, replayed: "LineState") -> bool:
        """Return whether a stored line is what a replay comes to, which keeps the product and supplier of all."""
        return self == replayed or (
            (self.statements, self.dispatches, self.consumed)
            == (replayed.statements, replayed.dispatches, replayed.consumed)
            and all(wafers <= replayed.released.get(origin, 0) for origin, wafers in self.released.items())
            and all(wafers <= replayed.moved.get(cell, 0) for cell, wafers in self.moved.items())
            and self.dispatched + sum(self.released.values()) == sum(replayed.released.values())
            and self._ended_by_site() == replayed._ended_by_site()
        )

    def _ended_by_site(self) -> dict[str, int]:
        sums = Counter(self.ended)
        for (measure, _, (_, site, _)), wafers in self.moved.items():
            if measure in ENDS:
                sums[site] += wafers
        return {site: wafers for site, wafers in sums.items() if wafers}


_TIMED = 6  # values of a stored statement that has its time
Derive: TypeAlias = Callable[[LineState], dict[Cell, int]]
"""A rule that gives the wafers of each cell that a line comes to."""
