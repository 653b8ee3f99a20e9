"""The aggregator's HTTP routes: each answer, its pages, and a clear message for each wrong parameter."""

import asyncio
from datetime import date

import httpx
import pytest
from starlette.applications import Starlette

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.state import FoldState
from services.aggregator.http.routes import routes, views
from services.aggregator.live.view import LiveView
from shared.wire.postings import Measure
from testing.servers.served import no_past
from testing.twins.curves import batch_of

START = 20_089  # 2025-01-01
SAMSUNG, HYNIX = ("HBM4-12H", "abilene", "samsung"), ("HBM4-12H", "narvik", "skhynix")
LOG = [
    (SAMSUNG, Measure.STARTED, START + 9, 100),
    (SAMSUNG, Measure.FINISHED, START + 9, 60),
    (HYNIX, Measure.STARTED, START + 8, 7),
    (HYNIX, Measure.REQUIRED_START, START + 8, 9),
    (HYNIX, Measure.OPEN_FIRM, START + 20, 30),
    (HYNIX, Measure.COMMITTED_FIRM, START + 20, 30),
    (HYNIX, Measure.REQUIRED, START + 20, 45),
]


def asker(curves):
    """Return a function that asks the routes over these curves."""

    async def get(path, query):
        transport = httpx.ASGITransport(app=Starlette(routes=routes(lambda: LiveView(FoldState(curves)), no_past)))
        async with httpx.AsyncClient(transport=transport, base_url="http://aggregator") as client:
            return await client.get(path, params=query or None)

    return lambda path, **query: asyncio.run(get(path, query))


@pytest.fixture
def curves():
    curves = Curves(date(2025, 1, 1), 90)
    curves.add(batch_of(1, LOG, {"samsung": START + 9, "skhynix": START + 10}, ["samsung", "skhynix"]))
    return curves


@pytest.fixture
def ask(curves):
    return asker(curves)


@pytest.mark.parametrize("path", ["/balances", "/shortages", "/cover", "/atp", "/alerts", "/months", "/state"])
def test_every_answer_says_how_far_it_is_complete(ask, path):
    answer = ask(path).json()

    assert answer["complete_through"] == "2025-01-10"
    assert (answer["position"], answer["head"]) == (1, "head-1")


@pytest.mark.parametrize("path", ["/balances", "/shortages", "/cover", "/atp", "/alerts", "/months", "/state"])
def test_every_answer_is_there_before_the_first_posting(path):
    answer = asker(Curves(date(2025, 1, 1), 90))(path)

    assert answer.status_code == 200
    assert answer.json()["complete_through"] is None


def test_balances_without_by_are_the_total(ask):
    answer = ask("/balances").json()

    assert (answer["day"], answer["window_days"], answer["basis"], answer["by"]) == ("2025-01-10", 30, "start", [])
    assert answer["rows"] == [
        {
            "synthetic": False, "supply": 107, "demand": 9, "net": 98, "lacking": 2, "wip": 47, "finished": 60,
            "in_transit": 0, "on_hand": 0,
            "open_commit": {"planned": 0, "material": 0, "manufacturing": 0, "firm": 30, "immediate": 0},
            "lots_not_reported_by": [],
        }
    ]  # fmt: skip


def test_balances_are_rolled_over_the_window_asked_for(ask):
    assert ask("/balances", window="1").json()["rows"][0]["supply"] == 100


def test_balances_by_parts_of_the_key_come_in_their_order(ask):
    rows = ask("/balances", by="supplier,site").json()["rows"]

    assert [(row["supplier"], row["site"], row["supply"]) for row in rows] == [
        ("samsung", "abilene", 100),
        ("skhynix", "narvik", 7),
    ]


def test_balances_of_one_site_leave_the_others_out(ask):
    assert ask("/balances", site="narvik").json()["rows"][0]["supply"] == 7


@pytest.mark.parametrize(("firmness", "supply"), [("planned", 30), ("firm", 30), ("immediate", 0)])
def test_balances_by_firmness_count_what_is_committed_due(ask, firmness, supply):
    row = ask("/balances", basis="receipt", firmness=firmness, day="2025-01-21").json()["rows"][0]

    assert (row["supply"], row["demand"]) == (supply, 45)


