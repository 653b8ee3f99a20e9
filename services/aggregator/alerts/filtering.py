"""Selection of alerts by product, site and supplier."""

from collections.abc import Collection, Iterable, Mapping

from services.aggregator.alerts.finding import Alert
from services.aggregator.fold.state import FoldState
from services.aggregator.terms import PARTS, Part
from shared.wire.alerts import SUBJECTS


def select_alerts(state: FoldState, alerts: Iterable[Alert], only: Mapping[Part, str]) -> list[Alert]:
    """Return the alerts that concern some names: those whose subject names none other.

    An alert that names no product, site or supplier concerns all of them: as a source that is silent. A shipment
    concerns the sites and suppliers of its dispatches and receipts, and its owner.
    """
    if not only:
        return [*alerts]
    return [alert for alert in alerts if _concerns(_names(state, alert), only)]


def _concerns(names: Mapping[Part, Collection[str]], only: Mapping[Part, str]) -> bool:
    return all(part not in names or name in names[part] for part, name in only.items())


def _names(state: FoldState, alert: Alert) -> Mapping[Part, Collection[str]]:
    subject = dict(zip(SUBJECTS[alert.code], alert.subject, strict=True))
    names: dict[Part, set[str]] = {part: {subject[part]} for part in PARTS if part in subject}
    if "shipment" in subject:
        line = state.lines.shipments[subject["owner"], f"shipment/{subject['product']}", subject["shipment"]]
        keys = [dispatch.key for dispatch in line.dispatches]
        names["site"] = {site for _, site, _ in keys} | {end.site for end in line.ends}
        names["site"] |= {revision.site for revision in line.revisions}
        suppliers = {supplier for *_, supplier in keys} | {end.supplier for end in line.ends}
        names["supplier"] = suppliers | {subject["owner"]}
    return names
