"""The demo's numbers against a recount of its exported log, and the worklist of each of its months."""

import ast
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.state import FoldState
from services.aggregator.plan.bridge.bridge import build_bridge
from shared.wire.days import day_number
from shared.wire.postings import PostingBatch
from testing import recount
from testing.recount import Recount, read_export
from tests.replay.conftest import UNTIL, Demo

FIRST_YEAR = date(2026, 12, 31)
SHORT = ("first_short_day", "first_shortage", "shortage", "worst_day")
PLANNED = ("expedite", "promise", "pull_in")


@pytest.fixture(scope="session")
def recounted(demo: Demo) -> Recount:
    """The exported log of the demo, counted again."""
    with demo.documents.open("rb") as documents:
        facts = read_export(documents)
    horizon = demo.played.horizon
    last = date.fromordinal(horizon.start.toordinal() + horizon.days - 1)
    return Recount(facts, through=UNTIL, first=horizon.start, last=last)


def test_the_recount_imports_nothing_that_it_checks() -> None:
    tree = ast.parse(Path(recount.__file__).read_text())
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {each.name for node in ast.walk(tree) if isinstance(node, ast.Import) for each in node.names}

    assert modules == {"json", "calendar", "collections", "collections.abc", "datetime", "typing"}


# ---------------------------------------------------------------- the independent checks


def test_no_wafer_is_lost_or_made(demo: Demo, recounted: Recount) -> None:
    """All that were started or came otherwise are in a stage, or have left; and the stages are those answered."""
    stages = recounted.stages()
    for of in stages.values():
        held = sum(of[name] for name in ("wip", "finished", "in_transit", "on_hand"))
        assert of["started"] + of["came"] == held + of["left"]
    rows = demo.played.rows("/balances", by="product,supplier", day=UNTIL.isoformat())
    answered = {(row["product"], row["supplier"]): row for row in rows}

    assert {pair for pair, of in stages.items() if any(of.values())} <= answered.keys()
    assert sum(of["on_hand"] for of in stages.values()) > 0 < sum(of["in_transit"] for of in stages.values())
    for pair, row in answered.items():
        of = stages[pair]
        assert [row["in_transit"], row["on_hand"]] == [of["in_transit"], of["on_hand"]], pair
        if row["wip"] is not None:
            assert [row["wip"], row["finished"]] == [of["wip"], of["finished"]], pair


def test_the_months_are_those_of_the_recount(demo: Demo, recounted: Recount) -> None:
    answered = demo.played.ask("/months", **{"from": "2026-01", "to": "2028-12"})["rows"]

    months = recounted.months(date(2026, 1, 1), date(2028, 12, 1))
    months = [row if row["month"] <= f"{UNTIL:%Y-%m}" else row | {"gap of starts": "not known"} for row in months]
    assert [_month(row) for row in answered] == months
    assert sum(row["receipt"]["received"] for row in answered) > 0


def _month(row: dict[str, Any]) -> dict[str, Any]:
    start, receipt = row["start"], row["receipt"]
    is_over = start["started"] is not None
    return {
        "month": row["month"],
        "demand": start["demand"],
        "started": start["started"] or 0,
        "gap of starts": start["cumulative_gap"] if is_over else "not known",
        "agreed": start["agreed"],
        **{name: receipt[name] for name in ("due", "forecast", "committed", "received", "to_come")},
        "gap": receipt["cumulative_gap"],
    }


@pytest.mark.parametrize("firmness", ["planned", "material", "manufacturing", "firm", "immediate"])
def test_the_shortages_are_those_of_the_recount(demo: Demo, recounted: Recount, firmness: str) -> None:
    rows = demo.played.rows("/shortages", firmness=firmness)
    answered = {
        (row["product"], row["site"]): {name: row[name] for name in (*SHORT, "on_hand", "short_now")} for row in rows
    }

    assert answered == recounted.shortages(firmness)
    assert answered


# ---------------------------------------------------------------- the worklist


def test_the_worklist_has_at_most_30_lines_at_each_months_end_and_leaves_nothing_out(demo: Demo) -> None:
    assert len(demo.months) == 24
    for month in demo.months:
        work = month.worklist
        assert len(work["rows"]) <= 30, month.end
        assert work["next"] is None
        assert sum(line["count"] for line in work["rows"]) == work["count"], month.end
        assert [len(line["items"]) for line in work["rows"]] == [line["count"] for line in work["rows"]]


def test_each_alert_belongs_to_a_line_of_the_worklist(demo: Demo) -> None:
    for month in demo.months:
        places = set(_places(month.worklist))
        stray = [alert["name"] for alert in month.alerts if places.isdisjoint(_places_of(alert))]
        assert stray == [], month.end


def _places(work: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for line in work["rows"]:
        for item in line["items"]:
            kind = "short" if line["kind"] in PLANNED else line["kind"]
            yield kind, item["product"], item["site"] or item["supplier"]


def _places_of(alert: dict[str, Any]) -> set[tuple[str, str, str]]:
    """Return the items that an alert may belong to: thin stock that also runs short within the lead time is short."""
    kinds = {"short_within": ["short"], "slip_beyond": ["chase"], "cover_below": ["secure", "short"]}
    subject = alert["subject"]
    place = subject.get("product", ""), subject.get("site") or subject.get("supplier", "")
    return {(kind, *place) for kind in kinds.get(alert["code"], [])}


# ---------------------------------------------------------------- the causes


def test_no_cause_is_an_outlook_that_orders_replaced(demo: Demo, replaced: set[str]) -> None:
    causes = [cause for month in demo.months for alert in month.alerts for cause in alert["causes"]]

    assert len(replaced) > 1_000
    assert len(causes) > 100
    assert [cause for cause in causes if cause in replaced] == []


@pytest.fixture(scope="session")
def replaced(demo: Demo) -> set[str]:
    """The events that lower a commit on a forecast and state no reason: orders have replaced the forecast."""
    lowered, wafers = set[str](), dict[tuple[str, str], int]()
    with demo.documents.open("rb") as documents:
        for fact in read_export(documents):
            if fact.name == "supply.committed" and fact.rest["firmness"] == "planned":
                line = (fact.source, fact.line)
                if fact.wafers < wafers.get(line, 0) and not fact.rest.get("reason"):
                    lowered.add(f"{fact.source}/{fact.id}")
                wafers[line] = fact.wafers
    return lowered


def test_the_parts_of_each_bridge_sum(demo: Demo) -> None:
    """Of each product and site that runs short, from the state at the end of its first year to that at the end."""
    now, then = demo.played.state, FoldState(Curves(*demo.played.horizon))
    [position] = [month.position for month in demo.months if month.end == FIRST_YEAR]
    for batch in demo.played.store.published_batches(0, 1_000_000):
        if then.curves.position < position:
            then.add(PostingBatch.model_validate_json(batch.postings.encode()))
    rows = demo.played.rows("/shortages")
    for row in rows:
        day = date.fromisoformat(row["worst_day"])
        bridge = build_bridge(then, now, (row["product"], row["site"]), day_number(day))

        assert bridge.now == -row["shortage"]
        assert bridge.now - bridge.then == sum(bar.wafers for bar in bridge.bars)
        assert [bar.wafers for bar in bridge.bars] == [sum(part.wafers for part in bar.entries) for bar in bridge.bars]
    assert sum(bar.wafers != 0 for bar in bridge.bars) > 1
    assert len(rows) > 5
