"""The curves: the wafers that every key has moved and planned on each day, folded from the ledger's postings."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Self, Unpack

import numpy as np

from services.aggregator.fold.columns import WAFERS_MAX, Columns, FoldPosition, Setback, last_complete_day, next_setback
from services.aggregator.fold.growing_table import GrowingTable, grown_room, with_room
from services.aggregator.fold.running_sums import DailyReceipts, PlanWindows
from services.aggregator.fold.series import ON_HAND_SIGNS, SLOTS, Grouping, Only, SeriesIndex
from services.aggregator.fold.state_hash import hash_state, packed_series
from services.aggregator.fold.windows import DEMAND, SUPPLY, LiveWindows
from services.aggregator.kernels import curves as kernels
from services.aggregator.kernels.arrays import Index, Wafers
from services.aggregator.terms import Part
from shared.wire.days import date_of, day_number
from shared.wire.postings import MOVEMENTS, PostingBatch

WAFERS_SUM_MAX = 2**60  # of all postings, signs left out: so no sum of sums can leave int64
PRECOMPUTED_WINDOWS = (90, 365)  # days: shorter windows are summed as quickly as they are looked up

_SLOT_OF = np.full(64, -1, dtype=np.int64)
_SLOT_OF[list(SLOTS)] = list(SLOTS.values())
_SIDE_OF = np.full(len(SLOTS), -1, dtype=np.int64)  # of movements that come to hand, and of those that go from it
_SIDE_OF[: len(MOVEMENTS)] = np.select([ON_HAND_SIGNS > 0, ON_HAND_SIGNS < 0], [SUPPLY, DEMAND], -1)
_NO_KEYS = np.empty(0, dtype=np.int64)
_INITIAL_KEYS, _INITIAL_SERIES = 1_024, 4_104


class Gap(Exception):
    """A batch does not follow the one before it: a batch between them was missed."""


class Curves:
    """The fold of the ledger's postings: wafers by day, measure and key (product, site, supplier).

    Movements lie as cumulative rows by day, `cumulative[row, series]`, so a window is one subtraction; plans as daily
    differences by series, `plans[series, row]`, and as the sums of blocks of 32 days. Row 0 holds all days before the
    horizon, row H + 1 of the plans and `beyond` all days beyond its H days. `index` numbers the keys and the series.

    Memory: a series of movements takes 8 × (H + 4) bytes, one of plans 8 × (H + 9 + H / 32), 17.6 and 18.2 kB for the
    six years. A key takes 53.8 kB for the windows that end today (`LiveWindows`), 240 bytes beyond that, 32 to 128 in
    the hash table, and its names. There is room for 4,104 of each kind at first; it doubles when it is full, and for
    that moment old and new movements lie side by side. `memory_bytes` counts all room; of movements, the rows after the
    last day moved cost address space only, as does room that was never in use.
    """

    def __init__(self, horizon_start: date = date(2025, 1, 1), horizon_days: int = 2191, catalogue: str = "") -> None:
        if not 1 <= horizon_days <= 40_000:
            raise ValueError(f"horizon_days is {horizon_days}, not 1 to 40000")
        self.start = day_number(horizon_start)
        self.days = horizon_days
        self.catalogue = catalogue
        self.epoch: int | None = None
        self.position = 0
        self.head = ""
        self.postings = 0
        self.wafers_total = 0  # wafers of all postings, signs left out
        self.watermarks: dict[str, int] = {}
        self.sources: set[str] = set()
        self.setback: Setback | None = None
        self.index = SeriesIndex()
        self.cumulative: Wafers = np.zeros((self.days + 1, _INITIAL_SERIES), dtype=np.int64)  # [row, series]
        self.beyond: Wafers = np.zeros(_INITIAL_SERIES, dtype=np.int64)  # [series]
        self._plan_table = GrowingTable(_INITIAL_SERIES, self.days + 2)
        self.plans: Wafers = self._plan_table.rows()  # [series, row]
        blocks = -(-(self.days + 2) // kernels.BLOCK)
        self.blocks: Wafers = np.zeros((_INITIAL_SERIES, blocks), dtype=np.int64)  # [series, block]
        self.totals: Wafers = np.zeros(_INITIAL_SERIES, dtype=np.int64)  # [series]
        self.ends: Index = np.zeros(_INITIAL_SERIES, dtype=np.int64)  # [series]
        self._last_row: Index = np.zeros(1, dtype=np.int64)
        self.windows = LiveWindows(
            horizon_start, horizon_days, keys=_INITIAL_KEYS
        )  # of wafers that come to hand and go
        self.plan_windows = PlanWindows()
        self.receipts = DailyReceipts()
        self._hash: str | None = None
        self._empty: tuple[int, ...] | None = None

    @classmethod
    def of(cls, start: int, days: int, catalogue: str) -> Self:
        """Return empty curves of a horizon that starts on a day since 1970."""
        return cls(date_of(start), days, catalogue)

    @property
    def horizon(self) -> tuple[int, int]:
        """The horizon's first day (since 1970), and its days."""
        return self.start, self.days

    def declare(self, catalogue: str) -> None:
        """Take the digest of the declarations in force into the state hash."""
        self.catalogue, self._hash = catalogue, None

    @property
    def memory_bytes(self) -> int:
        """The bytes of all arrays, room that is not in use included."""
        arrays = (self.cumulative, self.beyond, self.plans, self.blocks, self.totals, self.ends)
        return sum(each.nbytes for each in (*arrays, self.index, self.windows, self.plan_windows))

    # ---------------------------------------------------------------- postings in

    def add(self, batch: PostingBatch) -> Index:
        """Return the keys that a batch changed, sorted; none if it was added before. Raise `Gap` if one is missing."""
        if self.epoch is not None and batch.epoch != self.epoch:
            raise Gap(f"batch {batch.batch} is of epoch {batch.epoch}, not {self.epoch}")
        if batch.batch <= self.position:
            return _NO_KEYS
        if batch.previous != self.position:
            raise Gap(f"batch {batch.batch} follows {batch.previous}, not {self.position}")
        columns = Columns.of(batch)
        key, series, slot, row = self._number(columns, self.index.number_names(columns.names))
        count, movements, last_row = self.index.movement_key.size, len(MOVEMENTS), self._last_row
        wafers, hand = columns.wafers, np.flatnonzero(_SIDE_OF[slot] >= 0)
        self.windows.add(columns.days[hand], key[hand], _SIDE_OF[slot[hand]], wafers[hand])
        kernels.add_movements(self.cumulative, self.beyond, last_row, count, movements, series, slot, row, wafers)
        kernels.add_plans(self.plans, self.blocks, self.totals, self.ends, movements, series, slot, row, wafers)
        self.receipts.add(len(self.keys), key, slot, row, wafers)
        self.plan_windows.add(series, slot, row, wafers)
        self._advance_windows()
        self._advance(
            FoldPosition(batch.epoch, batch.batch, batch.head, batch.watermarks, batch.sources, restated=batch.restated)
        )
        return np.unique(key)

    def load(self, pages: Iterable[Columns], position: FoldPosition, *, cell_max: int = WAFERS_MAX) -> None:
        """Fold all postings up to a position at once, as `add` would batch by batch; nothing was folded before.

        A row may also be the sum of many postings: `cell_max` says how many wafers it holds at most, either way. Raises
        ValueError as `add` does; the curves are of no use then.
        """
        if self.position or self.postings:
            raise ValueError(f"there is a state already, of position {self.position}: load into another")
        for page in pages:
            number = self.index.number_names(page.names)
            for part in page.parts(cell_max):
                _, series, slot, row = self._number(part, number)
                kernels.scatter_movements(
                    self.cumulative, self.beyond, self._last_row, len(MOVEMENTS), series, slot, row, part.wafers
                )
                kernels.add_plans(
                    self.plans, self.blocks, self.totals, self.ends, len(MOVEMENTS), series, slot, row, part.wafers
                )
        kernels.accumulate(self.cumulative, self.last_row, self.index.movement_key.size)
        self._fill_windows()
        self._advance(position)
        if position.postings is not None and position.wafers_total is not None:
            self.postings, self.wafers_total = position.postings, position.wafers_total

    def _fill_windows(self) -> None:
        """Fill the windows that end today from the curves, day by day."""
        side_of = _SIDE_OF[self.index.movement_slot]
        series = np.flatnonzero(side_of >= 0)
        key, side = self.index.movement_key[series], side_of[series]
        before = np.zeros(series.size, dtype=np.int64)
        for row in range(self.last_row + 1):
            moved = self.cumulative[row, series]
            filled = np.flatnonzero(moved != before)
            day = np.full(filled.size, self.start - 1 + row)
            self.windows.add(day, key[filled], side[filled], moved[filled] - before[filled])
            before = moved
        self._advance_windows()

    def _advance_windows(self) -> None:
        """Have the windows end on the last day of any movement, which a snapshot brings back with the curves."""
        if self.last_day > self.windows.today:
            nothing = np.zeros(1, dtype=np.int64)
            self.windows.add(nothing + self.last_day, nothing, nothing, nothing)

    def _number(self, columns: Columns, number: Index) -> tuple[Index, Index, Index, Index]:
        """Return key, series, slot and row of checked postings, counted; raise ValueError where sums grow too large."""
        total = self.wafers_total + int(np.abs(columns.wafers).sum())
        if total > WAFERS_SUM_MAX:
            rows = columns.wafers.size
            raise ValueError(f"wafers[0..{rows - 1}] bring the sum of all postings to {total}, beyond {WAFERS_SUM_MAX}")
        self.wafers_total = total
        self.postings += columns.wafers.size
        key = self.index.number_keys(number[columns.products], number[columns.sites], number[columns.suppliers])
        slot = _SLOT_OF[columns.measures]
        series = self.index.number_series(key, slot)
        self._make_room()
        return key, series, slot, self.rows_of(columns.days)

    def _advance(self, to: FoldPosition) -> None:
        before = self.complete_through
        for source, day in to.watermarks.items():
            self.watermarks[source] = max(day, self.watermarks.get(source, day))
        for source, restated in to.restated.items():
            if restated is None:
                self.watermarks.pop(source, None)
            else:
                self.watermarks[source] = restated
        self.sources.update(to.sources, to.watermarks)
        self.setback = to.setback or next_setback(self.setback, self.position, before, self.complete_through)
        self.epoch, self.position, self.head = to.epoch, to.position, to.head
        self._hash = self._empty = None

    def _make_room(self) -> None:
        """Make room for the series there are: only filled rows of movements are copied."""
        room, movements, plans = self.beyond.size, self.index.movement_key.size, self.index.plan_key.size
        if movements > room:
            filled = self.last_row + 1
            self.beyond = with_room(self.beyond, movements)
            cumulative = np.zeros((self.days + 1, self.beyond.size), dtype=np.int64)
            cumulative[:filled, :room] = self.cumulative[:filled]
            self.cumulative = cumulative
        if plans > self.plans.shape[0]:
            rows = grown_room(self.plans.shape[0], plans)
            del self.plans
            self._plan_table.grow(rows)
            self.plans = self._plan_table.rows()
            self.blocks, self.totals, self.ends = (
                with_room(each, plans) for each in (self.blocks, self.totals, self.ends)
            )
            self.plan_windows.grow(plans)

    # ---------------------------------------------------------------- keys, days and rows

    @property
    def keys(self) -> list[tuple[str, str, str]]:
        """Product, site and supplier of each key."""
        return self.index.keys

    def group(self, by: Sequence[Part] = (), **only: Unpack[Only]) -> Grouping:
        """Return the groups that some parts of the key make, of the keys that have the values of `only`; sorted.

        A key with cells of zero alone is in no group: its postings may have cancelled out within one batch, which
        publishes nothing of it, or in another order in two.
        """
        return self.index.group(by, self.empty_keys(), **only)

    def names(self, part: Part) -> set[str]:
        """Return the names that a part of the key has."""
        return {name for (name,) in self.group((part,)).labels}

    def empty_keys(self) -> tuple[int, ...]:
        """Return the keys with cells of zero alone; kept until the next batch."""
        if self._empty is None:
            index, last_row = self.index, self.last_row
            moved = self.cumulative[last_row, : index.movement_key.size] + self.beyond[: index.movement_key.size]
            filled = np.zeros(len(self.keys), dtype=np.bool_)
            filled[index.movement_key[moved != 0]] = True
            filled[index.plan_key[self.totals[: index.plan_key.size] != 0]] = True
            self._empty = tuple(key for key in np.flatnonzero(~filled).tolist() if self._is_empty(key))
        return self._empty

    def _is_empty(self, key: int) -> bool:
        """Whether all cells of a key are zero; its sums may be zero where its cells are not."""
        moves, plans = np.split(self.index.numbers[key], [len(MOVEMENTS)])
        moves, plans = moves[moves >= 0], plans[plans >= 0]
        return not (
            self.cumulative[: self.last_row + 1, moves].any() or self.beyond[moves].any() or self.plans[plans].any()
        )

    def rows_of(self, days: Index) -> Index:
        """Return the rows of days since 1970: 0 before the horizon, one after its last beyond it."""
        return np.minimum(np.maximum(days - (self.start - 1), 0), self.days + 1)

    def row_of(self, day: int) -> int:
        """Return the row of one day since 1970, as `rows_of` does."""
        return min(max(day - self.start + 1, 0), self.days + 1)

    def window_rows(self, day: int, days: int) -> tuple[int, int]:
        """Return the row after which a window of days begins, and the row of the day that it ends on."""
        return self.row_of(day - days), min(self.row_of(day), self.days)

    @property
    def last_row(self) -> int:
        """The last row that movements fill; the rows after it are not written yet."""
        return int(self._last_row[0])

    @property
    def last_day(self) -> int:
        """The last day of the horizon (since 1970) that a movement was posted for; the day before it if none was."""
        return self.start - 1 + self.last_row

    @property
    def complete_through(self) -> int | None:
        """The least watermark (a day since 1970) of the sources that have one; None while none has.

        A source that has ended holds it back no longer; once all have, it is the last day of all.
        """
        return last_complete_day(self.watermarks)

    @property
    def today(self) -> int | None:
        """The day after the last complete one."""
        return None if self.complete_through is None else self.complete_through + 1

    # ---------------------------------------------------------------- derived state

    def precompute_windows(self) -> None:
        """Precompute the 90- and 365-day sums of plans ending at `complete_through`, so queries need no scan.

        The fold then keeps them up to date. It must not run meanwhile; queries may.
        """
        if self.complete_through is None:
            return
        for days in PRECOMPUTED_WINDOWS:
            since, until = self.window_rows(self.complete_through, days)
            self.plan_windows.precompute(days, since, until, self.plans, self.blocks, self.index.plan_key.size)

    def cells(self) -> tuple[Index, Index, Wafers]:
        """Return how many cells each series has, plans after movements; and of each cell, by series, row and wafers."""
        filled = self._count_cells()
        ends = 2 * filled.cumsum()
        packed = np.empty(ends[-1] if ends.size else 0, dtype=np.int64)
        self._pack_cells(packed, ends - 2 * filled, np.arange(filled.size), 0)
        return filled, packed[0::2], packed[1::2]

    def state_hash(self) -> str:
        """Return the SHA-256 of all that was folded, see `hash_state`; kept until the next batch."""
        if self._hash is None:
            series = packed_series(*self.index.by_name(), self._count_cells(), self._pack_days)
            self._hash = hash_state(self.catalogue, self.horizon, self.sources, self.watermarks, series)
        return self._hash

    def _count_cells(self) -> Index:
        """Return how many cells each series has that are not zero, movements first."""
        movements = self.index.movement_key.size
        filled = np.empty(movements + self.index.plan_key.size, dtype=np.int64)
        kernels.count_moved_days(filled[:movements], self.cumulative, self.beyond, self.last_row)
        kernels.count_planned_days(filled[movements:], self.plans)
        return filled

    def _pack_days(self, packed: Wafers, place: Index, series: Index) -> None:
        self._pack_cells(packed, place, series, self.start - 1)

    def _pack_cells(self, packed: Wafers, place: Index, series: Index, day: int) -> None:
        """Write the cells of some series, plans numbered after movements, each from its place; row 0 is of a day."""
        movements = self.index.movement_key.size
        moves, plans = series < movements, series >= movements
        last_row = self.last_row
        kernels.pack_moved_days(packed, place[moves], self.cumulative, self.beyond, last_row, series[moves], day)
        kernels.pack_planned_days(packed, place[plans], self.plans, series[plans] - movements, day)


