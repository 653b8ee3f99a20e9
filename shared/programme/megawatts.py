"""Sums over sites of the megawatts energised, populated and waiting, and of the products that they wait for."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MEGAWATTS = ("mw_energised", "mw_populated", "mw_waiting")


def sum_megawatts(sites: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the sums over some sites of `GET /sites`; a sum is None where it is not known of one of them."""
    sums: dict[str, Any] = {}
    for name in MEGAWATTS:
        sums[name] = sum_tenths(site[name] for site in sites)
    waits_for: dict[str, tuple[int, int]] = {}  # tenths of megawatts, and wafers
    for each in (each for site in sites for each in site["waits_for"]):
        tenths, wafers = waits_for.get(each["product"], (0, 0))
        waits_for[each["product"]] = tenths + round(10 * each["mw"]), wafers + each["wafers"]
    ranked = sorted(waits_for.items(), key=lambda item: (-item[1][0], item[0]))
    return sums | {
        "waits_for": [{"product": name, "mw": tenths / 10, "wafers": wafers} for name, (tenths, wafers) in ranked]
    }


def sum_tenths(megawatts: Iterable[float | None]) -> float | None:
    """Return a sum in whole tenths, as floats do not add up to them; None where one is not known."""
    each = [*megawatts]
    if None in each:
        return None
    tenths = sum(round(10 * mw) for mw in each if mw is not None)
    return tenths // 10 if all(isinstance(mw, int) for mw in each) else tenths / 10
