"""The console: what its addresses mean, what is drawn, and who is let in."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import orjson
import pytest

from services.console.app import ConsoleSettings, build_app
from services.console.http.address import View
from services.console.http.charts import PAPER, draw_png, draw_svg, gap_chart, months_chart
from shared.http.access import digest_of
from shared.wire.events import FIRMNESS


def month(name: str, **receipt: int) -> dict[str, object]:
    committed = dict.fromkeys(FIRMNESS, 0) | {each: receipt.get(each, 0) for each in FIRMNESS}
    return {
        "month": name, "gap": receipt.get("gap", 0), "start": {"agreed": receipt.get("agreed", 0)},
        "receipt": {"due": receipt.get("due", 0), "forecast": receipt.get("forecast", 0),
                    "received": receipt.get("received", 0), "committed": committed},
    }  # fmt: skip


MONTHS = [
    month("2026-01", due=50, received=40, immediate=38, gap=-10),
    month("2026-02", due=60, firm=30, planned=20, gap=-20),
    month("2026-03", forecast=70, planned=65, agreed=900, gap=-25),
]


def drawn(spec: dict[str, object], layer: int) -> list[dict[str, object]]:
    return spec["layer"][layer]["data"]["values"]


def test_an_address_is_its_filters_and_a_link_keeps_them():
    view = View.of({"product": "HBM4-12H", "as_of": " 2026-05-31 ", "offset": "50", "nonsense": "1"})

    link = urlsplit(view.link("/shortages", site="AE-ABUDHABI"))

    assert link.path == "/shortages"
    assert parse_qs(link.query) == {"product": ["HBM4-12H"], "as_of": ["2026-05-31"], "site": ["AE-ABUDHABI"]}
    assert view.params("product", "site") == {"product": "HBM4-12H", "as_of": "2026-05-31"}
    assert View().link("/") == "/"


def test_what_is_past_is_drawn_as_received_and_what_is_to_come_by_firmness():
    bars = drawn(months_chart(MONTHS, "2026-01-31"), 0)

    assert [(bar["month"], bar["grade"], bar["wafers"]) for bar in bars] == [
        ("2026-01", "received", 40), ("2026-02", "planned", 20), ("2026-02", "firm", 30), ("2026-03", "planned", 65),
    ]  # fmt: skip


def test_a_month_that_is_not_complete_is_drawn_by_what_is_committed():
    bars = drawn(months_chart(MONTHS, "2026-01-30"), 0)

    assert [(bar["grade"], bar["wafers"]) for bar in bars if bar["month"] == "2026-01"] == [("immediate", 38)]


def test_a_letter_of_intent_is_a_line_of_its_own_and_never_a_bar():
    spec = months_chart(MONTHS, "2026-01-31")

    assert [row["wafers"] for row in drawn(spec, 1) if str(row["of"]).startswith("letter")] == [900]
    assert 900 not in [bar["wafers"] for bar in drawn(spec, 0)]


def test_where_no_orders_reach_no_line_says_that_none_is_needed():
    lines = drawn(months_chart(MONTHS, "2026-01-31"), 1)

    assert [row["month"] for row in lines if row["of"] == "required"] == ["2026-01", "2026-02"]
    assert [row["wafers"] for row in lines if row["of"] == "with forecasts"] == [50, 60, 70]


async def test_a_chart_of_a_page_has_the_colours_of_the_page_and_a_picture_its_own():
    spec = gap_chart(MONTHS, "2026-01-31")

    svg, png = await draw_svg(spec), await draw_png(spec)

    assert "var(--gap)" in svg
    assert PAPER["gap"] not in svg
    assert png.startswith(b"\x89PNG")


# ---------------------------------------------------------------- who is let in


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.write_text(f"planner read {digest_of('of-a-planner')}\nauditor read,audit {digest_of('of-an-auditor')}\n")
    return path


def browser(tokens: Path | None) -> httpx.AsyncClient:
    service = build_app(ConsoleSettings(http_tokens_file=tokens, aggregator_url="http://127.0.0.1:1"))
    transport = httpx.ASGITransport(service.web_app())
    return httpx.AsyncClient(transport=transport, base_url="http://console", headers={"Accept": "text/html"})


async def test_who_has_no_token_is_asked_for_it_and_then_comes_to_where_he_wanted(tokens: Path):
    async with browser(tokens) as client:
        sent = await client.get("/shortages?site=AE-ABUDHABI")
        asked = await client.get(sent.headers["location"])
        wanted = parse_qs(urlsplit(sent.headers["location"]).query)["next"][0]
        let_in = await client.post("/login", data={"token": "of-a-planner", "next": wanted})
        page = await client.get(let_in.headers["location"])

    assert (sent.status_code, asked.status_code, let_in.status_code) == (303, 200, 303)
    assert 'type="password"' in asked.text
    assert let_in.headers["location"] == "/shortages?site=AE-ABUDHABI"
    assert {"HttpOnly", "SameSite=strict"} <= set(let_in.headers["set-cookie"].split("; "))
    assert page.status_code == 503  # let in, and there is no aggregator in this test
    assert "The aggregator does not answer" in page.text


async def test_a_token_that_was_replaced_leads_to_the_login_and_not_around(tokens: Path):
    async with browser(tokens) as client:
        await client.post("/login", data={"token": "of-nobody", "next": "/"})
        sent = await client.get("/")
        asked = await client.get("/login")

    assert (sent.status_code, sent.headers["location"]) == (303, "/login?next=/")
    assert asked.status_code == 200


async def test_a_planner_is_not_shown_what_only_an_auditor_may_see(tokens: Path):
    async with browser(tokens) as client:
        await client.post("/login", data={"token": "of-a-planner"})
        event = await client.get("/events/samsung/01a5e3c6-3f60-755b-b6c0-63d4bb31bbfa")
        program = await client.get("/log", headers={"Accept": "*/*"})
        await client.post("/login", data={"token": "of-an-auditor"})
        audited = await client.get("/log")

    assert (event.status_code, program.status_code, audited.status_code) == (303, 403, 503)


@pytest.mark.parametrize("elsewhere", ["https://evil.example", "//evil.example", "evil"])
async def test_a_login_leads_nowhere_but_here(tokens: Path, elsewhere: str):
    async with browser(tokens) as client:
        answer = await client.post("/login", data={"token": "of-a-planner", "next": elsewhere})

    assert answer.headers["location"] == "/"


async def test_nothing_of_another_host_and_no_script_in_a_page_is_allowed():
    async with browser(None) as client:
        page = await client.get("/login")
        files = [await client.get(f"/static/{name}") for name in ("console.css", "console.js", "icon.svg")]
        other = await client.get("/static/..%2Fapp.py")

    assert page.headers["content-security-policy"].startswith("default-src 'self'")
    assert [file.status_code for file in files] == [200, 200, 200]
    assert not any(b"http://" in file.content.replace(b"http://www.w3.org/", b"") for file in files)
    assert other.status_code == 404


def test_before_the_first_event_there_is_a_chart_of_nothing():
    assert orjson.loads(orjson.dumps(months_chart([], None)))["layer"][0]["data"]["values"] == []
