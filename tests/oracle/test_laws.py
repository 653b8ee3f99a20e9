"""Laws that hold between the answers over two logs, whatever is in them: they need no oracle."""

import itertools
import random
import re
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.wire.events import EVENTS
from testing.cloud_events import CloudEvent, Party
from testing.fold import Horizon
from testing.oracle.book import name_of
from testing.oracle.worlds import PRODUCTS, SITES, START, SUPPLIERS, World
from testing.played import Played, numbered, play

HORIZON = Horizon(date(2026, 1, 1), 600)
LOTS = ("lot.started", "lot.scrapped", "lot.finished")
WATERMARKS = ("source.advanced", "source.ended", "event.reversed")
COUNTED = ("wafers", "wafers_damaged", "counted", "wafers_per_month")
STAGES_OF_LOTS = ("wip", "finished")
NOT_WAFERS = ("days", "days_late", "lead_days", "count")

DAY = re.compile(r"\d{4}-\d\d-\d\d(T|$)")

Views = dict[str, list[Any]]
"""The rows of each question."""

seeds = st.integers(0, 100_000)
laws = settings(max_examples=8, deadline=None, derandomize=True, database=None)

PLANNED = [
    "/shortages?past_due=true",
    "/shortages?firmness=firm",
    "/cover",
    "/atp?at=sites&buckets=8",
    "/atp?at=sites&bucket=day&buckets=9",
    "/atp?at=supply&bucket=day&buckets=9",
]
ASKED = [
    "/balances?by=product,site,supplier&basis=receipt&window=90", "/balances?by=site&window=365",
    "/balances?by=supplier&basis=receipt&firmness=firm", *PLANNED, "/sites", "/suppliers?lag=0", "/suppliers?lag=56",
]  # fmt: skip


@given(seeds)
@laws
def test_a_log_has_every_type_of_event_and_what_is_rare_in_it(seed):
    log = World(seed).generate_all()
    rare = {
        "a count of a whole shelf": ("stock.counted", "supplier", {"unattributed"}),
        "consumption for an order": ("wafers.consumed", "order", {"O-all"}),
    }

    assert {name_of(event) for event in log} >= EVENTS.keys() - {"supply.agreed", *LOTS}
    for what, (name, field, values) in rare.items():
        assert any(name_of(event) == name and event["data"].get(field) in values for event in log), what


@laws
@given(seeds, st.randoms(use_true_random=False))
def test_an_event_and_its_reversal_change_no_answer(seed, dice):
    log = World(seed).generate_all()
    undone = [event for event in dice.sample(log, 6) if name_of(event) not in WATERMARKS]
    ids = {event["id"] for event in undone}
    rest = [event for event in log if event["id"] not in ids and event["data"].get("reversed") not in ids]
    reversals = [_reversal(event) for event in undone]

    assert views([*rest, *undone, *reversals]) == views(rest)
    assert views([*reversals, *undone, *rest]) == views(rest)


@laws
@given(seeds, st.sampled_from([2, 7, 1000]))
def test_so_many_times_the_wafers_are_so_many_times_every_balance(seed, times):
    log = [event for event in World(seed).generate_all() if name_of(event) not in LOTS]
    more = [
        _with(event, {name: event["data"][name] * times for name in COUNTED if name in event["data"]}) for event in log
    ]
    asked = [*ASKED[:3], *PLANNED]

    assert views(more, asked) == {question: _times(rows, times) for question, rows in views(log, asked).items()}


@laws
@given(seeds, st.permutations(SITES), st.permutations(SUPPLIERS), st.permutations(PRODUCTS))
def test_renamed_products_sites_and_suppliers_are_the_same_rows_renamed(seed, sites, suppliers, products):
    log = World(seed).generate_all()
    renamed = dict(zip((*SITES, *SUPPLIERS, *PRODUCTS), (*sites, *suppliers, *products), strict=True))

    assert views(_renamed(log, renamed)) == _sorted(_renamed(views(log), renamed))


@laws
@given(seeds, st.integers(1, 6))
def test_dates_shifted_by_weeks_are_the_same_rows_shifted(seed, weeks):
    log = World(seed).generate_all()
    shifted = [
        event | {"time": _shifted(event["time"], weeks), "data": _shifted(event["data"], weeks)} for event in log
    ]

    assert _without_months(views(shifted)) == _sorted(_shifted(_without_months(views(log)), weeks))


@laws
@given(seeds, st.randoms(use_true_random=False))
def test_a_shipment_reported_in_two_parts_is_their_sum(seed, dice):
    log = World(seed).generate_all()
    parts = []
    for event in log:
        if name_of(event) == "shipment.dispatched" and event["data"]["wafers"] > 1:
            first = dice.randint(1, event["data"]["wafers"] - 1)
            parts.append(_with(event, {"wafers": first}))
            rest = _with(event, {"wafers": event["data"]["wafers"] - first})
            parts.append(rest | {"id": event["id"][:-4] + ("0000" if event["id"][-4:] != "0000" else "0001")})
        else:
            parts.append(event)
    whole = {event["id"] for event in log if name_of(event) == "shipment.dispatched"}
    if any(event["data"].get("reversed") in whole for event in log):
        return

    assert views(parts) == views(log)


