"""W1 with numbagg: days by numpy's `bincount`, windows by its compiled `move_sum`."""

import numbagg

from bench.peers.numpy import Bins, roll_by_key
from bench.workloads import Events, History


class Moved:
    """W1."""

    def __init__(self, events: Events) -> None:
        """Make the columns that are written over."""
        self.bins = Bins(events, by_day=False)

    def run(self) -> History:
        """Return the history, by key."""
        return roll_by_key(self.bins.sum(), lambda daily, w: numbagg.move_sum(daily, window=w, min_count=1))

    @staticmethod
    def answer(result: History) -> History:
        """Return it as it is."""
        return result
