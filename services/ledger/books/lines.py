"""The state of a line: the statements, dispatches and arrivals from which its postings are derived."""

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
    """A line of one party: the terms of its statements, and the wafers that have moved on it."""

    statements: dict[str, Terms] = field(default_factory=dict)  # by the id of the event
    dispatches: dict[str, Sending] = field(default_factory=dict)  # of a shipment, by the id of the event
    released: dict[Origin, int] = field(default_factory=dict)  # of a commit: wafers dispatched
    moved: dict[Cell, int] = field(
        default_factory=dict
    )  # of a shipment, as published: received, damaged, lost and returned
    consumed: dict[tuple[int, Key], int] = field(default_factory=dict)  # for an order: day and key -> wafers
    posted: dict[Cell, int] | None = field(default=None, compare=False)  # its postings, once derived

    def in_force(self) -> Terms | None:
        """Return the terms of the statement in force, None if there is none."""
        id_ = self.in_force_id()
        return None if id_ is None else self.statements[id_]

    def in_force_id(self) -> str | None:
        """Return the id of the greatest (revision, time, id) that is not reversed, None if there is none."""
        statements = self.statements
        if len(statements) < 2:
            return next(iter(statements), None)
        return max(statements, key=lambda id_: (statements[id_][0], statements[id_][5], id_))

    def state(self) -> list[Any]:
        """Return the state as the store keeps it."""
        return [
            self.statements,
            self.dispatches,
            [[*origin, wafers] for origin, wafers in self.released.items()],
            [[measure, day, *key, wafers] for (measure, day, key), wafers in self.moved.items()],
            [[day, *key, wafers] for (day, key), wafers in self.consumed.items()],
        ]

    @classmethod
    def read(cls, state: list[Any]) -> "LineState":
        """Return the line of a stored state."""
        statements, dispatches, released, moved, consumed = state
        return cls(
            {
                id_: (revision, day, wafers, tuple(key), term, time)
                for id_, (revision, day, wafers, key, term, time) in statements.items()
            },
            {id_: (*values, tuple(key)) for id_, (*values, key) in dispatches.items()},
            {(product, supplier): wafers for product, supplier, wafers in released},
            {(Measure(measure), day, tuple(key)): wafers for measure, day, *key, wafers in moved},
            {(day, tuple(key)): wafers for day, *key, wafers in consumed},
        )


Derive: TypeAlias = Callable[[LineState], dict[Cell, int]]
"""A rule that gives the wafers of each cell that a line comes to."""
