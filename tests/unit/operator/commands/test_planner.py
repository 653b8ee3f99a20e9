"""The planner's commands over a small made-up store."""

import csv
import json
import sqlite3
from datetime import UTC, date, datetime

import pytest
from typer.testing import CliRunner

from services.operator.cli import app
from shared.wire.days import microseconds
from shared.wire.events import PhasePlanned, SiteDeclared, SourceAdvanced, StockOpened, StockTransferred
from testing.fold import fold
from testing.lines import KEY, Story


@pytest.fixture
def story() -> Story:
    """As of the 6th abilene has 30 on hand and 50 committed, once 100; narvik waits for an overdue commit."""
    story = Story()
    story.say(1, StockOpened(wafers=30, **KEY))
    story.order(1, 100, 12)
    story.commit(1, 100, 10)
    story.commit(2, 50, 10, 1)
    story.order(1, 7, 5, line="n", site="narvik")
    story.commit(1, 7, 4, line="n", site="narvik", reason="the furnace is down")
    return story


def ask(tmp_path, story, *arguments):
    for voice in (story.supplier, story.center):
        time = story.log[-1].time
        story.log.append(voice.emit(time, SourceAdvanced(through=date(2026, 4, 5))))
    path = tmp_path / "ledger.db"
    log = sorted(story.log, key=lambda event: (event.source, event.sequence))
    fold(log, path=path, now=microseconds(datetime(2026, 6, 1, tzinfo=UTC))).store.close()
    return CliRunner().invoke(app, [*arguments, "--data", str(tmp_path)])


def test_why_is_told_in_words_with_the_events(tmp_path, story):
    said = ask(tmp_path, story, "shortages", "--why").stdout

    committed, overdue = story.log[3].id, story.log[5].id
    for words in (
        "HBM4-12H at abilene", "20 wafers short on 2026-04-12, 20 at worst on 2026-04-12; today is 2026-04-06",
        "0 short now, 30 on hand; short until: not within the horizon; start 20 wafers by 2026-04-08, for 2026-04-12",
        "no supply", "on hand", "samsung commit c", committed, "never promised", "projected now",
        "HBM4-12H at narvik", "7 short now since 2026-04-05", "Overdue", "samsung commit n", overdue,
        "the furnace is down",
        "waferline event SOURCE/EVENT", "complete through 2026-04-05",
    ):  # fmt: skip
        assert words in said
    assert "None" not in said


def test_why_is_of_one_site_if_asked(tmp_path, story):
    said = ask(tmp_path, story, "shortages", "--why", "--site", "narvik", "--product", "HBM4-12H").stdout

    assert ("narvik" in said, "abilene" in said) == (True, False)


def test_more_are_told_than_the_aggregator_looks_into_at_once(tmp_path, story):
    sites = [f"site-{n}" for n in range(5)]
    for n, site in enumerate(sites):
        story.order(1, 10, 7 + n, line=site, site=site)
    said = ask(tmp_path, story, "shortages", "--why", "--limit", "6").stdout

    by_place = sorted((said.index(f" at {site}\n"), site) for site in (*sites, "abilene"))
    assert " at narvik\n" not in said  # it is too late to start wafers for it, so it comes last
    assert [site for _, site in by_place] == ["abilene", *sites]
    assert "1 more run short" in said


def test_of_long_lists_the_first_are_shown_and_how_many_there_are(tmp_path, story):
    for n in range(12):
        story.order(1, 10, 13 + n, line=f"o-{n:02}")
    said = ask(tmp_path, story, "shortages", "--why", "--limit", "1", "--site", "abilene").stdout

    assert "Orders short or late: 5 of 13" in said
    assert "more run short" not in said


def test_how_many_more_run_short_is_told(tmp_path, story):
    assert "1 more run short: name a --site or a --product" in ask(
        tmp_path, story, "shortages", "--why", "--limit", "1"
    ).stdout.replace("\n", " ")


def test_what_is_overdrawn_is_said(tmp_path, story):
    story.say(3, StockTransferred(wafers=70, to_site="narvik", **KEY))

    assert "40 more left the stock than ever came" in ask(tmp_path, story, "shortages", "--why").stdout


