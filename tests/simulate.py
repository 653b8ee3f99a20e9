"""The parties of a scenario played against each other, day by day, as they would be over the streams."""

from collections.abc import Iterator
from datetime import date, timedelta
from operator import attrgetter
from typing import Any

from services.datacenter.buildout import Buildout
from services.supplier.fab import Fab
from shared.batch import Row
from shared.events import Event
from shared.scenario import Scenario, Variant, load_scenario

HEARD_BY_SUPPLIERS = ("demand.forecast", "demand.required")
HEARD_BY_DATACENTERS = ("supply.committed", "shipment.dispatched", "shipment.revised", "shipment.lost")
in_order = attrgetter("time", "source", "sequence")


def simulate(
    variant: Variant, until: date, seed: int = 1, scenario: Scenario | None = None
) -> Iterator[tuple[str, list[Event | dict[str, Any]]]]:
    """Yield what each source says on each day: the days in order, within a day the suppliers first.

    A party hears what the others said up to the lag before; what it misspoke is never heard.
    """
    scenario = scenario or load_scenario()
    start = scenario.starts_on
    fabs = {name: Fab(scenario, name, seed, start, until, variant) for name in scenario.suppliers}
    buildouts = {name: Buildout(scenario, name, seed, start, until, variant) for name in scenario.datacenters}
    supply: dict[date, list[Row]] = {}
    demand: dict[date, list[Row]] = {}
    day = start
    while day <= until:
        heard_on = day - timedelta(days=scenario.play.lag_days)
        supplied = sorted(supply.pop(heard_on, []), key=in_order)
        demanded = sorted(demand.pop(heard_on, []), key=in_order)
        for name, fab in fabs.items():
            said = fab.act(day, demanded)
            supply.setdefault(day, []).extend(_rows(said, HEARD_BY_DATACENTERS))
            yield name, said
        for name, buildout in buildouts.items():
            said = buildout.act(day, supplied)
            demand.setdefault(day, []).extend(_rows(said, HEARD_BY_SUPPLIERS))
            yield name, said
        day += timedelta(days=1)


def _rows(said: list[Event | dict[str, Any]], names: tuple[str, ...]) -> list[Row]:
    return [Row.of(event) for event in said if isinstance(event, Event) and event.data.type in names]
