"""Room of a supplier's fabs for the programme, week by week: what one fab, all of them and the TSV line may start."""

from collections.abc import Iterable, Iterator
from datetime import date
from fractions import Fraction
from typing import NamedTuple

from shared.play.facts import Based
from shared.play.months import interpolate
from shared.play.scenario import Scenario
from shared.play.variants import Variant

DRAM, TSV = "DRAM", "TSV"
_WEEKS_A_MONTH = Fraction(365, 7 * 12)


class Booking(NamedTuple):
    """Wafers to be started in one fab in one week."""

    week: int
    fab: str
    wafers: int


def week_of(day: date) -> int:
    """Return the number of the week of a day; weeks begin on Mondays."""
    return (day.toordinal() - 1) // 7


def monday_of(week: int) -> date:
    """Return the first day of a week."""
    return date.fromordinal(week * 7 + 1)


class Capacity:
    """The weeks of a supplier: the wafers that may be started for the programme, and those that are booked."""

    def __init__(self, scenario: Scenario, source: str, variant: Variant) -> None:
        supplier, choice = scenario.suppliers[source], scenario.variants[variant]
        self._fabs = {fab.name: _curve(fab.dram_wafers_per_month) for fab in supplier.fabs}
        self._makers = {
            product: [fab.name for fab in supplier.fabs if product in fab.makes.value]
            for product in scenario.programme.products
        }
        self._tsv = _curve(supplier.tsv_wafers_per_month)
        self._permille = {DRAM: choice.dram_permille.value, TSV: choice.tsv_permille.value}
        self._fab_permille = choice.fab_permille.value
        self._monthly: dict[tuple[str, date], int] = {}
        self._whole: dict[tuple[str, int], int] = {}
        self._left: dict[tuple[str, int], int] = {}  # of a fab, DRAM or TSV in a week

    def room(self, product: str, week: int, *, stacked: bool) -> int:
        """Return the wafers of a product that may still be started in a week."""
        fabs = sum(self._room_of(fab, week) for fab in self._makers[product])
        return min(fabs, self._room_of(DRAM, week), *([self._room_of(TSV, week)] if stacked else []))

    def limit(self, product: str, weeks: Iterable[int], *, stacked: bool) -> str:
        """Return what leaves the least room for a product in some weeks: TSV, DRAM, or the fabs that make it."""
        limits = {"the fabs of it": 0, DRAM: 0} | ({TSV: 0} if stacked else {})
        for week in weeks:
            limits["the fabs of it"] += sum(self._room_of(fab, week) for fab in self._makers[product])
            for kind in limits.keys() & {DRAM, TSV}:
                limits[kind] += self._room_of(kind, week)
        return min(limits, key=lambda kind: (limits[kind], kind))

    def book(self, product: str, week: int, wafers: int, *, stacked: bool) -> Iterator[Booking]:
        """Book wafers in a week and yield them by fab, the least used first; what exceeds all room goes to that one."""
        for kind in (DRAM, TSV) if stacked else (DRAM,):
            self._left[kind, week] = self._room_of(kind, week) - wafers
        rooms = {fab: self._room_of(fab, week) for fab in self._makers[product]}
        ranked = sorted(rooms, key=lambda fab: (-Fraction(rooms[fab], max(1, self._whole[fab, week])), fab))
        parts = dict.fromkeys(ranked, 0)
        for fab in ranked:
            parts[fab] = min(wafers - sum(parts.values()), rooms[fab])
        parts[ranked[0]] += wafers - sum(parts.values())
        for fab, part in parts.items():
            self._left[fab, week] = rooms[fab] - part
            if part:
                yield Booking(week, fab, part)

    def release(self, booking: Booking, *, stacked: bool) -> None:
        """Give back the room of a booking."""
        for kind in (booking.fab, DRAM, TSV) if stacked else (booking.fab, DRAM):
            self._left[kind, booking.week] += booking.wafers

    def of_month(self, kind: str, month: date) -> int:
        """Return the wafers of a month that the fabs together, or the TSV line, may start for the programme."""
        whole = (
            interpolate(self._tsv, month) if kind == TSV else sum(interpolate(c, month) for c in self._fabs.values())
        )
        return int(whole * interpolate(self._permille[kind], month) / 1000)

    def _room_of(self, kind: str, week: int) -> int:
        left = self._left.get((kind, week))
        if left is None:
            month = monday_of(week).replace(day=1)
            if kind in (DRAM, TSV):
                monthly = Fraction(self.of_month(kind, month))
            else:
                monthly = interpolate(self._fabs[kind], month) * interpolate(self._fab_permille, month) / 1000
            left = self._left[kind, week] = self._whole[kind, week] = int(monthly / _WEEKS_A_MONTH)
        return max(left, 0)


def _curve(by_month: dict[date, Based[int]]) -> dict[date, int]:
    return {month: based.value for month, based in by_month.items()}
