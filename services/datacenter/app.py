"""The datacenter's wiring: its outbox and intake, and, given a scenario, its simulation in step with the others."""

from pydantic import Field

from services.datacenter.buildout import Buildout
from shared.party.party import Party, PartySettings
from shared.play.scenario import load_scenario
from shared.service.service import Service


class DatacenterSettings(PartySettings):
    """What a datacenter must know before it starts."""

    source: str = Field(default="stargate-americas", description="whose events it says")


def build_app(settings: DatacenterSettings) -> Service:
    """Return the datacenter: it says its events through its outbox, and hears what the ledger makes of them."""
    service = Service("datacenter", settings)
    party = Party(service, settings, "datacenter")
    if settings.scenario is not None:
        scenario = load_scenario(settings.scenario)
        start = scenario.starts_on
        party.simulate(
            Buildout(scenario, settings.source, settings.seed, start, settings.until, settings.variant),
            others=dict.fromkeys(scenario.suppliers, "supplier"),
            start=start,
            until=settings.until,
            lag_days=scenario.play.lag_days,
            pace_s=settings.pace_s,
        )
    return service
