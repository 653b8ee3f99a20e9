"""A log for each code of an alert: raised and cleared in any order, and shown wherever a planner looks."""

import asyncio
import re
from collections.abc import Callable, Iterator
from io import StringIO

import httpx
import pytest
from rich.console import Console
from starlette.applications import Starlette

from services.aggregator.alerts.published import PublishedAlerts
from services.console.http.pages import routes
from services.console.live.feed import MoveFeed
from services.console.live.upstream import Upstream
from services.operator.contracts.alerts_page import ALERT_CODES
from services.operator.show.programme import alerts_tables
from shared.http.peers import ANONYMOUS
from shared.wire.alerts import SUBJECTS, AlertCode
from testing.cloud_events import KEY, CloudEvent, Party
from testing.played import Played, play, shuffled
from tests.cases.tapes import RECORDED
from tests.docs.pages import DOCS

SHUFFLES = 10
OTHER = {"product": "DDR5-16G"}

Case = Callable[[Party, Party], Iterator[CloudEvent]]
"""Yields the events that raise an alert, and last the one that clears it; both parties then complete the 31st."""


def silent(texas: Party, samsung: Party) -> Iterator[CloudEvent]:
    yield samsung.advance("2026-10-20")
    yield texas.advance("2026-10-31")
    yield samsung.advance("2026-10-31")


def behind(texas: Party, samsung: Party) -> Iterator[CloudEvent]:
    yield texas.advance("2026-10-31")
    yield samsung.advance("2026-10-31")
    yield samsung.start("2026-10-30", "L1")
    yield samsung.advance("2026-10-31", on="2026-11-01")


def undeclared_product(texas: Party, _: Party) -> Iterator[CloudEvent]:
    planner = Party("planner")
    yield planner.publish("2026-10-01", "product.declared", product=OTHER["product"], revision=0)
    yield texas.open("2026-10-01", 10)
    yield planner.publish("2026-10-02", "product.declared", product=KEY["product"], revision=0)


def undeclared_site(texas: Party, _: Party) -> Iterator[CloudEvent]:
    yield texas.declare("2026-10-01", site="NO-NARVIK", country="NO")
    yield texas.open("2026-10-01", 10)
    yield texas.declare("2026-10-02")


def due_beyond(_: Party, samsung: Party) -> Iterator[CloudEvent]:
    yield samsung.commit("2026-10-01", "c", 40, "2062-11-20")
    yield samsung.commit("2026-10-02", "c", 40, "2026-11-20", revision=1)


def negative_stock(texas: Party, _: Party) -> Iterator[CloudEvent]:
    yield texas.order("2026-10-01", "o", 12, "2026-10-20")
    yield texas.open("2026-10-01", 10)
    yield texas.consume("2026-10-20", 12)
    yield texas.open("2026-10-01", 2)


def consumed_beyond(texas: Party, _: Party) -> Iterator[CloudEvent]:
    yield texas.open("2026-10-01", 50)
    yield texas.consume("2026-10-20", 30)
    yield texas.order("2026-10-01", "o", 30, "2026-10-20")


def negative_stage(_: Party, samsung: Party) -> Iterator[CloudEvent]:
    yield samsung.start("2026-10-01", "L1", 20)
    yield samsung.finish("2026-10-20", "L1", 25)
    yield samsung.start("2026-10-01", "L2", 5)


def over_receipt(texas: Party, samsung: Party) -> Iterator[CloudEvent]:
    yield samsung.commit("2026-10-01", "c", 11, "2026-10-20")
    yield samsung.dispatch("2026-10-10", "S1", 10, "2026-10-20", "c")
    yield texas.receive("2026-10-20", "S1", 11)
    yield samsung.dispatch("2026-10-10", "S1", 1, "2026-10-20", "c")


def unfinished(_: Party, samsung: Party) -> Iterator[CloudEvent]:
    yield samsung.start("2026-10-01", "L1", 40)
    yield samsung.finish("2026-10-20", "L1", 25)
    yield samsung.commit("2026-10-01", "c", 40, "2026-11-20")
    yield samsung.dispatch("2026-10-20", "S1", 40, "2026-11-20", "c")
    yield samsung.finish("2026-10-20", "L1", 15)


def uncommitted(_: Party, samsung: Party) -> Iterator[CloudEvent]:
    sent = samsung.dispatch("2026-10-20", "S1", 10, "2026-11-20")
    yield sent
    yield samsung.reverse("2026-10-21", sent)


