"""The naive twins of the rolling windows: plain lists and loops, too slow and too plain to be wrong."""

from collections.abc import Sequence
from itertools import accumulate

Movement = tuple[int, int, int, int]  # day, key, side (0 supply, 1 demand), wafers


def naive_history(
    movements: Sequence[Movement], keys: int, days: int, windows: Sequence[int], opening: int
) -> tuple[list, list, list]:
    """Sums [window][side][day][key], balance [day][key] and first short day [key]; days count from 0."""
    daily = [[[0] * keys for _ in range(days)] for _ in range(2)]
    for day, key, side, wafers in movements:
        daily[side][day][key] += wafers
    sums = []
    for window in windows:
        supply, demand = (
            [
                [sum(column) for column in zip(*rows[max(0, day - window + 1) : day + 1], strict=True)]
                for day in range(days)
            ]
            for rows in daily
        )
        net = [[s - d for s, d in zip(*rows, strict=True)] for rows in zip(supply, demand, strict=True)]
        sums.append([supply, demand, net])
    curves = [
        list(accumulate((daily[0][day][key] - daily[1][day][key] for day in range(days)), initial=opening))[1:]
        for key in range(keys)
    ]
    first_short = [next((day for day, wafers in enumerate(curve) if wafers < 0), -1) for curve in curves]
    return sums, [list(row) for row in zip(*curves, strict=True)], first_short


def naive_instants(events: Sequence[tuple[int, int, int]], window: int) -> list[int]:
    """The net of each event's key over (t - window, t]; an event is (time, key, wafers)."""
    return [
        sum(wafers for at, of, wafers in events if of == key and time - window < at <= time) for time, key, _ in events
    ]


def naive_windows(
    movements: Sequence[Movement], key: int, start: int, days: int, windows: Sequence[int]
) -> tuple[list[list[int]], list[int]]:
    """Supply, demand, net, lowest balance, unmet of each window ending today; balance, first short day, cover."""
    inside = [day for day, *_ in movements if start <= day < start + days]
    rows = max([start, *inside]) - start + 2  # row 0 is all before the start, the last is today
    daily = [[0, 0] for _ in range(rows)]
    for day, of, side, wafers in movements:
        if of == key and day < start + days:
            daily[max(0, day - start + 1)][side] += wafers
    balance = list(accumulate(supply - demand for supply, demand in daily))
    waited = list(accumulate((max(0, -wafers) for wafers in balance), max))
    rolled = []
    for window in windows:
        since = max(1, rows - window)
        supply, demand = (sum(row[side] for row in daily[since:]) for side in (0, 1))
        rolled.append([supply, demand, supply - demand, min(balance[since:]), waited[-1] - waited[since - 1]])
    since = max(1, rows - windows[-1])
    short = next((start + row - 1 for row in range(since, rows) if balance[row] < 0), -1)
    demand = rolled[1][1]
    cover = max(balance[-1], 0) * 100 * windows[1] // demand if demand > 0 else -1
    return rolled, [balance[-1], short, cover]
