"""Exact shares: of whole wafers by weight, in percent, and of a programme's target."""

from collections.abc import Mapping
from fractions import Fraction
from typing import TypeVar

Key = TypeVar("Key")


def share_out(wafers: int, weights: Mapping[Key, Fraction | int]) -> dict[Key, int]:
    """Return whole wafers by weight that sum to `wafers`, by largest remainders."""
    whole = sum(weights.values())
    parts = {key: wafers * weight for key, weight in weights.items()}
    shares = {key: int(part // whole) for key, part in parts.items()}
    by_remainder = sorted(parts, key=lambda key: (-(parts[key] % whole), str(key)))
    for key in by_remainder[: wafers - sum(shares.values())]:
        shares[key] += 1
    return shares


def percent_of(numerator: int, denominator: int) -> float | None:
    """Return a ratio in percent, rounded half up to one decimal; None where the denominator is not above 0."""
    return (numerator * 2_000 + denominator) // (2 * denominator) / 10 if denominator > 0 else None


def share_percent(wafers: int, target_wafers: int | None) -> float | None:
    """Return wafers in percent of the programme's target for a month, as `percent_of` rounds it; None without one."""
    return None if target_wafers is None else percent_of(wafers, target_wafers)
