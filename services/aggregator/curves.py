"""The curves: what every key has moved and planned on each day, and the balances read off them."""

from collections.abc import Sequence
from datetime import date
from functools import partial
from hashlib import sha256
from itertools import starmap
from typing import Literal, NamedTuple, TypedDict, Unpack, get_args

import numpy as np

from services.aggregator import kernels
from services.aggregator.kernels import Index, Wafers
from shared.events import FIRMNESS, Firmness, day_number
from shared.postings import MOVEMENTS, PLANS, STAGES, BalanceBatch, Measure, PostingBatch

Part = Literal["product", "site", "supplier"]
Basis = Literal["start", "receipt"]
PARTS: tuple[Part, ...] = get_args(Part)
WAFERS_MAX = 2**40  # of one posting, either way
WAFERS_SUM_MAX = 2**60  # of all postings, signs left out: so no sum of sums can leave int64
NAMES_MAX = 2**20  # three of them make one integer
DAYS = (-(2**31), 2**31)

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
_NO_KEYS = np.empty(0, dtype=np.int64)


class Gap(Exception):
    """A batch does not follow the one before it: something between them was missed."""


class Only(TypedDict, total=False):
    """The values that a key must have to be counted."""

    product: str
    site: str
    supplier: str


class Grouping(NamedTuple):
    """Which group each key is summed into."""

    labels: list[tuple[str, ...]]  # [group] the key parts asked for
    of_key: Index  # [key] group, -1 for keys left out


class Stages(NamedTuple):
    """Wafers in each stage, for each key or group asked for."""

    wip: Wafers
    finished: Wafers
    in_transit: Wafers
    on_hand: Wafers
    open_commit: Wafers  # [grade, key or group]


class Rolled(NamedTuple):
    """The rolling balance of one group over a window."""

    group: tuple[str, ...]
    supply: int
    demand: int
    net: int


