"""A template reads back to nothing new, empty or filled with the lines in force."""

from datetime import UTC, date, datetime, timedelta
from io import BytesIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from shared.documents.columns import TERMS
from shared.documents.document import KINDS
from shared.documents.profile import Profile
from shared.documents.sheets import read_sheet
from shared.documents.stating import LineInForce, state_document
from shared.documents.templates import template

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
NAME = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:\-]{0,20}", fullmatch=True)
DAY = st.dates(date(2026, 1, 1), date(2027, 1, 1)).map(str)
WAFERS = st.integers(1, 1_000_000)
TEXT = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=30).map(str.strip)
KEYED = {"product": st.just("HBM-12H"), "site": NAME, "supplier": NAME}
REVISION = {"revision": st.integers(0, 9)}
CATALOGUE = {"HBM-12H": None}

YIELD = st.decimals("0.001", "1", places=3).map(lambda number: format(number.normalize(), "f"))
MODEL = st.fixed_dictionaries(
    {"gb_per_die": st.integers(1, 64), "die_mm2": st.integers(20, 800), "layers": st.integers(1, 16)}
    | dict.fromkeys(("line_yield", "probe_yield", "layer_yield", "final_yield"), YIELD)
)
DATA = {
    "commits": KEYED | REVISION | {
        "supplier": st.just("north"), "line": NAME, "due": DAY, "wafers": WAFERS, "reason": TEXT,
        "firmness": st.sampled_from(["planned", "material", "manufacturing", "firm", "immediate"]),
    },
    "forecasts": KEYED | REVISION | {"line": NAME, "due": DAY, "wafers": WAFERS},
    "orders": KEYED | REVISION | {
        "line": NAME, "due": DAY, "wafers": WAFERS, "start_by": DAY, "priority": st.integers(1, 9),
    },
    "receipts": KEYED | {"shipment": NAME, "owner": NAME, "wafers": WAFERS, "wafers_damaged": st.integers(0, 5)},
    "stock": KEYED | REVISION | {"counted": st.integers(0, 10**6)},
    "sites": REVISION | {
        "site": NAME, "name": TEXT, "country": st.just("NO"), "mooring": st.sampled_from(["onshore", "floating"]),
        "mw": st.integers(0, 9_999), "pue_percent": st.integers(100, 300), "land_ha": st.none() | st.integers(1, 99),
        "waterplane_m2": st.none() | st.integers(1, 99), "kg_co2_per_mwh": st.integers(0, 999), "evidence": TEXT,
        "confidence": st.sampled_from(["sourced", "assumed"]),
    },
    "products": REVISION | {
        "product": NAME, "family": st.none() | NAME, "wafer_model": st.none() | MODEL, "basis": TEXT,
        "withdrawn": st.just(False),
    },
}  # fmt: skip
KEYS = {
    "sites": ("site",),
    "products": ("product",),
    "receipts": ("shipment", "site", "supplier"),
    "stock": ("site", "supplier"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_template_states_nothing(kind):
    sheet = read_sheet("a template", template(kind), Profile(), kind)

    assert sheet.problems == ()
    assert state_document(sheet.document, [], "north", Profile(), CATALOGUE, NOW).events == ()


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_has_a_frozen_header_and_describes_its_columns(kind):
    book = load_workbook(BytesIO(template(kind)))

    assert book.worksheets[0].freeze_panes == "A2"
    assert [cell.value for cell in book.worksheets[0][1]] == [column.name for column in TERMS[kind].columns]
    assert [row[0].value for row in book["columns"].iter_rows(min_row=2)] == [each.name for each in TERMS[kind].columns]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), st.sampled_from(KINDS))
def test_a_template_with_the_lines_in_force_reads_back_to_nothing_new(data, kind):
    unique = KEYS.get(kind, ("line",))
    made = data.draw(
        st.lists(
            st.fixed_dictionaries(DATA[kind]), max_size=4, unique_by=lambda each: tuple(each[name] for name in unique)
        )
    )
    time = NOW - timedelta(days=2)
    lines = [LineInForce(each, time, "00000000-0000-7000-8000-000000000000") for each in made]

    sheet = read_sheet("a template", template(kind, lines), Profile(), kind)

    assert sheet.problems == ()
    stated = state_document(sheet.document, lines, "north", Profile(), CATALOGUE, NOW)
    assert (stated.problems, stated.events, stated.unchanged) == ((), (), len(lines))