def test_pages_join_up_to_the_whole(curves, ask):
    many = [((f"P{n % 5}", f"site-{n:03}", "samsung"), Measure.STARTED, START, n + 1) for n in range(450)]
    curves.add(batch_of(2, many))
    rows, query = [], {"by": "product,site"}

    while (page := ask("/balances", **query).json())["next"] is not None:
        rows += page["rows"]
        query["after"] = page["next"]
    rows += page["rows"]

    labels = [(row["product"], row["site"]) for row in rows]
    assert labels == curves.group(("product", "site")).labels
    assert len(page["rows"]) == 452 - 2 * 200


def test_shortages_name_the_first_short_day_at_each_firmness(ask):
    answer = ask("/shortages").json()

    assert (answer["today"], answer["count"]) == ("2025-01-11", 1)
    (row,) = answer["rows"]
    assert (row["product"], row["site"], row["first_short_day"], row["shortage"]) == (
        "HBM4-12H", "narvik", "2025-01-21", 15,
    )  # fmt: skip
    assert [at["shortage"] for at in row["by_firmness"].values()] == [15, 15, 15, 15, 45]


def test_alerts_are_counted_by_code_and_told_in_pages(ask):
    answer = ask("/alerts", limit="1").json()

    assert answer["open"] == {
        "source_silent": 0, "behind_watermark": 0, "undeclared_product": 0, "undeclared_site": 0,
        "due_beyond_horizon": 0, "stock_negative": 0,
        "consumed_beyond_required": 0,
        "stage_negative": 0, "received_beyond_dispatched": 0,
        "dispatched_beyond_finished": 0, "dispatch_without_commit": 0, "dispatch_of_other_product": 0,
        "supplier_contradicts_shipment": 0, "receipt_of_other_product": 0, "short_within": 1, "cover_below": 0,
        "slip_beyond": 0,
    }  # fmt: skip
    assert answer["rows"] == [
        {
            "name": "short_within/HBM4-12H/narvik/2025-01-21",
            "code": "short_within", "subject": {"product": "HBM4-12H", "site": "narvik"}, "day": "2025-01-21",
            "detail": {"first_short_day": "2025-01-21", "wafers": 15, "wafers_at_worst": 15}, "causes": [],
            "wafers": 15, "mw_waiting": None, "days_left": 10,
            "acknowledged": None, "acknowledged_before": None, "notes": [],
        }
    ]  # fmt: skip
    assert (answer["limits"]["short_days"], answer["next"]) == (30, None)
    assert ask("/alerts", offset="1").json()["rows"] == ask("/alerts", code="slip_beyond").json()["rows"] == []
    assert ask("/alerts", code="red").status_code == 400


def test_months_are_the_whole_ones_of_the_horizon_unless_asked_for(ask):
    assert [row["month"] for row in ask("/months").json()["rows"]] == ["2025-01", "2025-02", "2025-03"]
    assert [row["month"] for row in ask("/months", **{"from": "2025-02", "to": "2025-02"}).json()["rows"]] == [
        "2025-02"
    ]


def test_a_month_keeps_its_bases_apart(ask):
    row = ask("/months").json()["rows"][0]

    assert row["start"] == {
        "demand": 9,
        "started": 107,
        "net": 98,
        "cumulative_gap": 98,
        "agreed": 0,
        "share_percent": None,
    }
    assert row["receipt"]["committed"]["firm"] == 30
    assert (row["receipt"]["due"], row["receipt"]["received"], row["receipt"]["cumulative_gap"]) == (45, 0, -15)
    assert row["receipt"]["to_come"]["firm"] == 30


def test_the_state_is_told_with_its_hash(curves, ask):
    answer = ask("/state").json()

    assert answer["state_hash"] == curves.state_hash()
    assert (answer["epoch"], answer["keys"], answer["postings"]) == (7, 2, 7)
    assert answer["watermarks"] == {"samsung": "2025-01-10", "skhynix": "2025-01-11"}


