"""Promises of a supplier: its part of forecasts and orders, as far as its weeks have room for the starts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import NamedTuple

from services.supplier.capacity import DRAM, TSV, Booking, Capacity, monday_of, week_of
from shared.play.demand_plan import derive_plan
from shared.play.months import first_of_month, latest
from shared.play.scenario import Scenario
from shared.play.variants import Variant
from shared.programme.shares import share_out
from shared.wire.days import DAY
from shared.wire.events import LOT_WAFERS_MAX

LATE = "-L"  # ends the name of a commit to the wafers of an order that are promised late
_SUNDAY = 6


@dataclass(slots=True)
class Ask:
    """A supplier's part of a new order, and the starts that it takes at the expected yield."""

    line: str
    product: str
    site: str
    priority: int
    start_by: date
    due: date
    wafers: int
    starts: int
    event_id: str
    on_time: list[Booking] = field(default_factory=list)
    late: list[Booking] = field(default_factory=list)

    @property
    def lacking(self) -> int:
        """The starts for which no room is found."""
        return self.starts - sum(booking.wafers for booking in (*self.on_time, *self.late))


class BookedPromise(NamedTuple):
    """Wafers promised on an order by a day, the starts booked for them, and why they are fewer or later than asked."""

    line: str
    due: date
    wafers: int
    booked: list[Booking]
    reason: str


