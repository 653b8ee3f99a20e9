"""The words of the worklist, whose rows stand for several items."""

from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.operator.cli import app
from testing.cloud_events import Party
from testing.played import numbered, play


@pytest.mark.parametrize(
    ("suppliers", "title", "row"),
    [
        (("micron",), "1 row for 1 item", "HBM4-12H of micron"),
        (("a", "b", "micron", "samsung", "skhynix"), "1 row for 5 items", "HBM4-12H: 1 product of 5 suppliers"),
    ],
)
def test_a_row_counts_its_products_and_suppliers(tmp_path: Path, suppliers, title, row):
    parties = [Party(name, supplier=name) for name in suppliers]
    log = [
        event
        for party in parties
        for event in (party.commit("2026-10-01", "c", 7, "2026-10-03"), party.advance("2026-10-05"))
    ]
    play(numbered(log), on=date(2026, 10, 6), path=tmp_path / "ledger.db").store.close()

    words = CliRunner().invoke(app, ["worklist", "--data", str(tmp_path)]).output

    assert f"today is 2026-10-06: {title}\n" in words
    assert f" {row} " in words
