"""The catalogue: products, platforms, grades of a commit, and the wafer model that ties megawatts to wafers.

Areas, yields, racks and facilities are those of the reference programme (`scenarios/stargate-2026.yaml` names the
references): a stepped die includes its scribe lane, and a yield is the planned one. All arithmetic is exact, so that
every machine comes to the same whole wafers.
"""

from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from math import isqrt
from typing import Literal, NamedTuple, TypeVar, get_args

Family = Literal["HBM", "DDR5_LP5X"]
Key = TypeVar("Key")

Firmness = Literal["planned", "material", "manufacturing", "firm", "immediate"]
FIRMNESS: tuple[Firmness, ...] = get_args(Firmness)
"""Grades of a commit from the least to the most certain (EDIFACT code list 4017)."""

PRODUCTS = ("HBM3E-12H", "HBM4-12H", "DDR5-16G", "DDR5-32G", "LP5X-16G")

PROGRAMME_WAFERS = 900_000
"""Wafers a month that the letter of intent of 1 October 2025 names."""

WAFER_DIAMETER_MM = 300
EDGE_EXCLUSION_MM = 3
_PI = Fraction(3_141_592_653_589_793_238_462_643, 10**24)


class Product(NamedTuple):
    """Die, layers and planned yields of a product's wafer."""

    family: Family
    gb_per_die: int
    die_mm2: int
    layers: int
    line_yield: Fraction
    probe_yield: Fraction
    layer_yield: Fraction
    final_yield: Fraction


class Platform(NamedTuple):
    """Power and memory of one rack of a platform."""

    rack_kw: int
    accelerators: int
    hbm: str
    hbm_gb: int
    lp5x_gb: int
    ddr5_gb: int


class Facility(NamedTuple):
    """Division of a facility's megawatt among racks and servers."""

    pue: Fraction
    accelerator_share: Fraction
    server_share: Fraction
    server_kw: Fraction
    server_ddr5_gb: int
    spares: Fraction


def _product(family: Family, gb: int, mm2: int, layers: int, *percent: str) -> Product:
    line, probe, layer, final = (Fraction(p) / 100 for p in percent)
    return Product(family, gb, mm2, layers, line, probe, layer, final)


CATALOG: dict[str, Product] = {
    "HBM3E-12H": _product("HBM", 3, 121, 12, "97", "80", "99", "98"),
    "HBM4-12H": _product("HBM", 3, 130, 12, "97", "74", "99", "97"),
    "DDR5-16G": _product("DDR5_LP5X", 2, 40, 1, "98", "92", "100", "98.5"),
    "DDR5-32G": _product("DDR5_LP5X", 4, 78, 1, "98", "88", "100", "98.5"),
    "LP5X-16G": _product("DDR5_LP5X", 2, 38, 1, "98", "92", "100", "98"),
}
"""Each of `PRODUCTS`."""

PLATFORMS: dict[str, Platform] = {
    "GB300-NVL72": Platform(132, 72, "HBM3E-12H", 20_736, 17_280, 0),
    "VR-NVL72": Platform(210, 72, "HBM4-12H", 20_736, 54_000, 0),
    "HELIOS-MI455X": Platform(240, 72, "HBM4-12H", 31_104, 0, 36_000),
    "TITAN-ASIC": Platform(100, 64, "HBM4-12H", 13_824, 0, 24_000),
}
"""The rack of each platform."""

FACILITY = Facility(Fraction("1.2"), Fraction("0.9"), Fraction("0.05"), Fraction(1), 1_500, Fraction("0.03"))
"""The facility every site is planned with (assumed)."""


@cache
def gross_dies(product: str) -> int:
    """Return the dies on a wafer before any yield: floor(pi d^2/(4S) - pi d/sqrt(2S)) in the de Vries form."""
    area = CATALOG[product].die_mm2
    diameter = WAFER_DIAMETER_MM - 2 * EDGE_EXCLUSION_MM
    root = Fraction(isqrt(2 * area * 10**48), 10**24)
    return int(_PI * diameter**2 / (4 * area) - _PI * diameter / root)


@cache
def gb_per_wafer(product: str) -> Fraction:
    """Return the good gigabytes that one wafer start is planned to give."""
    die = CATALOG[product]
    planned = die.line_yield * die.probe_yield * die.layer_yield**die.layers * die.final_yield
    return gross_dies(product) * die.gb_per_die * planned


@cache
def wafers_per_mw(platform: str) -> dict[str, Fraction]:
    """Return the wafer starts of each product that a megawatt of facility power takes."""
    rack = PLATFORMS[platform]
    it_kw = 1000 / FACILITY.pue
    racks = it_kw * FACILITY.accelerator_share / rack.rack_kw
    servers = it_kw * FACILITY.server_share / FACILITY.server_kw
    gigabytes = {
        rack.hbm: racks * rack.hbm_gb,
        "LP5X-16G": racks * rack.lp5x_gb,
        "DDR5-32G": racks * rack.ddr5_gb + servers * FACILITY.server_ddr5_gb,
    }
    return {p: gb * (1 + FACILITY.spares) / gb_per_wafer(p) for p, gb in gigabytes.items() if gb}


def share_out(wafers: int, weights: Mapping[Key, Fraction | int]) -> dict[Key, int]:
    """Return whole wafers by weight that sum to `wafers`, by largest remainders."""
    whole = sum(weights.values())
    exact = {key: Fraction(wafers * weight) / whole for key, weight in weights.items()}
    shares = {key: int(share) for key, share in exact.items()}
    by_remainder = sorted(exact, key=lambda key: (shares[key] - exact[key], str(key)))
    for key in by_remainder[: wafers - sum(shares.values())]:
        shares[key] += 1
    return shares


def percent_of(numerator: int, denominator: int) -> float | None:
    """Return a ratio in percent, rounded half up to one decimal; None where the denominator is not above 0."""
    return (numerator * 2_000 + denominator) // (2 * denominator) / 10 if denominator > 0 else None


def share_percent(wafers: int, target_wafers: int | None) -> float | None:
    """Return wafers in percent of the programme's target for a month, as `percent_of` rounds it; None without one."""
    return None if target_wafers is None else percent_of(wafers, target_wafers)
