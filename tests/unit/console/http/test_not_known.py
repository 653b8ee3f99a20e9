"""The pages tell nothing from not known: before a day is complete, without a watermark, and after the day went back."""

import asyncio

import httpx
import pytest
from starlette.applications import Starlette

from services.console.http.pages import routes
from services.console.live.feed import MoveFeed
from services.console.live.upstream import Upstream
from shared.http.peers import ANONYMOUS
from testing.cloud_events import Party
from testing.played import play
from tests.cases.tapes import RECORDED

PATHS = ["/", "/shortages", "/sites", "/suppliers"]


def pages(events, **filters):
    """Return the pages of a console over a played log, by path."""
    played = play(events, on=RECORDED)
    upstream = Upstream(ANONYMOUS, "http://aggregator", "http://ledger", httpx.ASGITransport(played.app))
    console = Starlette(routes=routes(upstream, MoveFeed(), {}))

    async def ask():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(console), base_url="http://console") as client:
            return [await client.get(path, params=filters) for path in PATHS]

    answers = asyncio.run(ask())
    assert {answer.status_code for answer in answers} == {200}
    return {path: " ".join(answer.text.split()) for path, answer in zip(PATHS, answers, strict=True)}


@pytest.fixture
def texas() -> Party:
    return Party("stargate-americas")


@pytest.fixture
def samsung() -> Party:
    return Party("samsung")


def test_before_a_day_is_complete_nothing_is_said_to_be_covered(texas):
    page_at = pages([texas.open("2026-10-01", 5), texas.order("2026-10-01", "o", 70, "2026-12-01")])

    for path in PATHS:
        page = page_at[path]
        assert "complete through <strong>not known</strong>" in page
        assert "No day is completed yet by stargate-americas" in page
        assert "verdict good" not in page
    assert "Not known: no source has completed a day yet." in page_at["/"]
    assert "Not known: no source has completed a day yet." in page_at["/shortages"]
    assert "<td>none</td>" not in page_at["/"] + page_at["/sites"]
    assert "Not known: before a day is complete only silent sources, undeclared names and days beyond" in page_at["/"]


def test_where_nothing_is_short_a_source_without_a_watermark_is_named(texas, samsung):
    log = [texas.open("2026-10-01", 5), texas.advance("2026-10-31")]
    covered, unsure = pages(log), pages([*log, samsung.commit("2026-10-15", "c", 10, "2026-12-20")])

    for path, words in (("/", "Covered: nothing runs short."), ("/shortages", "Nothing runs short.")):
        assert words in covered[path]
        assert "verdict good" in covered[path]
        assert "verdict good" not in unsure[path]
        assert "Nothing runs short by what is recorded; samsung: not known." in unsure[path]


def test_the_last_plan_before_the_day_went_back_stands_beside_with_its_position(texas, samsung):
    log = [
        texas.order("2026-10-20", "o", 70, "2026-10-25"), texas.advance("2026-10-31"),
        samsung.commit("2026-10-15", "c", 70, "2026-10-24"), samsung.advance("2026-10-20"),
    ]  # fmt: skip
    page_at = pages(log)

    for path in PATHS:
        assert "went back from 31 Oct 2026: samsung has not completed it." in page_at[path]
        assert f'<a href="{path}?as_of=1">The last plan before</a> is that of batch 1.' in page_at[path]
    for path in ("/", "/shortages"):
        assert "The last plan before <small>batch 1, complete through 31 Oct 2026</small>" in page_at[path]
        assert "25 Oct 2026" in page_at[path].partition('id="last-plan"')[2]


def test_as_of_a_day_that_is_no_position_the_page_has_no_head(texas):
    late, soon = (
        texas.open("2026-03-01", wafers) | {"recordedtime": f"2026-03-0{day}T12:00:00Z"}
        for wafers, day in ((100, 3), (20, 2))
    )
    played = play([late, soon], on=RECORDED, trust_recorded=True, batches=1)
    answer = played.ask("/balances", as_of="2026-03-02", day="2026-03-01")

    assert (answer["position"], answer["head"], answer["rows"][0]["on_hand"]) == (2, "", 20)
    assert played.ask("/balances", as_of="2026-03-03", day="2026-03-01")["head"] != ""


