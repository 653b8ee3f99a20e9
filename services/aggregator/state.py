"""What the aggregator folds of the postings: the curves, of one position."""

from services.aggregator.curves import Curves
from services.aggregator.kernels import Index
from shared.postings import PostingBatch


class State:
    """The fold of all postings up to a position: a function of the log, whatever the order or the batches."""

    def __init__(self, curves: Curves) -> None:
        self.curves = curves

    def add(self, batch: PostingBatch) -> Index:
        """Return the keys that a batch changed, sorted; none if it was added before. Raise `Gap` if one is missing."""
        return self.curves.add(batch)
