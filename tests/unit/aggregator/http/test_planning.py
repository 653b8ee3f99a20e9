"""Answers about lines: why a product is short, performance, cover, and available to promise."""

import asyncio
from datetime import date

import httpx
import pytest
from starlette.applications import Starlette

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.state import FoldState
from services.aggregator.http.routes import routes
from services.aggregator.live.view import LiveView
from shared.wire.events import StockOpened
from shared.wire.postings import Measure
from testing.fold import EPOCH, Horizon, fold
from testing.lines import KEY, Story
from testing.servers.served import no_past
from testing.twins.curves import batch_of
from tests.unit.aggregator.plan.test_shortage import april, stand_at

APRIL = Horizon(date(2026, 4, 1), 60)
PATHS = ["/cover", "/atp", "/shortages?why=true", "/suppliers/samsung/performance"]


class Answers:
    """A view, and the answers of the routes over it."""

    def __init__(self, state: FoldState) -> None:
        self.view = LiveView(state)

    def __call__(self, path: str) -> httpx.Response:
        async def get() -> httpx.Response:
            transport = httpx.ASGITransport(app=Starlette(routes=routes(lambda: self.view, no_past)))
            async with httpx.AsyncClient(transport=transport, base_url="http://aggregator") as client:
                return await client.get(path)

        return asyncio.run(get())


def answers_of(log, today):
    return Answers(FoldState(*stand_at(fold(sorted(log, key=lambda event: event.source), horizon=APRIL), april(today))))


@pytest.fixture
def story() -> Story:
    return Story()


@pytest.fixture
def ask(story):
    """As of the 6th: 30 on hand at abilene, 50 of 100 committed were lowered; narvik waits for an overdue commit."""
    story.say(1, StockOpened(wafers=30, **KEY))
    story.order(1, 100, 12)
    story.commit(1, 100, 10)
    story.commit(2, 50, 10, 1)
    story.order(1, 7, 5, line="n", site="narvik")
    story.commit(1, 7, 4, line="n", site="narvik", reason="the furnace is down")
    return answers_of(story.log, 6)


def test_why_names_orders_supply_overdue_and_causes(ask, story):
    answer = ask("/shortages?why=true").json()

    assert (answer["today"], answer["count"], answer["next"]) == ("2026-04-06", 2, None)
    narvik, abilene = answer["rows"]
    order, committed, lowered = story.log[1].id, story.log[3].id, story.log[3].id
    assert abilene["why"] == {
        "orders": [
            {
                "kind": "demand.required", "source": "americas", "line": "o", "event": order, "due": "2026-04-12",
                "wafers": 100, "short": 20,
                "pegs": [
                    {"kind": "on_hand", "day": None, "wafers": 30, "days_late": 0},
                    {"kind": "supply.committed", "source": "samsung", "line": "c", "event": committed,
                     "day": "2026-04-10", "wafers": 50, "days_late": 0},
                ],
            }
        ],
        "orders_count": 1,
        "overdue": [],
        "causes": [
            {"kind": "supply.committed", "source": "samsung", "line": "c", "event": lowered, "said_by": "samsung",
             "what": "lowered", "wafers": 50}
        ],
        "causes_count": 1,
        "reasons": [],
        "overdrawn": 0,
    }  # fmt: skip
    assert [each["event"] for each in narvik["why"]["overdue"]] == [story.log[5].id]
    assert narvik["why"]["overdue"][0] | {"event": ""} == {
        "kind": "supply.committed", "source": "samsung", "line": "n", "event": "", "day": "2026-04-04", "wafers": 7,
        "supplier": "samsung", "days_overdue": 2, "reason": "the furnace is down",
    }  # fmt: skip