@pytest.mark.parametrize(
    ("as_of", "words"), [("2026-11-01", "known by the end of 1 Nov 2026"), ("1", "known at batch 1")]
)
def test_a_page_as_of_a_day_is_named_for_what_was_known_by_then(texas, as_of, words):
    page_at = pages([texas.open("2026-10-01", 5), texas.advance("2026-10-31")], as_of=as_of)

    for path in PATHS:
        assert f"{words} · complete through <strong>31 Oct 2026</strong>" in page_at[path]
        assert f'<label>Known by <input name="as_of" value="{as_of}"' in page_at[path]


# ---------------------------------------------------------------- each place that says nothing, none or covered


def unsure_of(texas, samsung, **filters):
    """Return the pages where nothing runs short, and a source has no watermark."""
    log = [texas.open("2026-10-01", 5), texas.order("2026-10-01", "o", 3, "2026-12-01"), texas.advance("2026-10-31")]
    return pages([*log, samsung.commit("2026-10-15", "c", 10, "2026-12-20")], **filters)


def test_none_short_is_none_recorded_where_a_source_is_missing(texas, samsung):
    sure = pages([texas.open("2026-10-01", 5), texas.advance("2026-10-31")])
    unsure = unsure_of(texas, samsung)

    for path in ("/", "/sites"):
        assert "<td>none</td>" in sure[path]
        assert "<td>none</td>" not in unsure[path]
        assert "<td>none recorded</td>" in unsure[path]


def test_the_site_of_no_complete_day_has_no_zeros(texas):
    page = pages([texas.open("2026-10-01", 5), texas.order("2026-10-01", "o", 70, "2026-12-01")])["/sites"]

    assert page.count("not known</td>") == 5  # next order due, on hand, cover, products short, first short day


def test_a_cover_without_a_last_day_is_of_all_orders_or_there_are_none(texas, samsung):
    sure = pages([texas.open("2026-10-01", 5), texas.advance("2026-10-31")])

    assert '<td class="n">no orders</td>' in sure["/sites"]
    assert '<td class="n">all orders</td>' in unsure_of(texas, samsung)["/sites"]


def test_what_is_covered_with_filters_is_covered_with_filters_alone(texas):
    log = [texas.open("2026-10-01", 5), texas.order("2026-10-01", "o", 70, "2026-12-01", site="TX-MILAM")]
    page_at = pages([*log, texas.advance("2026-10-31")], site="TX-ABILENE")

    assert "Covered: nothing runs short with these filters." in page_at["/"]
    assert "Nothing runs short here." in page_at["/shortages"]
    assert "No alert is open with these filters." in page_at["/"]


def test_a_supplier_alone_has_no_shortages(texas):
    page_at = pages([texas.open("2026-10-01", 5), texas.advance("2026-10-31")], supplier="samsung")

    assert "the shortages and their causes are those of all suppliers" in page_at["/shortages"]


def test_thirty_days_that_end_on_a_day_that_is_not_complete_say_so(texas):
    log = [texas.open("2026-10-01", 5)]

    words = "These 30 days end on 1 Oct 2026, which is not complete"
    assert words in pages(log)["/"]
    assert words not in pages([*log, texas.advance("2026-10-31")])["/"]


def test_no_demand_and_no_commit_are_none_that_is_recorded(texas, samsung):
    page_at = pages([texas.declare("2026-10-01"), samsung.start("2026-10-01", "L1"), texas.advance("2026-10-31")])

    assert "of the commits due through 31 Oct 2026, as promised" in page_at["/suppliers"]
    assert "No month has any supply or demand by what is recorded." in pages([texas.declare("2026-10-01")])["/"]


def test_without_an_alert_a_missing_source_is_named_and_the_grade_of_the_alerts(texas, samsung):
    page = unsure_of(texas, samsung, firmness="firm", site="TX-ABILENE")["/"]

    assert "A shortage is an alert if it remains with commits that are planned or firmer." in page
