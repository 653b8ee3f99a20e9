"""The ledger lists the lines of a source on both databases, and a party may read its own."""

import pytest

from testing.cloud_events import Party
from testing.played import ask_ledger, play


@pytest.fixture
async def client(place):
    texas, samsung = Party("texas"), Party("samsung")
    log = [samsung.commit("2026-01-05", f"C-{n}", 10 * n, "2026-03-01") for n in range(5)]
    log += [texas.order("2026-01-05", f"PO-{n}", 10 + n, "2026-03-01") for n in range(3)]
    log += [texas.forecast("2026-01-05", f"F-{n}", 10 + n, "2026-09-01") for n in range(3)]
    log += [texas.receive("2026-02-09", "S-unknown", 3)]  # a line without terms
    for n, product in enumerate(("HBM4-12H", "DDR5-32G", "HBM4-12H")):
        log.append(samsung.dispatch("2026-02-01", f"S-{n}", 5, "2026-02-10", commit="C-1", product=product))
    log.append(samsung.commit("2026-01-09", "C-2", 15, "2026-03-09", revision=1, firmness="planned"))
    play(log, batches=2, path=place).store.close()
    async with ask_ledger(place) as client:
        yield client


async def rows(client, **query):
    answer = await client.get("/lines", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["rows"]


async def test_lines_have_their_terms_in_force(client):
    _, _, second, *_ = await rows(client, source="samsung", kind="commit")
    order, *_ = await rows(client, source="texas", kind="order")

    assert second | {"id": "", "time": ""} == {
        "source": "samsung", "kind": "commit", "line": "C-2", "product": "HBM4-12H", "site": "TX-ABILENE",
        "supplier": "samsung", "day": "2026-03-09", "wafers": 15, "open_wafers": 15, "revision": 1, "state": "open",
        "firmness": "planned", "start_by": None, "priority": None, "id": "", "time": "",
    }  # fmt: skip
    assert second["time"] == "2026-01-09T12:00:00.000000Z"
    assert (order["start_by"], order["priority"], order["firmness"]) == ("2026-01-05", 1, None)


async def test_lines_are_found_by_source_kind_and_state(client):
    async def names(**query):
        return [row["line"] for row in await rows(client, **query)]

    assert await names(source="samsung", kind="commit", state="withdrawn") == ["C-0"]
    assert await names(source="samsung", kind="shipment") == ["S-1", "S-0", "S-2"]  # by product
    assert await names(source="texas") == ["F-0", "F-1", "F-2", "PO-0", "PO-1", "PO-2"]
    assert await names(kind="forecast") == ["F-0", "F-1", "F-2"]
    assert await names(source="nobody") == []
    assert len(await names()) == 5 + 3 + 3 + 3


@pytest.mark.parametrize("limit", [1, 2, 3, 500])
@pytest.mark.parametrize("query", [{}, {"source": "samsung"}, {"kind": "shipment"}, {"state": "open"}])
async def test_pages_have_every_line_once(client, limit, query):
    everything, found, after = await rows(client, **query), [], ""
    while after is not None:
        answer = (await client.get("/lines", params=query | {"limit": limit, "after": after})).json()
        found += answer["rows"]
        after = answer["next"]

    assert found == everything


async def test_a_wrong_query_is_refused(client):
    for query in ({"kind": "lot"}, {"after": "x"}):
        assert (await client.get("/lines", params=query)).status_code == 400


async def test_a_place_of_another_source_has_no_answer(client):
    query = {"source": "texas", "after": "samsung/supply.committed/C-1"}

    answer = await client.get("/lines", params=query)

    assert (answer.status_code, answer.json()["parameter"]) == (422, "after")


async def test_the_rows_come_as_csv(client):
    answer = await client.get("/lines", params={"kind": "forecast", "format": "csv"})

    assert answer.text.splitlines()[0].startswith("source,kind,line,product,")


@pytest.fixture
async def facts(place):
    texas, milam = Party("texas"), Party("milam")
    log = {
        "counted": texas.count("2026-10-05", 90),
        "again": texas.count("2026-10-05", 91) | {"time": "2026-10-05T13:00:00Z"},
        "received": texas.receive("2026-10-04", "S-1", 7),
        "reversed": texas.receive("2026-10-06", "S-2", 7),
        "elsewhere": milam.receive("2026-10-07", "S-3", 7),
        "declared": texas.declare("2026-10-01"),
        "revised": texas.declare("2026-10-02", mw=1300, revision=1),
    }
    log["reversal"] = texas.reverse("2026-10-07", log["reversed"])
    play(list(log.values()), batches=2, path=place).store.close()
    async with ask_ledger(place) as client:
        yield client, log


@pytest.mark.parametrize(
    ("type_", "names"),
    [
        ("stock.counted", ["again"]), ("shipment.received", ["received"]), ("event.reversed", ["reversal"]),
        ("site.declared", ["declared", "revised"]), ("lot.started", []),
    ],
)  # fmt: skip
async def test_the_events_of_a_source_and_a_type_that_hold_are_listed(facts, type_, names):
    client, log = facts
    found, after = [], 0
    while after is not None:
        answer = await client.get("/holding", params={"source": "texas", "type": type_, "limit": 1, "after": after})
        found += answer.json()["rows"]
        after = answer.json()["next"]

    assert [row["id"] for row in found] == [log[name]["id"] for name in names]