def test_a_shortage_says_how_long_it_lasts_and_until_when_wafers_can_be_started(story):
    """Wafers take 9 days: those of the 6th are there on the 15th, so narvik's week is lost, and abilene's worst is not.

    At narvik 7 are short from the 5th to the 10th; at abilene 20 from the 12th on, and 120 from the 20th on.
    """
    story.say(1, StockOpened(wafers=80, **KEY))
    story.order(1, 100, 12, start_by=3)
    story.order(1, 100, 20, line="p", start_by=11)
    story.order(1, 7, 5, line="n", site="narvik", start_by=1)
    story.commit(1, 7, 10, line="n", site="narvik")
    ask = answers_of(story.log, 6)

    abilene, narvik = ask("/shortages?order=act_by").json()["rows"]
    assert [row["site"] for row in ask("/shortages").json()["rows"]] == ["narvik", "abilene"]
    names = ("short_now", "short_since", "first_short_day", "shortage", "worst_day")
    assert {name: narvik[name] for name in names} == {
        "short_now": 7, "short_since": "2026-04-05", "first_short_day": "2026-04-06", "shortage": 7,
        "worst_day": "2026-04-06",
    }  # fmt: skip
    assert (narvik["short_until"], narvik["act_by"], narvik["act_for"], narvik["act_wafers"]) == (
        "2026-04-10", None, None, 0,
    )  # fmt: skip
    assert (abilene["short_now"], abilene["first_short_day"], abilene["shortage"]) == (0, "2026-04-12", 120)
    assert (abilene["worst_day"], abilene["short_until"], abilene["lead_days"]) == ("2026-04-20", None, 9)
    assert (abilene["act_by"], abilene["act_for"], abilene["act_wafers"]) == ("2026-04-06", "2026-04-15", 20)
    assert abilene["by_firmness"]["firm"]["act_by"] == "2026-04-06"
    assert (abilene["startable"], narvik["startable"]) == ("in_part", "too_late")

    story.order(1, 5, 16, line="m", site="odessa", start_by=7)
    rows = answers_of(story.log, 6)("/shortages?order=act_by").json()["rows"]
    assert [(row["site"], row["startable"], row["act_by"]) for row in rows] == [
        ("odessa", "in_full", "2026-04-07"), ("abilene", "in_part", "2026-04-06"), ("narvik", "too_late", None)
    ]  # fmt: skip


def test_without_why_no_row_says_it(ask):
    assert all("why" not in row for row in ask("/shortages").json()["rows"])


def test_past_due_supply_counts_where_it_is_asked_for(ask):
    assert [row["site"] for row in ask("/shortages?why=true&past_due=true").json()["rows"]] == ["abilene"]


def test_the_first_week_without_cover_has_the_first_short_day(ask):
    answer, [narvik, abilene] = ask("/cover/weeks?weeks=3").json(), ask("/shortages").json()["rows"]

    assert (narvik["first_short_day"], abilene["first_short_day"]) == ("2026-04-06", "2026-04-12")
    assert (answer["today"], answer["count"], answer["next"]) == ("2026-04-06", 2, None)
    assert [(row["site"], row["from"], row["cover_weeks"], row["short"]) for row in answer["rows"]] == [
        ("narvik", "2026-04-06", 0.0, 7), ("narvik", "2026-04-13", 0.0, 7), ("narvik", "2026-04-20", 0.0, 7),
        ("abilene", "2026-04-06", 0.0, 20), ("abilene", "2026-04-13", 0.0, 20), ("abilene", "2026-04-20", 0.0, 20),
    ]  # fmt: skip
    assert ask("/cover/weeks?weeks=3&limit=1&offset=1").json()["rows"] == answer["rows"][3:]
    assert ask("/cover/weeks?weeks=3&site=abilene").json()["rows"] == answer["rows"][3:]
    assert {row["product"] for row in answer["rows"]} == {KEY["product"]}


def test_cover_says_what_it_is_made_of(ask):
    narvik, abilene = ask("/cover?fill_rate=true").json()["rows"]

    assert abilene == {
        "product": "HBM4-12H", "site": "abilene", "synthetic": False, "on_hand": 30, "backorder": 0,
        "cover": {"days": 6, "left": 30, "next": 100}, "cover_days": 6.3, "covered_until": "2026-04-11",
        "first_uncovered_day": "2026-04-12", "fill_rate": {"numerator": 0, "denominator": 0, "percent": None},
        "acknowledged": None, "acknowledged_before": None, "notes": [],
    }  # fmt: skip
    assert (narvik["site"], narvik["backorder"], narvik["cover_days"]) == ("narvik", 7, 0.0)
    assert narvik["fill_rate"] == {"numerator": 0, "denominator": 7, "percent": 0.0}


def test_what_can_be_promised_goes_bucket_by_bucket_to_the_horizons_end(ask):
    rows = ask("/atp?site=abilene&bucket=day&buckets=60").json()["rows"]

    assert [row["from"] for row in rows] == [f"2026-04-{day:02}" for day in range(6, 31)] + [
        f"2026-05-{day:02}" for day in range(1, 31)
    ]
    columns = [(row["orders"], row["receipts"], row["projected"]) for row in rows[:7]]
    assert columns == [(0, 0, 30)] * 4 + [(0, 50, 80), (0, 0, 80), (100, 0, -20)]
    assert {row["zone"] for row in rows[:28]} == {"frozen"}
    assert rows[28]["zone"] == "tradeoff"