def other_commit(_: Party, samsung: Party) -> Iterator[CloudEvent]:
    yield samsung.commit("2026-10-01", "c", 10, "2026-11-20", **OTHER)
    yield samsung.dispatch("2026-10-20", "S1", 10, "2026-11-20", "c")
    yield samsung.commit("2026-10-21", "c", 10, "2026-11-20", revision=1)


def other_supplier(texas: Party, samsung: Party) -> Iterator[CloudEvent]:
    yield samsung.commit("2026-10-01", "c", 10, "2026-10-20")
    yield samsung.dispatch("2026-10-10", "S1", 10, "2026-10-20", "c")
    received = texas.receive("2026-10-20", "S1", 10, supplier="skhynix")
    yield received
    yield texas.reverse("2026-10-21", received)


def other_product(texas: Party, samsung: Party) -> Iterator[CloudEvent]:
    yield samsung.commit("2026-10-01", "c", 10, "2026-10-20")
    yield samsung.dispatch("2026-10-10", "S1", 10, "2026-10-20", "c")
    received = texas.receive("2026-10-20", "S1", 4, **OTHER)
    yield received
    yield texas.reverse("2026-10-21", received)


def short(texas: Party, samsung: Party) -> Iterator[CloudEvent]:
    yield texas.order("2026-10-01", "o", 40, "2026-11-10")
    yield samsung.commit("2026-10-01", "c", 40, "2026-11-09")


def thin(texas: Party, samsung: Party) -> Iterator[CloudEvent]:
    yield texas.open("2026-10-01", 30)
    yield texas.order("2026-10-01", "o", 40, "2026-11-05")
    yield samsung.commit("2026-10-01", "c", 10, "2026-11-05")
    yield texas.open("2026-10-01", 10)


def slipped(_: Party, samsung: Party) -> Iterator[CloudEvent]:
    yield samsung.commit("2026-09-01", "c", 40, "2026-10-01")
    yield samsung.commit("2026-10-20", "c", 40, "2026-11-20", revision=1)


CASES: dict[AlertCode, Case] = {
    "source_silent": silent,
    "behind_watermark": behind,
    "undeclared_product": undeclared_product,
    "undeclared_site": undeclared_site,
    "due_beyond_horizon": due_beyond,
    "stock_negative": negative_stock,
    "consumed_beyond_required": consumed_beyond,
    "stage_negative": negative_stage,
    "received_beyond_dispatched": over_receipt,
    "dispatched_beyond_finished": unfinished,
    "dispatch_without_commit": uncommitted,
    "dispatch_of_other_product": other_commit,
    "supplier_contradicts_shipment": other_supplier,
    "receipt_of_other_product": other_product,
    "short_within": short,
    "cover_below": thin,
    "slip_beyond": slipped,
}
codes = pytest.mark.parametrize("code", SUBJECTS)


def log_of(code: AlertCode, *, mended: bool = False) -> list[CloudEvent]:
    """Return the log that raises an alert, with `mended` the event that clears it too."""
    parties = Party("stargate-americas"), Party("samsung")
    events = [*CASES[code](*parties)][: None if mended else -1]
    done = {event["source"] for event in events if event["type"] == "waferline.source.advanced.v1"}
    return [*events, *(party.advance("2026-10-31") for party in parties if party.source not in done)]


def played(log: list[CloudEvent], **more: int) -> Played:
    return play(log, on=RECORDED, **more)


def page_of(log: Played, **filters: str) -> str:
    """Return the page of the programme."""
    upstream = Upstream(ANONYMOUS, "http://aggregator", "http://ledger", httpx.ASGITransport(log.app))
    console = Starlette(routes=routes(upstream, MoveFeed(), {}))

    async def read() -> str:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(console), base_url="http://console") as client:
            return (await client.get("/", params=filters)).text

    return asyncio.run(read())


@codes
def test_an_alert_is_raised_and_cleared_by_what_is_recorded(code):
    raised, mended = (played(log_of(code, mended=mended)).ask("/alerts", code=code) for mended in (False, True))

    assert raised["open"][code] == len(raised["rows"]) == 1
    assert mended["open"][code] == 0


