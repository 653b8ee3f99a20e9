"""The supplier's wiring: its outbox and intake, and, given a scenario, its simulation in step with the others."""

from pydantic import Field

from services.supplier.fab import Fab
from shared.party.party import Party, PartySettings
from shared.play.scenario import load_scenario
from shared.service.service import Service


class SupplierSettings(PartySettings):
    """What a supplier must know before it starts."""

    source: str = Field(default="samsung", description="whose events it says")


def build_app(settings: SupplierSettings) -> Service:
    """Return the supplier: it says its events through its outbox, and hears what the ledger makes of them."""
    service = Service("supplier", settings)
    party = Party(service, settings, "supplier")
    if settings.scenario is not None:
        scenario = load_scenario(settings.scenario)
        start = scenario.starts_on
        party.simulate(
            Fab(scenario, settings.source, settings.seed, start, settings.until, settings.variant),
            others=dict.fromkeys(scenario.datacenters, "datacenter"),
            start=start,
            until=settings.until,
            lag_days=scenario.play.lag_days,
            pace_s=settings.pace_s,
        )
    return service
