"""Units of a partner, as exact wafers: one wafer start, gigabytes, stacks, dies; and the rounding to whole wafers."""

from collections.abc import Iterable
from fractions import Fraction
from math import floor
from typing import Literal, NamedTuple, get_args

from shared.programme.wafer_model import gb_per_wafer, gross_dies
from shared.wire.events import WaferModel

UnitName = Literal["wse", "gb", "gbit", "stack", "die", "per_wafer"]
UNIT_NAMES: tuple[UnitName, ...] = get_args(UnitName)
SIZED: tuple[UnitName, ...] = ("gb", "gbit", "per_wafer")

Rounding = Literal["exact", "nearest", "carry"]
ROUNDINGS: tuple[Rounding, ...] = get_args(Rounding)


class Unit(NamedTuple):
    """A unit: `wse` is a wafer start; `gb` is `size` gigabytes, `per_wafer` the `size`th part of a wafer."""

    name: UnitName
    size: Fraction = Fraction(1)

    @property
    def needs_model(self) -> bool:
        """Whether the wafer model of a product is necessary to convert it."""
        return self.name not in ("wse", "per_wafer")


WSE = Unit("wse")


def wafers_per_unit(unit: Unit, model: WaferModel | None) -> Fraction:
    """Return the wafers that one unit is, exactly; `model` is necessary where the unit `needs_model`.

    A stack is `layers` dies of `gb_per_die` gigabytes; a die is good after the probe, a gigabyte after the last test.
    """
    if unit.name == "wse":
        return Fraction(1)
    if unit.name == "per_wafer":
        return 1 / unit.size
    assert model is not None
    if unit.name == "die":
        return 1 / (gross_dies(model.die_mm2) * Fraction(model.line_yield) * Fraction(model.probe_yield))
    if unit.name == "stack":
        return model.layers * model.gb_per_die / gb_per_wafer(model)
    gigabytes = unit.size / 8 if unit.name == "gbit" else unit.size
    return gigabytes / gb_per_wafer(model)


def nearest_whole(wafers: Fraction) -> int:
    """Return the nearest whole number, half up."""
    return floor(wafers + Fraction(1, 2))


def carry_over(buckets: Iterable[Fraction], before: Fraction = Fraction(0)) -> list[int]:
    """Return whole wafers for each bucket: the differences of the rounded cumulative that begins at `before`.

    Each cumulative is within half a wafer of the exact one, for ever, and no bucket of a plan is below 0.
    """
    exact, whole, differences = before, nearest_whole(before), []
    for wafers in buckets:
        exact += wafers
        differences.append(nearest_whole(exact) - whole)
        whole += differences[-1]
    return differences
