"""No text of an event steers the terminal that shows it."""

from io import StringIO

import pytest
from rich.console import Console
from rich.text import Text

from services.operator.show.events import event_tables
from services.operator.show.sites import site_tables
from services.operator.show.table import escape_controls, table

STEERING = "a\x9b31mb\u202ec\u2028d"


def shown(*renderables) -> str:
    console = Console(file=StringIO(), width=200)
    for each in renderables:
        console.print(each)
    return console.file.getvalue()


@pytest.mark.parametrize("text", ["", "São Paulo, 서울", "two\nlines"])
def test_a_text_that_is_printable_stays_as_it_is(text):
    assert escape_controls(text) == text


def test_a_control_is_shown_as_json_escapes_it():
    assert escape_controls(STEERING + "\U000e0001") == "a\\u009b31mb\\u202ec\\u2028d\\udb40\\udc01"


def test_a_table_prints_no_control():
    printed = shown(table(STEERING, ("text",), [(STEERING,)], caption=STEERING))

    assert printed.count("\\u009b31m") == 3
    assert all(each.isprintable() for each in printed.split("\n"))


def test_an_event_and_a_site_are_printed_without_a_control():
    event = {
        "status": "recorded", "event": {"data": {"reason": STEERING}}, "batch": 1, "document_line": 2, "head": "0",
        "checks": {}, "signed_at": None,
    }  # fmt: skip
    site = dict.fromkeys(("waterplane_m2", "land_ha")) | {
        "site": "s", "name": STEERING, "mooring": "onshore", "country": "US", "mw": 1, "pue_percent": 120,
        "kg_co2_per_mwh": 1, "confidence": "sourced", "synthetic": False, "evidence": STEERING, "phases": [],
        "short_products": [], "power_source": STEERING, "mw_energised": None,
    }  # fmt: skip
    answer = {"described": site, "months": [], "entries": []}
    printed = shown(*event_tables(event), *site_tables(answer, Text("")))

    assert printed.count("\\u009b31m") == 4
    assert all(each.isprintable() for each in printed.split("\n"))
