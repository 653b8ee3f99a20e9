"""Sums that the fold keeps up to date batch by batch, because a query would take too long to add them up."""

from typing import NamedTuple

import numpy as np

from services.aggregator.fold.growing_table import with_room
from services.aggregator.fold.series import SLOTS, Grouping, SeriesIndex
from services.aggregator.kernels import curves as kernels
from services.aggregator.kernels.arrays import Index, Wafers
from shared.wire.postings import MOVEMENTS, Measure

_SHIFT_MAX = 8  # days that a window of plans is moved on; beyond that it is summed anew


class PlanWindow(NamedTuple):
    """The sum of each series of plans over a window of rows."""

    since: int  # the row after which it begins
    until: int  # the row that it ends on
    sums: Wafers  # [series]

    def is_near(self, since: int, until: int) -> bool:
        """Return whether another window is at or some days after this one."""
        return 0 <= since - self.since <= _SHIFT_MAX and 0 <= until - self.until <= _SHIFT_MAX


class PlanWindows:
    """The sum of each series of plans over some windows, by the window's days."""

    def __init__(self) -> None:
        self._windows: dict[int, PlanWindow] = {}

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays, room that is not in use included."""
        return sum(window.sums.nbytes for window in self._windows.values())

    def add(self, series: Index, slot: Index, row: Index, wafers: Wafers) -> None:
        """Add the plans among some postings to the windows that their days lie in."""
        for since, until, sums in self._windows.values():
            kernels.add_within(sums, len(MOVEMENTS), series, slot, row, wafers, since, until)

    def grow(self, count: int) -> None:
        """Make room for a number of series."""
        for days, window in self._windows.items():
            self._windows[days] = window._replace(sums=with_room(window.sums, count))

    def precompute(self, days: int, since: int, until: int, plans: Wafers, blocks: Wafers, count: int) -> None:
        """Sum the plans over the rows (since, until], a window of days.

        Queries may read in another thread meanwhile: the new sums are made beside those that they read.
        """
        before = self.near(days, since, until)
        if before is not None:
            sums = before.sums.copy()
            kernels.shift_window(sums, plans, count, before.since, before.until, since, until)
        else:
            sums, each = np.zeros(plans.shape[0], dtype=np.int64), np.arange(count)
            kernels.sum_plans(sums[np.newaxis], plans, blocks, each, each * 0, each, since, until)
        self._windows[days] = PlanWindow(since, until, sums)

    def near(self, days: int, since: int, until: int) -> PlanWindow | None:
        """Return the window of so many days if (since, until] is at it or some days after it."""
        window = self._windows.get(days)
        return window if window is not None and window.is_near(since, until) else None


class DailyReceipts:
    """The wafers received on each day, by supplier and product; summed at the first query, then kept up to date."""

    def __init__(self) -> None:
        self._received: tuple[Grouping, Wafers] | None = None  # by supplier and product; wafers, `[group, row]`

    def add(self, keys: int, key: Index, slot: Index, row: Index, wafers: Wafers) -> None:
        """Add the receipts among some postings; drop the sums if one of the `keys` is not in them."""
        if self._received is None:
            return
        pairs, daily = self._received
        if pairs.of_key.size < keys:
            self._received = None
            return
        receipts = np.flatnonzero(slot == SLOTS[Measure.RECEIVED])
        np.add.at(daily, (pairs.of_key[key[receipts]], row[receipts]), wafers[receipts])

    def of_supplier(
        self, supplier: str, index: SeriesIndex, cumulative: Wafers, last_row: int, rows: int
    ) -> dict[str, Wafers]:
        """Return the wafers received of a supplier up to and on each day, `[row]`, by product."""
        if self._received is None:
            pairs = index.group(("supplier", "product"))
            received = np.zeros((len(pairs.labels), rows), dtype=np.int64)
            series, _, group = index.choose(pairs, (Measure.RECEIVED,))
            sign = np.ones(series.size, dtype=np.int64)
            kernels.sum_movement_curves(received, cumulative, 0, last_row, series, sign, group)
            self._received = pairs, np.diff(received, axis=1, prepend=0)
        pairs, daily = self._received
        return {label[1]: daily[n].cumsum() for n, label in enumerate(pairs.labels) if label[0] == supplier}
