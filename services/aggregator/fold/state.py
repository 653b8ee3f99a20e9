"""The state that the aggregator folds from postings: curves, lines and sites of one position."""

from collections.abc import Iterable, Sequence

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.lines.book import LineBook
from services.aggregator.fold.sites import SiteBook
from services.aggregator.kernels.arrays import Index
from shared.wire.postings import PostingBatch


class FoldState:
    """The fold of all postings up to a position: a function of the log, independent of order and batches."""

    def __init__(self, curves: Curves, lines: LineBook | None = None, sites: SiteBook | None = None) -> None:
        self.curves = curves
        self.lines = LineBook() if lines is None else lines
        self.sites = SiteBook() if sites is None else sites

    @classmethod
    def of(cls, curves: Curves, batches: Iterable[Sequence[str]]) -> "FoldState":
        """Return the state of some curves and of the events published with their postings: bodies in batches."""
        state = cls(curves)
        for bodies in batches:
            state._add_events(bodies)
        return state

    def add(self, batch: PostingBatch) -> Index:
        """Return the keys that a batch changed, sorted; none if it was added before. Raise `Gap` if one is missing."""
        before = self.curves.position
        changed = self.curves.add(batch)
        if self.curves.position > before:
            self._add_events(batch.said)
        return changed

    def _add_events(self, bodies: Sequence[str]) -> None:
        self.lines.add(bodies)
        self.sites.add(bodies)
