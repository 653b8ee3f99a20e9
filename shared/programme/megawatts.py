"""Sums over sites of the megawatts energised, populated and waiting, and of the products that they wait for."""

from collections.abc import Mapping, Sequence
from typing import Any

MEGAWATTS = ("mw_energised", "mw_populated", "mw_waiting")


def sum_megawatts(sites: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the sums over some sites of `GET /sites`; a sum is None where it is not known of one of them."""
    sums: dict[str, Any] = {}
    for name in MEGAWATTS:
        values = [site[name] for site in sites]
        sums[name] = None if None in values else round(sum(values), 1)
    waits_for: dict[str, tuple[float, int]] = {}
    for each in (each for site in sites for each in site["waits_for"]):
        megawatts, wafers = waits_for.get(each["product"], (0, 0))
        waits_for[each["product"]] = megawatts + each["mw"], wafers + each["wafers"]
    ranked = sorted(waits_for.items(), key=lambda item: (-item[1][0], item[0]))
    return sums | {
        "waits_for": [{"product": name, "mw": round(mw, 1), "wafers": wafers} for name, (mw, wafers) in ranked]
    }
