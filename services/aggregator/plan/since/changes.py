"""Phases that are planned anew, or otherwise than in an earlier state."""

from typing import NamedTuple

from services.aggregator.fold.sites import PhaseStatement, SiteBook


class PhaseChange(NamedTuple):
    """A phase that is planned anew, or otherwise than before."""

    before: PhaseStatement | None  # None: it is new
    now: PhaseStatement


def changed_phases(then: SiteBook, now: SiteBook, site: str | None) -> list[PhaseChange]:
    """Return the phases with another last statement, and says something else; by day of energising."""
    before = {
        (history[-1].source, history[-1].phase): history[-1]
        for phases in then.phases().values()
        for history in phases
    }  # fmt: skip
    found = []
    for at, phases in now.phases().items():
        for history in phases if site in (None, at) else ():
            was, is_ = before.get((history[-1].source, history[-1].phase)), history[-1]
            if was is None or was[4:] != is_[4:]:  # the first four are of the event
                found.append(PhaseChange(was, is_))
    return sorted(found, key=lambda each: (each.now.energise_on, each.now.site, each.now.phase))