@pytest.mark.parametrize("all_report_lots", [True, False])
@laws
@given(seeds)
def test_the_logs_of_two_products_together_are_their_sum(all_report_lots, seed):
    world = World(seed)
    log = world.generate_all()
    balances = "/balances?by=site,supplier&basis=receipt&window=365"
    sums = [balances, "/months"]
    if all_report_lots:
        for supplier, product in itertools.product(SUPPLIERS, world.products):
            key = {"product": product, "supplier": supplier, "site": "unallocated"}
            world.publish(supplier, Party.start, START, "L-all", 7, **key)
    one, other = (
        views([event for event in log if event["data"].get("product", product) == product], [*PLANNED, *sums])
        for product in PRODUCTS
    )
    together = views(log, [*PLANNED, *sums])
    if not all_report_lots:  # what is not reported of one product is left out of the row of both
        for found in (one, other, together):
            found[balances] = [row | {name: row[name] or 0 for name in STAGES_OF_LOTS} for row in found[balances]]
            for row in found["/months"]:
                row["start"] = {name: row["start"][name] for name in ("demand", "agreed")}

    for question in PLANNED:
        assert together[question] == sorted(one[question] + other[question], key=repr)
    for question in sums:
        assert sorted(together[question], key=_name) == _summed(one[question] + other[question])


# ---------------------------------------------------------------- the answers


def views(log: Sequence[CloudEvent], asked: Sequence[str] = ASKED) -> Views:
    played = play(numbered(log), horizon=HORIZON)
    return _sorted({question: _rows(played, question) for question in asked})


def _rows(played: Played, question: str) -> list[Any]:
    path, _, query = question.partition("?")
    named = dict(part.split("=") for part in query.split("&") if part)
    if path != "/months":
        return played.rows(path, **named)
    months = played.ask(path, **{"from": "2026-01", "to": "2026-12"})["rows"]
    unrounded = {"share_percent": 0}  # which is rounded in each
    return [row | {basis: row[basis] | unrounded for basis in ("start", "receipt")} for row in months]


def _without_months(found: Views) -> Views:
    return {question: [row | {"yield_by_month": []} for row in rows] for question, rows in found.items()}


def _sorted(found: Views) -> Views:
    """Return rows in an order of their own, and what a site waits for, of which equal megawatts stand by name."""
    rows_of = {
        question: [
            row | {"waits_for": sorted(row["waits_for"], key=repr)} if "waits_for" in row else row for row in rows
        ]
        for question, rows in found.items()
    }
    return {question: sorted(rows, key=repr) for question, rows in rows_of.items()}


def _summed(rows: Iterable[Any]) -> list[Any]:
    """Return rows of the same site and supplier, or month, as one, by that name: what they count is added up."""
    found: dict[str, Any] = {}
    for row in rows:
        found[_name(row)] = _added(found[_name(row)], row) if _name(row) in found else row
    return [found[name] for name in sorted(found)]


def _name(row: Any) -> str:
    return " ".join(value for value in row.values() if isinstance(value, str))


def _added(one: Any, other: Any) -> Any:
    if isinstance(one, dict):
        return {name: _added(one[name], other[name]) for name in one}
    if isinstance(one, list):
        return sorted({*one, *other})
    if isinstance(one, int):
        return one + other
    assert one == other
    return one


# ---------------------------------------------------------------- the other log


def _with(event: CloudEvent, data: dict[str, Any]) -> CloudEvent:
    return event | {"data": event["data"] | data}


def _reversal(event: CloudEvent) -> CloudEvent:
    id_ = f"{random.Random(event['id']).getrandbits(64):016x}"  # noqa: S311
    return event | {
        "id": f"ffffffff-ffff-4fff-8fff-{id_[:12]}",
        "type": "waferline.event.reversed.v1",
        "time": "2026-06-01T12:00:00Z",
        "data": {"reversed": event["id"], "reason": "published in error"},
    }


def _times(value: Any, times: int, name: str = "") -> Any:
    if isinstance(value, dict):
        return {each: _times(below, times, each) for each, below in value.items()}
    if isinstance(value, list):
        return [_times(below, times, name) for below in value]
    return value * times if type(value) is int and name not in NOT_WAFERS else value


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {names.get(each, each): _renamed(below, names) for each, below in value.items()}
    if isinstance(value, list):
        return [_renamed(below, names) for below in value]
    return "/".join(names.get(part, part) for part in value.split("/")) if isinstance(value, str) else value


def _shifted(value: Any, weeks: int) -> Any:
    if isinstance(value, dict):
        return {each: _shifted(below, weeks) for each, below in value.items()}
    if isinstance(value, list):
        return [_shifted(below, weeks) for below in value]
    if isinstance(value, str) and DAY.match(value):
        return (date.fromisoformat(value[:10]) + timedelta(weeks=weeks)).isoformat() + value[10:]
    return value