def test_performance_is_told_by_product_and_lag(tmp_path, story):
    said = ask(tmp_path, story, "performance", "samsung", "--product", "HBM4-12H").stdout

    assert "Commits and receipts of samsung, due through 2026-04-05" in said
    assert "within the tolerance of the programme: at most 7 days late, at least 95 %" in said
    row = next(line.split() for line in said.splitlines() if "HBM4-12H" in line)
    assert row == ["HBM4-12H", "7", "0", "0.0", "0.0", "1", "0", "0.0", "0", "0", "–"]
    lags = [line.split() for line in said.splitlines() if "HBM4-12H" in line][1:]
    assert lags[0] == ["HBM4-12H", "0", "7", "–", "0.0", "-7", "-100.0", "1.0", "1", "7"]
    assert lags[1][:3] == ["HBM4-12H", "28", "0"]


def test_performance_of_who_never_committed_says_so(tmp_path, story):
    story.order(1, 5, 9, line="u", supplier="unattributed")

    assert "no commits" in ask(tmp_path, story, "performance", "unattributed").stdout


@pytest.mark.parametrize(
    "arguments",
    [("performance", "samsung"), ("shortages", "--why"), ("cover", "--site", "abilene"), ("atp", "--site", "abilene")],
)
def test_a_script_gets_json(tmp_path, story, arguments):
    answer = json.loads(ask(tmp_path, story, *arguments, "--json").stdout)

    assert answer["complete_through"] == "2026-04-05"
    assert answer["rows"]


# ---------------------------------------------------------------- sites, suppliers, months, the programme


@pytest.fixture
def built(story) -> Story:
    """Abilene is declared, of two phases of which one was put off."""
    story.say(
        1,
        SiteDeclared(
            site="abilene", name="Abilene", country="US", mooring="onshore", mw=1200, pue_percent=120, land_ha=350,
            waterplane_m2=None, kg_co2_per_mwh=380, evidence="", confidence="sourced", revision=0,
        ),
    )  # fmt: skip
    phase = PhasePlanned(
        site="abilene", phase="a1", mw=200, platform="VR-NVL72", energise_on=date(2026, 4, 3), status="planned",
        revision=0,
    )  # fmt: skip
    story.say(1, phase)
    story.say(1, phase.model_copy(update={"phase": "a2", "mw": 300}))
    story.say(2, phase.model_copy(update={"phase": "a2", "mw": 300, "energise_on": date(2026, 6, 1), "revision": 1}))
    return story


def row_of(said, name):
    """The cells of each line of tables that begins with a name."""
    return [line.split() for line in said.splitlines() if line.split()[:1] == [name]]


def test_sites_are_told_with_what_they_need_and_what_they_are(tmp_path, built):
    said = ask(tmp_path, built, "sites").stdout

    needs, what = row_of(said, "abilene")
    assert needs == [
        "abilene", "2026-04-12", "2026-04-12", "100", "30", "6.3", "1", "of", "1", "–", "2026-04-12", "HBM4-12H", "20",
    ]  # fmt: skip
    assert what == [
        "abilene", "onshore", "US", "1,200", "200", "not", "known", "not", "known", "–", "300", "0", "▆█", "2026-06-01",
        "350", "ha", "14,400", "5.5",
    ]  # fmt: skip
    assert row_of(said, "narvik")[1][:3] == ["narvik", "–", "–"]


def test_a_site_is_told_with_what_was_altered_and_its_months(tmp_path, built):
    said = ask(tmp_path, built, "site", "abilene").stdout

    assert "onshore, US, 1,200 MW at a PUE of 1.20, 350 ha, 380 kg CO2 a MWh" in said
    assert f"2026-04-02   a2   energise on 2026-04-03 → 2026-06-01   americas/{built.log[-3].id}" in said
    assert row_of(said, "2026-04") == [["2026-04", "200", "–", "–", "100", "0", "50", "0", "50", "0", "30"]]
    assert "200 MW on, populated: not known; 14,400 MWh, 5,472 t CO2 since energised" in said
    assert "Short: 1 of 1 products" in said
    assert row_of(said, "due") == [["due", "█▁▁"]]


