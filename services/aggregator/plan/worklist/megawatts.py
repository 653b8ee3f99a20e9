"""Megawatts that wait for wafers: the wafers of a product at a site, by the platforms of the site's phases."""

from collections.abc import Mapping, Sequence
from fractions import Fraction

from services.aggregator.fold.sites import PhaseStatement
from services.aggregator.fold.state import FoldState
from shared.programme.declarations import Declarations
from shared.programme.wafer_model import gb_per_mw, gb_per_wafer


class WaitingMegawatts:
    """Converts wafers into megawatts, exactly, where the declarations allow it.

    n(P, S) is the wafers of P that a megawatt of the site takes: the mean over its planned phases whose platform takes
    P, weighted by their megawatts. Wafers of P that are missing at S keep min(wafers / n, the megawatts of these
    phases) waiting.
    """

    def __init__(self, phases: Mapping[str, Sequence[Sequence[PhaseStatement]]], declarations: Declarations) -> None:
        self._phases = phases
        self._models = declarations.wafer_models
        programme = declarations.programme
        facility = None if programme is None else programme.facility
        racks = {name: each.rack for name, each in declarations.platforms.items() if each.rack is not None}
        self._gb = {} if facility is None else {name: gb_per_mw(rack, facility) for name, rack in racks.items()}
        self._needs: dict[tuple[str, str], tuple[Fraction, int] | None] = {}

    @classmethod
    def of(cls, state: FoldState) -> "WaitingMegawatts":
        """Return those of a state's sites and declarations."""
        return cls(state.sites.phases(), state.declarations)

    def waiting(self, product: str, site: str, wafers: int) -> Fraction | None:
        """Return the megawatts that wait for some wafers of a product at a site; None where that is not known."""
        if (product, site) not in self._needs:
            self._needs[product, site] = self._need(product, site)
        need = self._needs[product, site]
        return None if need is None else min(Fraction(wafers) / need[0], Fraction(need[1]))

    def _need(self, product: str, site: str) -> tuple[Fraction, int] | None:
        """Return the wafers of a product that a megawatt of a site takes, and the megawatts that take it."""
        if product not in self._models:
            return None
        now = [history[-1] for history in self._phases.get(site, ())]
        taking = [each for each in now if each.status == "planned" and product in self._gb.get(each.platform, {})]
        megawatts = sum(each.mw for each in taking)
        if not megawatts:
            return None
        gigabytes = sum((each.mw * self._gb[each.platform][product] for each in taking), Fraction(0))
        return gigabytes / megawatts / gb_per_wafer(self._models[product]), megawatts
