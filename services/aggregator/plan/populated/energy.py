"""Energy and CO2 of the energised megawatts, by the hours since each phase's day, at full load."""

from collections.abc import Iterable

from services.aggregator.fold.sites import PhaseStatement

HOURS_A_YEAR = 8_760


def energy_mwh(phases: Iterable[PhaseStatement], today: int) -> int:
    """Return the megawatt hours of energised phases up to the beginning of today: Σ MW × 24 × days since energised.

    MW is of the facility, cooling included, so no PUE multiplies it. It is that of the statement in force now.
    """
    return sum(
        phase.mw * 24 * (today - phase.energise_on)
        for phase in phases
        if phase.status == "planned" and phase.energise_on < today
    )
