"""The report of a store: one page of HTML and one of PDF, with the verdict, the worklist, the bridge and the charts."""

import re
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.operator.cli import app
from testing.cloud_events import Party
from testing.played import numbered, play


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store with a shortage, idle stock and an overdue commit, recorded on two days."""
    sites, samsung = Party("stargate-americas"), Party("samsung")
    before = [sites.open("2026-09-01", 25, site="TX-MILAM"), sites.advance("2026-09-30"), samsung.advance("2026-09-30")]
    log = [
        *before,
        sites.order("2026-10-01", "o1", 40, "2026-10-10", start_by="2026-10-01"),
        samsung.commit("2026-10-01", "c1", 7, "2026-10-03"),
        sites.advance("2026-10-05"), samsung.advance("2026-10-05"),
    ]  # fmt: skip
    (tmp_path / "stack").mkdir()
    play(numbered(log), on=date(2026, 10, 6), path=tmp_path / "stack/ledger.db", batches=1).store.close()
    return tmp_path / "stack"


def report(folder: Path, *arguments: str) -> tuple[str, bytes]:
    to = folder.parent / "status"
    done = CliRunner().invoke(app, ["report", "--data", str(folder), "--to", str(to), *arguments])
    assert done.exit_code == 0, done.output
    return to.with_suffix(".html").read_text(encoding="utf-8"), to.with_suffix(".pdf").read_bytes()


def test_the_page_has_the_verdict_the_worklist_the_bridge_and_three_charts(folder):
    html, pdf = report(folder)

    assert "Covered until 2026-10-09. One product at a site runs short, first HBM4-12H at TX-ABILENE" in html
    for text in ("expedite", "HBM4-12H at TX-ABILENE", "move", "HBM4-12H at TX-MILAM", "chase", "HBM4-12H of samsung"):
        assert f"<td>{text}</td>" in html
    assert "Why: HBM4-12H at TX-ABILENE, balance of 2026-10-10" in html
    labels = re.findall('<h2>([^<]*)</h2><figure role="img" aria-label="([^"]+)">', html)
    assert [title for title, _ in labels] == [label for _, label in labels]
    assert len(labels) == html.count("<figure") == 3
    assert not re.search(r"(src|href)=|<script|url\(http", html)  # it loads nothing
    assert pdf.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1


def test_the_page_of_an_earlier_position_is_of_what_was_known_then(folder):
    html, _ = report(folder, "--as-of", "3")

    assert "Nothing runs short by what is recorded" in html
    assert "position 3" in html


def test_it_replaces_nothing(folder):
    report(folder)

    again = CliRunner().invoke(app, ["report", "--data", str(folder), "--to", str(folder.parent / "status")])

    assert again.exit_code == 1
