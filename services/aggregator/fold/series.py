"""Names, keys and series by number: the places that postings take in the arrays of the curves."""

from collections.abc import Collection, Sequence
from typing import NamedTuple, TypedDict, Unpack, cast

import numpy as np

from services.aggregator.fold.growing_table import with_room
from services.aggregator.fold.state_hash import encode_text
from services.aggregator.kernels import curves as kernels
from services.aggregator.kernels.arrays import Index
from services.aggregator.terms import PARTS, Part
from shared.wire.postings import MOVEMENTS, PLANS, STAGES, Measure

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
_STAGES = ("wip", "finished", "transit", "on_hand")
STAGE_SIGNS = np.array([[(into == stage) - (out == stage) for out, into in STAGES.values()] for stage in _STAGES])
"""`[stage, slot]`: 1 where a movement brings wafers to wip, finished, in transit or on hand, -1 where it takes them."""
WIP_SIGNS = STAGE_SIGNS[_STAGES.index("wip")]  # [slot]
ON_HAND_SIGNS = STAGE_SIGNS[_STAGES.index("on_hand")]  # [slot]

_INITIAL_KEYS = 1_024
_GROUPINGS_MAX = 64  # kept at once


class Only(TypedDict, total=False):
    """The values that a key must have to be counted."""

    product: str
    site: str
    supplier: str


class Grouping(NamedTuple):
    """The group that each key is summed into; queries share it, and never change it."""

    labels: list[tuple[str, ...]]  # [group] the values of its key parts
    of_key: Index  # [key] group, -1 for keys left out

    def pick(self, groups: Index) -> "Grouping":
        """Return some of the groups, in the order given, without the keys of the others."""
        place = np.full(len(self.labels) + 1, -1, dtype=np.int64)  # keys without a group, -1, read the last one
        place[groups] = np.arange(groups.size)
        return Grouping([self.labels[group] for group in groups.tolist()], place[self.of_key])

    def split(self, sites: "Grouping", apart: Collection[str]) -> tuple["Grouping", int]:
        """Return the groups with the keys of some sites in groups of their own, last; and the number of the others.

        `sites` groups the same keys by site. A group without keys of either kind is not there.
        """
        if not apart:
            return self, len(self.labels)
        is_apart = np.array([*(site in apart for (site,) in sites.labels), False])[sites.of_key]
        groups = len(self.labels)
        code = np.where(self.of_key < 0, -1, self.of_key + groups * is_apart)
        used = np.unique(code[code >= 0])
        of_key = np.where(code < 0, -1, used.searchsorted(code))
        return Grouping([self.labels[each % groups] for each in used.tolist()], of_key), int((used < groups).sum())