@pytest.mark.parametrize(
    ("path", "query", "parameter", "detail"),
    [
        ("/balances", "window=31", "window", "window is '31', not one of 1, 7, 30, 90, 365"),
        ("/balances", "basis=dock", "basis", "basis is 'dock', not one of start, receipt"),
        ("/balances", "firmness=sure&basis=receipt", "firmness", "not one of planned, material, manufacturing, firm,"),
        ("/balances", "by=site,region", "by", "by is 'site,region', not some of product, site, supplier, each once"),
        ("/balances", "by=site,site", "by", "each once"),
        ("/balances", "day=2025-02-30", "day", "day is '2025-02-30', not YYYY-MM-DD"),
        ("/balances", "day=20250201", "day", "not YYYY-MM-DD"),
        ("/balances", "limit=201", "limit", "limit is '201', not 1 to 200"),
        ("/balances", "limit=0", "limit", "limit is '0'"),
        ("/balances", "window=7&window=30", "window", "window is given twice"),
        ("/balances", "windows=7", "windows", "'windows' is no parameter here; there are by, window"),
        ("/balances", "format=xml", "format", "format is 'xml', not one of json, csv"),
        ("/shortages", "past_due=yes", "past_due", "past_due is 'yes', not one of false, true"),
        ("/months", "from=2025-13", "from", "from is '2025-13', not YYYY-MM"),
        ("/state", "by=site", "by", "'by' is no parameter here; there are as_of"),
        ("/state", "as_of=yesterday", "as_of", "not a position (1234) or a day (2026-12-31)"),
    ],
)
def test_a_wrong_parameter_is_named_with_what_is_allowed(ask, path, query, parameter, detail):
    answer = ask(f"{path}?{query}")

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert detail in answer.json()["detail"]
    assert answer.json()["type"] == "/problems/bad-parameter"
    assert answer.json()["parameter"] == parameter
    assert answer.json()["instance"].startswith(f"{path}?")


@pytest.mark.parametrize(
    ("path", "query", "type_", "parameter", "detail"),
    [
        ("/balances", "firmness=firm", "unfit-parameters", "firmness", "firmness is of commits, which are due at the"),
        (
            "/balances",
            "day=1999-12-31",
            "unfit-parameters",
            "day",
            "day is 1999-12-31, outside the horizon, which is 2025",
        ),
        ("/shortages", "why=true&limit=3", "unfit-parameters", "limit", "limit is 3, not 1 to 2"),
        ("/months", "from=2024-12", "unfit-parameters", None, "which is 2025-01-01 to 2025-03-31"),
        ("/balances", "site=atlantis", "unknown-name", "site", "site is 'atlantis'; there are abilene, narvik"),
        ("/suppliers/nobody/performance", "", "unknown-name", "supplier", "there are samsung, skhynix"),
    ],
)
def test_what_is_well_written_and_has_no_answer_says_why(ask, path, query, type_, parameter, detail):
    answer = ask(f"{path}?{query}")

    assert answer.status_code == (404 if type_ == "unknown-name" else 422)
    assert answer.json()["type"] == f"/problems/{type_}"
    assert answer.json().get("parameter") == parameter
    assert detail in answer.json()["detail"]


def test_a_horizon_without_a_whole_month_has_no_months():
    ask = asker(Curves(date(2025, 1, 2), 29))

    assert ask("/months").json()["rows"] == []
    assert ask("/months", to="2025-01").status_code == 422


@pytest.mark.parametrize("path", sorted({view.path for view in views()}))
def test_an_answer_that_waited_for_another_state_is_of_that_state(curves, path):
    path = path.replace("{supplier:path}", "samsung").replace("{site:path}", "narvik")
    query = {"product": "HBM4-12H", "site": "narvik"} if path == "/what-if" else {}
    query |= {"why": "true"} if path == "/shortages" else {}
    longer = Curves(date(2024, 1, 1), 900)
    longer.add(batch_of(1, LOG, {"samsung": START + 9, "skhynix": START + 10}, ["samsung", "skhynix"]))

    async def get() -> list[httpx.Response]:
        view = LiveView(FoldState(curves))
        transport = httpx.ASGITransport(app=Starlette(routes=routes(lambda: view, no_past)))
        async with httpx.AsyncClient(transport=transport, base_url="http://aggregator") as client:
            async with view.fold_lock:
                waiting = asyncio.create_task(client.get(path, params=query))
                await asyncio.sleep(0.05)
                has_waited = not waiting.done()
                view.replace(FoldState(longer))
            found = await waiting
            return [found, await client.get(path, params=query)] if has_waited else [found, found]

    waited, fresh = asyncio.run(get())

    assert waited.status_code == fresh.status_code == 200, waited.text
    assert waited.json() == fresh.json()
