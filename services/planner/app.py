"""The planner's wiring: a party that declares the programme of its settings, and entries that come over HTTP."""

from services.planner.declarer import Declarer
from services.planner.declaring import play_declarations
from services.planner.settings import PlannerSettings
from shared.party.party import Party
from shared.play.scenario import load_scenario
from shared.service.service import Service


def build_app(settings: PlannerSettings) -> Service:
    """Return the planner's service; with a scenario it declares on the days of the play."""
    service = Service("planner", settings)
    party = Party(service, settings, "planner")
    declarer = Declarer(party)
    if settings.scenario is not None:
        play_declarations(declarer, load_scenario(settings.scenario), settings.until)
    elif settings.programme is not None:
        declarer.follow_file(settings.programme)
    return service
