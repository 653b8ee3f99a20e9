"""The ledger lists the events of stock of a product at a site, on both databases, and pages through them."""

import pytest

from services.ledger.http import movements
from services.ledger.store import as_of
from testing.cloud_events import Party
from testing.played import CloudEvent, ask_ledger, play

GROUP = {"product": "HBM4-12H", "site": "TX-ABILENE"}


@pytest.fixture
def log() -> dict[str, CloudEvent]:
    """The events by name, in the order of the log; each is a batch, but the counts, which are one."""
    texas, milam, samsung = Party("texas"), Party("milam", site="TX-MILAM"), Party("samsung")
    log = {"opened": texas.open("2026-10-01", 100), "elsewhere": milam.open("2026-10-01", 50)}
    log["counted"] = texas.count("2026-10-05", 90)
    log["superseded"] = texas.count("2026-10-05", 91) | {"time": "2026-10-05T11:00:00Z"}
    log["committed"] = samsung.commit("2026-10-05", "c", 10, "2026-11-01")
    log["consumed"] = texas.consume("2026-10-06", 30)
    log["other product"] = texas.open("2026-10-06", 5, product="DDR5-32G")
    log["sent"] = texas.transfer("2026-10-07", 20, "TX-MILAM")
    log["brought"] = milam.transfer("2026-10-07", 4, "TX-ABILENE")
    log["late"] = texas.receive("2026-10-04", "s", 7)
    log["received"] = texas.receive("2026-10-08", "s", 3)
    log["returned"] = texas.send_back("2026-10-09", "s", 2)
    log["reversal"] = texas.reverse("2026-10-09", log["opened"])
    log["reversal elsewhere"] = milam.reverse("2026-10-09", log["elsewhere"])
    return log


@pytest.fixture
async def client(place, log):
    play(list(log.values()), batches=2, path=place).store.close()
    async with ask_ledger(place) as client:
        yield client


async def rows(client, **query):
    answer = await client.get("/movements", params=GROUP | query)
    assert answer.status_code == 200, answer.text
    return answer.json()["rows"]


def ids(rows):
    return [row["id"] for row in rows]


@pytest.mark.parametrize(
    ("types", "names"),
    [
        ("stock.opened", ["opened", "reversal"]),
        ("stock.transferred", ["sent", "brought"]),
        ("shipment.returned", ["returned"]),
        ("wafers.consumed,demand.required", ["consumed"]),
        ("stock.counted", ["counted", "superseded", "late", "reversal"]),
    ],
)
async def test_events_are_listed_by_type_with_reversals_and_what_came_late_to_a_count(client, log, types, names):
    assert ids(await rows(client, types=types)) == [log[name]["id"] for name in names]


async def test_each_event_has_its_wafers_its_batch_and_its_effect(client, log):
    opened, reversal = await rows(client, types="stock.opened")
    counted, superseded, *_ = await rows(client, types="stock.counted")
    [brought] = [row for row in await rows(client, types="stock.transferred") if row["to_site"] == "TX-ABILENE"]

    assert (opened["source"], opened["time"], opened["wafers"]) == ("texas", "2026-10-01T12:00:00.000000Z", 100)
    assert (opened["batch"], opened["seq"], opened["effect"], opened["reverses"]) == (1, 1, "none", None)
    assert (reversal["type"], reversal["wafers"]) == ("event.reversed", 100)
    assert (reversal["reverses"], reversal["effect"]) == (opened["id"], "holds")
    assert (counted["wafers"], counted["effect"]) == (90, "holds")
    assert superseded["effect"] == f"superseded by {counted['id']}"
    assert (brought["site"], brought["wafers"]) == ("TX-MILAM", 4)


async def test_only_events_recorded_between_two_positions_and_of_days_until_one_are_listed(client, log):
    everything = await rows(client)
    batch = {row["id"]: row["batch"] for row in everything}

    between = {"since": batch[log["opened"]["id"]], "through": batch[log["sent"]["id"]]}
    assert ids(await rows(client, **between)) == [
        row["id"] for row in everything if between["since"] < row["batch"] <= between["through"]
    ]
    assert ids(await rows(client, by="2026-10-05", types="wafers.consumed,stock.opened")) == [
        log["opened"]["id"], log["reversal"]["id"]
    ]  # fmt: skip
    assert await rows(client, through="0") == []
    assert await rows(client, since="2100-01-01") == []


@pytest.mark.parametrize(("limit", "events", "pages"), [(2, 10_000, 10), (50, 2, 1), (3, 1, 2)])
async def test_pages_have_all_events_once_however_little_of_the_log_is_read_for_one(
    client, monkeypatch, limit, events, pages
):
    everything, found, query = await rows(client), [], {"limit": limit}
    monkeypatch.setattr(as_of, "PAGE_EVENTS", events)
    monkeypatch.setattr(movements, "SCANNED_PAGES_MAX", pages)
    while query.get("after") != "":
        answer = await client.get("/movements", params=GROUP | query)
        found += answer.json()["rows"]
        after = answer.json()["next"]
        assert ('rel="next"' in answer.headers.get("Link", "")) == (after is not None)
        query["after"] = "" if after is None else after

    assert len(found) > 2
    assert found == everything


async def test_a_wrong_query_is_refused(client):
    for query, status in (({"since": "999"}, 404), ({"types": "lot.started"}, 400), ({"site": "%"}, 400)):
        assert (await client.get("/movements", params=GROUP | query)).status_code == status