def test_performance_gives_each_ratio_with_what_it_is_made_of(ask):
    answer = ask("/suppliers/samsung/performance").json()

    (row,) = answer["rows"]
    assert (answer["supplier"], answer["complete_through"]) == ("samsung", "2026-04-05")
    assert (row["product"], row["wafers_due"], row["wafers_received"]) == ("HBM4-12H", 7, 0)
    assert row["otif"] == {
        "strict": {
            "days_early": None,
            "days_of_grace": 0,
            "percent_of_grace": 0,
            "numerator": 0,
            "denominator": 1,
            "percent": 0.0,
        },
        "tolerant": {
            "days_early": None,
            "days_of_grace": 7,
            "percent_of_grace": 5,
            "numerator": 0,
            "denominator": 0,
            "percent": None,
        },
    }
    assert row["lags"][0] == {
        "lag_days": 0, "committed": 7, "otif": row["otif"],
        "bias": {"numerator": -7, "denominator": 7, "percent": -100.0},
        "slip": {"wafer_days": 7, "mean_days": 1.0, "greatest_days": 1, "open_wafers": 7},
    }  # fmt: skip
    assert [lag["lag_days"] for lag in row["lags"]] == [0, 28, 56, 91, 182]
    assert row["lags"][1]["slip"]["mean_days"] is None


def test_performance_is_of_one_product_if_asked(ask):
    assert ask("/suppliers/samsung/performance?product=HBM4-12H").json()["rows"]
    assert ask("/suppliers/unattributed/performance").status_code == 404


# ---------------------------------------------------------------- pages


@pytest.fixture
def many():
    log = [
        (("HBM4-12H", f"site-{n:03}", "samsung"), measure, april(6 + n % 5), wafers)
        for n in range(45)
        for measure, wafers in ((Measure.REQUIRED, 1 + n), (Measure.OPENED, n % 3))
    ]
    curves = Curves(*APRIL)
    curves.add(batch_of(1, log, {"samsung": april(5)}, ["samsung"]))
    return Answers(FoldState(curves))


@pytest.mark.parametrize("path", ["/cover?", "/cover?limit=7&", "/shortages?limit=7&", "/shortages?why=true&"])
def test_pages_by_offset_join_up_to_the_whole(many, path):
    whole = many(path.split("?")[0] + "?limit=200").json()["rows"]
    rows, offset = [], 0
    while offset is not None:
        page = many(f"{path}offset={offset}").json()
        rows += page["rows"]
        offset = page["next"]

    assert [(row["product"], row["site"]) for row in rows] == [(row["product"], row["site"]) for row in whole]
    assert len(rows) == 45
    assert many(f"{path}offset=45").json()["rows"] == many(f"{path}offset=1000").json()["rows"] == []


def test_pages_of_what_can_be_promised_hold_whole_groups(many):
    rows, after = [], ""
    while after is not None:
        page = many(f"/atp?at=sites&buckets=3&limit=10&after={after}").json()
        rows.append([row["site"] for row in page["rows"]])
        after = page["next"]

    assert [len(page) for page in rows] == [9] * 15
    assert [site for page in rows for site in page] == [f"site-{n:03}" for n in range(45) for _ in range(3)]


def test_those_covered_alike_come_with_what_is_owed_most_first(story):
    """Each of them is not covered for a day, and owes since yesterday."""
    for site, wafers in (("abilene", 5), ("narvik", 9), ("shackelford", 7)):
        story.order(1, wafers, 5, line=site, site=site)
        story.order(1, 100, 6, line=site + "-next", site=site)

    rows = answers_of(story.log, 6)("/cover").json()["rows"]
    assert [(row["site"], row["backorder"], row["cover_days"]) for row in rows] == [
        ("narvik", 9, 0.0), ("shackelford", 7, 0.0), ("abilene", 5, 0.0)
    ]  # fmt: skip


# ---------------------------------------------------------------- too early, and with wrong parameters


@pytest.mark.parametrize("path", PATHS)
def test_an_answer_before_the_first_posting_has_no_rows(path):
    answer = Answers(FoldState(Curves(*APRIL)))(path)

    assert (answer.status_code, answer.json()["rows"], answer.json().get("next")) == (200, [], None)


@pytest.mark.parametrize("path", PATHS[:3])
def test_an_answer_before_a_today_has_no_rows_no_next_page_and_names_the_sources_that_it_misses(path):
    answer = Answers(thirty_products(None))(path).json()

    assert (answer["rows"], answer["next"], answer["today"]) == ([], None, None)
    assert (answer["complete_through"], answer["missing_sources"]) == (None, ["samsung"])


@pytest.mark.parametrize("path", [*PATHS[:3], "/shortages", "/sites", "/alerts"])
@pytest.mark.parametrize("watermark", [april(1) - 2, april(1) + 59, april(1) + 400])
def test_a_plan_of_a_today_outside_the_horizon_is_refused(path, watermark):
    answer = Answers(thirty_products(watermark))(path)

    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/unfit-parameters")
    assert answer.json()["detail"].endswith("outside the horizon, which is 2026-04-01 to 2026-05-30")


