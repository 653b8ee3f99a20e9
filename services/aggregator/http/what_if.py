"""Answer of `/what-if`: the first short day of a product-site as it is, and with other supply and demand."""

from collections.abc import Sequence

import numpy as np

from services.aggregator.http.pages import Answer, check_today, position_of
from services.aggregator.http.queries import AskWhatIf
from services.aggregator.kernels.arrays import Wafers
from services.aggregator.live.view import LiveView
from services.aggregator.plan.overviews import iso_or_none
from services.aggregator.plan.projection import project_days


async def what_if(view: LiveView, query: AskWhatIf) -> Answer:
    """When a product runs short at a site, now and with some wafers more or less of supply and demand.

    It states nothing. Supply that is due before today does not count, as overdue supply does not; demand that is due
    before today counts as of today. While `today` is null nothing is projected, and both days are null.
    """
    curves = view.state.curves
    check_today(curves)
    today = None if curves.today is None else max(curves.today, curves.start)
    balance: Wafers = np.empty(0, dtype=np.int64)
    change = balance
    if today is not None:
        balance = project_days(curves, (query.product, query.site), today, query.firmness)
        change = np.zeros_like(balance)
        for day, wafers in _within(query.supply, today, len(balance)):
            change[day] += wafers if day >= 0 else 0
        for day, wafers in _within(query.demand, today, len(balance)):
            change[max(day, 0)] -= wafers
    return position_of(view) | {
        "today": iso_or_none(today),
        "product": query.product,
        "site": query.site,
        "firmness": query.firmness,
        "now": _short(balance, today),
        "then": _short(balance + change.cumsum(), today),
    }


def _within(changes: Sequence[tuple[int, int]], today: int, days: int) -> list[tuple[int, int]]:
    """Return changes by the number of days from today, without those after the horizon."""
    return [(day - today, wafers) for day, wafers in changes if day - today < days]


def _short(balance: Wafers, today: int | None) -> Answer:
    short = np.flatnonzero(balance < 0)
    first = int(short[0]) if len(short) else None
    return {
        "first_short_day": None if first is None or today is None else iso_or_none(today + first),
        "first_shortage": 0 if first is None else int(-balance[first]),
        "shortage": int(max(0, -balance.min(initial=0))),
    }
