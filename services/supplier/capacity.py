"""Room of a supplier's fabs for the programme, week by week: starts of one fab, of all and of the TSV line."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from fractions import Fraction
from typing import NamedTuple

from shared.play.facts import Based
from shared.play.months import interpolate
from shared.play.scenario import Scenario
from shared.play.variants import Variant
from shared.wire.events import LOT_WAFERS_MAX

DRAM, TSV, FABS = "DRAM", "TSV", "the fabs of it"
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
        self._facts = {fab.name: fab.dram_wafers_per_month for fab in supplier.fabs} | {
            TSV: supplier.tsv_wafers_per_month
        }
        self._curves = self._curves_on(scenario.starts_on)
        self._makers = {
            product: [fab.name for fab in supplier.fabs if product in fab.makes.value]
            for product in scenario.programme.products
        }
        self._permille = {DRAM: choice.dram_permille.value, TSV: choice.tsv_permille.value}
        self._fab_permille = choice.fab_permille.value
        self._months: dict[tuple[str, date], int] = {}  # `of_month`, of the capacities known
        self._whole: dict[tuple[str, int], int] = {}
        self._left: dict[tuple[str, int], int] = {}  # of a fab, DRAM or TSV in a week

    def revise(self, today: date) -> None:
        """Take the capacities known on a day for the weeks after its own; bookings may then exceed them."""
        self._curves = self._curves_on(today)
        self._months.clear()
        for kind, week in self._left:
            if week > week_of(today):
                before, self._whole[kind, week] = self._whole[kind, week], self._whole_of(kind, week)
                self._left[kind, week] += self._whole[kind, week] - before

    def overbooked(self, booking: Booking, *, stacked: bool) -> str:
        """Return the capacity that the bookings of a week exceed by a lot or more: TSV, DRAM or the fab; "" if none."""
        kinds = {TSV: TSV, DRAM: DRAM, booking.fab: FABS} if stacked else {DRAM: DRAM, booking.fab: FABS}
        over = (name for kind, name in kinds.items() if self._left[kind, booking.week] <= -LOT_WAFERS_MAX)
        return next(over, "")

    def room(self, product: str, week: int, *, stacked: bool) -> int:
        """Return the wafers of a product that may still be started in a week."""
        fabs = sum(self._room_of(fab, week) for fab in self._makers[product])
        return min(fabs, self._room_of(DRAM, week), *([self._room_of(TSV, week)] if stacked else []))

    def limit(self, product: str, weeks: Iterable[int], *, stacked: bool) -> str:
        """Return the limit with the least room for a product in some weeks: TSV, DRAM, or the fabs that make it."""
        limits = {FABS: 0, DRAM: 0} | ({TSV: 0} if stacked else {})
        for week in weeks:
            limits[FABS] += sum(self._room_of(fab, week) for fab in self._makers[product])
            for kind in limits.keys() & {DRAM, TSV}:
                limits[kind] += self._room_of(kind, week)
        return min(limits, key=lambda kind: (limits[kind], kind))

    def book(self, product: str, week: int, wafers: int, *, stacked: bool) -> Iterator[Booking]:
        """Book wafers in a week and yield them by fab, the least used first, to which wafers beyond all room go."""
        for kind in (DRAM, TSV) if stacked else (DRAM,):
            self._left[kind, week] = self._left_of(kind, week) - wafers
        rooms = {fab: self._room_of(fab, week) for fab in self._makers[product]}
        ranked = sorted(rooms, key=lambda fab: (-Fraction(rooms[fab], max(1, self._whole[fab, week])), fab))
        parts = dict.fromkeys(ranked, 0)
        for fab in ranked:
            parts[fab] = min(wafers - sum(parts.values()), rooms[fab])
        parts[ranked[0]] += wafers - sum(parts.values())
        for fab, part in parts.items():
            self._left[fab, week] -= part
            if part:
                yield Booking(week, fab, part)

    def release(self, booking: Booking, *, stacked: bool) -> None:
        """Give back the room of a booking."""
        for kind in (booking.fab, DRAM, TSV) if stacked else (booking.fab, DRAM):
            self._left[kind, booking.week] += booking.wafers

    def of_month(self, kind: str, month: date) -> int:
        """Return the wafers of a month that the fabs together, or the TSV line, may start for the programme."""
        wafers = self._months.get((kind, month))
        if wafers is None:
            curves = [curve for name, curve in self._curves.items() if (name == TSV) == (kind == TSV)]
            whole = sum(interpolate(curve, month) for curve in curves)
            wafers = self._months[kind, month] = int(whole * interpolate(self._permille[kind], month) / 1000)
        return wafers

    def _room_of(self, kind: str, week: int) -> int:
        return max(self._left_of(kind, week), 0)

    def _left_of(self, kind: str, week: int) -> int:
        """Return the wafers that are left of a week: below 0 where more are booked than a revision left room for."""
        left = self._left.get((kind, week))
        if left is None:
            left = self._left[kind, week] = self._whole[kind, week] = self._whole_of(kind, week)
        return left

    def _whole_of(self, kind: str, week: int) -> int:
        month = monday_of(week).replace(day=1)
        if kind in (DRAM, TSV):
            monthly = Fraction(self.of_month(kind, month))
        else:
            monthly = interpolate(self._curves[kind], month) * interpolate(self._fab_permille, month) / 1000
        return int(monthly / _WEEKS_A_MONTH)

    def _curves_on(self, day: date) -> dict[str, dict[date, int]]:
        return {name: curve_on(facts, day) for name, facts in self._facts.items()}


def curve_on(facts: Mapping[date, Based[int]], day: date) -> dict[date, int]:
    """Return a capacity by month as known on a day; that of the first month counts from the start of the play."""
    first = min(facts)
    return {
        month: fact.value
        for month, fact in facts.items()
        if month == first or fact.known_from is None or fact.known_from <= day
    }
