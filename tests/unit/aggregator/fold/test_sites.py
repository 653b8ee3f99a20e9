"""The book of sites against its naive twin, in any order; a story; and the reference programme."""

import itertools
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.fold.lines.book import LineBook
from services.aggregator.fold.sites import PhaseStatement, SiteBook
from shared.play.numbering import Numbering
from shared.play.scenario import load_scenario
from shared.wire.events import (
    Event,
    EventReversed,
    MilestoneDelay,
    MilestoneReported,
    PhasePlanned,
    SiteDeclared,
)
from shared.wire.rows import Row, canonical_bodies
from testing.simulate import told
from testing.twins.ledger import number

FIRST = datetime(2026, 4, 1, 12, tzinfo=UTC)
ABILENE: dict[str, Any] = {
    "name": "Abilene", "country": "US", "mooring": "onshore", "mw": 1200, "pue_percent": 120, "land_ha": 350,
    "waterplane_m2": None, "kg_co2_per_mwh": 380, "evidence": "", "confidence": "sourced",
}  # fmt: skip

days, revisions = st.integers(0, 9), st.integers(0, 3)
declarations = st.builds(
    lambda site, mw, revision: SiteDeclared(site=site, revision=revision, **(ABILENE | {"mw": mw})),
    st.sampled_from(["abilene", "narvik"]), st.integers(0, 3), revisions,
)  # fmt: skip
phases = st.builds(
    lambda site, phase, mw, day, status, revision, follows: PhasePlanned(
        site=site, phase=phase, mw=mw, platform="VR-NVL72", energise_on=date(2026, 4, 1) + timedelta(days=day),
        status=status, revision=revision, follows=follows,
    ),
    st.sampled_from(["abilene", "narvik"]), st.sampled_from(["1", "2"]), st.integers(0, 2), days,
    st.sampled_from(["planned", "paused"]), revisions,
    st.none() | st.builds(MilestoneDelay, milestone=st.sampled_from("mn"), days=st.integers(0, 9)),
)  # fmt: skip
milestones = st.builds(
    lambda site, milestone, day, revision: MilestoneReported(
        site=site, milestone=milestone, day=date(2026, 4, 1) + timedelta(days=day), revision=revision
    ),
    st.sampled_from(["abilene", "narvik"]), st.sampled_from("mn"), days, revisions,
)  # fmt: skip


@st.composite
def logs(draw):
    """What two sources say of sites, phases and milestones, some of it taken back."""
    numberings, log = [Numbering("americas"), Numbering("emea")], []
    for _ in range(draw(st.integers(0, 12))):
        time = FIRST + timedelta(days=draw(days))
        numbering = draw(st.sampled_from(numberings))
        own = [event for event in log if event.source == numbering.source]
        if own and draw(st.integers(0, 4)) == 0:
            data = EventReversed(reversed=draw(st.sampled_from(own)).id, reason="")
        else:
            data = draw(declarations | phases | milestones)
        log.append(numbering.emit(time, data))
    return log


def sites_of(*parts: list[Event]) -> SiteBook:
    sites = SiteBook()
    for part in parts:
        sites.add([Row.of(event) for event in part])
    return sites


def everything(sites: SiteBook) -> list[Any]:
    timelines = (sites.timeline(site) for site in ("abilene", "narvik"))
    return [sites.declared(), sites.phases(), sites.first_stated(), *timelines, sites.state()]


# ---------------------------------------------------------------- any log


