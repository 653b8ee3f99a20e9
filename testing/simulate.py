"""The parties of a scenario played against each other, day by day, as they would be over the streams."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from operator import attrgetter
from typing import Any

from services.datacenter.buildout import Buildout
from services.supplier.fab import Fab
from shared.play.numbering import Numbering
from shared.play.scenario import Scenario, load_scenario
from shared.play.variants import Variant
from shared.programme.changes import find_changes
from shared.programme.declarations import Declarations
from shared.wire.events import Event
from shared.wire.rows import Row

SUPPLY_HEARD = ("supply.committed", "shipment.dispatched", "shipment.revised", "shipment.lost")
DEMAND_HEARD = ("demand.forecast", "demand.required")
_in_order = attrgetter("time", "source", "sequence")


def simulate(
    variant: Variant,
    until: date,
    seed: int = 1,
    scenario: Scenario | None = None,
    backwards: bool = False,
) -> Iterator[tuple[str, list[Event | dict[str, Any]]]]:
    """Yield what each source says on each day, the days in order; within a day the suppliers first, or last.

    A party hears what the others said up to the lag before; what one misspoke is never heard.
    """
    scenario = scenario or load_scenario()
    start = scenario.starts_on
    parties: dict[str, Fab | Buildout] = {
        **{name: Fab(scenario, name, seed, start, until, variant) for name in scenario.suppliers},
        **{name: Buildout(scenario, name, seed, start, until, variant) for name in scenario.datacenters},
    }
    supply: dict[date, list[Row]] = {}
    demand: dict[date, list[Row]] = {}
    day = start
    while day <= until:
        heard_on = day - timedelta(days=scenario.play.lag_days)
        supplied = sorted(supply.pop(heard_on, []), key=_in_order)
        demanded = sorted(demand.pop(heard_on, []), key=_in_order)
        for name in reversed(parties) if backwards else parties:
            if name in scenario.suppliers:
                said = parties[name].act(day, demanded)
                supply.setdefault(day, []).extend(_rows(said, SUPPLY_HEARD))
            else:
                said = parties[name].act(day, supplied)
                demand.setdefault(day, []).extend(_rows(said, DEMAND_HEARD))
            yield name, said
        day += timedelta(days=1)


def declarations(until: date, scenario: Scenario | None = None) -> list[Event]:
    """Return what the planner declares on the days of the play, up to the last one."""
    scenario = scenario or load_scenario()
    [planner] = scenario.programme.parties.planners
    numbering, declared, events = Numbering(planner), Declarations(), list[Event]()
    for day in scenario.declared_days(until):
        changes = find_changes(scenario.declared_on(day), declared)
        said = [numbering.emit(datetime.combine(day, time(), UTC), change.declared) for change in changes]
        declared.add([Row.of(event) for event in said])
        events += said
    return events


def _rows(said: list[Event | dict[str, Any]], names: tuple[str, ...]) -> list[Row]:
    return [Row.of(event) for event in said if isinstance(event, Event) and event.data.type in names]


@cache
def kept_days(variant: Variant, until: date) -> tuple[tuple[str, list[Event | dict[str, Any]]], ...]:
    """Return what each source says on each day, kept for the tests that look at the same run."""
    return tuple(simulate(variant, until))


@cache
def told(variant: Variant, until: date) -> tuple[Event, ...]:
    """Return every event of the kept run that was said right."""
    return tuple(event for _, said in kept_days(variant, until) for event in said if isinstance(event, Event))
