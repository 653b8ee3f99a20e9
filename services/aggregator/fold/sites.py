"""The book of sites: their declarations, the phases planned there, and the changes of both by event."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias, cast

from shared.wire.days import DAY_US
from shared.wire.postings import SITE_EVENTS
from shared.wire.rows import Row

DECLARED, PLANNED = "site.declared", "phase.planned"


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


Fact: TypeAlias = SiteStatement | PhaseStatement
_IDENTITY = ("revision", "time", "id", "source")  # of the event, not of the site or phase


class TimelineEntry(NamedTuple):
    """An entry of a site's time line: a statement of that day, or a phase energised then."""

    day: int
    kind: str  # declared, planned, altered, or energises
    phase: str | None  # None: the site itself
    mw: int
    changes: dict[str, tuple[Any, Any]]  # field -> before, now
    source: str
    event: str


class SiteBook:
    """The fold of the events of sites and phases: the same for any order, batching or repetition.

    Of the statements of one site, or of one phase by one source, the greatest (revision, time, id) that is not reversed
    is in force.
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

    def phases(self) -> dict[str, list[list[PhaseStatement]]]:
        """Return the statements of each phase of each site, the one in force last; the phases by the day they energise.

        A phase belongs to the site where it is planned now; its id is its source's.
        """
        of_phase = defaultdict(list)
        for fact in self._in_order():
            if isinstance(fact, PhaseStatement):
                of_phase[fact.source, fact.phase].append(fact)
        of_site: defaultdict[str, list[list[PhaseStatement]]] = defaultdict(list)
        for history in sorted(of_phase.values(), key=lambda history: (history[-1].energise_on, history[-1].phase)):
            of_site[history[-1].site].append(history)
        return dict(of_site)

    def _in_order(self) -> list[Fact]:
        """Return all statements that are not reversed, by revision, time and id."""
        return sorted(fact for name, fact in self._facts.items() if name not in self._reversed)

    def timeline(self, site: str) -> list[TimelineEntry]:
        """Return the statements that changed a site or its phases, and the days on which its phases energise."""
        entries = []
        for fact, changes in _changes(self.declared().get(site, [])):
            entries.append(_entry(fact, "altered" if changes else "declared", None, changes))
        for history in self.phases().get(site, []):
            for planned, changes in _changes(history):
                entries.append(_entry(planned, "altered" if changes else "planned", planned.phase, changes))
            now = history[-1]
            if now.status == "planned":
                entries.append(_entry(now, "energises", now.phase, {})._replace(day=now.energise_on))
        return sorted(entries, key=lambda entry: (entry.day, entry.phase or "", entry.kind, entry.event))

    # ---------------------------------------------------------------- the state

    def state(self) -> list[Any]:
        """Return all that was folded as JSON has it, in one order: declarations, phases, and reversed events.

        A reversal may come before its event, so all reversals are kept, those of lines included.
        """
        facts = sorted(self._facts.items())
        kinds = [
            [tuple(fact) for _, fact in facts if isinstance(fact, kind)] for kind in (SiteStatement, PhaseStatement)
        ]
        return [*kinds, sorted(self._reversed)]

    @classmethod
    def read(cls, state: list[Any]) -> "SiteBook":
        """Return the book from its state as `state` returned it."""
        sites = cls()
        declared, planned, undone = state
        facts: list[Fact] = [*(SiteStatement(*each) for each in declared), *(PhaseStatement(*each) for each in planned)]
        sites._facts = {(fact.source, fact.id): fact for fact in facts}
        sites._reversed = set(map(tuple, undone))
        return sites


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


def _entry(fact: Fact, kind: str, phase: str | None, changes: dict[str, tuple[Any, Any]]) -> TimelineEntry:
    return TimelineEntry(fact.time // DAY_US, kind, phase, fact.mw, changes, fact.source, fact.id)


# ---------------------------------------------------------------- an event as a fact


def _declared(row: Row) -> SiteStatement:
    return SiteStatement(
        *_identity(row), str(row.line), *(row.others[name] for name in SiteStatement._fields[len(_IDENTITY) + 1 :])
    )


def _planned(row: Row) -> PhaseStatement:
    others = row.others
    return PhaseStatement(
        *_identity(row), str(row.site), str(row.line), others["mw"], others["platform"], cast(int, row.day),
        others["status"],
    )  # fmt: skip


def _identity(row: Row) -> tuple[int, int, str, str]:
    return cast(int, row.revision), row.time, row.id, row.source


_FACTS: dict[str, Callable[[Row], Fact]] = {DECLARED: _declared, PLANNED: _planned}
