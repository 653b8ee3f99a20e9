"""Megawatts that wait for wafers: the wafers of a product at a site, by the platforms of the site's phases."""

from collections.abc import Mapping, Sequence
from fractions import Fraction

from services.aggregator.fold.sites import PhaseStatement
from services.aggregator.fold.state import FoldState
from services.aggregator.plan.populated.rates import MegawattRates


class WaitingMegawatts:
    """Converts wafers into megawatts, exactly, where the declarations allow it.

    n(P, S) is the wafers of P that a megawatt of the site takes: the mean over its planned phases with a platform that
    takes P, weighted by their megawatts, at the site's own PUE. Wafers of P that are missing at S keep min(wafers / n,
    the megawatts of these phases) waiting.
    """

    def __init__(
        self,
        phases: Mapping[str, Sequence[Sequence[PhaseStatement]]],
        pue_percents: Mapping[str, int],
        rates: MegawattRates,
    ) -> None:
        self._phases, self._pue_percents, self._rates = phases, pue_percents, rates
        self._needs: dict[tuple[str, str], tuple[Fraction, int] | None] = {}

    @classmethod
    def of(cls, state: FoldState) -> "WaitingMegawatts":
        """Return those of a state's sites and declarations."""
        pue_percents = {site: statements[-1].pue_percent for site, statements in state.sites.declared().items()}
        return cls(state.sites.phases(), pue_percents, MegawattRates(state.declarations))

    def waiting(self, product: str, site: str, wafers: int) -> Fraction | None:
        """Return the megawatts that wait for some wafers of a product at a site; None where that is not known."""
        if (product, site) not in self._needs:
            self._needs[product, site] = self._need(product, site)
        need = self._needs[product, site]
        return None if need is None else min(Fraction(wafers) / need[0], Fraction(need[1]))

    def _need(self, product: str, site: str) -> tuple[Fraction, int] | None:
        """Return the wafers of a product that a megawatt of a site takes, and the megawatts that take it."""
        wafers, megawatts, is_known = Fraction(0), 0, site in self._phases
        for phase in (history[-1] for history in self._phases.get(site, ())):
            if phase.status != "planned":
                continue
            rate = self._rates.rate(phase.platform, self._pue_percents.get(site), phase.energise_on)
            is_known = is_known and rate is not None
            if rate is None or product not in rate.wafers:
                continue
            a_megawatt = rate.wafers[product]
            if a_megawatt is None:
                return None
            wafers, megawatts = wafers + a_megawatt * phase.mw, megawatts + phase.mw
        if megawatts:
            return wafers / megawatts, megawatts
        return (Fraction(1), 0) if is_known else None  # no planned phase takes it: none wait
