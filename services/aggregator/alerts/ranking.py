"""Rank of open alerts by week, megawatts waiting and wafers, as of work; kinds that flood are grouped."""

from collections.abc import Callable, Hashable, Iterable, Sequence, Set
from fractions import Fraction
from typing import NamedTuple

from services.aggregator.alerts.finding import DOUBTFUL, Alert
from services.aggregator.plan.worklist.grouping import LINES_OF_KIND_MAX, rank_by_week
from services.aggregator.plan.worklist.megawatts import WaitingMegawatts
from shared.wire.alerts import SUBJECTS, AlertCode

_WAFERS = ("wafers_at_worst", "wafers")
_PRODUCT_OR_PARTY = ("supplier", "owner", "product", "source", "site")  # by which alerts of a code are grouped


class RankedAlert(NamedTuple):
    """An open alert with the figures that rank it."""

    alert: Alert
    wafers: int | None
    megawatts: Fraction | None  # that wait for them; None: not known, or the alert names no site
    days_left: int | None  # from today to its day: below 0 where it has passed
    synthetic: bool  # it is about a synthetic site


class AlertGroup(NamedTuple):
    """Alerts of one code, and the names that all of them have in common."""

    code: AlertCode
    alerts: Sequence[RankedAlert]  # ranked

    @property
    def subject(self) -> dict[str, str]:
        """The names of the subject that all have in common."""
        names = SUBJECTS[self.code]
        columns = zip(names, zip(*(each.alert.subject for each in self.alerts), strict=True), strict=True)
        return {name: values[0] for name, values in columns if len(set(values)) == 1}


def rank_alerts(
    alerts: Iterable[Alert], waiting: WaitingMegawatts, today: int | None, synthetic: Set[str]
) -> list[RankedAlert]:
    """Return alerts in the order in which to act on them; those about synthetic sites come after all others.

    First come those that make others doubtful, in their order. Of the others those with a day in an earlier week
    from today come first, one that has passed in the first; in a week those with the most megawatts waiting, then with
    the most wafers.
    """
    ranked = [_with_figures(alert, waiting, today, synthetic) for alert in alerts]
    doubtful = [each for each in ranked if each.alert.code in DOUBTFUL]
    others = [each for each in ranked if each.alert.code not in DOUBTFUL]
    others.sort(key=lambda each: (*_week(each), each.alert.cause))
    return sorted((*doubtful, *others), key=lambda each: each.synthetic)


def group_alerts(ranked: Sequence[RankedAlert]) -> list[AlertGroup]:
    """Return groups of ranked alerts, those about synthetic sites apart, in the order of their first ones.

    Of a code there are at most `LINES_OF_KIND_MAX` groups, and as many of synthetic sites; none is left out. Where it
    has more alerts, a group has all of one supplier, owner, product, source or site; where there are more of those, all
    of the code.
    """
    of_kind: dict[tuple[AlertCode, bool], list[RankedAlert]] = {}
    for each in ranked:
        of_kind.setdefault((each.alert.code, each.synthetic), []).append(each)
    place = {each.alert.cause: n for n, each in enumerate(ranked)}
    groups = [AlertGroup(code, held) for (code, _), alerts in of_kind.items() for held in _groups(code, alerts)]
    return sorted(groups, key=lambda group: place[group.alerts[0].alert.cause])


def _groups(code: AlertCode, alerts: Sequence[RankedAlert]) -> list[list[RankedAlert]]:
    at = next(n for name in _PRODUCT_OR_PARTY for n, each in enumerate(SUBJECTS[code]) if each == name)
    levels: tuple[Callable[[Alert], Hashable], ...] = (
        lambda alert: alert.subject,
        lambda alert: alert.subject[at],
        lambda _: None,
    )
    grouped: dict[Hashable, list[RankedAlert]] = {}
    for level in levels:
        grouped = {}
        for each in alerts:
            grouped.setdefault(level(each.alert), []).append(each)
        if len(grouped) <= LINES_OF_KIND_MAX:
            break
    return [*grouped.values()]


def _with_figures(alert: Alert, waiting: WaitingMegawatts, today: int | None, synthetic: Set[str]) -> RankedAlert:
    subject = dict(zip(SUBJECTS[alert.code], alert.subject, strict=True))
    wafers = next((alert.detail[name] for name in _WAFERS if name in alert.detail), None)
    megawatts = None
    if wafers is not None and alert.code not in DOUBTFUL and "product" in subject and "site" in subject:
        megawatts = waiting.waiting(subject["product"], subject["site"], wafers)
    days_left = None if today is None else alert.day - today
    return RankedAlert(alert, wafers, megawatts, days_left, subject.get("site") in synthetic)


def _week(each: RankedAlert) -> tuple[int, int, Fraction, int]:
    return rank_by_week(each.days_left, each.megawatts, each.wafers or 0)