def excerpt(curves: Curves, keys: Sequence[int]) -> Curves:
    """Return curves of their own that hold some keys as they stand: a batch added to them is not added to these.

    They are for the plan: they have none of the windows that end today.
    """
    part, chosen = Curves.of(curves.start, curves.days, curves.catalogue), np.array(keys, dtype=np.int64)
    names = [curves.keys[key] for key in keys]
    number = part.index.number_names(list(dict.fromkeys(name for key in names for name in key)))
    of_name = dict(zip(part.index.names(), number.tolist(), strict=True))
    parts = np.array([[of_name[name] for name in key] for key in names], dtype=np.int64).reshape(-1, 3)
    part.index.number_keys(*parts.T)
    row, slot = np.nonzero(curves.index.numbers[chosen] >= 0)
    part.index.number_series(row, slot)
    part._make_room()
    index, last_row = part.index, curves.last_row
    moves = curves.index.numbers[chosen[index.movement_key], index.movement_slot]
    plans = curves.index.numbers[chosen[index.plan_key], index.plan_slot]
    part.cumulative[: last_row + 1, : moves.size] = curves.cumulative[: last_row + 1, moves]
    part.beyond[: moves.size] = curves.beyond[moves]
    for own, whole in (
        (part.plans, curves.plans), (part.blocks, curves.blocks), (part.totals, curves.totals), (part.ends, curves.ends)
    ):  # fmt: skip
        own[: plans.size] = whole[plans]
    part._last_row[0] = last_row
    part.epoch, part.position, part.head, part.setback = curves.epoch, curves.position, curves.head, curves.setback
    part.watermarks, part.sources = dict(curves.watermarks), set(curves.sources)
    return part
