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
    assert "Not known: before a day is complete only silent sources are looked for." in page_at["/"]


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
