"""Megawatts populated of the sites: of all at the end of a day, of one on days to come too; and the cells of rows."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from services.aggregator.fold.series import Only
from services.aggregator.fold.sites import PhaseStatement, SiteStatement
from services.aggregator.fold.state import FoldState
from services.aggregator.plan.populated.at_hand import sum_at_hand, sum_to_come
from services.aggregator.plan.populated.racks import (
    PopulatedPhase,
    PopulatedSite,
    needs_of_phases,
    populate_phases,
    tenths_of,
)
from services.aggregator.plan.populated.rates import MegawattRates

NOT_ENERGISED = PopulatedSite(0, Fraction(0), {}, [])


def populate_sites(
    state: FoldState,
    declared: Mapping[str, Sequence[SiteStatement]],
    phases: Mapping[str, Sequence[Sequence[PhaseStatement]]],
    day: int,
) -> dict[str, PopulatedSite | None]:
    """Return the megawatts populated at the end of a day of each site with phases; None where they are not known."""
    rates, at_hand = MegawattRates(state.declarations), sum_at_hand(state.curves, day)
    populated: dict[str, PopulatedSite | None] = {}
    first_stated = state.sites.first_stated()
    for site, histories in phases.items():
        needs = needs_of_phases(histories, first_stated, day, rates, _pue_percent(declared, site))
        populated[site] = None if needs is None else populate_phases(needs, at_hand.get(site, {}))
    return populated


class SiteMegawatts:
    """The megawatts populated of a site on any day: on one to come with the supply that is due from today on."""

    def __init__(self, state: FoldState, site: str, product: str | None = None) -> None:
        """With a product, as if all others were there."""
        self._curves, self._site, self._product = state.curves, site, product
        self._only: Only = {"site": site} if product is None else {"site": site, "product": product}
        self._phases, self._first_stated = state.sites.phases().get(site, []), state.sites.first_stated()
        self._pue = _pue_percent(state.sites.declared(), site)
        self._rates = MegawattRates(state.declarations)
        today = state.curves.today
        self._to_come = {} if today is None else sum_to_come(state.curves, today, **self._only)

    def populate(self, day: int) -> PopulatedSite | None:
        """Return the megawatts populated at the end of a day; None where they are not known."""
        curves = self._curves
        if curves.today is None:
            return None
        needs = needs_of_phases(self._phases, self._first_stated, day, self._rates, self._pue)
        if needs is None:
            return None
        at_hand = dict(sum_at_hand(curves, day, **self._only).get(self._site, {}))
        for product, wafers in self._to_come.items():
            at_hand[product] = at_hand.get(product, 0) + int(wafers[curves.row_of(day)])
        if self._product is not None:
            needs = [
                need._replace(wafers={name: each for name, each in need.wafers.items() if name == self._product})
                for need in needs
            ]
        return populate_phases(needs, at_hand)


def _pue_percent(declared: Mapping[str, Sequence[SiteStatement]], site: str) -> int | None:
    return declared[site][-1].pue_percent if site in declared else None


# ---------------------------------------------------------------- cells of rows


def populated_row(site: PopulatedSite | None) -> dict[str, Any]:
    """Return the megawatts populated, to a tenth below, those waiting, and the products that they wait for."""
    if site is None:
        return {"mw_populated": None, "mw_waiting": None, "waits_for": []}
    tenths = tenths_of(site.megawatts)
    return {
        "mw_populated": tenths / 10,
        "mw_waiting": (10 * site.energised - tenths) / 10,
        "waits_for": [
            {"product": each.product, "mw": -tenths_of(-each.megawatts) / 10, "wafers": each.wafers}
            for each in site.waits_for
        ],
    }


def populated_phase_row(phase: PopulatedPhase | None) -> dict[str, Any]:
    """Return the megawatts populated of a phase, and its racks; all None of one that is not energised, or not known."""
    if phase is None:
        return dict.fromkeys(("mw_populated", "racks", "racks_populated"))
    return {
        "mw_populated": tenths_of(phase.megawatts) / 10, "racks": phase.of_racks, "racks_populated": phase.racks,
    }  # fmt: skip
