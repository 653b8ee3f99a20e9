"""Declared parties: the megawatts of their sites, each counted once, and the answers for one of them."""

from datetime import UTC, date, datetime

import pytest

from services.aggregator.alerts.filtering import select_alerts
from services.aggregator.alerts.finding import Alert
from services.aggregator.fold.curves import Curves
from services.aggregator.fold.state import FoldState
from shared.play.numbering import Numbering
from shared.programme.changes import find_changes
from shared.programme.declarations import Declarations
from shared.programme.party_scope import PartyScope
from shared.programme.programme_file import read_programme
from shared.wire.events import DemandRequired, Event, PartyDeclared, PartyRole, PhasePlanned, SiteDeclared, StockOpened
from testing.lines import KEY, Story
from testing.reference import PROGRAMME_PATH
from tests.unit.aggregator.plan.test_overviews import Asked

AT = datetime(2026, 4, 1, 9, tzinfo=UTC)
PROGRAMME = read_programme(PROGRAMME_PATH.read_text(encoding="utf-8")).entries().model_copy(update={"companies": {}})
ALPHA = PartyDeclared(
    party="alpha", name="Alpha", revision=0,
    roles=[
        PartyRole(role="tenant", of="site", name="abilene"), PartyRole(role="owner", of="site", name="abilene"),
        PartyRole(role="tenant", of="site", name="narvik"), PartyRole(role="customer", of="supplier", name="samsung"),
    ],
)  # fmt: skip
BETA = PartyDeclared(party="beta", revision=0, roles=[PartyRole(role="owner", of="site", name="narvik")])
GAMMA = PartyDeclared(party="gamma", revision=0, roles=[PartyRole(role="owner", of="site", name="narvick")])


def declared(*parties: PartyDeclared) -> list[Event]:
    planner = Numbering("planner")
    programme = [change.declared for change in find_changes(PROGRAMME, Declarations())]
    return [planner.emit(AT, data) for data in (*programme, *parties)]


@pytest.fixture
def log() -> list[Event]:
    """As of the 6th: abilene lacks 20 of 100 on the 12th, narvik has lacked 7 since the 5th."""
    story = Story()
    site = SiteDeclared(
        site="abilene", name="Abilene", country="US", mooring="onshore", mw=1200, pue_percent=120, land_ha=350,
        waterplane_m2=None, kg_co2_per_mwh=380, evidence="", confidence="sourced", revision=0,
    )  # fmt: skip
    phase = PhasePlanned(
        site="abilene", phase="a1", mw=200, platform="VR-NVL72", energise_on=date(2026, 3, 3), status="planned",
        revision=0,
    )  # fmt: skip
    story.say(1, site)
    story.say(1, site.model_copy(update={"site": "narvik", "mw": 100}))
    story.say(1, phase)
    for name, more in (
        ("a2", {"mw": 300}),
        ("a3", {"mw": 5, "status": "paused"}),
        ("n1", {"mw": 50, "site": "narvik"}),
    ):
        story.say(1, phase.model_copy(update={"phase": name, "energise_on": date(2026, 6, 30)} | more))
    story.say(1, StockOpened(wafers=30, **KEY))
    story.order(1, 100, 12)
    story.commit(1, 50, 10)
    story.order(1, 7, 5, line="n", site="narvik")
    story.commit(1, 7, 4, line="n", site="narvik")
    return story.log


@pytest.fixture
def asked(log) -> Asked:
    return Asked([*declared(GAMMA, BETA, ALPHA), *log], date(2026, 4, 6))


def test_a_site_counts_once_and_the_party_with_the_most_at_risk_comes_first(asked):
    figures = (
        "party", "sites", "mw", "mw_energised", "mw_to_come", "mw_stopped", "mw_waiting", "mw_at_risk",
        "short_products", "first_short_day",
    )  # fmt: skip

    # HBM4-12H takes 88.79 wafers a megawatt: 20 keep 0.23 waiting at abilene, 7 keep 0.08 at narvik, to a tenth above
    assert [tuple(row[name] for name in figures) for row in asked("/parties")["rows"]] == [
        ("alpha", 2, 1300, 200, 350, 5, 0.0, 0.4, 2, "2026-04-06"),
        ("beta", 1, 100, 0, 50, 0, 0.0, 0.1, 1, "2026-04-06"),
        ("gamma", 0, 0, 0, 0, 0, 0, 0, 0, None),
    ]