def test_the_footprint_is_told_by_mooring(tmp_path, built):
    said = ask(tmp_path, built, "footprint", "--by", "mooring,country").stdout

    assert row_of(said, "onshore") == [
        ["onshore", "US", "1", "1,200", "200", "–", "–", "14,400", "5,472", "4,380,000", "1,664,400", "380", "350", "–",
         "2,917"],
    ]  # fmt: skip


def test_suppliers_are_told_with_their_word_and_what_they_make(tmp_path, built):
    said = ask(tmp_path, built, "suppliers", "--lag", "0").stdout

    assert row_of(said, "HBM4-12H") == [
        ["HBM4-12H", "samsung", "7", "0", "–", "0.0", "0.0", "-100.0", "1.0", "1", "7"],
        ["HBM4-12H", "samsung", "not", "reported", "–", "–", "–", "–"],
    ]


def test_months_are_told_as_tables_and_bars(tmp_path, built):
    said = ask(tmp_path, built, "months").stdout

    table, receipts, bar = row_of(said, "2026-04")
    assert (table[1], receipts[1], bar[-1]) == ("107", "107", "-50")
    assert bar[1] == "▓" * 32


def test_the_programme_is_told_at_a_glance(tmp_path, built):
    said = ask(tmp_path, built, "programme").stdout

    assert "Programme, 30 days to 2026-04-05, start basis" in said
    assert row_of(said, "total")[0] == ["total", "0", "107", "-107", "107", "2", "of", "2"]
    assert row_of(said, "sites")[0] == ["sites", "not", "declared", "0", "7", "-7", "7", "1", "of", "1"]
    assert "%" not in said  # no programme declares a target
    assert row_of(said, "planned")[0] == [
        "planned", "or", "above", "2", "narvik", "HBM4-12H", "7", "since", "2026-04-05", "7", "2026-04-06", "not",
        "within", "the", "horizon",
    ]  # fmt: skip
    assert "To act on first: HBM4-12H at " in said


@pytest.mark.parametrize("command", ["programme", "months", "sites", "footprint", "suppliers", "alerts", "cover"])
def test_what_was_known_then_can_be_asked_of_all(tmp_path, built, command):
    """After the first batch, which was of the sites alone, and now."""
    now = json.loads(ask(tmp_path, built, command, "--json").stdout)
    then = json.loads(CliRunner().invoke(app, [command, "--json", "--as-of", "1", "--data", str(tmp_path)]).stdout)

    assert (now["position"], then["position"]) == (2, 1)
    assert (now["complete_through"], then["complete_through"]) != (None, None)


# ---------------------------------------------------------------- for a spreadsheet


@pytest.mark.parametrize(
    "arguments",
    [
        ("programme",), ("months",), ("sites",), ("site", "abilene"), ("suppliers",), ("shortages",), ("alerts",),
        ("balances", "--by", "site"), ("cover",), ("atp", "--site", "abilene"), ("performance", "samsung"),
    ],
)  # fmt: skip
def test_a_spreadsheet_gets_every_number_of_the_rows(tmp_path, built, arguments):
    """A row a row, named as in JSON; but lists are left out."""
    rows = list(csv.DictReader(ask(tmp_path, built, *arguments, "--csv").stdout.splitlines()))
    answer = json.loads(CliRunner().invoke(app, [*arguments, "--json", "--data", str(tmp_path)]).stdout)

    told = answer["rows"] if "rows" in answer else answer["months"]
    if arguments[0] == "performance":
        told = [row | at for row in told for at in row["lags"]]
    assert len(rows) == len(told) > 0
    for row, expected in zip(rows, told, strict=True):
        for name, value in cells(expected):
            assert row[name] == ("" if value is None else json.dumps(value) if isinstance(value, bool) else str(value))


def cells(row, prefix=""):
    for name, value in row.items():
        if isinstance(value, dict):
            yield from cells(value, f"{prefix}{name}.")
        elif not isinstance(value, list):
            yield prefix + name, value


