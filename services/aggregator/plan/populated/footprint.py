"""Footprint of sites side by side: megawatts, energy, CO2, land and water, by mooring, source of power and country."""

from collections.abc import Sequence
from typing import Any

from services.aggregator.plan.populated.energy import HOURS_A_YEAR
from shared.programme.megawatts import sum_megawatts

_M2_PER_HA = 10_000


def footprint_rows(sites: Sequence[dict[str, Any]], by: Sequence[str]) -> list[dict[str, Any]]:
    """Return a row for each combination of some fields of the sites' rows, sorted; one in all without a field.

    Energy and CO2 are those of the energised megawatts up to today, and those of a year at full load once all planned
    phases are energised. Area a megawatt is of the sites that state one, over their declared megawatts.
    """
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for site in sites:
        groups.setdefault(tuple(site[name] for name in by), []).append(site)
    return [dict(zip(by, key, strict=True)) | _footprint(groups[key]) for key in sorted(groups)]


def _footprint(sites: Sequence[dict[str, Any]]) -> dict[str, Any]:
    megawatts = sum_megawatts(sites)
    is_known = megawatts["mw_energised"] is not None
    energy = sum(site["energy_mwh"] for site in sites) if is_known else None
    co2_kg = sum(site["energy_mwh"] * site["kg_co2_per_mwh"] for site in sites) if is_known else 0
    planned = [sum(phase["mw"] for phase in site["phases"] if phase["status"] == "planned") for site in sites]
    year_kg = sum(mw * site["kg_co2_per_mwh"] for mw, site in zip(planned, sites, strict=True)) * HOURS_A_YEAR
    stated = [site for site in sites if site["mw"] and (site["land_ha"] or site["waterplane_m2"])]
    area_m2 = sum((site["land_ha"] or 0) * _M2_PER_HA + (site["waterplane_m2"] or 0) for site in stated)
    area_mw = sum(site["mw"] for site in stated)
    return {
        "sites": len(sites),
        "mw": sum(site["mw"] for site in sites),
        "mw_planned": sum(planned),
        **{name: megawatts[name] for name in ("mw_energised", "mw_populated", "mw_waiting")},
        "energy_mwh": energy,
        "co2_tonnes": co2_kg // 1000 if is_known else None,
        "year_mwh": sum(planned) * HOURS_A_YEAR,
        "year_co2_tonnes": year_kg // 1000,
        "year_kg_co2_per_mwh": round_half_up(year_kg, sum(planned) * HOURS_A_YEAR),
        "land_ha": _sum_stated(sites, "land_ha"),
        "waterplane_m2": _sum_stated(sites, "waterplane_m2"),
        "m2_per_mw": round_half_up(area_m2, area_mw),
    }


def _sum_stated(sites: Sequence[dict[str, Any]], name: str) -> int | None:
    stated = [site[name] for site in sites if site[name] is not None]
    return sum(stated) if stated else None


def round_half_up(numerator: int, denominator: int) -> int | None:
    """Return a ratio as a whole number, rounded half up; None where its denominator is 0."""
    return (2 * numerator + denominator) // (2 * denominator) if denominator else None
