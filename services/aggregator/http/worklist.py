"""Answers of `/worklist` and `/alerts`: the work and the alerts to act on, ranked."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from services.aggregator.alerts.filtering import select_alerts
from services.aggregator.alerts.finding import Alert
from services.aggregator.alerts.ranking import AlertGroup, RankedAlert, group_alerts, rank_alerts
from services.aggregator.http.pages import Answer, check_today, plan_position_of, scope_of, select_keys
from services.aggregator.http.queries import AskAlerts, AskWorklist
from services.aggregator.http.remarks import acknowledgement_row, alert_remarks, note_rows
from services.aggregator.live.view import LiveView
from services.aggregator.plan.overviews import iso_or_none
from services.aggregator.plan.projection import SupplyPlan
from services.aggregator.plan.worklist.grouping import WorkLine, rank_work
from services.aggregator.plan.worklist.items import WorkItem, find_work
from services.aggregator.plan.worklist.megawatts import WaitingMegawatts
from services.aggregator.terms import Part
from shared.programme.remarks import Acknowledgement, RemarksInForce
from shared.wire.alerts import SUBJECTS, AlertName, Cause

_OPEN = ("open", "open_synthetic")


class _ItemRemarks(NamedTuple):
    """The alert of an item, and the remarks on it."""

    alert: str | None  # the name of its open alert
    acknowledged: Acknowledgement | None
    notes: list[Answer]


async def worklist(view: LiveView, query: AskWorklist) -> Answer:
    """Work that can still be done about shortages, idle stock and overdue lines, ranked; kinds that flood are grouped.

    Items with an alert snoozed until a later day are left out, and counted. Those of synthetic sites are in lines of
    their own, the last. docs/numbers.md has the formulas.
    """
    check_today(view.state.curves)
    only = select_keys(view.state.curves, product=query.product, site=query.site, supplier=query.supplier)
    scope_of(view, query.party)  # refuses an unknown one before the fold is paused

    def read() -> Answer:
        plan = view.plan_now()
        remarks = view.state.remarks.in_force()
        remarks_of: dict[WorkItem, _ItemRemarks] = {}
        for item in find_work(
            view.state, plan, query.firmness, only, scope_of(view, query.party), cover_days=view.thresholds.cover_days
        ):
            alert = _alert_of(view, item)
            things = [f"product/{item.product}", *([] if item.site is None else [f"site/{item.site}"])]
            found = None if alert is None else view.alerts.get(alert.cause)
            remarks_of[item] = _ItemRemarks(
                None if alert is None or found is None or found.name != alert else alert.text,
                None if alert is None else remarks.of_alert(alert)[0],
                note_rows(remarks.about(*things)),
            )
        rests = {item for item, (_, each, _) in remarks_of.items() if each is not None and each.is_snoozed(plan.today)}
        shown = [item for item in remarks_of if query.resting or item not in rests]
        return plan_position_of(view, plan) | {
            "firmness": query.firmness,
            "rows": [_line(line, remarks_of, plan.today) for line in rank_work(shown)],
            "count": len(shown),
            "synthetic_count": sum(item.is_synthetic for item in shown),
            "resting": 0 if query.resting else len(rests),
            "next": None,
        }

    return await view.run_paused(read)


def _alert_of(view: LiveView, item: WorkItem) -> AlertName | None:
    """Return the alert that stands for an item, None where there is none."""
    if item.supplier is not None or (item.kind == "secure" and item.site is not None):
        cover: Cause = ("cover_below", (item.product, item.site or ""))
        slip: Cause = ("slip_beyond", (item.supplier or "", item.product))
        found = view.alerts.get(cover if item.supplier is None else slip)
        return None if found is None else found.name
    if item.named_day is None or item.site is None:
        return None
    found = view.alerts.get(("short_within", (item.product, item.site)))
    return AlertName("short_within", (item.product, item.site), item.named_day) if found is None else found.name


def _line(line: WorkLine, remarks_of: Mapping[WorkItem, _ItemRemarks], today: int | None) -> Answer:
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
                "alert": remarks_of[item].alert,
                "acknowledged": acknowledgement_row(remarks_of[item].acknowledged, today),
                "notes": remarks_of[item].notes,
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


async def alerts(view: LiveView, query: AskAlerts) -> Answer:
    """Open alerts, those to act on first (docs/alerts.md), those of synthetic sites last; kinds that flood in groups.

    `open` counts those of each code, also with `code`, and `open_synthetic` those of synthetic sites. An alert that
    names no product, site or supplier concerns all of them: as a silent source does. A shipment concerns its sites,
    suppliers and owner.
    """
    check_today(view.state.curves)
    only = select_keys(view.state.curves, product=query.product, site=query.site, supplier=query.supplier)
    scope = scope_of(view, query.party)

    def select() -> tuple[SupplyPlan, RemarksInForce, list[RankedAlert]]:
        chosen = select_alerts(view.state, view.alerts.values(), cast(Mapping[Part, str], only), scope)
        waiting, synthetic = WaitingMegawatts.of(view.state), view.state.sites.synthetic_names()
        return view.plan, view.remarks, rank_alerts(chosen, waiting, view.plan.today, synthetic)

    plan, remarks, found = await view.run_paused(select)
    counts = [Counter(each.alert.code for each in found if each.synthetic is kind) for kind in (False, True)]
    chosen = [each for each in found if query.code in (None, each.alert.code)]
    page = chosen[query.offset : query.offset + query.limit]
    explained = await view.explain_alerts(each.alert for each in page)
    end = query.offset + len(page)
    return plan_position_of(view, plan) | {
        "limits": view.thresholds._asdict(),
        **{name: {code: each[code] for code in SUBJECTS} for name, each in zip(_OPEN, counts, strict=True)},
        "groups": [_group(group) for group in group_alerts(chosen)],
        "rows": [
            _alert(alert) | _alert_figures([each]) | alert_remarks(remarks, alert.name, plan.today)
            for alert, each in zip(explained, page, strict=True)
        ],
        "next": end if end < len(chosen) else None,
    }


def _alert(alert: Alert) -> Answer:
    detail = {name: iso_or_none(value) if name.endswith("_day") else value for name, value in alert.detail.items()}
    return {
        "name": alert.name.text,
        "code": alert.code,
        "subject": dict(zip(SUBJECTS[alert.code], alert.subject, strict=True)),
        "day": iso_or_none(alert.day),
        "detail": detail,
        "causes": alert.causes,
    }


def _group(group: AlertGroup) -> Answer:
    first = group.alerts[0].alert
    return {
        "code": group.code,
        "subject": group.subject,
        "synthetic": group.alerts[0].synthetic,
        "count": len(group.alerts),
        "first": first.name.text,
    } | (_alert_figures(group.alerts))


def _alert_figures(alerts: Sequence[RankedAlert]) -> Answer:
    """Return the figures that rank some alerts: their sums, and the least days left."""
    wafers = [each.wafers for each in alerts if each.wafers is not None]
    megawatts = [each.megawatts for each in alerts if each.megawatts is not None]
    days = [each.days_left for each in alerts if each.days_left is not None]
    return {
        "wafers": sum(wafers) if wafers else None,
        "mw_waiting": round(float(sum(megawatts)), 1) if megawatts else None,
        "days_left": min(days, default=None),
    }
