"""The fold of events that planners revise: of those of one thing the greatest (revision, time, id) holds."""

from collections.abc import Iterable
from typing import Any, ClassVar, Self

from shared.wire.rows import Row

Place = tuple[str, str]  # name of the event, and of the thing of which one event holds


class RevisedFacts:
    """The fold of some of the planners' events: the same for any order, batching or repetition.

    Of the events of one thing, by whichever planner, the greatest (revision, time, id) that is not reversed holds.
    Where that one withdraws the thing, none is in force.
    """

    names: ClassVar[frozenset[str]]
    """The names of the events that it folds."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], Row] = {}  # by source and id
        self._reversed: set[tuple[str, str]] = set()
        self._latest: dict[Place, Row] | None = None  # the event that holds, withdrawals included

    def add(self, rows: Iterable[Row]) -> bool:
        """Fold these facts and the reversals among some events; return whether any may alter the facts in force."""
        altered = False
        for row in rows:
            if row.name in self.names:
                self._rows.setdefault((row.source, row.id), row)  # the ledger refuses another content under an id
                altered = True
            elif row.name == "event.reversed":
                target = (row.source, row.others["reversed"])
                self._reversed.add(target)
                altered = altered or target in self._rows
        if altered:
            self.forget()
        return altered

    def forget(self) -> None:
        """Forget all that was derived from the events, as they have changed."""
        self._latest = None

    @staticmethod
    def place_of(row: Row) -> Place:
        """Return the place of an event among those of which one holds."""
        return row.name, str(row.line)

    def latest(self) -> dict[Place, Row]:
        """Return the event that holds of each thing, a withdrawal included, by name of event and of thing."""
        if self._latest is None:
            held = (row for name, row in self._rows.items() if name not in self._reversed)
            self._latest = {self.place_of(row): row for row in sorted(held, key=_order)}
        return self._latest

    def has_any(self, source: str, time: int) -> bool:
        """Return whether it has an event of a source and a time."""
        return any((row.source, row.time) == (source, time) for row in self._rows.values())

    def history(self, place: Place) -> list[Row]:
        """Return all events of one thing that are not reversed, the one that holds last."""
        held = (row for name, row in self._rows.items() if name not in self._reversed and row.name == place[0])
        return sorted((row for row in held if self.place_of(row) == place), key=_order)

    # ---------------------------------------------------------------- the state

    def state(self) -> list[Any]:
        """Return all that was folded as JSON has it, in one order: the events, and reversed events.

        A reversal may come before its event, so all reversals are kept.
        """
        return [[list(row) for _, row in sorted(self._rows.items())], sorted(self._reversed)]

    @classmethod
    def read(cls, state: list[Any]) -> Self:
        """Return the fold from its state as `state` returned it."""
        facts = cls()
        rows, undone = state
        facts._rows = {(row.source, row.id): row for row in (Row(*each) for each in rows)}
        facts._reversed = set(map(tuple, undone))
        return facts


def _order(row: Row) -> tuple[int, int, str, str]:
    return row.revision or 0, row.time, row.id, row.source
