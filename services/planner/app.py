"""The planner's wiring: a party that declares the programme of its settings, and entries that come over HTTP."""

from datetime import UTC, datetime, time

from services.planner.declarer import Declarer
from services.planner.settings import PlannerSettings
from shared.party.party import Party
from shared.play.scenario import load_scenario
from shared.service.service import Service


def build_app(settings: PlannerSettings) -> Service:
    """Return the planner's service; with a scenario it declares at the play's start."""
    service = Service("planner", settings)
    party = Party(service, settings, "planner")
    declarer = Declarer(party)
    if settings.scenario is not None:
        scenario = load_scenario(settings.scenario)
        declarer.declare_at_start(scenario.programme, datetime.combine(scenario.starts_on, time(), UTC))
    elif settings.programme is not None:
        declarer.follow_file(settings.programme)
    return service
