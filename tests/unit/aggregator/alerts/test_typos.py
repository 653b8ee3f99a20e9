"""Alerts of names and days that may be typos: a site that nobody declares, a due day beyond the horizon."""

from datetime import UTC, date, datetime

import pytest

from services.aggregator.alerts.finding import find_alerts
from services.aggregator.alerts.thresholds import AlertThresholds
from services.aggregator.fold.curves import Curves
from services.aggregator.fold.state import FoldState
from services.aggregator.plan.projection import make_plan
from shared.play.numbering import Numbering
from shared.wire.events import EventReversed, SiteDeclared, StockOpened, SupplyCommitted
from shared.wire.postings import PostingBatch
from testing.fold import fold

TIME = datetime(2026, 1, 1, tzinfo=UTC)
KEY = {"product": "HBM4-12H", "supplier": "samsung"}
SITE = {
    "country": "US", "mooring": "onshore", "mw": 1, "pue_percent": 120, "land_ha": None, "waterplane_m2": None,
    "kg_co2_per_mwh": 0, "evidence": "", "confidence": "sourced", "revision": 0,
}  # fmt: skip


@pytest.fixture
def center() -> Numbering:
    return Numbering("americas")


def found(code: str, *events) -> dict[tuple[str, ...], dict[str, int]]:
    state = FoldState(Curves())
    for stored in fold(events).store.published_batches(0, 1_000):
        state.add(PostingBatch.model_validate_json(stored.postings.encode()))
    alerts = find_alerts(state, make_plan(state.curves), AlertThresholds()).values()
    return {alert.subject: alert.detail for alert in alerts if alert.code == code}


def test_a_site_is_undeclared_until_it_is_declared_or_its_events_are_reversed(center):
    declared = center.emit(TIME, SiteDeclared(site="TX-MILAM", name="Milam", **SITE))
    stock = [center.emit(TIME, StockOpened(wafers=5, site=site, **KEY)) for site in ("TX-MILAM", "TX-MILAN")]
    undone = center.emit(TIME, EventReversed(reversed=stock[1].id, reason="a typo"))
    late = center.emit(TIME, SiteDeclared(site="TX-MILAN", name="Milan", **SITE))

    assert found("undeclared_site", *stock) == {}  # of no site anything is declared
    assert found("undeclared_site", declared, *stock) == {("TX-MILAN",): {"keys": 1}}
    assert found("undeclared_site", declared, *stock, undone) == {}
    assert found("undeclared_site", declared, *stock, late) == {}


@pytest.mark.parametrize(("due", "wafers"), [(date(2030, 12, 31), None), (date(2031, 1, 1), 7), (date(2062, 5, 1), 7)])
def test_a_due_day_beyond_the_horizon_is_told(due, wafers):
    terms = {"line": "c", "firmness": "firm", "site": "TX-MILAM", **KEY}
    commit = Numbering("samsung").emit(TIME, SupplyCommitted(due=due, wafers=7, revision=0, **terms))

    expected = {} if wafers is None else {("HBM4-12H", "TX-MILAM"): {"wafers": wafers}}
    assert found("due_beyond_horizon", commit) == expected
