"""Megawatts populated: racks of a site's energised phases that have all their memory, and the products they wait for.

The memory of a site goes to its energised phases in the order of their days. A rack runs with matched sets only, so in
each phase the product with the least of its wafers decides.
"""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from services.aggregator.fold.sites import PhaseStatement
from services.aggregator.plan.populated.rates import MegawattRates


class PhaseNeed(NamedTuple):
    """The megawatts and racks of an energised phase, and the wafers that they take."""

    phase: tuple[str, str]  # its source and its name
    mw: int
    racks: int  # one or more
    wafers: Mapping[str, int]  # by product; none where its memory came before the log began


class LackingProduct(NamedTuple):
    """A product that some megawatts wait for: these would wait were all other products there."""

    product: str
    megawatts: Fraction
    wafers: int  # that are missing


class PopulatedPhase(NamedTuple):
    """The part of an energised phase with all its memory."""

    megawatts: Fraction
    racks: int
    of_racks: int


class PopulatedSite(NamedTuple):
    """The part of a site's energised megawatts with all its memory, and the products that the rest waits for."""

    energised: int
    megawatts: Fraction
    phases: Mapping[tuple[str, str], PopulatedPhase]
    waits_for: Sequence[LackingProduct]  # that with the most megawatts first; a rack may wait for several of them


def needs_of_phases(
    histories: Iterable[Sequence[PhaseStatement]],
    first_stated: Mapping[tuple[str, str], int],
    through: int,
    rates: MegawattRates,
    pue_percent: int | None,
) -> list[PhaseNeed] | None:
    """Return the needs of a site's phases that are energised by the end of a day, in the order of their days.

    The wafers are whole: ⌊ megawatts × wafers a megawatt ⌋. A phase that was energised before the day on which it was
    first stated takes none: its memory came before the log began. `first_stated` has these days by source and phase.
    None where the wafers of a phase are not known.
    """
    needs = []
    for history in histories:
        now = history[-1]
        if now.status != "planned" or now.energise_on > through:
            continue
        rate = rates.rate(now.platform, pue_percent, now.energise_on)
        if rate is None:
            return None
        wafers = {}
        if now.energise_on >= first_stated[now.source, now.phase]:
            for product, a_megawatt in rate.wafers.items():
                if a_megawatt is None:
                    return None
                wafers[product] = int(a_megawatt * now.mw)
        racks = max(1, int(rate.racks * now.mw))  # a phase of less than a rack has one
        needs.append(PhaseNeed((now.source, now.phase), now.mw, racks, wafers))
    return needs


def populate_phases(needs: Sequence[PhaseNeed], at_hand: Mapping[str, int]) -> PopulatedSite:
    """Return the megawatts of energised phases that the wafers at hand populate, by product, none of them below zero.

    In each phase in turn run as many racks as all products suffice for: ⌊ left × racks ÷ wafers ⌋ of the product with
    the least. They take ⌈ running × wafers ÷ racks ⌉ of each, and the rest is left for the next phase.
    """
    phases = _run_racks(needs, at_hand)
    lacking = []
    for product in sorted({name for need in needs for name in need.wafers}):
        alone = [need._replace(wafers={product: need.wafers.get(product, 0)}) for need in needs]
        missing = sum(need.wafers[product] for need in alone) - at_hand.get(product, 0)
        if missing > 0:
            waiting = sum(need.mw for need in needs) - _sum_megawatts(_run_racks(alone, at_hand))
            lacking.append(LackingProduct(product, waiting, missing))
    return PopulatedSite(
        sum(need.mw for need in needs),
        _sum_megawatts(phases),
        {need.phase: phase for need, phase in zip(needs, phases, strict=True)},
        sorted(lacking, key=lambda each: -each.megawatts),
    )


def _run_racks(needs: Sequence[PhaseNeed], at_hand: Mapping[str, int]) -> list[PopulatedPhase]:
    left, phases = dict(at_hand), []
    for need in needs:
        enough = (left.get(product, 0) * need.racks // wafers for product, wafers in need.wafers.items() if wafers)
        running = min(need.racks, min(enough, default=need.racks))
        for product, wafers in need.wafers.items():
            left[product] = left.get(product, 0) + -running * wafers // need.racks  # the part of a wafer takes it whole
        phases.append(PopulatedPhase(Fraction(need.mw * running, need.racks), running, need.racks))
    return phases


def _sum_megawatts(phases: Iterable[PopulatedPhase]) -> Fraction:
    return sum((each.megawatts for each in phases), Fraction(0))


def tenths_of(megawatts: Fraction) -> int:
    """Return whole tenths of a megawatt, rounded down: a site that lacks one wafer is not shown as populated."""
    return int(megawatts * 10 // 1)
