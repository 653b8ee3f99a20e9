"""Sites of a scenario: their revisions, milestones and phases, each as known since a day; each is an event of it."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from shared.play.facts import Based, Count, Evidenced, Month, ScenarioPart
from shared.play.months import last_of_month
from shared.wire.events import MilestoneDelay, MilestoneReported

PhaseStatus = Literal["planned", "paused", "cancelled", "transferred"]


class SiteRevision(Evidenced):
    """The size of a site and the evidence for it, as known since a day; MW of the facility, cooling included."""

    known_from: date
    mw: Count
    low: Count | None = None
    high: Count | None = None
    evidence: str


class PhaseRevision(Evidenced):
    """The plan of a phase as known since a day: MW of the facility energised by the end of a month.

    Where it follows a milestone, it is energised so many days after that, and its month is that of the first plan.
    """

    known_from: date
    energise: Month
    mw: Count
    status: PhaseStatus = "planned"
    low: Count | None = None  # MW
    high: Count | None = None
    divert_to: str | None = None  # the site that takes stock and shipments, where the phase is withdrawn
    follows: MilestoneDelay | None = None


class MilestoneRevision(Evidenced):
    """The day of a milestone as known since a day, such as the delivery of a vessel by its yard."""

    known_from: date
    day: date
    evidence: str

    def reported(self, site: str, milestone: str, revision: int) -> MilestoneReported:
        """Return the event that reports it."""
        return MilestoneReported(
            site=site, milestone=milestone, day=self.day, evidence=self.evidence, revision=revision
        )


class PlannedPhase(NamedTuple):
    """A phase as it is planned on some day."""

    site: str
    name: str
    mw: int
    platform: str
    energise_on: date
    status: PhaseStatus
    follows: MilestoneDelay | None = None


class ScenarioSite(ScenarioPart):
    """A site, its revisions, and those of its milestones and phases, in the order of their days."""

    id: str
    name: str
    country: str
    mooring: Literal["onshore", "floating"]
    pool: bool = False
    priority: Based[Annotated[int, Field(ge=1, le=9)]]
    platform: Based[str] | None = None
    land_ha: Based[Count | None] | None = None
    waterplane_m2: Based[Count] | None = None
    pue_percent: Based[Annotated[int, Field(ge=100, le=300)]]
    power_source: Based[str] = Based(value="", note="not stated")
    kg_co2_per_mwh: Based[Count]
    declared: Annotated[list[SiteRevision], Field(min_length=1)]
    milestones: dict[str, Annotated[list[MilestoneRevision], Field(min_length=1)]] = Field(default_factory=dict)
    phases: dict[int, Annotated[list[PhaseRevision], Field(min_length=1)]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        days_of: list[list[date]] = [
            [revision.known_from for revision in self.declared],
            *([revision.known_from for revision in each] for each in self.milestones.values()),
            *([revision.known_from for revision in phase] for phase in self.phases.values()),
        ]
        for days in days_of:
            if days != sorted(set(days)):
                raise ValueError(f"the revisions of {self.id} are not in the order of their days, or two have one day")
        if self.phases and self.platform is None:
            raise ValueError(f"{self.id} has phases but no platform")
        for revision in (revision for phase in self.phases.values() for revision in phase):
            followed = revision.follows
            if followed is not None and self._milestone_day(followed.milestone, revision.known_from) is None:
                raise ValueError(f"{self.id} has no day of {followed.milestone} on {revision.known_from}")
        return self

    def declared_on(self, day: date) -> SiteRevision | None:
        """Return the revision in force on a day; None before the first."""
        so_far = [revision for revision in self.declared if revision.known_from <= day]
        return so_far[-1] if so_far else None

    def phases_on(self, day: date) -> Iterator[PlannedPhase]:
        """Yield the phases as they are planned on a day."""
        for number, revisions in self.phases.items():
            so_far = [revision for revision in revisions if revision.known_from <= day]
            if so_far:
                yield self._planned(number, so_far[-1], day)

    def revised_on(self, day: date) -> Iterator[tuple[PlannedPhase, PhaseRevision]]:
        """Yield the phases that have a new plan since a day."""
        for number, revisions in self.phases.items():
            yield from ((self._planned(number, each, day), each) for each in revisions if each.known_from == day)

    def following(self, milestone: str, day: date) -> Iterator[PlannedPhase]:
        """Yield the phases that follow a milestone, as they are planned on a day."""
        for phase in self.phases_on(day):
            if phase.follows is not None and phase.follows.milestone == milestone:
                yield phase

    def reported_on(self, day: date) -> Iterator[tuple[str, MilestoneRevision]]:
        """Yield the milestones that have another day since a day."""
        for name, reports in self.milestones.items():
            yield from ((name, report) for report in reports if report.known_from == day)

    def milestones_on(self, day: date) -> Iterator[tuple[str, MilestoneRevision]]:
        """Yield the milestones with the day that is known on a day."""
        for name, reports in self.milestones.items():
            so_far = [report for report in reports if report.known_from <= day]
            if so_far:
                yield name, so_far[-1]

    def _milestone_day(self, milestone: str, on: date) -> date | None:
        return next((report.day for name, report in self.milestones_on(on) if name == milestone), None)

    def diverted_to(self) -> str | None:
        """Return the site that takes the shipments when a phase is withdrawn; None where none does."""
        revisions = [revision for each in self.phases.values() for revision in each]
        return next((revision.divert_to for revision in revisions if revision.divert_to), None)

    def _planned(self, number: int, plan: PhaseRevision, on: date) -> PlannedPhase:
        platform = self.platform.value if self.platform else ""
        energise_on, follows = last_of_month(plan.energise), plan.follows
        milestone_day = self._milestone_day(follows.milestone, on) if follows else None
        if follows and milestone_day:
            energise_on = milestone_day + timedelta(days=follows.days)
        return PlannedPhase(self.id, f"{self.id}.{number}", plan.mw, platform, energise_on, plan.status, follows)