class Curves:
    """The fold of the ledger's postings: wafers by day, measure and key (product, site, supplier).

    Movements lie as cumulative rows by day, `[row, movement, key]`, so a window is one subtraction; plans as daily
    differences by key, `[key, plan, row]`. Row 0 holds what lies before the horizon, the last what lies beyond.

    Memory: a key takes at most 8 × (15 × (H + 2) + 15 × (H + 3)) bytes for H days, 0.53 MB for the six years; room for
    keys grows by doubling, from 64. Rows after the last day moved, and keys not in use, cost address space only.
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
        self.cumulative: Wafers  # [row, movement, key]
        self.beyond: Wafers  # [movement, key]
        self.plans: Wafers  # [key, plan, row]
        self.totals: Wafers  # [key, plan]
        self.rolled: Index = np.zeros(1, dtype=np.int64)  # the last row that movements fill
        self._said = 0  # wafers of all postings, signs left out
        self._names: dict[str, int] = {}
        self._key_of: dict[int, int] = {}  # three name numbers in one -> key
        self._hash: str | None = None
        self._make_room(64)

    # ---------------------------------------------------------------- postings in

    def add(self, batch: PostingBatch) -> Index:
        """Return the keys that a batch changed, sorted; none if it was added before. Raise `Gap` if one is missing."""
        if self.epoch is not None and batch.epoch != self.epoch:
            raise Gap(f"batch {batch.batch} is of epoch {batch.epoch}, not {self.epoch}")
        if batch.batch <= self.position:
            return _NO_KEYS
        if batch.previous != self.position:
            raise Gap(f"batch {batch.batch} follows {batch.previous}, not {self.position}")
        products, sites, suppliers, measures, days, wafers = self._check(batch)
        key = self._intern(batch.names, products, sites, suppliers)
        slot, row = _SLOT_OF[measures], self.row(days)
        kernels.add_movements(self.cumulative, self.beyond, self.rolled, len(self.keys), key, slot, row, wafers)
        kernels.add_plans(self.plans, self.totals, len(MOVEMENTS), key, slot, row, wafers)
        for source, day in batch.watermarks.items():
            self.watermarks[source] = max(day, self.watermarks.get(source, day))
        self.sources.update(batch.sources, batch.watermarks)
        self.epoch, self.position, self.head = batch.epoch, batch.batch, batch.head
        self.postings += key.size
        self._hash = None
        return np.unique(key)

    def row(self, days: Index) -> Index:
        """Return the rows of days since 1970: 0 before the horizon, one after its last beyond it."""
        return np.minimum(np.maximum(days - (self.start - 1), 0), self.days + 1)

    def _row(self, day: int) -> int:
        return min(max(day - self.start + 1, 0), self.days + 1)

    def _check(self, batch: PostingBatch) -> tuple[Index, ...]:
        """Return the columns as arrays; raise ValueError naming column and row of what compiled code must not see."""
        names, rows = len(batch.names), len(batch.wafers)
        bounds = {
            "products": (0, names), "sites": (0, names), "suppliers": (0, names), "measures": (0, 64), "days": DAYS,
            "wafers": (-WAFERS_MAX, WAFERS_MAX + 1),
        }  # fmt: skip
        columns = []
        for name, (low, high) in bounds.items():
            values = getattr(batch, name)
            if len(values) != rows:
                raise ValueError(f"{name} has {len(values)} rows, wafers has {rows}")
            try:
                column = np.array(values, dtype=np.int64)
            except OverflowError:
                column = np.array([min(max(value, -(2**62)), 2**62) for value in values], dtype=np.int64)
            if rows and not (low <= column.min() and column.max() < high):
                n = int(np.flatnonzero((column < low) | (column >= high))[0])
                raise ValueError(f"{name}[{n}] is {values[n]}, not {low} to {high - 1}")
            columns.append(column)
        unknown = _SLOT_OF[columns[3]] < 0
        if unknown.any():
            n = int(unknown.argmax())
            raise ValueError(f"measures[{n}] is {batch.measures[n]}, which is no Measure")
        said = self._said + int(np.abs(columns[5]).sum())
        if said > WAFERS_SUM_MAX:
            raise ValueError(f"wafers[0..{rows - 1}] bring the sum of all postings to {said}, beyond {WAFERS_SUM_MAX}")
        if len(self._names) + names > NAMES_MAX and len(self._names.keys() | batch.names) > NAMES_MAX:
            raise ValueError(f"names bring more than {NAMES_MAX} different ones")
        self._said = said
        return tuple(columns)

    def _intern(self, names: list[str], products: Index, sites: Index, suppliers: Index) -> Index:
        """Return the key of each posting; make room for the new ones."""
        numbers = [self._names.setdefault(name, len(self._names)) for name in names]
        number = np.array(numbers, dtype=np.int64)
        code = ((number[products] << 20 | number[sites]) << 20 | number[suppliers]).tolist()
        key = list(map(self._key_of.get, code))
        if None in key:
            for n, known in enumerate(key):
                if known is None and code[n] not in self._key_of:
                    self._key_of[code[n]] = len(self.keys)
                    self.keys.append((names[products[n]], names[sites[n]], names[suppliers[n]]))
            key = [self._key_of[each] for each in code]
            if len(self.keys) > self.totals.shape[0]:
                self._make_room(1 << (len(self.keys) - 1).bit_length())
        return np.array(key, dtype=np.int64)

    def _make_room(self, keys: int) -> None:
        cumulative = np.zeros((self.days + 1, len(MOVEMENTS), keys), dtype=np.int64)
        beyond = np.zeros((len(MOVEMENTS), keys), dtype=np.int64)
        plans = np.zeros((keys, len(PLANS), self.days + 2), dtype=np.int64)
        totals = np.zeros((keys, len(PLANS)), dtype=np.int64)
        if len(self._key_of):
            filled, old = int(self.rolled[0]) + 1, self.totals.shape[0]
            cumulative[:filled, :, :old] = self.cumulative[:filled]
            beyond[:, :old], plans[:old], totals[:old] = self.beyond, self.plans, self.totals
        self.cumulative, self.beyond, self.plans, self.totals = cumulative, beyond, plans, totals

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
        return self.start - 1 + int(self.rolled[0])

    # ---------------------------------------------------------------- balances out

    def group(self, by: Sequence[Part] = (), **only: Unpack[Only]) -> Grouping:
        """Return the groups that some parts of the key make, of the keys that have the values asked for; sorted."""
        wanted = [(PARTS.index(part), value) for part, value in only.items()]
        parts = [PARTS.index(part) for part in by]
        label = [
            tuple(key[n] for n in parts) if all(key[n] == value for n, value in wanted) else None for key in self.keys
        ]
        labels = sorted({each for each in label if each is not None})
        number = {each: n for n, each in enumerate(labels)}
        of_key = [-1 if each is None else number[each] for each in label]
        return Grouping(labels, np.array(of_key, dtype=np.int64))

    def moved(self, grouping: Grouping, until: int, since: int | None = None) -> Wafers:
        """Return the wafers of each movement in the days (since, until], `[movement, group]`; `since` None: ever."""
        sums = np.zeros((len(MOVEMENTS), len(grouping.labels)), dtype=np.int64)
        rolled = int(self.rolled[0])
        first = -1 if since is None else min(self._row(since), rolled)
        kernels.sum_movements(sums, self.cumulative, grouping.of_key, first, min(self._row(until), rolled))
        return sums

    def planned(self, grouping: Grouping, measures: Sequence[Measure]) -> Wafers:
        """Return the sum of some plans as one daily curve for each group, `[group, row]`."""
        daily = np.zeros((len(grouping.labels), self.days + 2), dtype=np.int64)
        kernels.sum_plan_curves(daily, self.plans, _plan_slots(measures), grouping.of_key)
        return daily

    def supplied(self, grouping: Grouping, since: int) -> Wafers:
        """Return what ever came to hand up to and on each day from `since`, consumed or not, `[group, row]`."""
        brought = np.zeros((len(grouping.labels), self.days + 2), dtype=np.int64)
        sign = _SIGNS[_HELD.index("on_hand")].copy()
        sign[SLOTS[Measure.CONSUMED]] = 0
        rolled = int(self.rolled[0])
        first = min(self._row(since), rolled)
        kernels.sum_movement_curves(brought, self.cumulative, first, rolled, sign, grouping.of_key)
        return brought

    def rolling(
        self,
        day: int,
        window_days: int,
        basis: Basis,
        by: Sequence[Part] = (),
        firmness: Firmness | None = None,
        **only: Unpack[Only],
    ) -> list[Rolled]:
        """Return supply, demand and net of the days (day - window_days, day] inside the horizon, for each group.

        On the basis `start` supply is started and demand is required by its start day; on `receipt` supply is received
        and demand is required by its due day. With a firmness, supply is what is committed due at that grade or above.
        """
        if firmness is not None and basis != "receipt":
            raise ValueError("firmness is of commits, which are due on the basis receipt: it has no basis start")
        grouping = self.group(by, **only)
        required = Measure.REQUIRED_START if basis == "start" else Measure.REQUIRED
        measures = (required,) if firmness is None else (required, *COMMITTED[FIRMNESS.index(firmness) :])
        sums = np.zeros((len(measures), len(grouping.labels)), dtype=np.int64)
        since, until = self._row(day - window_days), min(self._row(day), self.days)
        kernels.sum_plans(sums, self.plans, _plan_slots(measures), grouping.of_key, since, until)
        if firmness is None:
            supplied = Measure.STARTED if basis == "start" else Measure.RECEIVED
            supply = self.moved(grouping, day, day - window_days)[SLOTS[supplied]]
        else:
            supply = sums[1:].sum(axis=0)
        net = supply - sums[0]
        columns = (grouping.labels, supply.tolist(), sums[0].tolist(), net.tolist())
        return list(starmap(Rolled, zip(*columns, strict=True)))

    def stages(self, grouping: Grouping, day: int | None = None) -> Stages:
        """Return the wafers in each stage at the end of a day, and the commits now open, for each group."""
        open_commit = np.zeros((len(grouping.labels), len(OPEN)), dtype=np.int64)
        chosen = np.flatnonzero(grouping.of_key >= 0)
        np.add.at(open_commit, grouping.of_key[chosen], self.totals[chosen][:, _plan_slots(OPEN)])
        wip, finished, in_transit, on_hand = _SIGNS @ self.moved(grouping, self.last_day if day is None else day)
        return Stages(wip, finished, in_transit, on_hand, open_commit.T)

    def balances(self, keys: Index, told: int | None = None) -> BalanceBatch:
        """Return what stands in each stage for some keys, all that is posted counted, to be published."""
        stages = _SIGNS @ self.cumulative[self.rolled[0]][:, keys]
        products, sites, suppliers = zip(*(self.keys[key] for key in keys), strict=True) if keys.size else ((), (), ())
        return BalanceBatch(
            epoch=self.epoch or 0,
            position=self.position,
            day=self.complete_through,
            products=list(products),
            sites=list(sites),
            suppliers=list(suppliers),
            **dict(zip(("wip", "finished", "in_transit", "on_hand"), stages.tolist(), strict=True)),
            open_commit=self.totals[keys][:, _plan_slots(OPEN)].sum(axis=1).tolist(),
            told=told,
        )

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
        by_name = sorted(SLOTS.items(), key=lambda item: item[0].name)
        order = np.array(sorted(range(len(self.keys)), key=self.keys.__getitem__), dtype=np.int64)
        daily = np.empty((32, len(MOVEMENTS), self.days + 2), dtype=np.int64)
        for first in range(0, order.size, 32):
            block = order[first : first + 32]
            kernels.read_daily(daily, self.cumulative, self.beyond, int(self.rolled[0]), block)
            for n, key in enumerate(block):
                named = b"".join(map(_text, self.keys[key]))
                for measure, slot in by_name:
                    cells = daily[n, slot] if slot < len(MOVEMENTS) else self.plans[key, slot - len(MOVEMENTS)]
                    filled = np.flatnonzero(cells)
                    if filled.size:
                        pairs = np.column_stack((filled + (self.start - 1), cells[filled])).astype("<i8")
                        digest.update(named + _text(measure.name) + _numbers(filled.size) + pairs.tobytes())
        self._hash = digest.hexdigest()
        return self._hash


def _plan_slots(measures: Sequence[Measure]) -> Index:
    return np.array([SLOTS[measure] - len(MOVEMENTS) for measure in measures], dtype=np.int64)


_number = partial(int.to_bytes, length=8, byteorder="little", signed=True)


def _numbers(*values: int) -> bytes:
    return b"".join(map(_number, values))


def _text(text: str) -> bytes:
    return _number(len(text.encode())) + text.encode()
