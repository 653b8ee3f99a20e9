"""The curves: what every key has moved and planned on each day, and the balances read off them."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import partial
from hashlib import sha256
from itertools import starmap
from typing import Any, NamedTuple, Self, TypedDict, Unpack, cast

import numpy as np

from services.aggregator.fold.columns import WAFERS_MAX, Columns, FoldPosition
from services.aggregator.fold.growing_table import GrowingTable
from services.aggregator.fold.windows import DEMAND, SUPPLY, LiveWindows
from services.aggregator.kernels import curves as kernels
from services.aggregator.kernels.curves import Index, Wafers
from services.aggregator.terms import PARTS, Basis, Part
from shared.wire.days import date_of, day_number
from shared.wire.events import FIRMNESS, Firmness
from shared.wire.postings import MOVEMENTS, PLANS, STAGES, BalanceBatch, Measure, PostingBatch

WAFERS_SUM_MAX = 2**60  # of all postings, signs left out: so no sum of sums can leave int64
NAMES_MAX = 2**20  # three of them make one integer

SLOTS = {measure: slot for slot, measure in enumerate(MOVEMENTS + PLANS)}
COMMITTED = (
    Measure.COMMITTED_PLANNED, Measure.COMMITTED_MATERIAL, Measure.COMMITTED_MANUFACTURING, Measure.COMMITTED_FIRM,
    Measure.COMMITTED_IMMEDIATE,
)  # fmt: skip
OPEN = (
    Measure.OPEN_PLANNED, Measure.OPEN_MATERIAL, Measure.OPEN_MANUFACTURING, Measure.OPEN_FIRM,
    Measure.OPEN_IMMEDIATE,
)  # fmt: skip
_SLOT_OF = np.full(64, -1, dtype=np.int64)
_SLOT_OF[list(SLOTS)] = list(SLOTS.values())
_HELD = ("wip", "finished", "transit", "on_hand")
_SIGNS = np.array([[(into == stage) - (out == stage) for out, into in STAGES.values()] for stage in _HELD])
_ON_HAND = _SIGNS[_HELD.index("on_hand")]
_SIDE_OF = np.full(len(SLOTS), -1, dtype=np.int64)  # of what comes to hand, and of what goes from it
_SIDE_OF[: len(MOVEMENTS)] = np.select([_ON_HAND > 0, _ON_HAND < 0], [SUPPLY, DEMAND], -1)
_NO_KEYS = np.empty(0, dtype=np.int64)
_OPEN_SLOTS = [SLOTS[measure] for measure in OPEN]
_KEYS_AT_FIRST, _SERIES_AT_FIRST = 1_024, 4_104
_GROUPINGS_MAX = 64  # kept at once
KEPT_WINDOWS = (90, 365)  # days: sums over less are as quick as looking them up
_MOVED_ON_MAX = 8  # days that a window of plans is moved on; beyond that it is summed anew
_PACKED_AT_ONCE = 2**21  # numbers that are hashed at once, unless one series has more


class Gap(Exception):
    """A batch does not follow the one before it: something between them was missed."""


class Only(TypedDict, total=False):
    """The values that a key must have to be counted."""

    product: str
    site: str
    supplier: str


class Grouping(NamedTuple):
    """Which group each key is summed into; it is shared between those who ask, and never changed."""

    labels: list[tuple[str, ...]]  # [group] the key parts asked for
    of_key: Index  # [key] group, -1 for keys left out


class Stages(NamedTuple):
    """Wafers in each stage, for each key or group asked for."""

    wip: Wafers
    finished: Wafers
    in_transit: Wafers
    on_hand: Wafers
    open_commit: Wafers  # [grade, key or group]


class Within(NamedTuple):
    """What each series of plans comes to in a window of rows."""

    since: int  # the row after which it begins
    until: int  # the row that it ends on
    sums: Wafers  # [series]

    def is_near(self, since: int, until: int) -> bool:
        """Return whether another window is at or some days after this one."""
        return 0 <= since - self.since <= _MOVED_ON_MAX and 0 <= until - self.until <= _MOVED_ON_MAX


class BalanceRow(NamedTuple):
    """The rolling balance of one group over a window."""

    group: tuple[str, ...]
    supply: int
    demand: int
    net: int


class Curves:
    """The fold of the ledger's postings: wafers by day, measure and key (product, site, supplier).

    A *series* is one measure of one key. It gets the next number when it first occurs, movements and plans apart.
    Movements lie as cumulative rows by day, `cumulative[row, series]`, so a window is one subtraction; plans as daily
    differences by series, `plans[series, row]`, and as the sums of blocks of 32 days. Row 0 holds what lies
    before the horizon, row H + 1 of the plans and `beyond` what lies beyond its H days. `series[key, slot]` is the
    number of a series, -1 where there is none.

    Memory: a series of movements takes 8 × (H + 4) bytes, one of plans 8 × (H + 9 + H / 32), 17.6 and 18.2 kB for the
    six years. A key takes 53.8 kB for the windows that end today (`LiveWindows`), 240 bytes beyond that, 32 to 128 in
    the hash table, and its names. There is room for 4,104 of each kind at first; it doubles when it is full, and for
    that moment old and new movements lie side by side. `memory_bytes` counts all room; of movements, the rows after the
    last day moved cost address space only, as does what was never in use.
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
        self.watermarks: dict[str, int] = {}
        self.sources: set[str] = set()
        self.keys: list[tuple[str, str, str]] = []  # [key] product, site, supplier
        self.series: Index = np.full((_KEYS_AT_FIRST, len(SLOTS)), -1, dtype=np.int64)  # [key, slot], room included
        self.movement_key = self.movement_slot = _NO_KEYS  # [series of movements]
        self.plan_key = self.plan_slot = _NO_KEYS  # [series of plans]
        self.cumulative: Wafers = np.zeros((self.days + 1, _SERIES_AT_FIRST), dtype=np.int64)  # [row, series]
        self.beyond: Wafers = np.zeros(_SERIES_AT_FIRST, dtype=np.int64)  # [series]
        self._room_of_plans = GrowingTable(_SERIES_AT_FIRST, self.days + 2)
        self.plans: Wafers = self._room_of_plans.table()  # [series, row]
        blocks = -(-(self.days + 2) // kernels.BLOCK)
        self.blocks: Wafers = np.zeros((_SERIES_AT_FIRST, blocks), dtype=np.int64)  # [series, block]
        self.totals: Wafers = np.zeros(_SERIES_AT_FIRST, dtype=np.int64)  # [series]
        self.ends: Index = np.zeros(_SERIES_AT_FIRST, dtype=np.int64)  # [series]
        self.last_filled: Index = np.zeros(1, dtype=np.int64)  # the last row that movements fill
        self.windows = LiveWindows(horizon_start, horizon_days, keys=_KEYS_AT_FIRST)  # of what comes to hand and goes
        self.wafers_total = 0  # wafers of all postings, signs left out
        self._names: dict[str, int] = {}
        self._place_code = np.full(4 * _KEYS_AT_FIRST, -1, dtype=np.int64)  # three name numbers in one; see the kernel
        self._place_key = np.zeros(4 * _KEYS_AT_FIRST, dtype=np.int64)
        self._groupings: dict[tuple[tuple[Part, ...], tuple[tuple[str, str], ...]], Grouping] = {}
        self._order: tuple[Index, list[bytes]] | None = None  # of the series, by name
        self._received: tuple[Grouping, Wafers] | None = None  # by supplier and product; wafers, `[group, row]`
        self._within: dict[int, Within] = {}  # by days
        self._hash: str | None = None

    @classmethod
    def of(cls, start: int, days: int, catalogue: str) -> Self:
        """Return empty curves of a horizon that starts on a day since 1970."""
        return cls(date_of(start), days, catalogue)

    @property
    def memory_bytes(self) -> int:
        """The bytes of all arrays, room that is not in use included."""
        state = (self.cumulative, self.beyond, self.plans, self.blocks, self.totals, self.ends)
        index = (self.series, self.movement_key, self.movement_slot, self.plan_key, self.plan_slot)
        kept = [within.sums for within in self._within.values()]
        places = (self._place_code, self._place_key)
        return self.windows.nbytes + sum(array.nbytes for array in (*state, *index, *places, *kept))

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
        key, series, slot, row = self._enter(columns, self._number(columns.names))
        count, movements = self.movement_key.size, len(MOVEMENTS)
        wafers, hand = columns.wafers, np.flatnonzero(_SIDE_OF[slot] >= 0)
        self.windows.add(columns.days[hand], key[hand], _SIDE_OF[slot[hand]], wafers[hand])
        kernels.add_movements(
            self.cumulative, self.beyond, self.last_filled, count, movements, series, slot, row, wafers
        )
        kernels.add_plans(self.plans, self.blocks, self.totals, self.ends, movements, series, slot, row, wafers)
        self._receive(key, slot, row, wafers)
        for since, until, sums in self._within.values():
            kernels.add_within(sums, movements, series, slot, row, wafers, since, until)
        self._advance_windows()
        self._stand(FoldPosition(batch.epoch, batch.batch, batch.head, batch.watermarks, batch.sources))
        return np.unique(key)

    def load(self, pages: Iterable[Columns], standing: FoldPosition, *, cell_max: int = WAFERS_MAX) -> None:
        """Fold all postings up to a position at once, as `add` would batch by batch; nothing was folded before.

        A row may also be the sum of many postings: `cell_max` says how many wafers it holds at most, either way. Raises
        ValueError as `add` does; what was loaded by then is of no use.
        """
        if self.position or self.postings:
            raise ValueError(f"there is a state already, of position {self.position}: load into another")
        for page in pages:
            number = self._number(page.names)
            for part in page.parts(cell_max):
                _, series, slot, row = self._enter(part, number)
                kernels.scatter_movements(
                    self.cumulative, self.beyond, self.last_filled, len(MOVEMENTS), series, slot, row, part.wafers
                )
                kernels.add_plans(
                    self.plans, self.blocks, self.totals, self.ends, len(MOVEMENTS), series, slot, row, part.wafers
                )
        kernels.accumulate(self.cumulative, int(self.last_filled[0]), self.movement_key.size)
        self._roll_windows()
        self._stand(standing)
        if standing.postings is not None and standing.wafers_total is not None:
            self.postings, self.wafers_total = standing.postings, standing.wafers_total

    def _roll_windows(self) -> None:
        """Fill the windows from the curves, day by day."""
        series = np.flatnonzero(_SIDE_OF[self.movement_slot] >= 0)
        key, side = self.movement_key[series], _SIDE_OF[self.movement_slot[series]]
        before = np.zeros(series.size, dtype=np.int64)
        for row in range(int(self.last_filled[0]) + 1):
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

    def _enter(self, columns: Columns, number: Index) -> tuple[Index, Index, Index, Index]:
        """Return key, series, slot and row of checked postings, counted; raise ValueError where sums grow wild."""
        said = self.wafers_total + int(np.abs(columns.wafers).sum())
        if said > WAFERS_SUM_MAX:
            rows = columns.wafers.size
            raise ValueError(f"wafers[0..{rows - 1}] bring the sum of all postings to {said}, beyond {WAFERS_SUM_MAX}")
        self.wafers_total = said
        self.postings += columns.wafers.size
        key = self._intern(number[columns.products], number[columns.sites], number[columns.suppliers])
        slot = _SLOT_OF[columns.measures]
        return key, self._intern_series(key, slot), slot, self.row(columns.days)

    def _stand(self, standing: FoldPosition) -> None:
        for source, day in standing.watermarks.items():
            self.watermarks[source] = max(day, self.watermarks.get(source, day))
        self.sources.update(standing.sources, standing.watermarks)
        self.epoch, self.position, self.head = standing.epoch, standing.position, standing.head
        self._hash = None

    def row(self, days: Index) -> Index:
        """Return the rows of days since 1970: 0 before the horizon, one after its last beyond it."""
        return np.minimum(np.maximum(days - (self.start - 1), 0), self.days + 1)

    def _row(self, day: int) -> int:
        return min(max(day - self.start + 1, 0), self.days + 1)

    def _number(self, names: Sequence[str]) -> Index:
        """Return the number of each name; raise ValueError where there are too many."""
        if len(self._names) + len(names) > NAMES_MAX and len(self._names.keys() | set(names)) > NAMES_MAX:
            raise ValueError(f"names bring more than {NAMES_MAX} different ones")
        return np.array([self._names.setdefault(name, len(self._names)) for name in names], dtype=np.int64)

    def _intern(self, products: Index, sites: Index, suppliers: Index) -> Index:
        """Return the key of each posting by the numbers of its names; make room for the new ones."""
        code = (products << 20 | sites) << 20 | suppliers
        key, fresh = np.empty_like(code), np.empty_like(code)
        keys_max = len(self.keys) + code.size
        if 2 * keys_max > self._place_code.size:
            self._make_places(1 << (2 * keys_max).bit_length())
        new = kernels.intern(self._place_code, self._place_key, len(self.keys), code, key, fresh)
        if new:
            names, first = list(self._names), fresh[:new]
            parts = (products[first].tolist(), sites[first].tolist(), suppliers[first].tolist())
            self.keys += ((names[p], names[s], names[u]) for p, s, u in zip(*parts, strict=True))
            self.series = _with_room(self.series, len(self.keys), -1)
            self._groupings.clear()
        return key

    def _intern_series(self, key: Index, slot: Index) -> Index:
        """Return the series of each posting; make room for the new ones."""
        series = self.series[key, slot]
        unknown = series < 0
        if not unknown.any():
            return series
        new_key, new_slot = np.divmod(np.unique(key[unknown] * len(SLOTS) + slot[unknown]), len(SLOTS))
        moves = new_slot < len(MOVEMENTS)
        for kind, known in ((moves, self.movement_key.size), (~moves, self.plan_key.size)):
            self.series[new_key[kind], new_slot[kind]] = np.arange(known, known + np.count_nonzero(kind))
        self.movement_key = np.concatenate((self.movement_key, new_key[moves]))
        self.movement_slot = np.concatenate((self.movement_slot, new_slot[moves]))
        self.plan_key = np.concatenate((self.plan_key, new_key[~moves]))
        self.plan_slot = np.concatenate((self.plan_slot, new_slot[~moves]))
        self._make_room()
        self._order = None
        return self.series[key, slot]

    def _make_places(self, places: int) -> None:
        used = self._place_code >= 0
        code, key = self._place_code[used], self._place_key[used]
        order = key.argsort()
        self._place_code, self._place_key = np.full(places, -1, dtype=np.int64), np.zeros(places, dtype=np.int64)
        kernels.intern(self._place_code, self._place_key, 0, code[order], key, np.empty_like(key))

    def _make_room(self) -> None:
        """Make room for the series there are: only filled rows of movements are copied."""
        room, filled = self.beyond.size, int(self.last_filled[0]) + 1
        self.beyond = _with_room(self.beyond, self.movement_key.size)
        if self.beyond.size > room:
            cumulative = np.zeros((self.days + 1, self.beyond.size), dtype=np.int64)
            cumulative[:filled, :room] = self.cumulative[:filled]
            self.cumulative = cumulative
        if self.plans.shape[0] < self.plan_key.size:
            rows = _more(self.plans.shape[0], self.plan_key.size)
            del self.plans
            self._room_of_plans.grow(rows)
            self.plans = self._room_of_plans.table()
        self.blocks = _with_room(self.blocks, self.plan_key.size)
        self.totals = _with_room(self.totals, self.plan_key.size)
        self.ends = _with_room(self.ends, self.plan_key.size)
        for days, within in self._within.items():
            self._within[days] = within._replace(sums=_with_room(within.sums, self.plan_key.size))

    # ---------------------------------------------------------------- how far it is complete

    @property
    def complete_through(self) -> int | None:
        """The day (since 1970) through which every source has said all it knows; None until each has a watermark."""
        if not self.sources or len(self.watermarks) < len(self.sources):
            return None
        return min(self.watermarks.values())

    @property
    def today(self) -> int | None:
        """The day after the last complete one."""
        return None if self.complete_through is None else self.complete_through + 1

    @property
    def last_day(self) -> int:
        """The last day of the horizon (since 1970) that a movement was posted for; the day before it if none was."""
        return self.start - 1 + int(self.last_filled[0])

    # ---------------------------------------------------------------- balances out

    def group(self, by: Sequence[Part] = (), **only: Unpack[Only]) -> Grouping:
        """Return the groups that some parts of the key make, of the keys that have the values asked for; sorted."""
        asked = tuple(by), tuple(sorted(cast(dict[str, str], only).items()))
        known = self._groupings.get(asked)
        if known is not None:
            return known
        wanted = [(PARTS.index(part), value) for part, value in only.items()]
        parts = [PARTS.index(part) for part in by]
        label = [
            tuple(key[n] for n in parts) if all(key[n] == value for n, value in wanted) else None for key in self.keys
        ]
        labels = sorted({each for each in label if each is not None})
        number = {each: n for n, each in enumerate(labels)}
        of_key = [-1 if each is None else number[each] for each in label]
        if len(self._groupings) == _GROUPINGS_MAX:
            self._groupings.clear()
        self._groupings[asked] = Grouping(labels, np.array(of_key, dtype=np.int64))
        return self._groupings[asked]

    def moved(
        self, grouping: Grouping, until: int, since: int | None = None, measures: Sequence[Measure] = MOVEMENTS
    ) -> Wafers:
        """Return the wafers of some movements in the days (since, until], `[movement, group]`; `since` None: ever."""
        sums = np.zeros((len(measures), len(grouping.labels)), dtype=np.int64)
        rolled = int(self.last_filled[0])
        first = -1 if since is None else min(self._row(since), rolled)
        chosen = self.series_of(grouping, measures)
        kernels.sum_movements(sums, self.cumulative, *chosen, first, min(self._row(until), rolled))
        return sums

    def moved_beyond(self, grouping: Grouping) -> Wafers:
        """Return the wafers of each movement after the horizon, `[movement, group]`."""
        sums = np.zeros((len(MOVEMENTS), len(grouping.labels)), dtype=np.int64)
        kernels.sum_movements(sums, self.beyond[np.newaxis], *self.series_of(grouping, MOVEMENTS), -1, 0)
        return sums

    def planned(self, grouping: Grouping, measures: Sequence[Measure]) -> Wafers:
        """Return the sum of some plans as one daily curve for each group, `[group, row]`."""
        daily = np.zeros((len(grouping.labels), self.days + 2), dtype=np.int64)
        series, _, group = self.series_of(grouping, measures)
        kernels.sum_plan_curves(daily, self.plans, self.ends, series, group)
        return daily

    def received_by_day(self, supplier: str) -> dict[str, Wafers]:
        """Return the wafers received of a supplier up to and on each day, `[row]`, by product.

        They are summed once, and kept as they come: a sum over all of a supplier's keys and days takes too long to be
        waited for.
        """
        if self._received is None:
            pairs = self.group(("supplier", "product"))
            received = np.zeros((len(pairs.labels), self.days + 2), dtype=np.int64)
            series, _, group = self.series_of(pairs, (Measure.RECEIVED,))
            sign = np.ones(series.size, dtype=np.int64)
            kernels.sum_movement_curves(received, self.cumulative, 0, int(self.last_filled[0]), series, sign, group)
            self._received = pairs, np.diff(received, axis=1, prepend=0)
        pairs, daily = self._received
        return {label[1]: daily[n].cumsum() for n, label in enumerate(pairs.labels) if label[0] == supplier}

    def _receive(self, key: Index, slot: Index, row: Index, wafers: Wafers) -> None:
        """Keep up what is received by day, until there is a key that is not in it."""
        if self._received is None:
            return
        pairs, daily = self._received
        if pairs.of_key.size < len(self.keys):
            self._received = None
            return
        came = np.flatnonzero(slot == SLOTS[Measure.RECEIVED])
        np.add.at(daily, (pairs.of_key[key[came]], row[came]), wafers[came])

    def planned_by(self, grouping: Grouping, measures: Sequence[Measure], day: int) -> Wafers:
        """Return what some plans come to up to and on a day, all that lies before the horizon included, `[group]`."""
        sums = np.zeros((1, len(grouping.labels)), dtype=np.int64)
        series, _, group = self.series_of(grouping, measures)
        until = min(self._row(day), self.days)
        kernels.sum_plans(sums, self.plans, self.blocks, series, np.zeros_like(series), group, -1, until)
        summed: Wafers = sums[0]
        return summed

    def supplied(self, grouping: Grouping, since: int) -> Wafers:
        """Return what ever came to hand up to and on each day from `since`, consumed or not, `[group, row]`."""
        brought = np.zeros((len(grouping.labels), self.days + 2), dtype=np.int64)
        measures = [each for each in MOVEMENTS if _ON_HAND[SLOTS[each]] and each != Measure.CONSUMED]
        series, place, group = self.series_of(grouping, measures)
        of_place = _ON_HAND[[SLOTS[each] for each in measures]]
        rolled = int(self.last_filled[0])
        first = min(self._row(since), rolled)
        kernels.sum_movement_curves(brought, self.cumulative, first, rolled, series, of_place[place], group)
        return brought

    def series_of(self, grouping: Grouping, measures: Sequence[Measure]) -> tuple[Index, Index, Index]:
        """Return the series of some measures that a grouping counts; the place of each in `measures`, and its group."""
        keys, slots = np.flatnonzero(grouping.of_key >= 0), np.array([SLOTS[each] for each in measures], dtype=np.int64)
        series, place, group = np.empty((3, keys.size * slots.size), dtype=np.int64)
        count = kernels.choose_series(series, place, group, self.series, keys, grouping.of_key, slots)
        return series[:count], place[:count], group[:count]

    def rolling(
        self,
        day: int,
        window_days: int,
        basis: Basis,
        by: Sequence[Part] = (),
        firmness: Firmness | None = None,
        **only: Unpack[Only],
    ) -> list[BalanceRow]:
        """Return supply, demand and net of the days (day - window_days, day] inside the horizon, for each group.

        On the basis `start` supply is started and demand is required by its start day; on `receipt` supply is received
        and demand is required by its due day. With a firmness, supply is what is committed due at that grade or above.
        """
        return self.roll(self.group(by, **only), day, window_days, basis, firmness)

    def roll(
        self, grouping: Grouping, day: int, window_days: int, basis: Basis, firmness: Firmness | None = None
    ) -> list[BalanceRow]:
        """Return what `rolling` does, of the groups of a grouping."""
        if firmness is not None and basis != "receipt":
            raise ValueError("firmness is of commits, which are due on the basis receipt: it has no basis start")
        required = Measure.REQUIRED_START if basis == "start" else Measure.REQUIRED
        measures = (required,) if firmness is None else (required, *COMMITTED[FIRMNESS.index(firmness) :])
        sums = self._sum_plans(grouping, measures, day, window_days)
        if firmness is None:
            supplied = Measure.STARTED if basis == "start" else Measure.RECEIVED
            supply = self.moved(grouping, day, day - window_days, (supplied,))[0]
        else:
            supply = sums[1:].sum(axis=0)
        net = supply - sums[0]
        columns = (grouping.labels, supply.tolist(), sums[0].tolist(), net.tolist())
        return list(starmap(BalanceRow, zip(*columns, strict=True)))

    def precompute_windows(self) -> None:
        """Have what each plan comes to in the long windows that end on the last complete day at hand.

        Whoever asks need not wait for a sum over all series and a year, then. The fold adds what is posted; it stands
        still meanwhile, and others may read: what is new is made beside what they read.
        """
        if self.complete_through is None:
            return
        count = self.plan_key.size
        for days in KEPT_WINDOWS:
            since, until = self._window(self.complete_through, days)
            before = self._within.get(days)
            if before is not None and before.is_near(since, until):
                sums = before.sums.copy()
                kernels.move_on(sums, self.plans, count, before.since, before.until, since, until)
            else:
                sums, each = np.zeros(self.totals.size, dtype=np.int64), np.arange(count)
                kernels.sum_plans(sums[np.newaxis], self.plans, self.blocks, each, each * 0, each, since, until)
            self._within[days] = Within(since, until, sums)

    def _sum_plans(self, grouping: Grouping, measures: Sequence[Measure], day: int, window_days: int) -> Wafers:
        """Return what some plans come to in the window of days that ends on a day, `[measure, group]`."""
        sums = np.zeros((len(measures), len(grouping.labels)), dtype=np.int64)
        chosen, within = self.series_of(grouping, measures), self._within.get(window_days)
        since, until = self._window(day, window_days)
        if within is None or not within.is_near(since, until):
            kernels.sum_plans(sums, self.plans, self.blocks, *chosen, since, until)
            return sums
        kernels.sum_movements(sums, within.sums[np.newaxis], *chosen, -1, 0)
        if (since, until) != (within.since, within.until):  # a day was completed since
            left = np.zeros_like(sums)
            kernels.sum_plans(sums, self.plans, self.blocks, *chosen, within.until, until)
            kernels.sum_plans(left, self.plans, self.blocks, *chosen, within.since, since)
            sums -= left
        return sums

    def _window(self, day: int, days: int) -> tuple[int, int]:
        """Return the row after which a window of days begins, and the row of the day that it ends on."""
        return self._row(day - days), min(self._row(day), self.days)

    def stages(self, grouping: Grouping, day: int | None = None) -> Stages:
        """Return the wafers in each stage at the end of a day, and the commits now open, for each group."""
        open_commit = np.zeros((len(OPEN), len(grouping.labels)), dtype=np.int64)
        series, grade, group = self.series_of(grouping, OPEN)
        kernels.sum_movements(open_commit, self.totals[np.newaxis], series, grade, group, -1, 0)
        wip, finished, in_transit, on_hand = _SIGNS @ self.moved(grouping, self.last_day if day is None else day)
        return Stages(wip, finished, in_transit, on_hand, open_commit)

    def balances(self, keys: Index, told: int | None = None) -> BalanceBatch:
        """Return what stands in each stage for some keys, all that is posted counted, to be published."""
        latest = self.cumulative[self.last_filled[0]]
        stages = _SIGNS @ _at(latest, self.series[keys, : len(MOVEMENTS)]).T
        products, sites, suppliers = zip(*(self.keys[key] for key in keys), strict=True) if keys.size else ((), (), ())
        return BalanceBatch(
            epoch=self.epoch or 0,
            position=self.position,
            day=self.complete_through,
            products=list(products),
            sites=list(sites),
            suppliers=list(suppliers),
            **dict(zip(("wip", "finished", "in_transit", "on_hand"), stages.tolist(), strict=True)),
            window_days=list(self.windows.windows),
            **self._windows_of(keys),
            open_commit=_at(self.totals, self.series[keys][:, _OPEN_SLOTS]).sum(axis=1).tolist(),
            told=told,
        )

    # ---------------------------------------------------------------- for a snapshot

    def names(self) -> list[str]:
        """Return all names, by number."""
        return list(self._names)

    def numbered_keys(self) -> list[tuple[int, ...]]:
        """Return the parts of each key as numbers of names."""
        return [tuple(map(self._names.__getitem__, key)) for key in self.keys]

    def measures(self) -> Index:
        """Return the measure of each series, plans after movements."""
        return np.array(list(SLOTS), dtype=np.int64)[np.concatenate((self.movement_slot, self.plan_slot))]

    def cells(self) -> tuple[Index, Index, Wafers]:
        """Return how many cells each series has, plans after movements; and of each cell, by series, row and wafers."""
        filled = self._filled()
        ends = 2 * filled.cumsum()
        packed = np.empty(ends[-1] if ends.size else 0, dtype=np.int64)
        self._pack(packed, ends - 2 * filled, np.arange(filled.size), 0)
        return filled, packed[0::2], packed[1::2]

    def _windows_of(self, keys: Index) -> dict[str, Any]:
        """Return the columns of what came to hand of some keys, sorted, and went from it, in the windows to today."""
        nothing = np.zeros(keys.size, dtype=np.int64)
        rolled = self.windows.add(np.full(keys.size, self.windows.today), keys, nothing, nothing)
        brought, taken, _, lowest, unmet = rolled.windows.transpose(1, 0, 2).tolist()
        return {
            "today": self.windows.today,
            "brought": brought,
            "taken": taken,
            "lowest": lowest,
            "unmet": unmet,
            "short_since": [None if day < 0 else day for day in rolled.first_short.tolist()],
            "cover_hundredths": [None if cover < 0 else cover for cover in rolled.cover.tolist()],
        }

    # ---------------------------------------------------------------- the proof

    def state_hash(self) -> str:
        """Return the SHA-256 of all that was folded: the same for any order of arrival, batching or duplication.

        A number is a little-endian int64; a text is the length of its UTF-8 as a number, then its UTF-8. The bytes are
        the texts `waferline.state.v1` and the catalogue; the horizon's first day (since 1970) and its length; the
        number of sources and each source, sorted; the number of watermarks and each source and its day, sorted; then
        for each key, sorted by product, site and supplier, for each measure, sorted by name, that has a cell other
        than zero: product, site, supplier and the measure's name as texts, the number of such cells, and of each its
        day and its wafers as numbers, by day. A cell is what a day was posted in all. All that lies before the horizon
        is the cell of the day before its first, all that lies beyond it that of the day after its last.
        """
        if self._hash is not None:
            return self._hash
        digest = sha256(_text("waferline.state.v1") + _text(self.catalogue) + _numbers(self.start, self.days))
        digest.update(_numbers(len(self.sources)) + b"".join(map(_text, sorted(self.sources))))
        digest.update(_numbers(len(self.watermarks)))
        for source, day in sorted(self.watermarks.items()):
            digest.update(_text(source) + _numbers(day))
        for named, days in self._days_by_name():
            digest.update(named)
            digest.update(days)
        self._hash = digest.hexdigest()
        return self._hash

    def _days_by_name(self) -> Iterator[tuple[bytes, memoryview]]:
        """Yield the names of each series that has a cell, sorted; and the number of its cells, then each, as bytes."""
        filled = self._filled()
        order, names = self._by_name()
        order = order[filled[order] > 0]
        ends = (2 * filled[order] + 1).cumsum()  # in numbers: a count, then pairs
        begin = 0
        while begin < order.size:
            before = int(ends[begin - 1]) if begin else 0
            end = max(begin + 1, int(ends.searchsorted(before + _PACKED_AT_ONCE, "right")))
            block, edges = order[begin:end], np.concatenate(([0], ends[begin:end] - before))
            packed = np.empty(edges[-1], dtype=np.int64)
            packed[edges[:-1]] = filled[block]
            self._pack(packed, edges[:-1] + 1, block, self.start - 1)
            told, at = packed.astype("<i8", copy=False).data, edges.tolist()
            for n, series in enumerate(block.tolist()):
                yield names[series], told[at[n] : at[n + 1]]
            begin = end

    def _filled(self) -> Index:
        """Return how many cells each series has that are not zero, movements first."""
        movements = self.movement_key.size
        filled = np.empty(movements + self.plan_key.size, dtype=np.int64)
        kernels.count_moved_days(filled[:movements], self.cumulative, self.beyond, int(self.last_filled[0]))
        kernels.count_planned_days(filled[movements:], self.plans)
        return filled

    def _pack(self, packed: Wafers, place: Index, series: Index, day: int) -> None:
        """Write the cells of some series, plans numbered after movements, each from its place; row 0 is of a day."""
        moves, plans = series < self.movement_key.size, series >= self.movement_key.size
        rolled = int(self.last_filled[0])
        kernels.pack_moved_days(packed, place[moves], self.cumulative, self.beyond, rolled, series[moves], day)
        kernels.pack_planned_days(packed, place[plans], self.plans, series[plans] - self.movement_key.size, day)

    def _by_name(self) -> tuple[Index, list[bytes]]:
        """Return the order of all series, plans numbered after movements, by their names; and each one's as bytes."""
        if self._order is None:
            key = np.concatenate((self.movement_key, self.plan_key))
            slot = np.concatenate((self.movement_slot, self.plan_slot))
            key_place, slot_place = np.empty(len(self.keys), dtype=np.int64), np.empty(len(SLOTS), dtype=np.int64)
            measures = list(SLOTS)
            key_place[sorted(range(key_place.size), key=self.keys.__getitem__)] = range(key_place.size)
            slot_place[sorted(range(slot_place.size), key=lambda each: measures[each].name)] = range(slot_place.size)
            of_key = [b"".join(map(_text, parts)) for parts in self.keys]
            of_slot = [_text(measure.name) for measure in measures]
            names = [of_key[k] + of_slot[s] for k, s in zip(key.tolist(), slot.tolist(), strict=True)]
            self._order = np.lexsort((slot_place[slot], key_place[key])), names
        return self._order


def _with_room(array: Index, count: int, empty: int = 0) -> Index:
    """Return an array with room for `count` along its first axis: itself, or one at least twice as long."""
    room = array.shape[0]
    if count <= room:
        return array
    longer = np.zeros((_more(room, count), *array.shape[1:]), dtype=np.int64)
    longer[:room] = array
    if empty != 0:  # zeros that are not written take no memory
        longer[room:] = empty
    return longer


def _more(room: int, count: int) -> int:
    # a multiple of 8 that is no power of two: rows that far apart would share the same few lines of the cache
    return max(2 * room, count) + 8 & ~7


def _at(values: Wafers, series: Index) -> Wafers:
    """Return the values of some series, zero where there is none."""
    return np.where(series >= 0, values[series], 0)


_number = partial(int.to_bytes, length=8, byteorder="little", signed=True)


def _numbers(*values: int) -> bytes:
    return b"".join(map(_number, values))


def _text(text: str) -> bytes:
    return _number(len(text.encode())) + text.encode()
