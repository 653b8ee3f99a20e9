"""The book of sites: their declarations, phases and milestones, and the changes of these by event."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias, cast

from shared.wire.days import DAY_US
from shared.wire.postings import SITE_EVENTS
from shared.wire.rows import Row

DECLARED, PLANNED, REPORTED = "site.declared", "phase.planned", "milestone.reported"


class SiteStatement(NamedTuple):
    """A site as one event declares it."""

    revision: int
    time: int  # microseconds since 1970
    id: str
    source: str
    site: str
    name: str
    country: str
    mooring: str
    mw: int
    pue_percent: int
    land_ha: int | None
    waterplane_m2: int | None
    kg_co2_per_mwh: int
    evidence: str
    confidence: str
    synthetic: bool = False
    power_source: str = ""


class PhaseStatement(NamedTuple):
    """A phase as one event plans it."""

    revision: int
    time: int
    id: str
    source: str
    site: str
    phase: str
    mw: int
    platform: str
    energise_on: int
    status: str
    follows: str | None = None  # a milestone of its site
    days_after: int = 0  # its day, where one is reported


class MilestoneStatement(NamedTuple):
    """The day of a site's milestone as one event reports it."""

    revision: int
    time: int
    id: str
    source: str
    site: str
    milestone: str
    day: int
    evidence: str


Fact: TypeAlias = SiteStatement | PhaseStatement | MilestoneStatement
_KINDS: tuple[type[Fact], ...] = (SiteStatement, PhaseStatement, MilestoneStatement)
_IDENTITY = ("revision", "time", "id", "source")  # of the event, not of the site or phase


class TimelineEntry(NamedTuple):
    """An entry of a site's time line: a statement of that day, or a phase energised then."""

    day: int
    kind: str  # declared, planned, altered, reported, or energises
    phase: str | None  # None: the site itself, or a milestone
    mw: int  # of a milestone: of the phases that follow it
    changes: dict[str, tuple[Any, Any]]  # field -> before, now
    source: str
    event: str
    milestone: str | None = None


class SiteBook:
    """The fold of the events of sites and phases: the same for any order, batching or repetition.

    Of the statements of one site, of one milestone of a site, or of one phase by one source, the greatest (revision,
    time, id) that is not reversed is in force.
    """

    def __init__(self) -> None:
        self._facts: dict[tuple[str, str], Fact] = {}  # by source and id
        self._reversed: set[tuple[str, str]] = set()

    def add(self, rows: Iterable[Row]) -> None:
        """Fold the events of sites among some events; skip the others."""
        for row in rows:
            if row.name in SITE_EVENTS:
                self._add(row)

    def _add(self, row: Row) -> None:
        if row.name == "event.reversed":
            self._reversed.add((row.source, row.others["reversed"]))
        else:
            self._facts[row.source, row.id] = _FACTS[row.name](row)

    # ---------------------------------------------------------------- statements

    def declared(self) -> dict[str, list[SiteStatement]]:
        """Return the statements of each site, the one in force last; the sites sorted."""
        of_site = defaultdict(list)
        for fact in self._in_order():
            if isinstance(fact, SiteStatement):
                of_site[fact.site].append(fact)
        return dict(sorted(of_site.items()))

    def declared_names(self) -> set[str]:
        """Return the sites that are declared."""
        facts = ((name, fact) for name, fact in self._facts.items() if isinstance(fact, SiteStatement))
        return {fact.site for name, fact in facts if name not in self._reversed}

    def synthetic_names(self) -> set[str]:
        """Return the sites that are declared as synthetic: demand that is put there to make a total."""
        return {name for name, statements in self.declared().items() if statements[-1].synthetic}

    def phases(self) -> dict[str, list[list[PhaseStatement]]]:
        """Return the statements of each phase of each site, the one in force last; the phases by the day they energise.

        A phase belongs to the site where it is planned now; its id is its source's. The one in force has the day that
        follows from its milestone, where one is reported.
        """
        milestones = {name: reports[-1].day for name, reports in self.milestones().items()}
        of_phase = [_with_day(history, milestones) for history in self._phase_histories()]
        of_site: defaultdict[str, list[list[PhaseStatement]]] = defaultdict(list)
        for history in sorted(of_phase, key=lambda history: (history[-1].energise_on, history[-1].phase)):
            of_site[history[-1].site].append(history)
        return dict(of_site)

    def first_stated(self) -> dict[tuple[str, str], int]:
        """Return the day on which each phase was first stated, by an event reversed since too; by source and phase."""
        days: dict[tuple[str, str], int] = {}
        for fact in self._facts.values():
            if isinstance(fact, PhaseStatement):
                phase, day = (fact.source, fact.phase), fact.time // DAY_US
                days[phase] = min(day, days.get(phase, day))
        return days

    def milestones(self) -> dict[tuple[str, str], list[MilestoneStatement]]:
        """Return the reports of each milestone by its site and name, sorted; the one in force last."""
        reports = defaultdict(list)
        for fact in self._in_order():
            if isinstance(fact, MilestoneStatement):
                reports[fact.site, fact.milestone].append(fact)
        return dict(sorted(reports.items()))

    def _phase_histories(self) -> list[list[PhaseStatement]]:
        """Return the statements of each phase as they were stated, the one in force last."""
        of_phase = defaultdict(list)
        for fact in self._in_order():
            if isinstance(fact, PhaseStatement):
                of_phase[fact.source, fact.phase].append(fact)
        return [*of_phase.values()]

    def _in_order(self) -> list[Fact]:
        """Return all statements that are not reversed, by revision, time and id."""
        return sorted(fact for name, fact in self._facts.items() if name not in self._reversed)

    def timeline(self, site: str) -> list[TimelineEntry]:
        """Return the statements that changed a site, its phases or milestones, and the days its phases energise."""
        entries = []
        for fact, changes in _changes(self.declared().get(site, [])):
            entries.append(_entry(fact, "altered" if changes else "declared", None, fact.mw, changes))
        for history in self._phase_histories():
            for planned, changes in _changes(history) if history[-1].site == site else ():
                entries.append(_entry(planned, "altered" if changes else "planned", planned.phase, planned.mw, changes))
        now = [history[-1] for history in self.phases().get(site, []) if history[-1].status == "planned"]
        entries += [
            _entry(phase, "energises", phase.phase, phase.mw, {})._replace(day=phase.energise_on) for phase in now
        ]
        for (at, milestone), reports in self.milestones().items():
            following = sum(phase.mw for phase in now if phase.follows == milestone)
            for report, changes in _changes(reports) if at == site else ():
                first = {"day": (None, report.day)}
                entry = _entry(report, "reported", None, following, changes or first)
                entries.append(entry._replace(milestone=milestone))
        return sorted(entries, key=lambda entry: (entry.day, entry.phase or "", entry.kind, entry.event))

    # ---------------------------------------------------------------- the state

    def state(self) -> list[Any]:
        """Return all that was folded as JSON has it, in one order: sites, phases, milestones, and reversed events.

        A reversal may come before its event, so all reversals are kept, those of lines included.
        """
        facts = sorted(self._facts.items())
        kinds = [[tuple(fact) for _, fact in facts if isinstance(fact, kind)] for kind in _KINDS]
        return [*kinds, sorted(self._reversed)]

    @classmethod
    def read(cls, state: list[Any]) -> "SiteBook":
        """Return the book from its state as `state` returned it."""
        sites = cls()
        *kinds, undone = state
        facts = [kind(*each) for kind, stated in zip(_KINDS, kinds, strict=True) for each in stated]
        sites._facts = {(fact.source, fact.id): fact for fact in facts}
        sites._reversed = set(map(tuple, undone))
        return sites


