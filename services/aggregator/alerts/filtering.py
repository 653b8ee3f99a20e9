"""Selection of alerts by product, site and supplier."""

from collections.abc import Collection, Iterable, Mapping

from services.aggregator.alerts.finding import Alert
from services.aggregator.fold.state import FoldState
from services.aggregator.terms import PARTS, Part
from shared.programme.party_scope import PartyScope
from shared.wire.alerts import SUBJECTS


def select_alerts(
    state: FoldState, alerts: Iterable[Alert], only: Mapping[Part, str], scope: PartyScope | None = None
) -> list[Alert]:
    """Return the alerts that concern some names, and a declared party: those with a subject that names none other.

    An alert that names no product, site or supplier concerns all of them: as a source that is silent. A shipment
    concerns the sites and suppliers of its dispatches and receipts, and its owner. A party is concerned by those of its
    sites and by those of its suppliers.
    """
    if not only and scope is None:
        return [*alerts]
    return [alert for alert in alerts if _concerns(_names(state, alert), only, scope)]


def _concerns(names: Mapping[Part, Collection[str]], only: Mapping[Part, str], scope: PartyScope | None) -> bool:
    if not all(part not in names or name in names[part] for part, name in only.items()):
        return False
    if scope is None or not ("site" in names or "supplier" in names):
        return True
    return not (scope.sites.isdisjoint(names.get("site", ())) and scope.suppliers.isdisjoint(names.get("supplier", ())))


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
