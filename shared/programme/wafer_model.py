"""The wafer model, which ties megawatts to wafers: dies of a wafer, its gigabytes, the wafers of a megawatt.

All arithmetic is exact, so that every machine comes to the same whole wafers.
"""

from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from math import isqrt

from shared.wire.events import Facility, Rack, WaferModel

WAFER_DIAMETER_MM = 300
EDGE_EXCLUSION_MM = 3
_PI = Fraction(3_141_592_653_589_793_238_462_643, 10**24)
_CACHED_MODELS_MAX = 1_024


class MissingWaferModel(ValueError):
    """A conversion needs the wafer model of a product that has none."""

    def __init__(self, product: str) -> None:
        self.product = product
        super().__init__(
            f"{product} has no wafer model, so gigabytes cannot be converted to its wafers: declare one"
            " (gb_per_die, die_mm2, layers, line_yield, probe_yield, layer_yield, final_yield)"
        )


def gross_dies(die_mm2: int) -> int:
    """Return the dies on a wafer before any yield: floor(pi d^2/(4S) - pi d/sqrt(2S)) in the de Vries form."""
    diameter = WAFER_DIAMETER_MM - 2 * EDGE_EXCLUSION_MM
    root = Fraction(isqrt(2 * die_mm2 * 10**48), 10**24)
    return int(_PI * diameter**2 / (4 * die_mm2) - _PI * diameter / root)


@lru_cache(maxsize=_CACHED_MODELS_MAX)
def gb_per_wafer(model: WaferModel) -> Fraction:
    """Return the good gigabytes that one wafer start is planned to give."""
    planned = (
        Fraction(model.line_yield)
        * Fraction(model.probe_yield)
        * Fraction(model.layer_yield) ** model.layers
        * Fraction(model.final_yield)
    )
    return gross_dies(model.die_mm2) * model.gb_per_die * planned


def facility_at(facility: Facility, pue_percent: int) -> Facility:
    """Return a facility with the power usage effectiveness of a site, in percent."""
    return facility.model_copy(update={"pue": f"{pue_percent // 100}.{pue_percent % 100:02}"})


def racks_per_mw(rack: Rack, facility: Facility) -> Fraction:
    """Return the racks that run on a megawatt of facility power."""
    return 1000 / Fraction(facility.pue) * Fraction(facility.accelerator_share) / rack.rack_kw


def gb_per_mw(rack: Rack, facility: Facility) -> dict[str, Fraction]:
    """Return the gigabytes of each product that a megawatt of facility power takes, spares included."""
    racks = racks_per_mw(rack, facility)
    servers = 1000 / Fraction(facility.pue) * Fraction(facility.server_share) / Fraction(facility.server_kw)
    gigabytes = {product: racks * gb for product, gb in rack.memory_gb.items()}
    for product, gb in facility.server_memory_gb.items():
        gigabytes[product] = gigabytes.get(product, Fraction(0)) + servers * gb
    return {product: gb * (1 + Fraction(facility.spares)) for product, gb in gigabytes.items() if gb}


def wafers_per_mw(rack: Rack, facility: Facility, models: Mapping[str, WaferModel]) -> dict[str, Fraction]:
    """Return the wafer starts of each product that a megawatt of facility power takes.

    `models` has the wafer models by product; raise `MissingWaferModel` where a product that it takes has none.
    """
    wafers = {}
    for product, gb in gb_per_mw(rack, facility).items():
        if product not in models:
            raise MissingWaferModel(product)
        wafers[product] = gb / gb_per_wafer(models[product])
    return wafers