@codes
@pytest.mark.parametrize("mended", [False, True])
def test_the_open_alerts_are_the_same_in_any_order(code, mended):
    log = log_of(code, mended=mended)
    expected = played(log).ask("/alerts")

    for seed in range(SHUFFLES):
        again = played(shuffled(log, seed), batches=1 + seed % 3).ask("/alerts")
        assert (again["open"], again["rows"]) == (expected["open"], expected["rows"]), f"shuffle {seed}"


@codes
def test_the_stream_raises_an_alert_once_and_clears_it_once(code):
    stream, log = PublishedAlerts(), log_of(code, mended=True)
    changes = []
    for view in (played(log_of(code)).view, played(log).view, played(log).view):
        epoch = 1
        raised, cleared = stream.changes(epoch, view.alerts)
        for batch in stream.batches(epoch, view.plan, raised, cleared):
            stream.add(batch)
            changes += [change.status for change in batch.changes if change.code == code]

    assert changes == ["raised", "cleared"]


@codes
def test_the_page_and_the_command_line_show_an_alert_and_the_documents_explain_it(code):
    log = played(log_of(code))
    terminal = Console(width=240, record=True, file=StringIO())
    for table in alerts_tables(log.ask("/alerts")):
        terminal.print(table)
    documented = next(line for line in (DOCS / "alerts.md").read_text().splitlines() if line.startswith(f"| `{code}`"))

    assert f'<span class="code">{code.replace("_", " ")}</span>' in page_of(log)
    assert code in terminal.export_text()
    assert all(len(part) > 10 for part in ALERT_CODES[code][::2])
    assert documented.count(" | ") >= 4


# ---------------------------------------------------------------- the filters

TEXAS, NORWAY = "HBM4-12H TX-ABILENE", "DDR5-32G NO-NARVIK"
SLIPS, SENT = {"samsung HBM4-12H", "skhynix DDR5-32G"}, "samsung S1 HBM4-12H"


@pytest.fixture
def two_sites() -> Played:
    """Two products at two sites of two suppliers, all short and late, and a source that is silent."""
    texas, samsung, hynix = Party("stargate-americas"), Party("samsung"), Party("skhynix", supplier="skhynix")
    norway = {"product": "DDR5-32G", "site": "NO-NARVIK"}
    log = [
        texas.order("2026-10-01", "o1", 40, "2026-11-10"),
        texas.order("2026-10-01", "o2", 40, "2026-11-10", **norway),
        samsung.commit("2026-09-01", "c", 10, "2026-10-01"),
        hynix.commit("2026-09-01", "c", 10, "2026-10-01", **norway),
        samsung.dispatch("2026-10-20", "S1", 1, "2026-11-20"),
        texas.advance("2026-10-31"), samsung.advance("2026-10-31"), hynix.advance("2026-10-25"),
    ]  # fmt: skip
    return played(log)


FILTERED = [
    ({}, {TEXAS, NORWAY, *SLIPS, SENT}),
    ({"product": "DDR5-32G"}, {NORWAY, "skhynix DDR5-32G"}),
    ({"site": "TX-ABILENE"}, {TEXAS, *SLIPS, SENT}),
    ({"site": "NO-NARVIK"}, {NORWAY, *SLIPS}),
    ({"supplier": "skhynix"}, {TEXAS, NORWAY, "skhynix DDR5-32G"}),
    ({"supplier": "samsung", "product": "HBM4-12H"}, {TEXAS, "samsung HBM4-12H", SENT}),
]


@pytest.mark.parametrize(("filters", "subjects"), FILTERED)
def test_alerts_of_other_products_sites_and_suppliers_are_left_out_and_those_that_concern_all_stay(
    two_sites, filters, subjects
):
    answer = two_sites.ask("/alerts", **filters)

    found = {" ".join(row["subject"].values()) for row in answer["rows"]}
    assert found == subjects | {"skhynix"}
    assert sum(answer["open"].values()) == len(answer["rows"])


@pytest.mark.parametrize(("filters", "subjects"), FILTERED)
def test_the_page_shows_the_alerts_of_its_filters(two_sites, filters, subjects):
    page = page_of(two_sites, **filters)

    shown = re.findall(r'<li data-key="[a-z_]+/([^"]+)">', page)
    assert {key.replace("/", " ") for key in shown} == subjects | {"skhynix"}
    assert f"{len(subjects) + 1} open</a>" in page
    assert ("Alerts that name no product, site or supplier concern all of them." in page) == bool(filters)


def test_an_unknown_name_is_refused(two_sites):
    assert two_sites.get("/alerts", site="nowhere").status_code == 404
