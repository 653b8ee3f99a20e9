"""Compiled loops of planning; the modules of `plan/` check their arguments, they trust them."""

from numba import njit, types

from services.aggregator.kernels.arrays import Index, Wafers

_LINE, _TABLE = types.int64[::1], types.int64[:, ::1]
_CONSUME_FORECASTS = types.void(_TABLE, _TABLE, types.int64, types.int64)
_PEG_SUPPLIES = types.int64(_LINE, _LINE, _LINE, _LINE, _LINE, _LINE, _LINE, _LINE, _LINE)
_MEASURE_SLIPS = types.void(_LINE, _LINE, _LINE, _TABLE, _TABLE, types.int64)


@njit(_CONSUME_FORECASTS, nogil=True, cache=True)
def consume_forecasts(
    forecast: Wafers,  # [group, bucket] gross before, net after
    orders: Wafers,  # [group, bucket]
    early: int,  # how many buckets before its own an order may reach, at most all
    late: int,  # how many after it
) -> None:
    """Let the orders of each bucket, one after the other, consume the forecast of their own and of those around it."""
    buckets = forecast.shape[1]
    for group in range(forecast.shape[0]):
        net = forecast[group]
        for bucket in range(buckets):
            left = orders[group, bucket]
            for reach in range(early + 1):  # 0 is its own
                if left == 0 or reach > bucket:
                    break
                taken = min(left, net[bucket - reach])
                net[bucket - reach] -= taken
                left -= taken
            for later in range(bucket + 1, min(bucket + late + 1, buckets)):
                if left == 0:
                    break
                taken = min(left, net[later])
                net[later] -= taken
                left -= taken


@njit(_PEG_SUPPLIES, nogil=True, cache=True)
def peg_supplies(
    demand_left: Wafers,  # [demand] wafers required before, not pegged after; state
    supply_left: Wafers,  # [supply] wafers expected before, not pegged after; state
    demand_group: Index,  # [demand]
    supply_group: Index,  # [supply]
    demand_order: Index,  # [demand] which demand is served n-th: by group, then first come
    supply_order: Index,  # [supply] which supply is taken n-th: by group, then first come
    demand: Index,  # [peg] room for all demands and supplies; output
    supply: Index,  # [peg] output
    wafers: Wafers,  # [peg] output
) -> int:
    """Let each demand in its turn take the first wafers left of its group's supplies; return the number of pegs."""
    pegs = n = m = 0
    while n < demand_order.size and m < supply_order.size:
        d, s = demand_order[n], supply_order[m]
        if demand_left[d] == 0 or demand_group[d] < supply_group[s]:
            n += 1
        elif supply_left[s] == 0 or supply_group[s] < demand_group[d]:
            m += 1
        else:
            taken = min(demand_left[d], supply_left[s])
            demand_left[d] -= taken
            supply_left[s] -= taken
            demand[pegs], supply[pegs], wafers[pegs] = d, s, taken
            pegs += 1
    return pegs


@njit(_MEASURE_SLIPS, nogil=True, cache=True)
def measure_slips(
    wafer_days: Index,  # [group] days from each committed day to its receipt × wafers committed, summed; output
    wafers: Wafers,  # [group] wafers committed; output
    greatest: Index,  # [group] most days of any committed day, 0 where there is none; output
    committed: Wafers,  # [group, day] up to and on that day, never falling
    received: Wafers,  # [group, day] up to and on that day
    through: int,  # last complete day, -1 for none
) -> None:
    """Measure how far receipts lie behind commits, level by level; one not reached counts as if on `through`."""
    for group in range(committed.shape[0]):
        reached, before = 0, 0  # a higher level is never reached earlier, so the search goes on where it stood
        wafer_days[group], wafers[group], greatest[group] = 0, 0, 0
        for day in range(through + 1):
            level = committed[group, day]
            if level == before:
                continue
            while reached < through and received[group, reached] < level:
                reached += 1
            days = reached - day
            greatest[group] = days if wafers[group] == 0 else max(greatest[group], days)
            wafer_days[group] += days * (level - before)
            wafers[group] += level - before
            before = level