def test_json_and_csv_at_once_are_refused(tmp_path, story):
    done = ask(tmp_path, story, "cover", "--json", "--csv")

    assert (done.exit_code, "choose one of them" in done.stderr) == (2, True)


# ---------------------------------------------------------------- an event and its proof


def test_an_event_is_told_as_it_was_said_and_proved(tmp_path, story):
    event = story.log[3]
    done = ask(tmp_path, story, "event", f"samsung/{event.id}")

    said, _, rest = done.stdout.partition("\nbatch ")
    told = json.loads(said)
    del told["recordedtime"]
    assert (done.exit_code, told) == (0, event.content())
    assert rest.count("\nproved: ") == 3
    assert "no checkpoint here covers it" in rest


def test_an_event_that_was_changed_in_the_store_is_not_proved(tmp_path, story):
    event = story.log[3]
    ask(tmp_path, story, "cover")
    with sqlite3.connect(tmp_path / "ledger.db") as store:
        store.execute("UPDATE events SET body = replace(body, ',50,', ',51,') WHERE body LIKE ?", (f"%{event.id}%",))
    done = CliRunner().invoke(app, ["event", f"samsung/{event.id}", "--data", str(tmp_path)])

    assert done.exit_code == 1
    assert "NOT proved: the hash of the batch's document is its head" in done.stdout


def test_an_event_that_nobody_said_is_told_so(tmp_path, story):
    done = ask(tmp_path, story, "event", "samsung/00000000-0000-7000-8000-000000000000")

    assert (done.exit_code, "the ledger knows no samsung/" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("site", "atlantis"), "site is 'atlantis'; there are abilene, narvik"),
        (("performance", "nobody"), "supplier is 'nobody'; there are samsung"),
        (("performance", "a/../b?c"), "supplier is 'a/../b?c'"),
        (("performance", "samsung", "--product", "HBM9"), "product is 'HBM9'; there are HBM4-12H"),
        (("shortages", "--why", "--site", "nowhere"), "site is 'nowhere'; there are abilene, narvik"),
    ],
)
def test_what_is_not_there_is_said_in_a_line(tmp_path, story, arguments, words):
    done = ask(tmp_path, story, *arguments)

    assert (done.exit_code, words in done.stderr) == (1, True)


def test_the_bridge_is_told_by_cause_and_sums(tmp_path, story):
    said = ask(tmp_path, story, "bridge", "--product", "HBM4-12H", "--site", "abilene", "--since", "0")

    assert said.exit_code == 0, said.output
    lines = said.stdout.splitlines()
    assert lines[0].startswith("HBM4-12H at abilene, projected for 2026-04-12")
    cells = [line.split() for line in lines]
    assert ["projected", "at", "position", "0", "0"] in cells
    assert ["projected", "now", "-20"] in cells
    assert any(line[:3] == ["demand", "raised", "-50"] for line in cells)
    assert any(line[:3] == ["never", "promised", "-50"] for line in cells)


def test_a_bridge_from_a_position_that_is_not_yet_is_refused(tmp_path, story):
    said = ask(tmp_path, story, "bridge", "--product", "HBM4-12H", "--site", "abilene", "--since", "999")

    assert said.exit_code == 1
    assert "there is no batch 999 yet" in said.output


def test_the_bridge_lists_the_events_of_its_movements(tmp_path, story):
    arguments = ("bridge", "--product", "HBM4-12H", "--site", "abilene", "--since", "0", "--events")

    listed = ask(tmp_path, story, *arguments)

    assert listed.exit_code == 0, listed.output
    assert "Events of opened: 1" in listed.stdout
    assert f"americas/{story.log[0].id}" in listed.stdout
    bars = {row["cause"]: row for row in json.loads(CliRunner().invoke(
        app, [*arguments, "--json", "--data", str(tmp_path)]).stdout)["rows"]}  # fmt: skip
    assert "events" not in bars["demand_raised"]
    assert [row["id"] for row in bars["opened"]["events"]["rows"]] == [story.log[0].id]
    assert bars["opened"]["events"]["next"] is None
