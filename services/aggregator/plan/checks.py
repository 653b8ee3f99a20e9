"""Checked inputs of the planning formulas: whole wafers with sums inside int64, and ratios of them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from services.aggregator.kernels.arrays import Index, Wafers

WAFERS_SUM_MAX = 2**60  # of an array's greatest value over its length: sums of a few such sums stay inside int64
DAYS = (-(2**31), 2**31)


class RatioColumns(NamedTuple):
    """Numerators and denominators; they are divided only for display, and not by 0."""

    numerator: Wafers  # [group]
    denominator: Wafers  # [group]


def whole_wafers(
    name: str,
    values: ArrayLike,
    shape: tuple[int, ...] | None = None,
    low: int = -WAFERS_SUM_MAX,
    sum_max: int = WAFERS_SUM_MAX,
) -> Wafers:
    """Return wafers as int64 in one piece; raise ValueError as `whole_numbers` does, and where sums could overflow.

    The greatest absolute value times the length of the last axis must not exceed `sum_max`. Without a required shape,
    the values must have an axis.
    """
    if shape is None and not np.ndim(values):
        raise ValueError(f"{name} is one number, not an array of them")
    wafers = whole_numbers(name, values, shape, low)
    if wafers.size:
        length = wafers.shape[-1] if wafers.ndim else 1
        greatest = max(-int(wafers.min()), int(wafers.max()))
        if greatest * length > sum_max:
            raise ValueError(f"{name} holds {greatest} wafers, {length} of which are beyond {sum_max}")
    return wafers


def whole_numbers(
    name: str,
    values: ArrayLike,
    shape: tuple[int, ...] | None = None,
    low: int = -WAFERS_SUM_MAX,
    high: int = WAFERS_SUM_MAX + 1,
) -> Index:
    """Return integers as int64 in one piece; raise ValueError unless they have the shape and lie in low..high - 1."""
    numbers = np.asarray(values)
    if shape is not None and numbers.shape != shape:
        raise ValueError(f"{name} has the shape {numbers.shape}, not {shape}")
    if numbers.size:
        if numbers.dtype.kind not in "iu":
            raise ValueError(f"{name} holds {numbers.dtype}, not whole numbers of int64")
        least, greatest = int(numbers.min()), int(numbers.max())
        if not (low <= least and greatest < high):
            raise ValueError(f"{name} holds {least if least < low else greatest}, not {low} to {high - 1}")
    # an array that is read-only or not aligned would be another type to compiled code
    return np.require(numbers, np.int64, ["C", "A", "W"])
