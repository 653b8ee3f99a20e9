"""The planner's commands tell nothing from not known, and name what an answer as of a day includes."""

import json

import pytest
from typer.testing import CliRunner

from services.operator.cli import app
from testing.cloud_events import Party
from testing.played import play
from tests.cases.tapes import RECORDED


@pytest.fixture
def texas() -> Party:
    return Party("stargate-americas")


@pytest.fixture
def samsung() -> Party:
    return Party("samsung")


@pytest.fixture
def store(tmp_path):
    """Return a function that records events in a store, and then one that runs a command over it."""

    def record(events, **more):
        play(events, on=RECORDED, path=tmp_path / "ledger.db", **more).store.close()

        def run(*arguments):
            done = CliRunner().invoke(app, [*arguments, "--data", str(tmp_path)])
            assert done.exit_code == 0, done.stderr
            return done.stdout

        return run

    return record


def test_before_a_day_is_complete_nothing_is_said_to_be_covered(store, texas):
    run = store([texas.open("2026-10-01", 5), texas.order("2026-10-01", "o", 70, "2026-12-01")])

    for command in ("shortages", "programme", "cover", "atp", "sites", "alerts"):
        said = run(command)
        assert "no day is complete yet" in said
        assert "no day is completed by stargate-americas" in said
        assert "known" in said.partition("no day is complete yet")[0]
    assert "Not known whether anything runs short" in run("shortages")
    assert "no open alerts" not in run("programme")
    assert json.loads(run("programme", "--json"))["short"]["planned"]["count"] is None


def test_where_nothing_is_short_a_source_without_a_watermark_is_named(store, texas, samsung):
    log = [texas.open("2026-10-01", 5), texas.advance("2026-10-31")]
    run = store([*log, samsung.commit("2026-10-15", "c", 10, "2026-12-20")])

    for why in ((), ("--why",)):
        assert "Nothing runs short by what is recorded; samsung: not known." in run("shortages", *why)


def test_the_last_plan_before_the_day_went_back_stands_beside_with_its_position(store, texas, samsung):
    run = store([
        texas.order("2026-10-20", "o", 70, "2026-10-25"), texas.advance("2026-10-31"),
        samsung.commit("2026-10-15", "c", 70, "2026-10-24"), samsung.advance("2026-10-20"),
    ])  # fmt: skip
    answer = json.loads(run("shortages", "--json"))

    assert (answer["complete_through"], answer["rows"]) == ("2026-10-20", [])
    assert answer["went_back"] == {"from": "2026-10-31", "position": 1, "sources": ["samsung"]}
    assert "went back from 2026-10-31: samsung not so far; the last plan before: --as-of 1" in run("balances")
    assert "The last plan before, position 1, complete through 2026-10-31: 1 of 1" in run("shortages")
    assert "the last plan before, position 1, complete through 2026-10-31" in run("programme")
    assert json.loads(run("programme", "--json"))["last_plan"]["short"]["planned"]["count"] == 1


def test_as_of_a_day_that_is_no_position_says_what_it_includes(store, texas):
    late, soon = (
        texas.open("2026-03-01", wafers) | {"recordedtime": f"2026-03-0{day}T12:00:00Z"}
        for wafers, day in ((100, 3), (20, 2))
    )
    run = store([late, soon], trust_recorded=True, batches=1)
    then = json.loads(run("balances", "--json", "--as-of", "2026-03-02", "--day", "2026-03-01"))

    assert (then["recorded_by"], then["head"]) == ({"day": "2026-03-02", "batches": 1}, "")
    assert then["rows"][0]["on_hand"] == 20
    assert "1 batches recorded by 2026-03-02, up to position 2: no position is that day" in run(
        "balances", "--as-of", "2026-03-02", "--day", "2026-03-01"
    )
    assert json.loads(run("balances", "--json", "--as-of", "2026-03-03"))["recorded_by"] is None


# ---------------------------------------------------------------- each place that says nothing, none or zero


@pytest.fixture
def no_day(store, texas, samsung):
    """Return a function that runs a command before any day is complete."""
    log = [texas.open("2026-10-01", 5), texas.order("2026-10-01", "o", 70, "2026-12-01")]
    return store([*log, samsung.commit("2026-10-15", "c", 10, "2026-12-20")])


def test_a_bridge_before_a_day_is_complete_is_not_known(no_day):
    chosen = ("bridge", "--product", "HBM4-12H", "--site", "TX-ABILENE")
    answer = json.loads(no_day(*chosen, "--json"))

    assert (answer["projected_then"], answer["projected_now"], answer["rows"]) == (None, None, [])
    assert no_day(*chosen).startswith("Not known: a balance is projected from the first day that is complete.")


def test_a_site_before_a_day_is_complete_has_no_zeros(no_day):
    (row,) = json.loads(no_day("sites", "--json"))["rows"]

    assert {row[name] for name in ("next_due", "due", "on_hand", "cover_days", "shortage")} == {None}
    assert no_day("sites").count("not known") == 14  # twelve cells, the title, and what is to come


def test_a_window_names_a_last_day_that_is_not_complete(no_day):
    for command in ("balances", "programme"):
        assert "30 days to 2026-10-01, not complete, start basis" in no_day(command)
    assert "Commits due through no day yet against receipts" in no_day("suppliers")


def test_alerts_that_are_not_looked_for_are_not_counted_as_none(no_day):
    said = no_day("alerts")

    assert "Alerts: not known before a day is complete, when only silent sources, undeclared names and days" in said
    assert "0 are open" not in said


def test_no_alert_is_none_by_what_is_recorded_where_a_source_is_missing(store, texas, samsung):
    run = store([texas.advance("2026-10-31"), samsung.commit("2026-10-15", "c", 10, "2026-12-20")])

    assert "by what is recorded; samsung: not known" in run("alerts")


def test_a_cover_without_days_says_that_there_may_be_no_orders(store, texas):
    run = store([texas.open("2026-10-01", 5), texas.advance("2026-10-31")])

    assert "– : the orders end before the stock, or there are none" in run("cover")
