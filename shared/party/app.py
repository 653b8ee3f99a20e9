"""The wiring of a party: outbox and intake, and, given a scenario, the simulation of its domain."""

from datetime import UTC, date, datetime, time
from typing import Protocol

from shared.party.party import Party
from shared.party.settings import PartySettings
from shared.party.simulation import SimulatedParty, Simulation
from shared.play.scenario import Scenario, load_scenario
from shared.play.variants import Variant, variant_named
from shared.service.service import Service
from shared.wire.days import microseconds
from shared.wire.streams import Role


class Domain(Protocol):
    """Makes the simulated party of a source."""

    def __call__(
        self, scenario: Scenario, source: str, seed: int, start: date, until: date, variant: Variant
    ) -> SimulatedParty:
        """Return the party as it is before the first day."""


def build_party(role: Role, settings: PartySettings, domain: Domain) -> Service:
    """Return the service of a party; with a scenario in its settings, the domain simulates it."""
    service = Service(role, settings)
    party = Party(service, settings, role)
    if settings.scenario is not None:
        scenario = load_scenario(settings.scenario)
        start = scenario.starts_on
        others: dict[str, Role] = (
            dict.fromkeys(scenario.datacenters, "datacenter")
            if role == "supplier"
            else dict.fromkeys(scenario.suppliers, "supplier")
        )
        planner = next(iter(scenario.programme.parties.planners), "")
        is_declared = bool(planner) and planner in settings.planners.split(",")
        revised = set(scenario.declared_days(settings.until)[1:] if is_declared else ())

        async def wait_until_declared(day: date) -> None:
            if day in revised:
                declared_at = microseconds(datetime.combine(day, time(), UTC))
                await party.declared.wait_until_declared(scenario.declared_on(day), planner, declared_at)

        Simulation(
            party,
            domain(scenario, settings.source, settings.seed, start, settings.until, variant_named(settings.variant)),
            others,
            start=start,
            until=settings.until,
            lag_days=scenario.play.lag_days,
            pace_s=settings.pace_s,
            wait_until_declared=wait_until_declared,
        )
    return service
