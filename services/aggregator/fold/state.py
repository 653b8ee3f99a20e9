"""What the aggregator folds of the postings: the curves, the lines behind them and the sites, of one position."""

from collections.abc import Iterable, Sequence

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.lines import Lines
from services.aggregator.fold.sites import Sites
from services.aggregator.kernels.curves import Index
from shared.wire.postings import PostingBatch


class State:
    """The fold of all postings up to a position: a function of the log, whatever the order or the batches."""

    def __init__(self, curves: Curves, lines: Lines | None = None, sites: Sites | None = None) -> None:
        self.curves = curves
        self.lines = Lines() if lines is None else lines
        self.sites = Sites() if sites is None else sites

    @classmethod
    def of(cls, curves: Curves, said: Iterable[Sequence[str]]) -> "State":
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