class SeriesIndex:
    """The numbers of names, keys and series, each given at the first occurrence.

    A key is a product, a site and a supplier. A *series* is one measure of one key; movements and plans are numbered
    apart. `numbers[key, slot]` is the number of a series, -1 where there is none.
    """

    def __init__(self) -> None:
        none = np.empty(0, dtype=np.int64)
        self.keys: list[tuple[str, str, str]] = []  # [key] product, site, supplier
        self.numbers: Index = np.full((_INITIAL_KEYS, len(SLOTS)), -1, dtype=np.int64)  # [key, slot], room included
        self.movement_key = self.movement_slot = none  # [series of movements]
        self.plan_key = self.plan_slot = none  # [series of plans]
        self._names: dict[str, int] = {}
        self._place_code = np.full(4 * _INITIAL_KEYS, -1, dtype=np.int64)  # three name numbers in one; see the kernel
        self._place_key = np.zeros(4 * _INITIAL_KEYS, dtype=np.int64)
        self._groupings: dict[tuple[tuple[Part, ...], tuple[tuple[str, str], ...], tuple[int, ...]], Grouping] = {}
        self._by_name: tuple[Index, list[bytes]] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays, room that is not in use included."""
        series = (self.movement_key, self.movement_slot, self.plan_key, self.plan_slot)
        return sum(array.nbytes for array in (self.numbers, *series, self._place_code, self._place_key))

    # ---------------------------------------------------------------- numbers given

    def number_names(self, names: Sequence[str]) -> Index:
        """Return the number of each name; raise ValueError where there are too many."""
        if len(self._names) + len(names) > NAMES_MAX and len(self._names.keys() | set(names)) > NAMES_MAX:
            raise ValueError(f"names bring more than {NAMES_MAX} different ones")
        return np.array([self._names.setdefault(name, len(self._names)) for name in names], dtype=np.int64)

    def number_keys(self, products: Index, sites: Index, suppliers: Index) -> Index:
        """Return the key of each posting by the numbers of its names."""
        code = (products << 20 | sites) << 20 | suppliers
        key, fresh = np.empty_like(code), np.empty_like(code)
        keys_max = len(self.keys) + code.size
        if 2 * keys_max > self._place_code.size:
            self._rehash(1 << (2 * keys_max).bit_length())
        new = kernels.intern(self._place_code, self._place_key, len(self.keys), code, key, fresh)
        if new:
            names, first = list(self._names), fresh[:new]
            parts = (products[first].tolist(), sites[first].tolist(), suppliers[first].tolist())
            self.keys += ((names[p], names[s], names[u]) for p, s, u in zip(*parts, strict=True))
            self.numbers = with_room(self.numbers, len(self.keys), -1)
            self._groupings.clear()
        return key

    def number_series(self, key: Index, slot: Index) -> Index:
        """Return the series of each posting."""
        series = self.numbers[key, slot]
        missing = series < 0
        if not missing.any():
            return series
        new_key, new_slot = np.divmod(np.unique(key[missing] * len(SLOTS) + slot[missing]), len(SLOTS))
        moves = new_slot < len(MOVEMENTS)
        for kind, count in ((moves, self.movement_key.size), (~moves, self.plan_key.size)):
            self.numbers[new_key[kind], new_slot[kind]] = np.arange(count, count + np.count_nonzero(kind))
        self.movement_key = np.concatenate((self.movement_key, new_key[moves]))
        self.movement_slot = np.concatenate((self.movement_slot, new_slot[moves]))
        self.plan_key = np.concatenate((self.plan_key, new_key[~moves]))
        self.plan_slot = np.concatenate((self.plan_slot, new_slot[~moves]))
        self._by_name = None
        return self.numbers[key, slot]

    def _rehash(self, places: int) -> None:
        used = self._place_code >= 0
        code, key = self._place_code[used], self._place_key[used]
        order = key.argsort()
        self._place_code, self._place_key = np.full(places, -1, dtype=np.int64), np.zeros(places, dtype=np.int64)
        kernels.intern(self._place_code, self._place_key, 0, code[order], key, np.empty_like(key))

    # ---------------------------------------------------------------- series chosen

    def group(self, by: Sequence[Part] = (), empty: tuple[int, ...] = (), **only: Unpack[Only]) -> Grouping:
        """Return the groups that some parts of the key make, of the keys that have the values of `only`; sorted.

        The `empty` keys are in no group.
        """
        query = tuple(by), tuple(sorted(cast(dict[str, str], only).items())), empty
        kept = self._groupings.get(query)
        if kept is not None:
            return kept
        wanted = [(PARTS.index(part), value) for part, value in only.items()]
        parts = [PARTS.index(part) for part in by]
        label = [
            tuple(key[n] for n in parts) if all(key[n] == value for n, value in wanted) else None for key in self.keys
        ]
        for key in empty:
            label[key] = None
        labels = sorted({each for each in label if each is not None})
        number = {each: n for n, each in enumerate(labels)}
        of_key = [-1 if each is None else number[each] for each in label]
        if len(self._groupings) == _GROUPINGS_MAX:
            self._groupings.clear()
        self._groupings[query] = Grouping(labels, np.array(of_key, dtype=np.int64))
        return self._groupings[query]

    def choose(self, grouping: Grouping, measures: Sequence[Measure]) -> tuple[Index, Index, Index]:
        """Return the series of some measures that a grouping counts; the place of each in `measures`, and its group."""
        keys, slots = np.flatnonzero(grouping.of_key >= 0), np.array([SLOTS[each] for each in measures], dtype=np.int64)
        series, place, group = np.empty((3, keys.size * slots.size), dtype=np.int64)
        count = kernels.choose_series(series, place, group, self.numbers, keys, grouping.of_key, slots)
        return series[:count], place[:count], group[:count]

    # ---------------------------------------------------------------- for a snapshot and the state hash

    def names(self) -> list[str]:
        """Return all names, by number."""
        return list(self._names)

    def numbered_keys(self) -> list[tuple[int, ...]]:
        """Return the parts of each key as numbers of names."""
        return [tuple(map(self._names.__getitem__, key)) for key in self.keys]

    def measures(self) -> Index:
        """Return the measure of each series, plans after movements."""
        return np.array(list(SLOTS), dtype=np.int64)[np.concatenate((self.movement_slot, self.plan_slot))]

    def by_name(self) -> tuple[Index, list[bytes]]:
        """Return the order of all series, plans numbered after movements, by their names; and each one's as bytes."""
        if self._by_name is None:
            key = np.concatenate((self.movement_key, self.plan_key))
            slot = np.concatenate((self.movement_slot, self.plan_slot))
            key_place, slot_place = np.empty(len(self.keys), dtype=np.int64), np.empty(len(SLOTS), dtype=np.int64)
            measures = list(SLOTS)
            key_place[sorted(range(key_place.size), key=self.keys.__getitem__)] = range(key_place.size)
            slot_place[sorted(range(slot_place.size), key=lambda each: measures[each].name)] = range(slot_place.size)
            of_key = [b"".join(map(encode_text, parts)) for parts in self.keys]
            of_slot = [encode_text(measure.name) for measure in measures]
            names = [of_key[k] + of_slot[s] for k, s in zip(key.tolist(), slot.tolist(), strict=True)]
            self._by_name = np.lexsort((slot_place[slot], key_place[key])), names
        return self._by_name
