"""The naive twin of the megawatts populated: rack by rack, phase by phase."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import ceil


def naive_populated(
    phases: Sequence[tuple[int, int, Mapping[str, int]]], at_hand: Mapping[str, int]
) -> tuple[list[int], Fraction]:
    """The racks that run in each phase (megawatts, racks, wafers of each product), and their megawatts."""
    left, running, megawatts = dict(at_hand), [], Fraction(0)
    for mw, racks, wafers in phases:
        run = 0
        while run < racks and all(
            ceil(Fraction(each * (run + 1), racks)) <= left[name] for name, each in wafers.items()
        ):
            run += 1
            megawatts += Fraction(mw, racks)
        for name, each in wafers.items():
            left[name] -= ceil(Fraction(each * run, racks))
        running.append(run)
    return running, megawatts
