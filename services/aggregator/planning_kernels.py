"""The compiled loops of planning: they trust their arguments, the modules that call them have checked them."""

from numba import njit, types

from services.aggregator.kernels import Wafers

_LINE, _TABLE = types.int64[::1], types.int64[:, ::1]
_CONSUME_FORECASTS = types.void(_TABLE, _TABLE, types.int64, types.int64)


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