@settings(max_examples=150, deadline=None)
@given(logs(), st.randoms(use_true_random=False), st.integers(0, 12))
def test_neither_order_nor_batches_nor_repetition_alter_anything(log, random, cut):
    shuffled = random.sample(log, len(log)) + random.sample(log, len(log) // 3)

    assert everything(sites_of(shuffled[:cut], shuffled[cut:])) == everything(sites_of(log))


@settings(max_examples=100, deadline=None)
@given(logs(), st.integers(0, 12))
def test_sites_that_are_read_again_are_the_same_and_go_on_the_same(log, cut):
    again = SiteBook.read(orjson.loads(orjson.dumps(sites_of(log[:cut]).state())))

    assert everything(again) == everything(sites_of(log[:cut]))
    again.add([Row.of(event) for event in log[cut:]])
    assert everything(again) == everything(sites_of(log))


@settings(max_examples=150, deadline=None)
@given(logs())
def test_what_holds_is_what_was_revised_last_and_not_taken_back(log):
    undone = {(event.source, event.data.reversed) for event in log if isinstance(event.data, EventReversed)}
    held: dict[Any, list[Event]] = defaultdict(list)
    for event in log:
        if (event.source, event.id) not in undone:
            match event.data:
                case SiteDeclared(site=site):
                    held[site].append(event)
                case MilestoneReported(site=site, milestone=milestone):
                    held["milestone", site, milestone].append(event)
                case PhasePlanned(phase=phase):
                    held[event.source, phase].append(event)
    now = {name: max(facts, key=lambda event: (event.data.revision, event.id)) for name, facts in held.items()}

    sites = sites_of(log)
    found: dict[Any, str] = {site: facts[-1].id for site, facts in sites.declared().items()}
    found |= {("milestone", *name): reports[-1].id for name, reports in sites.milestones().items()}
    for site, histories in sites.phases().items():
        assert all(history[-1].site == site for history in histories)
        found |= {(history[-1].source, history[-1].phase): history[-1].id for history in histories}
    assert found == {name: event.id for name, event in now.items()}
    for site in ("abilene", "narvik"):
        on = [(entry.day, entry.event) for entry in sites.timeline(site) if entry.kind == "energises"]
        assert sorted(on) == sorted(
            (energise_day(event.data, now), event.id)
            for event in now.values()
            if isinstance(event.data, PhasePlanned) and (event.data.site, event.data.status) == (site, "planned")
        )


@settings(max_examples=100, deadline=None)
@given(logs())
def test_a_phase_was_first_stated_on_the_day_of_its_first_event_taken_back_or_not(log):
    stated = defaultdict(list)
    for event in log:
        if isinstance(event.data, PhasePlanned):
            stated[event.source, event.data.phase].append(number(event.time.date()))

    assert sites_of(log).first_stated() == {phase: min(on) for phase, on in stated.items()}


def energise_day(phase: PhasePlanned, now: dict[Any, Event]) -> int:
    """Return the day of a phase: that of its milestone at its site and the days after it, once that is reported."""
    report = phase.follows and now.get(("milestone", phase.site, phase.follows.milestone))
    return number(report.data.day) + phase.follows.days if report else number(phase.energise_on)


# ---------------------------------------------------------------- worked by hand


@pytest.fixture
def story() -> list[Event]:
    """A site of two phases, of which the first slips, and then the second is paused; a word too many is taken back."""
    numbering, at = Numbering("americas"), (FIRST + timedelta(days=day) for day in itertools.count())
    first = PhasePlanned(
        site="abilene", phase="a1", mw=200, platform="VR-NVL72", energise_on=date(2026, 6, 1), status="planned",
        revision=0,
    )  # fmt: skip
    second = first.model_copy(update={"phase": "a2", "mw": 300, "energise_on": date(2026, 9, 1)})
    slipped = first.model_copy(update={"energise_on": date(2026, 7, 1), "revision": 1})
    wrong = first.model_copy(update={"mw": 2000, "revision": 2})
    log = [
        numbering.emit(next(at), data)
        for data in (
            SiteDeclared(site="abilene", revision=0, **ABILENE), first, second, slipped,
            second.model_copy(update={"status": "paused", "revision": 1}), wrong,
        )
    ]  # fmt: skip
    return [*log, numbering.emit(next(at), EventReversed(reversed=log[-1].id, reason="a zero too many"))]


def test_a_time_line_tells_each_change_on_its_day_and_what_is_still_to_happen(story):
    entries = [
        (entry.day - number(date(2026, 4, 1)), entry.kind, entry.phase, entry.mw, entry.changes)
        for entry in sites_of(story).timeline("abilene")
    ]

    june, july = number(date(2026, 6, 1)), number(date(2026, 7, 1))
    assert entries == [
        (0, "declared", None, 1200, {}),
        (1, "planned", "a1", 200, {}),
        (2, "planned", "a2", 300, {}),
        (3, "altered", "a1", 200, {"energise_on": (june, july)}),
        (4, "altered", "a2", 300, {"status": ("planned", "paused")}),
        (91, "energises", "a1", 200, {}),
    ]


def test_a_milestone_moves_the_phase_that_follows_it_and_a_reversal_moves_it_back():
    numbering, at = Numbering("americas"), (FIRST + timedelta(days=day) for day in itertools.count())
    delivery = MilestoneReported(site="barge", milestone="delivery", day=date(2026, 8, 1), revision=0)
    phase = PhasePlanned(
        site="barge", phase="b1", mw=50, platform="VR-NVL72", energise_on=date(2026, 6, 1), status="planned",
        revision=0, follows=MilestoneDelay(milestone="delivery", days=30),
    )  # fmt: skip
    slipped = delivery.model_copy(update={"day": date(2026, 9, 1), "revision": 1})
    elsewhere = delivery.model_copy(update={"site": "abilene", "day": date(2027, 1, 1)})
    planned, reported, later, other = (numbering.emit(next(at), each) for each in (phase, delivery, slipped, elsewhere))
    undone = numbering.emit(next(at), EventReversed(reversed=later.id, reason="another vessel"))

    def energised(*log: Event) -> list[int]:
        return [history[-1].energise_on for history in sites_of([*log]).phases()["barge"]]

    assert energised(planned, other) == [number(date(2026, 6, 1))]
    assert energised(planned, reported, other) == [number(date(2026, 8, 31))]
    assert energised(later, planned, reported) == [number(date(2026, 10, 1))]
    assert energised(later, planned, reported, undone) == [number(date(2026, 8, 31))]
    entries = sites_of([planned, reported, later]).timeline("barge")
    assert [(entry.kind, entry.phase, entry.milestone, entry.mw, entry.changes) for entry in entries] == [
        ("planned", "b1", None, 50, {}),
        ("reported", None, "delivery", 50, {"day": (None, number(date(2026, 8, 1)))}),
        ("reported", None, "delivery", 50, {"day": (number(date(2026, 8, 1)), number(date(2026, 9, 1)))}),
        ("energises", "b1", None, 50, {}),
    ]


def test_lines_leave_out_what_is_said_of_sites(story):
    lines = LineBook()
    lines.add(canonical_bodies([Row.of(event) for event in story]))

    assert lines.state()[:2] == [[], []]


# ---------------------------------------------------------------- the reference programme


def test_the_programme_declares_its_sites_with_the_megawatts_of_its_phases():
    scenario, day = load_scenario(), date(2026, 5, 31)
    sites = sites_of(list(told("loi_headline", day)))
    declared, planned = sites.declared(), sites.phases()

    known = {site: each.declared_on(day) for site, each in scenario.sites.items()}
    assert {site: facts[-1].mw for site, facts in declared.items()} == {
        site: each.mw for site, each in known.items() if each is not None
    }
    assert sites.synthetic_names() == set(scenario.pools.region_percent.value)
    assert {facts[-1].mooring for facts in declared.values()} == {"onshore", "floating"}
    assert [fact.revision for fact in declared["KR-FDC-FLEET"]] == [0, 1]
    stopped = {site: {history[-1].status for history in histories} - {"planned"} for site, histories in planned.items()}
    assert {site: status for site, status in stopped.items() if status} == {
        "TX-ABILENE": {"cancelled"}, "GB-STARGATE": {"paused"}, "NO-NARVIK": {"transferred"},
    }  # fmt: skip
    assert all(
        isinstance(fact, PhaseStatement) for histories in planned.values() for history in histories for fact in history
    )
