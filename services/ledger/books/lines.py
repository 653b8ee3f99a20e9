"""The state of a line: the statements, dispatches and arrivals from which its postings are derived."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from shared.wire.postings import Measure

Key = tuple[str, str, str]  # product, site, supplier
Cell = tuple[Measure, int, Key]  # the place of a posting: a measure, on a day, of a key
Terms = tuple[int, int, int, Key, str | int | None]  # revision, day, wafers, key, and the type's own term
Sending = tuple[int, int, int, Key]  # wafers, day, eta, key


@dataclass(slots=True)
class LineState:
    """A line of one party: the terms of its statements, and the wafers that have moved on it."""

    statements: dict[str, Terms] = field(default_factory=dict)  # by the id of the event
    dispatched: int = 0  # wafers, of a commit
    dispatches: dict[str, Sending] = field(default_factory=dict)  # of a shipment, by the id of the event
    ended: dict[str, int] = field(default_factory=dict)  # of a shipment: site -> received, damaged and lost there
    posted: dict[Cell, int] | None = field(default=None, compare=False)  # its postings, once derived

    def in_force(self) -> Terms | None:
        """Return the terms of the greatest (revision, id) that is not reversed, None if there is none."""
        if not self.statements:
            return None
        if len(self.statements) == 1:
            return next(iter(self.statements.values()))
        return self.statements[max(self.statements, key=lambda id_: (self.statements[id_][0], id_))]

    def state(self) -> list[Any]:
        """Return the state as the store keeps it."""
        return [self.statements, self.dispatched, self.dispatches, self.ended]

    @classmethod
    def read(cls, state: list[Any]) -> "LineState":
        """Return the line of a stored state."""
        statements, dispatched, dispatches, ended = state
        return cls(
            {id_: (*values, tuple(key), term) for id_, (*values, key, term) in statements.items()},
            dispatched,
            {id_: (*values, tuple(key)) for id_, (*values, key) in dispatches.items()},
            ended,
        )


Derive: TypeAlias = Callable[[LineState], dict[Cell, int]]
"""A rule that gives the wafers of each cell that a line comes to."""
