"""What the aggregator folds of the postings: the curves, and the lines behind them, of one position."""

from services.aggregator.curves import Curves
from services.aggregator.kernels import Index
from services.aggregator.lines import Lines
from shared.postings import PostingBatch


class State:
    """The fold of all postings up to a position: a function of the log, whatever the order or the batches."""

    def __init__(self, curves: Curves, lines: Lines | None = None) -> None:
        self.curves = curves
        self.lines = Lines() if lines is None else lines

    def add(self, batch: PostingBatch) -> Index:
        """Return the keys that a batch changed, sorted; none if it was added before. Raise `Gap` if one is missing."""
        before = self.curves.position
        changed = self.curves.add(batch)
        if self.curves.position > before:
            self.lines.add(batch.said)
        return changed
