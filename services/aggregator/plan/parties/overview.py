"""Rows of the declared parties: their roles, and the megawatts of the sites at which they have one."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from services.aggregator.fold.state import FoldState
from services.aggregator.plan.overviews import Row, collect_site_facts, site_rows
from services.aggregator.plan.populated.racks import tenths_of
from services.aggregator.plan.projection import SupplyPlan
from services.aggregator.plan.worklist.megawatts import WaitingMegawatts
from shared.programme.megawatts import sum_tenths
from shared.programme.party_scope import PartyScope
from shared.wire.events import PartyRole
from shared.wire.firmness import Firmness

_SUMMED = ("mw", "mw_energised", "mw_to_come", "mw_stopped", "mw_populated", "mw_waiting", "mw_at_risk")
_OF_ROLE = ("mw", "mw_energised", "mw_waiting", "mw_at_risk", "first_short_day")


def party_rows(state: FoldState, plan: SupplyPlan, firmness: Firmness) -> list[Row]:
    """Return a row for each declared party in force, that with the most megawatts at risk first.

    A site counts once, however many roles the party has there. The megawatts at risk at a site are those that keep
    waiting for the wafers which a product is short of at worst: of the product for which most of them wait.
    """
    declared = state.declarations.latest()
    parties = state.declarations.parties
    facts, waiting = collect_site_facts(state, plan.today), WaitingMegawatts.of(state)
    named = {role.name for party in parties.values() for role in party.roles if role.of == "site"}
    sites = {
        row["site"]: row | {"mw_at_risk": _at_risk(row, waiting, today=plan.today)}
        for row in site_rows(facts, plan, firmness, sorted(named.intersection(facts.names)))
    }
    suppliers = {*state.lines.suppliers(), *state.curves.names("supplier")}
    rows = []
    for name, party in parties.items():
        event = declared[party.type, name]
        rows.append(
            {
                "party": name,
                "name": party.name,
                "basis": party.basis,
                "roles": [_role(role, sites, suppliers) for role in party.roles],
                **_sums([sites[site] for site in sorted(PartyScope.of(party).sites) if site in sites]),
                "source": event.source,
                "event": event.id,
            }
        )
    return sorted(rows, key=lambda row: (-(row["mw_at_risk"] or 0), -row["mw"], row["party"]))


def _at_risk(site: Row, waiting: WaitingMegawatts, today: int | None) -> float | None:
    """Return the megawatts at risk at a site, to a tenth above; None where they are not known."""
    if today is None:
        return None
    found = [waiting.waiting(each["product"], site["site"], each["shortage"]) for each in site["short_products"]]
    megawatts = [each for each in found if each is not None]
    if len(megawatts) < len(found):
        return None
    return -tenths_of(-max(megawatts)) / 10 if megawatts else 0.0


def _role(role: PartyRole, sites: Mapping[str, Row], suppliers: Collection[str]) -> Row:
    site = sites.get(role.name, {}) if role.of == "site" else {}
    figures = {name: site.get(name) for name in _OF_ROLE}
    return role.model_dump() | {"is_named": bool(site) or (role.of == "supplier" and role.name in suppliers)} | figures


def _sums(sites: Sequence[Row]) -> dict[str, Any]:
    return {
        "sites": len(sites),
        **{name: sum_tenths(site[name] or 0 if name == "mw" else site[name] for site in sites) for name in _SUMMED},
        "short_products": sum(len(site["short_products"]) for site in sites),
        "first_short_day": min((site["first_short_day"] for site in sites if site["first_short_day"]), default=None),
    }
