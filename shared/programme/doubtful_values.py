"""Doubtful values of events: sites that nobody declares, and due days outside the horizon. Each may be a typo."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from shared.programme.declarations import nearest_names
from shared.wire.events import UNALLOCATED

_SITES = ("site", "to_site")
_DUE_DAYS = ("due", "eta")


class DeclaredBounds(NamedTuple):
    """The sites that are declared, and the horizon; where no site is declared, any site passes."""

    sites: frozenset[str]
    starts_on: date
    ends_on: date

    @classmethod
    def of(cls, sites: Iterable[Mapping[str, Any]], state: Mapping[str, Any]) -> "DeclaredBounds":
        """Return the bounds of the aggregator's answers: the rows of `/sites`, and `/state`."""
        starts_on = date.fromisoformat(state["horizon"]["start"])
        ends_on = starts_on + timedelta(days=state["horizon"]["days"] - 1)
        return cls(frozenset(row["site"] for row in sites if row["confidence"] is not None), starts_on, ends_on)


class DoubtfulValue(NamedTuple):
    """A value of an event that may be a typo, and why: the event is as valid as any other."""

    code: Literal["undeclared_site", "due_outside_horizon"]
    value: str
    reason: str


def find_doubtful_values(
    events: Iterable[tuple[str, Mapping[str, Any]]], declared: DeclaredBounds
) -> Iterator[tuple[int, DoubtfulValue]]:
    """Yield the doubtful values of some events, each by the name of its type and its data, with the event's index.

    A site that one of the events declares is no doubtful one.
    """
    listed = list(events)
    own = {data.get("site") for name, data in listed if name == "site.declared"}
    sites = declared.sites | {site for site in own if isinstance(site, str)}
    for index, (name, data) in enumerate(listed):
        if name != "site.declared" and declared.sites:
            for site in dict.fromkeys(data.get(field) for field in _SITES):
                if isinstance(site, str) and site not in sites and site != UNALLOCATED:
                    yield index, DoubtfulValue("undeclared_site", site, _explain_site(site, sites))
        for field in _DUE_DAYS:
            day = _day_of(data.get(field))
            if day is not None and not declared.starts_on <= day <= declared.ends_on:
                horizon = f"{declared.starts_on} to {declared.ends_on}"
                reason = f"{field} is {day}, outside the horizon, {horizon}"
                yield index, DoubtfulValue("due_outside_horizon", str(day), reason)


@lru_cache(maxsize=1_024)
def _explain_site(site: str, sites: frozenset[str]) -> str:
    nearest = nearest_names(site, sites)
    advice = f"the nearest names that are: {', '.join(nearest)}" if nearest else f"{len(sites)} others are"
    return f"no site {site} is declared; {advice}"


def _day_of(value: Any) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None  # the ledger refuses it