class SupplierPromises:
    """The promises of one supplier, which books the starts for them."""

    def __init__(self, scenario: Scenario, source: str, variant: Variant) -> None:
        self._scenario = scenario
        self._source = source
        self._supplier = scenario.suppliers[source]
        self._capacity = Capacity(scenario, source, variant)
        self._platforms = {phase.name: phase.platform for phase in derive_plan(scenario, variant).phases}
        self._weights: dict[tuple[str, str, date], dict[str, int]] = {}  # by platform, product, day
        self._wanted: dict[tuple[bool, date], int] = {}  # stacked wafers, and others, by month of start

    def part_of(self, line: str, product: str, wafers: int, start: date) -> int:
        """Return this supplier's part of wafers that a line requires started on a day: by the platform's sourcing."""
        platform = self._platforms[line.partition(f".{product}.")[0]]
        first = start - timedelta(weeks=self._scenario.play.pull_weeks + 1)  # that it may be started
        asked = platform, product, max(first, self._scenario.starts_on)
        weights = self._weights.get(asked)
        if weights is None:
            weights = self._weights[asked] = self._scenario.sourcing(*asked)
        return share_out(wafers, weights)[self._source] if self._source in weights else 0

    def want(self, product: str, start: date, wafers: int) -> None:
        """Count wafers as wanted in their month of start; below 0 they are wanted no more."""
        key = (self._is_stacked(product), first_of_month(start))
        self._wanted[key] = self._wanted.get(key, 0) + wafers

    def filled(self, product: str, start: date) -> Fraction:
        """Return the part of the wafers wanted in a month for which the month has room, at most 1."""
        month = first_of_month(start)
        stacked, others = self._wanted.get((True, month), 0), self._wanted.get((False, month), 0)
        dram, tsv = self._capacity.of_month(DRAM, month), self._capacity.of_month(TSV, month)
        room, wanted = min(tsv, dram), stacked
        if not self._is_stacked(product):
            room, wanted = dram - min(tsv, stacked), others
        return min(Fraction(1), Fraction(max(room, 0), max(wanted, 1)))

    def starts_for(self, product: str, wafers: int, finish: date) -> int:
        """Return the starts that give so many wafers at planned yield, by the yield expected when they finish."""
        planned, expected = planned_percent(self._scenario, product), self.expected_percent(product, finish)
        play = self._scenario.play
        starts = -(-wafers * planned * (100 + play.start_margin_percent) // (expected * 100))
        return starts + play.start_margin_wafers

    def expected_percent(self, product: str, day: date) -> int:
        """Return the probe yield that the supplier expects: the scenario's, or else the planned one."""
        real = self._supplier.probe_percent.get(product)
        return latest(real.value, day) if real else planned_percent(self._scenario, product)

    def answer(self, asks: Sequence[Ask], today: date) -> Iterator[tuple[Ask, list[BookedPromise]]]:
        """Yield the promises on the orders of a day: by priority, stacked wafers first, all of one product together."""
        groups: dict[tuple[int, bool, str], list[Ask]] = {}
        for ask in asks:
            groups.setdefault((ask.priority, not self._is_stacked(ask.product), ask.product), []).append(ask)
        for _, group in sorted(groups.items()):
            weeks = {ask.line: self._weeks_of(ask, today) for ask in group}
            self._book(group, weeks)
            for ask in group:
                yield ask, list(self._promise(ask, weeks[ask.line]))

    def revise(self, today: date) -> None:
        """Promise from a day on with the capacities known on it."""
        self._capacity.revise(today)

    def rebook(self, product: str, booked: Sequence[Booking], today: date) -> tuple[list[Booking], str]:
        """Return the bookings of a promise, those of weeks to come that a revision left without room booked anew.

        They are booked in the same week as far as it has room, then in later ones; wafers without room at last are left
        out. The name is of the capacity that is exceeded: "" where none is.
        """
        kept, limit, stacked = list[Booking](), "", self._is_stacked(product)
        for booking in booked:
            over = self._capacity.overbooked(booking, stacked=stacked) if booking.week > week_of(today) else ""
            limit = limit or over
            if not over:
                kept.append(booking)
                continue
            self._capacity.release(booking, stacked=stacked)
            left = booking.wafers
            for week in range(booking.week, booking.week + self._scenario.play.late_weeks + 1):
                wafers = min(left, self._room(product, week))
                if wafers > 0:
                    wafers = left if left - wafers < LOT_WAFERS_MAX else wafers  # as in a new promise
                    kept.extend(self._capacity.book(product, week, wafers, stacked=stacked))
                    left -= wafers
        return kept, limit

    def release(self, product: str, booked: Sequence[Booking], today: date) -> None:
        """Give back the room of the weeks to come that was booked for a promise."""
        for booking in booked:
            if booking.week > week_of(today):
                self._capacity.release(booking, stacked=self._is_stacked(product))

    def _weeks_of(self, ask: Ask, today: date) -> tuple[list[int], list[int]]:
        """Return the weeks in which an order can be started on time, the last first, and those in which it is late."""
        play, this = self._scenario.play, week_of(today)
        last = week_of(ask.start_by) - (ask.start_by.weekday() < _SUNDAY)
        on_time = range(last, max(this, last - play.pull_weeks) - 1, -1)
        return list(on_time), list(range(max(last + 1, this), this + play.late_weeks + 1))

    def _book(self, group: Sequence[Ask], weeks: dict[str, tuple[list[int], list[int]]]) -> None:
        """Book the starts of orders of one product; where room is too little, each gets its share of it."""
        product, whole = group[0].product, {ask.line: ask.starts for ask in group}
        all_weeks = {week for on_time, late in weeks.values() for week in (*on_time, *late)}
        room = sum(self._room(product, week) for week in all_weeks)
        required = sum(whole.values())
        shares = whole if room >= required else share_out(room, whole)
        for most in (shares, whole):  # at last also the room that the shares leave, as not each order may use each week
            for ask in group:
                on_time, late = weeks[ask.line]
                for booked, those in ((ask.on_time, on_time), (ask.late, late)):
                    for week in those:
                        left = most[ask.line] - (ask.starts - ask.lacking)
                        if left <= 0:
                            break
                        self._book_week(ask, booked, week, left)

    def _book_week(self, ask: Ask, booked: list[Booking], week: int, left: int) -> None:
        wafers = min(left, self._room(ask.product, week))
        if wafers <= 0:
            return
        if ask.lacking - wafers < LOT_WAFERS_MAX:  # no cut is smaller than a lot
            wafers = ask.lacking
        booked.extend(self._capacity.book(ask.product, week, wafers, stacked=self._is_stacked(ask.product)))

    def _promise(self, ask: Ask, weeks: tuple[list[int], list[int]]) -> Iterator[BookedPromise]:
        """Yield the wafers of an order promised on time and late, with those that are cut and their limit."""
        late, on_time = (sum(booking.wafers for booking in booked) for booked in (ask.late, ask.on_time))
        promised = ask.wafers if ask.lacking <= 0 else ask.wafers * (on_time + late) // ask.starts
        late_wafers = promised * late // max(1, on_time + late)
        cut, limit = ask.wafers - promised, ""
        if cut or late_wafers:
            limit = self._capacity.limit(ask.product, [*weeks[0], *weeks[1]], stacked=self._is_stacked(ask.product))
        if promised > late_wafers or cut:
            reason = f"cut: no room in {limit}" if cut else ""
            yield BookedPromise(ask.line, ask.due, promised - late_wafers, ask.on_time, reason)
        if late_wafers:
            last_day = monday_of(max(booking.week for booking in ask.late)) + _SUNDAY * DAY
            due = max(ask.due, last_day + self._scenario.lead(ask.product))
            yield BookedPromise(ask.line + LATE, due, late_wafers, ask.late, f"late: no room in {limit}")

    def _room(self, product: str, week: int) -> int:
        return self._capacity.room(product, week, stacked=self._is_stacked(product))

    def _is_stacked(self, product: str) -> bool:
        return is_stacked(self._scenario, product)


def is_stacked(scenario: Scenario, product: str) -> bool:
    """Return whether dies of a product are stacked, so that its wafers take TSV capacity."""
    return scenario.programme.wafer_model(product).layers > 1


def planned_percent(scenario: Scenario, product: str) -> int:
    """Return the planned probe yield of a product."""
    return int(Fraction(scenario.programme.wafer_model(product).probe_yield) * 100)