def test_the_figures_of_a_party_are_those_of_the_sites_that_it_is_shown(asked):
    for row in asked("/parties")["rows"]:
        sites = asked(f"/sites?party={row['party']}")["rows"]

        assert row["sites"] == len(sites)
        for name in ("mw", "mw_energised", "mw_to_come", "mw_stopped"):
            assert row[name] == sum(site[name] for site in sites)
        assert row["short_products"] == len(asked(f"/shortages?party={row['party']}")["rows"])


def test_a_role_at_a_site_that_no_other_event_names_is_marked(asked):
    roles = [role for row in asked("/parties")["rows"] for role in row["roles"]]

    assert {role["name"]: role["is_named"] for role in roles} == {
        "abilene": True, "narvik": True, "samsung": True, "narvick": False,
    }  # fmt: skip


def test_answers_for_a_party_are_those_of_its_sites_and_of_its_suppliers_lines(asked):
    def sites(path: str) -> set[str]:
        return {row["site"] for row in asked(path)["rows"]}

    assert sites("/shortages?party=alpha") == sites("/sites?party=alpha") == {"abilene", "narvik"}
    assert sites("/shortages?party=beta") == sites("/sites?party=beta") == sites("/cover?party=beta") == {"narvik"}
    assert sites("/shortages?party=gamma") == sites("/sites?party=gamma") == set()

    def work(party: str) -> set[tuple[str, str | None]]:
        rows = asked(f"/worklist?party={party}")["rows"]
        return {(item["site"], item["supplier"]) for row in rows for item in row["items"]}

    assert work("alpha") == {("abilene", None), ("narvik", None), (None, "samsung")}
    assert work("beta") == {("narvik", None), (None, "samsung")}  # the overdue commit is for its site
    assert work("gamma") == set()
    assert {row["subject"]["site"] for row in asked("/alerts?party=beta&code=short_within")["rows"]} == {"narvik"}


@pytest.mark.parametrize("path", ["parties", "shortages", "cover", "sites", "worklist", "alerts"])
def test_a_party_that_is_not_declared_is_refused_with_those_that_are(asked, path):
    answer = asked.response(f"/{path}?party=delta")

    assert (answer.status_code, answer.json()["detail"]) == (
        404,
        "party is 'delta'; declared are alpha, beta, gamma",
    )


def test_without_a_today_no_megawatt_at_risk_is_known(log):
    alpha, *_ = Asked([*declared(ALPHA), *log], None)("/parties")["rows"]

    assert (alpha["mw"], alpha["mw_energised"], alpha["mw_at_risk"]) == (1300, None, None)


def test_without_a_programme_no_megawatt_waiting_is_known(log):
    planner = Numbering("planner")
    alpha, *_ = Asked([planner.emit(AT, ALPHA), *log], date(2026, 4, 6))("/parties")["rows"]

    assert (alpha["mw_energised"], alpha["mw_waiting"], alpha["mw_at_risk"]) == (200, None, None)


def test_alerts_of_a_party_name_its_sites_or_suppliers_or_none():
    short, slip, silent = (
        Alert("short_within", ("HBM4-12H", "abilene"), 1, {}),
        Alert("slip_beyond", ("samsung", "HBM4-12H"), 1, {}),
        Alert("source_silent", ("americas",), 1, {}),
    )
    state = FoldState(Curves(date(2026, 4, 1), 30))

    def selected(sites: set[str], suppliers: set[str]) -> list[Alert]:
        return select_alerts(state, (short, slip, silent), {}, PartyScope(frozenset(sites), frozenset(suppliers)))

    assert selected({"abilene"}, set()) == [short, silent]
    assert selected({"narvik"}, {"samsung"}) == [slip, silent]
    assert selected(set(), set()) == [silent]


def test_a_product_that_no_phase_takes_leaves_the_megawatts_at_risk_as_they_are(log):
    other = DemandRequired(
        **KEY | {"product": "NAND-1T"}, line="x", due=date(2026, 4, 9), start_by=date(2026, 4, 1), priority=1,
        wafers=500, revision=0,
    )  # fmt: skip
    asked = Asked([*declared(ALPHA), *log, Numbering("emea").emit(AT, other)], date(2026, 4, 6))

    [row] = asked("/parties")["rows"]
    assert (row["short_products"], row["mw_at_risk"]) == (3, 0.4)
