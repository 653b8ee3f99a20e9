"""W1 with bottleneck: days by numpy's `bincount`, windows by `move_sum`."""

import bottleneck

from bench.peers.numpy import Bins, roll_by_key
from bench.workloads import Events, History


class Moved:
    """W1."""

    def __init__(self, events: Events) -> None:
        """Make the columns that are written over."""
        self.bins = Bins(events, by_day=False)

    def run(self) -> History:
        """Return the history, by key."""
        return roll_by_key(self.bins.sum(), lambda daily, w: bottleneck.move_sum(daily, w, min_count=1))

    @staticmethod
    def answer(result: History) -> History:
        """Return it as it is."""
        return result
