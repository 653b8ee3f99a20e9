"""The history of an export: every key and day as the curves roll them."""

import json
from datetime import date, timedelta

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from services.operator.cli import app
from services.operator.record.exports import export
from shared.wire.days import day_number
from shared.wire.events import Event
from testing.fold import fold, rolling
from tests.replay.test_tape import SAID


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folded = fold(SAID)
    folder = tmp_path_factory.mktemp("export") / "parquet"
    export(folded.store, "parquet", folder)
    return folded.curves, folder


@pytest.mark.parametrize("basis", ["receipt", "start"])
def test_a_history_has_what_the_curves_roll(exported, tmp_path, basis):
    curves, folder = exported
    target = tmp_path / "rolling.parquet"

    told = CliRunner().invoke(app, ["rolling", str(folder), "--to", str(target), "--basis", basis, "--json"])

    assert told.exit_code == 0, told.output
    found, rows = json.loads(told.output), pq.read_table(target).to_pylist()
    assert len(rows) == found["rows"] == found["keys"] * found["days"]
    compared = 0
    for day in (date(2026, 6, 30), date(2026, 12, 15)):  # inside the horizon of the curves
        for window in (7, 90):
            rolled = {each.group: each[1:] for each in rolling(curves,
                day_number(day), window, basis, ("product", "site", "supplier")
            )}  # fmt: skip
            for row in (row for row in rows if row["day"] == day):
                sums = tuple(row[f"{name}_{window}"] for name in ("supply", "demand", "net"))
                assert sums == rolled[row["product"], row["site"], row["supplier"]]
                compared += 1
    assert compared > 10


def test_a_table_that_is_there_is_not_written_over(exported, tmp_path):
    target = tmp_path / "rolling.csv"
    target.write_text("kept")

    told = CliRunner().invoke(app, ["rolling", str(exported[1]), "--to", str(target)])

    assert told.exit_code == 1
    assert "is there already" in told.output
    assert target.read_text() == "kept"


@pytest.mark.parametrize("also", [[], ["--at-events"]])
def test_a_window_of_no_days_is_refused_in_a_line(exported, tmp_path, also):
    told = CliRunner().invoke(
        app, ["rolling", str(exported[1]), "--to", str(tmp_path / "x.csv"), "--window", "0", *also]
    )

    assert told.exit_code == 1
    assert "window" in told.output


def test_a_csv_is_written_where_it_is_named_so(exported, tmp_path):
    target = tmp_path / "rolling.csv"

    told = CliRunner().invoke(app, ["rolling", str(exported[1]), "--to", str(target), "--window", "30"])

    assert told.exit_code == 0, told.output
    assert target.read_text().splitlines()[0] == (
        '"product","site","supplier","day","supply_30","demand_30","net_30","balance"'
    )
    assert "first day below zero" in told.output


@pytest.mark.parametrize(("basis", "names"), [("receipt", {"shipment.received": 1, "wafers.consumed": -1}),
                                              ("start", {"lot.started": 1})])  # fmt: skip
def test_the_net_at_each_event_is_that_of_the_naive_twin(exported, tmp_path, basis, names):
    target = tmp_path / "instants.parquet"
    arguments = ["rolling", str(exported[1]), "--to", str(target), "--basis", basis, "--window", "30", "--at-events"]

    told = CliRunner().invoke(app, [*arguments, "--json"])

    assert told.exit_code == 0, told.output
    undone = {(e.source, e.data.reversed) for e in SAID if isinstance(e, Event) and e.data.type == "event.reversed"}
    moved = {
        (e.source, e.id): (e.time, (e.data.product, e.data.site, e.data.supplier), names[e.data.type] * e.data.wafers)
        for e in SAID
        if isinstance(e, Event) and e.data.type in names and (e.source, e.id) not in undone
    }
    rows = pq.read_table(target).to_pylist()
    assert {(row["source"], row["id"]) for row in rows} == moved.keys()
    for row in rows[::17]:
        now, key, _ = moved[row["source"], row["id"]]
        assert row["net_30"] == sum(
            wafers for time, of, wafers in moved.values() if of == key and now - timedelta(days=30) < time <= now
        )
    greatest = json.loads(told.output)["greatest"]
    assert greatest[0]["net"] == max(row["net_30"] for row in rows)
    assert tuple(greatest[0]["event"].split("/")) in moved