def _with_day(history: list[PhaseStatement], milestones: Mapping[tuple[str, str], int]) -> list[PhaseStatement]:
    """Return the statements of a phase, the last with the day that follows from its milestone, if one is reported."""
    now = history[-1]
    day = None if now.follows is None else milestones.get((now.site, now.follows))
    return history if day is None else [*history[:-1], now._replace(energise_on=day + now.days_after)]


def _changes(history: Sequence[Fact]) -> Iterator[tuple[Any, dict[str, tuple[Any, Any]]]]:
    """Yield the first statement, with no changes, and each later one that differs from the one before it."""
    for first in history[:1]:
        yield first, {}
    for before, now in pairwise(history):
        changed = {
            name: (was, is_)
            for name, was, is_ in zip(before._fields, before, now, strict=True)
            if was != is_ and name not in _IDENTITY
        }
        if changed:
            yield now, changed


def _entry(fact: Fact, kind: str, phase: str | None, mw: int, changes: dict[str, tuple[Any, Any]]) -> TimelineEntry:
    return TimelineEntry(fact.time // DAY_US, kind, phase, mw, changes, fact.source, fact.id)


# ---------------------------------------------------------------- an event as a fact


def _declared(row: Row) -> SiteStatement:
    return SiteStatement(
        *_identity(row), str(row.line), *(row.others[name] for name in SiteStatement._fields[len(_IDENTITY) + 1 :])
    )


def _planned(row: Row) -> PhaseStatement:
    others, follows = row.others, row.others["follows"] or {"milestone": None, "days": 0}
    return PhaseStatement(
        *_identity(row), str(row.site), str(row.line), others["mw"], others["platform"], cast(int, row.day),
        others["status"], follows["milestone"], follows["days"],
    )  # fmt: skip


def _reported(row: Row) -> MilestoneStatement:
    return MilestoneStatement(*_identity(row), str(row.site), str(row.line), cast(int, row.day), row.others["evidence"])


def _identity(row: Row) -> tuple[int, int, str, str]:
    return cast(int, row.revision), row.time, row.id, row.source


_FACTS: dict[str, Callable[[Row], Fact]] = {DECLARED: _declared, PLANNED: _planned, REPORTED: _reported}
