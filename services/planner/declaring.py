"""Play of a planner: it declares the programme at the start, and each revision on the day since which it is known."""

from datetime import UTC, date, datetime, time

from services.planner.declarer import Declarer
from shared.party.simulation import ObservedEvents
from shared.play.scenario import Scenario
from shared.wire.days import DAY


def play_declarations(declarer: Declarer, scenario: Scenario, until: date) -> None:
    """Have a planner declare the scenario's programme, beside its service.

    It follows the day of one group of sites, with which all others are in step. Of several planners the first declares.
    """
    if declarer.party.outbox.source != next(iter(scenario.programme.parties.planners)):
        return
    group = next(reversed(scenario.datacenters))
    observed = ObservedEvents({group: "datacenter"})
    observed.read_by(declarer.party)

    async def declare() -> None:
        for day in scenario.declared_days(until):
            if day > scenario.starts_on:
                await observed.wait_through(day - DAY)
            observed.take_through(day)
            await declarer.declare(scenario.declared_on(day), datetime.combine(day, time(), UTC))

    declarer.party.service.run_beside(declare)
