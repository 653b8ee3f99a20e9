"""The events that a document states, given the lines that are in force."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from fractions import Fraction
from typing import Any, Literal, NamedTuple

from shared.documents.document import Document, Place, Scope
from shared.documents.problems import Problem
from shared.documents.profile import Profile


class StandingLine(NamedTuple):
    """A line, receipt, count, site or product of the source as it is in force, by the data of its last event.

    `data` has the JSON form of a CloudEvent's `data`; a field that is left out is not compared. `time` is the time of
    the event in force, and `event` its id. Of receipts the id is necessary, as a receipt that changes is reversed.
    """

    data: Mapping[str, Any]
    time: datetime
    event: str = ""


class AppliedPlan(NamedTuple):
    """A replacement that was applied: no older document states anything of its scope and horizon."""

    scope: Scope
    issued: datetime
    starts_on: date
    ends_on: date


Outcome = Literal["new", "changed", "withdrawn"]


class SaidEvent(NamedTuple):
    """One event that the document states, as a CloudEvent without a sequence, with the place that it comes from."""

    event: dict[str, Any]
    place: Place
    outcome: Outcome


class Said(NamedTuple):
    """The events of a document, or its problems and no event: a document is stated whole or not at all."""

    document: str  # id of the document, the `correlationid` of its events
    events: tuple[SaidEvent, ...]
    new: int
    changed: int
    withdrawn: int
    unchanged: int
    superseded: tuple[Problem, ...]  # lines left out, as a later document has stated them
    problems: tuple[Problem, ...]
    applied: tuple[AppliedPlan, ...] = ()  # to be kept, and passed on to the next call
    running: Mapping[Scope, Sequence[tuple[date, Fraction]]] = {}
    """Of a profile that rounds by `carry`: the exact cumulative wafers of each scope through each bucket. Keep them and
    pass the last before the first bucket of the next document in `carried`."""


def say(
    document: Document,
    standing: Sequence[StandingLine],
    source: str,
    profile: Profile,
    catalogue: Mapping[str, Any],
    issued: datetime,
    *,
    number: str = "",
    applied: Sequence[AppliedPlan] = (),
    carried: Mapping[Scope, Fraction] | None = None,
) -> Said:
    """Return the events that make the lines of the source those of the document.

    `standing` holds all lines of the source and of the document's kind. `catalogue` maps each declared product to its
    wafer model, None where it has none. `issued` is the time of the events. `number` is the partner's for the document;
    without one a digest of its meaning takes its place, so that another layout of it is the same document.
    """
    raise NotImplementedError
