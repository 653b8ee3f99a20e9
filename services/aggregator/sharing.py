"""Fair share: how wafers that are not enough for all are divided, whole, and to the last one."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from services.aggregator.whole_wafers import DAYS, WAFERS_SUM_MAX, whole_numbers, whole_wafers


def share_proportionally(supply: int, weights: ArrayLike) -> list[int]:
    """Return the wafers of each claim `[claim]`: supply × weight / Σ weights.

    Each gets what is whole of it; what is left goes one by one to the largest remainders, the claim given first of
    equal ones: give them in the order of their ids. The shares always add up to the supply; only where no claim has a
    weight is nothing shared. Raise ValueError as `whole_wafers` does, and for anything below zero; exact. Source: the
    method of largest remainders (Hamilton).
    """
    wafers = _wafers("supply", supply)
    claims = _column("weights", weights)
    return _whole([wafers * claim for claim in claims], sum(claims)) if any(claims) else [0] * len(claims)


def share_to_target(supply: int, stock: ArrayLike, target: ArrayLike) -> list[int]:
    """Return the wafers of each claim `[claim]` that raise all stocks to one share of their targets.

    max(0, level × target − stock), with the one level at which these add up to the supply: who stands above it gets
    nothing and gives nothing back, and who has no target gets nothing. A stock may be below zero, a level above one.
    Rounded, and refused, as in `share_proportionally`. Source: fair share rule B of SAP's deployment.
    """
    filled, full = _wafers("supply", supply), 0  # what the raised have with the supply, and what they are to have
    stocks = _column("stock", stock, low=-WAFERS_SUM_MAX)
    targets = _column("target", target, (len(stocks),))
    lowest_first = sorted((Fraction(stocks[n], targets[n]), n) for n in range(len(targets)) if targets[n])
    raised: list[int] = []
    for level, n in lowest_first:
        if raised and level * full >= filled:
            break
        raised.append(n)
        filled, full = filled + stocks[n], full + targets[n]
    shares = [0] * len(targets)
    raised.sort()  # of equal remainders the claim given first comes first
    for n, share in zip(raised, _whole([filled * targets[n] - stocks[n] * full for n in raised], full), strict=True):
        shares[n] = share
    return shares


def share_by_priority(supply: int, demand: ArrayLike, priority: ArrayLike, due: ArrayLike) -> list[int]:
    """Return the wafers of each demand `[demand]`, served by priority (1 first), then due day, then as they were given.

    Each gets all it asks for until the supply ends. Raise ValueError as in `share_proportionally`, for columns of
    unlike length, too; exact.
    """
    left = _wafers("supply", supply)
    demands = whole_wafers("demand", demand, low=0)
    first = whole_numbers("priority", priority, demands.shape)
    shares = [0] * demands.size
    for n in np.lexsort((whole_numbers("due", due, demands.shape, *DAYS), first)).tolist():
        shares[n] = min(left, int(demands[n]))
        left -= shares[n]
    return shares


def _wafers(name: str, wafers: int) -> int:
    return int(whole_wafers(name, wafers, (), low=0))


def _column(name: str, values: ArrayLike, shape: tuple[int, ...] | None = None, low: int = 0) -> list[int]:
    """Return plain integers, whose products are exact however great."""
    column: list[int] = whole_wafers(name, values, shape, low).tolist()
    return column


def _whole(numerators: Sequence[int], denominator: int) -> list[int]:
    """Return the quotients, whose sum is whole, rounded to wholes of that sum."""
    shares = [numerator // denominator for numerator in numerators]
    left = sum(numerators) // denominator - sum(shares) if numerators else 0
    largest_first = sorted(range(len(shares)), key=lambda n: -(numerators[n] % denominator))
    for n in largest_first[:left]:
        shares[n] += 1
    return shares
