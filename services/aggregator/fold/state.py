"""The state that the aggregator folds from postings: curves, lines, sites and sources of one position."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.lines.book import LineBook
from services.aggregator.fold.sites import SiteBook
from services.aggregator.kernels.arrays import Index
from services.aggregator.terms import TOLERANT, Tolerance
from shared.programme.declarations import Declarations
from shared.programme.remarks import Remarks
from shared.wire.days import DAY_US, day_number, day_of
from shared.wire.postings import PostingBatch
from shared.wire.rows import DECLARATIONS, REMARKS, WATERMARKS, Row, read_rows, watermark_of

_REVISED = DECLARATIONS | REMARKS | {"event.reversed"}


class LateEvent(NamedTuple):
    """The event with the greatest sequence of a day that its source had completed before."""

    day: int  # since 1970
    sequence: int
    id: str


class SourceBook:
    """The fold of the sequences of each source: its watermarks, and the greatest sequence of each day's events.

    It is the same for any order, batching or repetition: it knows neither when an event arrived, nor which events are
    reversed, watermarks apart.
    """

    def __init__(self) -> None:
        self._newest: defaultdict[str, dict[int, tuple[int, str]]] = defaultdict(dict)  # source -> day -> sequence, id
        self._watermarks: defaultdict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
        """Source -> id of the event -> watermark, sequence."""
        self._reversed: set[tuple[str, str]] = set()

    def add(self, rows: Iterable[Row]) -> None:
        """Fold some events, among which are all watermarks, and the newest event of each day of each batch."""
        for row in rows:
            if row.name in WATERMARKS:
                self._watermarks[row.source][row.id] = (watermark_of(row), row.sequence)
                continue
            newest, day = self._newest[row.source], row.time // DAY_US
            if day not in newest or newest[day][0] < row.sequence:
                newest[day] = (row.sequence, row.id)
            if row.name == "event.reversed":
                self._reversed.add((row.source, row.others["reversed"]))

    def late_events(self) -> dict[str, tuple[int, list[LateEvent]]]:
        """Return by source the day that it has completed, and the days of which it published an event afterwards.

        They are judged by the watermark in force: the greatest that is not reversed, of equal ones the last published.
        A later one confirms the days before it anew. Sources without such days are left out.
        """
        found = {}
        for source, watermarks in sorted(self._watermarks.items()):
            held = [each for id_, each in watermarks.items() if (source, id_) not in self._reversed]
            if not held:
                continue
            watermark, completed_at = max(held)
            through = day_of(watermark)
            late = sorted(
                LateEvent(day, *newest)
                for day, newest in self._newest[source].items()
                if day <= through and newest[0] > completed_at
            )
            if late:
                found[source] = (through, late)
        return found

    def state(self) -> list[Any]:
        """Return all that was folded as JSON has it, in one order."""
        newest = [[source, sorted(days.items())] for source, days in sorted(self._newest.items()) if days]
        watermarks = [[source, sorted(each.items())] for source, each in sorted(self._watermarks.items())]
        return [newest, watermarks, sorted(self._reversed)]

    @classmethod
    def read(cls, state: list[Any]) -> "SourceBook":
        """Return the book from its state as `state` returned it."""
        book = cls()
        newest, watermarks, undone = state
        for source, days in newest:
            book._newest[source] = {day: (sequence, id_) for day, (sequence, id_) in days}
        for source, each in watermarks:
            book._watermarks[source] = {id_: (watermark, sequence) for id_, (watermark, sequence) in each}
        book._reversed = set(map(tuple, undone))
        return book


class MakeState(Protocol):
    """Makes the state before the first posting, with a horizon (first day since 1970, days) or with the default."""

    def __call__(self, horizon: tuple[int, int] | None = None) -> "FoldState":
        """Return a new state."""


class FoldState:
    """The fold of all postings up to a position: a function of the log, independent of order and batches."""

    def __init__(
        self,
        curves: Curves,
        lines: LineBook | None = None,
        sites: SiteBook | None = None,
        sources: SourceBook | None = None,
        declarations: Declarations | None = None,
        default_horizon: tuple[int, int] | None = None,
        remarks: Remarks | None = None,
    ) -> None:
        self.curves = curves
        self.default_horizon = curves.horizon if default_horizon is None else default_horizon
        self.lines = LineBook() if lines is None else lines
        self.sites = SiteBook() if sites is None else sites
        self.sources = SourceBook() if sources is None else sources
        self.declarations = Declarations() if declarations is None else declarations
        self.remarks = Remarks() if remarks is None else remarks
        self.lines.tolerate(self.tolerance)

    @property
    def tolerance(self) -> Tolerance:
        """The tolerance of deliveries that the programme in force declares, else the default."""
        programme = self.declarations.programme
        if programme is None or programme.on_time is None:
            return TOLERANT
        return Tolerance(*(getattr(programme.on_time, name) for name in Tolerance._fields))

    @property
    def declared_horizon(self) -> tuple[int, int]:
        """The horizon that the programme in force declares, else the default: its first day (since 1970), its days.

        Where it is another than that of the curves, the whole log is to be folded anew.
        """
        return horizon_of(self.declarations) or self.default_horizon

    @classmethod
    def of(cls, curves: Curves, batches: Iterable[Sequence[str]]) -> "FoldState":
        """Return the state of some curves and of the events published with their postings: bodies in batches."""
        state = cls(curves)
        for bodies in batches:
            state._collect_events(bodies)
        state.lines.settle()
        return state

    def add(self, batch: PostingBatch) -> Index:
        """Return the keys that a batch changed, sorted; none if it was added before. Raise `Gap` if one is missing."""
        before = self.curves.position
        changed = self.curves.add(batch)
        if self.curves.position > before:
            self._collect_events(batch.said)
            self.lines.settle()
        return changed

    def add_all(self, batches: Iterable[PostingBatch]) -> int:
        """Fold the batches after this state, which nobody reads meanwhile; return their number.

        It is quicker than `add` for each: a line that many of them alter is settled once.
        """
        count = 0
        for batch in batches:
            self.curves.add(batch)
            self._collect_events(batch.said)
            count += 1
        self.lines.settle()
        return count

    def _collect_events(self, bodies: Sequence[str]) -> None:
        rows = read_rows(bodies)
        self.lines.collect_rows(rows)
        self.sites.add(rows)
        self.sources.add(rows)
        revised = [row for row in rows if row.name in _REVISED]
        self.remarks.add(revised)
        if self.declarations.add(revised):
            self.curves.declare(self.declarations.digest())
            self.lines.tolerate(self.tolerance)


def horizon_of(declarations: Declarations) -> tuple[int, int] | None:
    """Return the horizon that the programme in force declares, if any: its first day (since 1970), and its days."""
    declared = declarations.horizon
    if declared is None:
        return None
    start = day_number(declared.starts_on)
    return start, day_number(declared.ends_on) + 1 - start
