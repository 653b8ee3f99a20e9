"""What the aggregator folds of the postings: the curves, the lines behind them and the sites, of one position."""

from collections.abc import Iterable, Sequence

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.lines.book import LineBook
from services.aggregator.fold.sites import SiteBook
from services.aggregator.kernels.arrays import Index
from shared.wire.postings import PostingBatch


class FoldState:
    """The fold of all postings up to a position: a function of the log, whatever the order or the batches."""

    def __init__(self, curves: Curves, lines: LineBook | None = None, sites: SiteBook | None = None) -> None:
        self.curves = curves
        self.lines = LineBook() if lines is None else lines
        self.sites = SiteBook() if sites is None else sites

    @classmethod
    def of(cls, curves: Curves, said: Iterable[Sequence[str]]) -> "FoldState":
        """Return the state of some curves and of what was said beside them, in batches."""
        state = cls(curves)
        for bodies in said:
            state._hear(bodies)
        return state

    def add(self, batch: PostingBatch) -> Index:
        """Return the keys that a batch changed, sorted; none if it was added before. Raise `Gap` if one is missing."""
        before = self.curves.position
        changed = self.curves.add(batch)
        if self.curves.position > before:
            self._hear(batch.said)
        return changed

    def _hear(self, said: Sequence[str]) -> None:
        self.lines.add(said)
        self.sites.add(said)
