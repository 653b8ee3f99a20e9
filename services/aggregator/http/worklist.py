"""Answer of `/worklist`."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from services.aggregator.http.pages import Answer, check_today, plan_position_of, scope_of, select_keys
from services.aggregator.http.queries import AskWorklist
from services.aggregator.http.remarks import acknowledgement_row, note_rows
from services.aggregator.live.view import LiveView
from services.aggregator.plan.overviews import iso_or_none
from services.aggregator.plan.projection import make_plan
from services.aggregator.plan.worklist.grouping import WorkLine, rank_work
from services.aggregator.plan.worklist.items import WorkItem, find_work
from shared.programme.remarks import Acknowledgement
from shared.wire.alerts import AlertName


class _Said(NamedTuple):
    """The alert of an item, and the remarks on it."""

    alert: str | None  # the name of its open alert
    acknowledged: Acknowledgement | None
    notes: list[Answer]


async def worklist(view: LiveView, query: AskWorklist) -> Answer:
    """Work that can still be done about shortages, idle stock and overdue lines, ranked; kinds that flood are grouped.

    Items whose alert rests until a day to come are left out, and counted. Those of synthetic sites are in lines of
    their own, the last. docs/numbers.md has the formulas.
    """
    curves = view.state.curves
    check_today(curves)
    only = select_keys(curves, product=query.product, site=query.site, supplier=query.supplier)
    scope_of(view, query.party)  # refuses an unknown one before the fold is paused

    def read() -> Answer:
        plan = make_plan(curves, lead_days=view.state.lines.lead_days())
        remarks = view.state.remarks.in_force()
        said: dict[WorkItem, _Said] = {}
        for item in find_work(view.state, plan, query.firmness, only, scope_of(view, query.party)):
            alert = _alert_of(view, item)
            things = [f"product/{item.product}", *([] if item.site is None else [f"site/{item.site}"])]
            found = None if alert is None else view.alerts.get(alert.cause)
            said[item] = _Said(
                None if alert is None or found is None or found.name != alert else alert.text,
                None if alert is None else remarks.of_alert(alert)[0],
                note_rows(remarks.about(*things)),
            )
        rests = {item for item, (_, each, _) in said.items() if each is not None and each.is_snoozed(plan.today)}
        shown = [item for item in said if query.resting or item not in rests]
        return plan_position_of(view, plan) | {
            "firmness": query.firmness,
            "rows": [_line(line, said, plan.today) for line in rank_work(shown)],
            "count": len(shown),
            "synthetic_count": sum(item.is_synthetic for item in shown),
            "resting": 0 if query.resting else len(rests),
            "next": None,
        }

    return await view.run_paused(read)


def _alert_of(view: LiveView, item: WorkItem) -> AlertName | None:
    """Return the alert that stands for an item, None where there is none."""
    if item.supplier is not None:
        found = view.alerts.get(("slip_beyond", (item.supplier, item.product)))
        return None if found is None else found.name
    if item.named_day is None or item.site is None:
        return None
    return AlertName("short_within", (item.product, item.site), item.named_day)


def _line(line: WorkLine, said: Mapping[WorkItem, _Said], today: int | None) -> Answer:
    common = {name: {getattr(item, name) for item in line.items} for name in ("product", "site", "supplier")}
    return {
        "kind": line.kind,
        "synthetic": line.items[0].is_synthetic,
        **{name: next(iter(values)) if len(values) == 1 else None for name, values in common.items()},
        **_figures(line),
        "count": len(line.items),
        "items": [
            {
                "product": item.product,
                "site": item.site,
                "supplier": item.supplier,
                **_figures(item),
                "alert": said[item].alert,
                "acknowledged": acknowledgement_row(said[item].acknowledged, today),
                "notes": said[item].notes,
            }
            for item in line.items
        ],
    }


def _figures(each: WorkItem | WorkLine) -> dict[str, Any]:
    return {
        "wafers": each.wafers,
        "mw_waiting": None if each.megawatts is None else round(float(each.megawatts), 1),
        "day": iso_or_none(each.day),
        "days_left": each.days_left,
    }