@pytest.mark.parametrize("path", ["/balances", "/suppliers", "/suppliers/samsung/performance"])
def test_an_answer_of_the_last_complete_day_is_refused_outside_the_horizon(path):
    days = [april(1) - 2, april(1) - 1, april(1) + 59, april(1) + 60]

    assert [Answers(thirty_products(day))(path).status_code for day in days] == [422, 200, 200, 422]


def thirty_products(watermark: int | None) -> FoldState:
    curves = Curves(*APRIL)
    marks = {} if watermark is None else {"samsung": watermark}
    log = [((f"P{n}", "abilene", "samsung"), Measure.REQUIRED, april(9), 5) for n in range(30)]
    curves.add(batch_of(1, log, marks, ["samsung"]))
    return FoldState(curves)


@pytest.mark.parametrize(
    ("query", "status", "detail"),
    [
        ("/cover?site=nowhere", 404, "site is 'nowhere'; there are abilene, narvik"),
        ("/cover?product=HBM9", 404, "product is 'HBM9'; there are HBM4-12H"),
        (
            "/cover?supplier=samsung",
            400,
            "'supplier' is no parameter here; there are fill_rate, product, site, party, offset",
        ),
        ("/cover?offset=-1", 400, "offset is '-1', not 0 to 1000000000"),
        ("/cover?limit=201", 400, "limit is '201', not 1 to 200"),
        ("/atp?site=nowhere", 404, "site is 'nowhere'"),
        ("/atp?bucket=month", 400, "bucket is 'month', not one of day, week"),
        ("/atp?buckets=61", 400, "buckets is '61', not 1 to 60"),
        ("/atp?firmness=sure", 400, "firmness is 'sure', not one of planned"),
        ("/atp?frozen_days=401", 400, "frozen_days is '401', not 0 to 400"),
        ("/atp?tradeoff_days=x", 400, "tradeoff_days is 'x', not 0 to 800"),
        ("/atp?offset=1", 400, "'offset' is no parameter here"),
        ("/shortages?why=1", 400, "why is '1', not one of false, true"),
        ("/shortages?why=true&limit=3", 422, "limit is 3, not 1 to 2"),
        ("/shortages?firmness=sure", 400, "firmness is 'sure'"),
        ("/shortages?site=nowhere", 404, "site is 'nowhere'"),
        ("/shortages?after=x", 400, "'after' is no parameter here"),
        ("/suppliers/hynix/performance", 404, "supplier is 'hynix'; there are samsung"),
        ("/suppliers/samsung/performance?product=HBM9", 404, "product is 'HBM9'; there are HBM4-12H"),
        ("/suppliers/samsung/performance?supplier=micron", 400, "supplier is given twice"),
        ("/suppliers/samsung/performance?site=abilene", 400, "'site' is no parameter here"),
    ],
)
def test_a_wrong_parameter_is_named_with_what_is_allowed(ask, query, status, detail):
    answer = ask(query)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert detail in answer.json()["detail"]


# ---------------------------------------------------------------- while the fold goes on


def test_a_page_is_of_one_position_the_plans_or_where_it_is_looked_into_the_newest(ask):
    curves = ask.view.state.curves
    late = batch_of(
        curves.position + 1, [(("HBM4-12H", "abilene", "samsung"), Measure.REQUIRED, april(9), 1000)], epoch=EPOCH
    )
    ask.view.state.add(late)
    stale, newest = ask.view, Answers(ask.view.state)

    assert stale.plan.position == late.batch - 1
    assert ask("/cover/weeks").json() == newest("/cover/weeks").json()
    for path in ("/shortages?site=abilene", "/cover?site=abilene"):
        answer = ask(path).json()
        assert answer["position"] == late.batch - 1
        assert answer["rows"] != newest(path).json()["rows"]
    for path in ("/shortages?site=abilene&why=true", "/cover?site=abilene&fill_rate=true"):
        answer = ask(path).json()
        assert answer == newest(path).json()
        assert (answer["position"], answer["head"]) == (late.batch, late.head)


def test_a_new_source_without_a_watermark_takes_no_today_and_is_named(ask):
    curves = ask.view.state.curves
    new = (("HBM4-12H", "abilene", "micron"), Measure.COMMITTED_FIRM, april(20), 1)
    ask.view.state.add(batch_of(curves.position + 1, [new], sources=["micron"], epoch=EPOCH))

    for path in ("/cover?fill_rate=true", "/shortages?why=true", "/cover?offset=1&fill_rate=true"):
        answer = ask(path).json()
        assert (answer["today"], answer["missing_sources"]) == ("2026-04-06", ["micron"])


def test_a_name_that_nobody_declared_has_no_word_none(ask):
    assert ask("/names?like=none").json()["rows"] == []
    assert [row["id"] for row in ask("/names?like=abil").json()["rows"]] == ["abilene"]
