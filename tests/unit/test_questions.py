"""What a planner asks on the command line, of a small store that was made up."""

import json
from datetime import date

import pytest
from typer.testing import CliRunner

from services.operator.cli import app
from shared.events import SourceAdvanced, StockOpened, StockTransferred
from tests.fold import fold
from tests.unit.test_lines import KEY, Story


@pytest.fixture
def story() -> Story:
    """As of the 6th abilene has 30 on hand and 50 committed, once 100; narvik waits for an overdue commit."""
    story = Story()
    story.say(1, StockOpened(wafers=30, **KEY))
    story.order(1, 100, 12)
    story.commit(1, 100, 10)
    story.commit(2, 50, 10, 1)
    story.order(1, 7, 5, line="n", site="narvik")
    story.commit(1, 7, 4, line="n", site="narvik")
    return story


def ask(tmp_path, story, *arguments):
    for voice in (story.supplier, story.center):
        time = story.log[-1].time
        story.log.append(voice.say(time, SourceAdvanced(through=date(2026, 4, 5))))
    path = tmp_path / "ledger.db"
    fold(sorted(story.log, key=lambda event: (event.source, event.sequence)), path=path).store.close()
    return CliRunner().invoke(app, [*arguments, "--data", str(tmp_path)])


def test_why_is_told_in_words_with_the_events(tmp_path, story):
    said = ask(tmp_path, story, "shortages", "--why").stdout

    committed, overdue = story.log[3].id, story.log[5].id
    for words in (
        "HBM4-12H at abilene", "20 wafers short on 2026-04-12, 20 at worst, as of 2026-04-06",
        "no supply", "on hand", "samsung commit c", committed, "lowered",
        "HBM4-12H at narvik", "short since 2026-04-05", "Overdue", "samsung commit n", overdue,
        "GET /events/{source}/{event} at the ledger", "complete through 2026-04-05",
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

    assert [site for site in ("narvik", *sites, "abilene") if f" at {site}\n" in said] == ["narvik", *sites]
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

    assert "40 more went from hand than ever came to it" in ask(tmp_path, story, "shortages", "--why").stdout


def test_performance_is_told_by_product_and_lag(tmp_path, story):
    said = ask(tmp_path, story, "performance", "samsung", "--product", "HBM4-12H").stdout

    assert "What samsung committed and what came, due through 2026-04-05" in said
    assert "nearly so: within 7 days, at least 95 %" in said
    row = next(line.split() for line in said.splitlines() if "HBM4-12H" in line)
    assert row == ["HBM4-12H", "7", "0", "0.0", "1", "0", "0.0", "0", "0", "–"]
    lags = [line.split() for line in said.splitlines() if "HBM4-12H" in line][1:]
    assert lags[0] == ["HBM4-12H", "0", "7", "-7", "-100.0", "1.0", "1", "7"]
    assert lags[1][:3] == ["HBM4-12H", "28", "0"]


def test_performance_of_who_never_committed_says_so(tmp_path, story):
    story.order(1, 5, 9, line="u", supplier="unattributed")

    assert "nothing was ever committed" in ask(tmp_path, story, "performance", "unattributed").stdout


@pytest.mark.parametrize(
    "arguments",
    [("performance", "samsung"), ("shortages", "--why"), ("cover", "--site", "abilene"), ("atp", "--bucket", "day")],
)
def test_a_script_gets_json(tmp_path, story, arguments):
    answer = json.loads(ask(tmp_path, story, *arguments, "--json").stdout)

    assert answer["complete_through"] == "2026-04-05"
    assert answer["rows"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("performance", "nobody"), "supplier is 'nobody'; there are samsung"),
        (("performance", "a/../b?c"), "supplier is 'a/../b?c'"),
        (("performance", "samsung", "--product", "HBM9"), "product is 'HBM9'; there are HBM4-12H"),
        (("shortages", "--why", "--site", "nowhere"), "site is 'nowhere'; there are abilene, narvik"),
    ],
)
def test_what_is_not_there_is_said_in_a_line(tmp_path, story, arguments, words):
    done = ask(tmp_path, story, *arguments)

    assert (done.exit_code, words in done.stderr) == (1, True)
